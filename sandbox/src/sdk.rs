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

pub use crate::faults::{Interfere, Interference};
use crate::{Cloud, Time, reply::Reply, transport::Delivery};

/// The time that the world is told.
pub type Now = Arc<dyn Fn() -> Time + Send + Sync>;

/// Hears each request with its answer, as they would go over a wire.
pub type Overhear = Arc<dyn Fn(&http::Request<Bytes>, &http::Response<Bytes>) + Send + Sync>;

/// An HTTP client whose network is a `Cloud`.
#[derive(Clone)]
pub struct InProcess {
    cloud: Arc<Mutex<Cloud>>,
    now: Now,
    interfere: Option<Arc<dyn Interfere>>,
    overhear: Option<Overhear>,
    read_timeout: Option<Duration>,
}

impl InProcess {
    /// A client of this world; `now` tells the time of each request.
    pub fn new(cloud: Arc<Mutex<Cloud>>, now: Now) -> Self {
        InProcess { cloud, now, interfere: None, overhear: None, read_timeout: None }
    }

    /// The same client, interfered with.
    pub fn interfered(self, with: Arc<dyn Interfere>) -> Self {
        InProcess { interfere: Some(with), ..self }
    }

    /// The same client, overheard.
    pub fn overheard(self, by: Overhear) -> Self {
        InProcess { overhear: Some(by), ..self }
    }

    fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn send(&self, request: http::Request<Bytes>) -> Result<HttpResponse, ConnectorError> {
        let call = self.cloud().call(&request);
        if call.service.is_empty() && is_from_a_user(&request) {
            return Err(ConnectorError::io("no such host in the sandbox".into()));
        }
        let fate =
            self.interfere.as_ref().map_or(Interference::None, |interfere| interfere.with(&call));
        let fate = match fate {
            Interference::None => self.cloud().fate(&call),
            fate => fate,
        };
        let latency = self.cloud().latency();
        tokio::time::sleep(latency).await;
        let delivery = self.cloud().deliver((self.now)(), &request, &call, &fate);
        if let Some(interfere) = &self.interfere {
            interfere.done(&call);
        }
        match delivery {
            Delivery::Silence => std::future::pending().await,
            Delivery::Reset => Err(ConnectorError::io("connection reset by peer".into())),
            Delivery::Answer { response, after, whole } => {
                if let Some(overhear) = &self.overhear {
                    overhear(&request, &response);
                }
                tokio::time::sleep(after).await;
                answer(response, whole)
            }
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

/// A request that no client of AWS would send.
fn is_from_a_user(request: &http::Request<Bytes>) -> bool {
    request.method() == http::Method::GET && !request.headers().contains_key("authorization")
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

fn answer(response: http::Response<Bytes>, whole: bool) -> Result<HttpResponse, ConnectorError> {
    let (parts, body) = response.into_parts();
    let status = StatusCode::try_from(parts.status.as_u16())
        .map_err(|error| ConnectorError::other(error.into(), None))?;
    let mut answer = HttpResponse::new(status, SdkBody::from_body_1_x(Reply::new(body, whole)));
    for (name, value) in &parts.headers {
        if let Ok(value) = value.to_str() {
            answer.headers_mut().insert(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(answer)
}
