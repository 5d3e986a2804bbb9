//! The least policy, and less than that: every scene passes under the policy that is printed for it, and each
//! call that is denied from some step on is named, while the deployment ends in what serves.

use std::collections::BTreeSet;
use std::sync::Mutex;

use ecs_bg::call::Call;
use ecs_bg_sandbox::iam::Policy;
use serde_json::json;

use super::native::{deploy as deploy_native, native as native_world};
use super::rolling::{BREAKER, deploy as deploy_rolling, solo};
use crate::STRIDE;
use crate::support::invariants::serves;
use crate::support::lives::{Life, REPOSITORY, World, deploy};
use crate::support::scenes::GALLERY;
use crate::support::sweep::{all_well, every_nth, on_every_core, sweep};

/// Everything but one action.
fn all_but(action: &str) -> Policy {
    let policy = json!({ "Statement": [
        { "Effect": "Allow", "Action": "*", "Resource": "*" },
        { "Effect": "Deny", "Action": action, "Resource": "*" },
    ]});
    Policy::parse(&policy.to_string(), "policy").expect("a policy")
}

/// Lines that complain of a permission.
fn complaints(life: &Life) -> Vec<&str> {
    let complains = |line: &&str| {
        (line.starts_with("warning:") || line.starts_with("error:"))
            && (line.contains("allow ") || line.contains("not authorized"))
    };
    life.text.lines().filter(complains).collect()
}

/// Whether it says which permission is missing: the action, the operation, or the group of both.
fn names(life: &Life, call: Call) -> bool {
    let action = call.action();
    let family = action.starts_with("elasticloadbalancing:Describe");
    life.text.contains(action)
        || life.text.contains(call.operation())
        || (family && life.text.contains("elasticloadbalancing:Describe*"))
}

/// A deployment, the service in its own words, and the world that it is in.
struct Scene {
    name: String,
    service: &'static str,
    command: String,
    world: Box<dyn Fn() -> World + Sync>,
}

fn scenes() -> Vec<Scene> {
    let listener = GALLERY.into_iter().map(|scene| Scene {
        name: scene.name.to_owned(),
        service: "web",
        command: scene.deploy(),
        world: Box::new(move || World::of(scene.cloud())),
    });
    let later = "[[image]]\nref = 'shop/api:2'\ndoes = 'sick'\nafter = '70s'\n";
    let rolling = [("2", ""), ("3", ""), ("4", ""), ("4", BREAKER), ("2", later)];
    let rolling = rolling.into_iter().map(|(tag, more)| Scene {
        name: format!("rolling {tag} {more}"),
        service: "api",
        command: deploy_rolling(tag, "--bake 90s"),
        world: Box::new(move || solo(more)),
    });
    let native = [
        ("2", ""),
        ("3", ""),
        ("4", ""),
        ("2", "--strategy canary:10/1m"),
        ("2", "--pause-at before-traffic --pause-limit 5m"),
    ];
    let native = native.into_iter().map(|(tag, more)| Scene {
        name: format!("native {tag} {more}"),
        service: "shop",
        command: deploy_native(tag, &format!("--bake 1m {more}")),
        world: Box::new(|| native_world("")),
    });
    listener.chain(rolling).chain(native).collect()
}

#[test]
fn every_scene_passes_under_the_policy_that_is_printed_for_it() {
    sweep("scenes under their policy", scenes(), |scene: &Scene| {
        let wrong = |life: &Life, why: String| Err(format!("{}: {why}\n{}", scene.name, life.text));
        let printed =
            (scene.world)().run(&format!("iam-policy --cluster shop --service {}", scene.service));
        if printed.code != Some(0) {
            return wrong(&printed, "no policy".to_owned());
        }
        let expected = (scene.world)().run(&scene.command);
        let world = (scene.world)();
        let policy = Policy::parse(&printed.text, "policy").map_err(|error| error.to_string())?;
        world.cloud().set_policy(Some(policy));
        let life = world.run(&scene.command);
        match (life.code == expected.code, complaints(&life)) {
            (true, none) if none.is_empty() => Ok(()),
            (_, complaints) => wrong(&life, format!("{:?}, {complaints:?}", expected.code)),
        }
    });
}

/// An engine with a good image and one that fails.
struct Engine {
    service: &'static str,
    repository: &'static str,
    world: fn() -> World,
    deploy: fn(&str, &str) -> String,
    more: &'static str,
}

const ENGINES: [Engine; 3] = [
    Engine {
        service: "web",
        repository: REPOSITORY,
        world: || World::new("shop"),
        deploy,
        more: "--shares 10:20s,100 --bake 30s --follow 60s --timeout 3m",
    },
    Engine {
        service: "api",
        repository: super::rolling::REPOSITORY,
        world: || World::new("solo"),
        deploy: deploy_rolling,
        more: "--bake 30s --timeout 3m",
    },
    Engine {
        service: "shop",
        repository: super::native::REPOSITORY,
        world: || World::new("native"),
        deploy: deploy_native,
        more: "--bake 1m --timeout 3m",
    },
];

/// From when on, in seconds after the deployment began.
const STEPS: [u64; 5] = [0, 3, 20, 45, 90];

/// What neither goes on nor back without: a person must look.
const NEEDED: [Call; 14] = {
    use Call::*;
    [
        UpdateService,
        ModifyRule,
        ModifyListener,
        StopServiceDeployment,
        DescribeServices,
        DescribeServiceDeployments,
        DescribeTaskDefinition,
        ListTaskDefinitions,
        DescribeTargetHealth,
        DescribeTargetGroups,
        DescribeListeners,
        DescribeRules,
        RegisterTaskDefinition,
        TagResource,
    ]
};

struct Denied {
    engine: &'static Engine,
    tag: &'static str,
    call: Call,
    after: u64,
}

impl Denied {
    fn attempt(&self) -> Result<(), String> {
        let Engine { service, repository, world, deploy, more } = self.engine;
        let world = world();
        let command = deploy(self.tag, more);
        let policy = all_but(self.call.action());
        let life = world.run_beside(&command, self.after, move |cloud| {
            cloud.set_policy(Some(policy.clone()));
        });
        let action = self.call.action();
        let wrong = |why: &str| {
            let when = self.after;
            Err(format!(
                "{service}:{}, {action} denied after {when}s: {why}\n{}",
                self.tag, life.text
            ))
        };
        let told = complaints(&life).into_iter().filter(|line| line.contains(action)).count();
        if told > 1 {
            return wrong("it is told more than once");
        }
        world.wait(60);
        let good = self.tag == "2";
        let runs = |tag: &str| serves(&world.cloud(), &format!("{repository}:{tag}"), 2);
        match life.code {
            Some(0) if runs(self.tag).is_ok() => {}
            Some(1 | 3) if runs("1").is_ok() => {}
            Some(4) if NEEDED.contains(&self.call) => {}
            code => return wrong(&format!("it ended with {code:?}")),
        }
        let changed = life.code != Some(u8::from(!good));
        match changed && !names(&life, self.call) {
            true => wrong("it ended otherwise, and does not say why"),
            false => Ok(()),
        }
    }
}

#[test]
fn a_call_that_is_denied_from_some_step_on_is_told_once_and_something_serves() {
    let mut cases = Vec::new();
    for engine in &ENGINES {
        for tag in ["2", "4"] {
            let life = (engine.world)().run(&(engine.deploy)(tag, engine.more));
            assert_eq!(life.code, Some(u8::from(tag == "4")), "{}", life.text);
            let made = Call::all().filter(|call| life.calls.contains_key(call.operation()));
            for call in made {
                cases.extend(STEPS.map(|after| Denied { engine, tag, call, after }));
            }
        }
    }
    sweep("calls denied from a step on", cases, Denied::attempt);
}

/// A world, what happened in it, and a command.
type Command = (&'static str, &'static [&'static str], &'static str);

/// Together they make every call.
const COMMANDS: [Command; 20] = [
    ("shop", &[], "deploy --cluster shop --service web --tag shop/web=2 --bake 30s"),
    ("shop", &[], "deploy --cluster shop --service web --tag shop/web=4 --bake 30s"),
    ("shop", &[], "plan --cluster shop --service web --tag shop/web=2"),
    ("shop", &[], "status --cluster shop --service web"),
    ("shop", &[], "ecr login --registry 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web"),
    ("solo", &[], "deploy --cluster shop --service api --tag 2 --alarm none"),
    ("solo", &[], "deploy --cluster shop --service api --tag 2 --before migrate"),
    ("solo", &[], "deploy --cluster shop --service api --tag 4"),
    (
        "solo",
        &["deploy --cluster shop --service api --tag 2"],
        "deploy --cluster shop --service api --tag 1 --keep-revisions 1",
    ),
    (
        "solo",
        &["deploy --cluster shop --service api --tag 2"],
        "rollback --cluster shop --service api",
    ),
    (
        "solo",
        &["deploy --cluster shop --service api --tag 2"],
        "history --cluster shop --service api",
    ),
    ("solo", &[], "run --cluster shop --service api --command serve --timeout 1m"),
    ("solo", &[], "doctor --cluster shop --service api"),
    (
        "solo",
        &[],
        "setup --cluster shop --service api --infrastructure-role arn:aws:iam::123456789012:role/lb",
    ),
    (
        "solo",
        &[
            "setup --cluster shop --service api --infrastructure-role arn:aws:iam::123456789012:role/lb",
        ],
        "setup --cluster shop --service api --undo",
    ),
    ("native", &[], "deploy --cluster shop --service shop --tag 2 --bake 1m"),
    ("native", &[], "deploy --cluster shop --service shop --tag 4 --bake 1m"),
    ("native", &[], "doctor --cluster shop --service shop"),
    ("instances", &[], "doctor --cluster shop --service api"),
    ("instances", &[], "deploy --cluster shop --service api --tag 4"),
];

const INSTANCES: &str = "extends = 'solo'
[[container_instance]]\nname = 'one'\ncluster = 'shop'\naz = 'a'\ncpu = 4096\nmemory = 8192\nenis = 6
[[container_instance]]\nname = 'two'\ncluster = 'shop'\naz = 'a'\ncpu = 4096\nmemory = 8192\nenis = 6
[[task_definition]]\nfamily = 'api'\nrequiresCompatibilities = ['EC2']
containerDefinitions = [{ name = 'api', image = '123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:1', portMappings = [{ containerPort = 8080, hostPort = 8080 }], logConfiguration = { logDriver = 'awslogs', options = { awslogs-group = '/shop/api', awslogs-region = 'eu-central-1', awslogs-stream-prefix = 'api' } }, secrets = [{ name = 'A', valueFrom = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/a-AbCdEf' }, { name = 'B', valueFrom = '/shop/b' }] }]
[[service]]\nserviceName = 'api'\nlaunchType = 'EC2'
networkConfiguration = { awsvpcConfiguration = { subnets = ['subnet-a'], securityGroups = ['sg-0a1b2c3d4e5f60718'] } }";

/// Calls that no command above makes, and why that is no loss.
const UNTESTED: [(Call, &str); 3] = [
    (Call::AssumeRole, "the sandbox gives every role to everybody; tests/it/credentials.rs"),
    (Call::ModifyListener, "only the default rule of a listener; scenes with one in tests/sweeps"),
    (Call::ContinueServiceDeployment, "a pause that somebody promotes; tests/it/native.rs"),
];

/// Calls whose denial nobody hears of, and why.
const SILENT: [(Call, &str); 3] = [
    (
        Call::ListServiceDeployments,
        "asked what ECS remembers of killed deployments; without it: none",
    ),
    (Call::DescribeServiceRevisions, "the same"),
    (Call::ListServices, "proposes a twin in a hint"),
];

fn world_of(name: &str, before: &[&str]) -> World {
    let world = match name {
        "instances" => World::parsed(INSTANCES),
        name => World::new(name),
    };
    for command in before {
        let life = world.run(command);
        assert_eq!(life.code, Some(0), "{command}: {}", life.text);
    }
    world
}

#[test]
fn every_call_is_denied_once_and_missed_by_name() {
    let mut cases: Vec<(Command, Call)> = Vec::new();
    for command in COMMANDS {
        let (name, before, line) = command;
        let life = world_of(name, before).run(line);
        assert!(life.code.is_some(), "{line}: {}", life.text);
        let made = Call::all().filter(|call| life.calls.contains_key(call.operation()));
        cases.extend(made.map(|call| (command, call)));
    }
    let tested: BTreeSet<Call> = cases.iter().map(|(_, call)| *call).collect();
    let untested: BTreeSet<Call> = Call::all().filter(|call| !tested.contains(call)).collect();
    let excused: BTreeSet<Call> = UNTESTED.iter().map(|(call, _)| *call).collect();
    assert_eq!(untested, excused, "calls that are never denied");
    let cases = every_nth("commands without one permission", cases);
    let missed = Mutex::new(BTreeSet::new());
    let failures = on_every_core(&cases, |((name, before, line), call)| {
        let world = world_of(name, before);
        world.cloud().set_policy(Some(all_but(call.action())));
        let life = world.run(line);
        let wrong =
            |why: &str| Err(format!("{line}: {} denied: {why}\n{}", call.action(), life.text));
        if life.code.is_none_or(|code| code > 4) {
            return wrong("no outcome");
        }
        if names(&life, *call) {
            missed.lock().map_err(|_| "poisoned".to_owned())?.insert(*call);
        } else if !SILENT.iter().any(|(silent, _)| silent == call) {
            return wrong("nobody says so");
        }
        Ok(())
    });
    all_well(&failures, cases.len());
    println!("{} calls denied and named", missed.lock().expect("a set").len());
    if STRIDE == 1 {
        let silent: BTreeSet<Call> = SILENT.iter().map(|(call, _)| *call).collect();
        let heard = missed.into_inner().expect("a set");
        let unheard: BTreeSet<Call> = tested.difference(&heard).copied().collect();
        assert!(unheard.is_subset(&silent), "{unheard:?}");
    }
}
