//! HTTP requests and responses as all services read and write them: headers, the credential scope, and
//! the envelopes of answers and refusals. Signatures are not verified. It knows no service.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::HeaderMap};
use serde_json::{Map, Value};

use super::{Fault, query, xml};

/// The parameters of a query request.
pub(crate) fn form(request: &Request<Bytes>) -> Result<Map<String, Value>, Fault> {
    query::parse(if request.method() == Method::GET {
        request.uri().query().unwrap_or_default().as_bytes()
    } else {
        request.body()
    })
}

/// The credential scope: `Credential=AKID/20260115/eu-central-1/ecs/aws4_request`.
pub(crate) fn scope(headers: &HeaderMap) -> std::str::Split<'_, char> {
    let credential = header(headers, "authorization")
        .and_then(|text| text.split_once("Credential="))
        .map_or("", |(_, scope)| scope);
    credential.split('/')
}

/// The region that a request is signed for.
pub(crate) fn region(headers: &HeaderMap) -> Option<&str> {
    scope(headers).nth(2).filter(|region| !region.is_empty())
}

pub(crate) fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// An answer of awsJson.
pub(crate) fn json(request: &Request<Bytes>, body: &str) -> Response<Bytes> {
    response(StatusCode::OK, json_type(request), body.to_owned())
}

/// A refusal of awsJson.
pub(crate) fn json_error(request: &Request<Bytes>, fault: &Fault) -> Response<Bytes> {
    let mut body = serde_json::json!({"__type": fault.code});
    if !fault.message.is_empty() {
        body["message"] = fault.message.clone().into();
    }
    response(status(fault), json_type(request), body.to_string())
}

/// An answer of the query protocol.
pub(crate) fn xml(body: String) -> Response<Bytes> {
    response(StatusCode::OK, "text/xml", body)
}

/// A refusal of the query protocol.
pub(crate) fn xml_error(namespace: &str, fault: &Fault, request_id: &str) -> Response<Bytes> {
    response(status(fault), "text/xml", xml::error(namespace, fault, request_id))
}

/// A refusal of Amazon EC2.
pub(crate) fn ec2_error(fault: &Fault, request_id: &str) -> Response<Bytes> {
    response(status(fault), "text/xml", xml::ec2_error(fault, request_id))
}

fn status(fault: &Fault) -> StatusCode {
    StatusCode::from_u16(fault.status).unwrap_or(StatusCode::BAD_REQUEST)
}

/// JSON 1.1, or what the client said: some speak 1.0.
fn json_type(request: &Request<Bytes>) -> &'static str {
    match header(request.headers(), "content-type") {
        Some("application/x-amz-json-1.0") => "application/x-amz-json-1.0",
        _ => "application/x-amz-json-1.1",
    }
}

fn response(status: StatusCode, content_type: &'static str, body: String) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    response
}
