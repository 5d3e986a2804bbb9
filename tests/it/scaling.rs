//! Pairs that Application Auto Scaling scales.

use ecs_bg_sandbox::Does;
use ecs_bg_sandbox::sdk::Interference;

use crate::support::fate::Fate;
use crate::support::invariants::{scaled_as_found, serves};
use crate::support::lives::{World, deploy};
use crate::support::scenes::{SCALED, SCALED_SICK};

fn denied(operation: &'static str) -> Interference {
    let message = format!(
        "User: arn:aws:iam::123456789012:user/ci is not authorized to perform: application-autoscaling:{operation}"
    );
    Interference::Error { status: 400, code: "AccessDeniedException".into(), message }
}

/// The how-manieth call of a life is the first RegisterScalableTarget, the second, …
fn registers() -> Vec<u32> {
    let life = World::of(SCALED.cloud()).run(&SCALED.deploy());
    let calls = (1..).zip(&life.operations);
    calls.filter(|(_, own)| *own == "RegisterScalableTarget").map(|(nth, _)| nth).collect()
}

#[test]
fn scaling_moves_with_the_traffic_and_the_next_deployment_finds_it_as_this_one_did() {
    let world = World::of(SCALED.cloud());
    for image in ["2", "5", "2"] {
        let life = world.run(&crate::support::lives::deploy(image, "--follow 60s --bake 0s"));
        assert_eq!(life.code, Some(0), "{}", life.text);
        scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
        // Blue's scale-in, green's scale-out, green's limits, blue's.
        assert_eq!(life.calls["RegisterScalableTarget"], 4, "{:?}", life.calls);
    }
    let world = World::of(SCALED_SICK.cloud());
    let life = world.run(&SCALED_SICK.deploy());
    assert_eq!(life.code, Some(1), "{}", life.text);
    scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn what_may_not_be_changed_is_refused_before_green_starts() {
    let world = World::of(SCALED.cloud());
    let life = world.run_denied(&SCALED.deploy(), &["RegisterScalableTarget"]);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("RegisterScalableTarget"), "{}", life.text);
    serves(&world.cloud(), &SCALED.old_image(), 2).unwrap_or_else(|why| panic!("{why}"));
    assert!(!life.calls.contains_key("UpdateService"), "{:?}", life.calls);
}

#[test]
fn what_may_not_be_changed_any_more_is_exit_4_with_the_command_and_resumed() {
    let registers = registers();
    for nth in &registers[2..] {
        let world = World::of(SCALED.cloud());
        let since = Some((*nth, denied("RegisterScalableTarget")));
        let fate = Fate { since, only: Some("RegisterScalableTarget"), ..Fate::default() };
        let life = world.live(&SCALED.deploy(), fate);
        assert_eq!(life.code, Some(4), "call {nth}: {}", life.text);
        for part in [
            "aws application-autoscaling register-scalable-target --service-namespace ecs",
            "hint: ecs-bg resume --cluster shop --service web",
        ] {
            assert!(life.text.contains(part), "call {nth}: {part} is missing:\n{}", life.text);
        }
        // Both sides are whole, and the new one serves.
        serves(&world.cloud(), &SCALED.new_image(), 2).unwrap_or_else(|why| panic!("{why}"));
        let life = world.run("resume --cluster shop --service web");
        assert_eq!(life.code, Some(0), "call {nth}: {}", life.text);
        scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// The traffic waits for auto scaling at no moment.
#[test]
fn targets_that_can_not_be_read_any_more_keep_nobody_on_an_unhealthy_green() {
    let registers = registers();
    let world = World::of(SCALED_SICK.cloud());
    let since = Some((registers[1] + 1, denied("DescribeScalableTargets")));
    let fate = Fate { since, only: Some("DescribeScalableTargets"), ..Fate::default() };
    let life = world.live(&SCALED_SICK.deploy(), fate);
    assert_eq!(life.code, Some(4), "{}", life.text);
    serves(&world.cloud(), &SCALED.old_image(), 2).unwrap_or_else(|why| panic!("{why}"));
    assert!(world.cloud().images().iter().any(|image| image.does == Does::Sick));
    let life = world.run("resume --cluster shop --service web");
    assert_eq!(life.code, Some(1), "{}", life.text);
    scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
}

/// The policies are compared as far as that is allowed.
#[test]
fn policies_that_may_not_be_read_are_said() {
    let world = World::of(SCALED.cloud());
    let life = world.run_denied(&SCALED.deploy(), &["DescribeScalingPolicies"]);
    assert_eq!(life.code, Some(0), "{}", life.text);
    let said = "allow application-autoscaling:DescribeScalingPolicies";
    assert_eq!(life.text.matches(said).count(), 1, "{}", life.text);
}

/// Its own policy is enough for a pair that is scaled.
#[test]
fn the_least_policy_is_enough_for_it() {
    let world = World::of(SCALED.cloud());
    let policy = world.run("iam-policy --cluster shop --service web").text;
    assert!(policy.contains("application-autoscaling:RegisterScalableTarget"), "{policy}");
    let parsed = ecs_bg_sandbox::iam::Policy::parse(&policy, "policy").expect("a policy");
    world.cloud().set_policy(Some(parsed));
    let life = world.run(&SCALED.deploy());
    assert_eq!(life.code, Some(0), "{}", life.text);
    assert!(!life.text.contains("allow "), "{}", life.text);
}

/// Who may not read auto scaling any more neither deploys over it nor loses it on the way back.
#[test]
fn auto_scaling_that_was_moved_before_and_is_unread_now_is_not_lost() {
    let denied = &["DescribeScalableTargets"];
    let world = World::of(SCALED.cloud());
    let life = world.run(&deploy("2", "--keep-old --bake 30s"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let life = world.run_denied(&deploy("5", "--bake 30s"), denied);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("DescribeScalableTargets"), "{}", life.text);
    let life = world.run_denied("rollback --cluster shop --service web", denied);
    assert_eq!(life.code, Some(4), "{}", life.text);
    assert!(life.text.contains("DescribeScalableTargets"), "{}", life.text);
    let life = world.run("resume --cluster shop --service web");
    assert!(matches!(life.code, Some(0 | 1)), "{}", life.text);
    world.wait(60);
    scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
}

/// Whichever side is to serve again.
#[test]
fn auto_scaling_that_is_unread_is_told_on_every_way_back() {
    let denied = &["DescribeScalableTargets"];
    let well = |world: &World, text: &str| {
        let life = world.run("resume --cluster shop --service web");
        assert!(matches!(life.code, Some(0 | 1)), "{text}: {}", life.text);
        world.wait(60);
        scaled_as_found(&world.cloud(), SCALED.limits())
            .unwrap_or_else(|why| panic!("{why}: {text}"));
    };
    // The side that the last deployment did not begin with.
    let world = World::of(SCALED.cloud());
    let life = world.run(&deploy("2", "--keep-old --bake 30s"));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let life = world.run("rollback --cluster shop --service web");
    assert_eq!(life.code, Some(1), "{}", life.text);
    let life = world.run_denied("rollback --cluster shop --service web --to web-green", denied);
    assert_eq!(life.code, Some(4), "{}", life.text);
    // No record tells of it: the next deployment finds it.
    assert_eq!(world.run(&deploy("5", "--bake 30s")).code, Some(0));
    world.wait(60);
    scaled_as_found(&world.cloud(), SCALED.limits()).unwrap_or_else(|why| panic!("{why}"));
    // A rollback that deploys the version before names the way that moves weights alone.
    let world = World::of(SCALED.cloud());
    for tag in ["2", "5"] {
        assert_eq!(world.run(&deploy(tag, "--bake 30s")).code, Some(0));
    }
    let life = world.run_denied("rollback --cluster shop --service web", denied);
    assert_eq!(life.code, Some(3), "{}", life.text);
    assert!(life.text.contains("--to web-green; then allow"), "{}", life.text);
    let life = world.run_denied("rollback --cluster shop --service web --to web-green", denied);
    assert_eq!(life.code, Some(4), "{}", life.text);
    well(&world, &life.text);
}
