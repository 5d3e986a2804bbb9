//! The sandbox over HTTP: any AWS client in any process. This is where real time enters: the world's
//! time is real time since the start, times a scale, on top of the world's own epoch. It knows no
//! operation; `control` answers requests that are for the sandbox itself.

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{Semaphore, SemaphorePermit},
    task::JoinSet,
    time::Instant,
};

use crate::{Cloud, Time, cloud::refusal, protocol::Fault, reply::Reply, transport::Delivery};

/// The largest request body: ECR manifests have 4 MiB, nothing else of AWS comes near.
const LARGEST: usize = 8 << 20;
/// How long a client may take to send a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often the world is brought up to date when nobody asks, so that the next one to ask need not
/// wait for a whole night to pass.
const TICK: Duration = Duration::from_secs(1);

/// How many connections are open at once; more wait until one is closed.
const CONNECTIONS: usize = 256;
/// How many bytes of request bodies are held at once, of all connections.
const HELD: usize = 64 << 20;
/// How many changes the journal keeps.
const ENTRIES: usize = 20_000;

mod control;
mod stranger;

pub use control::is_scale;

/// A world that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    world: Arc<World>,
}

/// The world and its clock, which all connections share.
#[derive(Debug)]
pub(crate) struct World {
    cloud: Mutex<Cloud>,
    clock: Mutex<Clock>,
    /// Bytes of request bodies that may still be held.
    room: Semaphore,
}

/// The world's time since a moment.
#[derive(Clone, Copy, Debug)]
struct Clock {
    epoch: Time,
    since: Instant,
    scale: f64,
}

impl Clock {
    fn now(&self) -> Time {
        let passed = self.since.elapsed().as_secs_f64() * self.scale;
        self.epoch + Duration::try_from_secs_f64(passed).unwrap_or(Duration::MAX)
    }
}

impl World {
    pub(crate) fn cloud(&self) -> MutexGuard<'_, Cloud> {
        self.cloud.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self) -> MutexGuard<'_, Clock> {
        self.clock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn now(&self) -> Time {
        self.clock().now()
    }

    pub(crate) fn scale(&self) -> f64 {
        self.clock().scale
    }

    /// From now on time passes at another pace, and `advance` of it has passed already.
    pub(crate) fn set_clock(&self, advance: Duration, scale: Option<f64>) -> Time {
        let mut clock = self.clock();
        let epoch = clock.now() + advance;
        *clock = Clock { epoch, since: Instant::now(), scale: scale.unwrap_or(clock.scale) };
        epoch
    }
}

impl Server {
    /// Listens; port 0 takes any that is free. `scale` is how many seconds of the world pass in one.
    pub async fn bind(address: SocketAddr, cloud: Cloud, scale: f64) -> io::Result<Server> {
        let listener = TcpListener::bind(address).await?;
        let clock = Clock { epoch: cloud.now(), since: Instant::now(), scale };
        let room = Semaphore::new(HELD);
        let world = World { cloud: Mutex::new(cloud), clock: Mutex::new(clock), room };
        Ok(Server { listener, world: Arc::new(world) })
    }

    /// Where it listens.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until told to stop; then open connections are closed.
    pub async fn serve(self, until: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(connection(stream, Arc::clone(&self.world)))),
                    // Out of file descriptors, most likely: wait for some to be closed.
                    Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
                },
                Some(_) = connections.join_next() => {}
                _ = tick.tick() => {
                    let now = self.world.now();
                    let mut cloud = self.world.cloud();
                    cloud.advance(now);
                    cloud.forget(ENTRIES);
                }
            }
        }
    }
}

async fn connection(stream: TcpStream, world: Arc<World>) {
    let _ = stream.set_nodelay(true);
    let Ok(own) = stream.local_addr() else { return };
    let broken = Arc::new(AtomicBool::new(false));
    let socket = TokioIo::new(Socket { stream, broken: Arc::clone(&broken) });
    let service = service_fn(move |request| {
        let (world, broken) = (Arc::clone(&world), Arc::clone(&broken));
        async move { answer(request, &world, own, &broken).await }
    });
    // What goes wrong here is between hyper and the client, and both know it.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(socket, service)
        .await;
}

/// Why there is no answer: the connection is to break.
#[derive(Debug, thiserror::Error)]
#[error("connection reset")]
struct Broken;

async fn answer(
    request: Request<Incoming>,
    world: &World,
    own: SocketAddr,
    broken: &AtomicBool,
) -> Result<Response<Reply>, Broken> {
    let reply = |response: Response<Bytes>, whole| response.map(|body| Reply::new(body, whole));
    if let Some(what) = stranger::refusal(&request, own) {
        return Ok(reply(control::forbidden(&what), true));
    }
    let (parts, body) = request.into_parts();
    let collected = tokio::time::timeout(PATIENCE, collect(body, &world.room)).await;
    let (body, held) = match collected {
        Ok(Ok(body)) => body,
        Ok(Err(Unread::TooLarge)) => {
            let fault = too_large();
            let empty = Request::from_parts(parts, Bytes::new());
            return Ok(reply(refusal(&mut world.cloud(), &empty, &fault), true));
        }
        Ok(Err(Unread::NoRoom)) => {
            let what = "too many large requests at once";
            return Ok(reply(control::busy(what), true));
        }
        Ok(Err(Unread::Broken)) | Err(_) => return Err(Broken),
    };
    let request = Request::from_parts(parts, body);
    if let Some(path) = request.uri().path().strip_prefix("/_sandbox/") {
        return Ok(reply(control::answer(world, path, &request), true));
    }
    let delivery = {
        let now = world.now();
        let mut cloud = world.cloud();
        let call = cloud.call(&request);
        let fate = cloud.fate(&call);
        cloud.deliver(now, &request, &call, &fate)
    };
    // A client that is kept waiting holds nothing here.
    drop((request, held));
    match delivery {
        Delivery::Silence => std::future::pending().await,
        Delivery::Reset => {
            broken.store(true, Ordering::Relaxed);
            Err(Broken)
        }
        Delivery::Answer { response, after, whole } => {
            if !after.is_zero() {
                tokio::time::sleep(after).await;
            }
            Ok(reply(response, whole))
        }
    }
}

/// Why a body was not read to its end.
enum Unread {
    TooLarge,
    NoRoom,
    Broken,
}

/// The whole body, and the room that it takes.
async fn collect(
    body: Incoming,
    room: &Semaphore,
) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Unread> {
    let (mut body, mut whole) = (Limited::new(body, LARGEST), Vec::new());
    let mut held: Option<SemaphorePermit<'_>> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| match error.is::<LengthLimitError>() {
            true => Unread::TooLarge,
            false => Unread::Broken,
        })?;
        let Ok(data) = frame.into_data() else { continue };
        let size = u32::try_from(data.len()).map_err(|_| Unread::TooLarge)?;
        let more = room.try_acquire_many(size).map_err(|_| Unread::NoRoom)?;
        match &mut held {
            Some(held) => held.merge(more),
            None => held = Some(more),
        }
        whole.extend_from_slice(&data);
    }
    Ok((whole.into(), held))
}

fn too_large() -> Fault {
    Fault {
        status: StatusCode::PAYLOAD_TOO_LARGE.as_u16(),
        ..Fault::new("RequestEntityTooLarge", "Request size exceeds the limit of this service.")
    }
}

/// A connection that can be made to break: the client gets a reset instead of an orderly end.
struct Socket {
    stream: TcpStream,
    broken: Arc<AtomicBool>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.broken.load(Ordering::Relaxed) {
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.broken.load(Ordering::Relaxed) {
            true => Poll::Ready(Ok(())),
            false => Pin::new(&mut self.stream).poll_shutdown(context),
        }
    }
}
