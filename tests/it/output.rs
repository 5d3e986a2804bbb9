//! A reader that stalls delays nothing: a real process, and a pipe that nobody reads.
#![cfg(unix)]

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::lives::{REPOSITORY, logging, stopwatch};

/// A container that logs far more than a pipe holds.
fn world(folder: &std::path::Path) -> String {
    let line = "x".repeat(200);
    let logs = vec![format!("'{line}'"); 1000].join(", ");
    let toml = format!(
        "{}
        [[image]]
        ref = 'shop/api:1'
        command = 'talk'
        does = 'exit'
        code = 0
        logs = [{logs}]",
        logging("eu-west-1")
    );
    let path = folder.join("world.toml");
    std::fs::write(&path, toml).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn a_deployment_goes_on_and_ends_while_nobody_reads_what_it_prints() {
    let folder = std::env::temp_dir().join(format!("ecs-bg-output-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let state = folder.join("state").to_str().expect("UTF-8").to_owned();
    let image = format!("{REPOSITORY}:2");
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-bg"))
        .args(["deploy", "--cluster", "shop", "--service", "web", "--image", &image])
        .args(["--sandbox", "shop", "--sandbox-state", &state])
        .env_clear()
        .stdout(full())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let time = stopwatch();
    // The world is kept when the deployment is over.
    while !std::path::Path::new(&state).exists() {
        assert!(time() < Duration::from_secs(60), "the deployment stands still");
        std::thread::yield_now();
    }
    assert_eq!(child.wait().expect("its end").code(), Some(0));
    assert!(time() < Duration::from_secs(60), "{:?}", time());
    std::fs::remove_dir_all(&folder).expect("removed");
}

/// The writing end of a pipe that is full and that nobody reads.
fn full() -> Stdio {
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let filler = writer.try_clone().expect("its end");
    std::thread::spawn(move || {
        let _ = std::io::Write::write_all(&mut writer, &vec![b'x'; 1 << 20]);
        drop(reader);
    });
    filler.into()
}

#[test]
fn what_is_read_late_is_whole() {
    let folder = std::env::temp_dir().join(format!("ecs-bg-late-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let scenario = world(&folder);
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecs-bg"))
        .args(["run", "--cluster", "shop", "--service", "api", "--command", "talk"])
        .args(["--sandbox", &scenario])
        .env_clear()
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started");
    let mut out = child.stdout.take().expect("its output");
    let mut text = String::new();
    // Not a byte of it is read before a pipe of 64 KiB is full.
    let (time, second) = (stopwatch(), Duration::from_secs(2));
    while time() < second {
        std::thread::yield_now();
    }
    out.read_to_string(&mut text).expect("text");
    let status = child.wait().expect("its end");
    let logged = text.lines().filter(|line| line.contains("xxxx")).count();
    assert!(text.len() > 3 * (64 << 10), "{} bytes", text.len());
    assert_eq!((status.code(), logged), (Some(0), 1000));
    std::fs::remove_dir_all(&folder).expect("removed");
}
