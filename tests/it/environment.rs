//! Variables of the environment that choose a sandbox, and the files that one writes.

use std::process::{Command, Output};

use crate::endpoints::text;

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecs-bg"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.env("AWS_EC2_METADATA_DISABLED", "true").output().expect("it runs")
}

const STATUS: [&str; 5] = ["status", "--cluster", "shop", "--service", "web"];
const NOTE: &str = "note: ECS_BG_SANDBOX is set: this runs on a sandbox, not on AWS\n";

#[test]
fn a_sandbox_that_a_variable_chose_is_said() {
    let chosen = run(&STATUS, &[("ECS_BG_SANDBOX", "shop")]);
    assert!(chosen.status.success(), "{}", text(&chosen));
    assert_eq!(String::from_utf8_lossy(&chosen.stderr), NOTE);
    for place in [0, STATUS.len()] {
        let mut arguments = STATUS.to_vec();
        arguments.splice(place..place, ["--sandbox", "shop"]);
        let typed = run(&arguments, &[("ECS_BG_SANDBOX", "shop"), ("CI", "true")]);
        assert!(typed.status.success(), "{}", text(&typed));
        assert_eq!(typed.stdout, chosen.stdout);
        assert_eq!(String::from_utf8_lossy(&typed.stderr), "");
    }
}

#[test]
fn a_sandbox_that_a_variable_chose_is_refused_where_aws_is_meant() {
    let variables = [
        "CI",
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ];
    for variable in variables {
        let refused = run(&STATUS, &[("ECS_BG_SANDBOX", "shop"), (variable, "x")]);
        let text = text(&refused);
        assert_eq!(refused.status.code(), Some(2), "{text}");
        assert!(text.contains(variable), "{text}");
        assert!(text.ends_with("hint: unset ECS_BG_SANDBOX, or pass --sandbox NAME\n"), "{text}");
    }
    let state = run(&STATUS, &[("ECS_BG_SANDBOX_STATE", "/nonexistent"), ("CI", "1")]);
    assert_eq!(state.status.code(), Some(2), "{}", text(&state));
    assert!(text(&state).contains("unset ECS_BG_SANDBOX_STATE"), "{}", text(&state));
    // An empty variable is none.
    let empty = run(&STATUS, &[("ECS_BG_SANDBOX", "shop"), ("CI", ""), ("AWS_PROFILE", "")]);
    assert!(empty.status.success(), "{}", text(&empty));
}

#[cfg(unix)]
#[test]
fn files_that_a_sandbox_writes_are_their_owners() {
    use std::os::unix::fs::PermissionsExt;
    let folder = std::env::temp_dir().join(format!("ecs-bg-private-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = |name: &str| folder.join(name).to_str().expect("UTF-8").to_owned();
    let mode = |name: &str| {
        let file = std::fs::metadata(path(name)).expect("a file");
        file.permissions().mode() & 0o777
    };
    let write = |state: &str, wire: &str| {
        let (state, wire) = (path(state), path(wire));
        let files = ["--sandbox", "shop", "--sandbox-state", &state, "--sandbox-wire", &wire];
        let done = run(&[&STATUS[..], &files].concat(), &[]);
        assert!(done.status.success(), "{}", text(&done));
    };
    write("state", "wire");
    assert_eq!([mode("state"), mode("wire")], [0o600, 0o600]);
    // A file that is there keeps its permissions.
    for name in ["state", "wire"] {
        std::fs::set_permissions(path(name), PermissionsExt::from_mode(0o640)).expect("set");
    }
    write("state", "wire");
    assert_eq!([mode("state"), mode("wire")], [0o640, 0o640]);
    std::fs::remove_dir_all(&folder).expect("removed");
}
