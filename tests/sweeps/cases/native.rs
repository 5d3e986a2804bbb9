//! Services whose traffic ECS shifts: killed at every call, every fault at every call, somebody else or a
//! request to stop at every moment. After each ending the service's deployment settings are as before.

use std::collections::BTreeSet;

use serde_json::Value;

use super::faults::faults;
use crate::support::fate::Fate;
use crate::support::lives::{World, call};
use crate::support::sweep::every_nth;

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
        Ok(())
    }
}

#[test]
fn generated_endings_are_told_as_they_are() {
    for seed in every_nth("native: generated endings", 0..2000) {
        Ending::of(seed).judge().unwrap_or_else(|why| panic!("seed {seed}: {why}"));
    }
}
