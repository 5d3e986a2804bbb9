//! The live view of a deployment on a terminal: a dozen rows at most that are redrawn, below the lines that
//! scroll. It draws the same events as the lines; only what is waited for stands in the rows alone, and the
//! rows are gone once it is over. A thread draws them, ten times a second at most, through the queue that
//! nothing waits for: a reader that stalls gets no rows, and its lines later.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::progress::{Phase, Progress, Stretch};
use super::terminal::Terminal;
use super::{lines, paint, sanitise, words};
use crate::drive::OnCancel;
use crate::event::{Kind, WaitReason};
use crate::host::{Look, Screen};
use crate::model::arn::short;
use crate::route::engine;

/// Between two drawings.
const TICK: Duration = Duration::from_millis(100);
/// Phases that are shown.
const PHASES: usize = 6;
/// Groups whose shares are shown.
const BARS: usize = 2;
/// A line is no wider, however wide the terminal is.
const WIDTH: usize = 100;
/// Lines wait for a reader that stalls, so many bytes of them.
const ROOM: usize = 1 << 20;

/// Rows on a terminal, and the lines above them.
pub(super) struct Live {
    shared: Arc<Shared>,
}

struct Shared {
    screen: Screen,
    look: Look,
    drawing: Mutex<Drawing>,
}

/// What is drawn.
struct Drawing {
    progress: Progress,
    /// When the last event was, in the deployment's time and in the reader's.
    last: Duration,
    seen: Instant,
    /// How fast the deployment's time runs for the reader.
    pace: f64,
    on_cancel: OnCancel,
    /// Lines that are to scroll.
    lines: String,
    dropped: u64,
    bar: ProgressBar,
    terminal: Terminal,
    drawn: Vec<String>,
    is_over: bool,
}

#[expect(clippy::disallowed_methods, reason = "the reader's time, not the deployment's")]
fn now() -> Instant {
    Instant::now()
}

impl Live {
    /// Begins to draw.
    pub(super) fn begin(screen: Screen, look: Look, pace: f64, on_cancel: OnCancel) -> Self {
        let terminal = Terminal::new(screen.size());
        let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
        let bar = ProgressBar::with_draw_target(None, target);
        // A template of ours is right.
        bar.set_style(
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        let drawing = Drawing {
            progress: Progress::default(),
            last: Duration::ZERO,
            seen: now(),
            pace,
            on_cancel,
            lines: String::new(),
            dropped: 0,
            bar,
            terminal,
            drawn: vec![],
            is_over: false,
        };
        let shared = Arc::new(Shared { screen, look, drawing: Mutex::new(drawing) });
        if !shared.screen.is_memory() {
            let ticking = Arc::clone(&shared);
            std::thread::spawn(move || ticking.tick());
        }
        Self { shared }
    }

    /// Takes an event in. `true`: the rows say it, and no line need.
    pub(super) fn event(&self, kind: &Kind, elapsed: Duration) -> bool {
        let mut drawing = self.shared.drawing();
        if drawing.is_over {
            return false;
        }
        drawing.progress.take(kind, elapsed);
        (drawing.last, drawing.seen) = (elapsed, now());
        let is_pause = |why: &WaitReason| matches!(why, WaitReason::Pause { .. });
        let is_wait = matches!(kind, Kind::Waiting { why, .. } if !is_pause(why));
        if self.shared.screen.is_memory() {
            drawing.draw(&self.shared, false);
        }
        is_wait
    }

    /// A line that scrolls: harmless and painted already. One that need not be `kept` may be dropped while
    /// the reader stalls.
    pub(super) fn line(&self, text: &str, kept: bool) {
        let mut drawing = self.shared.drawing();
        if !kept && drawing.lines.len() + text.len() > ROOM {
            drawing.dropped += 1;
            return;
        }
        drawing.lines.push_str(text);
        drawing.lines.push('\n');
        if self.shared.screen.is_memory() {
            drawing.draw(&self.shared, false);
        }
    }

    /// Whether the rows are gone.
    pub(super) fn is_over(&self) -> bool {
        self.shared.drawing().is_over
    }

    /// Takes the rows away: what is printed from now on follows the lines.
    pub(super) fn end(&self) {
        let mut drawing = self.shared.drawing();
        if !std::mem::replace(&mut drawing.is_over, true) {
            drawing.finish(&self.shared);
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn drawing(&self) -> MutexGuard<'_, Drawing> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[expect(clippy::disallowed_methods, reason = "only the thread that draws waits")]
    fn tick(&self) {
        loop {
            std::thread::sleep(TICK);
            let mut drawing = self.drawing();
            if drawing.is_over {
                return;
            }
            drawing.draw(self, false);
        }
    }
}

impl Drawing {
    fn draw(&mut self, shared: &Shared, forced: bool) {
        if !forced && shared.screen.is_behind() {
            return;
        }
        let size = shared.screen.size();
        let rows = self.rows(size.1.into(), shared.look);
        let most = usize::from(size.0).saturating_sub(1).max(1);
        let rows = &rows[..rows.len().min(most)];
        let is_resized = self.terminal.resize(size, &self.drawn);
        if rows == self.drawn && self.lines.is_empty() && !is_resized {
            return;
        }
        let is_first = self.drawn.is_empty();
        self.drawn = rows.to_vec();
        if is_first {
            // Nothing stands there yet that lines must make room for.
            self.count_dropped();
            shared.screen.push(std::mem::take(&mut self.lines), forced);
        }
        if !rows.is_empty() {
            self.bar.set_message(rows.join("\n"));
        }
        self.scroll();
        shared.screen.push(self.terminal.take(), forced);
    }

    fn count_dropped(&mut self) {
        if self.dropped > 0 {
            let count = std::mem::take(&mut self.dropped);
            let _ = writeln!(
                self.lines,
                "warning: {count} lines were not shown: the output was not read in time"
            );
        }
    }

    /// The lines that waited, above the rows.
    fn scroll(&mut self) {
        self.count_dropped();
        let lines = std::mem::take(&mut self.lines);
        if !lines.is_empty() {
            self.bar.println(lines.trim_end_matches('\n'));
        }
    }

    fn finish(&mut self, shared: &Shared) {
        if self.drawn.is_empty() {
            self.count_dropped();
            return shared.screen.push(std::mem::take(&mut self.lines), true);
        }
        self.terminal.resize(shared.screen.size(), &self.drawn);
        self.scroll();
        self.bar.finish_and_clear();
        shared.screen.push(self.terminal.take(), true);
    }

    /// The time of the deployment now.
    fn elapsed(&self) -> Duration {
        let since = self.seen.elapsed().as_secs_f64() * self.pace;
        self.last + Duration::try_from_secs_f64(since).unwrap_or_default()
    }

    fn rows(&self, columns: usize, look: Look) -> Vec<String> {
        // A line as wide as the terminal would end in the next one.
        let width = columns.saturating_sub(1).clamp(1, WIDTH);
        let elapsed = self.elapsed();
        let mut rows: Vec<String> = self.head(width, elapsed).into_iter().collect();
        let stretches = &self.progress.stretches;
        let shown = &stretches[stretches.len().saturating_sub(PHASES)..];
        let last = shown.len().saturating_sub(1);
        for (index, stretch) in shown.iter().enumerate() {
            let is_open = index == last && stretch.over.is_none();
            let gist = if is_open { self.gist(stretch, elapsed) } else { gist(stretch) };
            rows.push(self.row(stretch, &gist, is_open, width, elapsed));
            if is_open && matches!(stretch.phase, Phase::Traffic | Phase::RollBack) {
                rows.extend(self.bars(width));
            }
        }
        rows.extend(self.upcoming().map(|row| cut(&row, width)));
        rows.extend(self.foot(width));
        rows.iter().map(|row| paint::row(&sanitise::lines(row), look)).collect()
    }

    /// What is deployed, where, and for how long.
    fn head(&self, width: usize, elapsed: Duration) -> Option<String> {
        let progress = &self.progress;
        let location = progress.location.as_ref()?;
        let images: Vec<String> = progress
            .images
            .values()
            .map(|(from, to)| {
                arrow(&from.as_deref().map(|own| progress.brief(own)), &progress.brief(to))
            })
            .collect();
        let what = match (&images[..], &progress.deployment) {
            ([one], _) => one.clone(),
            (_, Some(deployment)) => deployment.clone(),
            (_, None) => String::new(),
        };
        let clock = lines::clock(elapsed);
        let text = match what.is_empty() {
            true => lines::location(location),
            false => lines::location(location).replacen("  ", &format!("  {what}  "), 1),
        };
        Some(aligned(&text, clock.trim(), width))
    }

    fn row(
        &self,
        stretch: &Stretch,
        gist: &str,
        is_open: bool,
        width: usize,
        elapsed: Duration,
    ) -> String {
        let mark = match (is_open, stretch.failed) {
            (true, _) => '●',
            (false, true) => '✘',
            (false, false) => '✔',
        };
        let took = stretch.over.unwrap_or(elapsed).saturating_sub(stretch.begun);
        let text = format!("  {mark} {:<9} {}", stretch.phase.name(), self.progress.brief(gist));
        aligned(&text, &words::time(took), width)
    }

    /// What is waited for now, counted down.
    fn gist(&self, stretch: &Stretch, elapsed: Duration) -> String {
        let Some(mut why) = self.progress.waits().cloned() else { return gist(stretch) };
        if let WaitReason::Hold { left, .. }
        | WaitReason::Bake { left, .. }
        | WaitReason::Propagation { left } = &mut why
        {
            *left = left.saturating_sub(elapsed.saturating_sub(self.last));
        }
        words::wait(&why)
    }

    /// The shares of the traffic.
    fn bars(&self, width: usize) -> Vec<String> {
        const CELLS: f64 = 15.0;
        let shares = self.progress.shares.iter().take(BARS);
        let longest = shares.clone().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        let bar = |(name, percent): &(String, f64)| {
            let full = (percent / 100.0 * CELLS).round();
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 15")]
            let (full, empty) = (full as usize, (CELLS - full) as usize);
            let cells = format!("{}{}", "█".repeat(full), "░".repeat(empty));
            cut(&format!("              {name:<longest$}  {cells} {percent:>3.0} %"), width)
        };
        shares.map(bar).collect()
    }

    /// The phases that are still to come.
    fn upcoming(&self) -> Option<String> {
        let progress = &self.progress;
        let name = progress.engine.filter(|_| !progress.rolls_back)?;
        let mut phases: Vec<Phase> = Vec::new();
        for step in engine(name).forward {
            let phase = Phase::of(step.name);
            if phase != Phase::Before && !phases.contains(&phase) {
                phases.push(phase);
            }
        }
        let now = progress.stretches.last().map(|last| last.phase);
        let next = phases.iter().position(|phase| Some(*phase) == now).map_or(0, |at| at + 1);
        let names: Vec<String> =
            phases[next..].iter().map(|phase| format!("○ {}", phase.name())).collect();
        (!names.is_empty()).then(|| format!("  {}", names.join("   ")))
    }

    /// What Ctrl-C does, and how to skip what is waited for.
    fn foot(&self, width: usize) -> Option<String> {
        let progress = &self.progress;
        progress.deployment.as_ref()?;
        let cancel = match self.on_cancel {
            _ if progress.rolls_back => "Ctrl-C stops at once",
            OnCancel::Rollback => "Ctrl-C rolls back (again: stops at once)",
            OnCancel::Hold => "Ctrl-C leaves everything as it is",
            OnCancel::Finish => "Ctrl-C finishes at 100 %, else rolls back",
        };
        let skip = match (progress.waits(), &progress.location) {
            (Some(WaitReason::Hold { .. } | WaitReason::Bake { .. }), Some(about)) => {
                let (cluster, service) = (&about.cluster, &about.service);
                format!(" · to go on: ecs-bg promote --cluster {cluster} --service {service}")
            }
            _ => String::new(),
        };
        let text = format!("  {cancel}{skip}");
        // A command that is cut cannot be pasted.
        let fits = text.chars().count() <= width;
        Some(if fits { text } else { cut(&format!("  {cancel}"), width) })
    }
}

/// What a phase came to.
fn gist(stretch: &Stretch) -> String {
    stretch.came_to().or(stretch.changes.last().cloned()).unwrap_or_default()
}

/// `shop/web 1 → 2`, or the whole of both where the repositories differ.
fn arrow(from: &Option<String>, to: &str) -> String {
    let Some(from) = from else { return to.to_owned() };
    match (from.rsplit_once(':'), to.rsplit_once(':')) {
        (Some((own, old)), Some((other, new))) if own == other => {
            format!("{own} {} → {}", short(old), short(new))
        }
        _ => format!("{from} → {to}"),
    }
}

/// A text and what stands at the right, in so many columns.
fn aligned(text: &str, right: &str, width: usize) -> String {
    let room = width.saturating_sub(right.chars().count() + 1);
    let text = cut(text, room);
    format!("{text:<room$} {right}")
}

/// Without its middle where it is too long: its end often says why.
fn cut(text: &str, width: usize) -> String {
    let count = text.chars().count();
    if count <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let (begin, end) = (room - room / 3, room / 3);
    let head: String = text.chars().take(begin).collect();
    let tail: String = text.chars().skip(count - end).collect();
    format!("{head}…{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_loses_its_middle() {
        assert_eq!(cut("0123456789", 10), "0123456789");
        assert_eq!(cut("0123456789", 7), "0123…89");
        assert_eq!(aligned("0123456789", "3s", 10), "0123…56 3s".replace("56", "89"));
        assert_eq!(cut("abc", 0), "…");
    }

    #[test]
    fn an_image_is_named_once() {
        let from = |text: &str| Some(text.to_owned());
        assert_eq!(arrow(&from("shop/web:1"), "shop/web:2"), "shop/web 1 → 2");
        assert_eq!(arrow(&from("shop/web:1"), "shop/api:2"), "shop/web:1 → shop/api:2");
        assert_eq!(arrow(&None, "shop/web:2"), "shop/web:2");
    }
}
