//! A record that was edited, cut or written by a newer version; things that are deleted in the middle
//! of a deployment. A clear outcome, nothing made worse, and the command that goes on.

use ecs_bg_sandbox::Cloud;

use super::gallery::wants_tasks;
use crate::support::fate::{Fate, When};
use crate::support::invariants::answers;
use crate::support::lives::{World, call, outside};
use crate::support::scenes::SMALL;
use crate::support::sweep::sweep;

const PAIR: &str = "--cluster shop --service web";
const REVISION: &str = "arn:aws:ecs:eu-central-1:123456789012:task-definition/web:2";

fn tag(cloud: &mut Cloud, key: &str, value: &str) {
    let body = format!(
        r#"{{"resourceArn":"{REVISION}","tags":[{{"key":"ecs-bg:{key}","value":"{value}"}}]}}"#
    );
    call(cloud, "ecs", "TagResource", &body);
}

fn untag(cloud: &mut Cloud, key: &str) {
    let body = format!(r#"{{"resourceArn":"{REVISION}","tagKeys":["ecs-bg:{key}"]}}"#);
    call(cloud, "ecs", "UntagResource", &body);
}

/// What a record's tags may say that no version of ours writes, or only a newer one.
const EDITS: [(&str, &str); 18] = [
    ("record", "v=2 id=a for=b start=1768478400"),
    ("record", "nonsense"),
    ("record", "v=1 id=a"),
    ("state", ""),
    ("state", "heading=sideways"),
    ("state", "heading=back why=unknown"),
    ("state", "heading=forward to=250"),
    ("state", "heading=forward held=10"),
    ("state", "heading=forward closed=live"),
    ("plan", "count=-1 bake=60 follow=120 timeout=900"),
    ("plan", "count=99999999999 bake=60 follow=120 timeout=900"),
    ("plan", "bake=60"),
    ("shares", "100"),
    ("shares", "50/0+10/0"),
    ("owner", "id="),
    ("green", "another"),
    ("from", "0"),
    ("was", "nothing:nowhere"),
];

/// At which moments of the deployment: before, while and after the traffic moves.
fn left_half_done() -> Vec<Cloud> {
    let life = World::of(SMALL.cloud()).run_kept(&SMALL.deploy());
    let registered = life.moments.into_iter().filter(|moment| {
        moment.done && matches!(&*moment.operation, "UpdateService" | "ModifyRule" | "TagResource")
    });
    registered.map(|moment| moment.cloud).collect()
}

#[test]
fn a_record_that_was_edited_or_cut_makes_nothing_worse() {
    let worlds = left_half_done();
    let mut cases: Vec<(&Cloud, &str, Option<&str>)> = Vec::new();
    for cloud in &worlds {
        cases.extend(EDITS.iter().map(|(key, value)| (cloud, *key, Some(*value))));
        let keys = [
            "record", "cluster", "blue", "green", "from", "was", "shares", "plan", "state", "owner",
        ];
        cases.extend(keys.map(|key| (cloud, key, None)));
    }
    sweep("edited records, three commands each", cases, |(cloud, key, value)| {
        for line in [format!("resume {PAIR}"), format!("rollback {PAIR}"), SMALL.deploy()] {
            let world = World::of((*cloud).clone());
            world.wait(200);
            match value {
                Some(value) => tag(&mut world.cloud(), key, value),
                None => untag(&mut world.cloud(), key),
            }
            let life = world.run(&line);
            let told = |why: String| {
                format!("{key} {value:?}: {line}: {why} ({:?})\n{}", life.code, life.text)
            };
            if !matches!(life.code, Some(0 | 1 | 3 | 4 | 5)) {
                return Err(told("no clear outcome".into()));
            }
            if life.code >= Some(3) && !life.text.contains("hint: ") {
                return Err(told("no hint".into()));
            }
            world.wait(120);
            answers(&world.cloud()).map_err(told)?;
            if !world.cloud().violations().is_empty() {
                return Err(told(format!("{:?}", world.cloud().violations())));
            }
            // Looking at it does not fail.
            let status = world.run(&format!("status {PAIR}"));
            if status.code != Some(0) {
                return Err(format!("{key} {value:?}: status: {}", status.text));
            }
        }
        Ok(())
    });
}

fn rule(cloud: &Cloud) -> String {
    let serving = cloud.serving();
    serving.first().map(|side| side.rule.clone()).unwrap_or_default()
}

/// What is taken away, by one call.
fn take_away(cloud: &mut Cloud, what: &str) {
    let rule = rule(cloud);
    let listener = rule.replace(":listener-rule/", ":listener/");
    let listener = listener.rsplit_once('/').map_or(String::new(), |(listener, _)| listener.into());
    let (service, operation, body) = match what {
        "the rule" if !rule.is_empty() => {
            ("elasticloadbalancing", "DeleteRule", format!("RuleArn={rule}"))
        }
        "the listener" if !rule.is_empty() => {
            ("elasticloadbalancing", "DeleteListener", format!("ListenerArn={listener}"))
        }
        "blue" => {
            ("ecs", "DeleteService", r#"{"cluster":"shop","service":"web","force":true}"#.into())
        }
        "green" => (
            "ecs",
            "DeleteService",
            r#"{"cluster":"shop","service":"web-green","force":true}"#.into(),
        ),
        "the new revision" if cloud.journal().iter().any(registered) => {
            ("ecs", "DeregisterTaskDefinition", r#"{"taskDefinition":"web:2"}"#.into())
        }
        "the old revision" => {
            ("ecs", "DeregisterTaskDefinition", r#"{"taskDefinition":"web:1"}"#.into())
        }
        _ => return,
    };
    call(cloud, service, operation, &body);
}

/// What our calls broke, but for those that were on their way when somebody else's arrived.
fn made_worse(cloud: &Cloud) -> Option<String> {
    let is_ours = |call: &ecs_bg_sandbox::journal::Call| !call.user_agent.is_empty();
    let theirs = cloud.journal().iter().filter(|e| e.call.as_ref().is_some_and(|c| !is_ours(c)));
    let theirs: Vec<_> = theirs.map(|entry| entry.at).collect();
    let raced = |at: ecs_bg_sandbox::Time| {
        theirs.iter().any(|theirs| *theirs <= at && (at - *theirs).as_millis() < 500)
    };
    let mut ours = cloud.violations().iter().filter(|v| v.call.as_ref().is_some_and(is_ours));
    ours.find(|violation| !raced(violation.at)).map(|violation| violation.what.clone())
}

fn registered(entry: &ecs_bg_sandbox::journal::Entry) -> bool {
    matches!(entry.change, ecs_bg_sandbox::journal::Change::Registered { .. })
}

#[test]
fn what_is_deleted_in_the_middle_is_named() {
    let things =
        ["the rule", "the listener", "blue", "green", "the new revision", "the old revision"];
    let cases = things.iter().flat_map(|thing| (1..85).step_by(4).map(move |nth| (*thing, nth)));
    sweep("deletions", cases, |(thing, nth)| {
        let world = World::of(SMALL.cloud());
        let taken = *thing;
        let outsider = outside(When::Call(*nth), move |cloud| take_away(cloud, taken));
        let life = world.live(&SMALL.deploy(), Fate { outsider, ..Fate::default() });
        let told = |line: &str, life: &crate::support::lives::Life, why: &str| {
            format!(
                "{thing} deleted before call {nth}: {line}: {why} ({:?})\n{}",
                life.code, life.text
            )
        };
        let clear = |line: &str, life: &crate::support::lives::Life| {
            if !matches!(life.code, Some(0 | 1 | 3 | 4 | 5)) {
                return Err(told(line, life, "no clear outcome"));
            }
            match life.code < Some(3) || life.text.contains("hint: ") {
                true => Ok(()),
                false => Err(told(line, life, "no hint")),
            }
        };
        clear("deploy", &life)?;
        if let Some(what) = made_worse(&world.cloud()) {
            return Err(told("deploy", &life, &what));
        }
        // As long as the old side is there, nobody is left on a new one that is no more.
        if *thing == "green" && wants_tasks(&mut world.cloud(), "web") {
            answers(&world.cloud()).map_err(|why| told("deploy", &life, &why))?;
        }
        // Revisions are only listed as inactive: everything goes its way.
        if thing.contains("revision") {
            answers(&world.cloud()).map_err(|why| told("deploy", &life, &why))?;
        }
        let line = format!("resume {PAIR} --on-conflict supersede");
        clear(&line, &world.run(&line))?;
        let line = format!("rollback {PAIR}");
        clear(&line, &world.run(&line))
    });
}
