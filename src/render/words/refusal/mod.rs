//! What keeps a command from doing anything, in words, and what helps.

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

pub(crate) use one_off::{again, too_long};

use crate::event::refusal::Refused;

/// What is the matter, with what, and why that is in the way.
pub(crate) fn what(refused: &Refused) -> String {
    match refused {
        Refused::Service(one) => service::what(one),
        Refused::Pair(one) => pair::what(one),
        Refused::Traffic(one) => traffic::what(one),
        Refused::Scaling(one) => scaling::what(one),
        Refused::Options(one) => options::what(one),
        Refused::Images(one) => images::what(one),
        Refused::ImageMisfit(one) => images::misfit(one),
        Refused::Definition(one) => definition::what(one),
        Refused::EditMisfit(one) => definition::misfit(one),
        Refused::Record(one) => record::what(one),
        Refused::Setup(one) => setup::what(one),
        Refused::OneOff(one) => one_off::what(one),
        Refused::Local(one) => local::what(one),
    }
}

/// What helps: one line that can be pasted, where there is one.
pub(crate) fn fix(refused: &Refused) -> String {
    match refused {
        Refused::Service(one) => service::fix(one),
        Refused::Pair(one) => pair::fix(one),
        Refused::Traffic(one) => traffic::fix(one),
        Refused::Scaling(one) => scaling::fix(one),
        Refused::Options(one) => options::fix(one),
        Refused::Images(one) => images::fix(one),
        Refused::ImageMisfit(one) => images::misfit_fix(one),
        Refused::Definition(one) => definition::fix(one),
        Refused::EditMisfit(one) => definition::misfit_fix(one),
        Refused::Record(one) => record::fix(one),
        Refused::Setup(one) => setup::fix(one),
        Refused::OneOff(one) => one_off::fix(one),
        Refused::Local(one) => local::fix(one),
    }
}

const NEW_BALANCER: &str = "aws elbv2 create-load-balancer --name NAME --subnets SUBNET SUBNET";
const NEW_RULE: &str =
    "aws elbv2 create-rule --listener-arn ARN --priority 10 --conditions … --actions …";

fn describe_rule(arn: &str) -> String {
    format!("aws elbv2 describe-rules --rule-arns {arn}")
}

/// A command of ours for a service.
pub(super) fn command(verb: &str, cluster: &str, service: &str) -> String {
    format!("ecs-bg {verb} --cluster {cluster} --service {service}")
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
