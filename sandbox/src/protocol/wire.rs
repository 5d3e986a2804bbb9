//! HTTP requests and responses as all services read and write them: headers, the credential scope, and
//! the envelopes of answers and refusals. Signatures are not verified. It knows no service.

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header::HeaderMap};
use serde_json::{Map, Value};

use super::{Fault, cbor, query, xml};

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

/// A refusal of awsJson or of Smithy RPC v2 by a service that has the query protocol too: a header says the
/// code that it has there (Smithy, trait `awsQueryCompatible`).
pub(crate) fn modern_error(
    request: &Request<Bytes>,
    service: &str,
    fault: &Fault,
) -> Response<Bytes> {
    let shape = fault.shape();
    let body = serde_json::json!({
        "__type": format!("com.amazonaws.{service}#{shape}"),
        "message": fault.message,
    });
    let mut response = match is_cbor(request) {
        true => cbor_response(status(fault), &body, |_| false),
        false => response(status(fault), json_type(request), body.to_string()),
    };
    let side = if fault.status < 500 { "Sender" } else { "Receiver" };
    let header = http::HeaderValue::from_str(&format!("{};{side}", fault.code));
    // An operation that is not there has no errors.
    if let Some(header) = header.ok().filter(|_| shape != "UnknownOperationException") {
        response.headers_mut().insert("x-amzn-query-error", header);
    }
    response
}

/// Whether a request is of Smithy RPC v2.
pub(crate) fn is_cbor(request: &Request<Bytes>) -> bool {
    header(request.headers(), "smithy-protocol") == Some("rpc-v2-cbor")
}

/// The service and the operation that a request of Smithy RPC v2 names.
pub(crate) fn rpc(request: &Request<Bytes>) -> Option<(&str, &str)> {
    let (_, path) = request.uri().path().rsplit_once("/service/")?;
    path.split_once("/operation/").filter(|_| is_cbor(request))
}

/// The parameters of a request of Smithy RPC v2; without a body there are none.
pub(crate) fn cbor_parameters(request: &Request<Bytes>) -> Result<Map<String, Value>, Fault> {
    if request.body().is_empty() {
        return Ok(Map::new());
    }
    match cbor::decode(request.body()) {
        Some(Value::Object(mut map)) => {
            super::json::strip_nulls(&mut map);
            Ok(map)
        }
        _ => Err(Fault::new("SerializationException", "The request body is not a CBOR map.")),
    }
}

/// An answer of Smithy RPC v2; `is_time` says which members are times.
pub(crate) fn cbor(result: Map<String, Value>, is_time: fn(&str) -> bool) -> Response<Bytes> {
    cbor_response(StatusCode::OK, &result.into(), is_time)
}

fn cbor_response(status: StatusCode, body: &Value, is_time: fn(&str) -> bool) -> Response<Bytes> {
    let mut response = response(status, "application/cbor", cbor::encode(body, is_time));
    let protocol = http::HeaderValue::from_static("rpc-v2-cbor");
    response.headers_mut().insert("smithy-protocol", protocol);
    response
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

fn response(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", http::HeaderValue::from_static(content_type));
    response
}
