//! Records that do not count or cannot be read, in words: warnings and refusals say the same.

use crate::event::{IgnoredRecord, Objection};
use crate::record::Unreadable;

pub(crate) fn unreadable(record: &Unreadable) -> String {
    let Unreadable { carrier, tag } = record;
    format!("the record in the tags of {carrier} cannot be read: `ecs-bg:record` is `{tag}`")
}

pub(crate) fn ignored(record: &IgnoredRecord) -> String {
    let IgnoredRecord { carrier, why } = record;
    format!("the record in the tags of {carrier} is ignored: {}", objection(why))
}

fn objection(objection: &Objection) -> String {
    match objection {
        Objection::Stranger { stranger, service } => format!(
            "it names {stranger}, which is not known as the twin of {service}; if it is: --twin {stranger}"
        ),
        Objection::OtherCluster { cluster } => format!("it names another cluster, {cluster}"),
        Objection::OtherRevision { revision } => format!("it is about {revision}"),
        Objection::Copied => {
            "it is a copy: it did not begin when its revision was registered".to_owned()
        }
        Objection::BackToOtherFamily { revision } => format!(
            "it would roll back to {revision}, which is of another family and which the service did not run, as far \
             as ECS tells"
        ),
        Objection::BackToNotOlder { revision } => {
            format!("it would roll back to {revision}, which is not older")
        }
        Objection::BackToUnreadable { revision } => {
            format!("it would roll back to {revision}, which cannot be read")
        }
        Objection::BackToOtherContainers { revision } => {
            format!("it would roll back to {revision}, which has other containers")
        }
        Objection::BeforeOfOtherFamily { revision, service } => {
            format!("it names {revision}, which is of a family that {service} does not run")
        }
        Objection::BeforeNotOlder { revision } => {
            format!("it names {revision} as the revision before, which is not older")
        }
        Objection::BeforeOtherContainers { revision } => {
            format!("it names {revision} as the revision before, which has other containers")
        }
    }
}
