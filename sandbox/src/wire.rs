//! From an HTTP request to an operation and back: which service, which region, which protocol.
//! Signatures are not verified. It knows no operation.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::HeaderMap};

use crate::{
    autoscaling, cloud::Cloud, ecr, ecs, elb, fault::Fault, journal::Call, json, query, sts,
};

/// What was asked of whom.
enum Target {
    Json { service: &'static str, operation: String },
    Query { service: &'static str, namespace: &'static str, operation: String },
}

pub(crate) fn answer(cloud: &mut Cloud, request: &Request<Bytes>, call: Call) -> Response<Bytes> {
    let request_id = cloud.shared.ids.uuid();
    let target = target(request);
    let response = match &target {
        Some(target) => operate(cloud, request, target, call, &request_id),
        None => json_response(
            StatusCode::NOT_FOUND,
            r#"{"__type":"UnknownOperationException"}"#.to_owned(),
        ),
    };
    finish(cloud, response, &request_id)
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
            "AnyScaleFrontendService" => "application-autoscaling",
            _ => return None,
        };
        return Some(Target::Json { service, operation: operation.to_owned() });
    }
    let form = query::parse(form(request));
    let operation = query::text(&form, "Action")?.to_owned();
    let (service, namespace) = match query::text(&form, "Version")? {
        "2011-06-15" => ("sts", "https://sts.amazonaws.com/doc/2011-06-15/"),
        "2015-12-01" => {
            ("elasticloadbalancing", "http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/")
        }
        _ => return None,
    };
    Some(Target::Query { service, namespace, operation })
}

fn form(request: &Request<Bytes>) -> &[u8] {
    if request.method() == Method::GET {
        request.uri().query().unwrap_or_default().as_bytes()
    } else {
        request.body()
    }
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
            let answer = json::Request::parse(request.body()).and_then(|body| {
                cloud.act(&region, call, |here| match *service {
                    "ecs" => ecs::call(here, operation, &body),
                    "ecr" => ecr::call(here, operation, &body),
                    _ => autoscaling::call(here, operation, &body),
                })
            });
            match answer {
                Ok(body) => json_response(StatusCode::OK, body.get().to_owned()),
                Err(fault) => {
                    let body = serde_json::json!({"__type": fault.code, "message": fault.message});
                    json_response(status(&fault), body.to_string())
                }
            }
        }
        Target::Query { service, namespace, operation } => {
            let mut body = query::parse(form(request));
            body.shift_remove("Action");
            body.shift_remove("Version");
            let answer = cloud.act(&region, call, |here| match *service {
                "sts" => sts::call(here, operation),
                _ => elb::call(here, operation, &body),
            });
            match answer {
                Ok(result) => xml_response(
                    StatusCode::OK,
                    query::response(operation, namespace, &result, request_id),
                ),
                Err(fault) => {
                    xml_response(status(&fault), query::error(namespace, &fault, request_id))
                }
            }
        }
    }
}

fn status(fault: &Fault) -> StatusCode {
    StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST)
}

/// The region of the credential scope: `Credential=AKID/20260115/eu-central-1/ecs/aws4_request`.
fn region(headers: &HeaderMap) -> Option<&str> {
    let (_, scope) = header(headers, "authorization")?.split_once("Credential=")?;
    scope.split('/').nth(2).filter(|region| !region.is_empty())
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn json_response(status: StatusCode, body: String) -> Response<Bytes> {
    response(status, "application/x-amz-json-1.1", body)
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
#[cfg(feature = "sdk")]
pub(crate) fn refusal(cloud: &Cloud, request: &Request<Bytes>, fault: &Fault) -> Response<Bytes> {
    let response = match target(request) {
        Some(Target::Query { namespace, .. }) => {
            xml_response(status(fault), query::error(namespace, fault, "interfered"))
        }
        _ => {
            let body = serde_json::json!({"__type": fault.code, "message": fault.message});
            json_response(status(fault), body.to_string())
        }
    };
    finish(cloud, response, "interfered")
}
