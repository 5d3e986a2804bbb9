//! The real binary at an endpoint over HTTP: which one it takes, and what it says when there is none.

use std::process::{Command, Output};

use crate::listening::Sandbox;

pub(crate) fn status(environment: &[(&str, &str)], more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-bg"));
    command.args(["status", "--cluster", "shop", "--service", "web"]).args(more);
    command
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_CONFIG_FILE", "/nonexistent");
    command.env("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent").envs(environment.iter().copied());
    command.output().expect("it runs")
}

pub(crate) fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat())
        .into_owned()
}

pub(crate) const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");
pub(crate) const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", "x"), ("AWS_SECRET_ACCESS_KEY", "y")];

#[test]
fn it_goes_where_the_environment_says() {
    let sandbox = Sandbox::start(&[]);
    let endpoint = sandbox.variable("AWS_ENDPOINT_URL").to_owned();
    let one = status(&[KEYS[0], KEYS[1], REGION, ("AWS_ENDPOINT_URL", &endpoint)], &[]);
    assert!(one.status.success() && text(&one).contains("100 % web"), "{}", text(&one));
    // By service, the others at nobody: a variable of the service outranks the general one.
    let by_service = [
        KEYS[0],
        KEYS[1],
        REGION,
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_ECS", &endpoint),
        ("AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2", &endpoint),
        ("AWS_ENDPOINT_URL_APPLICATION_AUTO_SCALING", &endpoint),
    ];
    let other = status(&by_service, &["--region", "eu-central-1"]);
    assert_eq!(text(&one), text(&other));
    // A role is assumed first, with STS at the same endpoint.
    let role = ["--role-arn", "arn:aws:iam::123456789012:role/deploy"];
    let assumed = status(&[KEYS[0], KEYS[1], REGION, ("AWS_ENDPOINT_URL", &endpoint)], &role);
    assert_eq!(text(&one), text(&assumed));
    // Another region is another world.
    let elsewhere =
        status(&[KEYS[0], KEYS[1], ("AWS_ENDPOINT_URL", &endpoint)], &["--region", "us-west-2"]);
    assert_eq!(elsewhere.status.code(), Some(3));
    assert!(text(&elsewhere).contains("ClusterNotFoundException"), "{}", text(&elsewhere));
}

#[test]
fn nobody_at_the_endpoint_is_said_in_one_line_with_a_hint() {
    // Port 9 of this machine: nobody listens, and the answer comes at once.
    let nobody = [KEYS[0], KEYS[1], REGION, ("AWS_ENDPOINT_URL", "http://127.0.0.1:9")];
    let output = status(&nobody, &[]);
    assert_eq!(output.status.code(), Some(3));
    let text = text(&output);
    assert!(
        text.starts_with("error: DescribeServices web in cluster shop failed: Unreachable:"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn certificates_that_are_none_are_named() {
    let path = std::env::temp_dir().join(format!("ecs-bg-no-certificate-{}", std::process::id()));
    std::fs::write(&path, "no certificate").expect("written");
    let bundle = path.to_str().expect("UTF-8");
    let output = status(&[KEYS[0], KEYS[1], REGION, ("AWS_CA_BUNDLE", bundle)], &[]);
    std::fs::remove_file(&path).expect("removed");
    assert_eq!(output.status.code(), Some(3));
    assert!(
        text(&output).contains(&format!("AWS_CA_BUNDLE: {bundle}: no certificate is in it")),
        "{}",
        text(&output)
    );
}

/// A file of variables as people write it, read by who takes each line as it stands.
#[test]
fn quotes_and_line_ends_of_a_file_of_variables_are_the_cause_that_is_named() {
    let nobody = ("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    let quoted = [REGION, KEYS[0], ("AWS_SECRET_ACCESS_KEY", "'s3cret'"), nobody];
    let ended = [("AWS_REGION", "eu-central-1\r"), KEYS[0], KEYS[1], nobody];
    for (variables, cause) in [
        (quoted, "error: AWS_SECRET_ACCESS_KEY has quotes around its value\n"),
        (ended, "error: AWS_REGION ends in a carriage return\n"),
    ] {
        let output = status(&variables, &[]);
        assert_eq!(output.status.code(), Some(3));
        let text = text(&output);
        assert!(text.starts_with(cause) && text.contains("\nhint: "), "{text}");
        assert!(!text.contains("s3cret") && text.lines().count() == 2, "{text}");
    }
}

#[test]
fn an_empty_variable_is_none() {
    let sandbox = Sandbox::start(&[]);
    let endpoint = ("AWS_ENDPOINT_URL", sandbox.variable("AWS_ENDPOINT_URL"));
    let region = [("AWS_REGION", ""), ("AWS_DEFAULT_REGION", "eu-central-1")];
    let empty = [("AWS_SESSION_TOKEN", ""), ("AWS_PROFILE", "")];
    let output = status(&[&KEYS[..], &region, &empty, &[endpoint]].concat(), &[]);
    assert!(output.status.success(), "{}", text(&output));
    // The SDK has no way to do without this one.
    let nowhere = ("AWS_ENDPOINT_URL_ECS", "");
    let output = status(&[&KEYS[..], &region, &[nowhere]].concat(), &[]);
    assert_eq!(output.status.code(), Some(3));
    let error = "error: AWS_ENDPOINT_URL_ECS is empty\n";
    assert!(text(&output).starts_with(error), "{}", text(&output));
}

#[test]
fn a_store_without_certificates_is_named() {
    let nowhere = [KEYS[0], KEYS[1], REGION, ("SSL_CERT_FILE", "/nonexistent")];
    let output = status(&nowhere, &[]);
    assert_eq!(output.status.code(), Some(3));
    let text = text(&output);
    assert!(text.starts_with("error: SSL_CERT_FILE names no certificate\nhint: "), "{text}");
}
