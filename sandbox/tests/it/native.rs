//! BLUE_GREEN: a service deployment through all its stages, and back.

use serde_json::{Value, json};

use crate::support::World;

/// A world of the service `shop`, with more of a scenario.
pub(crate) struct Shop(pub(crate) World);

impl Shop {
    pub(crate) fn with(more: &str) -> Shop {
        Shop(World::with(&format!("extends = 'native'\n{more}")))
    }

    /// Deploys an image; tells the answer of UpdateService.
    pub(crate) fn deploy(&mut self, tag: &str) -> Value {
        let arn = self.0.register_as("shop", tag);
        self.0.update("shop", json!({"taskDefinition": arn}))
    }

    pub(crate) fn list(&mut self) -> Vec<Value> {
        let request = json!({"cluster": "shop", "service": "shop"});
        let answer = self.0.ecs("ListServiceDeployments", request).expect("listed");
        answer["serviceDeployments"].as_array().expect("a list").clone()
    }

    pub(crate) fn described(&mut self, arn: &Value) -> Value {
        let request = json!({"serviceDeploymentArns": [arn]});
        let answer = self.0.ecs("DescribeServiceDeployments", request).expect("described");
        answer["serviceDeployments"][0].clone()
    }

    pub(crate) fn newest(&mut self) -> Value {
        let arn = self.list()[0]["serviceDeploymentArn"].clone();
        self.described(&arn)
    }

    /// The weights of a rule: `shop-blue`, `shop-green`.
    pub(crate) fn weights(&mut self, name: &str) -> (u32, u32) {
        let arn = self.rule(name);
        let answer = self.0.elb("DescribeRules", json!({"RuleArns": [arn]})).expect("described");
        let action = &answer["Rules"][0]["Actions"][0];
        let groups = action["ForwardConfig"]["TargetGroups"].as_array().expect("groups").clone();
        let weight = |group: &str| {
            let own = groups
                .iter()
                .find(|one| one["TargetGroupArn"].as_str().is_some_and(|arn| arn.contains(group)));
            own.map_or(0, |one| one["Weight"].as_str().expect("text").parse().expect("a number"))
        };
        (weight("/shop-blue/"), weight("/shop-green/"))
    }

    /// The ARN of the `production` or the `test` rule.
    pub(crate) fn rule(&mut self, name: &str) -> Value {
        let advanced = &self.0.service("shop")["loadBalancers"][0]["advancedConfiguration"];
        advanced[format!("{name}ListenerRule")].clone()
    }

    /// The newest service deployment once it is in a stage.
    pub(crate) fn until(&mut self, stage: &str) -> Value {
        self.when(stage, |one| one["lifecycleStage"] == stage && one["status"] == "IN_PROGRESS")
    }

    /// The newest service deployment once it has ended.
    pub(crate) fn end(&mut self) -> Value {
        self.when("an end", |one| one.get("finishedAt").is_some())
    }

    pub(crate) fn when(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..20_000 {
            let one = self.newest();
            if is(&one) {
                return one;
            }
            self.0.pass(1);
        }
        panic!("{what} never came: {:#}", self.newest());
    }

    /// Goes on from the moment at which the new service deployment is listed.
    pub(crate) fn listed(&mut self) -> &mut Shop {
        self.0.pass(5);
        self
    }

    pub(crate) fn stop(&mut self) {
        let arn = self.newest()["serviceDeploymentArn"].clone();
        self.0
            .ecs(
                "StopServiceDeployment",
                json!({"serviceDeploymentArn": arn, "stopType": "ROLLBACK"}),
            )
            .expect("stopped");
    }
}

/// A stage, the weights of the target revision (production, test), and the two rules.
type Row = (String, f64, f64, (u32, u32), (u32, u32));

#[test]
fn a_good_deployment_goes_through_all_stages() {
    let mut shop = Shop::with("");
    assert_eq!(
        shop.weights("production"),
        (0, 100),
        "the first revision is in the alternate group"
    );
    let before = shop.0.service("shop");
    let answer = shop.deploy("2");
    let id = answer["deployments"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(shop.list().len(), 1, "the new one is not listed yet");
    assert_eq!(answer["currentServiceDeployment"], before["currentServiceDeployment"]);
    shop.listed();
    let mut seen: Vec<Row> = Vec::new();
    let start = shop.0.cloud.now();
    let last = loop {
        let one = shop.newest();
        if one["status"] != "IN_PROGRESS" {
            break one;
        }
        let stage = one["lifecycleStage"].as_str().expect("a stage").to_owned();
        let target = &one["targetServiceRevision"];
        let own = (
            target["requestedProductionTrafficWeight"].as_f64().expect("a weight"),
            target["requestedTestTrafficWeight"].as_f64().expect("a weight"),
        );
        let rules = (shop.weights("production"), shop.weights("test"));
        if seen.last().is_none_or(|(last, ..)| *last != stage) {
            seen.push((stage, own.0, own.1, rules.0, rules.1));
        }
        let deployments = shop.0.service("shop")["deployments"].clone();
        assert_eq!(deployments.as_array().map(Vec::len), Some(2));
        assert_eq!(
            (&deployments[0]["status"], &deployments[1]["status"]),
            (&json!("PRIMARY"), &json!("ACTIVE"))
        );
        assert_eq!(deployments[0]["rolloutState"], "IN_PROGRESS");
        shop.0.pass(1);
    };
    let (old, new) = ((0, 100), (100, 0));
    let row = |stage: &str, production, test, rule, tests| {
        (stage.to_owned(), production, test, rule, tests)
    };
    assert_eq!(
        seen,
        [
            row("PRE_SCALE_UP", 0.0, 0.0, old, old),
            row("SCALE_UP", 0.0, 0.0, old, old),
            row("POST_SCALE_UP", 0.0, 0.0, old, old),
            row("TEST_TRAFFIC_SHIFT", 0.0, 100.0, old, new),
            row("POST_TEST_TRAFFIC_SHIFT", 0.0, 100.0, old, new),
            row("PRE_PRODUCTION_TRAFFIC_SHIFT", 0.0, 100.0, old, new),
            row("PRODUCTION_TRAFFIC_SHIFT", 100.0, 100.0, new, new),
            row("POST_PRODUCTION_TRAFFIC_SHIFT", 100.0, 100.0, new, new),
            row("BAKE_TIME", 100.0, 100.0, new, new),
            row("CLEAN_UP", 100.0, 100.0, new, new),
        ]
    );
    assert_eq!(last["status"], "SUCCESSFUL");
    let minutes = (shop.0.cloud.now() - start).as_secs() / 60;
    assert!((7..12).contains(&minutes), "{minutes} min");
    let revision = last["targetServiceRevision"]["arn"].as_str().expect("an ARN");
    assert_eq!(revision.rsplit('/').next(), id.strip_prefix("ecs-svc/"), "the same digits");
    let one = shop.0.service("shop");
    assert_eq!(one["deployments"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["deployments"][0]["rolloutState"], "IN_PROGRESS", "not COMPLETED yet");
    shop.0.pass(60);
    let one = shop.0.service("shop");
    assert_eq!(
        (&one["deployments"][0]["rolloutState"], &one["runningCount"]),
        (&json!("COMPLETED"), &json!(2))
    );
    assert_eq!(one["loadBalancers"], before["loadBalancers"], "the pair is never swapped");
    let events = shop.0.events("shop");
    assert!(events[0].contains("has reached a steady state"), "{events:#?}");
    assert!(events[1].contains(&format!("(deployment {id}) deployment completed.")), "{events:#?}");
    assert_eq!(shop.0.states("shop-blue"), ["healthy", "healthy"]);
    assert_eq!(shop.0.cloud.violations(), []);
}

#[test]
fn stopping_goes_back_from_every_stage() {
    for stage in [
        "PRE_SCALE_UP",
        "SCALE_UP",
        "POST_SCALE_UP",
        "TEST_TRAFFIC_SHIFT",
        "POST_TEST_TRAFFIC_SHIFT",
        "PRE_PRODUCTION_TRAFFIC_SHIFT",
        "PRODUCTION_TRAFFIC_SHIFT",
        "POST_PRODUCTION_TRAFFIC_SHIFT",
        "BAKE_TIME",
    ] {
        let mut shop = Shop::with("timing = { listing = '0s' }");
        let before = shop.0.service("shop");
        shop.deploy("2");
        shop.until(stage);
        shop.stop();
        assert_eq!(shop.newest()["status"], "ROLLBACK_REQUESTED");
        shop.0.pass(2);
        let going = shop.newest();
        assert_eq!(going["lifecycleStage"], stage, "it keeps its name");
        assert_eq!(
            going["rollback"]["serviceRevisionArn"],
            before["currentServiceRevisions"][0]["arn"]
        );
        let last = shop.end();
        assert_eq!(last["status"], "ROLLBACK_SUCCESSFUL", "{stage}");
        assert_eq!((shop.weights("production"), shop.weights("test").0), ((0, 100), 0), "{stage}");
        let one = shop.0.service("shop");
        assert_eq!(one["taskDefinition"], before["taskDefinition"]);
        assert_eq!(one["deployments"].as_array().map(Vec::len), Some(1));
        assert_eq!(one["deployments"][0]["id"], before["deployments"][0]["id"]);
        assert_eq!(one["deployments"][0]["rolloutState"], "COMPLETED");
        shop.0.pass(60);
        assert_eq!(shop.0.states("shop-blue"), Vec::<String>::new(), "{stage}");
        assert_eq!(shop.0.states("shop-green"), ["healthy", "healthy"]);
    }
}

#[test]
fn a_stop_in_the_last_stage_is_too_late() {
    let mut shop = Shop::with("");
    shop.deploy("2");
    shop.listed().until("CLEAN_UP");
    shop.stop();
    assert_eq!(shop.end()["status"], "SUCCESSFUL");
}

#[test]
fn the_circuit_breaker_and_an_unhealthy_revision_go_back() {
    for tag in ["3", "4"] {
        let mut shop = Shop::with("");
        shop.deploy(tag);
        let last = shop.listed().end();
        assert_eq!(last["status"], "ROLLBACK_SUCCESSFUL", "{last:#}");
        assert_eq!(last["lifecycleStage"], "SCALE_UP");
        let reason =
            "Service deployment rolled back because the circuit breaker threshold was exceeded.";
        assert_eq!(last["statusReason"], reason);
        assert_eq!(last["deploymentCircuitBreaker"]["status"], "TRIGGERED");
        let failed =
            last["targetServiceRevision"]["arn"].as_str().and_then(|arn| arn.rsplit('/').next());
        let text = format!(
            "(service shop) (deployment ecs-svc/{}) deployment failed: {reason}",
            failed.expect("digits")
        );
        assert!(shop.0.events("shop").contains(&text), "{:#?}", shop.0.events("shop"));
        assert_eq!(shop.weights("production"), (0, 100));
    }
}
