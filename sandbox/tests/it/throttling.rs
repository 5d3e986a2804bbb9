//! AWS's documented token buckets.

use serde_json::json;

use crate::support::{Refused, World};

fn throttled() -> World {
    let mut world = World::shop();
    world.cloud.set_throttling(true);
    world
}

fn until_refused(
    world: &mut World,
    call: impl Fn(&mut World) -> Result<(), Refused>,
) -> (u32, Refused) {
    (0..1000)
        .find_map(|made| call(world).err().map(|refused| (made, refused)))
        .expect("refused at some time")
}

#[test]
fn each_group_of_ecs_operations_has_its_bucket() {
    let mut world = throttled();
    let update = |world: &mut World| {
        world
            .ecs("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 2}))
            .map(drop)
    };
    let rate = || ("ThrottlingException".to_owned(), "Rate exceeded".to_owned());
    assert_eq!(until_refused(&mut world, update), (50, rate()));
    let read = |world: &mut World| world.ecs("ListServices", json!({"cluster": "shop"})).map(drop);
    assert_eq!(until_refused(&mut world, read), (100, rate()));
    world.pass(2);
    assert_eq!(until_refused(&mut world, update), (10, rate()), "5 a second come back");
    assert_eq!(until_refused(&mut world, read), (40, rate()), "20 a second come back");
    world.pass(3600);
    assert_eq!(until_refused(&mut world, update), (50, rate()), "never more than the burst");
}

#[test]
fn logs_are_read_25_times_a_second() {
    let mut world = throttled();
    let rate = || ("ThrottlingException".to_owned(), "Rate exceeded".to_owned());
    let read = |world: &mut World| {
        let stream = json!({"logGroupName": "a", "logStreamName": "b"});
        match world.logs("GetLogEvents", stream).expect_err("there is none") {
            (code, _) if code == "ResourceNotFoundException" => Ok(()),
            refused => Err(refused),
        }
    };
    assert_eq!(until_refused(&mut world, read), (25, rate()));
    let streams = world.logs("DescribeLogStreams", json!({"logGroupName": "a"}));
    assert_eq!(streams.expect_err("there is none").0, "ResourceNotFoundException");
    world.pass(1);
    assert_eq!(until_refused(&mut world, read), (25, rate()));
}

#[test]
fn load_balancing_has_a_bucket_for_the_whole_account_too() {
    let mut world = throttled();
    let rate = || ("Throttling".to_owned(), "Rate exceeded".to_owned());
    let read = |world: &mut World| world.elb("DescribeLoadBalancers", json!({})).map(drop);
    assert_eq!(
        until_refused(&mut world, read),
        (40, rate()),
        "the shared one, not the 200 of reads"
    );
    world.pass(60);
    let arn = world.group("web-a");
    let change = |world: &mut World| {
        world
            .elb("ModifyTargetGroup", json!({"TargetGroupArn": arn, "HealthCheckPath": "/up"}))
            .map(drop)
    };
    assert_eq!(until_refused(&mut world, change), (20, rate()));
    assert_eq!(
        until_refused(&mut world, read),
        (19, rate()),
        "what the changes left of the shared one"
    );
}

#[test]
fn nobody_is_throttled_unless_it_is_asked_for() {
    let mut world = World::shop();
    for _ in 0..300 {
        world.ecs("ListServices", json!({"cluster": "shop"})).expect("answered");
    }
    let mut world = World::with("extends = 'shop'\n[throttling]\nenabled = true\n");
    let register = |world: &mut World| {
        let one = json!({"family": "x", "containerDefinitions": [{"name": "x", "image": "x", "memory": 128}]});
        world.ecs("RegisterTaskDefinition", one).map(drop)
    };
    assert_eq!(until_refused(&mut world, register).0, 20, "the scenario asks for it");
}
