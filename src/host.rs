//! The surroundings of a command: its output, whether a person reads it, and the sandbox of a caller that
//! has one.

mod github;
mod output;
mod screen;

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io::{IsTerminal, Write};
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use anstream::ColorChoice;
use anstream::stream::RawStream;
use ecs_bg_sandbox::Cloud;
use ecs_bg_sandbox::sdk::Interfere;
use tokio::sync::{oneshot, watch};

pub use self::github::Github;
use self::output::{Lane, Output};
pub use self::screen::Screen;
use crate::clock::Machine;

/// The surroundings of a command.
pub struct Host {
    /// Standard output.
    pub out: Stream,
    /// Standard error.
    pub err: Stream,
    /// A person reads the output as it comes.
    pub terminal: bool,
    /// The terminal that rows can be redrawn on, where there is one.
    pub screen: Option<Screen>,
    /// How many simulated seconds pass in one second of the reader's; `None`: no pacing.
    pub pace: Option<f64>,
    /// An AWS of the caller's, in virtual time.
    pub sandbox: Option<Sandbox>,
    /// How often the user asks a deployment to stop; `None`: the process's signals tell.
    pub interrupts: Option<watch::Receiver<u32>>,
    /// The step of GitHub Actions that this is.
    pub github: Option<Github>,
}

/// Where lines go.
#[derive(Clone)]
pub struct Stream {
    way: Way,
    look: Look,
}

/// What a reader can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    /// Colours.
    pub colours: bool,
    /// More characters than ASCII.
    pub unicode: bool,
}

impl Look {
    /// Of a stream of this process. `NO_COLOR`, `CLICOLOR_FORCE` and `TERM=dumb` are honoured; GitHub and
    /// CircleCI show colours without being a terminal.
    fn of(stream: &(impl RawStream + AsHandle)) -> Self {
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let colours = match anstream::AutoStream::choice(stream) {
            ColorChoice::Never => {
                let asked_not = set("NO_COLOR") || std::env::var("TERM").is_ok_and(|t| t == "dumb");
                !asked_not && !is_file(stream) && (set("GITHUB_ACTIONS") || set("CIRCLECI"))
            }
            _ => true,
        };
        // The first one that is set decides; none says nothing.
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter(|name| set(name));
        let locale = locale.filter_map(|name| std::env::var(name).ok()).next();
        let unicode = locale.is_none_or(|locale| {
            let locale = locale.to_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self { colours, unicode }
    }
}

#[derive(Clone)]
enum Way {
    /// Written at once.
    Direct(Rc<RefCell<dyn Write>>),
    /// Written by a thread of its own: a reader that stalls delays nothing.
    Queued(Rc<Queue>, Lane),
}

/// The process's output. Whoever drops it last waits until it is written.
struct Queue(Arc<Output>);

impl Drop for Queue {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl Stream {
    /// Writes to this at once, in order.
    pub fn direct(to: impl Write + 'static) -> Self {
        let look = Look { colours: false, unicode: true };
        Self { way: Way::Direct(Rc::new(RefCell::new(to))), look }
    }

    /// What its reader can show.
    pub(crate) fn look(&self) -> Look {
        self.look
    }

    /// Prints a line. One that need not be `kept` may be dropped while the reader stalls.
    pub(crate) fn print(&self, mut text: String, kept: bool) {
        text.push('\n');
        match &self.way {
            Way::Direct(to) => {
                let mut to = to.borrow_mut();
                // A reader that went away is no reason to stop a deployment.
                let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
            }
            Way::Queued(queue, lane) => queue.0.push(*lane, text, kept),
        }
    }
}

/// An AWS in the process, shared with whoever made it.
#[derive(Clone)]
pub struct Sandbox {
    /// The world.
    pub cloud: Arc<Mutex<Cloud>>,
    /// What may happen to calls on their way.
    pub interfere: Option<Arc<dyn Interfere>>,
    /// What becomes of the clocks of the command's machine.
    pub machine: Option<&'static Machine>,
}

impl Sandbox {
    /// A sandbox of this world, undisturbed.
    pub fn new(cloud: Cloud) -> Self {
        Self { cloud: Arc::new(Mutex::new(cloud)), interfere: None, machine: None }
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
        let output = Output::start(raw(std::io::stdout()), raw(std::io::stderr()));
        let screen = Screen::of(&output, |name| std::env::var(name).ok());
        let queue = Rc::new(Queue(output));
        Self {
            out: Stream {
                way: Way::Queued(Rc::clone(&queue), Lane::Out),
                look: Look::of(&std::io::stdout()),
            },
            err: Stream { way: Way::Queued(queue, Lane::Err), look: Look::of(&std::io::stderr()) },
            terminal: std::io::stdout().is_terminal(),
            screen,
            pace: None,
            sandbox: None,
            interrupts: None,
            github: Github::of(|name| std::env::var(name).ok()),
        }
    }

    /// A host that keeps what is written.
    pub fn captured(sandbox: Sandbox) -> (Self, Captured) {
        let captured = Captured::default();
        let host = Self {
            out: Stream::direct(captured.clone()),
            err: Stream::direct(captured.clone()),
            terminal: false,
            screen: None,
            pace: None,
            sandbox: Some(sandbox),
            interrupts: Some(watch::channel(0).1),
            github: None,
        };
        (host, captured)
    }

    /// Why what was printed to standard output was not written, where it was not.
    pub(crate) fn lost(&self) -> Option<String> {
        match &self.out.way {
            Way::Direct(_) => None,
            Way::Queued(queue, _) => queue.0.lost(),
        }
    }

    /// Waits until what was printed is written, or its reader has stalled for 5 s, or the user asks us to
    /// stop.
    pub(crate) async fn finish(&self) {
        let Way::Queued(queue, _) = &self.out.way else { return };
        let output = &queue.0;
        let (tell, mut told) = oneshot::channel();
        let waiting = Arc::clone(output);
        // The runtime's time may be virtual; the reader's is not.
        std::thread::spawn(move || {
            waiting.finish();
            let _ = tell.send(());
        });
        let mut interrupts = self.interrupts.clone().unwrap_or_else(signals);
        let heard = *interrupts.borrow();
        tokio::select! {
            _ = &mut told => {}
            Ok(_) = interrupts.wait_for(|asked| *asked > heard) => {
                output.hurry();
                let _ = told.await;
            }
        }
    }
}

/// The stream itself, without the buffer and the lock of the standard library, which the end of the
/// process would wait for.
#[cfg(unix)]
fn raw(stream: impl std::os::fd::AsFd) -> Box<dyn Write + Send> {
    match stream.as_fd().try_clone_to_owned() {
        Ok(own) => Box::new(std::fs::File::from(own)),
        Err(_) => Box::new(std::io::sink()),
    }
}

#[cfg(not(unix))]
fn raw(stream: impl Write + Send + 'static) -> Box<dyn Write + Send> {
    Box::new(stream)
}

#[cfg(unix)]
use std::os::fd::AsFd as AsHandle;
#[cfg(windows)]
use std::os::windows::io::AsHandle;

/// Whether what is printed goes into a file, which shows no colours.
#[cfg(unix)]
fn is_file(stream: &impl AsHandle) -> bool {
    let own = stream.as_fd().try_clone_to_owned().map(std::fs::File::from);
    own.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(not(unix))]
fn is_file(_stream: &impl AsHandle) -> bool {
    false
}

/// Counts SIGINT and SIGTERM from now on. (A platform without them is interrupted by its own means.)
pub(crate) fn signals() -> watch::Receiver<u32> {
    let (count, counted) = watch::channel(0);
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        if let (Ok(mut interrupt), Ok(mut terminate)) = signals {
            tokio::spawn(async move {
                loop {
                    tokio::select! {
                        Some(()) = interrupt.recv() => {}
                        Some(()) = terminate.recv() => {}
                    }
                    count.send_modify(|count| *count += 1);
                }
            });
        }
    }
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
    let result = runtime.block_on(future);
    // A lookup of a name that does not answer is not waited for.
    runtime.shutdown_background();
    result
}
