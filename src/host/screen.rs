//! A terminal that can be drawn on.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError};

use super::Captured;
use super::output::{Lane, Output};

/// What is drawn is left out while the terminal has not taken so many bytes yet.
const BEHIND: usize = 16 << 10;
/// Where a terminal does not say how large it is.
const USUAL: (u16, u16) = (24, 80);

/// The terminal of standard output, where it can move its cursor.
#[derive(Clone)]
pub struct Screen {
    way: Way,
    /// A CI job gave it.
    pub is_ci: bool,
    /// Standard error goes there too.
    pub has_errors: bool,
}

#[derive(Clone)]
enum Way {
    Queued(Arc<Output>),
    /// What is written, and rows and columns in one number.
    Memory(Captured, Arc<AtomicU32>),
}

impl Screen {
    /// That of the process. `TERM=dumb` moves no cursor.
    pub(super) fn of(
        output: &Arc<Output>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Option<Self> {
        let value = |name: &str| variable(name).filter(|value| !value.is_empty());
        let can_draw = std::io::stdout().is_terminal() && value("TERM").as_deref() != Some("dumb");
        can_draw.then(|| Self {
            way: Way::Queued(Arc::clone(output)),
            is_ci: value("CI").is_some(),
            has_errors: std::io::stderr().is_terminal(),
        })
    }

    /// One that keeps what is written.
    pub fn memory(captured: Captured, rows: u16, columns: u16) -> Self {
        let size = Arc::new(AtomicU32::new(u32::from(rows) << 16 | u32::from(columns)));
        Self { way: Way::Memory(captured, size), is_ci: false, has_errors: true }
    }

    /// Gives one in memory another size.
    pub fn resize(&self, rows: u16, columns: u16) {
        if let Way::Memory(_, size) = &self.way {
            size.store(u32::from(rows) << 16 | u32::from(columns), Ordering::Relaxed);
        }
    }

    /// Whether nobody but the caller draws on it.
    pub(crate) fn is_memory(&self) -> bool {
        matches!(self.way, Way::Memory(..))
    }

    /// Rows and columns, now.
    pub(crate) fn size(&self) -> (u16, u16) {
        match &self.way {
            Way::Queued(_) => console::Term::stdout().size_checked().unwrap_or(USUAL),
            Way::Memory(_, size) => {
                let size = size.load(Ordering::Relaxed).to_be_bytes();
                let half = |at: usize| u16::from_be_bytes([size[at], size[at + 1]]);
                (half(0), half(2))
            }
        }
    }

    /// Whether its reader has much to take still.
    pub(crate) fn is_behind(&self) -> bool {
        match &self.way {
            Way::Queued(output) => output.waiting(Lane::Out) > BEHIND,
            Way::Memory(..) => false,
        }
    }

    /// Writes what was drawn.
    pub(crate) fn push(&self, text: String, kept: bool) {
        match &self.way {
            _ if text.is_empty() => {}
            Way::Queued(output) => output.push(Lane::Out, text, kept),
            Way::Memory(Captured(bytes), _) => {
                bytes.lock().unwrap_or_else(PoisonError::into_inner).extend(text.into_bytes());
            }
        }
    }
}
