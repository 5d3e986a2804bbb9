//! What indicatif draws on: it keeps what there is to write until somebody takes it, as one text. It writes no
//! more cells than a row has, so that a terminal that becomes narrower has little to wrap.

use std::fmt::Write;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;

#[derive(Clone, Debug)]
pub(super) struct Terminal(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// Rows and columns.
    size: (u16, u16),
    text: String,
    /// A row's text was written, and what fills it to the right is next.
    is_filled_next: bool,
    /// A row is complete: the next one begins with a line end.
    owes_line_end: bool,
}

impl Terminal {
    pub(super) fn new(size: (u16, u16)) -> Self {
        let (text, is_filled_next, owes_line_end) = (String::new(), false, false);
        Self(Arc::new(Mutex::new(State { size, text, is_filled_next, owes_line_end })))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What has not been written yet.
    pub(super) fn take(&self) -> String {
        std::mem::take(&mut self.state().text)
    }

    /// The terminal has this size now. A narrower one has wrapped the rows that stand there: they are taken
    /// away, and the cursor goes where indicatif left it. `true`: the size is another one.
    pub(super) fn resize(&self, size: (u16, u16), drawn: &[String]) -> bool {
        let mut state = self.state();
        if state.size == size {
            return false;
        }
        let columns = usize::from(size.1).max(1);
        let lines = |row: &String| {
            anstream::adapter::strip_str(row).to_string().chars().count().div_ceil(columns).max(1)
        };
        let there: usize = drawn.iter().map(lines).sum();
        if there > drawn.len() {
            let (up, down) = (there - 1, drawn.len() - 1);
            let _ = write!(state.text, "\r\u{1b}[{up}A\u{1b}[J{}", "\r\n".repeat(down));
        }
        state.size = size;
        true
    }

    fn go(&self, count: usize, way: char) -> io::Result<()> {
        if count > 0 {
            let _ = write!(self.state().text, "\u{1b}[{count}{way}");
        }
        Ok(())
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        self.state().size.1
    }

    fn height(&self) -> u16 {
        self.state().size.0
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.go(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.go(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.go(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.go(n, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        let _ = write!(self.state().text, "{text}\r\n");
        Ok(())
    }

    /// indicatif writes a row, and then blanks up to the right margin.
    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut state = self.state();
        match (text, state.is_filled_next) {
            ("\r", _) => state.text.push('\r'),
            (_, true) => {
                state.text.push_str("\u{1b}[K");
                (state.is_filled_next, state.owes_line_end) = (false, true);
            }
            (text, false) => {
                if std::mem::take(&mut state.owes_line_end) {
                    state.text.push_str("\r\n");
                }
                state.text.push_str(text);
                state.is_filled_next = true;
            }
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.state().text.push_str("\r\u{1b}[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut state = self.state();
        (state.is_filled_next, state.owes_line_end) = (false, false);
        Ok(())
    }
}
