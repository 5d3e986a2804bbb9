//! What the user should know before a deployment: what was not checked, and what may surprise.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::checks::service::setting_at;
use super::{Digest, Survey};
use crate::model::world::Service;
use crate::record::Record;
use crate::request::Request;
use crate::request::image::ImageRef;

/// What a user may not expect of a deployment like this.
pub(super) fn surprises(request: &Request, survey: &Survey) -> Vec<String> {
    let mut warnings = Vec::new();
    if request.timeout < Duration::from_secs(60) {
        warnings.push(format!(
            "--timeout is {}: a task that takes longer to become healthy is rolled back; 15m is 15 minutes",
            humantime::format_duration(request.timeout)
        ));
    }
    for (option, seconds) in &request.bare {
        let minutes = if *seconds == 1 { "minute" } else { "minutes" };
        warnings.push(format!("{option} is {seconds}s; {seconds}m is {seconds} {minutes}"));
    }
    let copies = |service: &&Service| {
        setting_at(service, &["propagateTags"]).and_then(Value::as_str) == Some("TASK_DEFINITION")
    };
    if let Some(service) = survey.world.services.values().find(copies).filter(|_| !request.no_wait)
    {
        warnings.push(format!(
            "{} copies the tags of its task definition to its tasks (propagateTags=TASK_DEFINITION): \
             the tags of the record, ecs-bg:*, are copied too",
            service.name
        ));
    }
    warnings
}

/// What could not be read, what is lost by it, and the permission that brings it back.
pub(super) fn unread(
    survey: &Survey,
    images: &BTreeMap<String, ImageRef>,
    digests: &BTreeMap<String, Digest>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (container, image) in images {
        if let (Some(Digest::Unknown(why)), Some(_)) = (digests.get(container), image.ecr()) {
            warnings
                .push(format!("image {image} was not checked ({why}); allow ecr:DescribeImages"));
        }
    }
    if survey.scalable.is_none() && survey.twin.is_some() {
        warnings.push(
            "auto scaling was not checked: a scalable target could start the stopped service again; allow \
             application-autoscaling:DescribeScalableTargets"
                .into(),
        );
    }
    if survey.world.groups.values().any(|group| group.attributes.is_none()) {
        warnings.push(
            "target group attributes and stickiness were not checked; allow \
             elasticloadbalancing:DescribeTargetGroupAttributes"
                .into(),
        );
    }
    warnings
}

/// Credentials that end in mid-deployment leave it half done. Most of those that end are renewed by
/// themselves; whether these are cannot be told.
pub(super) fn credentials(survey: &Survey, record: &Record) -> Option<String> {
    let expires = survey.expires?;
    let holds: Duration = record.shares.iter().map(|share| share.hold).sum();
    let least = holds + record.bake.max(record.follow);
    let left = expires.duration_since(survey.world.at).unwrap_or_default();
    (left < least).then(|| {
        format!(
            "the credentials expire in {}, and the deployment needs at least {}: they must be renewed meanwhile",
            humantime::format_duration(Duration::from_secs(left.as_secs())),
            humantime::format_duration(least)
        )
    })
}
