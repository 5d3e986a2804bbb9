//! A task definition with every member that AWS knows, and some that nobody knows yet, comes through a
//! deployment byte for byte.

use crate::support::lives::{REPOSITORY, World, deploy};

/// All members of RegisterTaskDefinition and of a container (API reference) that Fargate takes with a
/// network interface of the task's own (not `ipcMode`, not `hostname`), with an unknown one at each level
/// of nesting.
const FULL: &str = include_str!("full_task_definition.json");

#[test]
fn every_member_comes_through_byte_for_byte() {
    let world = World::new("shop");
    let body = FULL.replace("IMAGE", &format!("{REPOSITORY}:1"));
    world.call("ecs", "RegisterTaskDefinition", &body);
    world.call(
        "ecs",
        "UpdateService",
        r#"{"cluster":"shop","service":"web","taskDefinition":"full:1"}"#,
    );
    world.wait(600);
    let life = world.run(&deploy("2", ""));
    assert_eq!(life.code, Some(0), "{}", life.text);
    let described = |revision: &str| {
        let body = format!(r#"{{"taskDefinition":"{revision}","include":["TAGS"]}}"#);
        members(&world.call("ecs", "DescribeTaskDefinition", &body))
    };
    let (before, after) = (described("full:1"), described("full:2"));
    assert_eq!(after, before.replace(&format!("{REPOSITORY}:1"), &format!("{REPOSITORY}:2")));
    for (what, number) in [("an unknown member", 8), ("12345678901234567890123", 1), ("2.50", 1)] {
        assert!(after.matches(what).count() >= number, "{what} in {after}");
    }
    let tags = world.call(
        "ecs",
        "DescribeTaskDefinition",
        r#"{"taskDefinition":"full:2","include":["TAGS"]}"#,
    );
    assert!(tags.contains(r#""team""#), "the user's tags are copied: {tags}");
}

/// The definition without what AWS says of the revision itself.
fn members(answer: &str) -> String {
    let (_, definition) = answer.split_once(r#""taskDefinition":"#).expect("a definition");
    // Members of the top level in the order of the answer; those that name the revision differ.
    let own = ["taskDefinitionArn", "revision", "registeredAt"];
    let mut depth = 0;
    let mut text = String::new();
    let mut member = String::new();
    let mut quoted = false;
    let mut escaped = false;
    for character in definition.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '{' | '[' if !quoted => depth += 1,
            '}' | ']' if !quoted => depth -= 1,
            _ => {}
        }
        member.push(character);
        if (depth == 1 && character == ',' && !quoted) || depth == 0 {
            let named = |name: &&str| {
                member.trim_start_matches(['{', ' ']).starts_with(&format!("\"{name}\""))
            };
            if !own.iter().any(named) {
                text.push_str(&member);
            }
            member.clear();
        }
        if depth == 0 {
            break;
        }
    }
    text
}
