//! A random life from a seed, and every ordered pair of deaths: for the tests a few, for the command
//! `cargo bench --bench seeds` as many as one likes.

use std::time::Duration;

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::sdk::Interference;

use crate::support::fate::{Chances, Death, Fate, Stale, When};
use crate::support::invariants::{Promise, answers, broken, serves, sick_with_traffic};
use crate::support::lives::{Life, World, call, outside, takes};
use crate::support::scenes::{GALLERY, SMALL, Scene};
use crate::support::sweep::{every_nth, on_every_core};

const PAIR: &str = "--cluster shop --service web";
/// Users are not left on a sick green for longer once somebody watches and AWS answers.
const SICK_FOR: Duration = Duration::from_secs(45);

/// What a change is decided on here is never older: AWS answers with a past of 9 s at most, a change is
/// sent on what was seen less than 10 s ago.
const PAST: Duration = Duration::from_secs(19);

/// One life: up to three processes, of which all but the last may die; the last one meets nothing.
pub(crate) fn life(seed: u64) -> Result<(), String> {
    let mut random = fastrand::Rng::with_seed(seed);
    // The large scene costs ten of the others.
    let scene = match random.u32(0..100) {
        0 => GALLERY[random.usize(0..GALLERY.len())],
        _ => {
            let small: Vec<&Scene> = GALLERY.iter().filter(|scene| scene.count < 10).collect();
            *small[random.usize(0..small.len())]
        }
    };
    let world = World::of(scene.cloud());
    world.cloud().remember(Duration::from_secs(20));
    let mut story =
        format!("seed {seed}: {}\nreplay: cargo bench --bench seeds -- 1 {seed}\n", scene.name);
    let outsider = random.bool().then(|| random.u32(0..6));
    // Drawn apart: what a seed meant before, it means still.
    let mut apart = fastrand::Rng::with_seed(!seed);
    let taken = outsider.is_none() && apart.u32(0..8) == 0;
    let mut verbs = 0;
    for turn in 0..random.u32(1..4) {
        let line = match random.u32(0..10) {
            0 => format!("rollback {PAIR}"),
            1 => scene.resume(),
            2 => format!("promote {PAIR}"),
            _ => scene.deploy(),
        };
        verbs += u32::from(line != scene.deploy());
        let mut fate = disturbed(&mut random);
        if turn == 0
            && let Some(what) = outsider
        {
            let at = When::Call(random.u32(1..180));
            fate.outsider = outside(at, move |cloud| disturbs(cloud, what));
            story += &format!("outsider {what} at {at:?}; ");
        }
        if turn == 0 && taken {
            let (at, image) = (When::Call(apart.u32(1..180)), scene.old_image());
            fate.outsider = outside(at, move |cloud| takes(cloud, "web-green", "web", &image));
            story += &format!("green taken at {at:?}; ");
        }
        story += &format!("{line} {fate:?}\n");
        let life = world.live(&line, fate);
        story += &format!("{:?}\n{}\n", life.code, life.text);
        story += &format!("then {} s\n", wait(&world, &mut random));
    }
    if taken {
        story += &refused(&scene, &world);
    }
    let either = taken || outsider.is_some() || verbs > 0;
    judged(&scene, &world, either).map_err(|why| format!("{why}\n{story}"))
}

/// Where both sides have traffic and no deployment is under way, a person types what is hinted at; where
/// ECS is at work, it is waited for.
fn refused(scene: &Scene, world: &World) -> String {
    let mut story = String::new();
    for _ in 0..3 {
        world.wait(600);
        let life = world.run(&scene.deploy());
        story += &format!("{:?}\n{}\n", life.code, life.text);
        if life.code != Some(3) {
            break;
        }
        let hints = life.text.lines().find_map(|line| line.strip_prefix("hint: ecs-bg "));
        if let Some(line) = hints {
            let life = world.run(line);
            story += &format!("{line}: {:?}\n{}\n", life.code, life.text);
        }
    }
    story
}

/// Its owner is dead for sure, or only seems to have been gone for a while.
fn wait(world: &World, random: &mut fastrand::Rng) -> u64 {
    let seconds = [0, 30, 181, 181, 600, 4000][random.usize(0..6)];
    world.wait(seconds);
    seconds
}

/// Chances of a bad network and a slow AWS, and perhaps a death.
fn disturbed(random: &mut fastrand::Rng) -> Fate {
    let refused = |status, code: &str| Interference::Error {
        status,
        code: code.into(),
        message: "as AWS says it".into(),
    };
    let faults = vec![
        refused(400, "ThrottlingException"),
        refused(500, "ServerException"),
        refused(503, "ServiceUnavailable"),
        Interference::ResetBefore,
        Interference::ResetAfter,
        Interference::LoseRequest,
        Interference::LoseAnswer,
        Interference::Truncate,
        Interference::Slow(Duration::from_secs(4)),
        Interference::Slow(Duration::from_secs(25)),
        Interference::Stale(Duration::from_secs(3)),
        Interference::Stale(Duration::from_secs(9)),
    ];
    let per_mille = [0, 0, 20, 60, 150][random.usize(0..5)];
    let chances = Chances { seed: random.u64(..), per_mille, faults };
    let stale = random.u32(0..4) == 0;
    let stale =
        stale.then(|| Stale { change: None, lasts: Duration::from_secs(random.u64(1..10)) });
    let dies = random.bool().then(|| {
        let death = if random.bool() { Death::BeforeSend } else { Death::BeforeAnswer };
        (random.u32(1..220), death)
    });
    Fate { chances: Some(chances), stale, dies, ..Fate::default() }
}

fn disturbs(cloud: &mut Cloud, what: u32) {
    let ecs = |cloud: &mut Cloud, operation: &str, body: &str| call(cloud, "ecs", operation, body);
    let wanted = |cloud: &mut Cloud, service: &str| {
        let body = format!(r#"{{"cluster":"shop","services":["{service}"]}}"#);
        !call(cloud, "ecs", "DescribeServices", &body).contains(r#""desiredCount":0"#)
    };
    let service = if what.is_multiple_of(2) { "web" } else { "web-green" };
    if !wanted(cloud, service) {
        return;
    }
    match what {
        0 | 1 => {
            let body = format!(r#"{{"cluster":"shop","serviceName":"{service}"}}"#);
            let tasks = ecs(cloud, "ListTasks", &body);
            if let Some(arn) = tasks.split('"').find(|part| part.contains(":task/")) {
                ecs(cloud, "StopTask", &format!(r#"{{"cluster":"shop","task":"{arn}"}}"#));
            }
        }
        _ => {
            let count = if what < 4 { 1 } else { 4 };
            let body =
                format!(r#"{{"cluster":"shop","service":"{service}","desiredCount":{count}}}"#);
            ecs(cloud, "UpdateService", &body);
        }
    }
}

/// A last process that meets nothing brings it to an end, and then nothing is left to do.
fn judged(scene: &Scene, world: &World, either: bool) -> Result<(), String> {
    world.wait(181);
    let from = world.now();
    // What somebody asked to be forgotten is deployed anew, so one run may not be enough.
    let mut last = world.run(&scene.deploy());
    // Weights whose writing was never recorded are for a person to judge, who types what is said.
    if let Some(hinted) = on_drift(&last) {
        last = world.run(&hinted);
    }
    if last.code == Some(1) && scene.good {
        last = world.run(&scene.deploy());
    }
    let told = |why: String| format!("{why}\nlast: {:?}\n{}", last.code, last.text);
    let code = last.code.filter(|code| *code <= 1).ok_or_else(|| told("no end".into()))?;
    if code != scene.exit_code() && !either {
        return Err(told(format!("not {}", scene.exit_code())));
    }
    world.wait(120);
    let image = if code == 0 { scene.new_image() } else { scene.old_image() };
    match either {
        false => serves(&world.cloud(), &image, scene.count).map_err(told)?,
        true => answers(&world.cloud()).map_err(told)?,
    }
    let promise =
        Promise { changes: 400, bake: Duration::ZERO, follow: Duration::ZERO, past: PAST };
    match broken(&world.cloud(), 0, &promise) {
        broken if broken.is_empty() => {}
        broken => return Err(told(format!("{broken:?}"))),
    }
    let sick_for = sick_with_traffic(&world.cloud(), from);
    match sick_for > SICK_FOR {
        true => Err(told(format!("on a sick green for {sick_for:?}"))),
        false => Ok(()),
    }
}

/// The command that a run hints at which stopped because of weights that it did not write.
fn on_drift(life: &Life) -> Option<String> {
    let mut hints = life.text.lines().filter_map(|line| line.strip_prefix("hint: ecs-bg "));
    let hint = hints.find(|line| life.code == Some(4) && line.contains("--accept-drift"));
    hint.map(str::to_owned)
}

/// The small scene dies at a call, what resumes it dies at a call, and a third goes on. One in `step`
/// of the first deaths is tried with every second one, or one in `stride()`. How many, and what failed.
pub(crate) fn every_pair(step: usize) -> (usize, Vec<String>) {
    let first = World::of(SMALL.cloud()).run_kept(&SMALL.deploy()).moments;
    let (mut pairs, mut failures) = (0, Vec::new());
    for one in first.iter().step_by(step) {
        let world = World::of(one.cloud.clone());
        world.wait(180);
        let second = world.run_kept(&SMALL.deploy()).moments;
        let second = every_nth("pairs of deaths", second);
        pairs += second.len();
        failures.extend(on_every_core(&second, |other| {
            let world = World::of(other.cloud.clone());
            world.wait(180);
            let life = world.run(&SMALL.deploy());
            let told = |why: String| {
                let deaths = (one.nth, one.done, other.nth, other.done);
                format!("killed at {deaths:?}: {why}\n{}", life.text)
            };
            ended_well(&world, &life).map_err(told)
        }));
    }
    (pairs, failures)
}

fn ended_well(world: &World, life: &Life) -> Result<(), String> {
    if life.code != Some(0) {
        return Err(format!("ended with {:?}", life.code));
    }
    serves(&world.cloud(), &SMALL.new_image(), SMALL.count)?;
    match broken(&world.cloud(), 0, &SMALL.promise()) {
        broken if broken.is_empty() => Ok(()),
        broken => Err(format!("{broken:?}")),
    }
}
