//! What is wrong with a service, before a deployment finds out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};

use super::look::{Looked, decided, look_on, survey};
use crate::drive::Setting;
use crate::error::{Failure, FailureKind};
use crate::event::{Error, Refusal};
use crate::model::world::{Service, Subnet};
use crate::plan::doctor::{More, Report, deployed, examine, may_be_set_up, quotas_matter};
use crate::plan::named::{
    has_fixed_instances, log_groups, named_roles, named_values, parameter_of, secret_of, subnets,
};
use crate::plan::{Decision, Survey, live, wanted};
use crate::request::Request;
use crate::request::image::ImageRef;

/// Reads what a deployment would read, and a little more. Changes nothing.
pub async fn doctor(request: &Request, setting: &Setting<'_>) -> Result<(Survey, Report), Error> {
    let survey = survey(request, setting).await?;
    survey.known(&request.service)?;
    // Side by side with what a deployment reads next.
    let looking = look_on(request, setting, survey.clone());
    let (looked, more) = join(looking, more(request, setting, &survey)).await;
    let (Looked { survey, wanted }, more) = (looked?, more?);
    let decision: Result<Decision, Refusal> = match wanted {
        Err(refusal) => Err(refusal),
        Ok((wanted, digests)) => {
            match decided(request, setting, &survey, &wanted, &digests).await {
                Ok(decision) => Ok(decision),
                Err(Error::Refused(refusal)) => Err(refusal),
                Err(error) => return Err(error),
            }
        }
    };
    let report = examine(request, &survey, &more, &decision);
    Ok((survey, report))
}

/// What only doctor reads. What is not allowed is said; nothing depends on it.
async fn more(request: &Request, setting: &Setting<'_>, survey: &Survey) -> Result<More, Failure> {
    let Ok(live) = live(request, survey) else { return Ok(More::default()) };
    let mut more = More::default();
    let aws = setting.aws;
    let mut allowed = |failure: Failure| match (failure.kind, failure.call) {
        (FailureKind::Denied, Some(call)) => {
            more.denied.push(call);
            Ok(())
        }
        _ => Err(failure),
    };
    let left = async {
        match has_fixed_instances(live) {
            true => Some(aws.room(&survey.cluster).await),
            false => None,
        }
    };
    let named = live.alarms();
    let states = async {
        match named.is_empty() {
            true => Ok(vec![]),
            false => aws.alarms(&named).await,
        }
    };
    let (_, definition) = deployed(request, survey, live);
    let groups = log_groups(&definition);
    let there = groups.iter().map(|(name, region)| aws.has_log_group(name, region.as_deref()));
    let named = async {
        let roles: Vec<String> = named_roles(&definition).into_iter().collect();
        let values = named_values(&definition);
        let secrets: BTreeSet<String> = values.iter().filter_map(|from| secret_of(from)).collect();
        let known = values.iter().filter_map(|from| parameter_of(from, &live.arn));
        let parameters: Vec<String> = known.collect::<BTreeSet<_>>().into_iter().collect();
        let trusts = join_all(roles.iter().map(|role| aws.trust_policy(role)));
        let there = join_all(secrets.iter().map(|id| aws.has_secret(id)));
        let found = async {
            match parameters.is_empty() {
                true => Ok(vec![]),
                false => aws.parameters(&parameters).await,
            }
        };
        let (trusts, (there, found)) = join(trusts, join(there, found)).await;
        let there: BTreeMap<String, Result<bool, Failure>> =
            secrets.into_iter().zip(there).collect();
        (roles, trusts, values, there, found)
    };
    let around = around(setting, survey, live);
    let platforms = async {
        let images = images(request, survey, live);
        let built = join_all(images.values().map(|image| aws.platforms(image))).await;
        images.into_iter().zip(built).collect::<Vec<_>>()
    };
    let policies = async {
        match (&survey.policies, survey.scalable(&live.name)) {
            (None, Some(_)) => aws.policies_of(live).await,
            (known, _) => Ok(known.clone().unwrap_or_default()),
        }
    };
    let quotas = async {
        match quotas_matter(survey, live) {
            true => Some(aws.quotas(may_be_set_up(survey, live)).await),
            false => None,
        }
    };
    let looking = join(join(named, around), join(join(platforms, policies), quotas));
    let (((left, states), there), ((named, around), ((platforms, policies), quotas))) =
        join(join(join(left, states), join_all(there)), looking).await;
    match quotas {
        None => {}
        Some(Ok(quotas)) => more.quotas = Some(quotas),
        Some(Err(failure)) => allowed(failure)?,
    }
    match policies {
        Ok(policies) => {
            more.policies = policies;
            more.policies.retain(|policy| policy.service == live.name);
        }
        Err(failure) => allowed(failure)?,
    }
    match left {
        None => {}
        Some(Ok(left)) => more.left = Some(left),
        Some(Err(failure)) => allowed(failure)?,
    }
    match states {
        Ok(states) => {
            let firing = states.into_iter().filter(|alarm| alarm.fires);
            more.firing = firing.map(|alarm| alarm.name).collect();
        }
        Err(failure) => allowed(failure)?,
    }
    for (name, is_there) in groups.into_keys().zip(there) {
        match is_there {
            Ok(true) => {}
            Ok(false) => more.no_log_groups.push(name),
            Err(failure) => allowed(failure)?,
        }
    }
    let (roles, trusts, values, secrets, parameters) = named;
    for (role, trust) in roles.into_iter().zip(trusts) {
        match trust {
            Ok(trust) => drop(more.roles.insert(role, trust)),
            Err(failure) => allowed(failure)?,
        }
    }
    let (mut gone, mut known) = (BTreeSet::new(), None);
    for (id, is_there) in secrets {
        match is_there {
            Ok(true) => {}
            Ok(false) => drop(gone.insert(id)),
            Err(failure) => allowed(failure)?,
        }
    }
    match parameters {
        Ok(found) => known = Some(found),
        Err(failure) => allowed(failure)?,
    }
    let is_gone = |from: &String| match secret_of(from) {
        Some(id) => gone.contains(&id),
        None => match (parameter_of(from, &live.arn), &known) {
            (Some(name), Some(found)) => !found.iter().any(|own| same_parameter(own, &name)),
            _ => false,
        },
    };
    more.no_secrets = values.into_iter().filter(is_gone).collect();
    let (subnets, zones) = around;
    match subnets {
        Ok(subnets) => more.subnets = subnets,
        Err(failure) => allowed(failure)?,
    }
    match zones {
        Ok(zones) => more.zones = zones,
        Err(failure) => allowed(failure)?,
    }
    for ((container, image), built_for) in platforms {
        match built_for {
            Ok(built_for) => {
                more.platforms.insert(container, (image.to_string(), built_for));
            }
            Err(failure) => allowed(failure)?,
        }
    }
    more.denied.sort_unstable();
    more.denied.dedup();
    Ok(more)
}

/// A parameter without a path may be written with a slash before it.
fn same_parameter(own: &str, name: &str) -> bool {
    own.trim_start_matches('/') == name.trim_start_matches('/')
}

/// The images in Amazon ECR that a deployment would run, each once, by container.
fn images(request: &Request, survey: &Survey, live: &Service) -> BTreeMap<String, ImageRef> {
    let mut images: BTreeMap<String, ImageRef> = BTreeMap::new();
    let running = survey.revisions.get(&live.revision);
    for (container, image) in running.iter().flat_map(|one| &one.containers) {
        images.extend(image.parse().ok().map(|image| (container.clone(), image)));
    }
    if let Ok(wanted) = wanted(request, survey) {
        images.extend(wanted.images);
    }
    let mut seen = BTreeSet::new();
    images.retain(|_, image| image.ecr().is_some() && seen.insert(image.to_string()));
    images
}

/// The subnets of the service, and the zones of its load balancers.
async fn around(
    setting: &Setting<'_>,
    survey: &Survey,
    live: &Service,
) -> (Result<Vec<Subnet>, Failure>, Result<BTreeMap<String, BTreeSet<String>>, Failure>) {
    let ids = subnets(live);
    let groups = live.groups().filter_map(|arn| survey.world.groups.get(arn));
    let balancers: BTreeSet<String> =
        groups.flat_map(|group| group.load_balancers.clone()).collect();
    let balancers: Vec<String> = balancers.into_iter().collect();
    let found = async {
        match ids.is_empty() {
            true => Ok(vec![]),
            false => setting.aws.subnets(&ids).await,
        }
    };
    let zones = async {
        match balancers.is_empty() || ids.is_empty() {
            true => Ok(BTreeMap::new()),
            false => setting.aws.zones(&balancers).await,
        }
    };
    join(found, zones).await
}
