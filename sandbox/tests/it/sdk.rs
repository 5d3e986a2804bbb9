//! The AWS SDK for Rust as a client, in virtual time.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, SystemTime},
};

use aws_sdk_ecs::config::{
    BehaviorVersion, Credentials, Region, retry::RetryConfig, timeout::TimeoutConfig,
};
use aws_sdk_elasticloadbalancingv2 as elb;
use aws_smithy_async::{rt::sleep::TokioSleep, time::TimeSource};
use ecs_bg_sandbox::{
    Cloud, Time,
    journal::Call,
    scenario::Scenario,
    sdk::{InProcess, Interfere, Interference},
};

#[derive(Clone, Debug)]
pub(crate) struct Clock {
    epoch: SystemTime,
    start: tokio::time::Instant,
}

impl Clock {
    pub(crate) fn passed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl TimeSource for Clock {
    fn now(&self) -> SystemTime {
        self.epoch + self.start.elapsed()
    }
}

pub(crate) fn world() -> (Arc<Mutex<Cloud>>, Clock, InProcess) {
    let cloud =
        Cloud::from_scenario(&Scenario::builtin("shop").expect("a scenario")).expect("a world");
    let clock = Clock { epoch: cloud.now().into(), start: tokio::time::Instant::now() };
    let cloud = Arc::new(Mutex::new(cloud));
    let own = clock.clone();
    let client = InProcess::new(cloud.clone(), Arc::new(move || Time::from(own.now())));
    (cloud, clock, client)
}

fn ecs(clock: &Clock, client: InProcess) -> aws_sdk_ecs::Client {
    patient(clock, client, 3)
}

/// A client that tries so many times.
pub(crate) fn patient(clock: &Clock, client: InProcess, attempts: u32) -> aws_sdk_ecs::Client {
    let timeouts = TimeoutConfig::builder()
        .read_timeout(Duration::from_secs(20))
        .operation_timeout(Duration::from_secs(120))
        .build();
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
        .sleep_impl(TokioSleep::new())
        .time_source(clock.clone())
        .timeout_config(timeouts)
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .http_client(client);
    aws_sdk_ecs::Client::from_conf(config.build())
}

#[tokio::test(start_paused = true)]
async fn the_sdk_sees_the_world() {
    let (_, clock, client) = world();
    let services = ecs(&clock, client.clone())
        .describe_services()
        .cluster("shop")
        .services("web")
        .send()
        .await
        .expect("described");
    let web = &services.services()[0];
    assert_eq!(
        (web.running_count(), web.deployments()[0].rollout_state().map(|state| state.as_str())),
        (2, Some("COMPLETED"))
    );
    let config = elb::Config::builder()
        .behavior_version(elb::config::BehaviorVersion::latest())
        .region(elb::config::Region::new("eu-central-1"))
        .credentials_provider(Credentials::new("AKID", "secret", None, None, "test"))
        .sleep_impl(TokioSleep::new())
        .time_source(clock.clone())
        .http_client(client);
    let elb = elb::Client::from_conf(config.build());
    let arn = web.load_balancers()[0].target_group_arn().expect("a group");
    let health =
        elb.describe_target_health().target_group_arn(arn).send().await.expect("described");
    let states: Vec<_> = health
        .target_health_descriptions()
        .iter()
        .filter_map(|one| one.target_health()?.state())
        .map(|state| state.as_str())
        .collect();
    assert_eq!(states, ["healthy", "healthy"]);
    let unknown = elb
        .describe_rules()
        .rule_arns("arn:aws:elasticloadbalancing:eu-central-1:1:listener-rule/app/x/y/z/w")
        .send()
        .await;
    assert!(unknown.expect_err("no such rule").into_service_error().is_rule_not_found_exception());
}

#[derive(Debug)]
struct Fates(Mutex<Vec<Interference>>, Mutex<Vec<String>>);

impl Interfere for Fates {
    fn with(&self, _: &Call) -> Interference {
        self.0.lock().expect("fates").pop().unwrap_or(Interference::None)
    }

    fn done(&self, call: &Call) {
        self.1.lock().expect("fates").push(format!("{} {}", call.index, call.operation));
    }
}

#[tokio::test(start_paused = true)]
async fn calls_get_lost_and_the_sdk_tries_again() {
    let (cloud, clock, client) = world();
    let refused = Interference::Error {
        status: 400,
        code: "ThrottlingException".into(),
        message: "Rate exceeded".into(),
    };
    let fates =
        Arc::new(Fates(Mutex::new(vec![refused, Interference::LoseAnswer]), Mutex::default()));
    let ecs = ecs(&clock, client.interfered(fates.clone()));
    let updated = ecs
        .update_service()
        .cluster("shop")
        .service("web")
        .desired_count(3)
        .send()
        .await
        .expect("the third attempt");
    assert_eq!(updated.service().map(|service| service.desired_count()), Some(3));
    assert!(
        clock.start.elapsed() > Duration::from_secs(20),
        "a read timeout: {:?}",
        clock.start.elapsed()
    );
    assert_eq!(
        *fates.1.lock().expect("fates"),
        ["1 UpdateService", "2 UpdateService", "3 UpdateService"]
    );
    let cloud = cloud.lock().expect("the world");
    let calls: Vec<u64> = cloud
        .journal()
        .iter()
        .filter_map(|entry| entry.call.as_ref())
        .map(|call| call.index)
        .collect();
    assert_eq!(calls, [1], "the lost answer took effect, and there was nothing left to change");
}
