//! Faults that a world is told to have, in process and in virtual time; `http` has the same over sockets.

use std::time::Duration;

use aws_sdk_ecs::{Client, error::ProvideErrorMetadata};
use ecs_bg_sandbox::{Cloud, faults::Order, journal::Change};
use serde_json::{Value, json};

use crate::sdk;

fn orders(faults: Value) -> Vec<Order> {
    serde_json::from_value(faults).unwrap_or_else(|error| panic!("{error}"))
}

struct Lab {
    cloud: std::sync::Arc<std::sync::Mutex<Cloud>>,
    clock: sdk::Clock,
    ecs: Client,
}

impl Lab {
    fn with(faults: Value) -> Lab {
        let (cloud, clock, client) = sdk::world();
        cloud.lock().expect("the world").set_faults(orders(faults)).expect("faults");
        let ecs = sdk::patient(&clock, client, 1);
        Lab { cloud, clock, ecs }
    }

    /// Asks for so many tasks; the error's code, or what the connection did.
    async fn update(&self, desired: i32) -> Result<(), String> {
        let sent = self.ecs.update_service().cluster("shop").service("web").desired_count(desired);
        match sent.send().await {
            Ok(_) => Ok(()),
            Err(error) => Err(error.code().map_or_else(|| format!("{error:?}"), str::to_owned)),
        }
    }

    async fn desired(&self) -> i32 {
        let sent = self.ecs.describe_services().cluster("shop").services("web").send().await;
        sent.expect("described").services()[0].desired_count()
    }

    fn hits(&self) -> Vec<(u64, u64)> {
        let cloud = self.cloud.lock().expect("the world");
        cloud.faults().iter().map(|set| (set.seen, set.hit)).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn each_kind_happens_once_and_says_so() {
    let table = [
        ("throttle", "ThrottlingException", 2),
        ("500", "ServerException", 2),
        ("503", "ServiceUnavailableException", 2),
        ("expired", "ExpiredTokenException", 2),
        ("denied", "AccessDeniedException", 2),
        ("reset-before", "connection reset", 2),
        ("reset-after", "connection reset", 3),
        ("lose-request", "timeout", 2),
        ("lose-answer", "timeout", 3),
        ("truncate", "before the body was complete", 3),
    ];
    for (does, expected, desired) in table {
        let lab = Lab::with(json!([{"operation": "UpdateService", "nth": 1, "does": does}]));
        let error = lab.update(3).await.expect_err(does);
        assert!(error.to_lowercase().contains(&expected.to_lowercase()), "{does}: {error}");
        assert_eq!(lab.desired().await, desired, "{does}");
        lab.update(4).await.unwrap_or_else(|error| panic!("{does}, again: {error}"));
        assert_eq!(lab.hits(), [(2, 1)], "{does}");
        let cloud = lab.cloud.lock().expect("the world");
        let noted = cloud.journal().iter().filter(|entry| {
            matches!(entry.change, Change::Fault { .. })
                && entry.call.as_ref().is_some_and(|call| call.operation == "UpdateService")
        });
        assert_eq!(noted.count(), 1, "{does} is in the journal");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_answers_and_errors_of_ones_own() {
    let lab = Lab::with(json!([
        {"operation": "*", "service": "ecs", "nth": 1, "does": "slow", "for": "7s"},
        {"operation": "UpdateService", "nth": 2, "does": "error", "status": 400, "code": "ServiceNotActiveException", "message": "Service was not ACTIVE."},
    ]));
    lab.update(3).await.expect("late");
    assert!(lab.clock.passed() >= Duration::from_secs(7), "{:?}", lab.clock.passed());
    assert_eq!(lab.update(3).await, Err("ServiceNotActiveException".to_owned()));
    assert_eq!(lab.hits(), [(2, 1), (2, 1)], "each counts the calls that it is about");
}

#[tokio::test(start_paused = true)]
async fn a_stale_read_sees_the_world_as_it_was() {
    let lab = Lab::with(json!([{"operation": "DescribeServices", "does": "stale", "age": "10s"}]));
    tokio::time::sleep(Duration::from_secs(60)).await;
    lab.update(3).await.expect("updated");
    assert_eq!(lab.desired().await, 2, "what was");
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert_eq!(lab.desired().await, 2, "still");
    lab.update(4).await.expect("updated");
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(lab.desired().await, 3, "the first change shows, the second does not");
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert_eq!(lab.desired().await, 4);
    let tasks = lab.ecs.list_tasks().cluster("shop").send().await.expect("listed");
    assert_eq!(tasks.task_arns().len(), 4, "other reads see what is");
}

#[tokio::test(start_paused = true)]
async fn probability_has_a_seed() {
    let run = async |seed: u64| {
        let lab = Lab::with(
            json!([{"operation": "*", "probability": 0.3, "seed": seed, "does": "throttle"}]),
        );
        let mut fates = String::new();
        for _ in 0..60 {
            fates.push(if lab.update(2).await.is_ok() { '.' } else { 'x' });
        }
        fates
    };
    let (one, same, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(one, same);
    assert_ne!(one, other);
    let hits = one.matches('x').count();
    assert!((8..=30).contains(&hits), "{one}");
}

#[test]
fn ordinals_count_from_when_the_fault_was_set() {
    let fates = |fault: Value| {
        let mut world = crate::support::World::shop();
        world.cloud.set_faults(orders(json!([fault]))).expect("faults");
        // `handle` is AWS itself: what happens on the way does not happen to it.
        world.ecs("ListClusters", json!({})).expect("answered");
        world.cloud.faults()[0].seen
    };
    assert_eq!(fates(json!({"operation": "*", "does": "500"})), 0);
}

#[test]
fn malformed_faults_name_the_member() {
    let table = [
        (json!({"operation": "", "does": "500"}), "`operation`"),
        (json!({"operation": "Update Service", "does": "500"}), "`operation`"),
        (json!({"operation": "*", "nth": 0, "does": "500"}), "`nth`"),
        (json!({"operation": "*", "times": 0, "does": "500"}), "`times`"),
        (json!({"operation": "*", "probability": 1.5, "does": "500"}), "`probability`"),
        (json!({"operation": "*", "probability": 0.5, "nth": 2, "does": "500"}), "`nth`"),
        (json!({"operation": "*", "seed": 1, "does": "500"}), "`seed`"),
        (json!({"operation": "*", "does": "slow"}), "`for`"),
        (json!({"operation": "*", "does": "500", "for": "1s"}), "`for`"),
        (json!({"operation": "*", "does": "stale"}), "`age`"),
        (json!({"operation": "*", "does": "error", "status": 400}), "`code`"),
        (json!({"operation": "*", "does": "error", "status": 200, "code": "X"}), "`status`"),
        (json!({"operation": "*", "does": "500", "message": "x"}), "`message`"),
    ];
    for (fault, member) in table {
        let mut world = crate::support::World::shop();
        let error = world.cloud.set_faults(orders(json!([fault]))).expect_err(member);
        assert!(error.starts_with("faults[0]: ") && error.contains(member), "{fault}: {error}");
        assert!(world.cloud.faults().is_empty());
    }
    for (fault, what) in [
        (json!({"operation": "*"}), "missing field `does`"),
        (json!({"operation": "*", "does": "explode"}), "unknown variant `explode`"),
        (json!({"operation": "*", "does": "500", "often": 1}), "unknown field `often`"),
        (json!({"operation": "*", "does": "slow", "for": "soon"}), "duration \"soon\""),
    ] {
        let error = serde_json::from_value::<Order>(fault).expect_err(what);
        assert!(error.to_string().contains(what), "{error}");
    }
}
