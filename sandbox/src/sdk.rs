//! The HTTP client of the AWS SDK for Rust, in process: requests go to a `Cloud`, answers come back
//! after its latency, in whatever time the runtime keeps. A client may be interfered with: requests and
//! answers get lost, connections break, AWS refuses.

use std::{
    fmt,
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use aws_smithy_runtime_api::{
    client::{
        http::{
            HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings,
            SharedHttpConnector,
        },
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
        runtime_components::RuntimeComponents,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;

use crate::{Cloud, Time, fault::Fault, journal::Call, wire};

/// The time that the world is told.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// Decides the fate of calls.
pub trait Interfere: fmt::Debug + Send + Sync {
    /// The fate of a call that is about to be sent.
    fn with(&self, call: &Call) -> Interference;

    /// A call has had the fate that `with` gave it.
    fn done(&self, call: &Call) {
        let _ = call;
    }
}

/// What happens to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Interference {
    /// Nothing special.
    None,
    /// It never reaches AWS, and nothing is ever heard.
    LoseRequest,
    /// It takes effect, and nothing is ever heard.
    LoseAnswer,
    /// The connection breaks before it reaches AWS.
    ResetBefore,
    /// It takes effect, then the connection breaks.
    ResetAfter,
    /// AWS refuses it, without effect.
    Error {
        /// The HTTP status.
        status: u16,
        /// The error code.
        code: String,
        /// The message.
        message: String,
    },
}

/// An HTTP client whose network is a `Cloud`.
#[derive(Clone)]
pub struct InProcess {
    cloud: Arc<Mutex<Cloud>>,
    now: Now,
    interfere: Option<Arc<dyn Interfere>>,
    read_timeout: Option<Duration>,
}

impl InProcess {
    /// A client of this world; `now` tells the time of each request.
    pub fn new(cloud: Arc<Mutex<Cloud>>, now: Now) -> Self {
        InProcess { cloud, now, interfere: None, read_timeout: None }
    }

    /// The same client, interfered with.
    pub fn interfered(self, with: Arc<dyn Interfere>) -> Self {
        InProcess { interfere: Some(with), ..self }
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<HttpResponse, ConnectorError> {
        let call = wire::call(&mut self.cloud(), &request);
        let fate =
            self.interfere.as_ref().map_or(Interference::None, |interfere| interfere.with(&call));
        let latency = self.cloud().latency();
        tokio::time::sleep(latency).await;
        let lost_before = matches!(
            fate,
            Interference::LoseRequest | Interference::ResetBefore | Interference::Error { .. }
        );
        let response = match &fate {
            Interference::Error { status, code, message } => {
                let fault = Fault { status: *status, code: code.clone(), message: message.clone() };
                let mut cloud = self.cloud();
                cloud.advance((self.now)());
                Some(wire::refusal(&cloud, &request, &fault))
            }
            _ if lost_before => None,
            _ => Some(self.cloud().handle_as((self.now)(), &request, call.clone())),
        };
        if fate != Interference::None
            && let Some(interfere) = &self.interfere
        {
            interfere.done(&call);
        }
        match (fate, response) {
            (Interference::LoseRequest | Interference::LoseAnswer, _) => {
                std::future::pending().await
            }
            (Interference::None | Interference::Error { .. }, Some(response)) => answer(response),
            _ => Err(ConnectorError::io("connection reset by peer".into())),
        }
    }
}

impl fmt::Debug for InProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InProcess").field("interfere", &self.interfere).finish_non_exhaustive()
    }
}

impl HttpClient for InProcess {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(InProcess {
            read_timeout: settings.read_timeout(),
            ..self.clone()
        })
    }
}

impl HttpConnector for InProcess {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.clone();
        HttpConnectorFuture::new(async move {
            let work = async {
                let request = whole(request).await?;
                client.send(request).await
            };
            match client.read_timeout {
                Some(limit) => {
                    let late = |_| Err(ConnectorError::timeout("read timeout".into()));
                    tokio::time::timeout(limit, work).await.unwrap_or_else(late)
                }
                None => work.await,
            }
        })
    }
}

/// The request with its body. The body is polled to its end: the SDK watches uploads by that.
async fn whole(mut request: HttpRequest) -> Result<http::Request<Bytes>, ConnectorError> {
    let other =
        |error: Box<dyn std::error::Error + Send + Sync>| ConnectorError::other(error, None);
    let mut body = request.take_body();
    let mut bytes = Vec::new();
    while let Some(frame) = poll_fn(|context| poll(&mut body, context)).await {
        bytes.extend_from_slice(&frame.map_err(other)?);
    }
    let mut whole = http::Request::builder().method(request.method()).uri(request.uri());
    for (name, value) in request.headers() {
        whole = whole.header(name, value);
    }
    whole.body(Bytes::from(bytes)).map_err(|error| other(error.into()))
}

type Frame = Option<Result<Bytes, Box<dyn std::error::Error + Send + Sync>>>;

fn poll(body: &mut SdkBody, context: &mut Context<'_>) -> Poll<Frame> {
    use http_body::Body;
    Pin::new(body)
        .poll_frame(context)
        .map(|frame| frame.map(|frame| frame.map(|frame| frame.into_data().unwrap_or_default())))
}

/// The answer with its body as a stream of one frame, as it comes from a network.
fn answer(response: http::Response<Bytes>) -> Result<HttpResponse, ConnectorError> {
    let (parts, body) = response.into_parts();
    let status = StatusCode::try_from(parts.status.as_u16())
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut answer =
        HttpResponse::new(status, SdkBody::from_body_1_x(http_body_util::Full::new(body)));
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}
