//! What AWS refuses, asked beforehand.

use bytes::Bytes;
use serde_json::Value;

use crate::{clock::Time, cloud::Cloud};

/// What RegisterTaskDefinition says of a request that it refuses, as far as AWS documents it; `None`: it takes it.
pub fn task_definition(body: &str) -> Option<String> {
    let request = http::Request::post("/")
        .header("content-type", "application/x-amz-json-1.1")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=X/20260115/us-east-1/ecs/aws4_request",
        )
        .body(Bytes::from(body.to_owned()))
        .ok()?;
    let answer = Cloud::new(0, Time(0)).handle(Time(0), &request);
    if answer.status().is_success() {
        return None;
    }
    let answer: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    let code = answer["__type"].as_str().unwrap_or_default();
    let said = answer["message"].as_str().or(answer["Message"].as_str()).unwrap_or_default();
    Some(format!("{}: {said}", code.rsplit('#').next().unwrap_or_default()))
}
