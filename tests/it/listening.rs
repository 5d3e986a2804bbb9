//! `ecs-bg sandbox` as a process: what it prints is what a client needs, and it ends when it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

pub(crate) struct Sandbox {
    process: Child,
    lines: Vec<String>,
}

impl Sandbox {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_ecs-bg"))
            .args(["sandbox", "--port", "0"])
            .args(arguments)
            // A sandbox in the process is another thing, and must not make its time virtual.
            .env("ECS_BG_SANDBOX", "shop")
            .stdout(Stdio::piped())
            .spawn()
            .expect("started");
        let out = BufReader::new(process.stdout.take().expect("its output"));
        let lines = out.lines().take(6).map(|line| line.expect("a line")).collect();
        Self { process, lines }
    }

    pub(crate) fn variable(&self, name: &str) -> &str {
        let start = format!("export {name}=");
        self.lines.iter().find_map(|line| line.strip_prefix(&start)).expect(name)
    }

    fn get(&self, path: &str) -> String {
        self.send("GET", path, "")
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> String {
        self.send("POST", path, body)
    }

    fn send(&self, method: &str, path: &str, body: &str) -> String {
        let address = self.variable("AWS_ENDPOINT_URL").trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ = self.process.kill();
    }
}

#[test]
fn it_prints_what_a_shell_needs() {
    let sandbox = Sandbox::start(&[]);
    assert_eq!(sandbox.variable("AWS_REGION"), "eu-central-1");
    assert!(!sandbox.variable("AWS_ACCESS_KEY_ID").is_empty());
    assert!(!sandbox.variable("AWS_SECRET_ACCESS_KEY").is_empty());
    let groups = sandbox.get("/?Action=DescribeTargetGroups&Version=2015-12-01");
    assert!(groups.contains("web-a"), "the scenario of the environment: {groups}");
}

#[cfg(unix)]
#[test]
fn it_ends_when_it_is_told_to() {
    for signal in ["-INT", "-TERM"] {
        let mut sandbox = Sandbox::start(&["--scenario", "empty"]);
        assert!(sandbox.get("/_sandbox/clock").contains("2026-01-15T12:0"));
        let id = sandbox.process.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().expect("kill").success());
        assert_eq!(sandbox.process.wait().expect("its end").code(), Some(0), "{signal}");
    }
}
