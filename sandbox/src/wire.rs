//! From an HTTP request to an operation and back: which service, which region, which protocol.
//! Signatures are not verified. It knows no operation.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::HeaderMap};
use serde_json::{Map, Value};

use crate::{
    autoscaling,
    cloud::Cloud,
    ecr, ecs, elb,
    iam::Asked,
    journal::Call,
    logs,
    protocol::{Fault, json, query, xml},
    sts,
};

/// What was asked of whom.
enum Target {
    Json { service: &'static str, operation: String },
    Query { service: &'static str, namespace: &'static str, operation: String },
}

/// Services that speak the query protocol, and the namespaces of their answers.
const ELB: (&str, &str) =
    ("elasticloadbalancing", "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/");
const STS: (&str, &str) = ("sts", "https://sts.amazonaws.com/doc/2011-06-15/");

pub(crate) fn answer(cloud: &mut Cloud, request: &Request<Bytes>, call: Call) -> Response<Bytes> {
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
    let form = header(headers, "content-type")
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    if headers.contains_key("x-amz-target") || !(form || request.uri().query().is_some()) {
        let fault = Fault { status: 404, ..Fault::new("UnknownOperationException", "") };
        return json_error(request, &fault);
    }
    let namespace = match scope(headers).nth(3) {
        Some("sts") => STS.1,
        _ => ELB.1,
    };
    let fault =
        match self::form(request).map(|form| query::text(&form, "Action").map(str::to_owned)) {
            Ok(None) => Fault::new("MissingAction", "Missing Action"),
            Ok(Some(action)) => Fault::new(
                "InvalidAction",
                format!("The action {action} is not valid for this web service."),
            ),
            Err(fault) => fault,
        };
    xml_response(status(&fault), xml::error(namespace, &fault, request_id))
}

/// Which call a request is; each has a number of its own.
pub(crate) fn call(cloud: &mut Cloud, request: &Request<Bytes>) -> Call {
    cloud.shared.calls += 1;
    let (service, operation) = match target(request) {
        Some(Target::Json { service, operation } | Target::Query { service, operation, .. }) => {
            (service, operation)
        }
        None => ("", String::new()),
    };
    Call {
        index: cloud.shared.calls,
        service: service.to_owned(),
        operation,
        region: region(request.headers()).unwrap_or(&cloud.home).to_owned(),
        user_agent: header(request.headers(), "user-agent").unwrap_or_default().to_owned(),
    }
}

fn target(request: &Request<Bytes>) -> Option<Target> {
    if let Some(target) = header(request.headers(), "x-amz-target") {
        let (prefix, operation) = target.split_once('.')?;
        let service = match prefix {
            "AmazonEC2ContainerServiceV20141113" => "ecs",
            "AmazonEC2ContainerRegistry_V20150921" => "ecr",
            "Logs_20140328" => "logs",
            "AnyScaleFrontendService" => "application-autoscaling",
            _ => return None,
        };
        return Some(Target::Json { service, operation: operation.to_owned() });
    }
    let form = form(request).ok()?;
    let operation = query::text(&form, "Action")?.to_owned();
    let (service, namespace) = match query::text(&form, "Version")? {
        "2011-06-15" => STS,
        "2015-12-01" => ELB,
        _ => return None,
    };
    Some(Target::Query { service, namespace, operation })
}

fn form(request: &Request<Bytes>) -> Result<Map<String, Value>, Fault> {
    query::parse(if request.method() == Method::GET {
        request.uri().query().unwrap_or_default().as_bytes()
    } else {
        request.body()
    })
}

fn operate(
    cloud: &mut Cloud,
    request: &Request<Bytes>,
    target: &Target,
    call: Call,
    request_id: &str,
) -> Response<Bytes> {
    let region = call.region.clone();
    match target {
        Target::Json { service, operation } => {
            let known = match *service {
                "ecs" => ecs::knows(operation),
                "ecr" => ecr::knows(operation),
                "logs" => logs::knows(operation),
                _ => autoscaling::knows(operation),
            };
            let answer = json::Request::parse(request.body()).and_then(|body| {
                if known {
                    admit(cloud, &call, &Asked(&body.value))?;
                }
                cloud.act(&region, call, |here| match *service {
                    "ecs" => ecs::call(here, operation, &body),
                    "ecr" => ecr::call(here, operation, &body),
                    "logs" => logs::call(here, operation, &body),
                    _ => autoscaling::call(here, operation, &body),
                })
            });
            match answer {
                Ok(body) => response(StatusCode::OK, json_type(request), body.get().to_owned()),
                Err(fault) => json_error(request, &fault),
            }
        }
        Target::Query { service, namespace, operation } => {
            let known = *service == "sts" || elb::knows(operation);
            let answer = form(request).and_then(|mut body| {
                body.shift_remove("Action");
                body.shift_remove("Version");
                if known {
                    admit(cloud, &call, &Asked(&body))?;
                }
                cloud.act(&region, call, |here| match *service {
                    "sts" => sts::call(here, operation, &body),
                    _ => elb::call(here, operation, &body),
                })
            });
            match answer {
                Ok(result) => xml_response(
                    StatusCode::OK,
                    xml::response(operation, namespace, &result, request_id),
                ),
                Err(fault) => {
                    xml_response(status(&fault), xml::error(namespace, &fault, request_id))
                }
            }
        }
    }
}

fn status(fault: &Fault) -> StatusCode {
    StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST)
}

/// AWS takes only so many calls, and only allowed ones.
fn admit(cloud: &mut Cloud, call: &Call, asked: &Asked<'_>) -> Result<(), Fault> {
    let now = cloud.shared.now;
    if let Some(buckets) = &mut cloud.throttling {
        buckets.take(now, call)?;
    }
    cloud.authorise(call, asked)
}

/// The credential scope: `Credential=AKID/20260115/eu-central-1/ecs/aws4_request`.
fn scope(headers: &HeaderMap) -> std::str::Split<'_, char> {
    let credential = header(headers, "authorization")
        .and_then(|text| text.split_once("Credential="))
        .map_or("", |(_, scope)| scope);
    credential.split('/')
}

fn region(headers: &HeaderMap) -> Option<&str> {
    scope(headers).nth(2).filter(|region| !region.is_empty())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// JSON 1.1, or what the client said: some speak 1.0.
fn json_type(request: &Request<Bytes>) -> &'static str {
    match header(request.headers(), "content-type") {
        Some("application/x-amz-json-1.0") => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    }
}

fn json_error(request: &Request<Bytes>, fault: &Fault) -> Response<Bytes> {
    let mut body = serde_json::json!({"__type": fault.code});
    if !fault.message.is_empty() {
        body["message"] = fault.message.clone().into();
    }
    response(status(fault), json_type(request), body.to_string())
}

fn xml_response(status: StatusCode, body: String) -> Response<Bytes> {
    response(status, "text/xml", body)
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    response
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
    let response = match target(request) {
        Some(Target::Query { namespace, .. }) => {
            xml_response(status(fault), xml::error(namespace, fault, &request_id))
        }
        _ => json_error(request, fault),
    };
    finish(cloud, response, &request_id)
}
