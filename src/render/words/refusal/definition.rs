//! Task definitions that cannot be registered, and changes of them that are for no container.

use crate::event::refusal::DefinitionRefused;
use crate::request::misfit::EditMisfit;

pub(super) fn what(refusal: &DefinitionRefused) -> String {
    use DefinitionRefused as R;
    match refusal {
        R::LacksPort { revision, container, port, service } => format!(
            "{revision} has no container {container} with the port {port}, which the load balancer of {service} sends \
             requests to"
        ),
        R::FargateCpu { revision, cpu, .. } => {
            format!("{revision}: Fargate has no task with cpu {cpu}")
        }
        R::FargateMemory { revision, cpu, memory, .. } => {
            format!("{revision}: Fargate has no task with cpu {cpu} and memory {memory}")
        }
        R::NoExecutionRole { revision, container, logs } => format!(
            "{revision}, container {container}: Fargate needs `executionRoleArn` to {}",
            if *logs { "send its logs (awslogs)" } else { "pull its image from Amazon ECR" }
        ),
        R::TooLarge { revision, bytes, max_bytes } => format!(
            "the new revision of {revision} would have {bytes} bytes, and a task definition has at most {max_bytes}"
        ),
        R::VariableAndSecret { revision, container, variable } => format!(
            "{revision}, container {container}: {variable} is in `environment` and in `secrets`, and ECS takes a name \
             once"
        ),
        R::LiveUnreadable => "the live revision cannot be read".to_owned(),
        R::NotCloned { revision, reason } => format!("{revision} cannot be cloned: {reason}"),
        R::NotKept { revision, lost } => {
            format!("AWS did not keep {} of {revision} as it was sent", lost.join(", "))
        }
        R::NoTaskDefinition { revision, region } => {
            format!("there is no task definition {revision} in {region}")
        }
    }
}

pub(super) fn fix(refusal: &DefinitionRefused) -> String {
    use DefinitionRefused as R;
    match refusal {
        R::LacksPort { port, .. } => format!("\"portMappings\": [{{\"containerPort\": {port}}}]"),
        R::FargateCpu { nearest, sizes, .. } => {
            format!("--cpu {nearest} (Fargate has {})", listed(sizes, "and"))
        }
        R::FargateMemory { cpu, nearest, sizes, .. } => {
            let fitting = match &sizes[..] {
                [first, second, _, _, .., last] if sizes.len() > 4 => {
                    format!("{first} to {last} in steps of {}", second - first)
                }
                sizes => listed(sizes, "or"),
            };
            format!("--memory {nearest} (with cpu {cpu}: {fitting})")
        }
        R::NoExecutionRole { .. } => {
            "name a role with AWS's policy AmazonECSTaskExecutionRolePolicy as `executionRoleArn` of the task definition"
                .to_owned()
        }
        R::TooLarge { .. } => {
            "move variables into a file in Amazon S3 (`environmentFiles`), or into one secret"
                .to_owned()
        }
        R::VariableAndSecret { container, variable, .. } => format!(
            "take {variable} out of one of them, or replace both: --env {container}:{variable}=VALUE"
        ),
        R::LiveUnreadable | R::NotCloned { .. } => "ecs-bg status".to_owned(),
        R::NotKept { revision, .. } => {
            format!("aws ecs describe-task-definition --task-definition {revision}")
        }
        R::NoTaskDefinition { .. } => {
            "aws ecs list-task-definition-families --status ACTIVE".to_owned()
        }
    }
}

pub(super) fn misfit(misfit: &EditMisfit) -> String {
    use EditMisfit as M;
    match misfit {
        M::EditForNoContainer { container, containers, .. } => format!(
            "the task definition has no container `{container}`; it has {}",
            super::quoted(containers)
        ),
        M::EditTwice { container, edit } => {
            format!("`{}` is given twice, or in two ways", edit.shown(container.as_deref()))
        }
        M::EditForWhich { edit, containers } => {
            let option = edit.option("");
            let (option, _) = option.split_once(' ').unwrap_or((&option, ""));
            format!(
                "{option}: which container is it for? The task definition has {}",
                super::quoted(containers)
            )
        }
        M::BeforeForNoContainer { revision, container, containers } => format!(
            "--before: {revision} has no container `{container}`; it has {}",
            super::quoted(containers)
        ),
    }
}

pub(super) fn misfit_fix(misfit: &EditMisfit) -> String {
    use EditMisfit as M;
    match misfit {
        M::EditForNoContainer { edit, containers, .. } | M::EditForWhich { edit, containers } => {
            edit.option(containers.first().map_or("CONTAINER", String::as_str))
        }
        M::EditTwice { container, edit } => edit.option(container.as_deref().unwrap_or_default()),
        // The command itself may be meant: `NAME=VALUE command` is a shell's business.
        M::BeforeForNoContainer { .. } => "--before 'env NAME=VALUE COMMAND'".to_owned(),
    }
}

fn listed(numbers: &[u64], last: &str) -> String {
    let texts: Vec<String> = numbers.iter().map(u64::to_string).collect();
    match texts.split_last() {
        Some((end, before)) if !before.is_empty() => format!("{} {last} {end}", before.join(", ")),
        _ => texts.concat(),
    }
}
