//! What this machine, or the account that it uses, keeps from being done.

use serde::Serialize;

/// Something of this machine, or another account or region than the one that is used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum LocalRefused {
    /// The cluster's ARN names another region.
    OtherRegion {
        /// The cluster.
        cluster: String,
        /// Its region.
        region: String,
        /// The region that is used.
        used: String,
    },
    /// The cluster's ARN names another account than that of the credentials.
    OtherAccount {
        /// The cluster.
        cluster: String,
        /// Its account.
        account: String,
        /// The account of the credentials.
        used: String,
    },
    /// A file cannot be read or written.
    File {
        /// Its path, or a folder's.
        path: String,
        /// What it is for.
        purpose: FileUse,
        /// In the words of the operating system, or of the parser.
        reason: String,
    },
    /// An address cannot be listened on.
    Address {
        /// It.
        address: String,
        /// In the words of the operating system.
        reason: String,
    },
}

/// What a file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum FileUse {
    /// The world of a sandbox is read from it.
    ReadSandbox,
    /// It holds no world of a sandbox.
    ParseSandbox,
    /// The world of a sandbox is written to it.
    WriteSandbox,
    /// Manual pages are written to it.
    WriteManual,
    /// What a command prints is written to it.
    WriteOutput,
}
