//! `ecs-bg setup`: an ordinary service made ready for ECS's own blue/green, without downtime.

use ecs_bg_sandbox::faults::Kind;
use ecs_bg_sandbox::journal::Change;
use ecs_bg_sandbox::sdk::Interference;
use serde_json::{Value, json};

use crate::cases::permanent::order;
use crate::stride;
use crate::support::fate::{Death, Fate};
use crate::support::lives::{Life, World, call, parts};

const ROLE: &str = "--infrastructure-role arn:aws:iam::123456789012:role/ecs-load-balancers";

fn solo(more: &str) -> World {
    World::parsed(&format!("extends = 'solo'\n{more}"))
}

fn setup(more: &str) -> String {
    format!("setup --cluster shop --service api {more}")
}

fn read(world: &World, service: &str, operation: &str, body: &str) -> Value {
    serde_json::from_str(&world.call(service, operation, body)).expect("JSON")
}

fn service(world: &World) -> Value {
    let body = json!({"cluster": "shop", "services": ["api"]}).to_string();
    read(world, "ecs", "DescribeServices", &body)["services"][0].clone()
}

/// What `setup` is about: settings, groups and weights, without ids that differ from world to world.
fn shape(world: &World) -> String {
    let own = service(world);
    let groups = world.call("elasticloadbalancing", "DescribeTargetGroups", "");
    let names = groups.matches("<TargetGroupName>").count();
    let configuration = &own["deploymentConfiguration"];
    let advanced = own["loadBalancers"][0].get("advancedConfiguration").is_some();
    let test = advanced
        && own["loadBalancers"][0]["advancedConfiguration"]["testListenerRule"].is_string();
    let rules = rules(world).len();
    format!(
        "{configuration} advanced {advanced} test {test} groups {names} rules {rules} weights {:?}",
        weights(world)
    )
}

/// The weights of the listener's default rule, by the names of the groups.
fn weights(world: &World) -> Vec<(String, u32)> {
    let [arn, _] = listener(world, 443);
    let body = format!("ListenerArns.member.1={arn}");
    let listeners = world.call("elasticloadbalancing", "DescribeListeners", &body);
    let groups = parts(&listeners, "TargetGroups").concat();
    let arns = parts(&groups, "TargetGroupArn");
    let weights = parts(&groups, "Weight");
    let name = |arn: &String| arn.rsplit('/').nth(1).unwrap_or_default().to_owned();
    let weight = |text: &String| text.parse().expect("a weight");
    arns.iter().map(name).zip(weights.iter().map(weight)).collect()
}

/// No invariant was broken, and users always had a healthy target.
fn harmless(world: &World) {
    let violations = world.cloud().violations().to_vec();
    assert!(violations.is_empty(), "{violations:?}");
    let serving = world.cloud().serving();
    let healthy = serving.iter().flat_map(|side| &side.behind);
    assert!(healthy.into_iter().any(|target| target.state == "healthy"), "nothing serves");
}

/// It ended before it changed anything, in a world in which there were so many changes before.
fn refused(world: &World, before: usize, life: &Life, what: &str) {
    assert_eq!(life.code, Some(3), "{what}: {}", life.text);
    assert_eq!(changed(world), before, "{what}: something was changed\n{}", life.text);
}

/// Changes that clients made so far.
fn changed(world: &World) -> usize {
    world.cloud().journal().iter().filter(|entry| entry.call.is_some()).count()
}

#[test]
fn setup_of_an_ordinary_service_and_its_first_blue_green_deployment() {
    let world = solo("");
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let own = service(&world);
    let configuration = &own["deploymentConfiguration"];
    assert_eq!(configuration["strategy"], "BLUE_GREEN");
    assert_eq!(configuration["bakeTimeInMinutes"], 5);
    let advanced = &own["loadBalancers"][0]["advancedConfiguration"];
    assert!(advanced["alternateTargetGroupArn"].as_str().expect("an ARN").contains("/api-2/"));
    assert_eq!(weights(&world), [("api".to_owned(), 1), ("api-2".to_owned(), 0)]);
    harmless(&world);
    let deployed = world.run("deploy --cluster shop --service api --tag 2");
    assert_eq!(deployed.code, Some(0), "{}", deployed.text);
    assert!(deployed.text.contains("ECS shifts the traffic of api"), "{}", deployed.text);
    harmless(&world);
    let live: Vec<String> = weights(&world)
        .into_iter()
        .filter(|(_, weight)| *weight > 0)
        .map(|(name, _)| name)
        .collect();
    assert_eq!(live, ["api-2"]);
}

#[test]
fn setup_copies_the_target_group_with_its_attributes_and_tags() {
    let world = solo(
        "[[target_group]]\nname = 'api'\ntags = { team = 'shop' }\n\
         attributes = { 'deregistration_delay.timeout_seconds' = '15', 'slow_start.duration_seconds' = '30' }\n",
    );
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let own = service(&world);
    let arn = own["loadBalancers"][0]["advancedConfiguration"]["alternateTargetGroupArn"]
        .as_str()
        .expect("an ARN")
        .to_owned();
    let text = |operation: &str, key: &str| {
        world.call("elasticloadbalancing", operation, &format!("{key}={arn}"))
    };
    let attributes = text("DescribeTargetGroupAttributes", "TargetGroupArn");
    for (key, value) in
        [("deregistration_delay.timeout_seconds", "15"), ("slow_start.duration_seconds", "30")]
    {
        assert!(
            attributes.contains(&format!("<Key>{key}</Key><Value>{value}</Value>")),
            "{attributes}"
        );
    }
    let tags = text("DescribeTags", "ResourceArns.member.1");
    assert!(tags.contains("<Key>team</Key><Value>shop</Value>"), "{tags}");
    assert!(tags.contains("<Key>ecs-bg:clone-of</Key><Value>api</Value>"), "{tags}");
    let groups = text("DescribeTargetGroups", "TargetGroupArns.member.1");
    for part in ["<HealthCheckPath>/up<", "<HttpCode>200<", "<TargetType>ip<", "<Port>8080<"] {
        assert!(groups.contains(part), "{part}: {groups}");
    }
}

#[test]
fn setup_again_changes_nothing() {
    let world = solo("");
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
    let before = changed(&world);
    for more in ["", ROLE, "--dry-run", "--print cli", "--print terraform"] {
        let life = world.run(&setup(more));
        assert_eq!(life.code, Some(0), "{more}: {}", life.text);
    }
    assert_eq!(changed(&world), before);
    let life = world.run(&setup("--output json"));
    assert!(life.text.contains(r#""nothing":"set-up-already""#), "{}", life.text);
}

#[test]
fn setup_with_a_strategy_and_a_bake_of_its_own() {
    let world = solo("");
    let life = world.run(&setup(&format!("{ROLE} --strategy canary:10/5m --bake 10m")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let configuration = service(&world)["deploymentConfiguration"].clone();
    assert_eq!(configuration["strategy"], "CANARY");
    assert_eq!(configuration["canaryConfiguration"]["canaryPercent"], json!(10.0));
    assert_eq!(configuration["bakeTimeInMinutes"], 10);
}

#[test]
fn setup_survives_death_at_every_call() {
    let whole = solo("");
    let life = whole.run_kept(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let wanted = shape(&whole);
    // Those before and after a change, and one in so many of the others.
    let changes =
        ["CreateTargetGroup", "ModifyTargetGroupAttributes", "ModifyListener", "UpdateService"];
    let mut tried = 0;
    for (index, moment) in life.moments.into_iter().enumerate() {
        if index % stride() != 0 && !changes.contains(&moment.operation.as_str()) {
            continue;
        }
        tried += 1;
        let (nth, operation, done) = (moment.nth, moment.operation, moment.done);
        let world = World::of(moment.cloud);
        let second = world.run(&setup(ROLE));
        assert_eq!(
            second.code,
            Some(0),
            "killed at call {nth}, {operation} ({done}): {}",
            second.text
        );
        assert_eq!(shape(&world), wanted, "killed at call {nth}, {operation} ({done})");
        harmless(&world);
    }
    assert!(tried >= 10, "{tried}");
    // One that dies for real.
    let world = solo("");
    let first = world.run_until(&setup(ROLE), 20, Death::BeforeSend);
    assert_eq!(first.code, None);
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
}

#[test]
fn setup_whose_change_is_denied_says_what_was_made() {
    for (denied, made) in [
        ("ModifyListener", "api-2"),
        ("UpdateService", "api-2"),
        ("ModifyTargetGroupAttributes", "api-2"),
    ] {
        let world = solo("");
        let denied: &'static [&'static str] = Box::leak(Box::new([denied]));
        let life = world.run_denied(&setup(ROLE), denied);
        assert_eq!(life.code, Some(4), "{denied:?}: {}", life.text);
        assert!(life.text.contains(made), "{denied:?}: {}", life.text);
        harmless(&world);
        assert_eq!(world.run(&setup(ROLE)).code, Some(0), "{denied:?}");
    }
    let world = solo("");
    let before = changed(&world);
    let life = world.run_denied(&setup(ROLE), &["CreateTargetGroup"]);
    refused(&world, before, &life, "CreateTargetGroup denied");
}

#[test]
fn setup_that_is_interrupted_goes_on_when_it_is_run_again() {
    let world = solo("");
    let life = world.run_interrupted(&setup(ROLE), 20, 1);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("api-2"), "{}", life.text);
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
    let world = solo("");
    let before = changed(&world);
    let life = world.run_interrupted(&setup(ROLE), 0, 1);
    refused(&world, before, &life, "interrupted at once");
    let world = solo("");
    assert_eq!(world.run_interrupted(&setup(ROLE), 20, 2).code, Some(130));
}

#[test]
fn setup_refuses_what_is_not_ready_and_changes_nothing() {
    let group = |name: &str, more: &str| {
        format!("[[target_group]]\nname = '{name}'\nport = 8080\n{more}\n")
    };
    let service = "[[service]]\ncluster = 'shop'\nserviceName = 'api'\n";
    let two = "loadBalancers = [{ targetGroup = 'api', containerName = 'api', containerPort = 8080 }, \
               { targetGroup = 'other', containerName = 'api', containerPort = 8080 }]\n";
    let rule = |weights: &str| {
        format!(
            "[[rule]]\nname = 'more'\nlistener = 'https'\npriority = 10\n\
             conditions = [{{ field = 'path-pattern', values = ['/v2/*'] }}]\n\
             actions = [{{ type = 'forward', targetGroups = [{weights}] }}]\n"
        )
    };
    let rolling =
        "deploymentConfiguration = { minimumHealthyPercent = 50, maximumPercent = 200 }\n";
    let cases: Vec<(String, &str, &str)> = vec![
        (format!("{service}{rolling}"), ROLE, "minimumHealthyPercent of api is 50"),
        (
            format!("{service}deploymentController = {{ type = 'CODE_DEPLOY' }}\n"),
            ROLE,
            "CODE_DEPLOY",
        ),
        (
            group("other", "") + &rule("{ targetGroup = 'other', weight = 1 }") + service + two,
            ROLE,
            "2 load balancers",
        ),
        (rule("{ targetGroup = 'api', weight = 1 }"), ROLE, "2 rules send requests to api"),
        (group("api-2", "targetType = 'ip'"), ROLE, "target group api-2 differs from api"),
        (
            String::new(),
            "--infrastructure-role arn:aws:iam::123456789012:role/x --production-rule \
             arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/1/2/3",
            "--production-rule",
        ),
        (
            String::new(),
            "--infrastructure-role arn:aws:iam::123456789012:role/x --test-rule \
             arn:aws:elasticloadbalancing:eu-central-1:123456789012:listener-rule/app/shop/1/2/3",
            "--test-rule",
        ),
    ];
    for (more, arguments, said) in cases {
        let world = solo(&more);
        let before = changed(&world);
        let life = world.run(&setup(arguments));
        assert_eq!(life.code, Some(3), "{said}: {}", life.text);
        assert!(life.text.contains(said), "{said}: {}", life.text);
        assert_eq!(changed(&world), before, "{said}");
    }
    let world = solo("");
    let before = changed(&world);
    let life = world.run("setup --cluster shop --service nobody");
    refused(&world, before, &life, "no such service");
}

#[test]
fn setup_refuses_a_service_whose_image_or_revision_is_gone_or_that_deploys() {
    let world = solo("");
    let body = json!({"taskDefinition": "api:1"}).to_string();
    world.call("ecs", "DeregisterTaskDefinition", &body);
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("INACTIVE"), "{}", life.text);

    let world = solo("");
    let body = json!({"cluster": "shop", "service": "api", "forceNewDeployment": true}).to_string();
    world.call("ecs", "UpdateService", &body);
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(
        life.text.contains("ECS has not completed its last deployment of api"),
        "{}",
        life.text
    );
}

#[test]
fn setup_says_all_that_is_in_the_way_at_once() {
    let world = solo(
        "[[service]]\ncluster = 'shop'\nserviceName = 'api'\n\
         deploymentConfiguration = { minimumHealthyPercent = 50, maximumPercent = 200 }\n\
         [[role]]\nname = 'ecs-load-balancers'\ntrusts = 'ec2.amazonaws.com'\n",
    );
    let life = world.run(&setup("--output json"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    for check in [r#""check":"percent""#, r#""check":"role""#] {
        assert!(life.text.contains(check), "{check}: {}", life.text);
    }
}

#[test]
fn setup_only_shown_changes_nothing() {
    let world = solo("");
    let before = changed(&world);
    for how in [
        "--dry-run",
        "--print cli",
        "--print terraform",
        "--dry-run --output json",
        "--test-header X-Preview=1 --dry-run",
        "--test-header X-Preview=1 --print cli",
        "--test-header X-Preview=1 --print terraform",
    ] {
        let life = world.run(&setup(&format!("{ROLE} {how}")));
        assert_eq!(life.code, Some(0), "{how}: {}", life.text);
        assert_eq!(changed(&world), before, "{how}");
        assert!(life.text.contains("api-2"), "{how}: {}", life.text);
    }
}

#[test]
fn setup_of_a_service_without_a_load_balancer_sets_the_strategy_only() {
    let world = solo(
        "[[service]]\ncluster = 'shop'\nserviceName = 'worker'\ntaskDefinition = 'api:1'\ndesiredCount = 1\n\
         launchType = 'FARGATE'\n\
         networkConfiguration = { awsvpcConfiguration = { subnets = ['subnet-a'] } }\n",
    );
    let before = changed(&world);
    let life = world.run("setup --cluster shop --service worker");
    assert_eq!(life.code, Some(0), "{}", life.text);
    let made: Vec<_> = world.cloud().journal().to_vec();
    let made: Vec<_> = made.iter().filter(|entry| entry.call.is_some()).skip(before).collect();
    assert!(made.iter().all(|entry| matches!(entry.change, Change::Attributes { .. })), "{made:?}");
    let body = json!({"cluster": "shop", "services": ["worker"]}).to_string();
    let own = read(&world, "ecs", "DescribeServices", &body)["services"][0].clone();
    assert_eq!(own["deploymentConfiguration"]["strategy"], "BLUE_GREEN");
}

#[test]
fn setup_goes_on_from_what_somebody_did_by_hand() {
    // A copy that setup made and that was put into the rule.
    let world = solo("");
    let life = world.run_denied(&setup(ROLE), &["UpdateService"]);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("hint: allow UpdateService"), "{}", life.text);
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert_eq!(life.operations.iter().filter(|one| *one == "CreateTargetGroup").count(), 0);
}

#[test]
fn setup_tells_why_the_new_tasks_do_not_start() {
    let world = solo("");
    let breaks = |cloud: &mut ecs_bg_sandbox::Cloud| {
        let own = json!({"cluster": "shop", "service": "api", "forceNewDeployment": true});
        call(cloud, "ecs", "UpdateService", &own.to_string());
    };
    // Somebody else deploys while the tasks are replaced.
    let life = world.run_beside(&setup(ROLE), 20, breaks);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("api is half-way"), "{}", life.text);
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
}

#[test]
fn setup_undone_is_as_it_was() {
    let world = solo("");
    let before = shape(&world);
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
    let life = world.run_kept(&setup("--undo"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let after = shape(&world);
    assert_eq!(weights(&world), [("api".to_owned(), 1)]);
    assert!(after.contains("advanced false test false groups 1"), "{after}, before: {before}");
    assert_ne!(service(&world)["deploymentConfiguration"]["strategy"], "BLUE_GREEN");
    // The second group leaves the rule on purpose; nothing else is amiss.
    let violations = world.cloud().violations().to_vec();
    assert!(violations.iter().all(|one| one.what.contains("targetgroup/api-2/")), "{violations:?}");
    let again = world.run(&setup("--undo"));
    assert_eq!(again.code, Some(0), "{}", again.text);
    for moment in life.moments.into_iter().step_by(stride()) {
        let (nth, operation) = (moment.nth, moment.operation);
        let world = World::of(moment.cloud);
        let second = world.run(&setup("--undo"));
        assert_eq!(second.code, Some(0), "killed at call {nth}, {operation}: {}", second.text);
        assert_eq!(shape(&world), after, "killed at call {nth}, {operation}");
    }
    // And ready again.
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
}

#[test]
fn setup_is_not_undone_while_the_copy_serves() {
    let world = solo("");
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
    assert_eq!(world.run("deploy --cluster shop --service api --tag 2").code, Some(0));
    let before = changed(&world);
    let life = world.run(&setup("--undo"));
    refused(&world, before, &life, "the copy serves");
    assert!(life.text.contains("api-2 has traffic"), "{}", life.text);
    assert_eq!(changed(&world), before);
    // While one runs, another one brings nothing back.
    let home = world.run("deploy --cluster shop --service api --tag 1 --no-wait");
    assert_eq!(home.code, Some(0), "{}", home.text);
    world.wait(60);
    let life = world.run(&setup("--undo"));
    assert!(life.text.contains("hint: wait a minute"), "{}", life.text);
    world.wait(1200);
    let life = world.run(&setup("--undo"));
    assert_eq!(life.code, Some(0), "{}", life.text);
}

#[test]
fn setup_is_not_undone_while_the_load_balancer_may_still_follow() {
    let world = solo("");
    assert_eq!(world.run(&setup(&format!("{ROLE} --bake 0m"))).code, Some(0));
    let groups = world.call("elasticloadbalancing", "DescribeTargetGroups", "");
    for arn in parts(&groups, "TargetGroupArn") {
        let attribute = "Attributes.member.1.Key=deregistration_delay.timeout_seconds&Attributes.member.1.Value=0";
        let body = format!("TargetGroupArn={arn}&{attribute}");
        world.call("elasticloadbalancing", "ModifyTargetGroupAttributes", &body);
    }
    for tag in ["2", "1"] {
        let life = world.run(&format!("deploy --cluster shop --service api --tag {tag}"));
        assert_eq!(life.code, Some(0), "{}", life.text);
    }
    // ECS calls it complete a while after it has ended.
    world.wait(70);
    let before = changed(&world);
    let life = world.run(&setup("--undo"));
    refused(&world, before, &life, "too early");
    assert!(life.text.contains("may send requests to api-2 for another "), "{}", life.text);
    world.wait(120);
    let life = world.run(&setup("--undo"));
    assert_eq!(life.code, Some(0), "{}", life.text);
}

#[test]
fn setup_survives_a_lost_answer_of_every_change() {
    let calls = {
        let world = solo("");
        world.run(&setup(ROLE)).operations
    };
    let changes = ["CreateTargetGroup", "ModifyListener", "UpdateService"];
    for (index, operation) in calls.iter().enumerate() {
        if !changes.contains(&operation.as_str()) {
            continue;
        }
        let faults = [
            ("reset before", Interference::ResetBefore),
            ("reset after", Interference::ResetAfter),
            ("answer hung", Interference::LoseAnswer),
        ];
        for (name, fault) in faults {
            let world = solo("");
            let nth = u32::try_from(index + 1).expect("few calls");
            let life =
                world.live(&setup(ROLE), Fate { once: Some((nth, fault)), ..Fate::default() });
            let code = life.code;
            assert!(matches!(code, Some(0 | 3 | 4)), "{operation} {name}: {code:?} {}", life.text);
            let again = world.run(&setup(ROLE));
            assert_eq!(again.code, Some(0), "{operation} {name}: {}", again.text);
            harmless(&world);
        }
    }
}

/// The listener on this port and its default rule.
fn listener(world: &World, port: u16) -> [String; 2] {
    let arn = world.listener(port);
    let rules = world.call("elasticloadbalancing", "DescribeRules", &format!("ListenerArn={arn}"));
    [arn, parts(&rules, "RuleArn").remove(0)]
}

#[test]
fn setup_with_a_rule_for_test_traffic() {
    let world = solo(
        "[[listener]]\nname = 'test'\nloadBalancer = 'shop'\nport = 8443\nprotocol = 'HTTPS'\n\
         actions = [{ type = 'forward', targetGroups = [{ targetGroup = 'api', weight = 1 }] }]\n",
    );
    let before = changed(&world);
    refused(&world, before, &world.run(&setup(ROLE)), "two rules");
    let [_, rule] = listener(&world, 8443);
    let life = world.run(&setup(&format!("{ROLE} --test-rule {rule}")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let own = service(&world);
    let advanced = &own["loadBalancers"][0]["advancedConfiguration"];
    assert_eq!(advanced["testListenerRule"], json!(rule));
    let deployed = world.run("deploy --cluster shop --service api --tag 2");
    assert_eq!(deployed.code, Some(0), "{}", deployed.text);
    harmless(&world);
}

#[test]
fn setup_finds_the_rule_for_test_traffic_in_a_listener() {
    let rule = |priority: u32, group: &str| {
        format!(
            "[[rule]]\nname = 'test-{priority}'\nlistener = 'test'\npriority = {priority}\n\
             conditions = [{{ field = 'path-pattern', values = ['/{priority}/*'] }}]\n\
             actions = [{{ type = 'forward', targetGroup = '{group}' }}]\n"
        )
    };
    let test = |rules: &str| {
        solo(&format!(
            "[[target_group]]\nname = 'other'\nport = 8080\n\
             [[listener]]\nname = 'test'\nloadBalancer = 'shop'\nport = 8443\nprotocol = 'HTTPS'\n\
             actions = [{{ type = 'forward', targetGroup = 'other' }}]\n{rules}"
        ))
    };
    let world = test(&(rule(1, "other") + &rule(2, "api")));
    let arn = world.listener(8443);
    let life = world.run(&setup(&format!("{ROLE} --test-listener {arn}")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let chosen =
        service(&world)["loadBalancers"][0]["advancedConfiguration"]["testListenerRule"].clone();
    let chosen = chosen.as_str().expect("an ARN");
    let answer =
        world.call("elasticloadbalancing", "DescribeRules", &format!("RuleArns.member.1={chosen}"));
    assert!(
        answer.contains("<Value>/2/*</Value>") || answer.contains("<member>/2/*</member>"),
        "{answer}"
    );
    let again = world.run(&setup(&format!("{ROLE} --test-listener {arn}")));
    assert_eq!(again.code, Some(0), "{}", again.text);
    assert!(again.text.contains("set up already"), "{}", again.text);
    for (rules, said) in [
        (rule(1, "other"), "does not forward to api"),
        (rule(1, "api") + &rule(2, "api"), "2 rules of that listener send requests to api"),
    ] {
        let world = test(&rules);
        let before = changed(&world);
        let life = world.run(&setup(&format!("{ROLE} --test-listener {arn}")));
        refused(&world, before, &life, said);
        assert!(life.text.contains(said), "{}", life.text);
    }
}

/// Rules of the listener on port 443, as DescribeRules shows each.
fn rules(world: &World) -> Vec<String> {
    let body = format!("ListenerArn={}", world.listener(443));
    let answer = world.call("elasticloadbalancing", "DescribeRules", &body);
    answer.split("<RuleArn>").skip(1).map(|one| format!("<RuleArn>{one}")).collect()
}

fn text(xml: &str, name: &str) -> String {
    parts(xml, name).into_iter().next().unwrap_or_default()
}

/// The rule for test traffic.
fn test_rule(world: &World) -> Option<String> {
    rules(world).into_iter().find(|rule| rule.contains("http-header"))
}

const HEADER: &str = "--test-header X-Preview=1";

/// A service that a rule with this priority and these conditions sends its requests to, and more.
fn ruled(priority: u32, conditions: &str, more: &str) -> String {
    format!(
        "[[target_group]]\nname = 'other'\nport = 8080\n\
         [[listener]]\nname = 'https'\n\
         actions = [{{ type = 'forward', targetGroups = [{{ targetGroup = 'other', weight = 1 }}] }}]\n\
         [[rule]]\nname = 'api'\nlistener = 'https'\npriority = {priority}\n\
         conditions = [{conditions}]\nactions = [{{ type = 'forward', targetGroup = 'api' }}]\n{more}"
    )
}

/// A rule of somebody else's.
fn others(priority: u32) -> String {
    format!(
        "[[rule]]\nname = 'other-{priority}'\nlistener = 'https'\npriority = {priority}\n\
         conditions = [{{ field = 'path-pattern', values = ['/other/*'] }}]\n\
         actions = [{{ type = 'forward', targetGroup = 'other' }}]\n"
    )
}

#[test]
fn setup_makes_a_rule_for_test_traffic_and_takes_it_away_again() {
    let world = solo("");
    let life = world.run(&setup(&format!("{ROLE} {HEADER}")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let rule = test_rule(&world).expect("a rule");
    assert_eq!(text(&rule, "Priority"), "50000");
    assert!(rule.contains("<HttpHeaderName>X-Preview</HttpHeaderName>"), "{rule}");
    let arn = text(&rule, "RuleArn");
    let own = service(&world);
    let advanced = &own["loadBalancers"][0]["advancedConfiguration"];
    assert_eq!(advanced["testListenerRule"], json!(arn));
    let tags =
        world.call("elasticloadbalancing", "DescribeTags", &format!("ResourceArns.member.1={arn}"));
    let of = advanced["productionListenerRule"].as_str().expect("an ARN");
    assert!(tags.contains(&format!("<Key>ecs-bg:test-of</Key><Value>{of}</Value>")), "{tags}");
    harmless(&world);
    // Again, with and without it: nothing is left to do.
    let before = changed(&world);
    for more in [HEADER, "", "--test-header x-preview=1"] {
        let life = world.run(&setup(more));
        assert_eq!(life.code, Some(0), "{more}: {}", life.text);
    }
    let other = world.run(&setup("--test-header X-Preview=2"));
    refused(&world, before, &other, "another header");
    assert!(other.text.contains("setup --cluster shop --service api --undo"), "{}", other.text);
    assert_eq!(changed(&world), before);
    // ECS shows the new version on it, and comes back.
    for tag in ["2", "1"] {
        let life = world.run(&format!("deploy --cluster shop --service api --tag {tag}"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        world.wait(600);
    }
    harmless(&world);
    let life = world.run(&setup("--undo"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert_eq!(test_rule(&world), None);
    assert_eq!(weights(&world).len(), 1);
}

#[test]
fn setup_copies_the_conditions_of_the_production_rule_for_test_traffic() {
    let conditions = "{ field = 'host-header', values = ['a.example'] }, \
                      { field = 'path-pattern', values = ['/v2/*'] }";
    let world = solo(&ruled(10, conditions, &(others(9) + &others(20))));
    let life = world.run(&setup(&format!("{ROLE} {HEADER}")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let rule = test_rule(&world).expect("a rule");
    assert_eq!(text(&rule, "Priority"), "8");
    for part in
        ["<Field>host-header<", "a.example", "<Field>path-pattern<", "/v2/*", "targetgroup/api/"]
    {
        assert!(rule.contains(part), "{part}: {rule}");
    }
    harmless(&world);
    let again = world.run(&setup(HEADER));
    assert_eq!(again.code, Some(0), "{}", again.text);
    let deployed = world.run("deploy --cluster shop --service api --tag 2");
    assert_eq!(deployed.code, Some(0), "{}", deployed.text);
    // Undo takes away no rule but its own.
    assert_eq!(world.run("deploy --cluster shop --service api --tag 1").code, Some(0));
    world.wait(600);
    let life = world.run(&setup("--undo"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert_eq!(rules(&world).len(), 4);
}

#[test]
fn setup_with_a_test_header_survives_death_at_every_call() {
    let command = setup(&format!("{ROLE} {HEADER}"));
    let whole = solo("");
    let life = whole.run_kept(&command);
    assert_eq!(life.code, Some(0), "{}", life.text);
    let wanted = shape(&whole);
    assert!(wanted.contains("test true") && wanted.contains("rules 2"), "{wanted}");
    let mut tried = 0;
    for (index, moment) in life.moments.into_iter().enumerate() {
        if index % stride() != 0 && moment.operation != "CreateRule" {
            continue;
        }
        tried += usize::from(moment.operation == "CreateRule");
        let (nth, operation) = (moment.nth, moment.operation);
        let world = World::of(moment.cloud);
        let second = world.run(&command);
        assert_eq!(second.code, Some(0), "killed at call {nth}, {operation}: {}", second.text);
        assert_eq!(shape(&world), wanted, "killed at call {nth}, {operation}");
    }
    assert!(tried > 0);
    // Without the header it goes on with the rule that is there.
    let world = solo("");
    assert_eq!(world.run_denied(&command, &["CreateTargetGroup"]).code, Some(4));
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert_eq!(shape(&world), wanted);
    // And back, whenever it was killed.
    let life = world.run_kept(&setup("--undo"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let bare = shape(&world);
    assert!(bare.contains("test false") && bare.contains("rules 1"), "{bare}");
    for (index, moment) in life.moments.into_iter().enumerate() {
        if index % stride() != 0 && moment.operation != "DeleteRule" {
            continue;
        }
        let world = World::of(moment.cloud);
        let second = world.run(&setup("--undo"));
        assert_eq!(second.code, Some(0), "{}", second.text);
        assert_eq!(shape(&world), bare, "killed at {}", moment.operation);
    }
    // What is made first is denied: nothing was changed.
    let world = solo("");
    let before = changed(&world);
    refused(&world, before, &world.run_denied(&command, &["CreateRule"]), "CreateRule denied");
}

#[test]
fn setup_refuses_a_test_header_that_no_rule_can_have() {
    let path = "{ field = 'path-pattern', values = ['/v2/*'] }";
    let many = "{ field = 'path-pattern', values = ['/a', '/b', '/c', '/d', '/e'] }";
    let network = "[[load_balancer]]\nname = 'shop'\ntype = 'network'\n\
                   [[listener]]\nname = 'https'\nprotocol = 'TCP'\n\
                   [[target_group]]\nname = 'api'\nprotocol = 'TCP'\n";
    let cases = [
        (ruled(1, path, &others(2)), "no priority is free before rule shop:443/1"),
        (ruled(7, many, ""), "there would be 6 values"),
        (network.to_owned(), "Network Load Balancer"),
    ];
    for (more, said) in cases {
        let world = solo(&more);
        let before = changed(&world);
        let life = world.run(&setup(&format!("{ROLE} {HEADER}")));
        refused(&world, before, &life, said);
        assert!(life.text.contains(said), "{said}: {}", life.text);
        assert!(life.text.contains(r#"hint: "#), "{said}: {}", life.text);
    }
    // The hint makes a priority free, and keeps the order.
    let world = solo(&ruled(1, path, &others(2)));
    let life = world.run(&setup(&format!("{ROLE} {HEADER}")));
    let moves = life.text.split_whitespace().filter_map(|word| {
        let (arn, priority) = word.strip_prefix("RuleArn=")?.split_once(",Priority=")?;
        Some((arn.to_owned(), priority.to_owned()))
    });
    let moves: Vec<(String, String)> = moves.collect();
    let body: Vec<String> = moves
        .iter()
        .enumerate()
        .map(|(at, (arn, priority))| {
            let member = format!("RulePriorities.member.{}", at + 1);
            format!("{member}.RuleArn={arn}&{member}.Priority={priority}")
        })
        .collect();
    world.call("elasticloadbalancing", "SetRulePriorities", &body.join("&"));
    let life = world.run(&setup(&format!("{ROLE} {HEADER}")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let order: Vec<String> = rules(&world).iter().map(|rule| text(rule, "Priority")).collect();
    assert_eq!(order, ["1", "2", "3", "default"]);
    // A service that is set up without one, and one without a load balancer.
    let world = solo("");
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
    let before = changed(&world);
    let life = world.run(&setup(HEADER));
    refused(&world, before, &life, "set up already");
    assert!(life.text.contains("is set up already"), "{}", life.text);
    let world = solo(
        "[[service]]\ncluster = 'shop'\nserviceName = 'worker'\ntaskDefinition = 'api:1'\ndesiredCount = 1\n\
         launchType = 'FARGATE'\n\
         networkConfiguration = { awsvpcConfiguration = { subnets = ['subnet-a'] } }\n",
    );
    let before = changed(&world);
    let life = world.run(&format!("setup --cluster shop --service worker {HEADER}"));
    refused(&world, before, &life, "headless");
    assert!(life.text.contains("worker has no load balancer"), "{}", life.text);
}

#[test]
fn setup_makes_no_rule_that_skips_a_sign_in() {
    let world = solo(
        "[[listener]]\nname = 'https'\nactions = [\n\
         { type = 'authenticate-oidc', order = 1, authenticateOidcConfig = { issuer = 'https://id.example.com', authorizationEndpoint = 'https://id.example.com/auth', tokenEndpoint = 'https://id.example.com/token', userInfoEndpoint = 'https://id.example.com/me', clientId = 'shop', clientSecret = 'x' } },\n\
         { type = 'forward', order = 2, targetGroups = [{ targetGroup = 'api', weight = 1 }] }]\n",
    );
    let before = changed(&world);
    let life = world.run(&setup(&format!("{ROLE} {HEADER}")));
    refused(&world, before, &life, "a sign-in");
    assert!(life.text.contains("authenticate-oidc"), "{}", life.text);
}

#[test]
fn setup_with_two_rules_and_one_chosen_warns_of_the_other() {
    let world = solo(
        "[[rule]]\nname = 'more'\nlistener = 'https'\npriority = 10\n\
         conditions = [{ field = 'path-pattern', values = ['/v2/*'] }]\n\
         actions = [{ type = 'forward', targetGroup = 'api' }]\n",
    );
    let text = world.run(&setup(ROLE)).text;
    let arn = text.split([' ', ',', '\n']).find(|word| word.contains(":listener-rule/"));
    let arn = arn.expect("the rules are named").to_owned();
    let life = world.run(&setup(&format!("{ROLE} --production-rule {arn}")));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("also sends requests to api"), "{}", life.text);
    let own = service(&world);
    let advanced = &own["loadBalancers"][0]["advancedConfiguration"];
    assert_eq!(advanced["productionListenerRule"], json!(arn));
}

#[test]
fn setup_behind_a_network_load_balancer_names_the_listener() {
    let world = solo(
        "[[load_balancer]]\nname = 'shop'\ntype = 'network'\n\
         [[listener]]\nname = 'https'\nprotocol = 'TCP'\n\
         [[target_group]]\nname = 'api'\nprotocol = 'TCP'\n",
    );
    let [arn, _] = listener(&world, 443);
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let own = service(&world);
    let advanced = &own["loadBalancers"][0]["advancedConfiguration"];
    assert_eq!(advanced["productionListenerRule"], json!(arn));
    let deployed = world.run("deploy --cluster shop --service api --tag 2");
    assert_eq!(deployed.code, Some(0), "{}", deployed.text);
    harmless(&world);
}

const CREATE: &str = "--create-role ecs-load-balancers";
const POLICY: &str = "arn:aws:iam::aws:policy/AmazonECSInfrastructureRolePolicyForLoadBalancers";

/// Somebody makes the role, which this service can assume.
fn make_role(world: &World, trusts: &str) {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": trusts}, "Action": "sts:AssumeRole"}],
    });
    let trust = trust.to_string().replace('"', "%22");
    let body = format!("RoleName=ecs-load-balancers&AssumeRolePolicyDocument={trust}");
    world.call("iam", "CreateRole", &body);
}

/// The managed policies of the role.
fn policies(world: &World) -> Vec<String> {
    let answer = world.call("iam", "ListAttachedRolePolicies", "RoleName=ecs-load-balancers");
    parts(&answer, "PolicyArn")
}

#[test]
fn setup_makes_the_role_and_waits_until_ecs_can_assume_it() {
    let world = solo("");
    let life = world.run(&setup(CREATE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    for said in [
        "created role ecs-load-balancers, which trusts ecs.amazonaws.com",
        "attached AmazonECSInfrastructureRolePolicyForLoadBalancers to role ecs-load-balancers",
        "waiting until ECS can assume role ecs-load-balancers",
    ] {
        assert!(life.text.contains(said), "{said}: {}", life.text);
    }
    assert_eq!(policies(&world), [POLICY]);
    let advanced = service(&world)["loadBalancers"][0]["advancedConfiguration"].clone();
    assert_eq!(advanced["roleArn"], "arn:aws:iam::123456789012:role/ecs-load-balancers");
    harmless(&world);
    let before = changed(&world);
    for more in [CREATE, ROLE, ""] {
        let again = world.run(&setup(more));
        assert_eq!(again.code, Some(0), "{more}: {}", again.text);
    }
    assert_eq!(changed(&world), before);
    // ECS changes the rule with it, there and back.
    for tag in ["2", "1"] {
        let deployed = world.run(&format!("deploy --cluster shop --service api --tag {tag}"));
        assert_eq!(deployed.code, Some(0), "{}", deployed.text);
        world.wait(600);
    }
    let undone = world.run(&setup("--undo"));
    assert_eq!(undone.code, Some(0), "{}", undone.text);
    assert!(undone.text.contains("role ecs-load-balancers is still there"), "{}", undone.text);
    assert_eq!(policies(&world), [POLICY]);
}

#[test]
fn setup_uses_a_role_that_is_there() {
    // Without the policy, and with it.
    for has_policy in [false, true] {
        let world = solo("");
        make_role(&world, "ecs.amazonaws.com");
        if has_policy {
            let body = format!("RoleName=ecs-load-balancers&PolicyArn={POLICY}");
            world.call("iam", "AttachRolePolicy", &body);
        }
        let life = world.run(&setup(CREATE));
        assert_eq!(life.code, Some(0), "{}", life.text);
        assert!(!life.text.contains("created role"), "{}", life.text);
        assert_eq!(life.text.contains("attached"), !has_policy, "{}", life.text);
        assert_eq!(policies(&world), [POLICY]);
    }
    // A given one, too, may be new.
    let world = solo("");
    make_role(&world, "ecs.amazonaws.com");
    let life = world.run(&setup(ROLE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("waiting until ECS can assume role"), "{}", life.text);
}

#[test]
fn setup_refuses_a_role_that_trusts_others() {
    let world = solo("");
    make_role(&world, "ec2.amazonaws.com");
    let before = changed(&world);
    let life = world.run(&setup(CREATE));
    refused(&world, before, &life, "ec2");
    assert!(life.text.contains("its trust policy names ec2.amazonaws.com"), "{}", life.text);
    assert!(life.text.contains("--create-role with another name"), "{}", life.text);
    for shown in ["--dry-run", "--print cli"] {
        let life = world.run(&setup(&format!("{CREATE} {shown}")));
        refused(&world, before, &life, shown);
    }
}

#[test]
fn setup_with_a_role_to_make_survives_death_at_every_call() {
    let whole = solo("");
    let life = whole.run_kept(&setup(CREATE));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let wanted = shape(&whole);
    let mut tried = 0;
    for (index, moment) in life.moments.into_iter().enumerate() {
        let is_about_roles = moment.operation.contains("Role");
        if index % stride() != 0 && !is_about_roles {
            continue;
        }
        tried += usize::from(is_about_roles);
        let (nth, operation, done) = (moment.nth, moment.operation, moment.done);
        let world = World::of(moment.cloud);
        let second = world.run(&setup(CREATE));
        let said = format!("killed at call {nth}, {operation} ({done}): {}", second.text);
        assert_eq!(second.code, Some(0), "{said}");
        assert_eq!(shape(&world), wanted, "{said}");
        assert_eq!(policies(&world), [POLICY], "{said}");
        harmless(&world);
    }
    assert!(tried >= 6, "{tried}");
}

#[test]
fn setup_that_may_not_make_the_role_says_what_to_do() {
    let hint = "have an administrator make the role and give its ARN: --infrastructure-role ARN";
    for denied in ["GetRole", "CreateRole"] {
        let world = solo("");
        let before = changed(&world);
        let list: &'static [&'static str] = Box::leak(Box::new([denied]));
        let life = world.run_denied(&setup(CREATE), list);
        refused(&world, before, &life, denied);
        let action = format!("allow {denied} to these credentials");
        assert!(life.text.contains(&action) && life.text.contains(hint), "{}", life.text);
    }
    for denied in ["ListAttachedRolePolicies", "AttachRolePolicy"] {
        let world = solo("");
        let list: &'static [&'static str] = Box::leak(Box::new([denied]));
        let life = world.run_denied(&setup(CREATE), list);
        assert_eq!(life.code, Some(4), "{denied}: {}", life.text);
        assert!(life.text.contains("created role ecs-load-balancers"), "{}", life.text);
        assert_eq!(world.run(&setup(CREATE)).code, Some(0), "{denied}");
    }
}

#[test]
fn setup_with_a_role_that_ecs_cannot_assume_for_long() {
    let world = solo("[timing]\nrole = '5m'\n");
    let life = world.run(&setup(CREATE));
    assert_eq!(life.code, Some(4), "{}", life.text);
    let said = "ECS cannot assume role ecs-load-balancers after 1m";
    assert!(life.text.contains(said), "{}", life.text);
    harmless(&world);
    // Nothing was changed by this one: the error is AWS's.
    let before = changed(&world);
    let again = world.run(&setup(CREATE));
    refused(&world, before, &again, "not assumable yet");
    assert!(again.text.contains("ECS was unable to assume the role"), "{}", again.text);
    world.wait(300);
    assert_eq!(world.run(&setup(CREATE)).code, Some(0));
    // One that is interrupted while it waits.
    let world = solo("[timing]\nrole = '5m'\n");
    let life = world.run_interrupted(&setup(CREATE), 20, 1);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("interrupted"), "{}", life.text);
}

#[test]
fn setup_whose_role_comes_to_be_between_two_looks() {
    // The answer to CreateRole is lost, and somebody else makes it at the same time.
    for fault in [Interference::ResetBefore, Interference::ResetAfter, Interference::LoseAnswer] {
        let calls = solo("").run(&setup(CREATE)).operations;
        for (index, operation) in calls.iter().enumerate() {
            if !["CreateRole", "AttachRolePolicy"].contains(&operation.as_str()) {
                continue;
            }
            let nth = u32::try_from(index + 1).expect("few calls");
            let world = solo("");
            let once = Some((nth, fault.clone()));
            let life = world.live(&setup(CREATE), Fate { once, ..Fate::default() });
            assert_eq!(life.code, Some(0), "{operation} {fault:?}: {}", life.text);
            assert_eq!(policies(&world), [POLICY]);
        }
    }
    let world = solo("");
    let [first, second] = world.run_together(&setup(CREATE), &setup(CREATE), 70);
    for life in [first, second] {
        assert!(matches!(life.code, Some(0 | 3 | 4)), "{:?} {}", life.code, life.text);
    }
    assert_eq!(world.run(&setup(CREATE)).code, Some(0));
}

/// A service whose CPU is followed, and one rule beside the default one.
fn scaled() -> World {
    solo(
        "[[rule]]\nname = 'more'\nlistener = 'https'\npriority = 10\n\
         conditions = [{ field = 'path-pattern', values = ['/v2/*'] }]\n\
         actions = [{ type = 'forward', targetGroup = 'api' }]\n\
         [[scalable_target]]\nservice = 'shop/api'\nmin = 2\nmax = 4\ncpu = 20\n\
         requests = { targetGroup = 'api', target = 1000 }\n",
    )
}

#[test]
fn setup_for_the_listener_prints_a_pair_and_changes_nothing() {
    for (world, parts) in [
        (
            solo(""),
            &[
                "create-target-group --name 'api-2'",
                "modify-listener",
                "create-service",
                "ecs-bg:twin",
            ][..],
        ),
        (
            scaled(),
            &[
                "modify-rule",
                "register-scalable-target",
                "put-scaling-policy",
                "SECOND##*:",
                "MinCapacity 0",
            ],
        ),
    ] {
        let before = changed(&world);
        let life = world.run(&setup("--engine listener --print cli"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        for part in parts {
            let part = part.replace("MinCapacity", "--min-capacity");
            assert!(life.text.contains(&part), "{part}: {}", life.text);
        }
        assert_eq!(changed(&world), before);
        // Each weight is written out, and the first side keeps all the traffic.
        assert!(life.text.contains(r#""Weight":100"#) && life.text.contains(r#""Weight":0"#));
        let named = world.run(&setup("--engine listener --twin other --print terraform"));
        assert_eq!(named.code, Some(0), "{}", named.text);
        assert!(named.text.contains(r#"resource "aws_ecs_service" "other""#), "{}", named.text);
        assert!(named.text.contains("ignore_changes = [task_definition, desired_count]"));
        assert_eq!(changed(&world), before);
    }
}

#[test]
fn setup_for_the_listener_does_nothing_without_print() {
    let world = solo("");
    let before = changed(&world);
    for more in ["", "--dry-run", "--print cli --bake 5m", "--print cli --create-role x"] {
        let life = world.run(&setup(&format!("--engine listener {more}")));
        assert_eq!(life.code, Some(2), "{more}: {}", life.text);
        assert!(life.text.contains("--engine listener"), "{more}: {}", life.text);
    }
    assert_eq!(changed(&world), before);
    let life = world.run(&setup("--engine listener"));
    let said = "it prints what to create; nothing is changed yet";
    assert!(life.text.contains(said) && life.text.contains("--print cli"), "{}", life.text);
}

#[test]
fn setup_for_the_listener_refuses_what_cannot_be_a_pair() {
    let group = "[[target_group]]\nname = 'other'\nport = 8080\n";
    let rule = |weights: &str| {
        format!(
            "{group}[[rule]]\nname = 'more'\nlistener = 'https'\npriority = 10\n\
             conditions = [{{ field = 'path-pattern', values = ['/v2/*'] }}]\n\
             actions = [{{ type = 'forward', targetGroups = [{weights}] }}]\n"
        )
    };
    let service = |name: &str, more: &str| {
        format!(
            "[[service]]\ncluster = 'shop'\nserviceName = '{name}'\ntaskDefinition = 'api:1'\ndesiredCount = 1\n\
             launchType = 'FARGATE'\n{more}\
             networkConfiguration = {{ awsvpcConfiguration = {{ subnets = ['subnet-a'] }} }}\n"
        )
    };
    let balancers = |list: &[&str]| {
        let one = |name: &&str| {
            format!("{{ targetGroup = '{name}', containerName = 'api', containerPort = 8080 }}")
        };
        format!("loadBalancers = [{}]\n", list.iter().map(one).collect::<Vec<_>>().join(", "))
    };
    let both = "{ targetGroup = 'api', weight = 1 }, { targetGroup = 'other', weight = 1 }";
    let own = "[[service]]\ncluster = 'shop'\nserviceName = 'api'\n";
    let cases = [
        (rule(both), "", "other"),
        (
            rule("{ targetGroup = 'other', weight = 1 }") + own + &balancers(&["api", "other"]),
            "",
            "2 target groups",
        ),
        (service("api-green", ""), "", "there is a service api-green"),
        (String::new(), "--twin api", "the service itself"),
        (
            "[[target_group]]\nname = 'api'\nattributes = { 'stickiness.enabled' = 'true' }\n"
                .to_owned(),
            "",
            "sticki",
        ),
        (
            group.replace("other", "api-2") + "targetType = 'instance'\n",
            "",
            "api-2 differs from api",
        ),
    ];
    for (more, options, said) in cases {
        let world = solo(&more);
        let before = changed(&world);
        let life = world.run(&setup(&format!("--engine listener --print cli {options}")));
        refused(&world, before, &life, said);
        assert!(life.text.contains(said), "{said}: {}", life.text);
        assert!(life.text.contains("hint: "), "{said}: {}", life.text);
    }
    // One without a load balancer, one that ECS shifts, and one whose auto scaling is not shown.
    let world = solo(&service("worker", ""));
    let life = world.run("setup --cluster shop --service worker --engine listener --print cli");
    assert_eq!(life.code, Some(3), "{}", life.text);
    let world = solo("");
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
    let life = world.run(&setup("--engine listener --print cli"));
    assert_eq!(life.code, Some(3), "{}", life.text);
    for denied in ["DescribeScalableTargets", "DescribeScalingPolicies", "DescribeTags"] {
        let list: &'static [&'static str] = Box::leak(Box::new([denied]));
        let life = scaled().run_denied(&setup("--engine listener --print cli"), list);
        assert_eq!(life.code, Some(3), "{denied}: {}", life.text);
        assert!(life.text.contains(denied), "{denied}: {}", life.text);
    }
}

/// The second target group of a pair is its twin's.
#[test]
fn setup_does_not_undo_a_pair() {
    let world = World::new("shop");
    let groups = world.call("elasticloadbalancing", "DescribeTargetGroups", "");
    let second = parts(&groups, "TargetGroupArn").into_iter().find(|arn| arn.contains("/web-b/"));
    let second = second.expect("a second group");
    let before = changed(&world);
    for dry in ["", " --dry-run"] {
        let life = world.run(&format!(
            "setup --cluster shop --service web --undo --alternate-target-group {second}{dry}"
        ));
        refused(&world, before, &life, "a pair");
        assert!(life.text.contains("web has the twin web-green"), "{}", life.text);
    }
}

#[test]
fn setup_for_the_listener_of_a_pair_has_nothing_to_do() {
    let world = World::new("shop");
    let life = world.run("setup --cluster shop --service web --engine listener --print cli");
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(life.text.contains("# nothing to do"), "{}", life.text);
}

/// Terraform itself finds nothing to align, where it is there.
#[test]
fn setup_prints_terraform_that_is_formatted() {
    let listener = "--engine listener --print terraform";
    let network = "[[load_balancer]]\nname = 'shop'\ntype = 'network'\n\
                   [[listener]]\nname = 'https'\nprotocol = 'TCP'\n\
                   [[target_group]]\nname = 'api'\nprotocol = 'TCP'\n";
    let printed = [
        (solo(""), format!("{ROLE} --print terraform")),
        (solo(""), format!("{CREATE} {HEADER} --strategy linear:20/2m --print terraform")),
        (solo(""), listener.to_owned()),
        (scaled(), listener.to_owned()),
        (solo(network), listener.to_owned()),
    ];
    for (world, options) in printed {
        let life = world.run(&setup(&options));
        assert_eq!(life.code, Some(0), "{options}: {}", life.text);
        let mut child = match std::process::Command::new("terraform")
            .args(["fmt", "-check", "-diff", "-"])
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
        {
            Ok(child) => child,
            // It is checked where Terraform is.
            Err(_) => return,
        };
        let mut stdin = child.stdin.take().expect("a pipe");
        std::io::Write::write_all(&mut stdin, life.text.as_bytes()).expect("written");
        drop(stdin);
        let done = child.wait_with_output().expect("an end");
        let said = String::from_utf8_lossy(&done.stdout) + String::from_utf8_lossy(&done.stderr);
        assert!(done.status.success(), "{options}:\n{}\n{said}", life.text);
    }
}

/// What an option asks for is there, or is said not to be.
#[test]
fn a_service_that_is_set_up_with_something_else_is_not_called_done() {
    let world = solo("");
    let first = world.run(&setup(&format!("{ROLE} --test-header X-Preview=1")));
    assert_eq!(first.code, Some(0), "{}", first.text);
    let before = shape(&world);
    let same = ["", ROLE, "--create-role ecs-load-balancers", "--test-header x-preview=1"];
    for options in same {
        let life = world.run(&setup(options));
        assert_eq!(life.code, Some(0), "{options}: {}", life.text);
        assert!(life.text.contains("set up already"), "{options}: {}", life.text);
    }
    let arn = "arn:aws:elasticloadbalancing:eu-central-1:123456789012";
    for options in [
        "--infrastructure-role arn:aws:iam::123456789012:role/other".to_owned(),
        "--create-role other".to_owned(),
        format!("--test-rule {arn}:listener-rule/app/x/1/2/3"),
        format!("--production-rule {arn}:listener-rule/app/x/1/2/3"),
        format!("--alternate-target-group {arn}:targetgroup/x/1"),
    ] {
        let option = options.split(' ').next().unwrap_or_default();
        let life = world.run(&setup(&options));
        assert_eq!(life.code, Some(3), "{options}: {}", life.text);
        assert!(
            life.text.contains(&format!("{option}: api is set up already, with")),
            "{}",
            life.text
        );
        assert!(life.text.contains("hint: "), "{}", life.text);
    }
    assert_eq!(shape(&world), before);
}

#[test]
fn a_quota_that_is_reached_is_said_before_any_change() {
    let header = format!("{ROLE} --test-header X-Preview=1");
    for (quota, fits, options) in [
        ("target-groups", 2, ROLE),
        ("target-groups-per-application-load-balancer", 2, ROLE),
        ("rules-per-application-load-balancer", 1, header.as_str()),
    ] {
        let limit = |max: u32| format!("[[limit]]\nname = '{quota}'\nmax = {max}\n");
        let world = solo(&limit(fits - 1));
        let before = changed(&world);
        let life = world.run(&setup(options));
        refused(&world, before, &life, quota);
        assert!(life.text.contains(&format!("quota {quota} is {}", fits - 1)), "{}", life.text);
        let hint = life.text.lines().find(|line| line.contains("hint: ")).unwrap_or_default();
        assert!(hint.contains("higher quota") || hint.contains("another load balancer"), "{hint}");
        let life = solo(&limit(fits)).run(&setup(options));
        assert_eq!(life.code, Some(0), "{quota}: {}", life.text);
    }
    // A rule is no matter where none is made.
    let world = solo("[[limit]]\nname = 'rules-per-application-load-balancer'\nmax = 0\n");
    assert_eq!(world.run(&setup(ROLE)).code, Some(0));
}

/// Who may not read quotas is told by AWS.
#[test]
fn quotas_that_may_not_be_read_keep_nothing_from_being_set_up() {
    for denied in [&["DescribeAccountLimits"][..], &[]] {
        let denied: &'static [&'static str] = denied;
        let life = solo("").run_denied(&setup(ROLE), denied);
        assert_eq!(life.code, Some(0), "{denied:?}: {}", life.text);
        assert!(life.calls.contains_key("DescribeAccountLimits"), "{:?}", life.calls);
    }
}

/// What may not be read is not undone, and nobody says that it is.
#[test]
fn an_undo_that_loses_a_permission_says_so_and_is_no_success() {
    for (denied, action) in [
        ("DescribeTags", "elasticloadbalancing:DescribeTags"),
        ("DescribeRules", "elasticloadbalancing:Describe*"),
        ("DescribeTargetGroups", "elasticloadbalancing:Describe*"),
        ("DescribeTargetHealth", "elasticloadbalancing:DescribeTargetHealth"),
    ] {
        for after in [0, 30] {
            let world = solo("");
            assert_eq!(world.run(&setup(ROLE)).code, Some(0));
            let order = order(denied, ("denied", Kind::Denied, 0));
            let life = world.run_beside(&setup("--undo"), after, move |cloud| {
                cloud.set_faults(vec![order.clone()]).expect("a fault");
            });
            let code = if after == 0 { 3 } else { 4 };
            assert_eq!(life.code, Some(code), "{denied} after {after} s: {}", life.text);
            assert!(life.text.contains(action), "{denied} after {after} s: {}", life.text);
            // With the permission it goes on to its end.
            world.cloud().set_faults(vec![]).expect("no faults");
            world.wait(120);
            let again = world.run(&setup("--undo"));
            assert_eq!(again.code, Some(0), "{denied} after {after} s: {}", again.text);
            assert!(shape(&world).contains("groups 1"), "{denied}: {}", shape(&world));
        }
    }
}

/// A service that scales resets no count of its own, and a pair whose second service does not scale is not done.
#[test]
fn what_scales_is_printed_as_it_has_to_be() {
    let scales = "[[scalable_target]]\nservice = 'shop/api'\nmin = 1\nmax = 4\ncpu = 20\n";
    let life = solo(scales).run(&setup(&format!("{ROLE} --print terraform")));
    assert!(
        life.text.contains("ignore_changes = [task_definition, desired_count]"),
        "{}",
        life.text
    );
    let pair = World::parsed(&format!("extends = 'shop'\n{}", scales.replace("api", "web")));
    let life = pair.run("setup --cluster shop --service web --engine listener --print cli");
    assert!(life.text.contains("register-scalable-target"), "{}", life.text);
    assert!(life.text.contains("service/shop/web-green"), "{}", life.text);
    assert!(!life.text.contains("create-service"), "{}", life.text);
}
