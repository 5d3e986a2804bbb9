//! Every scene under the policy that `ecs-bg iam-policy` prints for it: with it nothing is different, without any one
//! of its actions, or with a call that is denied from some moment on, the command ends and names what is missing.

use std::collections::{BTreeMap, BTreeSet};

use ecs_bg::call::Call;
use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::faults::Kind;
use ecs_bg_sandbox::iam::Policy;
use ecs_bg_sandbox::invariants::Invariant;
use serde_json::Value;

use super::native_scenes::{HEADLESS, NETWORK};
use super::permanent::order;
use super::rolling::BREAKER;
use crate::stride;
use crate::support::fate::{Fate, When, is_read};
use crate::support::invariants::{answers, serves};
use crate::support::lives::{Life, World, outside};
use crate::support::scenes::{GALLERY, SCALED};
use crate::support::sweep::{all_well, on_every_core, sweep};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop";
const WEB: &str = "--cluster shop --service web";
const API: &str = "--cluster shop --service api";
const BOX: &str = "--cluster shop --service box";
const SHOP: &str = "--cluster shop --service shop";

/// Actions that are asked for beside every policy of ours: a twin is proposed where the first one is allowed, and
/// nothing depends on the scaling of a service without a twin.
const BESIDE: [&str; 2] = ["ecs:ListServices", "application-autoscaling:DescribeScalableTargets"];

/// One command, and what somebody else types so many milliseconds later.
#[derive(Clone, Debug)]
struct Line {
    text: String,
    beside: Option<(u64, String)>,
    /// Exit code 0 means that so many tasks of this image serve.
    new: Option<(String, usize)>,
}

/// Commands in one world, one after the other, and the service that they are about.
#[derive(Clone)]
struct Scene {
    name: String,
    cloud: Cloud,
    service: &'static str,
    /// What the policy is asked for beside deployments.
    with: &'static str,
    lines: Vec<Line>,
}

fn line(text: impl Into<String>) -> Line {
    Line { text: text.into(), beside: None, new: None }
}

/// A deployment of an image of the scene's service.
fn deploy(service: &str, tag: &str, more: &str) -> Line {
    let name = service.rsplit(' ').next().unwrap_or_default();
    let image = format!("{REGISTRY}/{name}:{tag}");
    let text = format!("deploy {service} --image {image} {more}");
    Line { new: Some((image, 2)), ..line(text) }
}

/// Another service serves beside this one.
fn of_box(tag: &str) -> Line {
    Line { new: None, ..deploy(BOX, tag, "") }
}

impl Line {
    fn beside(self, later: u64, text: String) -> Self {
        Self { beside: Some((later, text)), ..self }
    }
}

fn scene(
    name: &str,
    toml: &str,
    service: &'static str,
    with: &'static str,
    lines: &[Line],
) -> Scene {
    let cloud = World::parsed(toml).cloud().clone();
    Scene { name: name.to_owned(), cloud, service, with, lines: lines.to_vec() }
}

/// An image whose command `migrate` ends with this code.
fn migrate(service: &str, code: u8) -> String {
    format!(
        "[[image]]\nref = 'shop/{service}:2'\ncommand = 'migrate'\ndoes = 'exit'\ncode = {code}\nafter = '30s'\n"
    )
}

/// A service on instances, behind a target group of instances; with this port of theirs.
fn on_instances(port: u16) -> String {
    let machine = |name: &str| {
        format!(
            "[[container_instance]]\nname = '{name}'\ncluster = 'shop'\naz = 'a'\ncpu = 4096\nmemory = 8192\n"
        )
    };
    format!(
        "extends = 'solo'\n{}{}{}
        [[repository]]\nname = 'shop/box'\nimages = ['1', '2', '4']
        [[image]]\nref = 'shop/box:4'\ndoes = 'exit'\ncode = 1
        [[target_group]]\nname = 'box'\nport = 8080\ntargetType = 'instance'
        [[listener]]\nname = 'box'\nloadBalancer = 'shop'\nport = 8080\nprotocol = 'HTTP'
        actions = [{{ type = 'forward', targetGroup = 'box' }}]
        [[task_definition]]\nfamily = 'box'\nrequiresCompatibilities = ['EC2']\nnetworkMode = 'bridge'
        [[task_definition.containerDefinitions]]\nname = 'box'\nimage = '{REGISTRY}/box:1'\nmemory = 256\nessential = true
        portMappings = [{{ containerPort = 8080, hostPort = {port}, protocol = 'tcp' }}]
        [[service]]\ncluster = 'shop'\nserviceName = 'box'\ntaskDefinition = 'box:1'\ndesiredCount = 2\nlaunchType = 'EC2'
        loadBalancers = [{{ targetGroup = 'box', containerName = 'box', containerPort = 8080 }}]\n",
        machine("one"),
        machine("two"),
        machine("three")
    )
}

/// Tasks with network interfaces of their own on an instance.
fn with_interfaces() -> String {
    "extends = 'solo'\n[[container_instance]]\nname = 'one'\ncluster = 'shop'\naz = 'a'\nenis = 3\n\
     [[service]]\nserviceName = 'api'\nlaunchType = 'EC2'\n"
        .to_owned()
}

/// Logs of tasks that fail are read.
fn logged(scenario: &str, service: &str) -> String {
    format!(
        "extends = '{scenario}'\n[[task_definition]]\nfamily = '{service}'\n\
         [[task_definition.containerDefinitions]]\nname = '{service}'\nimage = '{REGISTRY}/{service}:1'\nessential = true\n\
         portMappings = [{{ containerPort = 8080, protocol = 'tcp', name = 'http' }}]\n\
         logConfiguration = {{ logDriver = 'awslogs', options = {{ awslogs-group = '/ecs/{service}', \
         awslogs-region = 'eu-central-1', awslogs-stream-prefix = 'ecs' }} }}\n"
    )
}

/// All of them: each engine, each option that calls something, and the commands beside `deploy`.
fn scenes() -> Vec<Scene> {
    let mut all: Vec<Scene> = GALLERY
        .iter()
        .map(|one| {
            let new = Some((one.new_image(), one.count));
            let lines = vec![Line { new, ..line(one.deploy()) }];
            Scene { name: one.name.to_owned(), cloud: one.cloud(), service: WEB, with: "", lines }
        })
        .collect();
    let role = "--infrastructure-role arn:aws:iam::123456789012:role/ecs-load-balancers";
    let extends = |scenario: &str, more: &str| format!("extends = '{scenario}'\n{more}");
    let alarm = |scenario: &str| extends(scenario, "[[alarm]]\nname = 'errors'\nstate = 'OK'\n");
    let scaled = |service: &str| {
        format!("[[scalable_target]]\nservice = 'shop/{service}'\nmin = 1\nmax = 4\ncpu = 20\n")
    };
    let follow = "--follow 60s --bake 30s";
    let pausing = format!("{follow} --shares 10:pause,100 --pause-limit 5m");
    let promote = |service: &str| format!("promote {service}");
    let native_pause = "--bake 1m --pause-at before-traffic --pause-limit 5m";
    // Pairs.
    for (name, world, with, lines) in [
        (
            "kept, back",
            extends("shop", ""),
            "",
            vec![deploy(WEB, "2", "--bake 0s --keep-old"), line(format!("rollback {WEB}"))],
        ),
        (
            "kept, retired",
            extends("shop", ""),
            "",
            vec![deploy(WEB, "2", "--bake 0s --keep-old"), line(format!("retire {WEB}"))],
        ),
        ("paused", extends("shop", ""), "", vec![deploy(WEB, "2", &pausing)]),
        (
            "promoted",
            extends("shop", ""),
            "",
            vec![deploy(WEB, "2", &pausing).beside(90_000, promote(WEB))],
        ),
        (
            "aborted",
            extends("shop", ""),
            "",
            vec![deploy(WEB, "2", &pausing).beside(90_000, format!("abort {WEB}"))],
        ),
        (
            "before",
            extends("shop", &migrate("web", 0)),
            "--with tasks",
            vec![deploy(WEB, "2", "--follow 60s --bake 30s --before migrate")],
        ),
        (
            "before fails",
            extends("shop", &migrate("web", 1)),
            "--with tasks",
            vec![deploy(WEB, "2", "--follow 60s --bake 30s --before migrate")],
        ),
        (
            "alarm",
            alarm("shop"),
            "--with alarms",
            vec![deploy(WEB, "2", &format!("{follow} --alarm errors"))],
        ),
        (
            "back and forth",
            extends("shop", ""),
            "",
            vec![
                line(format!("status {WEB}")),
                deploy(WEB, "2", follow),
                line(format!("rollback {WEB}")),
                line(format!("history {WEB}")),
                deploy(WEB, "5", &format!("{follow} --keep-revisions 1")),
            ],
        ),
        ("doctor", extends("shop", ""), "--with doctor", vec![line(format!("doctor {WEB}"))]),
        ("logs", logged("shop", "web"), "", vec![deploy(WEB, "4", follow)]),
    ] {
        all.push(scene(&format!("listener: {name}"), &world, WEB, with, &lines));
    }
    let scaled_pair = SCALED.cloud();
    let lines = vec![line(SCALED.deploy()), line(format!("rollback {WEB}"))];
    let name = "listener: scaled, back and forth".to_owned();
    all.push(Scene { name, cloud: scaled_pair, service: WEB, with: "", lines });
    // Services whose tasks ECS replaces.
    for (name, world, with, lines) in [
        ("good", extends("solo", ""), "", vec![deploy(API, "2", "--bake 30s")]),
        ("500", extends("solo", ""), "", vec![deploy(API, "3", "")]),
        ("exits", extends("solo", ""), "", vec![deploy(API, "4", "")]),
        ("exits, breaker", extends("solo", BREAKER), "", vec![deploy(API, "4", "")]),
        ("logs", logged("solo", "api"), "", vec![deploy(API, "4", "")]),
        ("scaled", extends("solo", &scaled("api")), "", vec![deploy(API, "2", "")]),
        (
            "check fails",
            extends("solo", ""),
            "",
            vec![deploy(API, "2", "--bake 1m --check-cmd false")],
        ),
        (
            "before",
            extends("solo", &migrate("api", 0)),
            "--with tasks",
            vec![deploy(API, "2", "--before migrate")],
        ),
        (
            "before fails",
            extends("solo", &migrate("api", 1)),
            "--with tasks",
            vec![deploy(API, "2", "--before migrate")],
        ),
        (
            "alarm",
            alarm("solo"),
            "--with alarms",
            vec![deploy(API, "2", "--bake 1m --alarm errors")],
        ),
        (
            "back and forth",
            extends("solo", ""),
            "",
            vec![
                line(format!("status {API}")),
                deploy(API, "2", ""),
                line(format!("rollback {API}")),
                line(format!("history {API}")),
                deploy(API, "2", "--keep-revisions 1"),
            ],
        ),
        (
            "a task",
            extends("solo", &migrate("api", 0).replace("api:2", "api:1")),
            "--with tasks",
            vec![line(format!("run {API} --command migrate"))],
        ),
        (
            "doctor",
            extends("solo", FEW_VCPUS),
            "--with doctor",
            vec![line(format!("doctor {API}"))],
        ),
        (
            "doctor of logs and parameters",
            logged("solo", "api").replace(
                "logConfiguration",
                "secrets = [{ name = 'B', valueFrom = '/shop/b' }]\nlogConfiguration",
            ),
            "--with doctor",
            vec![line(format!("doctor {API}"))],
        ),
        (
            "setup",
            extends("solo", ""),
            "--with setup",
            vec![
                line(format!("setup {API} {role} --test-header X-Preview=1")),
                line(format!("setup {API} --undo")),
            ],
        ),
        (
            "setup with a role",
            extends("solo", ""),
            "--with setup-role,setup",
            vec![line(format!("setup {API} --create-role ecs-load-balancers"))],
        ),
        (
            "login",
            extends("solo", ""),
            "--with login",
            vec![line(
                "ecr login --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api",
            )],
        ),
    ] {
        all.push(scene(&format!("rolling: {name}"), &world, API, with, &lines));
    }
    for (name, port, with, lines) in [
        ("instances", 0, "", vec![of_box("2")]),
        ("instances, exits", 0, "", vec![of_box("4")]),
        ("instances, a static port", 80, "", vec![of_box("2")]),
        ("doctor of instances", 0, "--with doctor", vec![line(format!("doctor {BOX}"))]),
    ] {
        all.push(scene(&format!("rolling: {name}"), &on_instances(port), BOX, with, &lines));
    }
    let doctor = [line(format!("doctor {API}"))];
    let name = "rolling: doctor of interfaces";
    all.push(scene(name, &with_interfaces(), API, "--with doctor", &doctor));
    // Services whose traffic ECS shifts.
    for (name, world, with, lines) in [
        ("good", extends("native", ""), "", vec![deploy(SHOP, "2", "")]),
        ("500", extends("native", ""), "", vec![deploy(SHOP, "3", "")]),
        ("exits", extends("native", ""), "", vec![deploy(SHOP, "4", "")]),
        ("logs", logged("native", "shop"), "", vec![deploy(SHOP, "4", "")]),
        ("listeners", extends("native", NETWORK), "", vec![deploy(SHOP, "2", "")]),
        ("no load balancer", extends("native", HEADLESS), "", vec![deploy(SHOP, "2", "")]),
        ("paused", extends("native", ""), "", vec![deploy(SHOP, "2", native_pause)]),
        (
            "promoted",
            extends("native", ""),
            "",
            vec![deploy(SHOP, "2", native_pause).beside(120_000, promote(SHOP))],
        ),
        (
            "aborted",
            extends("native", ""),
            "",
            vec![deploy(SHOP, "2", native_pause).beside(120_000, format!("abort {SHOP}"))],
        ),
        (
            "linear",
            extends("native", ""),
            "",
            vec![deploy(SHOP, "2", "--strategy linear:50/1m --bake 2m")],
        ),
        (
            "check",
            extends("native", ""),
            "",
            vec![deploy(SHOP, "2", "--bake 1m --check https://shop.example.com/cart")],
        ),
        (
            "check fails",
            extends("native", "[[image]]\nref = 'shop/shop:2'\ndoes = 'serve'\nfails = '/cart'\n"),
            "",
            vec![deploy(SHOP, "2", "--bake 1m --check https://shop.example.com/cart")],
        ),
        (
            "before",
            extends("native", &migrate("shop", 0)),
            "--with tasks",
            vec![deploy(SHOP, "2", "--before migrate")],
        ),
        (
            "alarm",
            alarm("native"),
            "--with alarms",
            vec![deploy(SHOP, "2", "--bake 1m --alarm errors")],
        ),
        ("scaled", extends("native", &scaled("shop")), "", vec![deploy(SHOP, "2", "")]),
        (
            "back and forth",
            extends("native", ""),
            "",
            vec![
                line(format!("status {SHOP}")),
                deploy(SHOP, "2", ""),
                line(format!("rollback {SHOP}")),
                line(format!("history {SHOP}")),
                deploy(SHOP, "5", "--keep-revisions 1"),
            ],
        ),
        ("doctor", extends("native", ""), "--with doctor", vec![line(format!("doctor {SHOP}"))]),
    ] {
        all.push(scene(&format!("native: {name}"), &world, SHOP, with, &lines));
    }
    all
}

impl Scene {
    /// The policy for its service and options.
    fn policy(&self) -> Value {
        let world = World::of(self.cloud.clone());
        let life = world.run(&format!("iam-policy {} {}", self.service, self.with));
        assert_eq!(life.code, Some(0), "{}: {}", self.name, life.text);
        serde_json::from_str(&life.text).expect("a policy")
    }

    /// Runs its commands; `fate` is that of each line, by its number.
    fn run(&self, policy: Option<&Value>, fate: impl Fn(usize) -> Fate) -> Ran {
        let world = World::of(self.cloud.clone());
        let is_hidden = answers(&world.cloud()).is_err();
        let parsed = policy.map(|own| Policy::parse(&own.to_string(), "policy").expect("a policy"));
        world.cloud().set_policy(parsed);
        let mut ran = Ran { lives: vec![], lies: vec![], world };
        for (at, line) in self.lines.iter().enumerate() {
            let lives = match &line.beside {
                None => vec![ran.world.live(&line.text, fate(at))],
                Some((later, other)) => {
                    let later = std::time::Duration::from_millis(*later);
                    let other = (other.as_str(), Fate::default());
                    ran.world.live_together((&line.text, fate(at)), other, later).into()
                }
            };
            // The load balancer follows the last change.
            let ended = ran.world.cloud().clone();
            ran.world.wait(60);
            let cloud = ran.world.cloud().clone();
            let said = match (lives[0].code, &line.new) {
                (None, _) => Err("it does not end".to_owned()),
                // Nobody sees from outside which task has which image where nothing stands before them.
                _ if is_hidden => Ok(()),
                (Some(0), Some((image, count))) => serves(&cloud, image, *count),
                _ => answers(&cloud),
            };
            ran.lies.extend(said.err().map(|why| format!("{}: {why}", line.text)));
            *ran.world.cloud() = ended;
            ran.lives.push(lives);
        }
        let mut broken = ran.world.cloud().violations().to_vec();
        // To undo a setup is to take a group out of a rule.
        broken.retain(|one| {
            !(one.invariant == Invariant::ActionsLost && self.with.contains("setup"))
        });
        ran.lies.extend(broken.iter().map(|one| format!("{}: {}", one.invariant.name(), one.what)));
        ran
    }
}

/// What became of a scene.
struct Ran {
    world: World,
    /// The processes of each line.
    lives: Vec<Vec<Life>>,
    /// Exit codes that are not what the world says, and invariants that were broken.
    lies: Vec<String>,
}

impl Ran {
    fn told(&self) -> String {
        let lives = self.lives.iter().flatten();
        lives.map(|life| format!("-> {:?}\n{}", life.code, life.text)).collect()
    }
}

/// Whether a text tells that an action is missing, in a warning, an error, or as the reason of an end.
fn names(text: &str, action: &str) -> bool {
    let operation = action.split(':').next_back().unwrap_or(action);
    text.lines().any(|line| {
        let is_said =
            line.contains("warning") || line.contains("error") || line.contains("unknown");
        line.contains(action)
            // Reads of load balancers are told together.
            || (action.starts_with("elasticloadbalancing:Describe")
                && line.contains("elasticloadbalancing:Describe*"))
            || (is_said && line.contains(operation))
    })
}

/// Everything as without the policy, to the letter; and no call is denied.
#[test]
fn under_the_least_policy_nothing_is_different() {
    let scenes = scenes();
    let failures = on_every_core(&scenes, |scene| {
        let policy = scene.policy();
        let free = scene.run(None, |_| Fate::default());
        let bound = scene.run(Some(&policy), |_| Fate::default());
        let denied = bound.world.cloud().denied().clone();
        let denied: Vec<&String> =
            denied.iter().filter(|action| !BESIDE.contains(&action.as_str())).collect();
        match free.lies.is_empty() && denied.is_empty() && free.told() == bound.told() {
            true => Ok(()),
            false => Err(format!(
                "{}: {:?}, denied {denied:?}\n{}\nunder the policy:\n{}",
                scene.name,
                free.lies,
                free.told(),
                bound.told()
            )),
        }
    });
    all_well(&failures, scenes.len());
}

/// So few that doctor looks at how many are in use.
const FEW_VCPUS: &str = "[[limit]]\nname = 'Fargate On-Demand vCPU resource count'\nmax = 6";

/// Actions that are asked for in such a scene and that nobody misses there, and why.
const SILENT: [(&str, &[&str], &str); 10] = [
    (
        "rolling",
        &["ecs:ListTasks", "ecs:DescribeTasks", "ecs:DescribeContainerInstances"],
        "they say why a task failed, and none did",
    ),
    ("rolling: instances", &["ecs:ListContainerInstances"], "the port is free"),
    (
        "rolling: setup",
        &[
            "elasticloadbalancing:DescribeAccountLimits",
            "elasticloadbalancing:DescribeTargetHealth",
            "elasticloadbalancing:DescribeTargetGroupAttributes",
            "ecs:ListServiceDeployments",
            "ecs:DescribeServiceDeployments",
            "ecs:DescribeServiceRevisions",
            "ecr:DescribeImages",
        ],
        "what they find is refused by AWS as well, or has been found",
    ),
    (
        "rolling: setup with a role",
        &[
            "elasticloadbalancing:DescribeTargetGroups",
            "elasticloadbalancing:DescribeListeners",
            "elasticloadbalancing:DescribeRules",
            "elasticloadbalancing:DescribeTags",
        ],
        "what they tell was known before it was denied",
    ),
    (
        "listener: scaled, back",
        &["ecr:DescribeImages"],
        "a missing image is found by the first task",
    ),
    (
        "listener: kept",
        &["elasticloadbalancing:DescribeTargetGroupAttributes"],
        "the deployment before compared them",
    ),
    ("", &["ecs:ListServices"], "no twin is proposed"),
    (
        "",
        &["ecs:DescribeTaskDefinition"],
        "the deployment is over but for the words that a container logged last",
    ),
    (
        "",
        &["application-autoscaling:DescribeScalableTargets"],
        "nothing is scaled, or that was read before",
    ),
    (
        "",
        &["ecs:ListServiceDeployments", "ecs:DescribeServiceRevisions"],
        "they find a deployment that ECS rolled back, and there is none",
    ),
];

/// Whether the scene ends as it would have, without a word.
fn is_silent(scene: &Scene, ran: &Ran, action: &str) -> bool {
    let is_clear = ran.lives.iter().all(|lives| matches!(lives[0].code, Some(0 | 1)));
    is_clear
        && SILENT.iter().any(|(name, own, _)| scene.name.starts_with(name) && own.contains(&action))
}

/// Without one of its actions: the command ends, and tells the truth, and names the action if it asked for it.
#[test]
fn each_action_of_the_least_policy_is_named_where_it_is_missing() {
    let mut cases = Vec::new();
    for scene in scenes() {
        let policy = scene.policy();
        let statements = policy["Statement"].as_array().expect("statements").clone();
        for (index, statement) in statements.iter().enumerate() {
            for action in statement["Action"].as_array().expect("actions") {
                let mut less = policy.clone();
                let own = less["Statement"][index]["Action"].as_array_mut().expect("actions");
                own.retain(|one| one != action);
                if less["Statement"][index]["Action"] == Value::Array(vec![]) {
                    less["Statement"].as_array_mut().expect("statements").remove(index);
                }
                cases.push((scene.clone(), action.as_str().expect("an action").to_owned(), less));
            }
        }
    }
    sweep("the least policy: one action less", cases, |(scene, action, less)| {
        let ran = scene.run(Some(less), |_| Fate::default());
        let asked = ran.world.cloud().denied().contains(action);
        let told = names(&ran.told(), action) || is_silent(scene, &ran, action);
        match ran.lies.is_empty() && (told || !asked) {
            true => Ok(()),
            false => Err(format!(
                "{} without {action}: named {told}, {:?}\n{}",
                scene.name,
                ran.lies,
                ran.told()
            )),
        }
    });
}

/// Calls that no scene makes, and why.
const NEVER: [(Call, &str); 2] = [
    (Call::StopTask, "only where a task is interrupted: tests/it/before.rs, tests/it/signals.rs"),
    (Call::AssumeRole, "only --role-arn and profiles with a role: tests/it/credentials.rs"),
];

/// One call of a scene is denied from some moment on, for good.
struct Lost {
    scene: Scene,
    /// The line, and the how-manieth call of it.
    line: usize,
    nth: u32,
    operation: String,
}

impl Lost {
    fn attempt(&self) -> Result<(), String> {
        let Self { scene, line, nth, operation } = self;
        let ran = scene.run(None, |at| {
            let order = order(operation, ("denied", Kind::Denied, 0));
            let denies = move |cloud: &mut Cloud| {
                cloud.set_faults(vec![order.clone()]).expect("a fault");
            };
            match at == *line {
                true => Fate { outsider: outside(When::Call(*nth), denies), ..Fate::default() },
                false => Fate::default(),
            }
        });
        let call = Call::all().find(|call| call.operation() == operation).expect("a call of ours");
        let told = ran.told();
        // Who may not change what carries the traffic, or not see whose the deployment is, can only say so.
        let held = ["ModifyRule", "ModifyListener", "UpdateService", "DescribeTaskDefinition"];
        let is_held = held.contains(&operation.as_str()) && ran.lives[*line][0].code == Some(4);
        let named = names(&told, call.action()) || is_silent(scene, &ran, call.action());
        match (ran.lies.is_empty() || is_held) && named {
            true => Ok(()),
            false => Err(format!(
                "{}, {}: {operation} denied from call {nth} on: named {named}, {:?}\n{told}",
                scene.name, scene.lines[*line].text, ran.lies
            )),
        }
    }
}

/// Each call, denied from each step on. Calls between two changes are one step.
#[test]
fn a_call_that_is_denied_from_any_step_on_is_named() {
    let scenes = scenes();
    let mut cases = Vec::new();
    let mut called: BTreeMap<String, usize> = BTreeMap::new();
    for scene in scenes {
        let ran = scene.run(None, |_| Fate::default());
        for (line, lives) in ran.lives.iter().enumerate() {
            let (mut changes, mut seen) = (0, BTreeSet::new());
            for (at, operation) in lives[0].operations.iter().enumerate() {
                // A visit of a check is no call of AWS.
                if !Call::all().any(|call| call.operation() == operation) {
                    continue;
                }
                *called.entry(operation.clone()).or_default() += 1;
                let nth = u32::try_from(at + 1).expect("so few");
                // Of two processes the other one may go on: see the sweeps of rivals.
                let is_alone = scene.lines[line].beside.is_none();
                if is_alone && seen.insert((changes, operation.clone())) {
                    let (scene, operation) = (scene.clone(), operation.clone());
                    cases.push(Lost { scene, line, nth, operation });
                }
                changes += usize::from(!is_read(operation));
            }
        }
    }
    let never: Vec<Call> =
        Call::all().filter(|call| !called.contains_key(call.operation())).collect();
    println!("calls never tested: {never:?}; {} cases, one in {}", cases.len(), stride());
    assert_eq!(never, NEVER.map(|(call, _)| call), "calls that no scene makes");
    sweep("calls that are denied from a step on", cases, Lost::attempt);
}
