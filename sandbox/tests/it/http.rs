//! The server over sockets, in real time: it waits for answers, never for seconds.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use ecs_bg_sandbox::{Cloud, scenario::Scenario, server::Server};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const JSON: &str = "content-type: application/json\r\n";

struct Running {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

impl Running {
    fn start(scenario: &str) -> Running {
        let scenario = Scenario::builtin(scenario).expect("a scenario");
        let cloud = Cloud::from_scenario(&scenario).expect("a world");
        let (tell, told) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let any = SocketAddr::from(([127, 0, 0, 1], 0));
                let server = Server::bind(any, cloud, 1.0).await.expect("a port");
                tell.send(server.address().expect("an address")).expect("told");
                server.serve(async { drop(stopped.await) }).await;
            });
        });
        let address = told.recv().expect("an address");
        Running { address, stop: Some(stop), thread: Some(thread) }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
        stream
    }

    fn raw(&self, request: &[u8]) -> std::io::Result<Answer> {
        let mut stream = self.connect();
        stream.write_all(request)?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        if length
            .and_then(|text| text.parse().ok())
            .is_some_and(|length: usize| body.len() < length)
        {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(Answer { status: status.unwrap_or(0), head: head.to_owned(), body: body.to_owned() })
    }

    fn send(&self, method: &str, path: &str, headers: &str, body: &str) -> std::io::Result<Answer> {
        let length = body.len();
        let host = self.address;
        self.raw(format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}").as_bytes())
    }

    fn ecs_in(&self, region: &str, operation: &str, body: &Value) -> std::io::Result<Answer> {
        let headers = format!(
            "x-amz-target: AmazonEC2ContainerServiceV20141113.{operation}\r\ncontent-type: application/x-amz-json-1.1\r\nauthorization: AWS4-HMAC-SHA256 Credential=A/20260115/{region}/ecs/aws4_request, Signature=0\r\n"
        );
        self.send("POST", "/", &headers, &body.to_string())
    }

    fn ecs(&self, operation: &str, body: Value) -> std::io::Result<Answer> {
        self.ecs_in("eu-central-1", operation, &body)
    }

    fn control(&self, method: &str, path: &str, body: Value) -> Answer {
        self.send(method, &format!("/_sandbox/{path}"), JSON, &body.to_string()).expect("an answer")
    }

    fn desired(&self) -> Value {
        let body = json!({"cluster": "shop", "services": ["web"]});
        self.ecs("DescribeServices", body).expect("described").json()["services"][0]["desiredCount"]
            .clone()
    }

    fn update(&self, desired: u32) -> std::io::Result<Answer> {
        self.ecs(
            "UpdateService",
            json!({"cluster": "shop", "service": "web", "desiredCount": desired}),
        )
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            assert!(ended.is_ok() || std::thread::panicking(), "the server ends in order");
        }
    }
}

#[test]
fn it_answers_and_regions_are_apart() {
    let server = Running::start("empty");
    let made = server.ecs("CreateCluster", json!({"clusterName": "a"})).expect("made");
    assert_eq!((made.status, made.json()["cluster"]["status"].as_str()), (200, Some("ACTIVE")));
    assert!(made.head.contains("x-amzn-requestid: "), "{}", made.head);
    assert!(made.head.contains("date: Thu, 15 Jan 2026 12:0"), "{}", made.head);
    let here = server.ecs("ListClusters", json!({})).expect("listed").json();
    assert_eq!(here["clusterArns"].as_array().map(Vec::len), Some(1));
    let there = server.ecs_in("us-west-2", "ListClusters", &json!({})).expect("listed").json();
    assert_eq!(there["clusterArns"], json!([]));
    let headers = "x-amz-target: AmazonEC2ContainerServiceV20141113.ListClusters\r\ncontent-type: application/x-amz-json-1.0\r\n";
    let old = server.send("POST", "/", headers, "{}").expect("listed");
    assert!(old.head.contains("content-type: application/x-amz-json-1.0"), "{}", old.head);
    let who =
        server.send("GET", "/?Action=GetCallerIdentity&Version=2011-06-15", "", "").expect("who");
    assert!(who.body.contains("<Account>123456789012</Account>"), "{who:?}");
}

#[test]
fn each_fault_over_sockets() {
    let server = Running::start("shop");
    let set = |does: &str| {
        let answer = server.control(
            "POST",
            "faults",
            json!([{"operation": "UpdateService", "nth": 1, "does": does}]),
        );
        assert_eq!(answer.status, 200, "{answer:?}");
    };
    for (does, status, code) in [
        ("throttle", 400, "ThrottlingException"),
        ("500", 500, "ServerException"),
        ("503", 503, "ServiceUnavailableException"),
        ("expired", 400, "ExpiredTokenException"),
        ("denied", 400, "AccessDeniedException"),
    ] {
        set(does);
        let refused = server.update(9).expect(does);
        assert_eq!(
            (refused.status, refused.json()["__type"].as_str()),
            (status, Some(code)),
            "{does}"
        );
        assert_eq!(server.desired(), 2, "{does}");
    }
    for (does, kind, desired) in [
        ("reset-before", ErrorKind::ConnectionReset, 2),
        ("reset-after", ErrorKind::ConnectionReset, 3),
        ("truncate", ErrorKind::UnexpectedEof, 4),
    ] {
        set(does);
        let wanted = if desired == 2 { 9 } else { desired };
        let error = server.update(wanted).expect_err(does);
        assert_eq!(error.kind(), kind, "{does}");
        assert_eq!(server.desired(), desired, "{does}");
        let faults = server.control("GET", "faults", Value::Null).json();
        assert_eq!((&faults[0]["seen"], &faults[0]["hit"]), (&json!(1), &json!(1)), "{does}");
    }
    let journal = server.control("GET", "journal", Value::Null).json();
    let faults = journal.as_array().expect("entries").iter();
    let done: Vec<&Value> = faults.filter(|one| one["change"]["change"] == "fault").collect();
    assert_eq!(done.len(), 8);
    assert_eq!(done[0]["change"]["does"], "throttle");
}

#[test]
fn silence_and_slowness() {
    let server = Running::start("shop");
    let silent = json!([
        {"operation": "UpdateService", "nth": 1, "does": "lose-answer"},
        {"operation": "UpdateService", "nth": 2, "does": "slow", "for": "200ms"},
    ]);
    server.control("POST", "faults", silent);
    let mut stream = server.connect();
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("a limit");
    let body = json!({"cluster": "shop", "service": "web", "desiredCount": 3}).to_string();
    let request = format!(
        "POST / HTTP/1.1\r\nhost: localhost\r\nx-amz-target: AmazonEC2ContainerServiceV20141113.UpdateService\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("sent");
    let silence = stream.read(&mut [0]).expect_err("nothing is heard");
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    assert_eq!(server.desired(), 3, "it took effect");
    assert_eq!(server.update(4).expect("late").status, 200);
}

#[test]
fn a_stale_read_over_sockets() {
    let server = Running::start("shop");
    server.control(
        "POST",
        "faults",
        json!([{"operation": "DescribeServices", "does": "stale", "age": "1h"}]),
    );
    server.update(5).expect("updated");
    assert_eq!(server.desired(), 2);
    server.control("POST", "clock", json!({"advance": "2h"}));
    assert_eq!(server.desired(), 5);
}

#[test]
fn the_clock_is_turned_and_images_change() {
    let server = Running::start("shop");
    let before = server.control("GET", "clock", Value::Null).json();
    assert!(
        before["now"].as_str().is_some_and(|now| now.starts_with("2026-01-15T12:0")),
        "{before}"
    );
    server.control("PUT", "images", json!({"ref": "shop/web:1", "does": "sick", "status": 418}));
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:1";
    let family = json!({"family": "web", "networkMode": "awsvpc", "executionRoleArn": "arn:aws:iam::123456789012:role/shop-execution", "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "512", "containerDefinitions": [{"name": "web", "image": image, "portMappings": [{"containerPort": 8080}]}]});
    server.ecs("RegisterTaskDefinition", family).expect("registered");
    server
        .ecs("UpdateService", json!({"cluster": "shop", "service": "web", "taskDefinition": "web"}))
        .expect("updated");
    let after = server.control("POST", "clock", json!({"advance": "5m", "scale": 50})).json();
    assert_eq!(after["scale"], 50.0);
    assert!(
        after["now"].as_str().is_some_and(|now| now.starts_with("2026-01-15T12:05")),
        "{after}"
    );
    let world = server.control("GET", "world", Value::Null).body;
    assert!(
        world.contains("Health checks failed with these codes: [418]"),
        "the new tasks answer 418"
    );
}

#[test]
fn the_control_plane_names_the_member() {
    let server = Running::start("shop");
    for (method, path, body, status, what) in [
        ("GET", "moon", json!(null), 404, "/_sandbox/moon is not here"),
        ("DELETE", "faults", json!(null), 405, "DELETE does not go with faults"),
        (
            "PUT",
            "images",
            json!([{"ref": "a:1", "does": "serve"}, {"ref": "a:2"}]),
            400,
            "images[1]: missing field `does`",
        ),
        (
            "PUT",
            "images",
            json!([{"ref": "a:1", "does": "fly"}]),
            400,
            "images[0]: unknown variant `fly`",
        ),
        (
            "PUT",
            "alarms",
            json!({"name": "cpu", "state": "LOUD"}),
            400,
            "alarms[0]: unknown variant `LOUD`",
        ),
        ("PUT", "alarms", json!([{"name": "cpu", "state": "ALARM"}]), 200, ""),
        ("PUT", "images", json!("x"), 400, "images: must be a list"),
        ("POST", "clock", json!({"advance": "soon"}), 400, "duration \"soon\""),
        ("POST", "clock", json!({"scale": 0}), 400, "`scale`"),
        ("POST", "clock", json!({"advance": "9000 years"}), 400, "`advance`"),
        ("POST", "clock", json!({"back": "1m"}), 400, "unknown field `back`"),
        (
            "POST",
            "faults",
            json!([{"operation": "*", "does": "slow"}]),
            400,
            "faults[0]: `for` is missing",
        ),
        ("POST", "faults", json!([{"does": "500"}]), 400, "faults[0]: missing field `operation`"),
    ] {
        let answer = server.control(method, path, body);
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let error = answer.json()["error"].as_str().unwrap_or_default().to_owned();
        assert!(error.contains(what), "{method} {path}: {error}");
    }
    let broken = server.send("POST", "/_sandbox/faults", JSON, "[{").expect("an answer");
    assert!(broken.body.contains("faults: EOF while parsing"), "{broken:?}");
}

#[test]
fn what_is_no_http_does_it_no_harm() {
    let server = Running::start("empty");
    for garbage in [
        &b"\x16\x03\x01\x02\x00\x01\x00"[..],
        b"GET\r\n\r\n",
        b"POST / HTTP/9\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
    ] {
        if let Ok(answer) = server.raw(garbage) {
            assert_eq!(answer.status, 400, "{answer:?}");
        }
    }
    let large = server.send(
        "POST",
        "/",
        "content-type: application/x-www-form-urlencoded\r\n",
        &"a".repeat((8 << 20) + 1),
    );
    // The answer comes before the whole body went out: a client may see the connection close first.
    if let Ok(answer) = large {
        assert_eq!(answer.status, 413, "{}", answer.head);
        assert!(answer.body.contains("RequestEntityTooLarge"), "{}", answer.body);
    }
    assert_eq!(server.ecs("ListClusters", json!({})).expect("still there").status, 200);
}

/// A page that somebody on this machine looks at, and names that lead here.
#[test]
fn pages_of_others_are_refused() {
    let server = Running::start("shop");
    let port = server.address.port();
    let get = |host: &str, headers: &str| {
        let request = format!(
            "GET /_sandbox/clock HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n{headers}\r\n"
        );
        server.raw(request.as_bytes()).expect("an answer").status
    };
    let here = format!("127.0.0.1:{port}");
    for host in [&here, "localhost", &format!("localhost:{port}"), "[::1]:1", "a.localhost"] {
        assert_eq!(get(host, ""), 200, "{host}");
    }
    for host in ["example.com", "example.com:4566", "localhost.example.com", "192.0.2.1"] {
        assert_eq!(get(host, ""), 403, "{host}");
    }
    for headers in [
        "origin: http://example.com\r\n",
        "origin: null\r\n",
        "origin: http://localhost:3000\r\n",
        "sec-fetch-site: cross-site\r\n",
        "sec-fetch-site: same-site\r\n",
    ] {
        assert_eq!(get(&here, headers), 403, "{headers}");
    }
    for headers in [
        format!("origin: http://{here}\r\nsec-fetch-site: same-origin\r\n"),
        "sec-fetch-site: none\r\n".into(),
    ] {
        assert_eq!(get(&here, &headers), 200, "{headers}");
    }
    // The API is no more theirs than the control plane.
    let update = "POST /?Action=DescribeTargetGroups&Version=2015-12-01 HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(server.raw(update.as_bytes()).expect("an answer").status, 403);
}

#[test]
fn the_control_plane_takes_json_that_says_so() {
    let server = Running::start("shop");
    for kind in
        ["", "content-type: text/plain\r\n", "content-type: application/x-www-form-urlencoded\r\n"]
    {
        let answer =
            server.send("POST", "/_sandbox/clock", kind, r#"{"advance":"1h"}"#).expect(kind);
        assert_eq!(answer.status, 415, "{kind}: {answer:?}");
    }
    let kind = "content-type: application/json; charset=utf-8\r\n";
    let answer = server.send("POST", "/_sandbox/clock", kind, r#"{"advance":"1h"}"#).expect(kind);
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn so_many_connections_and_no_more() {
    let server = Running::start("empty");
    let idle: Vec<TcpStream> = (0..256).map(|_| server.connect()).collect();
    let mut one_more = server.connect();
    one_more.set_read_timeout(Some(Duration::from_millis(500))).expect("a limit");
    let request = "GET /_sandbox/clock HTTP/1.1\r\nhost: localhost\r\n\r\n";
    one_more.write_all(request.as_bytes()).expect("sent");
    let silence = one_more.read(&mut [0]).expect_err("it has to wait");
    assert!(matches!(silence.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{silence}");
    drop(idle);
    one_more.set_read_timeout(Some(Duration::from_secs(20))).expect("a limit");
    assert_eq!(one_more.read(&mut [0; 8]).expect("its turn"), 8);
}

#[test]
#[expect(clippy::disallowed_methods, reason = "how long the server is waited for, which is real")]
fn so_many_bytes_of_requests_and_no_more() {
    let server = Running::start("empty");
    let size = 8 << 20;
    let head = format!("POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: {size}\r\n\r\n");
    // Each lacks its last byte: all that is held is 8 bytes short of the limit.
    let hold = || {
        let mut stream = server.connect();
        // While others take the room it may be refused.
        let _ = stream.write_all(head.as_bytes());
        let _ = stream.write_all(&vec![b'a'; size - 1]);
        stream.set_nonblocking(true).expect("a way to look");
        stream
    };
    let is_answered = |stream: &TcpStream| stream.peek(&mut [0]).is_ok();
    let busy = |size: usize| {
        let answer = server.send("POST", "/", "", &"a".repeat(size));
        // The answer comes before the whole body went out.
        answer.map_or(503, |answer| answer.status)
    };
    // The server reads when it gets to it.
    let begin = Instant::now();
    let waits = || begin.elapsed() < Duration::from_secs(60);
    let mut held: Vec<TcpStream> = (0..8).map(|_| hold()).collect();
    while busy(1 << 20) != 503 {
        assert!(waits(), "64 MiB are held and more is taken");
        held.iter_mut().filter(|one| is_answered(one)).for_each(|one| *one = hold());
    }
    drop(held);
    while busy(1 << 20) == 503 {
        assert!(waits(), "what was held is free again");
    }
}

#[test]
fn the_journal_keeps_the_newest_changes_and_counts_the_others() {
    let server = Running::start("shop");
    let body = json!({"family": "web", "containerDefinitions": [{"name": "web", "image": "a:1", "memory": 8}]});
    server.ecs("RegisterTaskDefinition", body).expect("registered");
    let whole = server.control("GET", "journal", Value::Null);
    assert!(whole.head.contains("x-forgotten: 0"), "{}", whole.head);
    // Tasks that exit and are replaced, for as long as it takes.
    server.control("PUT", "images", json!({"ref": "shop/web:1", "does": "exit", "code": 1}));
    server.ecs("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 50, "forceNewDeployment": true})).expect("updated");
    for _ in 0..40 {
        server.control("POST", "clock", json!({"advance": "12h"}));
        let journal = server.control("GET", "journal", Value::Null);
        if !journal.head.contains("x-forgotten: 0\r") {
            assert_eq!(journal.json().as_array().map(Vec::len), Some(20_000));
            return;
        }
    }
    panic!("the journal grows for ever");
}

#[test]
fn hooks_and_what_aws_does_not_say_are_set_from_outside() {
    let server = Running::start("native");
    let set = server.control("PUT", "lambdas", json!({"name": "smoke", "does": "fail"}));
    assert_eq!(set.json()[0]["after"], "2s");
    assert_eq!(server.control("GET", "lambdas", Value::Null).json(), set.json());
    let wrong = server.control("PUT", "lambdas", json!({"name": "smoke", "does": "dance"}));
    assert_eq!(wrong.status, 400, "{wrong:?}");
    let native = server.control("GET", "native", Value::Null).json();
    assert_eq!(
        (&native["hooks"], &native["infrastructure_role"]),
        (&json!("live"), &json!("full"))
    );
    let set = server.control("PUT", "native", json!({"hooks": "copied"})).json();
    assert_eq!((&set["hooks"], &set["pause_details"]), (&json!("copied"), &json!("refuse")));
    let wrong = server.control("PUT", "native", json!({"hoks": "copied"}));
    assert!(wrong.status == 400 && wrong.body.contains("hoks"), "{wrong:?}");
}
