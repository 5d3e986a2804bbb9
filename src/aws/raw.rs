//! Interceptors: the exact bytes of an answer, the exact bytes of a request, and a meter. The SDK drops
//! members that it does not know, so ecs-bg reads and sends task definitions and services through these.

use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
    BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;

use super::Meter;

/// Keeps the body of a successful answer.
#[derive(Clone, Debug, Default)]
pub(super) struct Capture(Arc<OnceLock<String>>);

impl Capture {
    /// The body, after the call succeeded.
    pub(super) fn body(&self) -> &str {
        self.0.get().map_or("", String::as_str)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Capture {
    fn name(&self) -> &'static str {
        "capture"
    }

    // Before deserialization the body is still a stream.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An answer that ended too early is not in memory, and the SDK says so.
        if context.response().status().is_success()
            && let Some(bytes) = context.response().body().bytes()
        {
            let _ = self.0.set(std::str::from_utf8(bytes)?.to_owned());
        }
        Ok(())
    }
}

/// Sends this body instead of the serialized one. It is replaced before the request is signed.
#[derive(Clone, Debug)]
pub(super) struct SendBody(pub(super) String);

#[dyn_dispatch_hint]
impl Intercept for SendBody {
    fn name(&self) -> &'static str {
        "send-body"
    }

    fn modify_before_retry_loop(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        *request.body_mut() = SdkBody::from(self.0.as_str());
        request.headers_mut().insert("content-length", self.0.len().to_string());
        Ok(())
    }
}

#[dyn_dispatch_hint]
impl Intercept for Meter {
    fn name(&self) -> &'static str {
        "meter"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(operation) = config.load::<Metadata>() {
            let name = operation.name().to_owned();
            self.with(|readings| *readings.calls.entry(name).or_default() += 1);
        }
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date").and_then(http_date);
        if date.is_some() {
            self.with(|readings| readings.date = date);
        }
        Ok(())
    }
}

fn http_date(text: &str) -> Option<SystemTime> {
    use aws_smithy_types::date_time::{DateTime, Format};
    SystemTime::try_from(DateTime::from_str(text, Format::HttpDate).ok()?).ok()
}
