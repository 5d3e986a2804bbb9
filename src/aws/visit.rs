//! A request to the users' side of a service, over the SDK's own connections: what a gate asks.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use aws_smithy_async::rt::sleep::SharedAsyncSleep;
use aws_smithy_async::time::SharedTimeSource;
use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError};
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::timeout::TimeoutConfig;
use http_body::{Body, Frame};

use super::Aws;
use super::error::causes;

/// No connection is waited for longer.
const CONNECT: Duration = Duration::from_secs(3);

/// So much of an answer is read, in bytes: it may have no end.
const READ_MAX: usize = 1024 * 1024;

/// Who this is, for the logs of the service that is asked.
const AGENT: &str = concat!("ecs-bg/", env!("CARGO_PKG_VERSION"));

/// What asks.
#[derive(Clone, Debug)]
pub struct Visitor {
    http: SharedHttpClient,
    time: SharedTimeSource,
    sleep: SharedAsyncSleep,
}

/// What came of it.
#[derive(Clone, Debug)]
pub enum Visit {
    /// An answer.
    Answered {
        /// HTTP's status code.
        status: u16,
        /// The text of its body, or of the beginning of it.
        body: String,
    },
    /// There was no connection, or none that lasted.
    Unreachable(String),
}

/// The beginning of a body.
struct Beginning {
    body: SdkBody,
    left: usize,
}

impl Body for Beginning {
    type Data = <SdkBody as Body>::Data;
    type Error = <SdkBody as Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        let cut = |frame: Frame<Self::Data>| {
            frame.map_data(|mut data| {
                data.truncate(self.left);
                self.left -= data.len();
                data
            })
        };
        Poll::Ready(frame.map(|frame| frame.map(cut)))
    }
}

/// Reads no more than the beginning of an answer.
#[derive(Debug)]
struct ReadsBeginning;

#[dyn_dispatch_hint]
impl Intercept for ReadsBeginning {
    fn name(&self) -> &'static str {
        "beginning"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Beginning { body: whole, left: READ_MAX });
        Ok(())
    }
}

impl Aws {
    /// What asks URLs; `None` where there is no connection at all.
    pub fn visitor(&self) -> Option<Visitor> {
        let config = &self.signed.config;
        Some(Visitor {
            http: config.http_client()?,
            time: config.time_source()?,
            sleep: config.sleep_impl()?,
        })
    }
}

impl Visitor {
    /// Asks once. Redirects are answers.
    pub async fn get(&self, url: &str) -> Visit {
        let unsent = |error: &dyn std::error::Error| Visit::Unreachable(causes(error));
        // A fragment is the browser's business.
        let url = url.split('#').next().unwrap_or(url);
        let request = http::Request::get(url).header("user-agent", AGENT).header("accept", "*/*");
        let request = match request.body(SdkBody::empty()) {
            Ok(request) => request,
            Err(error) => return unsent(&error),
        };
        let request: HttpRequest = match request.try_into() {
            Ok(request) => request,
            Err(error) => return unsent(&error),
        };
        let build = move |(): ()| -> Result<HttpRequest, BoxError> {
            request.try_clone().ok_or_else(|| "the body is a stream".into())
        };
        let read = |response: &HttpResponse| {
            let body = response.body().bytes().unwrap_or_default();
            let body = String::from_utf8_lossy(body).into_owned();
            Ok::<_, OrchestratorError<std::convert::Infallible>>((response.status().as_u16(), body))
        };
        let call = Operation::builder()
            .service_name("gate")
            .operation_name("GET")
            .http_client(self.http.clone())
            .endpoint_url(url)
            .no_auth()
            .no_retry()
            .interceptor(ReadsBeginning)
            .sleep_impl(self.sleep.clone())
            .time_source(self.time.clone())
            .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build())
            .serializer(build)
            .deserializer(read)
            .build();
        match call.invoke(()).await {
            Ok((status, body)) => Visit::Answered { status, body },
            Err(SdkError::DispatchFailure(failure)) => {
                let reason = failure.as_connector_error().map(|error| causes(error));
                Visit::Unreachable(reason.unwrap_or_else(|| "no connection".to_owned()))
            }
            Err(error) => Visit::Unreachable(causes(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_than_the_beginning_of_a_body_is_read() {
        for (length, left) in [(5, 3), (3, 3), (2, 3), (0, 3)] {
            let body = SdkBody::from("x".repeat(length));
            let mut body = Box::pin(Beginning { body, left });
            let mut read = 0;
            while let Some(frame) = std::future::poll_fn(|at| body.as_mut().poll_frame(at)).await {
                read += frame.expect("a frame").into_data().map_or(0, |data| data.len());
            }
            assert_eq!(read, length.min(left));
        }
    }
}
