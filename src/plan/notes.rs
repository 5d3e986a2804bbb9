//! What the user should know before a deployment: what was not checked, and what may surprise.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::checks::service::setting_at;
use super::{Digest, Survey, Wanted};
use crate::event::Warning;
use crate::model::arn::short;
use crate::model::world::Service;
use crate::record::Record;
use crate::request::Request;
use crate::request::image::ImageRef;

/// A shorter `--timeout` may roll back an ordinary start.
const SHORT_TIMEOUT: Duration = Duration::from_secs(60);

/// What a user may not expect of a deployment like this.
pub(super) fn surprises(request: &Request, survey: &Survey, wanted: &Wanted) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let live = super::live(request, survey).ok();
    let live = live.and_then(|live| survey.revisions.get(&live.revision));
    let revision = wanted.base.name.clone();
    warnings.extend(wanted.refused(live).map(|why| Warning::NotRegistered { revision, why }));
    if request.timeout < SHORT_TIMEOUT {
        warnings.push(Warning::ShortTimeout { timeout: request.timeout });
    }
    warnings.extend(no_way_back(request, survey));
    let on = survey.alarms.iter().filter(|alarm| alarm.fires);
    warnings.extend(on.map(|alarm| Warning::AlarmOn { alarm: alarm.name.clone() }));
    let bare = request.bare.iter();
    warnings.extend(bare.map(|&(option, seconds)| Warning::NoUnit { option, seconds }));
    let copies = |service: &&Service| {
        setting_at(service, &["propagateTags"]).and_then(Value::as_str) == Some("TASK_DEFINITION")
    };
    if let Some(service) = survey.world.services.values().find(copies).filter(|_| !request.no_wait)
    {
        warnings.push(Warning::RecordTagsCopied { service: service.name.clone() });
    }
    warnings
}

/// Images of the live revision that are gone. Tasks that run go on; none of them can be replaced.
fn no_way_back(request: &Request, survey: &Survey) -> Vec<Warning> {
    let Ok(live) = super::live(request, survey) else { return vec![] };
    let gone = survey.way_back.iter().filter_map(|(container, (image, digest))| match digest {
        Digest::Missing(why) | Digest::NoRepository(why) => Some(Warning::NoWayBack {
            revision: short(&live.revision).to_owned(),
            container: container.clone(),
            image: image.to_string(),
            why: why.clone(),
        }),
        _ => None,
    });
    gone.collect()
}

/// What could not be read.
pub(super) fn unread(
    survey: &Survey,
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Vec<Warning> {
    let mut warnings = unchecked(images, digests);
    if survey.world.scalable.is_none() && survey.twin.is_some() {
        warnings.push(Warning::ScalingUnchecked);
    }
    let is_scaled = survey.world.scalable.as_ref().is_some_and(|targets| !targets.is_empty());
    if is_scaled && survey.policies.is_none() && survey.twin.is_some() {
        warnings.push(Warning::PoliciesUnchecked);
    }
    if survey.world.groups.values().any(|group| group.attributes.is_none()) {
        warnings.push(Warning::AttributesUnchecked);
    }
    warnings
}

/// Images of ECR that could not be looked up.
pub fn unchecked(
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Vec<Warning> {
    let unchecked = |(container, image): (&String, &ImageRef)| {
        let (Some(Digest::Unknown(why)), Some(_)) = (digests.get(container), image.ecr()) else {
            return None;
        };
        let (image, container) = (image.to_string(), container.clone());
        Some(Warning::ImageUnchecked { image, container, why: why.clone() })
    };
    images.iter().filter_map(unchecked).collect()
}

/// Credentials that end in mid-deployment leave it half done. Most of those that end are renewed by
/// themselves; whether these are cannot be told.
pub(super) fn credentials(survey: &Survey, record: &Record) -> Option<Warning> {
    let expires = survey.expires?;
    let holds: Duration = record.shares.iter().map(|share| share.hold).sum();
    let needed = holds + record.bake.max(record.follow);
    let left = expires.duration_since(survey.world.at).unwrap_or_default();
    (left < needed).then_some(Warning::CredentialsExpire { left, needed })
}
