//! How long things take. AWS promises none of these; the defaults are assumed, from what deployments
//! in small accounts commonly show, and a scenario can set each of them.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::duration;

/// How long things take in a world.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timing {
    /// PROVISIONING: the network interface. Assumed: 10 s.
    #[serde(with = "duration")]
    pub provisioning: Duration,
    /// PENDING: pulling the images. Assumed: 10 s.
    #[serde(with = "duration")]
    pub pull: Duration,
    /// From a container's start until it answers. Assumed: 5 s.
    #[serde(with = "duration")]
    pub ready: Duration,
    /// ACTIVATING: registering with target groups. Assumed: 3 s.
    #[serde(with = "duration")]
    pub registration: Duration,
    /// From a target's registration to its first health check. Assumed: 1 s.
    #[serde(with = "duration")]
    pub first_check: Duration,
    /// The same with a network load balancer: "a few minutes" (Network Load Balancers User Guide, Health
    /// checks). Assumed: 3 min.
    #[serde(with = "duration")]
    pub network_first_check: Duration,
    /// Until the n-th load-balancer node follows a change of weights: n times this. Assumed: 5 s.
    #[serde(with = "duration")]
    pub propagation: Duration,
    /// DEPROVISIONING: removing the network interface. Assumed: 10 s.
    #[serde(with = "duration")]
    pub deprovisioning: Duration,
    /// From SIGTERM until the containers have exited. Assumed: 1 s.
    #[serde(with = "duration")]
    pub stop: Duration,
    /// From a container's writing a line until CloudWatch Logs shows it. Assumed: 1 s.
    #[serde(with = "duration")]
    pub ingestion: Duration,
    /// Until the service scheduler notices that something changed. Assumed: 1 s.
    #[serde(with = "duration")]
    pub scheduler: Duration,
    /// From a target's becoming unhealthy until the scheduler stops its task. Assumed: 10 s.
    #[serde(with = "duration")]
    pub replacement: Duration,
    /// How long a task without health checks must run to count as healthy: 40 s
    /// (Amazon ECS API, `DeploymentConfiguration.minimumHealthyPercent`).
    #[serde(with = "duration")]
    pub settle: Duration,
    /// The first wait of the scheduler when tasks fail to start again and again; it doubles, up to
    /// 15 minutes (Amazon ECS Developer Guide, service throttle logic). Assumed: 10 s.
    #[serde(with = "duration")]
    pub backoff: Duration,
    /// How long a lifecycle stage of BLUE_GREEN, LINEAR and CANARY takes at least. Assumed: 5 s.
    #[serde(with = "duration")]
    pub stage: Duration,
    /// How long a stage takes that shifts traffic. Assumed: 30 s.
    #[serde(with = "duration")]
    pub shift: Duration,
    /// The same behind a Network Load Balancer: 10 min (Amazon ECS Developer Guide, Network Load Balancer
    /// resources for blue/green deployments).
    #[serde(with = "duration")]
    pub network_shift: Duration,
    /// From UpdateService until a service deployment of these strategies is listed. Assumed: 5 s.
    #[serde(with = "duration")]
    pub listing: Duration,
    /// From SUCCESSFUL until the service's deployment is COMPLETED, with these strategies: seen, 38 s.
    #[serde(with = "duration")]
    pub completion: Duration,
    /// Until a load balancer has the capacity that was reserved: "within a few minutes" (Application Load
    /// Balancers User Guide, Capacity reservations). Assumed: 2 min.
    #[serde(with = "duration")]
    pub reservation: Duration,
    /// From CreateRole until other services can assume the role: "may not immediately be visible" (IAM User
    /// Guide, Troubleshoot IAM). Assumed: 10 s.
    #[serde(with = "duration")]
    pub role: Duration,
    /// How long an API call takes. Assumed: 20 ms.
    #[serde(with = "duration")]
    pub latency: Duration,
}

impl Default for Timing {
    fn default() -> Timing {
        let seconds = Duration::from_secs;
        Timing {
            provisioning: seconds(10),
            pull: seconds(10),
            ready: seconds(5),
            registration: seconds(3),
            first_check: seconds(1),
            network_first_check: seconds(180),
            propagation: seconds(5),
            deprovisioning: seconds(10),
            stop: seconds(1),
            ingestion: seconds(1),
            scheduler: seconds(1),
            replacement: seconds(10),
            settle: seconds(40),
            backoff: seconds(10),
            stage: seconds(5),
            shift: seconds(30),
            network_shift: seconds(600),
            listing: seconds(5),
            completion: seconds(38),
            reservation: seconds(120),
            role: seconds(10),
            latency: Duration::from_millis(20),
        }
    }
}
