//! What is wrong with a service, before a deployment finds out.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{join, join_all};

use serde_json::Value;

use super::look::{Looked, decided, look_on, survey};
use crate::aws::Aws;
use crate::call::Call;
use crate::drive::Setting;
use crate::error::{Failure, FailureKind};
use crate::event::{Error, Refusal};
use crate::model::quota::Vcpus;
use crate::model::world::{Service, Subnet};
use crate::plan::doctor::{
    More, Report, deployed, examine, may_be_set_up, quotas_matter, usage_matters,
};
use crate::plan::named::{
    fargate, has_fixed_instances, log_groups, named_roles, named_values, network_mode,
    parameter_of, secret_of, subnets,
};
use crate::plan::policy::changes;
use crate::plan::{Decision, Survey, live, wanted};
use crate::request::Request;
use crate::request::image::ImageRef;

/// Reads what a deployment would read, and a little more. Changes nothing.
pub async fn doctor(request: &Request, setting: &Setting<'_>) -> Result<(Survey, Report), Error> {
    // What IAM is asked of needs the caller's name.
    let (survey, _) = join(survey(request, setting), setting.aws.caller()).await;
    let survey = survey?;
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

/// Calls that are not allowed, or that AWS refuses otherwise: what they would tell stays open.
#[derive(Default)]
struct Unread {
    denied: Vec<Call>,
    failed: Vec<Failure>,
}

impl Unread {
    fn known<T>(&mut self, answer: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match answer {
            Ok(known) => Ok(Some(known)),
            Err(Failure { kind: FailureKind::Denied, call: Some(call), .. }) => {
                self.denied.push(call);
                Ok(None)
            }
            // Something that is named is not there, or not as AWS wants it.
            Err(failure) if matches!(failure.kind, FailureKind::Missing | FailureKind::Refused) => {
                self.failed.push(failure);
                Ok(None)
            }
            Err(failure) => Err(failure),
        }
    }
}

/// What only doctor reads. What is not allowed is said; nothing depends on it.
async fn more(request: &Request, setting: &Setting<'_>, survey: &Survey) -> Result<More, Failure> {
    let Ok(live) = live(request, survey) else { return Ok(More::default()) };
    let aws = setting.aws;
    let (_, definition) = deployed(request, survey, live);
    let left = async {
        if !has_fixed_instances(live) {
            return Ok((None, None));
        }
        let mut left = aws.room(&survey.cluster).await?;
        let unread = match network_mode(&definition) {
            "awsvpc" => aws.interfaces(&mut left).await.err(),
            _ => None,
        };
        Ok((Some(left), unread))
    };
    let named = live.alarms();
    let states = async {
        match named.is_empty() {
            true => Ok(vec![]),
            false => aws.alarms(&named).await,
        }
    };
    let groups = log_groups(&definition);
    let there = groups.iter().map(|(name, region)| aws.has_log_group(name, region.as_deref()));
    let images = images(request, survey, live);
    let built = join_all(images.values().map(|image| aws.platforms(image)));
    let policies = async {
        match (&survey.policies, survey.scalable(&live.name)) {
            (None, Some(_)) => aws.policies_of(live).await,
            (known, _) => Ok(known.clone().unwrap_or_default()),
        }
    };
    let quotas = async {
        match quotas_matter(survey, live) {
            true => aws.quotas(may_be_set_up(survey, live)).await.map(Some),
            false => Ok(None),
        }
    };
    let vcpus = async {
        let Some(of) = fargate(live) else { return Ok::<_, Failure>((None, None)) };
        let Some(max) = aws.most_vcpus(of).await? else {
            return Ok((None, Some(Call::GetServiceQuota)));
        };
        if !usage_matters(live, &definition, max) {
            return Ok((None, None));
        }
        let used = aws.vcpus_in_use(of).await?;
        let unsaid = used.is_none().then_some(Call::GetMetricStatistics);
        Ok::<_, Failure>((used.map(|used| Vcpus { of, max, used }), unsaid))
    };
    let changes = changes(request, survey);
    let not_allowed = async {
        match changes.is_empty() {
            true => Ok(None),
            false => aws.not_allowed(&changes).await,
        }
    };
    // Always in this order.
    let (left, states, there, named, around, built, policies, quotas, vcpus, not_allowed) = tokio::join!(
        biased;
        left,
        states,
        join_all(there),
        named_things(aws, &definition, &live.arn),
        around(setting, survey, live),
        built,
        policies,
        quotas,
        vcpus,
        not_allowed,
    );
    let mut unread = Unread::default();
    let (left, interfaces) = unread.known(left)?.unwrap_or_default();
    if let Some(failure) = interfaces {
        unread.known::<()>(Err(failure))?;
    }
    let mut more = More {
        left,
        quotas: unread.known(quotas)?.flatten(),
        policies: unread.known(policies)?.unwrap_or_default(),
        subnets: unread.known(around.0)?.unwrap_or_default(),
        zones: unread.known(around.1)?.unwrap_or_default(),
        ..More::default()
    };
    // Service Quotas is not everywhere, and not in reach of every network.
    let vcpus = match vcpus {
        Err(failure) if failure.kind != FailureKind::Denied => Ok((None, failure.call)),
        vcpus => vcpus,
    };
    (more.vcpus, more.unsaid) = unread.known(vcpus)?.unwrap_or_default();
    // Nor is IAM.
    more.not_allowed = match not_allowed {
        Err(failure) if failure.kind != FailureKind::Denied => {
            unread.failed.push(failure);
            None
        }
        not_allowed => unread.known(not_allowed)?.flatten(),
    }
    .unwrap_or_default();
    more.policies.retain(|policy| policy.service == live.name);
    let firing = unread.known(states)?.into_iter().flatten().filter(|alarm| alarm.fires);
    more.firing = firing.map(|alarm| alarm.name).collect();
    for (name, is_there) in groups.into_keys().zip(there) {
        more.no_log_groups.extend(unread.known(is_there)?.filter(|is| !is).map(|_| name));
    }
    for ((container, image), built_for) in images.into_iter().zip(built) {
        let built_for = unread.known(built_for)?;
        more.platforms.extend(built_for.map(|all| (container, (image.to_string(), all))));
    }
    let Named { roles, secrets, parameters } = named;
    for (role, trust) in roles {
        more.roles.extend(unread.known(trust)?.map(|trust| (role, trust)));
    }
    let mut gone = BTreeSet::new();
    for (id, is_there) in secrets {
        gone.extend(unread.known(is_there)?.filter(|is| !is).map(|_| id));
    }
    let known = unread.known(parameters)?;
    let is_gone = |from: &String| match secret_of(from) {
        Some(id) => gone.contains(&id),
        None => match (parameter_of(from, &live.arn), &known) {
            (Some(name), Some(found)) => !found.iter().any(|own| same_parameter(own, &name)),
            _ => false,
        },
    };
    more.no_secrets = named_values(&definition).into_iter().filter(is_gone).collect();
    let Unread { denied, failed } = unread;
    (more.denied, more.failed) = (denied, failed);
    more.denied.sort_unstable();
    more.denied.dedup();
    Ok(more)
}

/// What a definition names, and what AWS says of it.
struct Named {
    /// The trust policies of the roles; `None`: there is no such role.
    roles: Vec<(String, Result<Option<String>, Failure>)>,
    /// Whether secrets are there.
    secrets: Vec<(String, Result<bool, Failure>)>,
    /// The parameters that are.
    parameters: Result<Vec<String>, Failure>,
}

async fn named_things(aws: &Aws, definition: &Value, own: &str) -> Named {
    let roles: Vec<String> = named_roles(definition).into_iter().collect();
    let values = named_values(definition);
    let secrets: BTreeSet<String> = values.iter().filter_map(|from| secret_of(from)).collect();
    let known = values.iter().filter_map(|from| parameter_of(from, own));
    let parameters: Vec<String> = known.collect::<BTreeSet<_>>().into_iter().collect();
    let found = async {
        match parameters.is_empty() {
            true => Ok(vec![]),
            false => aws.parameters(&parameters).await,
        }
    };
    let (trusts, there, parameters) = tokio::join!(
        biased;
        join_all(roles.iter().map(|role| aws.trust_policy(role))),
        join_all(secrets.iter().map(|id| aws.has_secret(id))),
        found,
    );
    Named {
        roles: roles.into_iter().zip(trusts).collect(),
        secrets: secrets.into_iter().zip(there).collect(),
        parameters,
    }
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
