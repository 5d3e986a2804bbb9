//! Refusals: what keeps a command from doing anything, as facts. Their words and what helps are in
//! `render::words::refusal`.

mod definition;
mod images;
mod local;
mod one_off;
mod options;
mod pair;
mod record;
mod scaling;
mod service;
mod setup;
mod traffic;

use serde::Serialize;

pub use definition::DefinitionRefused;
pub use images::ImagesRefused;
pub use local::{FileUse, LocalRefused};
pub use one_off::{OneOffRefused, RunCommand};
pub use options::OptionsRefused;
pub use pair::{Doubt, PairRefused};
pub use record::RecordRefused;
pub use scaling::{ScalableTarget, ScalingPolicy, ScalingRefused};
pub use service::{ServiceRefused, Through};
pub use setup::{RuleMove, SetupRefused, Unfit};
pub use traffic::TrafficRefused;

use crate::request::misfit::{EditMisfit, ImageMisfit};

macro_rules! subjects {
    ($($(#[$doc:meta])* $subject:ident($facts:ty),)*) => {
        /// What is in the way, by subject.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(untagged)]
        pub enum Refused {
            $($(#[$doc])* $subject($facts),)*
        }

        $(impl From<$facts> for Refused {
            fn from(facts: $facts) -> Self {
                Self::$subject(facts)
            }
        })*
    };
}

subjects! {
    /// The service.
    Service(ServiceRefused),
    /// The pair.
    Pair(PairRefused),
    /// Rules and target groups.
    Traffic(TrafficRefused),
    /// Auto scaling.
    Scaling(ScalingRefused),
    /// Options.
    Options(OptionsRefused),
    /// Images.
    Images(ImagesRefused),
    /// Images that match no container.
    ImageMisfit(ImageMisfit),
    /// The task definition.
    Definition(DefinitionRefused),
    /// Changes of the task definition that match no container.
    EditMisfit(EditMisfit),
    /// Other deployments, and records.
    Record(RecordRefused),
    /// `ecs-bg setup`
    Setup(SetupRefused),
    /// `ecs-bg run`
    OneOff(OneOffRefused),
    /// This machine and its account.
    Local(LocalRefused),
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::Refused;

    /// The members of every refusal: they stand beside others in a line of JSON.
    fn members(schema: &Value, found: &mut Vec<(String, Vec<String>)>) {
        match schema {
            Value::Object(inner) => {
                let own = inner.get("properties").and_then(Value::as_object);
                let name = own.and_then(|own| own.get("refusal")?["const"].as_str());
                if let (Some(own), Some(name)) = (own, name) {
                    found.push((name.to_owned(), own.keys().cloned().collect()));
                }
                inner.values().for_each(|one| members(one, found));
            }
            Value::Array(all) => all.iter().for_each(|one| members(one, found)),
            _ => {}
        }
    }

    #[test]
    fn each_refusal_has_a_name_of_its_own_and_hides_no_other_member() {
        let schema = schemars::schema_for!(Refused).to_value();
        let mut found = Vec::new();
        members(&schema, &mut found);
        assert!(found.len() > 100, "{} refusals", found.len());
        let names: BTreeSet<&String> = found.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), found.len(), "two refusals have one name");
        // Those of `errors`, of a finding, and of the words.
        for taken in ["check", "message", "fix", "finding", "fact", "failure", "left_behind"] {
            for (name, members) in &found {
                assert!(!members.iter().any(|own| own == taken), "{name}: {taken}");
            }
        }
    }
}
