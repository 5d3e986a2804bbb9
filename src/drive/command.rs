//! Runs a command that judges: without a shell, in a process group of its own that is killed as a whole. It
//! blocks; the caller has a thread for it.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use crate::model::gate::{GateFault, Verdict};
use crate::request::edits::Hidden;

/// How often it is looked whether the command is to end.
const TICK: Duration = Duration::from_millis(50);
/// So much of its output is kept: the end.
const KEPT: usize = 8 * 1024;
/// So many lines of it are shown.
const LINES: usize = 10;

/// The end of what a command printed.
type Kept = Arc<Mutex<Vec<u8>>>;

/// What a command finds in its environment, and as JSON on its standard input.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    pub(super) cluster: String,
    pub(super) service: String,
    pub(super) deployment: String,
    pub(super) share: u8,
}

/// Whether its program is there: where it says, or in PATH.
pub(super) fn is_there(words: &[Hidden]) -> Result<(), GateFault> {
    let program = words.first().map(|word| Path::new(&word.0)).unwrap_or(Path::new(""));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let found = match program.components().count() > 1 {
        true => program.is_file(),
        false => std::env::split_paths(&paths).any(|path| path.join(program).is_file()),
    };
    let reason = || "there is no such program".to_owned();
    if found || cfg!(windows) { Ok(()) } else { Err(GateFault::NotStarted { reason: reason() }) }
}

/// Runs it to its end. `None`: it was to stop.
pub(super) fn run(
    words: &[Hidden],
    timeout: Duration,
    told: &Surroundings,
    stop: &AtomicBool,
) -> Option<Verdict> {
    let (program, arguments) = words.split_first()?;
    let mut command = Command::new(&program.0);
    command
        .args(arguments.iter().map(|word| &word.0))
        .env("ECS_BG_CLUSTER", &told.cluster)
        .env("ECS_BG_SERVICE", &told.service)
        .env("ECS_BG_DEPLOYMENT", &told.deployment)
        .env("ECS_BG_SHARE", told.share.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => {
            let reason = error.to_string();
            return Some(Verdict::Inconclusive(GateFault::NotStarted { reason }));
        }
    };
    let kept: [Kept; 2] = Default::default();
    let input = json!({
        "cluster": told.cluster,
        "service": told.service,
        "deployment": told.deployment,
        "share": told.share,
    });
    let stdin = child.stdin.take();
    std::thread::spawn(move || {
        // A command need not read it.
        let _ = stdin.map(|mut stdin| stdin.write_all(input.to_string().as_bytes()));
    });
    let (told_end, end) = channel();
    let out = child.stdout.take().map(|out| keep(out, Arc::clone(&kept[0])));
    let err = child.stderr.take().map(|err| keep(err, Arc::clone(&kept[1])));
    let pid = child.id();
    std::thread::spawn(move || {
        let ended = child.wait();
        // What it printed is read to its end, unless something that it left behind keeps that open.
        for reader in out.into_iter().chain(err) {
            let _ = reader.recv_timeout(TICK * 10);
        }
        let _ = told_end.send(ended);
    });
    let mut left = timeout;
    loop {
        match end.recv_timeout(TICK) {
            Ok(Ok(status)) if status.success() => return Some(Verdict::Pass),
            Ok(Ok(status)) => {
                let (code, lines) = (status.code(), lines(&kept));
                return Some(Verdict::Fail(GateFault::Exit { code, lines }));
            }
            Ok(Err(error)) => {
                let reason = error.to_string();
                return Some(Verdict::Inconclusive(GateFault::NotStarted { reason }));
            }
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                kill(pid);
                return None;
            }
            Err(RecvTimeoutError::Timeout) if left < TICK => {
                kill(pid);
                // Until it is gone, and what it printed is read.
                let _ = end.recv_timeout(TICK * 20);
                let lines = lines(&kept);
                return Some(Verdict::Fail(GateFault::Late { limit: timeout, lines }));
            }
            Err(RecvTimeoutError::Timeout) => left -= TICK,
        }
    }
}

/// Keeps the end of what is read. Says when there is nothing more.
fn keep(mut from: impl Read + Send + 'static, kept: Kept) -> std::sync::mpsc::Receiver<()> {
    let (tell, told) = channel();
    std::thread::spawn(move || {
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = from.read(&mut chunk) {
            let Ok(mut kept) = kept.lock() else { return };
            kept.extend_from_slice(&chunk[..read]);
            let more = kept.len().saturating_sub(KEPT);
            kept.drain(..more);
        }
        let _ = tell.send(());
    });
    told
}

/// The last lines of both streams: of what went wrong first.
fn lines([out, err]: &[Kept; 2]) -> Vec<String> {
    let mut last = tail(out, LINES - tail(err, LINES).len());
    last.extend(tail(err, LINES));
    last
}

fn tail(kept: &Kept, most: usize) -> Vec<String> {
    let Ok(kept) = kept.lock() else { return vec![] };
    let text = String::from_utf8_lossy(&kept);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(most)..].iter().map(|line| (*line).to_owned()).collect()
}

/// Ends a process and all that it started.
#[cfg(unix)]
fn kill(pid: u32) {
    use rustix::process::{Pid, Signal, kill_process_group};
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // One that has ended meanwhile needs no signal.
    let _ = pid.map(|pid| kill_process_group(pid, Signal::KILL));
}

#[cfg(not(unix))]
fn kill(_pid: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(script: &str, timeout: Duration) -> Option<Verdict> {
        let words = ["sh", "-c", script].map(|word| Hidden(word.to_owned()));
        let told = Surroundings {
            cluster: "shop".to_owned(),
            service: "web".to_owned(),
            deployment: "web:43".to_owned(),
            share: 10,
        };
        run(&words, timeout, &told, &AtomicBool::new(false))
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_command_is_told_what_it_judges() {
        assert_eq!(
            ran("test $ECS_BG_DEPLOYMENT-$ECS_BG_SHARE = web:43-10", LONG),
            Some(Verdict::Pass)
        );
        assert_eq!(ran("grep -q '\"service\":\"web\"'", LONG), Some(Verdict::Pass));
    }

    #[test]
    fn the_last_lines_of_a_failing_one_are_kept_however_much_it_prints() {
        let Some(Verdict::Fail(GateFault::Exit { code, lines })) =
            ran("yes flood | head -c 3000000; echo the last line >&2; exit 3", LONG)
        else {
            panic!("it fails");
        };
        assert_eq!(code, Some(3));
        assert_eq!(lines.len(), LINES);
        assert!(lines.contains(&"the last line".to_owned()), "{lines:?}");
    }

    #[test]
    fn one_that_hangs_is_killed_with_its_children() {
        let began = std::env::temp_dir().join(format!("ecs-bg-hangs-{}", std::process::id()));
        let script = format!("(while :; do :; done) & echo $! > {}; wait", began.display());
        let verdict = ran(&script, Duration::from_millis(500));
        assert!(matches!(verdict, Some(Verdict::Fail(GateFault::Late { .. }))), "{verdict:?}");
        let child = std::fs::read_to_string(&began).expect("it began");
        let _ = std::fs::remove_file(&began);
        let stat = format!("/proc/{}/stat", child.trim());
        // Gone, or a zombie that nobody has waited for yet.
        let is_dead = || {
            let stat = std::fs::read_to_string(&stat);
            stat.map_or(true, |stat| stat.contains(") Z") || stat.contains(") X"))
        };
        // A busy kernel takes its time with a signal.
        let looks = (0..1_000_000).map(|_| is_dead());
        assert!(looks.inspect(|_| std::thread::yield_now()).any(|dead| dead), "the child lives");
    }

    #[test]
    fn one_that_is_not_there_says_nothing_of_the_new_version() {
        let words = [Hidden("/no/such/program".to_owned())];
        let told = Surroundings {
            cluster: String::new(),
            service: String::new(),
            deployment: String::new(),
            share: 100,
        };
        let verdict = run(&words, LONG, &told, &AtomicBool::new(false));
        assert!(matches!(verdict, Some(Verdict::Inconclusive(GateFault::NotStarted { .. }))));
    }
}
