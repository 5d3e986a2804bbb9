//! What this machine, or the account that it uses, keeps from being done.

use crate::event::refusal::{FileUse, LocalRefused};

pub(super) fn what(refusal: &LocalRefused) -> String {
    use LocalRefused as R;
    match refusal {
        R::OtherRegion { cluster, region, used } => {
            format!("{cluster} is in {region}, not in {used}")
        }
        R::OtherAccount { cluster, account, used } => {
            format!("{cluster} is in account {account}, and the credentials are for account {used}")
        }
        R::File { path, purpose, reason } => match purpose {
            FileUse::ReadSandbox => format!("--sandbox-state: {path} cannot be read: {reason}"),
            FileUse::ParseSandbox => {
                format!("--sandbox-state: {path} is not a saved sandbox: {reason}")
            }
            FileUse::WriteSandbox => format!("--sandbox-state: {path} cannot be written: {reason}"),
            FileUse::WriteOutput => format!("{path} cannot be written: {reason}"),
            FileUse::WriteManual => format!("manual pages cannot be written to {path}: {reason}"),
        },
        R::Address { address, reason } => format!("{address} cannot be listened on: {reason}"),
    }
}

pub(super) fn fix(refusal: &LocalRefused) -> String {
    use LocalRefused as R;
    match refusal {
        R::OtherRegion { region, .. } => format!("--region {region}"),
        R::OtherAccount { account, .. } => {
            format!("--profile NAME, of account {account}, or --role-arn ARN")
        }
        R::File { purpose, .. } => match purpose {
            FileUse::ReadSandbox | FileUse::ParseSandbox => {
                "name another file, or one that does not exist yet".to_owned()
            }
            FileUse::WriteSandbox => "--sandbox-state FILE".to_owned(),
            FileUse::WriteManual => "ecs-bg man DIR".to_owned(),
            FileUse::WriteOutput => "write it to another place".to_owned(),
        },
        R::Address { .. } => "ecs-bg sandbox --port 0".to_owned(),
    }
}
