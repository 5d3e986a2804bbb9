//! How a service deployment of these strategies begins: what is known of it before the first stage.

use serde_json::Value;

use crate::{
    protocol::json::int,
    state::{
        Here,
        ecs::{Course, Native, Service},
    },
};

/// The service deployment of the newest deployment, if the service's strategy shifts traffic.
pub(crate) fn begin(here: &Here<'_>, service: &Service) -> Option<Native> {
    let config = super::super::show::configuration(service);
    let steps = steps(&config)?;
    let count = |id: &str| {
        let tasks = service.tasks.iter().filter_map(|arn| here.region.ecs.tasks.get(arn));
        let own = tasks.filter(|one| one.wanted() && one.started_by.as_deref() == Some(id)).count();
        u32::try_from(own).unwrap_or(u32::MAX)
    };
    let completed = service.completed.as_ref().map(|one| one.id.as_str());
    let older = service.deployments.get(1..).unwrap_or_default();
    let kept = |id: &str| match (count(id), Some(id) == completed) {
        (live, true) => live.max(service.desired),
        (live, false) => live,
    };
    Some(Native {
        course: Course::Forward,
        stage: None,
        since: here.now(),
        until: here.now(),
        steps,
        step: 0,
        production: 0.0,
        test: 0.0,
        hooks: Vec::new(),
        sides: Vec::new(),
        source: older
            .iter()
            .find(|one| Some(one.id.as_str()) == completed)
            .map(|one| one.id.clone()),
        kept: older.iter().map(|one| (one.id.clone(), kept(&one.id))).collect(),
        planned: service.desired,
        reason: None,
    })
}

/// A deployment that was successful, and not yet shown as complete, is by now.
pub(crate) fn supersede(service: &mut Service) {
    let native = service.rollouts.first_mut().and_then(|one| one.native.as_mut());
    if let Some(native) = native.filter(|native| native.course == Course::Settling) {
        native.course = Course::Done;
        if let Some(own) = service.deployments.first_mut() {
            own.rollout_state = "COMPLETED".into();
            own.rollout_reason = format!("ECS deployment {} completed.", own.id);
        }
    }
}

/// The production weights of a configuration's strategy, one after the other; `None`: ROLLING.
fn steps(config: &Value) -> Option<Vec<f64>> {
    match config["strategy"].as_str() {
        Some("BLUE_GREEN") => Some(vec![100.0]),
        Some("CANARY") => {
            let first = config["canaryConfiguration"]["canaryPercent"].as_f64().unwrap_or(5.0);
            Some(if first < 100.0 { vec![first, 100.0] } else { vec![100.0] })
        }
        Some("LINEAR") => {
            let step = config["linearConfiguration"]["stepPercent"].as_f64().unwrap_or(10.0);
            // Tenths of a percent are whole numbers, so that nothing is lost by adding them up.
            let tenths = (step * 10.0).round().max(1.0) as u32;
            let below = (1..).map(|nth| nth * tenths).take_while(|weight| *weight < 1000);
            Some(below.chain([1000]).map(|weight| f64::from(weight) / 10.0).collect())
        }
        _ => None,
    }
}

/// How many steps a configuration has, and how many minutes they and the bakes take.
pub(crate) fn lasts(config: &Value) -> (u64, u64) {
    let steps = steps(config).map_or(0, |steps| steps.len() as u64);
    let (step, bake) = bakes(config);
    (steps, if steps == 0 { 0 } else { step * (steps - 1) + bake })
}

/// How long a weight below 100 % lasts, and how long both revisions stay at the end, in minutes.
pub(super) fn bakes(config: &Value) -> (u64, u64) {
    let minutes = |value: Option<&Value>, default: u64| {
        int(value).and_then(|minutes| u64::try_from(minutes).ok()).unwrap_or(default)
    };
    let step = match config["strategy"].as_str() {
        Some("CANARY") => {
            minutes(config.pointer("/canaryConfiguration/canaryBakeTimeInMinutes"), 10)
        }
        Some("LINEAR") => minutes(config.pointer("/linearConfiguration/stepBakeTimeInMinutes"), 6),
        _ => 0,
    };
    (step, minutes(config.get("bakeTimeInMinutes"), 0))
}
