//! The data plane as it is now: where each node of each load balancer sends what a rule matches, and
//! what answers there. The control plane may already say something else.

use serde::{Deserialize, Serialize};

use crate::{clock::Time, image::Reply, network, state::Region};

/// Where one node of a load balancer sends a part of what one rule matches.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The load balancer's ARN.
    pub load_balancer: String,
    /// The node's Availability Zone.
    pub node: String,
    /// The rule's ARN, or the listener's for its default action.
    pub rule: String,
    /// The target group's ARN.
    pub group: String,
    /// The weight that this node uses.
    pub weight: u32,
    /// How many targets of the group are healthy.
    pub healthy: usize,
    /// What stands behind the group's targets.
    pub behind: Vec<Behind>,
}

/// A target and what it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// `id:port`
    pub target: String,
    /// Its state in the target group.
    pub state: String,
    /// The task's ARN, if a task has that address.
    pub task: Option<String>,
    /// The task's service (ARN).
    pub service: Option<String>,
    /// The image of the container that has the port.
    pub image: Option<String>,
    /// Whether a request that comes now is answered with a 2xx status.
    pub answers: bool,
}

pub(crate) fn serving(region: &Region, now: Time) -> Vec<Serving> {
    let mut all = Vec::new();
    for rule in region.elb.rules.values() {
        let listener = region.elb.listeners.get(&rule.listener);
        let Some(load_balancer) =
            listener.and_then(|one| region.elb.load_balancers.get(&one.load_balancer))
        else {
            continue;
        };
        for ((zone, _), weights) in load_balancer.zones.iter().zip(&rule.nodes) {
            for (group, weight) in weights {
                let behind = behind(region, group, now);
                all.push(Serving {
                    load_balancer: load_balancer.arn.clone(),
                    node: zone.clone(),
                    rule: rule.subject().to_owned(),
                    group: group.clone(),
                    weight: *weight,
                    healthy: behind.iter().filter(|one| one.state == "healthy").count(),
                    behind,
                });
            }
        }
    }
    all
}

fn behind(region: &Region, group: &str, now: Time) -> Vec<Behind> {
    let targets = region.elb.groups.get(group).into_iter().flat_map(|group| &group.targets);
    let behind = targets.map(|(key, target)| {
        let task = network::behind(region, &target.id, target.port);
        let container = task.and_then(|task| network::listener(task, &target.id, target.port));
        let reply = network::reply(region, &target.id, target.port, now);
        Behind {
            target: key.clone(),
            state: target.health.state.clone(),
            task: task.map(|task| task.arn.clone()),
            service: task.and_then(|task| task.service.clone()),
            image: container.map(|one| one.image.clone()),
            answers: matches!(reply, Reply::Status(200..=299)),
        }
    });
    behind.collect()
}
