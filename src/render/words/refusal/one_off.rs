//! What keeps a one-off task from being started.

use crate::event::refusal::{OneOffRefused, RunCommand};
use crate::model::health::placement;

pub(super) fn what(refusal: &OneOffRefused) -> String {
    use OneOffRefused as R;
    match refusal {
        R::NoContainer { revision, container, containers, .. } => format!(
            "{revision} has no container `{container}`; it has {}",
            super::quoted(containers)
        ),
        R::NoOwnNetwork { revision, .. } => format!(
            "the network mode of {revision} is not awsvpc: its task uses the network of its container instance and \
             takes no subnet, security group or public address"
        ),
        R::NeedsSubnets { revision, .. } => {
            format!("the network mode of {revision} is awsvpc: its task needs subnets")
        }
        R::CommandWithoutWords => "--command: it has no words".to_owned(),
        R::OverridesTooLong { characters, limit } => too_long(&characters.to_string(), *limit),
        R::NoTaskStarted { reasons, .. } => {
            let reasons: Vec<String> = reasons.iter().map(|reason| placement(reason)).collect();
            format!("no task was started: {}", reasons.join("; "))
        }
    }
}

pub(super) fn fix(refusal: &OneOffRefused) -> String {
    use OneOffRefused as R;
    match refusal {
        R::NoContainer { containers, asked, .. } => {
            let first = containers.first().map_or("NAME", String::as_str);
            again(asked, &format!("--container {first}"))
        }
        R::NoOwnNetwork { asked, .. } => again(asked, ""),
        R::NeedsSubnets { groups, needs_fargate, asked, .. } => {
            let groups = match &groups[..] {
                [] => "GROUP".to_owned(),
                groups => groups.join(" --security-group "),
            };
            let fargate = if *needs_fargate { " --launch-type FARGATE" } else { "" };
            again(asked, &format!("--subnet SUBNET --security-group {groups}{fargate}"))
        }
        R::CommandWithoutWords => "--command 'rake db:migrate'".to_owned(),
        R::OverridesTooLong { .. } => "ecs-bg register --family FAMILY --env NAME=VALUE".to_owned(),
        R::NoTaskStarted { cluster, .. } => {
            format!(
                "aws ecs describe-clusters --clusters {cluster} --include STATISTICS ATTACHMENTS"
            )
        }
    }
}

/// RunTask was not sent.
pub(crate) fn too_long(characters: &str, limit: usize) -> String {
    format!("the overrides have {characters} characters; RunTask takes at most {limit}")
}

/// The same command with something more. Values that may be secret are left for the user to fill in.
pub(crate) fn again(command: &RunCommand, more: &str) -> String {
    let mut words = format!("ecs-bg run --cluster {}", command.cluster);
    let given = |option: &str| more.split(' ').any(|word| word == option);
    let mut add = |option: &str, value: &str| {
        if !given(option) {
            words.push_str(&format!(" {option} {value}"));
        }
    };
    let once = [
        ("--service", &command.service),
        ("--task-definition", &command.revision),
        ("--container", &command.container),
        ("--launch-type", &command.launch_type),
    ];
    for (option, value) in once {
        value.iter().for_each(|value| add(option, value));
    }
    (0..command.commands).for_each(|_| add("--command", "'COMMAND'"));
    (0..command.variables).for_each(|_| add("--env", "NAME=VALUE"));
    command.cpu.iter().for_each(|cpu| add("--cpu", cpu));
    command.memory.iter().for_each(|memory| add("--memory", memory));
    if command.count != 1 {
        add("--count", &command.count.to_string());
    }
    format!("{words} {more}").trim_end().to_owned()
}
