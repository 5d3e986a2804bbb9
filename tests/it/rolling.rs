//! Services whose tasks ECS replaces: outcomes, counts of calls, reaction times.

use std::time::{Duration, SystemTime};

use ecs_bg_sandbox::Time;
use ecs_bg_sandbox::journal::{Change, Entry};
use serde_json::{Value, json};

use crate::cases::rolling::{BREAKER, deploy, runs, solo};
use crate::support::fate::Death;
use crate::support::lives::{World, call};

fn first(world: &World, is: impl Fn(&Change) -> bool) -> Option<Time> {
    let journal = world.cloud().journal().to_vec();
    journal.iter().find(|entry: &&Entry| is(&entry.change)).map(|entry| entry.at)
}

fn completed(change: &Change) -> bool {
    matches!(change, Change::ServiceDeployment { status, .. } if status == "SUCCESSFUL")
}

fn stopped(change: &Change) -> bool {
    let ends = ["STOPPING", "DEPROVISIONING", "STOPPED"];
    matches!(change, Change::Task { to, .. } if ends.contains(&to.as_str()))
}

/// When our UpdateService to the old revision was made.
fn restored(world: &World) -> Option<Time> {
    let journal = world.cloud().journal().to_vec();
    let ours =
        |entry: &&Entry| entry.call.as_ref().is_some_and(|call| call.operation == "UpdateService");
    let revisions =
        journal.iter().filter(ours).filter(|entry| matches!(entry.change, Change::Revision { .. }));
    revisions.map(|entry| entry.at).nth(1)
}

#[test]
fn a_good_deployment_needs_few_calls() {
    let world = solo("[timing]\npull = '18s'");
    let before = world.now();
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    runs(&world, "2", 2).unwrap_or_else(|why| panic!("{why}"));
    let calls: u32 = life.calls.values().sum();
    let took = world.now() - before;
    println!("{calls} calls in {took:?}: {:?}", life.calls);
    assert!(took >= Duration::from_secs(60), "{took:?}");
    // One of them looks at once whether AWS was quick, one whether the way back's image is there.
    assert!(calls <= 44, "{calls} calls in {took:?}: {:?}", life.calls);
}

/// Worlds of all paces: what ECS says is told at once.
#[test]
fn completion_is_told_within_a_second() {
    let mut late = Vec::new();
    for pull in [3, 7, 10, 14, 25, 60, 200] {
        for (drain, stop) in [(0, 1), (5, 2), (30, 1), (60, 5), (300, 9)] {
            for deprovisioning in [2, 10] {
                let world = solo(&format!(
                    "[timing]\npull = '{pull}s'\nstop = '{stop}s'\ndeprovisioning = '{deprovisioning}s'\n
                     [[target_group]]\nname = 'api'\nattributes = {{ 'deregistration_delay.timeout_seconds' = '{drain}' }}"
                ));
                // The scenario's own deployment completed before.
                let from = world.now();
                let life = world.run(&deploy("2", ""));
                assert_eq!(life.code, Some(0), "{}", life.text);
                let done =
                    world.journal(0).into_iter().filter(|e| e.at > from && completed(&e.change));
                let done = done.map(|entry| entry.at).next().expect("a completion");
                late.push((world.now() - done, (pull, drain, stop, deprovisioning)));
            }
        }
    }
    late.sort();
    let p99 = late[late.len() * 99 / 100].0;
    println!("{} worlds: p50 {:?}, p99 {p99:?}", late.len(), late[late.len() / 2].0);
    assert!(p99 <= Duration::from_secs(1), "{late:?}");
}

#[test]
fn a_task_that_exits_is_explained_and_taken_back_within_seconds() {
    let world = solo("");
    let life = world.run(&deploy("4", ""));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(
        life.text.contains("2 tasks failed: container api exited with code 1"),
        "{}",
        life.text
    );
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
    let reaction =
        restored(&world).expect("the way back") - first(&world, stopped).expect("a failure");
    println!("first STOPPED to the way back: {reaction:?}");
    assert!(reaction <= Duration::from_secs(3), "{reaction:?}");
}

#[test]
fn a_circuit_breaker_that_rolled_back_is_no_success() {
    // Its tasks may not be read: only ECS knows why it gives up.
    for rollback in [true, false] {
        let breaker = BREAKER.replace("rollback = true", &format!("rollback = {rollback}"));
        let world = solo(&breaker);
        let life = world.run_denied(&deploy("4", "--output json"), &["ListTasks"]);
        assert_eq!(life.code, Some(1), "{}", life.text);
        runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
        assert!(life.text.contains("tasks failed to start"), "{}", life.text);
        if rollback {
            told_within_two_seconds(&world, &life.text);
        }
    }
}

#[test]
fn somebodys_rollback_is_told_within_two_seconds() {
    let world = solo(&format!("{BREAKER}[timing]\npull = '90s'"));
    let life = world.run_beside(&deploy("2", "--output json"), 40, |cloud| {
        let body = r#"{"cluster":"shop","service":"api"}"#;
        let list: serde_json::Value =
            serde_json::from_str(&call(cloud, "ecs", "ListServiceDeployments", body))
                .expect("JSON");
        let arn = list["serviceDeployments"][0]["serviceDeploymentArn"].as_str().expect("an ARN");
        call(
            cloud,
            "ecs",
            "StopServiceDeployment",
            &format!("{{\"serviceDeploymentArn\":\"{arn}\"}}"),
        );
    });
    assert_eq!(life.code, Some(1), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
    told_within_two_seconds(&world, &life.text);
}

/// From ECS's going back to our saying so. (What we print has whole seconds.)
fn told_within_two_seconds(world: &World, text: &str) {
    let back = |change: &Change| matches!(change, Change::ServiceDeployment { status, .. } if status == "ROLLBACK_IN_PROGRESS");
    let back: SystemTime = first(world, back).expect("ECS goes back").into();
    let mut events =
        text.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let told = events.find(|event| event["event"] == "rolling-back").expect("it is told");
    let told = humantime::parse_rfc3339(told["at"].as_str().expect("a time")).expect("a time");
    let late = told.duration_since(back).unwrap_or_default();
    println!("ECS rolled back to told: {late:?}");
    assert!(late <= Duration::from_secs(2), "{late:?}: {text}");
}

#[test]
fn a_shortage_of_capacity_is_waited_out() {
    let shortage = "[[capacity]]\nname = 'a'\naz = 'a'\nuntil = '14m'\n[[capacity]]\nname = 'b'\naz = 'b'\nuntil = '14m'\n";
    let world = solo(shortage);
    let before = world.now();
    // ECS itself tries again less and less often.
    let life = world.run(&deploy("2", "--timeout 30m"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(world.now() - before > Duration::from_secs(14 * 60));
    assert!(life.text.contains("Capacity is unavailable"), "{}", life.text);
    runs(&world, "2", 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn no_progress_goes_back() {
    let world = solo(
        "[[image]]\nref = 'shop/api:2'\ndoes = 'slow'\nready = '2h'\n
         [[service]]\nserviceName = 'api'\nhealthCheckGracePeriodSeconds = 7200",
    );
    let life = world.run(&deploy("2", "--timeout 5m"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("no progress for 5m: 0/2 targets of "), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn somebody_elses_deployment_supersedes_ours() {
    let world = solo("[timing]\npull = '60s'");
    let life = world.run_beside(&deploy("2", ""), 30, |cloud| {
        let registered = call(cloud, "ecs", "RegisterTaskDefinition", r#"{"family":"other","containerDefinitions":[{"name":"api","image":"public.ecr.aws/x/y:1","memory":128,"portMappings":[{"containerPort":8080}]}],"networkMode":"awsvpc","requiresCompatibilities":["FARGATE"],"cpu":"256","memory":"512"}"#);
        assert!(registered.contains("other:1"));
        call(cloud, "ecs", "UpdateService", r#"{"cluster":"shop","service":"api","taskDefinition":"other:1"}"#);
    });
    assert_eq!(life.code, Some(5), "{}", life.text);
    assert!(life.text.contains("somebody else deployed other:1 to api"), "{}", life.text);
}

#[test]
fn many_tasks_without_a_load_balancer() {
    let world = solo("[[service]]\nserviceName = 'api'\nloadBalancers = []\ndesiredCount = 120");
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let bad = solo("[[service]]\nserviceName = 'api'\nloadBalancers = []\ndesiredCount = 120");
    let life = bad.run(&deploy("4", ""));
    assert_eq!(life.code, Some(1), "{}", life.text);
}

#[test]
fn a_changing_desired_count_is_followed() {
    for (count, code) in [(3, 0), (1, 4), (0, 4)] {
        let world = solo("");
        let life = world.run_beside(&deploy("2", ""), 15, move |cloud| {
            let body =
                format!("{{\"cluster\":\"shop\",\"service\":\"api\",\"desiredCount\":{count}}}");
            call(cloud, "ecs", "UpdateService", &body);
        });
        assert_eq!(life.code, Some(code), "{count}: {}", life.text);
        let told = format!("set the desired count of api to {count}, 2 were planned");
        assert_eq!(life.text.contains(&told), code == 4, "{count}: {}", life.text);
        runs(&world, "2", count).unwrap_or_else(|why| panic!("{count}: {why}"));
    }
}

#[test]
fn what_is_asked_for_beside_is_changed_and_changed_back() {
    let shown = |world: &World| {
        let answer =
            world.call("ecs", "DescribeServices", r#"{"cluster":"shop","services":["api"]}"#);
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        let service = &answer["services"][0];
        let configuration = service["deploymentConfiguration"].clone();
        (
            service["desiredCount"].as_u64(),
            configuration["minimumHealthyPercent"].as_u64(),
            configuration["maximumPercent"].as_u64(),
            configuration["deploymentCircuitBreaker"]["enable"].as_bool(),
        )
    };
    let asked = "--desired-count 3 --min-healthy 50 --max-percent 150";
    let world = solo(BREAKER);
    let life = world.run(&deploy("2", asked));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert_eq!(shown(&world), (Some(3), Some(50), Some(150), Some(true)));
    let world = solo(BREAKER);
    let before = shown(&world);
    let life = world.run(&deploy("4", asked));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert_eq!(shown(&world), before);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn the_verbs_work_on_it() {
    let target = "--cluster shop --service api";
    let world = solo("");
    // Killed after ECS was told, then turned back by hand.
    let killed = world.run_until(&deploy("2", ""), 20, Death::BeforeAnswer);
    assert_eq!(killed.code, None);
    let status = world.run(&format!("status {target}"));
    assert!(status.text.contains("api:2 in api: in progress, at step settle"), "{}", status.text);
    let life = world.run(&format!("abort {target}"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
    // A finished one is rolled back by deploying what served before.
    assert_eq!(world.run(&deploy("2", "")).code, Some(0));
    let life = world.run(&format!("rollback {target}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
    let life = world.run(&format!("resume {target}"));
    assert!(life.code == Some(0) && life.text.contains("nothing to do"), "{}", life.text);
}

#[test]
fn an_inactive_revision_is_copied_before_it_is_needed() {
    let world = solo("");
    world.call("ecs", "DeregisterTaskDefinition", r#"{"taskDefinition":"api:1"}"#);
    let life = world.run(&deploy("4", ""));
    assert_eq!(life.code, Some(1), "{}", life.text);
    assert!(life.text.contains("api:2 serves in api"), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_restart_starts_all_tasks_anew_on_the_same_revision() {
    let world = solo("");
    let restart = "deploy --cluster shop --service api --force-new-deployment";
    let before: Vec<_> =
        world.cloud().serving()[0].behind.iter().map(|t| t.target.clone()).collect();
    let life = world.run(restart);
    assert_eq!(life.code, Some(0), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
    let after: Vec<_> =
        world.cloud().serving()[0].behind.iter().map(|t| t.target.clone()).collect();
    assert!(after.iter().all(|target| !before.contains(target)), "{before:?} {after:?}");
    assert_eq!(first(&world, |change| matches!(change, Change::Registered { .. })), None);
}

#[test]
fn only_our_own_old_revisions_are_deregistered_and_never_the_way_back() {
    let world = solo("[[repository]]\nname = 'shop/api'\nimages = ['1', '2', '5', '6', '7']");
    for tag in ["2", "5", "6", "7"] {
        let life = world.run(&deploy(tag, "--keep-revisions 2"));
        assert_eq!(life.code, Some(0), "{}", life.text);
    }
    let gone: Vec<String> = world
        .journal(0)
        .into_iter()
        .filter_map(|entry| match entry.change {
            Change::Deregistered { revision } => Some(revision.rsplit('/').next()?.to_owned()),
            _ => None,
        })
        .collect();
    // api:1 is somebody else's; 5 serves, 4 is the way back.
    assert_eq!(gone, ["api:2", "api:3"]);
}

/// A stranger who may tag a revision can write a record that calls it an old one of this service.
#[test]
fn a_forged_record_deregisters_nothing_that_is_in_use_or_that_another_tool_registered() {
    let world = solo("[[repository]]\nname = 'shop/api'\nimages = ['1', '2', '5', '6', '7', '8']");
    let deployed = |tag: &str| {
        let life = world.run(&deploy(tag, "--keep-revisions 1"));
        assert_eq!(life.code, Some(0), "{}", life.text);
    };
    deployed("2");
    let read = |name: &str| -> Value {
        let body = json!({ "taskDefinition": name, "include": ["TAGS"] });
        let told = world.call("ecs", "DescribeTaskDefinition", &body.to_string());
        serde_json::from_str(&told).expect("JSON")
    };
    let tags = read("api:2")["tags"].take();
    let registered = |start: Option<u64>| {
        let mut body = crate::cases::edits::definition(&world, "api:1");
        let input = [
            "family",
            "cpu",
            "memory",
            "networkMode",
            "requiresCompatibilities",
            "executionRoleArn",
            "containerDefinitions",
        ];
        body.as_object_mut().expect("an object").retain(|key, _| input.contains(&key.as_str()));
        body["tags"] = tags.clone();
        for tag in body["tags"].as_array_mut().expect("tags") {
            if let (Some(start), "ecs-bg:record") = (start, tag["key"].as_str().unwrap_or_default())
            {
                let head = tag["value"].as_str().expect("a head");
                let (before, _) = head.split_once("start=").expect("a start");
                tag["value"] = json!(format!("{before}start={start}"));
            }
        }
        world.call("ecs", "RegisterTaskDefinition", &body.to_string());
    };
    world.wait(1000);
    // A copy, and one that looks as if a deployment of ours had registered it.
    registered(None);
    registered(Some(world.now().0 / 1000));
    let used = world
        .run("run --cluster shop --service api --task-definition api:4 --container api --no-wait");
    assert_eq!(used.code, Some(0), "{}", used.text);
    for tag in ["5", "6", "7"] {
        deployed(tag);
    }
    let gone = |revision: &str| read(revision)["taskDefinition"]["status"] == "INACTIVE";
    let kept = ["api:1", "api:3", "api:4", "api:6", "api:7"];
    assert!(!kept.into_iter().any(gone), "{:?}", kept.map(gone));
    assert!(gone("api:2") && gone("api:5"));
    let life = world.run("rollback --cluster shop --service api");
    assert_eq!(life.code, Some(0), "{}", life.text);
    runs(&world, "6", 2).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_rollback_to_what_is_not_there_says_so() {
    let world = solo("");
    let life = world.run("rollback --cluster shop --service api --to nope");
    assert_eq!(life.code, Some(3), "{}", life.text);
    let hint = "hint: --to api:REVISION; aws ecs list-task-definitions --family-prefix api\n";
    let said = format!("error: --to nope names no revision, and api has no twin\n{hint}");
    assert!(life.text.ends_with(&said), "{}", life.text);
    // A family's newest revision may be the very one that failed.
    let life = world.run("rollback --cluster shop --service api --to api");
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("--to api names no revision"), "{}", life.text);
    let life = world.run("rollback --cluster shop --service api --to nope:7");
    let said = format!(
        "error: nope:7 is not a task definition in eu-central-1, and api has no twin\n{hint}"
    );
    assert!(life.text.ends_with(&said), "{}", life.text);
}

/// Its twin may have all the traffic.
#[test]
fn the_idle_service_of_a_pair_is_not_said_to_serve() {
    let world = World::new("shop");
    let line = "deploy --cluster shop --service web-green --engine rolling --tag shop/web=2 --desired-count 2";
    let life = world.run(line);
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(!life.text.contains("serves"), "{}", life.text);
    assert!(!life.text.contains("the desired count of web-green is 0"), "{}", life.text);
    let said = "web:2 runs in web-green and is healthy; whether web-green or its twin has the traffic was not checked";
    assert!(life.text.contains(said), "{}", life.text);
}

#[test]
fn a_service_that_is_being_deleted_is_refused() {
    let world = solo("");
    world.call("ecs", "DeleteService", r#"{"cluster":"shop","service":"api","force":true}"#);
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("api is DRAINING"), "{}", life.text);
}

/// A job step that rolls back after a failure must not go one version further back.
#[test]
fn a_rollback_after_a_deployment_that_rolled_back_changes_nothing() {
    let world = solo("");
    assert_eq!(world.run(&deploy("2", "")).code, Some(0));
    assert_eq!(world.run(&deploy("4", "")).code, Some(1));
    let from = world.journal(0).len();
    let life = world.run("rollback --cluster shop --service api");
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(
        life.text.contains("api:3, was rolled back already, and api runs api:2"),
        "{}",
        life.text
    );
    assert!(world.journal(from).iter().all(|entry| entry.call.is_none()), "nothing was changed");
    runs(&world, "2", 2).unwrap_or_else(|why| panic!("{why}"));
    let life = world.run("rollback --cluster shop --service api --to api:1");
    assert_eq!(life.code, Some(0), "{}", life.text);
    runs(&world, "1", 2).unwrap_or_else(|why| panic!("{why}"));
}

/// No record tells of a deployment that nobody waited for, and ECS still knows what it replaces.
#[test]
fn what_nobody_waited_for_can_be_rolled_back() {
    let world = World::new("solo");
    let own = "--cluster shop --service api";
    let life = world.run(&format!("deploy {own} --tag 2 --no-wait"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    world.wait(20);
    // Nothing that somebody waits for is in progress.
    let life = world.run(&format!("abort {own}"));
    assert!(life.text.contains("nothing to do"), "{}", life.text);
    let life = world.run(&format!("rollback {own}"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let shown = world.run(&format!("status {own}"));
    assert!(shown.text.contains("shop/api:1"), "{}", shown.text);
    assert!(shown.text.contains("100 % api:"), "{}", shown.text);
}

/// A step that always runs after a job undoes nothing that succeeded.
#[test]
fn abort_after_the_end_does_nothing() {
    let world = World::new("solo");
    let own = "--cluster shop --service api";
    for options in ["--tag 2 --wait-for running", "--tag 4"] {
        world.run(&format!("deploy {own} {options}"));
        let from = world.cloud().journal().len();
        let life = world.run(&format!("abort {own}"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        assert!(life.text.contains("nothing to do"), "{options}: {}", life.text);
        let ours = world.journal(from).into_iter().filter(|entry| entry.call.is_some()).count();
        assert_eq!(ours, 0, "{options}: {}", life.text);
    }
}

/// Tasks that run are all that is waited for; what the load balancer says of them comes later.
#[test]
fn running_tasks_are_enough_where_nothing_else_serves() {
    let own = "--cluster shop --service api";
    let stopped = World::new("solo");
    stopped.call("ecs", "UpdateService", r#"{"cluster":"shop","service":"api","desiredCount":0}"#);
    stopped.wait(300);
    for (world, options) in
        [(World::new("solo"), "--min-healthy 0 --max-percent 100"), (stopped, "--desired-count 2")]
    {
        let life = world.run(&format!("deploy {own} --tag 2 --wait-for running {options}"));
        assert_eq!(life.code, Some(0), "{options}: {}", life.text);
    }
}

/// ECS goes back to the revision that it completed last, also where another one served since: that is waited for.
#[test]
fn what_another_revision_runs_is_not_the_way_back() {
    let own = "--cluster shop --service api";
    let world = World::new("solo");
    let life = world.run(&format!("deploy {own} --tag 2"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let body = r#"{"cluster":"shop","service":"api","taskDefinition":"api:1"}"#;
    world.call("ecs", "UpdateService", body);
    world.wait(50);
    let life = world.run(&format!("deploy {own} --tag 4"));
    assert_eq!(life.code, Some(1), "{}", life.text);
    let body = r#"{"cluster":"shop","services":["api"]}"#;
    let read: serde_json::Value =
        serde_json::from_str(&world.call("ecs", "DescribeServices", body)).expect("JSON");
    let deployments = read["services"][0]["deployments"].as_array().expect("deployments");
    let named = life.text.split("rolled back: ").nth(1).expect("an outcome");
    let named = named.split(' ').next().expect("a revision");
    let its = |one: &&serde_json::Value| {
        one["taskDefinition"].as_str().is_some_and(|arn| arn.ends_with(named))
    };
    let running: u64 =
        deployments.iter().filter(its).filter_map(|one| one["runningCount"].as_u64()).sum();
    assert!(running >= 2, "{named} does not run: {}", life.text);
}
