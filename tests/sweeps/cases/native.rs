//! Services whose traffic ECS shifts: killed at every call, every fault at every call, somebody else or a
//! request to stop at every moment. After each ending the service's deployment settings are as before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use ecs_bg_sandbox::journal::Change;
use serde_json::Value;

use super::faults::faults;
use crate::support::fate::Fate;
use crate::support::lives::{World, call};
use crate::support::sweep::{every_nth, sweep};

pub(crate) const REPOSITORY: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/shop";

pub(crate) fn deploy(tag: &str, more: &str) -> String {
    format!("deploy --cluster shop --service shop --image {REPOSITORY}:{tag} {more}")
}

pub(crate) fn native(more: &str) -> World {
    World::parsed(&format!("extends = 'native'\n{more}"))
}

/// Users reach exactly this image, and ECS works towards nothing else.
pub(crate) fn runs(world: &World, tag: &str) -> Result<(), String> {
    let serving = world.cloud().serving();
    let behind = serving.iter().flat_map(|side| &side.behind);
    let healthy: BTreeSet<String> = behind
        .filter(|target| target.state == "healthy")
        .map(|target| target.image.clone().unwrap_or_default())
        .map(|image| image.split('@').next().unwrap_or_default().to_owned())
        .collect();
    match healthy == BTreeSet::from([format!("{REPOSITORY}:{tag}")]) {
        true => Ok(()),
        false => Err(format!("not {tag} but {healthy:?}")),
    }
}

/// The service, as any client reads it.
fn service(world: &World) -> Value {
    let body = r#"{"cluster":"shop","services":["shop"]}"#;
    let answer: Value =
        serde_json::from_str(&world.call("ecs", "DescribeServices", body)).expect("JSON");
    answer["services"][0].clone()
}

/// `deploymentConfiguration`, as any client reads it.
pub(crate) fn settings(world: &World) -> Value {
    let mut block = service(world)["deploymentConfiguration"].clone();
    // No hooks are no hooks, however AWS says so.
    if let Some(members) = block.as_object_mut() {
        members.retain(|_, value| value != &Value::Array(vec![]));
    }
    block
}

/// One way to deploy, and where it ends.
struct Way {
    /// What AWS's documents leave open, as this world has it.
    world: &'static str,
    tag: &'static str,
    more: &'static str,
    code: u8,
}

const PAUSED: &str = "--bake 1m --pause-at before-traffic --pause-limit 5m";

const WAYS: [Way; 6] = [
    Way { world: "", tag: "2", more: "", code: 0 },
    Way { world: "", tag: "3", more: "", code: 1 },
    Way { world: "", tag: "4", more: "", code: 1 },
    Way { world: "", tag: "2", more: PAUSED, code: 1 },
    Way {
        world: "[native]\nhooks = 'copied'\n[settings]\nmerge = true",
        tag: "2",
        more: PAUSED,
        code: 1,
    },
    Way {
        world: "[native]\ninterrupted_bake = 'back'\ncount_follows = 'source'",
        tag: "2",
        more: "--strategy linear:50/1m --bake 2m",
        code: 0,
    },
];

impl Way {
    fn serves(&self) -> &'static str {
        if self.code == 0 { self.tag } else { "1" }
    }

    fn deploy(&self) -> String {
        deploy(self.tag, self.more)
    }

    fn begin(&self) -> World {
        native(self.world)
    }

    /// The service's settings are as they were, but for a strategy that was asked for.
    fn is_tidy(&self, world: &World, before: &Value) -> bool {
        let mut before = before.clone();
        if self.code == 0 && self.more.contains("linear") {
            before["strategy"] = "LINEAR".into();
            let steps = serde_json::json!({"stepPercent": 50.0, "stepBakeTimeInMinutes": 1});
            before["linearConfiguration"] = steps;
        }
        settings(world) == before
    }
}

/// Killed before and after every call took effect, then run again to its end.
#[test]
fn it_survives_death_at_every_call() {
    for way in WAYS {
        let world = way.begin();
        let before = settings(&world);
        let life = world.run_kept(&way.deploy());
        assert_eq!(life.code, Some(way.code), "{} {}: {}", way.tag, way.more, life.text);
        for moment in every_nth(&format!("native {} {}: killed", way.tag, way.more), life.moments) {
            let (nth, operation, done) = (moment.nth, moment.operation, moment.done);
            let world = World::of(moment.cloud);
            world.wait(180);
            let second = world.run(&way.deploy());
            let runs = runs(&world, way.serves());
            let same = way.is_tidy(&world, &before);
            assert!(
                second.code == Some(way.code) && runs.is_ok() && same,
                "{} {} killed at call {nth}, {operation} (done: {done}): {:?} {runs:?}, settings as before: {same}\n{}",
                way.tag,
                way.more,
                second.code,
                second.text
            );
        }
    }
}

/// Every call meets every fault once, and the deployment goes where it would have gone.
#[test]
fn it_survives_every_fault_at_every_call() {
    for way in WAYS {
        let world = way.begin();
        let before = settings(&world);
        let calls: u32 = world.run(&way.deploy()).calls.values().sum();
        let cases = (1..=calls).flat_map(|nth| faults().map(|(name, fault)| (nth, name, fault)));
        let what = format!("native {} {}: faults", way.tag, way.more);
        for (nth, name, fault) in every_nth(&what, cases) {
            let world = way.begin();
            let fate = Fate { once: Some((nth, fault)), ..Fate::default() };
            let life = world.live(&way.deploy(), fate);
            let runs = runs(&world, way.serves());
            let same = way.is_tidy(&world, &before);
            assert!(
                life.code == Some(way.code) && runs.is_ok() && same,
                "{what}: call {nth} {name}: {:?} {runs:?}, settings as before: {same}\n{}",
                life.code,
                life.text
            );
        }
    }
}

/// Told to stop at every second of its life: the old version serves, or the new one does.
#[test]
fn whoever_stops_it_gets_the_old_version_back() {
    for second in every_nth("native: interrupted", (0..440).step_by(3)) {
        let world = native("");
        let before = settings(&world);
        let life = world.run_interrupted(&deploy("2", "--pause-at each-step"), second, 1);
        match life.code {
            Some(1 | 3) => runs(&world, "1"),
            Some(0) => runs(&world, "2"),
            other => Err(format!("{other:?}")),
        }
        .unwrap_or_else(|why| panic!("at {second} s: {why}\n{}", life.text));
        assert_eq!(settings(&world), before, "at {second} s\n{}", life.text);
    }
}

/// What an outsider does to a deployment that is not theirs.
pub(crate) const OUTSIDERS: [(&str, &[u8]); 5] = [
    ("stops it", &[1]),
    ("puts the service on another revision", &[5]),
    ("changes the desired count", &[0]),
    ("changes the tags of the service", &[0]),
    ("starts the same revision anew", &[0, 5]),
];

pub(crate) fn outsider(what: &str, cloud: &mut ecs_bg_sandbox::Cloud) {
    let ask = |cloud: &mut ecs_bg_sandbox::Cloud, operation: &str, body: &str| {
        let answer = call(cloud, "ecs", operation, body);
        serde_json::from_str::<Value>(&answer).expect("JSON")
    };
    match what {
        "stops it" => {
            let list = ask(
                cloud,
                "ListServiceDeployments",
                r#"{"cluster":"shop","service":"shop","status":["PENDING","IN_PROGRESS"]}"#,
            );
            let Some(arn) = list["serviceDeployments"][0]["serviceDeploymentArn"].as_str() else {
                return;
            };
            let body = format!(r#"{{"serviceDeploymentArn":"{arn}","stopType":"ROLLBACK"}}"#);
            ask(cloud, "StopServiceDeployment", &body);
        }
        "puts the service on another revision" => {
            let body = r#"{"family":"other","containerDefinitions":[{"name":"shop","image":"public.ecr.aws/x/y:1","portMappings":[{"containerPort":8080}]}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","executionRoleArn":"arn:aws:iam::123456789012:role/x"}"#;
            ask(cloud, "RegisterTaskDefinition", body);
            let body = r#"{"cluster":"shop","service":"shop","taskDefinition":"other:1"}"#;
            ask(cloud, "UpdateService", body);
        }
        "changes the desired count" => {
            ask(cloud, "UpdateService", r#"{"cluster":"shop","service":"shop","desiredCount":3}"#);
        }
        "lowers the count" => {
            ask(cloud, "UpdateService", r#"{"cluster":"shop","service":"shop","desiredCount":1}"#);
        }
        "starts the same revision anew" => {
            let body = r#"{"cluster":"shop","service":"shop","forceNewDeployment":true}"#;
            ask(cloud, "UpdateService", body);
        }
        _ => {
            let services =
                ask(cloud, "DescribeServices", r#"{"cluster":"shop","services":["shop"]}"#);
            let arn = services["services"][0]["serviceArn"].as_str().unwrap_or_default();
            let body = format!(r#"{{"resourceArn":"{arn}","tags":[{{"key":"a","value":"b"}}]}}"#);
            ask(cloud, "TagResource", &body);
        }
    }
}

/// Somebody else does something at every moment: no success is told that is none.
#[test]
fn an_outsider_brings_no_lie() {
    let seconds = (2..440).step_by(4);
    let cases = OUTSIDERS.iter().flat_map(|one| seconds.clone().map(move |second| (one, second)));
    for ((what, codes), second) in every_nth("native: outsiders", cases) {
        let world = native("");
        let what = *what;
        let life = world.run_beside(&deploy("2", ""), second, move |cloud| outsider(what, cloud));
        let code = life.code.unwrap_or(99);
        // What came too late, or before ours, changed nothing about it.
        let known = codes.contains(&code) || code == 0;
        world.wait(900);
        let well = match code {
            0 => runs(&world, "2"),
            1 => runs(&world, "1"),
            _ => Ok(()),
        };
        assert!(known && well.is_ok(), "{what} at {second} s: {code} {well:?}\n{}", life.text);
    }
}

/// Somebody ends a deployment that pauses, at any moment: it leaves no pause in the service that would stop theirs.
#[test]
fn an_outsider_finds_no_pause_of_ours_after_the_end() {
    let outsiders = [
        "puts the service on another revision",
        "starts the same revision anew",
        "lowers the count",
    ];
    let cases =
        outsiders.into_iter().flat_map(|what| (2..120).step_by(2).map(move |at| (what, at)));
    for (what, second) in every_nth("native: outsiders and pauses", cases) {
        let world = native("");
        let before = settings(&world);
        let deploy = deploy("2", &format!("{PAUSED} --strategy canary:10/1m"));
        let life = world.run_beside(&deploy, second, move |cloud| outsider(what, cloud));
        let mut after = settings(&world);
        if life.code == Some(0) && after["strategy"] == "CANARY" {
            // What was asked for stays after a success; the rest does not.
            after["strategy"] = before["strategy"].clone();
            after.as_object_mut().expect("a block").remove("canaryConfiguration");
        }
        let same = after == before;
        assert!(same, "{what} at {second} s: {:?}\n{before}\n{after}\n{}", life.code, life.text);
    }
}

/// A process is killed at any call, and somebody else deploys: the next command of ours takes what the dead deployment
/// had written into the service's settings out of them again.
#[test]
fn what_a_dead_deployment_left_is_taken_out_after_somebody_else_deployed() {
    let gated = "--bake 1m --check-cmd true";
    let paused = "--pause-at before-traffic --pause-limit 5m --bake 3m --strategy canary:10/1m";
    let rollback = "rollback --cluster shop --service shop";
    let ways = [
        ("native", None, deploy("2", gated)),
        ("native", None, deploy("2", paused)),
        ("canary", Some(deploy("2", "--bake 1m")), rollback.to_owned()),
    ];
    for (scenario, first, line) in ways {
        let world = World::new(scenario);
        let before = settings(&world);
        if let Some(first) = &first {
            assert_eq!(world.run(first).code, Some(0));
        }
        let life = world.run_kept(&line);
        let moments = life.moments.into_iter().filter(|moment| {
            // Before it, nothing of ours is in the settings.
            settings(&World::of(moment.cloud.clone())) != before
        });
        let moments: Vec<_> = moments.collect();
        assert!(moments.len() > 20, "{line}: {}", moments.len());
        sweep(&format!("overtaken while dead: {line}"), moments, |moment| {
            let told = |what: &str, text: &str| {
                format!(
                    "{line} killed at call {}, {}: {what}\n{text}",
                    moment.nth, moment.operation
                )
            };
            let world = World::of(moment.cloud.clone());
            world.wait(240);
            deploys_by_hand(&world);
            world.wait(2400);
            let next = world.run(&deploy("5", ""));
            if next.code != Some(0) {
                return Err(told("a good version does not get out", &next.text));
            }
            runs(&world, "5").map_err(|why| told(&why, &next.text))?;
            let after = settings(&world);
            match after == before {
                true => goes_through(&world).map_err(|why| told(&why, &next.text)),
                false => Err(told(&format!("{before} is now {after}"), &next.text)),
            }
        });
    }
}

/// Somebody else registers a revision of the family with another image, and puts the service on it.
pub(crate) fn deploys_by_hand(world: &World) {
    let body = format!(
        r#"{{"family":"shop","containerDefinitions":[{{"name":"shop","image":"{REPOSITORY}:1","portMappings":[{{"containerPort":8080}}],"essential":true}}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512","executionRoleArn":"arn:aws:iam::123456789012:role/x"}}"#
    );
    let answer = world.call("ecs", "RegisterTaskDefinition", &body);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let revision = &answer["taskDefinition"]["taskDefinitionArn"];
    let body =
        serde_json::json!({"cluster": "shop", "service": "shop", "taskDefinition": revision});
    world.call("ecs", "UpdateService", &body.to_string());
}

/// The ARN of the rule that users' requests come through.
pub(crate) fn production_rule(world: &World) -> String {
    let service = service(world);
    let advanced = &service["loadBalancers"][0]["advancedConfiguration"];
    advanced["productionListenerRule"].as_str().expect("a rule").to_owned()
}

/// Somebody deletes the production rule: neither revision serves, and nobody says so.
#[test]
fn no_success_is_told_where_the_production_rule_is_deleted() {
    let length = {
        let world = native("");
        let begin = world.now();
        world.run(&deploy("2", ""));
        (world.now() - begin).as_secs()
    };
    let cases =
        ["2", "3", "4"].into_iter().flat_map(|tag| (2..length).map(move |second| (tag, second)));
    for (tag, second) in every_nth("native: the rule is deleted", cases) {
        let world = native("");
        let rule = production_rule(&world);
        let begin = world.now();
        let life = world.run_beside(&deploy(tag, ""), second, move |cloud| {
            call(cloud, "elasticloadbalancing", "DeleteRule", &format!("RuleArn={rule}"));
        });
        // Between the last look and the end nobody sees it.
        let is_late = (world.now() - begin).as_secs() < second + 4;
        let well = match life.code {
            Some(0 | 1) => is_late,
            Some(3..=5) => true,
            _ => false,
        };
        assert!(well, "{tag}, rule deleted at {second} s: {:?}\n{}", life.code, life.text);
    }
}

/// Somebody sends more requests to the group that serves, at any moment: ECS does not move them, and no success is
/// told while they reach nothing.
#[test]
fn no_success_is_told_where_a_second_rule_leads_to_stopped_tasks() {
    let seconds = (2..400).step_by(2);
    let cases = ["2", "3"].into_iter().flat_map(|tag| seconds.clone().map(move |at| (tag, at)));
    for (tag, second) in every_nth("native: a second rule", cases) {
        let world = native("");
        let (rule, begin) = (second_rule(&world), world.now());
        let life = world.run_beside(&deploy(tag, ""), second, move |cloud| {
            call(cloud, "elasticloadbalancing", "CreateRule", &rule);
        });
        let is_late = (world.now() - begin).as_secs() < second + 4;
        let well = match life.code {
            Some(0) => tag == "2" && is_late,
            Some(1) => tag == "3",
            Some(3 | 4) => tag == "2",
            _ => false,
        };
        assert!(well, "{tag}, rule added at {second} s: {:?}\n{}", life.code, life.text);
    }
}

/// A second rule that leads to the target group that serves in the beginning, beside the production rule.
pub(crate) fn second_rule(world: &World) -> String {
    let rule = production_rule(world);
    let listener = rule.replace(":listener-rule/", ":listener/");
    let listener = listener.rsplit_once('/').map_or("", |(listener, _)| listener);
    let service = service(world);
    let group = &service["loadBalancers"][0]["advancedConfiguration"]["alternateTargetGroupArn"];
    format!(
        "ListenerArn={listener}&Priority=77&Conditions.member.1.Field=path-pattern\
         &Conditions.member.1.Values.member.1=/old&Actions.member.1.Type=forward\
         &Actions.member.1.TargetGroupArn={}",
        group.as_str().expect("an ARN")
    )
}

/// Killed at every call, and nobody comes: a day later ECS has brought the service to one version.
#[test]
fn what_nobody_resumes_ends_on_one_version() {
    for way in WAYS {
        let life = way.begin().run_kept(&way.deploy());
        let what = format!("native {} {}: left alone", way.tag, way.more);
        for moment in every_nth(&what, life.moments) {
            let (nth, operation) = (moment.nth, moment.operation);
            let world = World::of(moment.cloud);
            world.wait(24 * 3600);
            let one = runs(&world, "1").or_else(|_| runs(&world, way.tag));
            assert!(one.is_ok(), "{what}: killed at call {nth}, {operation}: {one:?}");
        }
    }
}

/// One ending, drawn from a seed: an image, a way to deploy, what AWS leaves open, and who interferes when.
#[derive(Debug)]
struct Ending {
    tag: &'static str,
    more: &'static str,
    world: String,
    outsider: Option<(&'static str, u64)>,
    stop: Option<u64>,
}

impl Ending {
    fn of(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut one = |of: &[&'static str]| of[random.usize(..of.len())];
        let tag = one(&["2", "2", "2", "3", "4", "5"]);
        let more = one(&[
            "",
            "--bake 0",
            "--strategy canary:10/1m",
            "--strategy linear:30/1m --bake 1m",
            "--pause-at after-traffic --pause-limit 2m",
            "--pause-at each-step --pause-limit 3m --strategy canary:20/1m",
            "--timeout 2m",
        ]);
        let world = format!(
            "[native]\nhooks = '{}'\ninterrupted_bake = '{}'\ncount_follows = '{}'\n[timing]\nlisting = '{}'\ncompletion = '{}'\n",
            one(&["live", "copied"]),
            one(&["stay", "back"]),
            one(&["target", "source", "both"]),
            one(&["0s", "2s", "5s"]),
            one(&["0s", "38s"]),
        );
        let second = random.u64(1..500);
        let (outsider, stop) = match random.u32(..4) {
            0 => (Some((OUTSIDERS[random.usize(..OUTSIDERS.len())].0, second)), None),
            1 => (None, Some(second)),
            _ => (None, None),
        };
        Self { tag, more, world, outsider, stop }
    }

    fn is_left_alone(&self) -> bool {
        self.outsider.is_none() && self.stop.is_none()
    }

    fn is_good(&self) -> bool {
        ["2", "5"].contains(&self.tag) && !self.more.contains("--pause")
    }

    /// Judged from the world, not from what was told.
    fn judge(&self) -> Result<(), String> {
        let world = native(&self.world);
        let before = settings(&world);
        let command = deploy(self.tag, self.more);
        let life = match (self.outsider, self.stop) {
            (Some((what, second)), _) => {
                world.run_beside(&command, second, move |cloud| outsider(what, cloud))
            }
            (None, Some(second)) => world.run_interrupted(&command, second, 1),
            (None, None) => world.run(&command),
        };
        let told = |why: String| format!("{self:?}: {:?}: {why}\n{}", life.code, life.text);
        let code = life.code.unwrap_or(99);
        let serving = runs(&world, if code == 0 { self.tag } else { "1" });
        match code {
            0 | 1 => serving.map_err(|why| told(format!("a false end: {why}")))?,
            3 if self.stop.is_some() => serving.map_err(&told)?,
            4 | 5 if self.outsider.is_some() => {}
            _ => return Err(told("no such end".into())),
        }
        if self.is_left_alone() && (code == 0) != self.is_good() {
            return Err(told("a false failure, or a false success".into()));
        }
        let is_kept = code == 0 && self.more.contains("--strategy");
        if self.outsider.is_none() && !is_kept && settings(&world) != before {
            return Err(told("settings are left behind".into()));
        }
        match matches!(code, 0 | 1) && self.outsider.is_none() {
            true => goes_through(&world).map_err(told),
            false => Ok(()),
        }
    }
}

/// Somebody else deploys: nothing of ours pauses or fails it.
fn goes_through(world: &World) -> Result<(), String> {
    let ask = |operation: &str, body: &str| -> Value {
        serde_json::from_str(&world.call("ecs", operation, body)).expect("JSON")
    };
    ask("UpdateService", r#"{"cluster":"shop","service":"shop","forceNewDeployment":true}"#);
    world.wait(2400);
    let all = ask("ListServiceDeployments", r#"{"cluster":"shop","service":"shop"}"#);
    match all["serviceDeployments"][0]["status"].as_str() {
        Some("SUCCESSFUL") => Ok(()),
        other => Err(format!("a deployment of somebody else's is {other:?} afterwards")),
    }
}

/// What somebody does to the rule or to a pause.
fn interfere(what: &str, rule: &str, groups: &[String; 2], cloud: &mut ecs_bg_sandbox::Cloud) {
    let weights = match what {
        "weighs both groups alike" => [1, 1],
        "sends everything to the one" => [1, 0],
        "sends everything to the other" => [0, 1],
        _ => {
            let ask = |cloud: &mut ecs_bg_sandbox::Cloud, operation: &str, body: &str| -> Value {
                serde_json::from_str(&call(cloud, "ecs", operation, body)).unwrap_or_default()
            };
            let list = ask(
                cloud,
                "ListServiceDeployments",
                r#"{"cluster":"shop","service":"shop","status":["IN_PROGRESS"]}"#,
            );
            let Some(arn) = list["serviceDeployments"][0]["serviceDeploymentArn"].as_str() else {
                return;
            };
            let asked = format!(r#"{{"serviceDeploymentArns":["{arn}"]}}"#);
            let shown = ask(cloud, "DescribeServiceDeployments", &asked);
            let hooks = &shown["serviceDeployments"][0]["lifecycleHookDetails"];
            for hook in hooks.as_array().into_iter().flatten() {
                let id = hook["hookId"].as_str().unwrap_or_default();
                let body = format!(
                    r#"{{"serviceDeploymentArn":"{arn}","hookId":"{id}","action":"CONTINUE"}}"#
                );
                ask(cloud, "ContinueServiceDeployment", &body);
            }
            return;
        }
    };
    let group = |at: usize| {
        let start = format!("Actions.member.1.ForwardConfig.TargetGroups.member.{}", at + 1);
        format!("&{start}.TargetGroupArn={}&{start}.Weight={}", groups[at], weights[at])
    };
    let body = format!("RuleArn={rule}&Actions.member.1.Type=forward{}{}", group(0), group(1));
    call(cloud, "elasticloadbalancing", "ModifyRule", &body);
}

/// Somebody rewrites the production rule, or lets a pause go on, at every moment: what is told is so.
#[test]
fn an_outsider_at_the_rule_or_at_a_pause_brings_no_lie() {
    let paused = "--pause-at each-step --pause-limit 2m --strategy canary:20/1m --bake 1m";
    let rewrites = [
        "weighs both groups alike",
        "sends everything to the one",
        "sends everything to the other",
    ];
    let cases = rewrites.into_iter().map(|what| (what, "")).chain([("continues", paused)]);
    let cases = cases.flat_map(|(what, more)| {
        ["2", "4", "5"]
            .into_iter()
            .flat_map(move |tag| (2..440).step_by(4).map(move |at| (what, more, tag, at)))
    });
    for (what, more, tag, second) in every_nth("native: rules and pauses of others", cases) {
        let world = native("");
        let before = settings(&world);
        let rule = production_rule(&world);
        let balancer = &service(&world)["loadBalancers"][0];
        let own = |group: &Value| group.as_str().expect("an ARN").to_owned();
        let groups = [
            own(&balancer["targetGroupArn"]),
            own(&balancer["advancedConfiguration"]["alternateTargetGroupArn"]),
        ];
        let life = world.run_beside(&deploy(tag, more), second, move |cloud| {
            interfere(what, &rule, &groups, cloud);
        });
        let told = |why: String| {
            format!("{what} at {second} s, {tag} {more}: {:?} {why}\n{}", life.code, life.text)
        };
        world.wait(120);
        let answered = || match world.cloud().serving().iter().find(|side| {
            side.weight > 0 && !side.behind.iter().any(|target| target.state == "healthy")
        }) {
            None => Ok(()),
            Some(side) => Err(format!("nothing answers behind {side:?}")),
        };
        match life.code {
            Some(0) => runs(&world, tag).and_then(|()| answered()),
            Some(1) => runs(&world, "1").and_then(|()| answered()),
            Some(3) => runs(&world, "1"),
            Some(4 | 5) => Ok(()),
            _ => Err("no such end".to_owned()),
        }
        .unwrap_or_else(|why| panic!("{}", told(why)));
        let is_kept = life.code == Some(0) && more.contains("--strategy");
        assert!(is_kept || settings(&world) == before, "{}", told("other settings".into()));
    }
}

#[test]
fn generated_endings_are_told_as_they_are() {
    for seed in every_nth("native: generated endings", 0..2000) {
        Ending::of(seed).judge().unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}

/// When something was told: the first line of JSON that says it, by its whole second.
fn told_at(text: &str, says: impl Fn(&Value) -> bool) -> SystemTime {
    let lines = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let told = lines.into_iter().find(says).unwrap_or_else(|| panic!("never told: {text}"));
    humantime::parse_rfc3339(told["at"].as_str().expect("a time")).expect("a time")
}

/// A function that says no to each version.
const HOOK_THAT_FAILS: &str = "[[lambda]]
name = 'smoke-test'
does = 'fail'
[[service]]
serviceName = 'shop'
deploymentConfiguration = { strategy = 'BLUE_GREEN', bakeTimeInMinutes = 1, lifecycleHooks = [{ hookTargetArn = \
     'arn:aws:lambda:eu-central-1:123456789012:function:smoke-test', roleArn = 'arn:aws:iam::123456789012:role/hooks', \
     lifecycleStages = ['POST_TEST_TRAFFIC_SHIFT'] }] }
";

/// How long after ECS shows it an end, a way back and a pause are told, with stages that last differently.
#[test]
fn ends_ways_back_and_pauses_are_told_soon() {
    let mut late: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    for seed in every_nth("native: told soon", 0..120u64) {
        let timing = format!(
            "[timing]\nstage = '{}ms'\nshift = '{}ms'\npull = '{}ms'\n",
            5000 + seed * 137 % 4000,
            30_000 + seed * 331 % 9000,
            8000 + seed * 571 % 30_000
        );
        let breaks = "--pause-at before-traffic --pause-limit 5m --output json";
        for (what, tag, more) in
            [("end", "2", "--bake 1m"), ("way back", "2", "--output json"), ("pause", "2", breaks)]
        {
            // ECS itself goes back.
            let hook = if what == "way back" { HOOK_THAT_FAILS } else { "" };
            let world = native(&format!("{timing}{hook}"));
            let from = world.cloud().journal().len();
            let life = world.run(&deploy(tag, more));
            let ended = world.now();
            let is_it = |change: &Change| match change {
                Change::ServiceDeployment { status, .. } => match what {
                    "end" => status == "SUCCESSFUL",
                    "way back" => status.starts_with("ROLLBACK"),
                    _ => false,
                },
                Change::Hook { status, .. } => what == "pause" && status == "AWAITING_ACTION",
                _ => false,
            };
            let shown = world.journal(from).into_iter().find(|entry| is_it(&entry.change));
            let shown = shown.unwrap_or_else(|| panic!("{what}: {}", life.text)).at;
            let second = Duration::from_millis(1);
            let passed = match what {
                "end" => ended - shown,
                _ => {
                    let says = |line: &Value| match what {
                        "pause" => line["waits_for"] == "pause",
                        _ => line["event"] == "rolling-back",
                    };
                    let told = told_at(&life.text, says);
                    told.duration_since(SystemTime::from(shown)).unwrap_or(second)
                }
            };
            late.entry(what).or_default().push(passed);
        }
    }
    for (what, mut all) in late {
        all.sort();
        let most = all[(all.len() * 99).div_ceil(100) - 1];
        println!("{what}: told within {most:?} in 99 of 100 of {} runs", all.len());
        let limit = match what {
            "end" => 2,
            "pause" => 3,
            // Looks are 6 s apart while hooks run; what ECS takes back needs nothing of ours.
            _ => 12,
        };
        assert!(most <= Duration::from_secs(limit), "{what}: {most:?}");
    }
}
