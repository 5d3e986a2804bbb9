//! `ecs-bg iam-policy`: enough for every deployment of the service, and not more.

use ecs_bg_sandbox::iam::Policy;
use serde_json::Value;

use crate::support::lives::World;

/// A world, the options that name its service, and images that are good and that fail there.
struct Case {
    scenario: &'static str,
    service: &'static str,
    good: &'static str,
    bad: &'static str,
}

const CASES: [Case; 3] = [
    Case {
        scenario: "solo",
        service: "--cluster shop --service api",
        good: "--tag 2",
        bad: "--tag 4",
    },
    Case {
        scenario: "shop",
        service: "--cluster shop --service web",
        good: "--tag shop/web=2 --shares 10:30s,100",
        bad: "--tag shop/web=4",
    },
    Case {
        scenario: "native",
        service: "--cluster shop --service shop",
        good: "--tag 2",
        bad: "--tag 4",
    },
];

/// Asked only after ECS itself rolled a service back, and done without; where there is something to remove; and
/// where somebody promotes a pause.
const SILENT: [&str; 4] = [
    "ecs:ListServiceDeployments",
    "ecs:DescribeServiceRevisions",
    "ecs:DeregisterTaskDefinition",
    "ecs:ContinueServiceDeployment",
];

fn policy_for(case: &Case) -> Value {
    let life = World::new(case.scenario).run(&format!("iam-policy {}", case.service));
    assert_eq!(life.code, Some(0), "{}", life.text);
    serde_json::from_str(&life.text).expect("a policy")
}

/// What is run under it, with its exit code and what was said.
fn runs(case: &Case, policy: &Value) -> Vec<(String, Option<u8>, String)> {
    let commands = [
        vec![format!("status {}", case.service)],
        vec![format!("plan {} {}", case.service, case.good)],
        vec![
            format!("deploy {} {}", case.service, case.good),
            format!("rollback {}", case.service),
            format!("deploy {} {} --keep-revisions 1", case.service, case.good),
        ],
        vec![format!("deploy {} {}", case.service, case.bad)],
    ];
    let mut ends = Vec::new();
    for commands in commands {
        let world = World::new(case.scenario);
        let parsed = Policy::parse(&policy.to_string(), "policy").expect("a policy");
        world.cloud().set_policy(Some(parsed));
        for command in commands {
            let life = world.run(&command);
            ends.push((command, life.code, life.text));
        }
    }
    ends
}

fn complains(text: &str) -> bool {
    text.lines().any(|line| {
        (line.starts_with("warning:") || line.starts_with("error:"))
            && (line.contains("allow") || line.contains("not authorized"))
    })
}

#[test]
fn it_is_enough() {
    for case in &CASES {
        let policy = policy_for(case);
        for (command, code, text) in runs(case, &policy) {
            let expected = if command.contains(case.bad) || command.starts_with("rollback") {
                // A rollback that was asked for is a deployment of the version before.
                [Some(1), Some(0)]
            } else {
                [Some(0), Some(0)]
            };
            assert!(expected.contains(&code), "{}: {command}\n{text}", case.scenario);
            assert!(!complains(&text), "{}: {command}\n{text}", case.scenario);
        }
    }
}

#[test]
fn each_of_its_actions_is_needed_and_missed_by_name() {
    for case in &CASES {
        let policy = policy_for(case);
        let statements = policy["Statement"].as_array().expect("statements").clone();
        for (index, statement) in statements.iter().enumerate() {
            for action in statement["Action"].as_array().expect("actions") {
                let action = action.as_str().expect("an action");
                let mut less = policy.clone();
                let own = less["Statement"][index]["Action"].as_array_mut().expect("actions");
                own.retain(|one| one != action);
                // A failed one tells what is missing, or a warning does.
                let told = runs(case, &less).into_iter().any(|(_, _, text)| {
                    text.lines().any(|line| {
                        line.contains(action)
                            // Reads of load balancers are told together.
                            || (action.starts_with("elasticloadbalancing:Describe")
                                && line.contains("elasticloadbalancing:Describe*"))
                            || (line.contains(action.split(':').next_back().unwrap_or(action))
                                && (line.starts_with("warning:") || line.starts_with("error:")))
                    })
                });
                let told = told || SILENT.contains(&action);
                assert!(told, "{}: nobody misses {action}", case.scenario);
            }
        }
    }
}

#[test]
fn everybody_else_may_not_write_records() {
    let life = World::new("solo").run("iam-policy --cluster shop --service api --deny");
    assert_eq!(life.code, Some(0), "{}", life.text);
    let policy: Value = serde_json::from_str(&life.text).expect("a policy");
    assert_eq!(policy["Statement"][0]["Effect"], "Deny");
    let keys = &policy["Statement"][0]["Condition"]["ForAnyValue:StringLike"]["aws:TagKeys"];
    assert_eq!(keys, "ecs-bg:*");
}

/// What a deployment changes and these credentials may not is found before one begins, where IAM may be asked.
#[test]
fn doctor_finds_what_the_caller_may_not_change() {
    for case in &CASES {
        let whole =
            World::new(case.scenario).run(&format!("iam-policy {} --with doctor", case.service));
        let policy: Value = serde_json::from_str(&whole.text).expect("a policy");
        let doctor = |policy: &Value| {
            let world = World::new(case.scenario);
            let parsed = Policy::parse(&policy.to_string(), "test").expect("a policy");
            world.cloud().set_policy(Some(parsed));
            world.run(&format!("doctor {}", case.service)).text
        };
        let all = doctor(&policy);
        assert!(!all.contains("may not call"), "{}: {all}", case.scenario);
        let changes = [
            "ecs:UpdateService",
            "ecs:RegisterTaskDefinition",
            "iam:PassRole",
            "ecs:TagResource",
            "elasticloadbalancing:ModifyListener",
            "elasticloadbalancing:ModifyRule",
            "ecs:StopServiceDeployment",
        ];
        let mut without = 0;
        for action in changes {
            let mut less = policy.clone();
            for statement in less["Statement"].as_array_mut().expect("statements") {
                let own = statement["Action"].as_array_mut().expect("actions");
                own.retain(|one| one != action);
            }
            less["Statement"]
                .as_array_mut()
                .expect("some")
                .retain(|one| one["Action"] != serde_json::json!([]));
            if less == policy {
                continue;
            }
            without += 1;
            let told = doctor(&less);
            let says = told.contains(&format!("may not call {action} on arn:"));
            assert!(says, "{}: without {action}: {told}", case.scenario);
            assert_eq!(
                told.matches("may not call").count(),
                told.matches(&format!("may not call {action} ")).count(),
                "{told}"
            );
        }
        assert!(without >= 4, "{}", case.scenario);
    }
    // Without that permission doctor says so.
    let case = &CASES[0];
    let policy = policy_for(case);
    let world = World::new(case.scenario);
    world.cloud().set_policy(Some(Policy::parse(&policy.to_string(), "test").expect("a policy")));
    let told = world.run(&format!("doctor {}", case.service)).text;
    assert!(told.contains("iam:SimulatePrincipalPolicy"), "{told}");
}

/// With it doctor leaves nothing unchecked, whatever the task definition names.
#[test]
fn the_policy_of_doctor_lets_it_check_everything() {
    let own = "secrets = [{ name = 'DATABASE_URL'";
    let parameter = "secrets = [{ name = 'B', valueFrom = '/shop/b' }, { name = 'DATABASE_URL'";
    let secrets = "essential = true\nsecrets = [{ name = 'A', valueFrom = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop/a-AbCdEf:key::' }, { name = 'B', valueFrom = '/shop/b' }]";
    for case in &CASES {
        let path = format!("sandbox/scenarios/{}.toml", case.scenario);
        let text = std::fs::read_to_string(&path).expect(&path);
        let world = World::parsed(&match text.contains(own) {
            true => text.replacen(own, parameter, 1),
            false => text.replacen("essential = true", secrets, 1),
        });
        let printed = world.run(&format!("iam-policy {} --with doctor", case.service));
        let policy = Policy::parse(&printed.text, "policy").expect("a policy");
        world.cloud().set_policy(Some(policy));
        let life = world.run(&format!("doctor {} --output json", case.service));
        for call in ["DescribeSecret", "DescribeParameters", "GetRole", "DescribeSubnets"] {
            assert!(life.calls.contains_key(call), "{}: {call} {:?}", case.scenario, life.calls);
        }
        let report: Value = serde_json::from_str(&life.text).expect("JSON");
        let findings = report["findings"].as_array().expect("findings");
        let unknown = findings.iter().filter(|one| one["finding"] == "unknown");
        assert_eq!(unknown.count(), 0, "{}: {}", case.scenario, life.text);
    }
}

/// With it setup makes the role, and gives it no other policy.
#[test]
fn the_policy_of_setup_is_enough_for_setup() {
    let own = "--cluster shop --service api";
    let role = "--infrastructure-role arn:aws:iam::123456789012:role/ecs-load-balancers";
    for (with, options) in [
        ("setup", format!("{role} --test-header X-Preview=1")),
        ("setup-role", "--create-role ecs-load-balancers".to_owned()),
    ] {
        let world = World::new("solo");
        let printed = world.run(&format!("iam-policy {own} --with {with}"));
        let makes = ["iam:CreateRole", "iam:AttachRolePolicy", "iam:PolicyARN"];
        let is_there = |text: &str| printed.text.contains(text);
        assert!(makes.into_iter().all(|one| is_there(one) == (with == "setup-role")), "{with}");
        let policy = Policy::parse(&printed.text, "policy").expect("a policy");
        world.cloud().set_policy(Some(policy));
        let life = world.run(&format!("setup {own} {options}"));
        assert_eq!(life.code, Some(0), "{with}: {}", life.text);
        assert!(!complains(&life.text), "{with}: {}", life.text);
        let undone = world.run(&format!("setup {own} --undo"));
        assert_eq!(undone.code, Some(0), "{with}: {}", undone.text);
    }
}
