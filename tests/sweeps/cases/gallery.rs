//! What happens beside a deployment, at every step of it: sickness, lost tasks, ECS's own rollback,
//! outsiders at the services, the desired counts, the weights, the rules and the record, rivals. On the
//! whole machine.

use std::sync::LazyLock;
use std::time::Duration;

use ecs_bg_sandbox::journal::{Change, Entry};
use ecs_bg_sandbox::{Cloud, Does};
use serde_json::{Value, json};

use crate::support::fate::{Fate, When, is_read};
use crate::support::invariants::{
    Promise, answers, broken, by_us, scaled_as_found, serves, sick_with_traffic,
};
use crate::support::lives::{Life, REPOSITORY, World, call, deploy, outside};
use crate::support::scenes::{GALLERY, SMALL, Scene};
use crate::support::sweep::sweep;

/// Users are not left on a sick green for longer.
const SICK_FOR: Duration = Duration::from_secs(45);

fn image(tag: &str) -> String {
    format!("{REPOSITORY}:{tag}")
}

fn promise() -> Promise {
    Promise { bake: Duration::ZERO, follow: Duration::ZERO, changes: 120, past: Duration::ZERO }
}

/// What serves is what the exit code says, nothing is broken, and who must look is told what to type.
fn fits(world: &World, life: &Life, new: &str, codes: &[u8]) -> Result<(), String> {
    // A target that has not come up yet is unhealthy too, but not sick.
    let slow = world.cloud().images().iter().any(|image| image.does == Does::Slow);
    let told = |what: String| format!("{what}\n{}", life.text);
    let Some(code) = life.code.filter(|code| codes.contains(code)) else {
        return Err(told(format!("ended with {:?}, not {codes:?}", life.code)));
    };
    if code > 1 && !life.text.contains("\nhint: ") {
        return Err(told("no hint".into()));
    }
    world.wait(120);
    let cloud = world.cloud();
    answers(&cloud).map_err(told)?;
    let serving = cloud.serving();
    let old = if code == 0 { image(new) } else { image("1") };
    let wrong = serving
        .iter()
        .filter(|side| side.weight > 0 && code <= 1)
        .flat_map(|side| &side.behind)
        .find(|target| target.state == "healthy" && target.image.as_ref() != Some(&old));
    if let Some(wrong) = wrong {
        return Err(told(format!("{} serves {:?}", wrong.target, wrong.image)));
    }
    let mut broken = broken(&cloud, 0, &promise());
    if raced(&cloud) {
        // Nothing makes a change of ECS depend on a rule: it must be put right, as it is above.
        broken.retain(|what| !what.starts_with("shrinks-traffic"));
    }
    let sick_for = sick_with_traffic(&cloud, ecs_bg_sandbox::Time(0));
    if sick_for > SICK_FOR && code < 4 && !slow {
        broken.push(format!("on a sick green for {sick_for:?}"));
    }
    match broken.is_empty() {
        true => Ok(()),
        false => Err(told(format!("{broken:?}"))),
    }
}

/// Whether an outsider wrote to the load balancer after the look that a side was emptied on.
fn raced(cloud: &Cloud) -> bool {
    let journal = cloud.journal();
    let emptied = journal.iter().filter(|e| matches!(e.change, Change::Desired { after: 0, .. }));
    let theirs = journal.iter().filter(|entry| {
        let call = entry.call.as_ref();
        call.is_some_and(|call| {
            call.service == "elasticloadbalancing" && call.user_agent.is_empty()
        })
    });
    let times: Vec<_> = theirs.map(|entry| entry.at).collect();
    let just_before = |at: ecs_bg_sandbox::Time| {
        times.iter().any(|theirs| *theirs <= at && at - *theirs < Duration::from_millis(500))
    };
    emptied.map(|entry| entry.at).any(just_before)
}

/// Scenes whose green is good, but the large one.
fn good() -> impl Iterator<Item = Scene> {
    GALLERY.into_iter().filter(|scene| scene.good && scene.count < 10)
}

/// Before which calls something happens: every change, some reads; all of them in the small scene.
fn steps(scene: &Scene) -> Vec<u32> {
    let life = World::of(scene.cloud()).run(&scene.deploy());
    let every = if scene.name == SMALL.name { 4 } else { 12 };
    let wanted = |operation: &str, nth: u32| !is_read(operation) || nth.is_multiple_of(every);
    let calls = (1..).zip(&life.operations);
    calls.filter(|(nth, operation)| wanted(operation, *nth)).map(|(nth, _)| nth).collect()
}

/// The steps of all good scenes.
static STEPS: LazyLock<Vec<(Scene, u32)>> = LazyLock::new(|| {
    good().flat_map(|scene| steps(&scene).into_iter().map(move |nth| (scene, nth))).collect()
});

fn at_every_step(
    codes: &[u8],
    what: &str,
    act: impl Fn(&mut Cloud) + Send + Sync + Clone + 'static,
) {
    sweep(what, STEPS.iter().copied(), |(scene, nth)| {
        let world = World::of(scene.cloud());
        let outsider = outside(When::Call(*nth), act.clone());
        let life = world.live(&scene.deploy(), Fate { outsider, ..Fate::default() });
        let told = |why| format!("{}: {what} before call {nth}: {why}", scene.name);
        fits(&world, &life, "2", codes).map_err(told)?;
        if matches!(life.code, Some(0 | 1)) {
            scaled_as_found(&world.cloud(), scene.limits()).map_err(told)?;
        }
        if life.code != Some(4) {
            return Ok(());
        }
        // The command that the hint names makes nothing worse.
        let life = world.run(&scene.resume());
        fits(&world, &life, "2", &[0, 1, 4]).map_err(|why| told(format!("resumed: {why}")))
    });
}

fn count(cloud: &mut Cloud, service: &str, count: u32) {
    let body = format!(r#"{{"cluster":"shop","service":"{service}","desiredCount":{count}}}"#);
    call(cloud, "ecs", "UpdateService", &body);
}

pub(crate) fn wants_tasks(cloud: &mut Cloud, service: &str) -> bool {
    let body = format!(r#"{{"cluster":"shop","services":["{service}"]}}"#);
    !call(cloud, "ecs", "DescribeServices", &body).contains(r#""desiredCount":0"#)
}

#[test]
fn an_outsider_scales_blue_at_any_step() {
    for wanted in [4, 1] {
        at_every_step(&[0, 1], &format!("blue scaled to {wanted}"), move |cloud| {
            // Once blue is retired nobody scales it but by mistake: that is another story.
            if wants_tasks(cloud, "web") {
                count(cloud, "web", wanted);
            }
        });
    }
}

#[test]
fn an_outsider_scales_green_at_any_step() {
    for wanted in [1, 3] {
        at_every_step(&[0, 1], &format!("green scaled to {wanted}"), move |cloud| {
            // Only what has been launched is scaled.
            if wants_tasks(cloud, "web-green") {
                count(cloud, "web-green", wanted);
            }
        });
    }
}

fn stop_one(cloud: &mut Cloud, service: &str) {
    let body = format!(r#"{{"cluster":"shop","serviceName":"{service}"}}"#);
    let tasks = call(cloud, "ecs", "ListTasks", &body);
    if let Some(arn) = tasks.split('"').find(|part| part.contains(":task/")) {
        call(cloud, "ecs", "StopTask", &format!(r#"{{"cluster":"shop","task":"{arn}"}}"#));
    }
}

#[test]
fn either_side_loses_a_task_at_any_step() {
    at_every_step(&[0, 1], "a task of green lost", |cloud| stop_one(cloud, "web-green"));
    at_every_step(&[0, 1], "a task of blue lost", |cloud| stop_one(cloud, "web"));
}

/// As the circuit breaker, an alarm and StopServiceDeployment do it: green's service is put on the
/// revision that it had.
#[test]
fn ecs_rolls_green_back_at_any_step() {
    at_every_step(&[0, 1], "green rolled back", |cloud| {
        let body = r#"{"cluster":"shop","services":["web-green"]}"#;
        let launched =
            call(cloud, "ecs", "DescribeServices", body).contains("task-definition/web:2");
        if launched && wants_tasks(cloud, "web") {
            let body = r#"{"cluster":"shop","service":"web-green","taskDefinition":"web:1"}"#;
            call(cloud, "ecs", "UpdateService", body);
        }
    });
}

/// As a `terraform apply` does it that knows nothing of green.
#[test]
fn an_outsider_resets_the_weights_at_any_step() {
    at_every_step(&[0, 1, 4], "weights reset", |cloud| {
        for (rule, blue, green) in rules(cloud) {
            let weights = [(&blue, 100), (&green, 0)].iter().enumerate().fold(
                format!("RuleArn={rule}&Actions.member.1.Type=forward"),
                |body, (at, (group, weight))| {
                    let tuple =
                        format!("Actions.member.1.ForwardConfig.TargetGroups.member.{}", at + 1);
                    format!("{body}&{tuple}.TargetGroupArn={group}&{tuple}.Weight={weight}")
                },
            );
            // It would not empty what serves: blue has been retired by then.
            if wants_tasks(cloud, "web") {
                call(cloud, "elasticloadbalancing", "ModifyRule", &weights);
            }
        }
    });
}

/// The rule of host `shop.example.com`, and the groups of both sides.
fn rules(cloud: &Cloud) -> Vec<(String, String, String)> {
    let serving = cloud.serving();
    let group = |name: &str| serving.iter().map(|side| &side.group).find(|g| g.contains(name));
    let rule = serving.iter().map(|side| &side.rule).find(|rule| rule.contains(":listener-rule/"));
    match (rule, group("/web-a/"), group("/web-b/")) {
        (Some(rule), Some(blue), Some(green)) => vec![(rule.clone(), blue.clone(), green.clone())],
        _ => vec![],
    }
}

#[test]
fn an_outsider_adds_a_rule_at_any_step() {
    at_every_step(&[0, 1, 4], "a rule added", |cloud| {
        for (rule, blue, _) in rules(cloud).into_iter().take(usize::from(wants_tasks(cloud, "web")))
        {
            let listener = rule.replace(":listener-rule/", ":listener/");
            let listener = listener.rsplit_once('/').map_or("", |(listener, _)| listener);
            let body = format!(
                "ListenerArn={listener}&Priority=77&Conditions.member.1.Field=path-pattern&Conditions.member.1.Values.member.1=/new/*&Actions.member.1.Type=forward&Actions.member.1.TargetGroupArn={blue}"
            );
            call(cloud, "elasticloadbalancing", "CreateRule", &body);
        }
    });
}

#[test]
fn green_falls_sick_after_any_time() {
    let cases = good()
        .filter(|scene| !scene.name.contains("slow"))
        .flat_map(|scene| (0..200).step_by(6).map(move |after| (scene, after)));
    sweep("green falls sick", cases, |(scene, after)| {
        let sick = format!("[[image]]\nref = 'shop/web:2'\ndoes = 'sick'\nafter = '{after}s'");
        let world = World::of(scene.cloud_with(&sick));
        let life = world.run(&scene.deploy());
        let told = |why: String| format!("{}: sick after {after} s: {why}", scene.name);
        match life.code {
            Some(1) => {
                serves(&world.cloud(), &image("1"), scene.count).map_err(told)?;
                fits(&world, &life, "2", &[1]).map_err(told)
            }
            // Sick after the end is another story.
            Some(0) if *after > 60 => Ok(()),
            other => Err(told(format!("{other:?} {}", life.text))),
        }
    });
}

#[test]
fn a_rival_with_another_image_starts_at_any_moment() {
    let moments = (0..400).step_by(20).chain((1000..160_000).step_by(9000));
    sweep("a rival starts", moments, |later| {
        let world = World::new("shop");
        let [first, second] =
            world.run_together(&deploy("2", "--bake 0"), &deploy("5", "--bake 0"), *later);
        let told = |why: String| {
            let codes = (first.code, second.code);
            format!("{later} ms: {why} {codes:?}\n{}\n{}", first.text, second.text)
        };
        let winners = [first.code, second.code].iter().filter(|code| **code == Some(0)).count();
        let serving = if second.code == Some(0) { "5" } else { "2" };
        if winners == 0 {
            return Err(told("nobody won".into()));
        }
        serves(&world.cloud(), &image(serving), 2).map_err(told)?;
        let fine = |life: &Life| matches!(life.code, Some(0 | 3));
        match fine(&first) && fine(&second) && world.cloud().violations().is_empty() {
            true => Ok(()),
            false => Err(told(format!("{:?}", world.cloud().violations()))),
        }
    });
}

#[test]
fn a_rival_that_supersedes_takes_over_at_any_moment() {
    sweep("a rival supersedes", (1000..150_000).step_by(3500), |later| {
        let world = World::new("shop");
        let second = deploy("5", "--bake 0 --on-conflict supersede");
        let [first, second] = world.run_together(&deploy("2", "--bake 0"), &second, *later);
        let told = |why: String| {
            let codes = (first.code, second.code);
            format!("{later} ms: {why} {codes:?}\n{}\n{}", first.text, second.text)
        };
        serves(&world.cloud(), &image("5"), 2).map_err(told)?;
        let fine = second.code == Some(0) && first.code == Some(5);
        match fine && world.cloud().violations().is_empty() {
            true => Ok(()),
            false => Err(told(format!("{:?}", world.cloud().violations()))),
        }
    });
}

/// What a plain `deploy` of a good image comes to after whatever happened, when nobody drives any more.
fn a_good_image_gets_live(world: &World, scene: &Scene, before: &Life) -> Result<(), String> {
    world.wait(200);
    let mut life = world.run(&deploy("5", "--follow 30s --bake 0"));
    if life.code == Some(4) && life.text.contains("which this deployment did not write") {
        // The record is another's: a person judges the weights.
        world.run("rollback --cluster shop --service web --to web");
        life = world.run(&deploy("5", "--follow 30s --bake 0"));
    }
    let wrong =
        |why: String| format!("a good image afterwards: {why}\n{}\n{}", before.text, life.text);
    match life.code {
        Some(0) => serves(&world.cloud(), &image("5"), scene.count).map_err(wrong),
        code => Err(wrong(format!("{code:?}"))),
    }
}

/// As `at_every_step`, with a judgement of its own and a good image afterwards.
fn beside_every_step(
    what: &str,
    act: impl Fn(&mut Cloud) + Send + Sync + Clone + 'static,
    judge: impl Fn(&World, &Scene, &Life) -> Result<(), String> + Sync,
) {
    sweep(what, STEPS.iter().copied(), |(scene, nth)| {
        let world = World::of(scene.cloud());
        let outsider = outside(When::Call(*nth), act.clone());
        let life = world.live(&scene.deploy(), Fate { outsider, ..Fate::default() });
        let told = |why| format!("{}: {what} before call {nth}: {why}", scene.name);
        judge(&world, scene, &life).map_err(told)?;
        a_good_image_gets_live(&world, scene, &life).map_err(told)
    });
}

/// The record on a revision: our tags, as AWS lists them.
fn record_on(cloud: &mut Cloud, revision: &str) -> Vec<Value> {
    let body = json!({ "taskDefinition": revision, "include": ["TAGS"] }).to_string();
    let told = call(cloud, "ecs", "DescribeTaskDefinition", &body);
    let told: Value = serde_json::from_str(&told).expect("JSON");
    let tags = told["tags"].as_array().cloned().unwrap_or_default();
    tags.into_iter()
        .filter(|tag| tag["key"].as_str().is_some_and(|key| key.starts_with("ecs-bg:")))
        .collect()
}

fn tag_with(cloud: &mut Cloud, revision: &str, tags: &[Value]) {
    let arn = format!("arn:aws:ecs:eu-central-1:123456789012:task-definition/{revision}");
    let body = json!({ "resourceArn": arn, "tags": tags }).to_string();
    call(cloud, "ecs", "TagResource", &body);
}

fn is_registered(cloud: &Cloud) -> bool {
    let ours = |change: &Change| matches!(change, Change::Registered { revision } if revision.ends_with("web:2"));
    cloud.journal().iter().any(|entry| ours(&entry.change))
}

/// As a tool does it that copies a revision with its tags. The old revision serves.
#[test]
fn an_outsider_copies_the_record_to_another_revision_at_any_step() {
    let copies = |cloud: &mut Cloud| {
        if is_registered(cloud) {
            let tags = record_on(cloud, "web:2");
            tag_with(cloud, "web:1", &tags);
        }
    };
    beside_every_step("the record copied", copies, |world, _, life| fits(world, life, "2", &[0]));
}

/// The record of another deployment of the pair, in the middle of its way.
static ANOTHER: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let world = World::of(SMALL.cloud());
    // Ids are drawn by the time: those of another owner.
    world.wait(7);
    let mut moments = world.run_kept(&deploy("5", "--follow 60s --bake 30s")).moments;
    let shifted = moments.iter().position(|moment| moment.done && moment.operation == "ModifyRule");
    record_on(&mut moments[shifted.expect("a shift")].cloud, "web:2")
});

/// It names another owner: whoever reads that has lost its deployment, and the next one goes on.
#[test]
fn an_outsider_writes_another_record_over_ours_at_any_step() {
    assert!(ANOTHER.len() >= 5);
    let overwrites = |cloud: &mut Cloud| {
        if is_registered(cloud) {
            tag_with(cloud, "web:2", &ANOTHER);
        }
    };
    beside_every_step("another record", overwrites, |world, _, life| {
        // What rests on its last reading, 10 s ago at most, is still sent; what it writes then crosses theirs,
        // and stands.
        let journal = world.journal(0);
        let theirs = |entry: &Entry| {
            entry.call.as_ref().is_some_and(|call| call.user_agent.is_empty())
                && matches!(entry.change, Change::Tagged { .. })
        };
        let Some(since) = journal.iter().position(theirs) else {
            return fits(world, life, "2", &[0]);
        };
        let later = journal[since].at + Duration::from_secs(11);
        let tags = |entry: &&Entry| matches!(entry.change, Change::Tagged { .. });
        if by_us(&journal[since..]).filter(tags).any(|entry| entry.at <= later) {
            return fits(world, life, "2", &[0, 1, 4, 5]);
        }
        match by_us(&journal[since..]).find(|entry| entry.at > later) {
            None => fits(world, life, "2", &[0, 5]),
            Some(entry) => {
                Err(format!("{:?} after another took over\n{}", entry.change, life.text))
            }
        }
    });
}

/// What served before is not there any more: the deployment ends well onto green where that can be, and what
/// nobody serves is never said to be well.
fn ends_onto_green(world: &World, scene: &Scene, life: &Life) -> Result<(), String> {
    let told = |what: String| Err(format!("{what} ({:?})\n{}", life.code, life.text));
    world.wait(120);
    let whole = serves(&world.cloud(), &image("2"), scene.count);
    let ours = world.cloud().violations().iter().find_map(|violation| {
        let is_ours = violation.call.as_ref().is_some_and(|call| !call.user_agent.is_empty());
        is_ours.then(|| violation.what.clone())
    });
    if let Some(what) = ours.filter(|_| !raced(&world.cloud())) {
        return told(what);
    }
    match (life.code, whole) {
        (Some(0), Ok(())) => Ok(()),
        (Some(3 | 4), Err(_)) if life.text.contains("\nhint: ") => Ok(()),
        (_, whole) => told(format!("{whole:?}")),
    }
}

#[test]
fn an_outsider_deletes_blue_at_any_step() {
    let what = "blue deleted";
    sweep(what, STEPS.iter().copied(), |(scene, nth)| {
        let world = World::of(scene.cloud());
        let outsider = outside(When::Call(*nth), |cloud| {
            let body = r#"{"cluster":"shop","service":"web","force":true}"#;
            call(cloud, "ecs", "DeleteService", body);
        });
        let life = world.live(&scene.deploy(), Fate { outsider, ..Fate::default() });
        let told = |why| format!("{}: {what} before call {nth}: {why}", scene.name);
        ends_onto_green(&world, scene, &life).map_err(told)
    });
}

#[test]
fn an_outsider_empties_blue_at_any_step() {
    let empties = |cloud: &mut Cloud| count(cloud, "web", 0);
    beside_every_step("blue emptied", empties, |world, scene, life| match life.code {
        // Nothing was changed: a service at 0 is not deployed to.
        Some(3) => match life.calls.contains_key("ModifyRule")
            || life.calls.contains_key("UpdateService")
        {
            true => Err(format!("exit 3, but {:?}\n{}", life.calls, life.text)),
            false => Ok(()),
        },
        Some(1) => {
            world.wait(60);
            serves(&world.cloud(), &image("1"), scene.count)
                .map_err(|why| format!("{why}\n{}", life.text))
        }
        _ => ends_onto_green(world, scene, life),
    });
}
