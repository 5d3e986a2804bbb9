//! From an HTTP request to the function that answers it, and back. It knows no service by name.

use bytes::Bytes;
use http::{Request, Response};
use serde_json::{Map, Value};

use super::Cloud;
use crate::{
    call::Call,
    iam::{self, Asked, Place},
    protocol::{Fault, json, query, shapes::Wire, wire, xml},
    services::{self, Protocol, Service},
    state::{Here, Region, elb::LoadBalancer},
    visit,
};

/// Which operation of which service a request asks for.
struct Target {
    service: &'static Service,
    operation: String,
    /// Its parameters are a form; otherwise they have types.
    is_form: bool,
}

/// Answers a request.
pub(crate) fn answer(cloud: &mut Cloud, request: &Request<Bytes>, call: Call) -> Response<Bytes> {
    if let Some((region, load_balancer)) = visited(cloud, request) {
        let now = cloud.shared.now;
        return visit::answer(region, load_balancer, request, call.index, now);
    }
    let request_id = cloud.shared.ids.uuid();
    let target = target(request);
    let response = match &target {
        Some(target) => operate(cloud, request, target, call, &request_id),
        None => nobody(request, &request_id),
    };
    finish(cloud, response, &request_id)
}

/// A request that no service understands, answered in the protocol that it seems to be in.
fn nobody(request: &Request<Bytes>, request_id: &str) -> Response<Bytes> {
    let headers = request.headers();
    let form = wire::header(headers, "content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if headers.contains_key("x-amz-target")
        || wire::is_cbor(request)
        || !(form || request.uri().query().is_some())
    {
        let fault = Fault { status: 404, ..Fault::new("UnknownOperationException", "") };
        return wire::json_error(request, &fault);
    }
    let namespace = services::namespace(wire::scope(headers).nth(3));
    let fault =
        match wire::form(request).map(|form| query::text(&form, "Action").map(str::to_owned)) {
            Ok(None) => Fault::new("MissingAction", "Missing Action"),
            Ok(Some(action)) => Fault::new(
                "InvalidAction",
                format!("The action {action} is not valid for this web service."),
            ),
            Err(fault) => fault,
        };
    wire::xml_error(namespace, &fault, request_id)
}

/// Which call a request is; each has a number of its own.
pub(crate) fn call(cloud: &mut Cloud, request: &Request<Bytes>) -> Call {
    cloud.shared.calls += 1;
    let (service, operation) = match target(request) {
        Some(Target { service, operation, .. }) => (service.name, operation),
        None if visited(cloud, request).is_some() => ("users", request.method().to_string()),
        None => ("", String::new()),
    };
    Call {
        index: cloud.shared.calls,
        service: service.to_owned(),
        operation,
        region: wire::region(request.headers()).unwrap_or(&cloud.home).to_owned(),
        user_agent: wire::header(request.headers(), "user-agent").unwrap_or_default().to_owned(),
    }
}

/// The load balancer that a user's request is for, and its region.
fn visited<'c>(
    cloud: &'c Cloud,
    request: &Request<Bytes>,
) -> Option<(&'c Region, &'c LoadBalancer)> {
    cloud.regions.values().find_map(|region| Some((region, visit::load_balancer(region, request)?)))
}

/// Which operation is asked for, if a service has the protocol of the request.
fn target(request: &Request<Bytes>) -> Option<Target> {
    let named = wire::header(request.headers(), "x-amz-target");
    if let Some((name, operation)) =
        wire::rpc(request).or(named.and_then(|own| own.split_once('.')))
    {
        let service = services::by_target(name)?;
        let speaks = !wire::is_cbor(request) || matches!(service.protocol, Protocol::Every { .. });
        let target = Target { service, operation: operation.to_owned(), is_form: false };
        return speaks.then_some(target);
    }
    if named.is_some() || wire::is_cbor(request) {
        return None;
    }
    let form = wire::form(request).ok()?;
    let operation = query::text(&form, "Action")?.to_owned();
    let service = services::by_version(query::text(&form, "Version")?)?;
    Some(Target { service, operation, is_form: true })
}

/// Answers a request whose parameters are a tree.
fn by_tree(
    cloud: &mut Cloud,
    request: &Request<Bytes>,
    Target { service, operation, is_form }: &Target,
    call: Call,
    answer: impl FnOnce(&mut Here<'_>, &str, &Map<String, Value>) -> query::Answer,
) -> query::Answer {
    let body = match is_form {
        true => {
            let mut form = wire::form(request)?;
            form.shift_remove("Action");
            form.shift_remove("Version");
            form
        }
        false if wire::is_cbor(request) => wire::cbor_parameters(request)?,
        false => json::Request::parse(request.body())?.value,
    };
    admit(cloud, service, &call, &Asked(&body))?;
    let region = call.region.clone();
    cloud.act(&region, call, |here| answer(here, operation, &body))
}

fn operate(
    cloud: &mut Cloud,
    request: &Request<Bytes>,
    target: &Target,
    call: Call,
    request_id: &str,
) -> Response<Bytes> {
    let Target { service, operation, is_form } = target;
    let region = call.region.clone();
    match &service.protocol {
        Protocol::Json { answer, .. } => {
            let answered = json::Request::parse(request.body()).and_then(|body| {
                admit(cloud, service, &call, &Asked(&body.value))?;
                cloud.act(&region, call, |here| answer(here, operation, &body))
            });
            match answered {
                Ok(body) => wire::json(request, body.get()),
                Err(fault) => wire::json_error(request, &fault),
            }
        }
        Protocol::Query { namespace, answer, .. } => {
            match by_tree(cloud, request, target, call, *answer) {
                Ok(result) => wire::xml(xml::response(operation, namespace, &result, request_id)),
                Err(fault) => wire::xml_error(namespace, &fault, request_id),
            }
        }
        Protocol::Every { namespace, is_time, answer, .. } => {
            let wire = if *is_form { Wire::Query } else { Wire::Json };
            let answer = |here: &mut Here<'_>, operation: &str, body: &Map<String, Value>| {
                answer(here, operation, body, wire)
            };
            match by_tree(cloud, request, target, call, answer) {
                Ok(result) if *is_form => {
                    wire::xml(xml::response(operation, namespace, &result, request_id))
                }
                Ok(result) if wire::is_cbor(request) => wire::cbor(result, *is_time),
                Ok(result) => wire::json(request, &Value::Object(result).to_string()),
                Err(fault) if *is_form => wire::xml_error(namespace, &fault, request_id),
                Err(fault) => wire::modern_error(request, service.name, &fault),
            }
        }
        Protocol::Ec2 { version, answer } => match by_tree(cloud, request, target, call, *answer) {
            Ok(result) => wire::xml(xml::ec2(operation, version, &result, request_id)),
            Err(fault) => wire::ec2_error(&fault, request_id),
        },
    }
}

/// AWS takes only so many calls, and only allowed ones.
fn admit(
    cloud: &mut Cloud,
    service: &Service,
    call: &Call,
    asked: &Asked<'_>,
) -> Result<(), Fault> {
    if !(service.knows)(&call.operation) {
        return Ok(());
    }
    let now = cloud.shared.now;
    if let Some(buckets) = &mut cloud.throttling {
        buckets.take(now, call, (service.buckets)(&call.operation))?;
    }
    let Some(policy) = &cloud.policy else { return Ok(()) };
    let place = Place {
        user: cloud.shared.user(&call.region),
        account: &cloud.shared.account,
        region: &call.region,
        state: cloud.regions.get(&call.region),
        call,
    };
    let judged = iam::authorise(policy, &place, (service.needs)(&place, asked));
    judged.map_err(|(action, fault)| {
        cloud.denied.insert(action);
        fault
    })
}

fn finish(cloud: &Cloud, mut response: Response<Bytes>, request_id: &str) -> Response<Bytes> {
    let texts = [
        ("x-amzn-requestid", request_id.to_owned()),
        ("date", cloud.shared.now.http_date()),
        ("content-length", response.body().len().to_string()),
    ];
    for (name, text) in texts {
        if let Ok(value) = http::HeaderValue::from_str(&text) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// An answer that an interference puts in the place of the real one.
pub(crate) fn refusal(
    cloud: &mut Cloud,
    request: &Request<Bytes>,
    fault: &Fault,
) -> Response<Bytes> {
    let request_id = cloud.shared.ids.uuid();
    let target = target(request);
    let response = match target.as_ref().map(|target| (&target.service.protocol, target)) {
        Some((Protocol::Every { .. }, Target { service, is_form: false, .. })) => {
            wire::modern_error(request, service.name, fault)
        }
        Some((Protocol::Query { namespace, .. } | Protocol::Every { namespace, .. }, _)) => {
            wire::xml_error(namespace, fault, &request_id)
        }
        Some((Protocol::Ec2 { .. }, _)) => wire::ec2_error(fault, &request_id),
        _ => wire::json_error(request, fault),
    };
    finish(cloud, response, &request_id)
}
