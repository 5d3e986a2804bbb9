//! Options that cannot be followed for a service.

use std::time::Duration;

use super::super::time;
use crate::event::refusal::OptionsRefused;
use crate::model::gate::GateFault;
use crate::render::words::gate::gate as fault_of;

pub(super) fn what(refusal: &OptionsRefused) -> String {
    use OptionsRefused as R;
    match refusal {
        R::NotForPair { option } => format!(
            "{option} does not work with the engine listener, which shifts traffic between two services"
        ),
        R::PauseOnlyByEcs { stage } => {
            format!("--pause-at {stage} works only where ECS shifts the traffic (engine native)")
        }
        R::PauseWithoutSteps => "--pause-at each-step: all traffic moves in one step".to_owned(),
        R::TestListenerOfEcs { .. } => {
            "--test-listener works only with two services (engine listener); here ECS moves its own test rule"
                .to_owned()
        }
        R::NotWhereEcsShifts { option } => {
            format!("{option} does not work where ECS shifts the traffic (engine native)")
        }
        R::OnlyForPair { option, ecs_shifts } => {
            let here = match ecs_shifts {
                true => "ECS shifts the traffic",
                false => "ECS replaces the tasks of one service",
            };
            format!("{option} works only with two services (engine listener); here {here}")
        }
        R::OnlyWithTwin { option, service } => format!(
            "{option} works only with two services (engine listener); {service} has no twin"
        ),
        R::NotSetUpFor { option, service, .. } => format!(
            "{option}: {service} is not set up for ECS to shift its traffic, and has no twin; ECS replaces its tasks"
        ),
        R::StrategyNotWhole { strategy } => {
            format!("--strategy: `{strategy}`: shares of a pair are whole numbers of percent")
        }
        R::TwinWithEngine { twin, engine, .. } => {
            format!("--twin {twin} names a pair, but --engine {engine} deploys one service")
        }
        R::BakeNotInMinutes => {
            "--bake is whole minutes, at most 24h, where ECS shifts the traffic (bakeTimeInMinutes)"
                .to_owned()
        }
        R::NoAlarm { alarm } => format!("--alarm {alarm}: there is no such alarm in this region"),
        R::AlarmOn { alarm } => format!("alarm {alarm} is in ALARM, and --strict-alarms was given"),
        R::CheckTooLong { most } => format!(
            "--check-timeout: ECS waits for checks, and a command may take {} at most",
            time(Duration::from_secs(*most))
        ),
        R::CheckNotReady { gate, fault } => match fault {
            GateFault::NotStarted { reason } => {
                format!("--check-cmd {gate}: it cannot be started: {reason}")
            }
            GateFault::Unreachable { reason } => {
                format!("--check {gate}: it cannot be reached from here: {reason}")
            }
            fault => format!("--check {gate}: it {}", fault_of(fault)),
        },
    }
}

pub(super) fn fix(refusal: &OptionsRefused) -> String {
    use OptionsRefused as R;
    match refusal {
        R::NotForPair { option }
        | R::NotWhereEcsShifts { option }
        | R::OnlyWithTwin { option, .. } => format!("leave out {option}"),
        R::PauseOnlyByEcs { .. } => {
            "--pause-at before-traffic or each-step, or --shares 10:pause,100".to_owned()
        }
        R::PauseWithoutSteps => {
            "--pause-at before-traffic, or steps: --shares 10,50,100".to_owned()
        }
        R::TestListenerOfEcs { service, cluster } => {
            format!("ecs-bg setup --cluster {cluster} --service {service} --test-rule ARN")
        }
        R::OnlyForPair { ecs_shifts: true, .. } => {
            "--strategy canary:10/5m or linear:20/2m".to_owned()
        }
        R::OnlyForPair { option, ecs_shifts: false } => {
            format!("leave out {option}, or name the other service of a pair with --twin SERVICE")
        }
        R::NotSetUpFor { option, service, cluster } => format!(
            "leave out {option}, or prepare {service} for it: ecs-bg setup --cluster {cluster} --service {service} \
             --dry-run"
        ),
        R::StrategyNotWhole { .. } => "--strategy canary:10/5m".to_owned(),
        R::TwinWithEngine { engine, service, .. } => format!(
            "leave out --engine {engine} to deploy the pair, or --twin to deploy {service} alone"
        ),
        R::BakeNotInMinutes => "--bake 5m".to_owned(),
        R::NoAlarm { .. } => {
            "aws cloudwatch describe-alarms --query 'MetricAlarms[].AlarmName'".to_owned()
        }
        R::AlarmOn { alarm } => format!(
            "aws cloudwatch describe-alarms --alarm-names '{alarm}'; to deploy a fix, leave out --strict-alarms"
        ),
        R::CheckNotReady { fault: GateFault::NotStarted { .. }, .. } => {
            "name a program that is in PATH".to_owned()
        }
        R::CheckTooLong { most } => format!("--check-timeout {}m", most / 60),
        R::CheckNotReady { .. } => "try the URL with curl from here".to_owned(),
    }
}
