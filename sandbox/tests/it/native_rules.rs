//! Listener rules and target groups of service deployments that shift traffic: what ECS reads, writes and
//! refuses.

use serde_json::{Value, json};

use ecs_bg_sandbox::journal::Change;

use crate::{native::Shop, support::World};

/// Writes a rule, as anybody can.
fn write(shop: &mut Shop, rule: &str, groups: &[(&str, u32)]) {
    let arn = shop.rule(rule);
    let groups: Vec<Value> = groups
        .iter()
        .map(|(group, weight)| json!({"TargetGroupArn": shop.0.group(group), "Weight": weight}))
        .collect();
    let actions = json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}]);
    shop.0.elb("ModifyRule", json!({"RuleArn": arn, "Actions": actions})).expect("modified");
}

fn other_group(shop: &mut Shop, name: &str) -> String {
    let request = json!({"Name": name, "Port": 8080, "Protocol": "HTTP", "TargetType": "ip", "VpcId": "vpc-1"});
    let answer = shop.0.elb("CreateTargetGroup", request).expect("created");
    answer["TargetGroups"][0]["TargetGroupArn"].as_str().expect("an ARN").to_owned()
}

fn calls(world: &World) -> Vec<(String, String)> {
    let call = |change: &Change| match change {
        Change::CalledByEcs { operation, resource, session } => {
            assert_eq!(session, "ECSNetworkingWithELB");
            Some((operation.clone(), resource.clone()))
        }
        _ => None,
    };
    world.cloud.journal().iter().filter_map(|entry| call(&entry.change)).collect()
}

#[test]
fn ecs_writes_three_rules_for_a_deployment_and_the_journal_says_so() {
    let mut shop = Shop::with("");
    shop.deploy("2");
    shop.listed().end();
    let (production, test) = (shop.rule("production"), shop.rule("test"));
    let text = |arn: &Value| arn.as_str().expect("an ARN").to_owned();
    let modify = |arn: &Value| ("ModifyRule".to_owned(), text(arn));
    assert_eq!(calls(&shop.0), [modify(&test), modify(&production), modify(&production)]);
    let by_clients = shop.0.cloud.journal().iter().filter(|entry| {
        entry.call.is_some()
            && matches!(entry.change, Change::Actions { .. } | Change::Weights { .. })
    });
    assert_eq!(by_clients.count(), 0);
    let rule = shop.0.elb("DescribeRules", json!({"RuleArns": [production]})).expect("described");
    assert_eq!(rule["Rules"][0]["Actions"][0].get("TargetGroupArn"), None);
    let requests = shop.0.cloud.serving();
    assert!(
        requests.iter().filter(|one| one.weight > 0).all(|one| one.group.contains("/shop-blue/"))
    );
}

#[test]
fn what_is_wrong_with_the_rules_is_found_when_the_deployment_starts() {
    type Breaks = fn(&mut Shop) -> String;
    let cases: &[(&str, Breaks)] = &[
        ("", |shop| {
            write(shop, "production", &[("shop-blue", 50), ("shop-green", 50)]);
            let rule = shop.rule("production");
            format!(
                "productionListenerRule {} should have exactly one target group serving traffic but found 2 target groups which are serving traffic",
                rule.as_str().expect("text")
            )
        }),
        ("", |shop| {
            write(shop, "production", &[("shop-green", 1)]);
            write(shop, "test", &[("shop-green", 1)]);
            let group = shop.0.group("shop-blue");
            format!(
                "Target group {group} is not associated with either productionListenerRule or testListenerRule."
            )
        }),
        ("", |shop| {
            let other = other_group(shop, "other");
            write(shop, "production", &[("other", 1)]);
            write(shop, "test", &[("other", 1)]);
            assert!(other.contains("/other/"));
            "Both targetGroup and alternateTargetGroup must be associated with the productionListenerRule or testListenerRule.".into()
        }),
        ("", |shop| {
            let other = other_group(shop, "other");
            write(shop, "production", &[("other", 1), ("shop-blue", 0), ("shop-green", 0)]);
            let (first, second) = (shop.0.group("shop-blue"), shop.0.group("shop-green"));
            format!(
                "Production listener rule is forwarding traffic to unexpected target group {other}. Expected traffic to be forwarded to either targetGroupArn: {first} or alternateTargetGroupArn: {second}"
            )
        }),
        ("", |shop| {
            let rule = shop.rule("test");
            shop.0.elb("DeleteRule", json!({"RuleArn": rule})).expect("deleted");
            "One or more rules not found".into()
        }),
        ("", |shop| {
            let group = shop.0.group("shop-blue");
            write(shop, "production", &[("shop-green", 1)]);
            write(shop, "test", &[("shop-green", 1)]);
            shop.0.elb("DeleteTargetGroup", json!({"TargetGroupArn": group})).expect("deleted");
            format!("The target group {group} does not exist.")
        }),
    ];
    for (more, breaks) in cases {
        let mut shop = Shop::with(more);
        let before = shop.0.service("shop");
        let text = breaks(&mut shop);
        shop.0.update("shop", json!({"forceNewDeployment": true}));
        let last = shop.listed().end();
        let reason = format!(
            "Service deployment rolled back because of invalid networking configuration. {text}"
        );
        assert_eq!(
            (&last["status"], &last["statusReason"]),
            (&json!("ROLLBACK_SUCCESSFUL"), &json!(reason))
        );
        assert_eq!(shop.0.service("shop")["deployments"][0]["id"], before["deployments"][0]["id"]);
        assert_eq!(calls(&shop.0), []);
    }
}

#[test]
fn the_infrastructure_role_may_lack_rights() {
    let role = "arn:aws:iam::123456789012:role/shop-load-balancers";
    let cases = [
        ("none", format!("of invalid networking configuration. ECS was unable to manage the ELB resources due to missing permissions on ECS Infrastructure Role '{role}'.")),
        ("no-modify", "TEST_TRAFFIC_SHIFT lifecycle hook(s) failed. User: arn:aws:sts::123456789012:assumed-role/shop-load-balancers/ECSNetworkingWithELB is not authorized to perform: elasticloadbalancing:ModifyRule".into()),
    ];
    for (switch, text) in cases {
        let mut shop = Shop::with("");
        let mut unverified = shop.0.cloud.unverified().clone();
        unverified.infrastructure_role = serde_json::from_value(json!(switch)).expect("a role");
        shop.0.cloud.set_unverified(unverified);
        shop.deploy("2");
        let last = shop.listed().end();
        let reason = last["statusReason"].as_str().expect("a reason");
        assert!(
            reason.starts_with(&format!("Service deployment rolled back because {text}")),
            "{reason}"
        );
        assert_eq!(calls(&shop.0), []);
    }
}

#[test]
fn an_empty_test_rule_is_accepted_and_fails_later() {
    let mut shop = Shop::with("");
    let mut balancers = shop.0.service("shop")["loadBalancers"].clone();
    balancers[0]["advancedConfiguration"]["testListenerRule"] = json!("");
    shop.0.update("shop", json!({"loadBalancers": balancers}));
    let last = shop.listed().end();
    let reason = last["statusReason"].as_str().expect("a reason");
    let text = "Service deployment rolled back because TEST_TRAFFIC_SHIFT lifecycle hook(s) failed. A rule ARN must be specified (Service: ElasticLoadBalancingV2, Status Code: 400";
    assert!(reason.starts_with(text), "{reason}");
}

#[test]
fn a_live_group_without_the_live_revision_is_accepted() {
    let mut shop = Shop::with("");
    write(&mut shop, "production", &[("shop-blue", 100), ("shop-green", 0)]);
    shop.deploy("2");
    shop.listed().until("TEST_TRAFFIC_SHIFT");
    assert_eq!(shop.0.states("shop-green").len(), 4, "both revisions are in one group");
    let answers = shop.0.cloud.serving();
    let live = answers.iter().filter(|one| one.weight > 0 && one.group.contains("/shop-blue/"));
    assert!(live.clone().count() > 0 && live.clone().all(|one| one.healthy == 0), "nobody answers");
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
}

#[test]
fn after_a_rollback_the_same_group_is_next() {
    let mut shop = Shop::with("");
    shop.deploy("4");
    shop.listed().end();
    shop.deploy("2");
    assert_eq!(shop.listed().end()["status"], "SUCCESSFUL");
    assert_eq!(shop.weights("production"), (100, 0));
    shop.0.pass(60);
    shop.deploy("5");
    assert_eq!(shop.listed().end()["status"], "SUCCESSFUL");
    assert_eq!((shop.weights("production"), shop.weights("test")), ((0, 100), (0, 100)));
}

#[test]
fn only_a_revision_that_is_active_says_which_group_it_has() {
    let mut shop = Shop::with("");
    let groups = |shop: &mut Shop, one: &Value| {
        let request = json!({"serviceRevisionArns": [one["arn"]]});
        let answer = shop.0.ecs("DescribeServiceRevisions", request).expect("described");
        answer["serviceRevisions"][0].get("resolvedConfiguration").cloned()
    };
    let resolved = |arn: String| Some(json!({"loadBalancers": [{"targetGroupArn": arn}]}));
    let (blue, green) = (shop.0.group("shop-blue"), shop.0.group("shop-green"));
    shop.deploy("2");
    let one = shop.listed().until("BAKE_TIME");
    assert_eq!(groups(&mut shop, &one["targetServiceRevision"]), resolved(blue));
    assert_eq!(groups(&mut shop, &one["sourceServiceRevisions"][0]), resolved(green));
    shop.end();
    assert_eq!(groups(&mut shop, &one["sourceServiceRevisions"][0]), None);
}

/// A service of its own way of naming its rules.
fn other(more: &str, service: &str) -> Shop {
    Shop::with(&format!("{more}\n[[service]]\nserviceName = 'shop'\n{service}"))
}

#[test]
fn a_listeners_default_rule_is_written_by_its_listener() {
    let pair =
        "[{ targetGroup = 'shop-blue', weight = 1 }, { targetGroup = 'shop-green', weight = 0 }]";
    let mut shop = Shop::with(&format!(
        "[[listener]]\nname = 'https'\nactions = [{{ type = 'forward', targetGroups = {pair} }}]"
    ));
    let listeners = shop.0.elb("DescribeLoadBalancers", json!({})).expect("described");
    let balancer = listeners["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let listeners =
        shop.0.elb("DescribeListeners", json!({"LoadBalancerArn": balancer})).expect("described");
    let listeners = listeners["Listeners"].as_array().expect("listeners");
    let own =
        listeners.iter().find(|one| one["Port"] == "443").expect("the listener")["ListenerArn"]
            .clone();
    let rules = shop.0.elb("DescribeRules", json!({"ListenerArn": own})).expect("described");
    let default =
        rules["Rules"].as_array().expect("rules").iter().find(|one| one["IsDefault"] == "true");
    let mut balancers = shop.0.service("shop")["loadBalancers"].clone();
    let advanced = &mut balancers[0]["advancedConfiguration"];
    advanced["productionListenerRule"] = default.expect("a default rule")["RuleArn"].clone();
    advanced.as_object_mut().expect("an object").shift_remove("testListenerRule");
    shop.0.update("shop", json!({"loadBalancers": balancers}));
    assert_eq!(shop.listed().end()["status"], "SUCCESSFUL");
    let own = own.as_str().expect("an ARN").to_owned();
    assert_eq!(
        calls(&shop.0),
        [("ModifyListener".to_owned(), own.clone()), ("ModifyListener".to_owned(), own)]
    );
}

#[test]
fn a_network_load_balancer_takes_ten_minutes_for_each_shift() {
    let group =
        |name: &str| format!("[[target_group]]\nname = '{name}'\nport = 8080\nprotocol = 'TCP'\n");
    let listener = |name: &str, port: u16| {
        format!(
            "[[listener]]\nname = '{name}'\nloadBalancer = 'net'\nport = {port}\nprotocol = 'TCP'\nactions = [{{ type = 'forward', targetGroups = [{{ targetGroup = 'net-a', weight = 1 }}, {{ targetGroup = 'net-b', weight = 0 }}] }}]\n"
        )
    };
    let more = format!(
        "[[load_balancer]]\nname = 'net'\ntype = 'network'\nazs = ['a', 'b']\n{}{}{}{}",
        group("net-a"),
        group("net-b"),
        listener("net-production", 80),
        listener("net-test", 81)
    );
    let mut shop = other(
        &more,
        "loadBalancers = [{ targetGroup = 'net-a', containerName = 'shop', containerPort = 8080, advancedConfiguration = { alternateTargetGroup = 'net-b', productionListenerRule = 'net-production', testListenerRule = 'net-test', roleArn = 'arn:aws:iam::123456789012:role/shop-load-balancers' } }]",
    );
    assert!(shop.rule("production").as_str().expect("an ARN").contains(":listener/net/"));
    shop.deploy("2");
    shop.listed();
    for (stage, next) in [
        ("TEST_TRAFFIC_SHIFT", "POST_TEST_TRAFFIC_SHIFT"),
        ("PRODUCTION_TRAFFIC_SHIFT", "POST_PRODUCTION_TRAFFIC_SHIFT"),
    ] {
        shop.until(stage);
        let since = shop.0.cloud.now();
        shop.until(next);
        let took = (shop.0.cloud.now() - since).as_secs();
        assert!((600..620).contains(&took), "{stage}: {took} s");
    }
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
    assert!(calls(&shop.0).iter().all(|(operation, _)| operation == "ModifyListener"));
}

#[test]
fn a_headless_service_replaces_its_tasks() {
    let mut shop = other("", "loadBalancers = []");
    shop.deploy("2");
    let one = shop.listed().until("BAKE_TIME");
    assert_eq!(one["targetServiceRevision"]["requestedProductionTrafficWeight"], 100.0);
    assert_eq!(shop.0.service("shop")["runningCount"], 4);
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
    shop.0.pass(60);
    assert_eq!((&shop.0.service("shop")["runningCount"], calls(&shop.0)), (&json!(2), Vec::new()));
}

#[test]
fn what_aws_refuses_at_once() {
    let mut shop = Shop::with("");
    let (blue, green) = (shop.0.group("shop-blue"), shop.0.group("shop-green"));
    let good = shop.0.service("shop")["loadBalancers"].clone();
    let production = shop.rule("production");
    let production = production.as_str().expect("an ARN").to_owned();
    let listener = production.replace(":listener-rule/", ":listener/");
    let with = |member: &str, value: Value| {
        let mut own = good.clone();
        own[0]["advancedConfiguration"][member] = value;
        json!({"loadBalancers": own})
    };
    let without = |path: &str, member: &str| {
        let mut own = good.clone();
        let at = own.pointer_mut(path).and_then(Value::as_object_mut).expect("an object");
        at.shift_remove(member);
        own
    };
    let plain = without("/0", "advancedConfiguration");
    let mut classic = good.clone();
    classic[0]["loadBalancerName"] = json!("old");
    let hook = |value: Value| json!({"deploymentConfiguration": {"strategy": "BLUE_GREEN", "lifecycleHooks": [value]}});
    let config = |value: Value| json!({"deploymentConfiguration": value});
    let cases = [
        (with("productionListenerRule", json!(listener)), format!("productionListenerRule has an invalid ARN format. Must be RuleArn for ALB or ListenerArn for NLB. Got: {listener}")),
        (with("testListenerRule", json!(production)), format!("The following rules cannot be used as both production and test listener rules: {production}")),
        (with("alternateTargetGroupArn", json!(blue)), format!("Duplicate targetGroupArn found: {blue}")),
        (json!({"loadBalancers": plain}), "advancedConfiguration field is required for all loadBalancers when using a non-ROLLING deployment strategy".into()),
        (json!({"loadBalancers": [good[0], {"targetGroupArn": green, "containerName": "shop", "containerPort": 8080}]}), "Either all or none of the provided loadBalancers must have advancedConfiguration defined".into()),
        (json!({"loadBalancers": classic}), "advancedConfiguration field is not allowed with ELBv1 loadBalancers".into()),
        (hook(json!({"targetType": "SNS", "lifecycleStages": ["PRE_SCALE_UP"]})), "Invalid targetType. Valid values are: AWS_LAMBDA, PAUSE".into()),
        (hook(json!({"targetType": "PAUSE", "lifecycleStages": ["TEST_TRAFFIC_SHIFT"]})), "Invalid lifecycle stage provided for Pause Hook".into()),
        (hook(json!({"targetType": "PAUSE", "lifecycleStages": ["BAKE_TIME"]})), "Invalid lifecycle stage provided for Pause Hook".into()),
        (hook(json!({"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 20161}})), "timeoutInMinutes should be between 1 and 20160.".into()),
        (hook(json!({"hookTargetArn": "x", "roleArn": "y", "lifecycleStages": ["PRE_SCALE_UP"], "timeoutConfiguration": {"timeoutInMinutes": 1441}})), "timeoutInMinutes should be between 1 and 1440.".into()),
        (config(json!({"strategy": "CANARY", "canaryConfiguration": {"canaryPercent": 0.05}})), "canaryPercent should be between 0.1 and 100.0.".into()),
        (config(json!({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}})), "stepPercent should be between 3.0 and 100.0.".into()),
        (config(json!({"strategy": "CANARY", "canaryConfiguration": {"canaryBakeTimeInMinutes": 1441}})), "canaryBakeTimeInMinutes should be between 0 and 1440.".into()),
    ];
    let before = shop.0.service("shop")["deployments"].clone();
    for (members, text) in cases {
        let mut request = json!({"cluster": "shop", "service": "shop"});
        for (member, value) in members.as_object().expect("members") {
            request[member] = value.clone();
        }
        let refused = shop.0.ecs("UpdateService", request.clone()).expect_err(&text);
        assert_eq!(refused, ("InvalidParameterException".into(), text.clone()));
        let create = json!({"cluster": "shop", "serviceName": "new", "taskDefinition": "shop", "desiredCount": 1,
            "launchType": "FARGATE", "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
            "loadBalancers": members.get("loadBalancers").unwrap_or(&good),
            "deploymentConfiguration": members.get("deploymentConfiguration").unwrap_or(&json!({"strategy": "BLUE_GREEN"}))});
        let refused = shop.0.ecs("CreateService", create).expect_err(&text);
        assert_eq!(refused.1, text);
    }
    write(&mut shop, "production", &[("shop-green", 1)]);
    let refused = shop.0.ecs(
        "UpdateService",
        json!({"cluster": "shop", "service": "shop",
        "loadBalancers": without("/0/advancedConfiguration", "testListenerRule")}),
    );
    let text = "For Application LoadBalancer, testListenerRule is required when productionListenerRule is not associated with both targetGroup and alternateTargetGroup";
    assert_eq!(refused.expect_err("refused").1, text);
    assert_eq!(shop.0.service("shop")["deployments"], before);
}
