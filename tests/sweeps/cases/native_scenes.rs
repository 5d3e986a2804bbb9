//! Services whose traffic ECS shifts, behind a Network Load Balancer (ten minutes for each shift) and without
//! a load balancer: killed at every call, every outsider at every moment. Outsiders who change the strategy
//! or put the old revision back, as `terraform apply` does, for each of them.

use serde_json::{Value, json};

use super::native::{OUTSIDERS, REPOSITORY, deploy, native, outsider, runs, settings};
use crate::stride;
use crate::support::lives::{World, call};
use crate::support::sweep::sweep;

/// Listeners instead of rules.
pub(crate) const NETWORK: &str = "
[[load_balancer]]\nname = 'shop'\ntype = 'network'
[[rule]]\nname = 'production'\nabsent = true
[[rule]]\nname = 'test'\nabsent = true
[[target_group]]\nname = 'shop-blue'\nprotocol = 'TCP'
[[target_group]]\nname = 'shop-green'\nprotocol = 'TCP'
[[listener]]\nname = 'https'\nprotocol = 'TCP'\nactions = [{ type = 'forward', targetGroups = [{ targetGroup = 'shop-blue', weight = 1 }, { targetGroup = 'shop-green', weight = 0 }] }]
[[listener]]\nname = 'test'\nprotocol = 'TCP'\nactions = [{ type = 'forward', targetGroups = [{ targetGroup = 'shop-blue', weight = 1 }, { targetGroup = 'shop-green', weight = 0 }] }]
[[service]]\nserviceName = 'shop'\nloadBalancers = [{ targetGroup = 'shop-blue', containerName = 'shop', containerPort = 8080, advancedConfiguration = { alternateTargetGroup = 'shop-green', productionListenerRule = 'https', testListenerRule = 'test', roleArn = 'arn:aws:iam::123456789012:role/shop-load-balancers' } }]
";
pub(crate) const HEADLESS: &str = "[[service]]\nserviceName = 'shop'\nloadBalancers = []\n";

/// A world, and how a deployment there goes.
#[derive(Clone, Copy, Debug)]
struct Scene {
    name: &'static str,
    world: &'static str,
    tag: &'static str,
    more: &'static str,
    code: u8,
    /// How many seconds it takes.
    lasts: u64,
}

const RULES: Scene = Scene { name: "rules", world: "", tag: "2", more: "", code: 0, lasts: 440 };
const LISTENERS: Scene = Scene { name: "listeners", world: NETWORK, lasts: 1700, ..RULES };
const NOTHING: Scene = Scene { name: "no load balancer", world: HEADLESS, ..RULES };

impl Scene {
    fn begin(&self) -> World {
        native(self.world)
    }

    fn deploy(&self) -> String {
        deploy(self.tag, self.more)
    }

    /// Exactly this image runs, and users reach it where they can.
    fn runs(&self, world: &World, tag: &str) -> Result<(), String> {
        match self.world == HEADLESS {
            true => tasks(world, tag),
            false => runs(world, tag),
        }
    }
}

/// All running tasks have this image.
pub(crate) fn tasks(world: &World, tag: &str) -> Result<(), String> {
    let ask = |operation: &str, body: Value| -> Value {
        let answer = world.call("ecs", operation, &body.to_string());
        serde_json::from_str(&answer).expect("JSON")
    };
    let service = json!({"cluster": "shop", "serviceName": "shop", "desiredStatus": "RUNNING"});
    let arns = ask("ListTasks", service)["taskArns"].clone();
    let tasks = ask("DescribeTasks", json!({"cluster": "shop", "tasks": arns}))["tasks"].clone();
    let tasks = tasks.as_array().cloned().unwrap_or_default();
    let image = |task: &Value| {
        let image = task["containers"][0]["image"].as_str().unwrap_or_default();
        (image.split('@').next().unwrap_or_default().to_owned(), task["lastStatus"].clone())
    };
    let images: Vec<_> = tasks.iter().map(image).collect();
    let wanted = (format!("{REPOSITORY}:{tag}"), json!("RUNNING"));
    match images.len() >= 2 && images.iter().all(|own| *own == wanted) {
        true => Ok(()),
        false => Err(format!("not {tag} but {images:?}")),
    }
}

#[test]
fn it_survives_death_at_every_call() {
    for scene in [
        LISTENERS,
        Scene { tag: "4", code: 1, ..LISTENERS },
        NOTHING,
        Scene { tag: "4", code: 1, ..NOTHING },
    ] {
        let world = scene.begin();
        let before = settings(&world);
        let life = world.run_kept(&scene.deploy());
        let told = |what: String| format!("{} {}: {what}", scene.name, scene.tag);
        assert_eq!(life.code, Some(scene.code), "{}", told(life.text));
        sweep(&told("killed".into()), life.moments, |moment| {
            let world = World::of(moment.cloud.clone());
            world.wait(180);
            let second = world.run(&scene.deploy());
            let serves = if scene.code == 0 { scene.tag } else { "1" };
            let runs = scene.runs(&world, serves);
            let same = settings(&world) == before;
            match second.code == Some(scene.code) && runs.is_ok() && same {
                true => Ok(()),
                false => Err(told(format!(
                    "killed at call {}, {} (done: {}): {:?} {runs:?}, settings as before: {same}\n{}",
                    moment.nth, moment.operation, moment.done, second.code, second.text
                ))),
            }
        });
    }
}

/// What else somebody does to the service, and the strategy that they want.
const MORE: [(&str, Option<&str>); 4] = [
    ("changes the strategy to rolling", Some("ROLLING")),
    ("changes the strategy to canary", Some("CANARY")),
    ("changes the strategy to linear", Some("LINEAR")),
    ("puts the old revision back", None),
];

/// `terraform apply` of who does not know of the deployment, and edits in the console.
fn meddle(what: &str, strategy: Option<&str>, cloud: &mut ecs_bg_sandbox::Cloud) {
    let mut service = json!({"cluster": "shop", "service": "shop"});
    match strategy {
        Some(strategy) => {
            let asked = json!({"cluster": "shop", "services": ["shop"]});
            let shown = call(cloud, "ecs", "DescribeServices", &asked.to_string());
            let mut shown: Value = serde_json::from_str(&shown).expect("JSON");
            let mut own = shown["services"][0]["deploymentConfiguration"].take();
            own["strategy"] = strategy.into();
            service["deploymentConfiguration"] = own;
        }
        None if what == "puts the old revision back" => service["taskDefinition"] = "shop:1".into(),
        None => return outsider(what, cloud),
    }
    call(cloud, "ecs", "UpdateService", &service.to_string());
}

#[derive(Debug)]
struct Meddled {
    scene: Scene,
    what: &'static str,
    strategy: Option<&'static str>,
    second: u64,
}

impl Meddled {
    fn attempt(&self) -> Result<(), String> {
        let Self { scene, what, strategy, second } = *self;
        let world = scene.begin();
        let life = world.run_beside(&scene.deploy(), second, move |cloud| {
            meddle(what, strategy, cloud);
        });
        let told = |why: String| {
            format!("{} {what} at {second} s: {:?} {why}\n{}", scene.name, life.code, life.text)
        };
        world.wait(2 * scene.lasts);
        // No code says more than there is.
        match life.code {
            Some(0) => scene.runs(&world, scene.tag),
            Some(1 | 3) => scene.runs(&world, "1"),
            Some(4 | 5) => Ok(()),
            _ => Err("no such end".to_owned()),
        }
        .map_err(told)?;
        // What somebody wants stays, once the deployment is under way.
        if let Some(strategy) = strategy.filter(|_| second > 10)
            && settings(&world)["strategy"] != strategy
        {
            return Err(told(format!("their strategy is lost: {}", settings(&world))));
        }
        let image = format!("--image shop={REPOSITORY}:5 --on-conflict supersede");
        let again = world.run(&format!("deploy --cluster shop --service shop {image}"));
        world.wait(60);
        match (again.code, scene.runs(&world, "5")) {
            (Some(0), Ok(())) => Ok(()),
            (code, runs) => Err(told(format!("afterwards: {code:?} {runs:?}\n{}", again.text))),
        }
    }
}

#[test]
fn an_outsider_brings_no_lie_and_no_dead_end() {
    let mut cases = Vec::new();
    // Looking every few seconds for half an hour takes long to simulate.
    let rare = if stride() == 1 { 60 } else { 600 };
    let baked = Scene { more: "--bake 1m", lasts: 190, ..RULES };
    for (scene, step) in [(RULES, 4), (baked, 4), (LISTENERS, rare), (NOTHING, 8)] {
        let world = scene.begin();
        let begin = world.now();
        world.run(&scene.deploy());
        // Who comes after its end changes nothing beside it.
        let length = (world.now() - begin).as_secs();
        let known =
            OUTSIDERS.iter().map(|(what, _)| (*what, None)).filter(|_| !scene.world.is_empty());
        for (what, strategy) in known.chain(MORE) {
            let seconds = (2..length).step_by(step);
            cases.extend(seconds.map(|second| Meddled { scene, what, strategy, second }));
        }
    }
    sweep("native: outsiders in each scene", cases, Meddled::attempt);
}

/// `terraform apply` on a schedule, every minute: ECS begins anew each time, and nobody lies about it.
#[test]
fn an_outsider_who_puts_the_old_revision_back_every_minute_wins() {
    for scene in [RULES, NOTHING] {
        let world = scene.begin();
        let minutes = (30..700).step_by(60);
        let life = world.run_beside_often(&scene.deploy(), minutes, |cloud| {
            meddle("puts the old revision back", None, cloud);
        });
        world.wait(900);
        let runs = scene.runs(&world, "1");
        let well = matches!(life.code, Some(1 | 5)) && runs.is_ok();
        assert!(well, "{}: {:?} {runs:?}\n{}", scene.name, life.code, life.text);
    }
}
