//! The drop-in for silintl's `ecs-deploy`: what its documentation promises, counted.

use std::collections::BTreeSet;

use ecs_bg_sandbox::iam::Policy;

use crate::support::lives::{Life, World};

/// The rows of its documentation, and what is mended: each has a section in the transcripts.
const SECTIONS: [&str; 56] = [
    "flag -k, -s",
    "flag -r",
    "flag -p",
    "flag --aws-instance-profile",
    "flag -a",
    "flag -c, -n, -i",
    "flag -d",
    "flag -D",
    "flag -m, -M",
    "flag -t",
    "flag -e",
    "flag -to",
    "flag --max-definitions",
    "flag --task-definition-file",
    "flag --enable-rollback",
    "flag --use-latest-task-def",
    "flag --force-new-deployment",
    "flag --skip-deployments-check",
    "flag --run-task, --wait-for-success",
    "flag --launch-type, --platform-version, --network-configuration",
    "flag --copy-task-definition-tags",
    "flag -v",
    "flag --version",
    "code 3",
    "code 5",
    "code 6",
    "code 7",
    "code 8",
    "code 9",
    "code 10",
    "code 11",
    "code 12",
    "code 13",
    "code 1",
    "code 254",
    "fix: a digest",
    "fix: a variable that is not set",
    "fix: hyphens in the tag of a root image",
    "fix: the current image has a digest, or no tag",
    "fix: whole repositories only",
    "fix: an image that is not in the task definition",
    "fix: a tag for digests and registries with a port",
    "fix: names that were cut in two",
    "fix: keys of the command line",
    "fix: no field is lost",
    "fix: more than 100 tasks",
    "fix: a rollback by the circuit breaker is no success",
    "fix: the second phase says why",
    "fix: the rollback is awaited",
    "fix: a restart with a way back",
    "fix: revisions go only after a success",
    "fix: a run task that cannot be placed",
    "fix: a run task without an exit code",
    "fix: numbers are checked first",
    "fix: a service that does not exist",
    "fix: a flag without its value",
];

#[test]
fn each_row_of_its_documentation_has_a_section() {
    let text = std::fs::read_to_string("tests/cmd/ecs-deploy.md").expect("the transcripts");
    let sections: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    let known: BTreeSet<&str> = sections.iter().copied().collect();
    let missing: Vec<_> = SECTIONS.iter().filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(known.len(), SECTIONS.len(), "{:?}", known.difference(&SECTIONS.into()));
    // A section without a command shows nothing.
    for section in text.split("\n## ").skip(1) {
        let name = section.lines().next().unwrap_or_default();
        assert!(section.contains("```console\n$ "), "{name} runs nothing");
    }
}

/// What silintl's README asks for.
const POLICY: &str = r#"{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": [
                "ecs:DescribeServices",
                "ecs:UpdateService",
                "ecs:RegisterTaskDefinition",
                "ecs:DescribeTasks",
                "ecs:ListTasks",
                "ecs:DescribeTaskDefinition",
                "ecs:DeregisterTaskDefinition",
                "ecs:ListTaskDefinitions",
                "iam:PassRole"
            ],
            "Resource": "*"
        }
    ]
}"#;

fn with_its_policy(arguments: &str) -> (Option<u8>, String) {
    let world = World::new("solo");
    world.cloud().set_policy(Some(Policy::parse(POLICY, "policy").expect("a policy")));
    let life = world.run(arguments);
    (life.code, life.text)
}

#[test]
fn its_policy_is_enough_and_one_warning_says_what_more_would_bring() {
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api";
    let flags = format!("ecs-deploy -c shop -n api -i {image}:2 --max-definitions 5");
    let (code, text) = with_its_policy(&flags);
    assert_eq!(code, Some(0), "{text}");
    let warnings: Vec<&str> = text.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(warnings.len(), 1, "{text}");
    for permission in ["ecs:TagResource", "elasticloadbalancing:Describe*", "ecr:DescribeImages"] {
        assert!(warnings[0].contains(permission), "{permission}: {text}");
    }
    let (code, text) = with_its_policy(&format!("{} --enable-rollback", flags.replace(":2", ":4")));
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("exited with code 1") && text.contains("Rolling back to"), "{text}");
    let (code, text) = with_its_policy("ecs-deploy -c shop -n api --force-new-deployment");
    assert_eq!(code, Some(0), "{text}");
    let (code, text) = with_its_policy(&format!("ecs-deploy -d api -i {image}:2"));
    assert_eq!(code, Some(0), "{text}");
}

/// The same, with `deploy`.
#[test]
fn its_policy_is_enough_for_deploy_too() {
    let image = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api";
    let (code, text) =
        with_its_policy(&format!("deploy --cluster shop --service api --image {image}:2"));
    assert_eq!(code, Some(0), "{text}");
    let (code, text) =
        with_its_policy(&format!("deploy --cluster shop --service api --image {image}:4"));
    assert_eq!(code, Some(1), "{text}");
}

/// Called by its name, by ours, or with flags first.
#[test]
fn three_ways_to_call_it() {
    for argv in [
        &["/usr/bin/ecs-deploy", "-n", "x"][..],
        &["ecs-bg", "ecs-deploy", "-n", "x"],
        &["ecs-bg", "-n", "x"],
        &["ecs-bg", "--region", "eu-central-1", "-n", "status"],
        &["ecs-bg", "--region=eu-central-1", "-n", "x"],
    ] {
        let cli = ecs_bg::cli::parse(argv.iter().copied());
        assert!(format!("{cli:?}").contains("EcsDeploy"), "{cli:?}");
    }
    for argv in [
        &["ecs-bg", "--help"][..],
        &["ecs-bg", "-V"],
        &["ecs-bg", "--output", "json", "status", "--cluster", "c", "--service", "s"],
        &["ecs-bg", "--region", "r", "--profile=p", "status", "--cluster", "c", "--service", "s"],
    ] {
        let cli = ecs_bg::cli::parse(argv.iter().copied());
        assert!(!format!("{cli:?}").contains("EcsDeploy"), "{cli:?}");
    }
}

/// The side of a pair that waits runs nothing: to put a revision on it deploys nothing.
#[test]
fn the_idle_side_of_a_pair_is_refused() {
    let world = World::new("shop");
    let repository = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web";
    let idle = |life: Life, code| {
        assert_eq!(life.code, Some(code), "{}", life.text);
        assert!(life.text.contains("web-green is the idle service of a pair"), "{}", life.text);
        assert!(life.text.contains("hint: ecs-bg deploy"), "{}", life.text);
    };
    idle(world.run(&format!("ecs-deploy -c shop -n web-green -i {repository}:2")), 20);
    let own = format!("deploy --cluster shop --engine rolling --image web={repository}:2");
    idle(world.run(&format!("{own} --service web-green")), 3);
    // The other one serves.
    let life = world.run(&format!("ecs-deploy -c shop -n web -t 600 -i {repository}:2"));
    assert_eq!(life.code, Some(0), "{}", life.text);
}
