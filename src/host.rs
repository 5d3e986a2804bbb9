//! What surrounds a command: where it writes, whether a person reads, and which AWS it talks to when
//! the caller brings one.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::sdk::Interfere;
use tokio::sync::watch;

/// The surroundings of a command.
pub struct Host {
    /// Standard output.
    pub out: RefCell<Box<dyn Write>>,
    /// Standard error.
    pub err: RefCell<Box<dyn Write>>,
    /// A person reads the output as it comes.
    pub terminal: bool,
    /// How many simulated seconds pass in one second of the reader's; `None`: no pacing.
    pub pace: Option<f64>,
    /// An AWS of the caller's, in virtual time.
    pub sandbox: Option<Sandbox>,
    /// How often the user asks a deployment to stop; `None`: the process's signals tell.
    pub interrupts: Option<watch::Receiver<u32>>,
}

/// An AWS in the process, shared with whoever made it.
#[derive(Clone)]
pub struct Sandbox {
    /// The world.
    pub cloud: Arc<Mutex<Cloud>>,
    /// What may happen to calls on their way.
    pub interfere: Option<Arc<dyn Interfere>>,
    /// For how many seconds the machine of the command was suspended.
    pub suspended: Option<&'static AtomicU64>,
}

impl Sandbox {
    /// A sandbox of this world, undisturbed.
    pub fn new(cloud: Cloud) -> Self {
        Self { cloud: Arc::new(Mutex::new(cloud)), interfere: None, suspended: None }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host").field("terminal", &self.terminal).finish_non_exhaustive()
    }
}

impl Host {
    /// The process's own.
    pub fn this() -> Self {
        Self {
            out: RefCell::new(Box::new(std::io::stdout())),
            err: RefCell::new(Box::new(std::io::stderr())),
            terminal: std::io::stdout().is_terminal(),
            pace: None,
            sandbox: None,
            interrupts: None,
        }
    }

    /// A host that keeps what is written.
    pub fn captured(sandbox: Sandbox) -> (Self, Captured) {
        let captured = Captured::default();
        let host = Self {
            out: RefCell::new(Box::new(captured.clone())),
            err: RefCell::new(Box::new(captured.clone())),
            terminal: false,
            pace: None,
            sandbox: Some(sandbox),
            interrupts: Some(watch::channel(0).1),
        };
        (host, captured)
    }
}

/// Counts SIGINT and SIGTERM from now on. (A platform without them is interrupted by its own means.)
pub(crate) fn signals() -> watch::Receiver<u32> {
    let (count, counted) = watch::channel(0);
    #[cfg(unix)]
    tokio::spawn(async move {
        use tokio::signal::unix::{SignalKind, signal};
        let (Ok(mut interrupt), Ok(mut terminate)) =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
        else {
            return;
        };
        loop {
            tokio::select! {
                Some(()) = interrupt.recv() => {}
                Some(()) = terminate.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    counted
}

/// What was written, to both streams.
#[derive(Clone, Debug, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// The text so far.
    pub fn text(&self) -> String {
        self.0.lock().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if let Ok(mut kept) = self.0.lock() {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Runs a future to its end on one thread; in virtual time when asked: then no time passes but what
/// is slept.
pub(crate) fn block_on<T>(virtual_time: bool, future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(virtual_time)
        .build()
        // Without threads and sockets nothing can be done at all.
        .expect("the operating system gives us an event loop");
    runtime.block_on(future)
}
