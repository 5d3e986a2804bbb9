//! The document of `ecs-bg plan --output json`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::words;
use crate::event::{Edited, EngineReason, Location, Planned, RunningImage, Warning, at_least};
use crate::model::serial::seconds;
use crate::plan::{Decision, Survey};
use crate::request::EngineName;

/// What would be done.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "decision", rename_all = "kebab-case")]
pub(super) enum Document {
    /// A deployment begins.
    Deploy(Box<Deployment>),
    /// An unfinished deployment of the same request is continued.
    Adopt(Unfinished),
    /// An unfinished deployment of another request comes first.
    Unfinished(Unfinished),
    /// The service runs this already.
    NothingToDo {
        /// The service.
        service: String,
        /// `web:43`
        revision: String,
        /// Images that its tasks run, where their digests were compared.
        images: Vec<RunningImage>,
    },
}

/// A deployment as it would be.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Deployment {
    /// What it is about.
    location: Location,
    /// How it deploys.
    engine: EngineName,
    /// Why so, in words. They may change; the other members do not, within a version.
    why: String,
    /// Why so.
    reason: EngineReason,
    /// The service that serves.
    blue: String,
    /// The service that starts the new revision.
    green: String,
    /// The revision that is copied.
    base: String,
    /// New images, by container.
    images: BTreeMap<String, String>,
    /// Other changes of the task definition.
    edits: Vec<Edited>,
    /// How long that takes at least; the start of the tasks comes on top.
    #[serde(rename = "at_least_seconds", serialize_with = "seconds")]
    #[cfg_attr(test, schemars(with = "u64"))]
    at_least: Duration,
    /// What happens, in order.
    steps: Vec<Step>,
    /// Lines of the difference between the two task definitions; what may be secret is masked.
    diff: Vec<String>,
    /// What a user may not expect.
    warnings: Vec<Told>,
}

/// A deployment that is not over.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Unfinished {
    /// `web:43`
    deployment: String,
    /// The service that served when it began.
    blue: String,
    /// The service that starts the new revision.
    green: String,
}

/// A step.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Step {
    /// In words.
    what: String,
    #[serde(flatten)]
    planned: Planned,
}

/// A warning.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(super) struct Told {
    #[serde(flatten)]
    warning: Warning,
    /// In words.
    message: String,
}

impl Document {
    pub(super) fn of(survey: &Survey, decision: &Decision) -> Self {
        let unfinished = |record: &crate::record::Record| Unfinished {
            deployment: record.name().to_owned(),
            blue: record.blue.clone(),
            green: record.green.clone(),
        };
        match decision {
            Decision::Deploy(plan) => {
                let step = |one: &Planned| Step { what: words::step(one), planned: one.clone() };
                let told =
                    |one: &Warning| Told { warning: one.clone(), message: words::warning(one) };
                Self::Deploy(Box::new(Deployment {
                    location: survey.location(),
                    engine: plan.record.engine(),
                    why: words::engine_reason(&plan.why),
                    reason: plan.why.clone(),
                    blue: plan.record.blue.clone(),
                    green: plan.record.green.clone(),
                    base: plan.base.name.clone(),
                    images: plan.changes.images.clone(),
                    edits: plan.changes.shown_edits(),
                    at_least: at_least(&plan.steps),
                    steps: plan.steps.iter().map(step).collect(),
                    diff: plan.diff.1.clone(),
                    warnings: plan.warnings.iter().map(told).collect(),
                }))
            }
            Decision::Adopt(record) => Self::Adopt(unfinished(record)),
            Decision::Unfinished(record) => Self::Unfinished(unfinished(record)),
            Decision::Nothing { service, revision, images } => Self::NothingToDo {
                service: service.clone(),
                revision: revision.clone(),
                images: images.clone(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::schema;

    #[test]
    fn the_schema_of_a_plan_is_that_of_the_types() {
        schema::of_command::<Document>("plan");
    }
}
