//! The real binary and those who give credentials: where they come from, and what is said when they do
//! not come. Nobody here is waited for longer than the binary waits.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::thread;
use std::time::Duration;

use crate::endpoints::{KEYS, REGION, status, text};
use crate::listening::Sandbox;

/// Somebody who answers GET and PUT with a text for each path.
fn answering(texts: fn(&str) -> Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(&stream, texts));
        }
    });
    format!("http://{address}")
}

fn answer(mut stream: &TcpStream, texts: fn(&str) -> Option<&'static str>) -> Option<()> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    loop {
        let first = lines.next()?;
        while !lines.next()?.is_empty() {}
        let (status, text) = match texts(first.split(' ').nth(1)?) {
            Some(text) => ("200 OK", text),
            None => ("404 Not Found", ""),
        };
        // Each is sent the header that goes with a token of the instance metadata service.
        let ttl = "x-aws-ec2-metadata-token-ttl-seconds: 600";
        let length = text.len();
        write!(stream, "HTTP/1.1 {status}\r\n{ttl}\r\ncontent-length: {length}\r\n\r\n{text}")
            .ok()?;
    }
}

/// Somebody who takes connections and never says a word.
fn silent() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || listener.incoming().collect::<Vec<_>>());
    format!("http://{address}")
}

/// Somebody who does not even take connections: the queue is full.
#[cfg(target_os = "linux")]
fn unreachable() -> (String, Vec<TcpStream>, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address: SocketAddr = listener.local_addr().expect("an address");
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let queue = std::iter::from_fn(connect).collect();
    (format!("http://{address}"), queue, listener)
}

const GIVEN: &str = r#"{"Code":"Success","Type":"AWS-HMAC","AccessKeyId":"ASIAX","SecretAccessKey":"y","Token":"z",
    "LastUpdated":"2026-01-15T12:00:00Z","Expiration":"2126-01-15T12:00:00Z"}"#;

fn instance(path: &str) -> Option<&'static str> {
    match path {
        "/latest/api/token" => Some("token"),
        "/latest/meta-data/placement/region" => Some("eu-central-1"),
        "/latest/meta-data/iam/security-credentials/" => Some("web"),
        "/latest/meta-data/iam/security-credentials/web" => Some(GIVEN),
        _ => None,
    }
}

fn file(name: &str, text: &str) -> String {
    let path = std::env::temp_dir().join(format!("ecs-bg-{name}-{}", std::process::id()));
    std::fs::write(&path, text).expect("written");
    path.to_str().expect("UTF-8").to_owned()
}

const ROLE: &str = "arn:aws:iam::123456789012:role/deploy";

#[test]
fn they_come_from_a_web_identity_a_container_or_the_instance() {
    let sandbox = Sandbox::start(&[]);
    let endpoint = ("AWS_ENDPOINT_URL", sandbox.variable("AWS_ENDPOINT_URL"));
    let container = format!("{}/credentials", answering(|_| Some(GIVEN)));
    let metadata = answering(instance);
    let token = file("token", "header.claims.signature");
    let web = ("AWS_WEB_IDENTITY_TOKEN_FILE", &*token);
    let sources = [
        vec![REGION, web, ("AWS_ROLE_ARN", ROLE)],
        vec![REGION, ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &container)],
        // The region too.
        vec![
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &metadata),
        ],
    ];
    for source in sources {
        let output = status(&[&source[..], &[endpoint]].concat(), &[]);
        assert!(
            output.status.success() && text(&output).contains("100 % web"),
            "{source:?} {}",
            text(&output)
        );
    }
    std::fs::remove_file(token).expect("removed");
}

/// The error in one line, and a hint in another.
fn refused(output: &Output, error: &str, hint: &str) {
    let text = text(output);
    assert_eq!(output.status.code(), Some(3), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        matches!(lines[..], [first, second] if first.contains(error) && second.contains(hint)),
        "{error}: {text}"
    );
}

#[test]
fn who_is_silent_is_not_waited_for() {
    let silent = silent();
    let token = file("silent", "header.claims.signature");
    let metadata =
        [("AWS_EC2_METADATA_DISABLED", "false"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &*silent)];
    let sts = ("AWS_ENDPOINT_URL_STS", &*silent);
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", &*token), ("AWS_ROLE_ARN", ROLE), sts];
    let container = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*silent);
    let role: &[&str] = &["--role-arn", ROLE];
    let missing =
        "none in the environment, a profile, a web identity, the container or the instance";
    thread::scope(|scope| {
        for (environment, arguments, error, hint) in [
            (metadata.to_vec(), &[][..], "no region is set", "AWS_REGION="),
            ([&metadata[..], &[REGION]].concat(), &[], missing, "--profile"),
            (vec![REGION, container], &[], "the container's agent does not answer", "--profile"),
            ([&web[..], &[REGION]].concat(), &[], "operation timeout", "--profile"),
            (vec![REGION, KEYS[0], KEYS[1], sts], role, "operation timeout", "--profile"),
        ] {
            scope.spawn(move || refused(&status(&environment, arguments), error, hint));
        }
    });
    std::fs::remove_file(token).expect("removed");
}

#[cfg(target_os = "linux")]
#[test]
fn an_endpoint_that_takes_no_connection_is_not_asked_again() {
    let (endpoint, _queue, _listener) = unreachable();
    let environment = [KEYS[0], KEYS[1], REGION, ("AWS_ENDPOINT_URL", &endpoint)];
    refused(&status(&environment, &[]), "Unreachable: ", "check the region, AWS_ENDPOINT_URL");
}

#[test]
fn what_is_wrong_with_them_is_said_with_a_hint() {
    let sandbox = Sandbox::start(&[]);
    let endpoint = ("AWS_ENDPOINT_URL", sandbox.variable("AWS_ENDPOINT_URL"));
    let own = [KEYS[0], KEYS[1], REGION, endpoint];
    let role: &[&str] = &["--role-arn", ROLE];
    let renew = "renew the credentials, for example: aws sso login";
    for (operation, does, arguments, error, hint) in [
        (
            "DescribeServices",
            "expired",
            &[][..],
            "failed: ExpiredTokenException: The security token",
            renew,
        ),
        (
            "AssumeRole",
            "expired",
            role,
            "no AWS credentials: ExpiredToken: The security token",
            renew,
        ),
        (
            "AssumeRole",
            "denied",
            role,
            "AssumeRole failed: AccessDenied: User: ",
            "allow sts:AssumeRole to",
        ),
        (
            "DescribeServices",
            "denied",
            &[],
            "failed: AccessDeniedException: User: ",
            "allow ecs:DescribeServices to",
        ),
    ] {
        sandbox.post(
            "/_sandbox/faults",
            &format!(r#"[{{"operation":"{operation}","does":"{does}"}}]"#),
        );
        refused(&status(&own, arguments), error, hint);
    }
    let session = "[profile me]\nsso_session = s\nsso_account_id = 123456789012\nsso_role_name = x\n\
                   [sso-session s]\nsso_start_url = https://sso.example.com/start\nsso_region = eu-central-1\n";
    let config = file("config", session);
    let environment = [REGION, endpoint, ("AWS_CONFIG_FILE", &config), ("HOME", "/nonexistent")];
    refused(&status(&environment, &["--profile", "me"]), "SSO token", renew);
    std::fs::remove_file(config).expect("removed");
    refused(&status(&[KEYS[0], KEYS[1], endpoint], &[]), "no region is set", "AWS_REGION=");
    let wrong = ("AWS_ENDPOINT_URL", "nonsense");
    refused(
        &status(&[KEYS[0], KEYS[1], REGION, wrong], &[]),
        "must contain scheme",
        "AWS_ENDPOINT_URL",
    );
}

#[test]
fn a_profile_that_was_asked_for_wins_over_keys_in_the_environment() {
    let sandbox = Sandbox::start(&[]);
    let endpoint = ("AWS_ENDPOINT_URL", sandbox.variable("AWS_ENDPOINT_URL"));
    let config = file(
        "profiles",
        "[profile keys]\naws_access_key_id = a\naws_secret_access_key = b\n\
         [profile broken]\ncredential_process = /nonexistent/program\n",
    );
    let environment = [KEYS[0], KEYS[1], REGION, endpoint, ("AWS_CONFIG_FILE", &config)];
    assert!(status(&environment, &["--profile", "keys"]).status.success());
    // The keys of the environment would do, and are not what was asked for.
    let broken = &["--profile", "broken"];
    refused(&status(&environment, broken), "no AWS credentials: ", "--profile NAME");
    let unknown = &["--profile", "nope"];
    let said = format!("--profile: there is no profile `nope` in {config} or /nonexistent");
    refused(&status(&environment, unknown), &said, "aws configure list-profiles");
    // A variable says less than an option: there the keys win, as with every AWS tool.
    let variable = [&environment[..], &[("AWS_PROFILE", "broken")]].concat();
    assert!(status(&variable, &[]).status.success());
    std::fs::remove_file(config).expect("removed");
}

#[test]
fn a_profile_that_a_variable_names_must_be_there() {
    let sandbox = Sandbox::start(&[]);
    let endpoint = ("AWS_ENDPOINT_URL", sandbox.variable("AWS_ENDPOINT_URL"));
    let config = file("variable", "[profile here]\nregion = eu-central-1\n");
    let keys = [KEYS[0], KEYS[1], REGION, endpoint, ("AWS_CONFIG_FILE", &config)];
    let with = |profile| status(&[&keys[..], &[("AWS_PROFILE", profile)]].concat(), &[]);
    let said = format!("AWS_PROFILE: there is no profile `nope` in {config} or /nonexistent");
    refused(&with("nope"), &said, "aws configure list-profiles");
    // Without keys it is not another reason.
    let none = [REGION, endpoint, ("AWS_CONFIG_FILE", &config), ("AWS_PROFILE", "nope")];
    refused(&status(&none, &[]), &said, "aws configure list-profiles");
    let usual = [KEYS[0], KEYS[1], REGION, endpoint, ("AWS_PROFILE", "nope")];
    refused(&status(&usual, &[]), "in /nonexistent or /nonexistent", "list-profiles");
    for known in ["here", "default", ""] {
        let said = with(known);
        assert!(said.status.success(), "{known}: {}", text(&said));
    }
    std::fs::remove_file(config).expect("removed");
}
