//! The last deployments of a service: from records that count and from ECS's own history.

use serde_json::Value;

use crate::cases::native;
use crate::support::lives::{REPOSITORY, World, call, deploy, takes};

const HISTORY: &str = "history --cluster shop --output json --service";

fn rows(world: &World, service: &str) -> Vec<Value> {
    let life = world.run(&format!("{HISTORY} {service}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    // Warnings stand before the document.
    let text = &life.text[life.text.find("{\n").expect("a document")..];
    let document: Value = serde_json::from_str(text).unwrap_or_else(|_| panic!("{text}"));
    document["deployments"].as_array().expect("a list").clone()
}

/// Deployment, outcome and whether there is a record, the newest first.
fn brief(rows: &[Value]) -> Vec<(&str, &str, bool)> {
    let text = |row: &Value, name: &str| row[name].as_str().map(str::to_owned);
    assert!(
        rows.windows(2).all(|two| text(&two[0], "begun") >= text(&two[1], "begun")),
        "{rows:?}"
    );
    let of = |row: &'_ Value| -> (String, String, bool) {
        let recorded = row["recorded"].as_bool().expect("a bool");
        (text(row, "deployment").expect("it"), text(row, "outcome").expect("it"), recorded)
    };
    let leak = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    rows.iter().map(of).map(|(one, other, is)| (leak(one), leak(other), is)).collect()
}

fn api(tag: &str) -> String {
    let image = REPOSITORY.replace("/web", "/api");
    format!("deploy --cluster shop --service api --image {image}:{tag}")
}

#[test]
fn a_pair_shows_each_deployment_once() {
    let world = World::new("shop");
    for (tag, code) in [("2", 0), ("4", 1), ("5", 0)] {
        assert_eq!(world.run(&deploy(tag, "--bake 0")).code, Some(code));
        world.wait(600);
    }
    let rows = rows(&world, "web");
    let ours: Vec<_> = brief(&rows).into_iter().filter(|(_, _, recorded)| *recorded).collect();
    let expected =
        [("web:4", "live", true), ("web:3", "rolled-back", true), ("web:2", "live", true)];
    assert_eq!(ours, expected);
    // What was there before is known from ECS alone, and nothing twice.
    let others: Vec<&str> = brief(&rows).iter().filter(|row| !row.2).map(|row| row.0).collect();
    assert!(others.iter().all(|name| *name == "web:1"), "{others:?}");
    let failed = &rows[1];
    assert_eq!((&failed["reason_code"], &failed["engine"]), (&"tasks".into(), &"listener".into()));
    let image = failed["containers"][0]["image"].as_str().expect("an image");
    assert_eq!(image, format!("{REPOSITORY}:4"));
    assert!(failed["duration_seconds"].as_u64().expect("a number") > 0, "{failed}");
}

#[test]
fn what_ecs_was_asked_for_on_the_way_back_is_no_deployment_of_its_own() {
    let world = World::new("solo");
    assert_eq!(world.run(&api("2")).code, Some(0));
    assert_eq!(world.run(&api("3")).code, Some(1));
    world.wait(600);
    let rows = rows(&world, "api");
    let brief = brief(&rows);
    assert_eq!(brief[..2], [("api:3", "rolled-back", true), ("api:2", "live", true)], "{rows:?}");
    assert!(brief[2..].iter().all(|row| row.0 == "api:1" && !row.2), "{rows:?}");
}

#[test]
fn a_rollback_after_the_end_is_a_deployment_and_somebody_elses_is_known_from_ecs() {
    let world = World::new("solo");
    assert_eq!(world.run(&api("2")).code, Some(0));
    let life = world.run("rollback --cluster shop --service api");
    assert!(matches!(life.code, Some(0 | 1)), "{}", life.text);
    world.wait(600);
    takes(&mut world.cloud(), "api", "api", &REPOSITORY.replace("/web", "/api:1"));
    world.wait(600);
    let rows = rows(&world, "api");
    let brief = brief(&rows);
    let expected = [("api:4", "live", false), ("api:3", "live", true), ("api:2", "live", true)];
    assert_eq!(brief[..3], expected, "{rows:?}");
    assert!(rows[0].get("by").is_none() && rows[0].get("engine").is_none(), "{}", rows[0]);
}

#[test]
fn a_deployment_that_is_killed_is_in_progress_and_later_unfinished() {
    let world = World::new("solo");
    let calls = world.run_kept(&api("2")).moments;
    let update = calls.iter().find(|moment| moment.operation == "UpdateService");
    let update = update.expect("an update").nth;
    let world = World::new("solo");
    world.run_until(&api("2"), update + 3, crate::support::fate::Death::BeforeSend);
    assert_eq!(brief(&rows(&world, "api"))[0], ("api:2", "in-progress", true));
    world.wait(3600);
    assert_eq!(brief(&rows(&world, "api"))[0], ("api:2", "unfinished", true));
}

#[test]
fn a_record_of_a_stranger_is_no_fact() {
    let world = World::new("solo");
    assert_eq!(world.run(&api("2")).code, Some(0));
    let old = "arn:aws:ecs:eu-central-1:123456789012:task-definition/api:1";
    let new = "arn:aws:ecs:eu-central-1:123456789012:task-definition/api:2";
    {
        let cloud = &mut world.cloud();
        let body = format!(r#"{{"taskDefinition":"{new}","include":["TAGS"]}}"#);
        let told: Value =
            serde_json::from_str(&call(cloud, "ecs", "DescribeTaskDefinition", &body))
                .expect("JSON");
        let body = serde_json::json!({ "resourceArn": old, "tags": told["tags"] });
        call(cloud, "ecs", "TagResource", &body.to_string());
    }
    let rows = rows(&world, "api");
    let recorded: Vec<_> = brief(&rows).into_iter().filter(|row| row.2).collect();
    assert_eq!(recorded, [("api:2", "live", true)], "{rows:?}");
    let life = world.run("history --cluster shop --service api");
    let warning = "warning: the record in the tags of api:1 is ignored: it is a copy";
    assert!(life.text.contains(warning), "{}", life.text);
}

#[test]
fn what_may_not_be_read_is_said_and_done_without() {
    for operation in ["ListServiceDeployments", "DescribeServiceRevisions"] {
        let world = World::new("solo");
        assert_eq!(world.run(&api("2")).code, Some(0));
        let denied: &'static [&'static str] = Box::leak(Box::new([operation]));
        let life = world.run_denied("history --cluster shop --service api", denied);
        assert_eq!(life.code, Some(0), "{}", life.text);
        let warnings: Vec<&str> =
            life.text.lines().filter(|line| line.starts_with("warning: ")).collect();
        let [warning] = warnings[..] else { panic!("{}", life.text) };
        let allow = format!("only deployments by ecs-bg are shown; allow {operation}");
        assert!(warning.ends_with(&allow), "{warning}");
        assert!(life.text.contains("\napi:2     succeeded"), "{}", life.text);
    }
}

#[test]
fn a_limit_takes_the_newest() {
    let world = World::new("solo");
    assert_eq!(world.run(&api("2")).code, Some(0));
    world.run(&api("3"));
    let life = world.run("history --cluster shop --service api --limit 1");
    let rows: Vec<&str> = life.text.lines().skip(2).filter(|row| !row.starts_with(' ')).collect();
    assert!(rows.len() == 1 && rows[0].starts_with("api:3 "), "{}", life.text);
}

#[test]
fn a_service_that_does_not_exist_is_refused() {
    let life = World::new("solo").run(&format!("{HISTORY} nobody"));
    assert_eq!(life.code, Some(3), "{}", life.text);
}

#[test]
fn a_deployment_whose_traffic_ecs_shifts_is_one_row() {
    let world = World::new("native");
    let shop = |tag| native::deploy(tag, "--bake 1m");
    let life = world.run(&shop("2"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let life = world.run(&shop("4"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    world.wait(600);
    let rows = rows(&world, "shop");
    let brief = brief(&rows);
    assert_eq!(brief[..2], [("shop:3", "rolled-back", true), ("shop:2", "live", true)], "{rows:?}");
}
