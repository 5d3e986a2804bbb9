//! The sweeps keep the world at each call of one life instead of killing a process at each.

use crate::support::fate::Death;
use crate::support::lives::World;
use crate::support::scenes::SMALL;

/// The short cut is none: what is kept at a call is what a process leaves that dies there.
#[test]
fn a_kept_moment_is_what_a_killed_process_leaves() {
    let left = |cloud: &ecs_bg_sandbox::Cloud| {
        let world = World::of(cloud.clone());
        world.wait(600);
        let cloud = world.cloud();
        (
            cloud.serving(),
            cloud.journal().iter().map(|entry| entry.change.clone()).collect::<Vec<_>>(),
        )
    };
    let whole = World::of(SMALL.cloud()).run_kept(&SMALL.deploy());
    for moment in whole.moments.iter().step_by(5) {
        let world = World::of(SMALL.cloud());
        let death = if moment.done { Death::BeforeAnswer } else { Death::BeforeSend };
        assert_eq!(world.run_until(&SMALL.deploy(), moment.nth, death).code, None);
        let killed = world.cloud().clone();
        let (killed, kept) = (left(&killed), left(&moment.cloud));
        assert_eq!(killed, kept, "{death:?} at call {}", moment.nth);
    }
}
