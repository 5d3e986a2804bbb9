//! Target health, draining, rules and weights.

use serde_json::json;

use crate::support::World;

/// A network load balancer with one group, and a service behind it whose image is sick after a while.
fn network(sick: &str, attributes: &str) -> World {
    World::with(&format!(
        "extends = 'shop'
[[load_balancer]]
name = 'net'
type = 'network'
azs = ['a', 'b']
[[target_group]]
name = 'tcp'
port = 8080
protocol = 'TCP'
healthCheck = {{ protocol = 'HTTP', path = '/up', interval = '10s', healthy = 2, unhealthy = 2 }}
attributes = {{ {attributes} }}
[[listener]]
name = 'tcp'
loadBalancer = 'net'
port = 80
protocol = 'TCP'
actions = [{{ type = 'forward', targetGroup = 'tcp' }}]
[[image]]
ref = 'shop/web:5'
does = 'sick'
after = '{sick}'
[[service]]
serviceName = 'web'
healthCheckGracePeriodSeconds = 86400
loadBalancers = [{{ targetGroup = 'tcp', containerName = 'web', containerPort = 8080 }}]
"
    ))
}

/// A group that no action names, beside the shop's.
const SPARE: &str = "extends = 'shop'\n[[target_group]]\nname = 'spare'\nport = 8080";

#[test]
fn a_group_without_an_action_is_unused_and_one_with_weight_0_is_checked() {
    let mut world = World::with(SPARE);
    let (spare, address) = (world.group("spare"), world.tasks("web", "RUNNING")[0]["containers"][0]["networkInterfaces"][0]["privateIpv4Address"].clone());
    world
        .elb("RegisterTargets", json!({"TargetGroupArn": spare, "Targets": [{"Id": address}]}))
        .expect("registered");
    world.pass(60);
    let text = "Target group is not configured to receive traffic from the load balancer";
    assert_eq!(world.health("spare"), [("unused".into(), "Target.NotInUse".into(), text.into())]);
    let rule = world.rule();
    let mut actions = rule["Actions"].clone();
    actions[0]["ForwardConfig"]["TargetGroups"]
        .as_array_mut()
        .expect("groups")
        .push(json!({"TargetGroupArn": spare, "Weight": "0"}));
    world
        .elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": actions}))
        .expect("modified");
    assert_eq!(world.health("spare")[0].1, "Elb.RegistrationInProgress");
    world.pass(2);
    assert_eq!(world.states("spare"), ["healthy"], "one good check is enough");
    world
        .elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": rule["Actions"]}))
        .expect("modified");
    assert_eq!(world.states("spare"), ["unused"]);
}

#[test]
fn a_service_needs_a_group_that_stands_in_an_action() {
    let mut world = World::with(SPARE);
    let group = world.group("spare");
    let request = json!({
        "cluster": "shop", "serviceName": "late", "taskDefinition": "web", "desiredCount": 1, "launchType": "FARGATE",
        "loadBalancers": [{"targetGroupArn": group, "containerName": "web", "containerPort": 8080}],
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}},
    });
    let refused = world.ecs("CreateService", request).expect_err("refused");
    let text = format!(
        "The target group with targetGroupArn {group} does not have an associated load balancer."
    );
    assert_eq!(refused, ("InvalidParameterException".into(), text));
}

#[test]
fn targets_drain_for_the_delay_and_their_tasks_with_them() {
    let mut world = World::shop();
    world.update("web", json!({"desiredCount": 1}));
    world.pass(2);
    let mut states = world.states("web-a");
    states.sort();
    assert_eq!(states, ["draining", "healthy"]);
    let draining = world.tasks("web", "STOPPED")[0].clone();
    assert_eq!(draining["lastStatus"], "DEACTIVATING");
    world.pass(28);
    assert_eq!(world.states("web-a").len(), 2);
    world.pass(1);
    assert_eq!(world.states("web-a"), ["healthy"]);
    assert_eq!(world.tasks("web", "STOPPED")[0]["lastStatus"], "STOPPING");
    world.pass(12);
    assert_eq!(world.tasks("web", "STOPPED")[0]["lastStatus"], "STOPPED");
    let asked =
        json!({"TargetGroupArn": world.group("web-a"), "Targets": [{"Id": "10.9.9.9", "Port": 1}]});
    let answer = world.elb("DescribeTargetHealth", asked).expect("described");
    assert_eq!(
        answer["TargetHealthDescriptions"][0]["TargetHealth"]["Reason"],
        "Target.NotRegistered"
    );
}

#[test]
fn a_target_outside_the_zones_of_the_load_balancer_is_unused() {
    let mut world = World::with("extends = 'shop'\n[subnets]\nsubnet-far = 'eu-central-1c'");
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-far"]}});
    world.update("web-green", json!({"desiredCount": 1, "networkConfiguration": network}));
    world.pass(120);
    let text = "Target is in an Availability Zone that is not enabled for the load balancer";
    assert_eq!(world.health("web-b"), [("unused".into(), "Target.NotInUse".into(), text.into())]);
    assert_eq!(world.service("web-green")["deployments"][0]["rolloutState"], "IN_PROGRESS");
}

#[test]
fn a_grpc_check_wants_a_grpc_status() {
    for (status, matcher, state) in [
        (14, "12", "unhealthy"),
        (12, "12", "healthy"),
        (14, "0-99", "healthy"),
        (0, "12", "unhealthy"),
    ] {
        let mut world = World::with(&format!(
            "extends = 'shop'\n[[image]]\nref = 'shop/web:1'\ndoes = 'sick'\nstatus = {status}\n\
             [[target_group]]\nname = 'web-a'\nprotocolVersion = 'GRPC'\nhealthCheck = {{ matcher = '{matcher}' }}"
        ));
        let group =
            world.elb("DescribeTargetGroups", json!({"Names": ["web-a"]})).expect("a group");
        assert_eq!(group["TargetGroups"][0]["Matcher"], json!({"GrpcCode": matcher}));
        let mut health = world.health("web-a");
        health.retain(|(state, ..)| state == "healthy" || state == "unhealthy");
        for _ in 0..60 {
            if health.is_empty() {
                world.pass(5);
                health = world.health("web-a");
                health.retain(|(state, ..)| state == "healthy" || state == "unhealthy");
            }
        }
        let (own, _, text) = health[0].clone();
        assert_eq!(own, state, "{status} {matcher}: {text}");
        if own == "unhealthy" {
            assert_eq!(text, format!("Health checks failed with these codes: [{status}]"));
        }
    }
}

#[test]
fn an_image_that_is_slow_is_not_ready_before_it_is() {
    let mut world = World::with(
        "extends = 'shop'\n[[image]]\nref = 'shop/web:2'\ndoes = 'slow'\nready = '30s'\n[[service]]\nserviceName = 'web-green'\nhealthCheckGracePeriodSeconds = 120",
    );
    let arn = world.register("2");
    world.update("web-green", json!({"taskDefinition": arn, "desiredCount": 1}));
    world.pass(26);
    assert_eq!(world.health("web-b")[0].1, "Elb.InitialHealthChecking");
    world.pass(10);
    assert_eq!(world.health("web-b")[0].2, "Request timed out");
    world.pass(60);
    assert_eq!(world.states("web-b"), ["healthy"], "the grace period kept the task");
    assert_eq!(world.tasks("web-green", "STOPPED").len(), 0);
}

#[test]
fn weights_reach_each_node_later() {
    let mut world = World::shop();
    world.weigh(50, 50).expect("modified");
    let shares = |world: &World| -> Vec<(String, u32)> {
        let green = world.cloud.serving().into_iter().filter(|one| one.group.contains("/web-b/"));
        green.map(|one| (one.node, one.weight)).collect()
    };
    let (a, b) = ("eu-central-1a".to_owned(), "eu-central-1b".to_owned());
    assert_eq!(
        world.rule()["Actions"][0]["ForwardConfig"]["TargetGroups"][1]["Weight"],
        "50",
        "the control plane knows at once"
    );
    assert_eq!(shares(&world), [(a.clone(), 0), (b.clone(), 0)]);
    world.pass(5);
    assert_eq!(shares(&world), [(a.clone(), 50), (b.clone(), 0)]);
    world.pass(5);
    assert_eq!(shares(&world), [(a, 50), (b, 50)]);
    let blue =
        world.cloud.serving().into_iter().find(|one| one.group.contains("/web-a/")).expect("blue");
    assert_eq!((blue.healthy, blue.behind.len(), blue.behind[0].answers), (2, 2, true));
    assert!(blue.behind[0].image.as_deref().is_some_and(|image| image.ends_with("shop/web:1")));
}

#[test]
fn one_group_is_shown_both_ways_and_several_only_one() {
    let mut world = World::shop();
    let rule = world.rule();
    assert_eq!(rule["Actions"][0].get("TargetGroupArn"), None);
    assert_eq!(rule["Conditions"][0]["HostHeaderConfig"]["Values"], json!(["shop.example.com"]));
    let group = world.group("web-a");
    let scalar = json!({"RuleArn": rule["RuleArn"], "Actions": [{"Type": "forward", "TargetGroupArn": group}]});
    let action =
        world.elb("ModifyRule", scalar).expect("modified")["Rules"][0]["Actions"][0].clone();
    assert_eq!(action["TargetGroupArn"], group);
    assert_eq!(
        action["ForwardConfig"]["TargetGroups"],
        json!([{"TargetGroupArn": group, "Weight": "1"}])
    );
}

#[test]
fn actions_of_other_kinds_are_kept_whole() {
    let mut world = World::shop();
    let rule = world.rule();
    let mut actions = rule["Actions"].as_array().expect("actions").clone();
    let oidc = json!({"Type": "authenticate-oidc", "Order": "1", "AuthenticateOidcConfig": {
        "Issuer": "https://id.example", "AuthorizationEndpoint": "https://id.example/a", "TokenEndpoint": "https://id.example/t",
        "UserInfoEndpoint": "https://id.example/u", "ClientId": "shop", "NewMember": {"Deep": ["a", "b"]},
    }});
    actions[0]["Order"] = json!("2");
    actions[0]["ForwardConfig"]["NewKnob"] = json!("on");
    actions.insert(0, oidc.clone());
    let modify = |world: &mut World, actions: &[serde_json::Value]| {
        world.elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": actions}))
    };
    assert_eq!(modify(&mut world, &actions).expect_err("no secret").0, "ValidationError");
    actions[0]["AuthenticateOidcConfig"]["ClientSecret"] = json!("hunter2");
    modify(&mut world, &actions).expect("modified");
    // The secret is never shown; what is shown can be written back with a word about it.
    actions = world.rule()["Actions"].as_array().expect("actions").clone();
    assert_eq!(actions[0], oidc);
    actions[0]["AuthenticateOidcConfig"]["UseExistingClientSecret"] = json!("true");
    modify(&mut world, &actions).expect("modified");
    let shown = world.rule()["Actions"].clone();
    assert_eq!(shown[0], oidc);
    assert_eq!(shown[1]["ForwardConfig"]["NewKnob"], "on");
}

#[test]
fn what_the_load_balancer_refuses() {
    let mut world = World::with(SPARE);
    let rule = world.rule();
    assert_eq!(world.weigh(1000, 0).expect_err("too heavy").0, "ValidationError");
    let (group, spare) = (world.group("web-a"), world.group("spare"));
    let modify = |world: &mut World, actions| {
        world
            .elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": actions}))
            .expect_err("refused")
    };
    let unknown = group.replace("/web-a/", "/nope/");
    let forward = |group: &str| json!({"Type": "forward", "TargetGroupArn": group});
    assert_eq!(modify(&mut world, json!([forward(&unknown)])).0, "TargetGroupNotFound");
    assert_eq!(modify(&mut world, json!([forward("nonsense")])).0, "ValidationError");
    assert_eq!(
        modify(&mut world, json!([forward(&group), forward(&spare)])).0,
        "InvalidLoadBalancerAction"
    );
    let many: Vec<_> = (0..6).map(|_| json!({"TargetGroupArn": group})).collect();
    assert_eq!(
        modify(&mut world, json!([{"Type": "forward", "ForwardConfig": {"TargetGroups": many}}])).0,
        "InvalidLoadBalancerAction"
    );
    assert_eq!(
        world.elb("DeleteTargetGroup", json!({"TargetGroupArn": group})).expect_err("in use").0,
        "ResourceInUse"
    );
    let gone = format!("{}0", rule["RuleArn"].as_str().expect("an ARN"));
    assert_eq!(
        world.elb("DescribeRules", json!({"RuleArns": [gone]})).expect_err("no rule").0,
        "RuleNotFound"
    );

    let listener = world.elb("DescribeLoadBalancers", json!({})).expect("described")["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let listener = world
        .elb("DescribeListeners", json!({"LoadBalancerArn": listener}))
        .expect("described")["Listeners"][0]
        .clone();
    assert_eq!(listener["DefaultActions"][0]["Type"], "fixed-response");
    let rules = world
        .elb("DescribeRules", json!({"ListenerArn": listener["ListenerArn"]}))
        .expect("described")["Rules"]
        .clone();
    assert_eq!(
        (&rules[1]["Priority"], &rules[1]["IsDefault"]),
        (&json!("default"), &json!("true"))
    );
    let default = rules[1]["RuleArn"].as_str().expect("an ARN");
    let refused = world
        .elb("ModifyRule", json!({"RuleArn": default, "Actions": [forward(&group)]}))
        .expect_err("refused");
    assert_eq!(
        refused,
        ("OperationNotPermitted".into(), format!("Default rule '{default}' cannot be modified"))
    );
    let same = json!({"ListenerArn": listener["ListenerArn"], "Priority": 10, "Conditions": rule["Conditions"], "Actions": [forward(&group)]});
    assert_eq!(world.elb("CreateRule", same).expect_err("taken").0, "PriorityInUse");
}

#[test]
fn a_group_belongs_to_one_load_balancer() {
    let mut world = World::shop();
    let other = world
        .elb("CreateLoadBalancer", json!({"Name": "other", "Subnets": ["subnet-a"]}))
        .expect("created");
    let arn = other["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let group = world.group("web-a");
    let request = json!({"LoadBalancerArn": arn, "Protocol": "HTTP", "Port": 80, "DefaultActions": [{"Type": "forward", "TargetGroupArn": group}]});
    assert_eq!(
        world.elb("CreateListener", request).expect_err("refused").0,
        "TargetGroupAssociationLimit"
    );
}

/// The states that the newest target of a group goes through, with their reasons.
fn course(
    world: &mut World,
    group: &str,
    address: &str,
    seconds: u64,
) -> Vec<(u64, String, String)> {
    let arn = world.group(group);
    let request = json!({"TargetGroupArn": arn, "Targets": [{"Id": address, "Port": 8080}]});
    let mut seen: Vec<(u64, String, String)> = Vec::new();
    for at in 0..seconds {
        let answer = world.elb("DescribeTargetHealth", request.clone()).expect("described");
        let health = &answer["TargetHealthDescriptions"][0]["TargetHealth"];
        let member = |name: &str| health[name].as_str().unwrap_or_default().to_owned();
        let (state, reason) = (member("State"), member("Reason"));
        if seen.last().is_none_or(|(_, last, _)| *last != state) {
            seen.push((at, state, reason));
        }
        world.pass(1);
    }
    seen
}

fn newcomer(world: &mut World) -> String {
    let arn = world.register("5");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(25);
    let tasks = world.tasks("web", "RUNNING");
    let own = tasks.iter().find(|task| task["taskDefinitionArn"] == json!(arn)).expect("a task");
    let address = &own["containers"][0]["networkInterfaces"][0]["privateIpv4Address"];
    address.as_str().expect("an address").to_owned()
}

#[test]
fn a_network_load_balancer_takes_minutes_to_check_a_target() {
    let mut world = network("1h", "");
    let address = newcomer(&mut world);
    let seen = course(&mut world, "tcp", &address, 300);
    let states: Vec<&str> = seen.iter().map(|(_, state, _)| state.as_str()).collect();
    assert_eq!(states, ["initial", "healthy"]);
    assert!(seen[1].0 > 120, "{seen:?}");
}

#[test]
fn an_unhealthy_target_of_a_network_load_balancer_can_drain_first() {
    let drains = "'target_health_state.unhealthy.connection_termination.enabled' = 'false', \
                  'target_health_state.unhealthy.draining_interval_seconds' = '60'";
    let failed = "Target.FailedHealthChecks";
    for (attributes, expected) in [
        (drains, vec![("unhealthy.draining", failed), ("unhealthy", failed)]),
        ("", vec![("unhealthy", failed)]),
    ] {
        let mut world = network("5m", attributes);
        let address = newcomer(&mut world);
        let seen = course(&mut world, "tcp", &address, 500);
        let sick: Vec<(&str, &str)> =
            seen[2..].iter().map(|(_, state, reason)| (state.as_str(), reason.as_str())).collect();
        assert_eq!(sick, expected, "a status is no reason of its own here: {seen:?}");
        if let [(begin, ..), (end, ..)] = seen[2..] {
            assert_eq!(end - begin, 60);
        }
    }
}

#[test]
fn groups_of_functions_and_of_appliances_have_settings_of_their_own() {
    let mut world = World::shop();
    let mut make = |request: serde_json::Value| {
        let made = world.elb("CreateTargetGroup", request).expect("created");
        let group = made["TargetGroups"][0].clone();
        let arn = json!({"TargetGroupArn": group["TargetGroupArn"]});
        let shown = world.elb("DescribeTargetGroupAttributes", arn).expect("described");
        let pair = |one: &serde_json::Value| {
            (one["Key"].as_str().expect("key").to_owned(), one["Value"].clone())
        };
        let list = shown["Attributes"].as_array().expect("a list").iter().map(pair);
        (group, list.collect::<std::collections::BTreeMap<_, _>>())
    };
    let (group, own) = make(json!({"Name": "function", "TargetType": "lambda"}));
    for (member, value) in [
        ("HealthCheckEnabled", json!("false")),
        ("HealthCheckIntervalSeconds", json!("35")),
        ("Protocol", json!(null)),
        ("Port", json!(null)),
        ("VpcId", json!(null)),
    ] {
        assert_eq!(group[member], value, "{member}");
    }
    assert_eq!(own["lambda.multi_value_headers.enabled"], "false");
    assert!(!own.contains_key("deregistration_delay.timeout_seconds"), "{own:?}");
    let (group, own) = make(json!({"Name": "appliance", "Protocol": "GENEVE", "Port": 6081}));
    assert_eq!(
        (&group["HealthCheckPort"], &group["HealthCheckIntervalSeconds"]),
        (&json!("80"), &json!("10"))
    );
    let keys: Vec<_> = own.keys().map(String::as_str).collect();
    let (gone, sick) = ("target_failover.on_deregistration", "target_failover.on_unhealthy");
    let delay = "deregistration_delay.timeout_seconds";
    assert_eq!(keys, [delay, "stickiness.enabled", "stickiness.type", gone, sick]);
    let set = |pairs: &[(&str, &str)]| {
        let list: Vec<_> =
            pairs.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        json!({"TargetGroupArn": group["TargetGroupArn"], "Attributes": list})
    };
    let one = world.elb("ModifyTargetGroupAttributes", set(&[(gone, "rebalance")]));
    assert_eq!(one.expect_err("not independently").0, "InvalidConfigurationRequest");
    let wrong = world.elb("ModifyTargetGroupAttributes", set(&[(gone, "yes"), (sick, "yes")]));
    assert_eq!(wrong.expect_err("no such value").0, "ValidationError");
    let both = set(&[(gone, "rebalance"), (sick, "rebalance")]);
    world.elb("ModifyTargetGroupAttributes", both).expect("both");
}

#[test]
fn the_addresses_of_a_load_balancer_are_those_of_its_subnet_mappings() {
    let mut world = World::shop();
    let mut make = |name: &str, more: serde_json::Value, member: &str| {
        let mut request = json!({
            "Name": name,
            "SubnetMappings": [{"SubnetId": "subnet-a", member: "own"}, {"SubnetId": "subnet-b"}],
        });
        let more = more.as_object().expect("members").clone();
        request.as_object_mut().expect("an object").extend(more);
        let made = world.elb("CreateLoadBalancer", request)?;
        let zones = &made["LoadBalancers"][0]["AvailabilityZones"];
        assert_eq!(zones[1]["LoadBalancerAddresses"], "", "{name}");
        Ok::<_, (String, String)>(zones[0]["LoadBalancerAddresses"][0].clone())
    };
    let (network, inside) =
        (json!({"Type": "network"}), json!({"Type": "network", "Scheme": "internal"}));
    for (name, kind, member) in [
        ("inside", &inside, "PrivateIPv4Address"),
        ("outside", &network, "AllocationId"),
        ("six", &network, "IPv6Address"),
    ] {
        assert_eq!(make(name, kind.clone(), member), Ok(json!({member: "own"})), "{name}");
    }
    for (kind, member) in
        [(&inside, "AllocationId"), (&network, "PrivateIPv4Address"), (&json!({}), "AllocationId")]
    {
        let refused = make("refused", kind.clone(), member).expect_err(member);
        assert_eq!(refused.0, "InvalidConfigurationRequest", "{kind} {member}");
    }
}

#[test]
fn security_groups_judge_private_link_unless_told_not_to() {
    let mut world = World::shop();
    let member = "EnforceSecurityGroupInboundRulesOnPrivateLinkTraffic";
    let request = json!({
        "Name": "net", "Type": "network", "Subnets": ["subnet-a"], "SecurityGroups": ["sg-1"],
    });
    let made = world.elb("CreateLoadBalancer", request).expect("created");
    let balancer = &made["LoadBalancers"][0];
    assert_eq!(balancer[member], "on");
    let arn = &balancer["LoadBalancerArn"];
    let set = json!({"LoadBalancerArn": arn, "SecurityGroups": ["sg-1"], member: "off"});
    assert_eq!(world.elb("SetSecurityGroups", set).expect("set")[member], "off");
    let all = world.elb("DescribeLoadBalancers", json!({"Names": ["net"]})).expect("described");
    assert_eq!(all["LoadBalancers"][0][member], "off");
}

#[test]
fn capacity_is_pending_before_it_is_provisioned_and_decreased_twice_a_day() {
    let mut world = World::shop();
    let balancers = world.elb("DescribeLoadBalancers", json!({})).expect("described");
    let arn = balancers["LoadBalancers"][0]["LoadBalancerArn"].clone();
    let mut reserve = |units: u32, wait: u64| {
        let capacity = json!({"CapacityUnits": units});
        let request = json!({"LoadBalancerArn": arn, "MinimumLoadBalancerCapacity": capacity});
        let answer = world.elb("ModifyCapacityReservation", request);
        world.pass(wait);
        answer.map(|one| one["CapacityReservationState"][0]["State"]["Code"].clone())
    };
    assert_eq!(reserve(300, 60).expect("reserved"), "pending");
    assert_eq!(reserve(400, 60).expect_err("pending").0, "CapacityReservationPending");
    for units in [200, 100] {
        assert_eq!(reserve(units, 120).expect("decreased"), "pending");
    }
    let third = reserve(50, 0).expect_err("the third decrease");
    assert_eq!(third.0, "CapacityDecreaseRequestLimitExceeded");
    let request = json!({"LoadBalancerArn": arn});
    let shown = world.elb("DescribeCapacityReservation", request.clone()).expect("described");
    assert_eq!(shown["MinimumLoadBalancerCapacity"]["CapacityUnits"], "100");
    assert_eq!(shown["DecreaseRequestsRemaining"], "0");
    let zones = shown["CapacityReservationState"].as_array().expect("zones").clone();
    assert_eq!(zones[0]["State"]["Code"], "provisioned");
    let units: f64 = zones
        .iter()
        .map(|zone| {
            zone["EffectiveCapacityUnits"]
                .as_str()
                .expect("a number")
                .parse::<f64>()
                .expect("a number")
        })
        .sum();
    assert!((units - 100.0).abs() < 0.01, "{units}");
    let refused = world.elb("ModifyCapacityReservation", request).expect_err("neither");
    assert_eq!(refused.0, "ValidationError");
    let reset = json!({"LoadBalancerArn": arn, "ResetCapacityReservation": true});
    world.elb("ModifyCapacityReservation", reset).expect("reset");
    world.pass(86_400);
    let shown = world
        .elb("DescribeCapacityReservation", json!({"LoadBalancerArn": arn}))
        .expect("described");
    assert_eq!(shown["MinimumLoadBalancerCapacity"], json!(null));
    assert_eq!(shown["DecreaseRequestsRemaining"], "2");
}

#[test]
fn maps_in_actions_come_back_as_the_query_protocol_writes_them() {
    let mut world = World::shop();
    let rule = world.rule()["RuleArn"].as_str().expect("an ARN").to_owned();
    let group = world.group("web-a");
    let map = "Actions.member.1.AuthenticateOidcConfig.AuthenticationRequestExtraParams";
    let body = |more: &str| {
        format!(
            "Action=ModifyRule&Version=2015-12-01&RuleArn={rule}\
             &Actions.member.1.Type=authenticate-oidc&Actions.member.1.Order=1\
             &Actions.member.1.AuthenticateOidcConfig.Issuer=i\
             &Actions.member.1.AuthenticateOidcConfig.AuthorizationEndpoint=a\
             &Actions.member.1.AuthenticateOidcConfig.TokenEndpoint=t\
             &Actions.member.1.AuthenticateOidcConfig.UserInfoEndpoint=u\
             &Actions.member.1.AuthenticateOidcConfig.ClientId=c\
             &Actions.member.1.AuthenticateOidcConfig.ClientSecret=s\
             &Actions.member.2.Type=forward&Actions.member.2.Order=2\
             &Actions.member.2.TargetGroupArn={group}&{more}"
        )
    };
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let good = body(&format!(
        "{map}.entry.1.key=display&{map}.entry.1.value=page&{map}.entry.2.key=prompt&{map}.entry.2.value=login"
    ));
    let written = "<AuthenticationRequestExtraParams><entry><key>display</key><value>page</value></entry>\
                   <entry><key>prompt</key><value>login</value></entry></AuthenticationRequestExtraParams>";
    let answer = world.send(&form, good);
    assert!(String::from_utf8_lossy(answer.body()).contains(written), "{answer:?}");
    let read = world
        .send(&form, format!("Action=DescribeRules&Version=2015-12-01&RuleArns.member.1={rule}"));
    assert!(String::from_utf8_lossy(read.body()).contains(written), "{read:?}");
    let bad = world.send(&form, body(&format!("{map}.display=page")));
    assert!(String::from_utf8_lossy(bad.body()).contains("MalformedInput"), "{bad:?}");
}
