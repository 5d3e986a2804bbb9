//! What must be true before a deployment starts. Each engine has a table of these; all errors are found,
//! each with its fix.

pub(super) mod image;
pub(super) mod options;
pub(super) mod pair;
pub(super) mod scaling;
pub(super) mod service;
pub(super) mod traffic;

use std::collections::BTreeMap;

use super::{Digest, Survey, Wanted};
use crate::event::{Refusal, Refused};
use crate::request::Request;

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
    pub(super) code: &'static str,
    pub(super) run: fn(&Case<'_>) -> Result<(), Refusal>,
}

pub(super) fn refuse<T>(why: impl Into<Refused>) -> Result<T, Refusal> {
    Err(Refusal::new(why))
}

/// Whether a deployment may start; else every error.
pub(super) fn all<'a>(
    table: impl IntoIterator<Item = &'a Check>,
    case: &Case<'_>,
) -> Result<(), Refusal> {
    let mut errors: Vec<Refusal> = Vec::new();
    for check in table {
        let Err(error) = (check.run)(case) else { continue };
        // Both services may lack the same thing.
        if errors.iter().all(|known| known.why != error.why) {
            errors.push(Refusal { check: Some(check.code), ..error });
        }
    }
    let mut errors = errors.into_iter();
    match errors.next() {
        None => Ok(()),
        Some(first) => Err(Refusal { also: errors.collect(), ..first }),
    }
}
