//! Output that nothing waits for: lines go through a bounded queue to a thread that writes them. A reader
//! that stalls delays nothing. While the queue is full, lines of progress are dropped and counted.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many bytes wait for the reader of one stream. A reader that is only slow never comes near.
const ROOM: usize = 4 << 20;
/// At the end, how long a reader may take nothing before it is given up.
const STALLED: Duration = Duration::from_secs(5);
/// The same once the user asked to stop.
const HURRIED: Duration = Duration::from_millis(250);
/// At the end, how long it may take at most, however slowly it reads.
const LONGEST: Duration = Duration::from_secs(30);
/// Lines of one stream wait so long for older lines of the other: both may go to the same terminal.
const IN_ORDER: Duration = Duration::from_millis(250);

/// Which stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Both streams of the process.
pub(crate) struct Output {
    state: Mutex<State>,
    changed: Condvar,
    room: usize,
}

#[derive(Default)]
struct State {
    lanes: [Waiting; 2],
    /// Lines so far, of both streams.
    order: u64,
    /// Lines of progress that were dropped and not told of yet.
    dropped: u64,
    /// Nobody waits for the reader any more.
    given_up: bool,
    /// Since when the user waits: a reader that takes nothing is not waited for.
    hurried: Option<Instant>,
    /// Why standard output was not written; that a reader went away is no reason.
    lost: Option<String>,
}

#[derive(Default)]
struct Waiting {
    lines: VecDeque<(u64, String)>,
    bytes: usize,
    /// The line that is being written, and when the reader last took some of it.
    writing: Option<(u64, Instant)>,
}

impl Waiting {
    fn is_empty(&self) -> bool {
        self.lines.is_empty() && self.writing.is_none()
    }

    fn oldest(&self) -> Option<u64> {
        self.writing.map(|(order, _)| order).or(self.lines.front().map(|(order, _)| *order))
    }
}

#[expect(clippy::disallowed_methods, reason = "the reader's time, not the deployment's")]
fn now() -> Instant {
    Instant::now()
}

impl Output {
    /// Starts the threads that write.
    pub(crate) fn start(
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Arc<Self> {
        Self::with_room(ROOM, out, err)
    }

    fn with_room(
        room: usize,
        out: impl Write + Send + 'static,
        err: impl Write + Send + 'static,
    ) -> Arc<Self> {
        let output = Arc::new(Self { state: Mutex::default(), changed: Condvar::new(), room });
        let (one, other) = (Arc::clone(&output), Arc::clone(&output));
        std::thread::spawn(move || one.write(Lane::Out, out));
        std::thread::spawn(move || other.write(Lane::Err, err));
        output
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        match self.changed.wait_timeout(state, limit) {
            Ok((state, _)) => state,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    /// Takes a line. What must be `kept` is, however full the queue is.
    pub(crate) fn push(&self, lane: Lane, text: String, kept: bool) {
        let mut state = self.state();
        if !kept && state.lanes[lane as usize].bytes + text.len() > self.room {
            state.dropped += 1;
            return;
        }
        state.tell_of_dropped();
        state.add(lane, text);
        drop(state);
        self.changed.notify_all();
    }

    /// How many bytes of a stream nobody has taken yet.
    pub(crate) fn waiting(&self, lane: Lane) -> usize {
        self.state().lanes[lane as usize].bytes
    }

    /// Waits until everything is written, or the reader has taken nothing for 5 s.
    pub(crate) fn finish(&self) {
        let begin = now();
        let mut state = self.state();
        state.tell_of_dropped();
        self.changed.notify_all();
        while !state.given_up && !state.lanes.iter().all(Waiting::is_empty) {
            let moved = state.lanes.iter().filter_map(|lane| lane.writing).map(|(_, at)| at).max();
            let idle = moved.map_or(begin, |moved| moved.max(begin)).elapsed();
            let hurried = state
                .hurried
                .is_some_and(|since| idle >= HURRIED || since.elapsed() >= 4 * HURRIED);
            if hurried || idle >= STALLED || begin.elapsed() >= LONGEST {
                state.given_up = true;
            } else {
                state = self.wait(state, Duration::from_millis(100));
            }
        }
    }

    /// Why standard output was not written, where it was not.
    pub(crate) fn lost(&self) -> Option<String> {
        self.state().lost.clone()
    }

    /// From now on a reader that takes nothing is waited for no longer than 250 ms, and any for 1 s.
    pub(crate) fn hurry(&self) {
        self.state().hurried.get_or_insert_with(now);
        self.changed.notify_all();
    }

    /// Writes the lines of one stream, for as long as the process lives.
    fn write(&self, lane: Lane, mut sink: impl Write) {
        let other = 1 - lane as usize;
        let mut broken = false;
        loop {
            let mut state = self.state();
            let (order, text) = loop {
                let first = state.lanes[lane as usize].lines.front().map(|(order, _)| *order);
                let older = state.lanes[other].oldest().zip(first);
                let turn = match (older, state.lanes[other].writing) {
                    (Some((oldest, first)), Some((_, moved))) if oldest < first => {
                        moved.elapsed() >= IN_ORDER
                    }
                    (Some((oldest, first)), None) => oldest > first,
                    _ => true,
                };
                if turn && let Some(line) = state.lanes[lane as usize].lines.pop_front() {
                    break line;
                }
                state = self.wait(state, if first.is_some() { IN_ORDER / 5 } else { LONGEST });
            };
            state.lanes[lane as usize].writing = Some((order, now()));
            drop(state);
            let written = match broken {
                true => Ok(()),
                false => self.write_line(lane, order, text.as_bytes(), &mut sink),
            };
            broken |= written.is_err();
            let mut state = self.state();
            if let Err(error) = written
                && lane == Lane::Out
                && error.kind() != ErrorKind::BrokenPipe
            {
                state.lost = Some(error.to_string());
            }
            state.lanes[lane as usize].writing = None;
            state.lanes[lane as usize].bytes -= text.len();
            drop(state);
            self.changed.notify_all();
        }
    }

    /// An error means that the reader went away, which is no reason to stop a deployment.
    fn write_line(
        &self,
        lane: Lane,
        order: u64,
        mut bytes: &[u8],
        sink: &mut impl Write,
    ) -> std::io::Result<()> {
        while !bytes.is_empty() {
            match sink.write(&bytes[..bytes.len().min(4096)]) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.state().lanes[lane as usize].writing = Some((order, now()));
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                // Somebody made the pipe one that does not block.
                Err(error) if error.kind() == ErrorKind::WouldBlock => rest(),
                Err(error) => return Err(error),
            }
        }
        sink.flush()
    }
}

#[expect(clippy::disallowed_methods, reason = "only the thread that writes waits for its reader")]
fn rest() {
    std::thread::sleep(Duration::from_millis(10));
}

impl State {
    fn add(&mut self, lane: Lane, text: String) {
        self.order += 1;
        let waiting = &mut self.lanes[lane as usize];
        waiting.bytes += text.len();
        waiting.lines.push_back((self.order, text));
    }

    fn tell_of_dropped(&mut self) {
        match std::mem::take(&mut self.dropped) {
            0 => {}
            dropped => {
                let lines =
                    if dropped == 1 { "1 line was" } else { &format!("{dropped} lines were") };
                self.add(
                    Lane::Err,
                    format!("warning: {lines} not shown: the output was not read in time\n"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that takes nothing until it is let.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<Held>, Condvar)>);

    /// Whether it is open, and what came through.
    type Held = (bool, Vec<u8>);

    impl Gate {
        fn open(&self) {
            self.0.0.lock().expect("a lock").0 = true;
            self.0.1.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.0.lock().expect("a lock").1.clone()).expect("UTF-8")
        }
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let state = self.0.0.lock().expect("a lock");
            let mut state = self.0.1.wait_while(state, |state| !state.0).expect("a lock");
            state.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_finds_no_room_is_dropped_and_counted_and_the_outcome_is_kept() {
        let (out, err) = (Gate::default(), Gate::default());
        err.open();
        let output = Output::with_room(10, out.clone(), err.clone());
        for line in ["one\n", "two\n", "three\n", "four\n"] {
            output.push(Lane::Out, line.into(), false);
        }
        output.push(Lane::Out, "the outcome, which is long\n".into(), true);
        out.open();
        output.finish();
        assert_eq!(out.text(), "one\ntwo\nthe outcome, which is long\n");
        assert_eq!(
            err.text(),
            "warning: 2 lines were not shown: the output was not read in time\n"
        );
    }

    #[test]
    fn a_reader_that_takes_nothing_is_waited_for_no_longer_than_said() {
        let (out, err) = (Gate::default(), Gate::default());
        err.open();
        let output = Output::start(out, err.clone());
        output.push(Lane::Out, "stalled\n".into(), true);
        output.push(Lane::Err, "error: told\n".into(), true);
        let begin = now();
        output.finish();
        assert!((STALLED..STALLED * 2).contains(&begin.elapsed()), "{:?}", begin.elapsed());
        assert_eq!(err.text(), "error: told\n");
    }

    #[test]
    fn lines_of_both_streams_stay_in_order() {
        let both = Gate::default();
        both.open();
        let output = Output::start(both.clone(), both.clone());
        let mut expected = String::new();
        for number in 0..200 {
            let lane = if number % 3 == 0 { Lane::Err } else { Lane::Out };
            output.push(lane, format!("{number}\n"), false);
            expected.push_str(&format!("{number}\n"));
        }
        output.finish();
        assert_eq!(both.text(), expected);
    }
}
