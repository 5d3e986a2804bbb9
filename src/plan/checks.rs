//! What must be true before a deployment starts: one table for each engine. All errors are found, each with
//! its fix. What each check says is in `refusals`.

use std::collections::BTreeMap;

use super::{Digest, Survey, Wanted, refusals, rolling};
use crate::error::Refusal;
use crate::request::{EngineName, Request};

/// What is checked.
pub(super) struct Case<'a> {
    pub(super) request: &'a Request,
    pub(super) survey: &'a Survey,
    pub(super) wanted: &'a Wanted,
    pub(super) digests: &'a BTreeMap<String, Digest>,
}

/// Something that must be true. A check that needs what another one finds wrong says nothing.
pub(super) struct Check {
    /// Its name, for programs.
    code: &'static str,
    run: fn(&Case<'_>) -> Result<(), Refusal>,
}

const LISTENER: &[Check] = &[
    Check { code: "options", run: |case| refusals::for_rolling_only(case.request) },
    Check { code: "image", run: |case| case.wanted.check(case.digests) },
    Check { code: "definition", run: |case| case.wanted.fits() },
    Check { code: "service", run: |case| refusals::service_is_fit(case.survey) },
    Check { code: "twin", run: |case| refusals::twin_is_fit(case.survey) },
    Check { code: "pair", run: |case| refusals::are_a_pair(case.survey) },
    Check { code: "traffic", run: |case| refusals::traffic_is_on_one_side(case.survey) },
    Check { code: "live-side", run: |case| refusals::live_side_is_well(case.survey) },
    Check { code: "scaling", run: |case| refusals::nothing_scales(case.survey) },
    Check { code: "stickiness", run: |case| refusals::nothing_sticks(case.survey) },
    Check {
        code: "task-definition",
        run: |case| refusals::fits_the_pair(case.wanted, case.survey),
    },
    Check { code: "target-health", run: |case| refusals::targets_can_be_healthy(case.survey) },
    Check { code: "twins-alike", run: |case| refusals::twins_are_alike(case.survey) },
    Check { code: "foreign-rules", run: |case| refusals::no_rule_is_in_the_way(case.survey) },
];

const ROLLING: &[Check] = &[
    Check { code: "options", run: |case| refusals::for_listener_only(case.request) },
    Check { code: "image", run: |case| case.wanted.check(case.digests) },
    Check { code: "definition", run: |case| case.wanted.fits() },
    Check { code: "service", run: |case| refusals::service_is_deployable(case.survey) },
    Check { code: "progress", run: rolling::can_make_progress },
    Check { code: "task-definition", run: rolling::fits_the_service },
    Check { code: "target-health", run: rolling::targets_can_be_healthy },
    Check { code: "port", run: rolling::port_is_free },
];

/// Whether a deployment may start; else every error.
pub(super) fn all(engine: EngineName, case: &Case<'_>) -> Result<(), Refusal> {
    let table = match engine {
        EngineName::Listener => LISTENER,
        EngineName::Rolling => ROLLING,
    };
    let mut errors: Vec<Refusal> = Vec::new();
    for check in table {
        let Err(error) = (check.run)(case) else { continue };
        // Both services may lack the same thing.
        if errors.iter().all(|known| known.what != error.what) {
            errors.push(Refusal { check: Some(check.code), ..error });
        }
    }
    let mut errors = errors.into_iter();
    match errors.next() {
        None => Ok(()),
        Some(first) => Err(Refusal { also: errors.collect(), ..first }),
    }
}
