//! Clusters and services by name, as `CLUSTER/SERVICE` and by ARN, in every command.

use crate::cases::edits::{revisions, running};
use crate::support::fate::Death;
use crate::support::lives::World;

const ARN: &str = "arn:aws:ecs:eu-central-1:123456789012";
const IMAGE: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/api:2";

/// What each command is, without its cluster and its service, and how it ends where there is nothing to do.
const COMMANDS: [(&str, u8); 7] = [
    ("plan --tag 2", 0),
    ("status", 0),
    ("resume", 0),
    ("abort", 0),
    ("promote", 0),
    ("run --container api --no-wait", 0),
    ("deploy --tag 2", 0),
];

fn services() -> [String; 4] {
    [
        "api".into(),
        "shop/api".into(),
        format!("{ARN}:service/shop/api"),
        format!("{ARN}:service/api"),
    ]
}

#[test]
fn every_command_takes_every_name_of_a_service() {
    for service in services() {
        for cluster in ["shop".to_owned(), format!("{ARN}:cluster/shop")] {
            let world = World::new("solo");
            for (command, code) in COMMANDS {
                let line = format!("{command} --cluster {cluster} --service {service}");
                let life = world.run(&line);
                assert_eq!(life.code, Some(code), "{line}: {}", life.text);
            }
            assert_eq!(running(&world, "api"), "api:2", "{cluster} {service}");
            let world = World::new("solo");
            let life = world.run(&format!("ecs-deploy -c {cluster} -n {service} -i {IMAGE}"));
            assert_eq!(life.code, Some(0), "{}", life.text);
            assert_eq!(running(&world, "api"), "api:2", "{cluster} {service}");
        }
    }
}

#[test]
fn a_service_that_is_named_with_its_cluster_needs_no_other_name() {
    for service in &services()[1..3] {
        let world = World::new("solo");
        for (command, code) in COMMANDS {
            let life = world.run(&format!("{command} --service {service}"));
            assert_eq!(life.code, Some(code), "{command} {service}: {}", life.text);
        }
        let world = World::new("solo");
        let life = world.run(&format!("ecs-deploy -n {service} -i {IMAGE}"));
        assert_eq!(life.code, Some(0), "{service}: {}", life.text);
    }
}

#[test]
fn a_name_of_somewhere_else_is_refused_and_nothing_is_changed() {
    let elsewhere = [
        ("api", format!("{}:service/shop/api", ARN.replace("1234", "9999"))),
        ("api", format!("{}:service/api", ARN.replace("eu-central-1", "us-east-1"))),
        ("api", "prod/api".to_owned()),
        ("api", format!("{ARN}:service/prod/api")),
        ("api", format!("{ARN}:cluster/shop")),
        ("a service that is not there", "apo".to_owned()),
    ];
    for (what, service) in elsewhere {
        let world = World::new("solo");
        for (command, _) in COMMANDS {
            let life = world.run(&format!("{command} --cluster shop --service {service}"));
            assert!(matches!(life.code, Some(2 | 3)), "{what}, {command}: {}", life.text);
            assert!(life.text.contains("\nhint: "), "{}", life.text);
        }
        let life = world.run(&format!("ecs-deploy -c shop -n {service} -i {IMAGE}"));
        assert!(!matches!(life.code, Some(0 | 1)), "{what}: {}", life.text);
        assert_eq!((running(&world, "api").as_str(), revisions(&world, "api")), ("api:1", 1));
    }
}

#[test]
fn a_deployment_is_found_by_the_arn_of_its_service() {
    for (verb, code) in [("abort", 1), ("resume", 0), ("rollback", 1)] {
        let world = World::new("shop");
        world.run_until(&crate::support::lives::deploy("2", "--bake 0"), 40, Death::BeforeAnswer);
        world.wait(200);
        let life = world.run(&format!("{verb} --cluster shop --service {ARN}:service/shop/web"));
        assert_eq!(life.code, Some(code), "{verb}: {}", life.text);
        assert!(life.text.contains("resuming web:2"), "{verb}: {}", life.text);
    }
    let world = World::new("shop");
    let back = format!(
        "rollback --cluster shop --service web --twin web-green --to {ARN}:service/shop/web"
    );
    assert!(
        world.run(&back).text.contains("web has all the traffic"),
        "its ARN is a service of the pair"
    );
    let life = world.run(&back.replace("service/shop/web", "service/prod/web"));
    assert_eq!(life.code, Some(2), "{}", life.text);
}

/// AWS says of it that the cluster is not found, or that it may not be seen.
#[test]
fn a_cluster_of_another_account_is_said_with_both_accounts() {
    const OTHER: &str = "arn:aws:ecs:eu-central-1:999956789012";
    let said = "is in account 999956789012, and the credentials are for account 123456789012\n";
    for named in [
        format!("--cluster {OTHER}:cluster/shop --service api"),
        format!("--cluster shop --service {OTHER}:service/shop/api"),
    ] {
        let world = World::new("solo");
        for (command, _) in COMMANDS {
            let life = world.run(&format!("{command} {named}"));
            assert_eq!(life.code, Some(3), "{command}: {}", life.text);
            assert!(life.text.contains(said), "{command}: {}", life.text);
            assert!(life.text.contains("\nhint: --profile NAME"), "{command}: {}", life.text);
        }
        let denied = world.run_denied(&format!("status {named}"), &["DescribeServices"]);
        assert!(denied.text.contains(said), "{}", denied.text);
        assert_eq!((running(&world, "api").as_str(), revisions(&world, "api")), ("api:1", 1));
    }
    let world = World::new("solo");
    let line = format!("ecs-deploy -c {OTHER}:cluster/shop -n api -i {IMAGE}");
    let life = world.run(&line);
    assert!(life.text.contains(said), "{}", life.text);
    // A cluster that is not there in the own account is just that.
    let life = world.run(&format!("status --cluster {ARN}:cluster/shp --service api"));
    assert!(life.text.contains("Cluster not found"), "{}", life.text);
}
