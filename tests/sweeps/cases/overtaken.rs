//! Another tool deploys to green at any moment: whoever deploys next comes through.

use ecs_bg_sandbox::Cloud;

use crate::support::fate::{Fate, When, is_read};
use crate::support::invariants::{answers, serves};
use crate::support::lives::{Life, REPOSITORY, World, deploy, outside, takes};
use crate::support::sweep::sweep;

pub(crate) const SHARES: &str = "--shares 50:2m,100";

pub(crate) fn takes_green(cloud: &mut Cloud, tag: &str) {
    takes(cloud, "web-green", "web", &format!("{REPOSITORY}:{tag}"));
}

pub(crate) fn hint(life: &Life) -> String {
    let hint = life.text.lines().find_map(|line| line.strip_prefix("hint: "));
    hint.unwrap_or_else(|| panic!("no hint:\n{}", life.text)).to_owned()
}

/// Somebody deploys to green directly before any change, and some reads: beside an owner that
/// lives, or after its death.
#[test]
fn an_outsider_takes_green_at_any_step() {
    let kept = World::new("shop").run_kept(&deploy("2", SHARES));
    let before = kept.moments.iter().filter(|moment| !moment.done);
    let before = before.filter(|m| !is_read(&m.operation) || m.nth.is_multiple_of(4));
    let cases = before.flat_map(|moment| [(moment, true), (moment, false)]);
    sweep("green taken", cases, |(moment, lives)| {
        let mut story = format!("before call {}, alive: {lives}", moment.nth);
        let world = match lives {
            true => World::new("shop"),
            false => World::of(moment.cloud.clone()),
        };
        match lives {
            true => {
                let outsider = outside(When::Call(moment.nth), |cloud| takes_green(cloud, "5"));
                let life = world.live(&deploy("2", SHARES), Fate { outsider, ..Fate::default() });
                story += &format!("\n{:?}\n{}", life.code, life.text);
                if !matches!(life.code, Some(0 | 5)) {
                    return Err(story);
                }
            }
            false => {
                takes_green(&mut world.cloud(), "5");
                world.wait(180);
            }
        }
        comes_through(&world).map_err(|why| format!("{story}\n{why}"))
    });
}

/// Whoever deploys next comes through; where that is refused, with the command that is hinted at.
fn comes_through(world: &World) -> Result<(), String> {
    let mut story = String::new();
    for _ in 0..4 {
        let life = world.run(&deploy("2", SHARES));
        story += &format!("\ndeploy: {:?}\n{}", life.code, life.text);
        if life.code == Some(0) {
            let serving = serves(&world.cloud(), &format!("{REPOSITORY}:2"), 2);
            return serving.and_then(|()| answers(&world.cloud())).map_err(|why| story + &why);
        }
        if life.code != Some(3) {
            break;
        }
        world.wait(300);
        // It may also be `aws ecs wait services-stable`.
        if let Some(line) = hint(&life).strip_prefix("ecs-bg ") {
            let life = world.run(line);
            story += &format!("\n{line}: {:?}\n{}", life.code, life.text);
            if !matches!(life.code, Some(0 | 1)) {
                break;
            }
        }
    }
    Err(story)
}
