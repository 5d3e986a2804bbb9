//! Members whose values AWS lists (the `Valid Values` of the Amazon ECS API Reference).

use serde_json::{Map, Value};

type Lists = &'static [(&'static str, &'static [&'static str])];

const LOG_DRIVERS: &[&str] =
    &["json-file", "syslog", "journald", "gelf", "fluentd", "awslogs", "splunk", "awsfirelens"];
const ON: &[&str] = &["ENABLED", "DISABLED"];
#[rustfmt::skip]
const CAPABILITIES: &[&str] = &[
    "ALL", "AUDIT_CONTROL", "AUDIT_WRITE", "BLOCK_SUSPEND", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER",
    "FSETID", "IPC_LOCK", "IPC_OWNER", "KILL", "LEASE", "LINUX_IMMUTABLE", "MAC_ADMIN", "MAC_OVERRIDE", "MKNOD",
    "NET_ADMIN", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
    "SYS_ADMIN", "SYS_BOOT", "SYS_CHROOT", "SYS_MODULE", "SYS_NICE", "SYS_PACCT", "SYS_PTRACE", "SYS_RAWIO",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "SYSLOG", "WAKE_ALARM",
];

/// Of a task definition.
#[rustfmt::skip]
pub(super) const DEFINITION: Lists = &[
    ("networkMode", &["bridge", "host", "awsvpc", "none"]),
    ("pidMode", &["host", "task"]),
    ("ipcMode", &["host", "task", "none"]),
    ("requiresCompatibilities", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"]),
    ("runtimePlatform.cpuArchitecture", &["X86_64", "ARM64"]),
    ("runtimePlatform.operatingSystemFamily", &[
        "LINUX", "WINDOWS_SERVER_2016_FULL", "WINDOWS_SERVER_2019_FULL", "WINDOWS_SERVER_2019_CORE",
        "WINDOWS_SERVER_2004_CORE", "WINDOWS_SERVER_20H2_CORE", "WINDOWS_SERVER_2022_CORE",
        "WINDOWS_SERVER_2022_FULL", "WINDOWS_SERVER_2025_CORE", "WINDOWS_SERVER_2025_FULL",
    ]),
    ("placementConstraints.type", &["memberOf"]),
    ("proxyConfiguration.type", &["APPMESH"]),
    ("volumes.dockerVolumeConfiguration.scope", &["task", "shared"]),
    ("volumes.efsVolumeConfiguration.transitEncryption", ON),
    ("volumes.efsVolumeConfiguration.authorizationConfig.iam", ON),
    ("containerDefinitions.portMappings.protocol", &["tcp", "udp"]),
    ("containerDefinitions.portMappings.appProtocol", &["http", "http2", "grpc"]),
    ("containerDefinitions.environmentFiles.type", &["s3"]),
    ("containerDefinitions.linuxParameters.devices.permissions", &["read", "write", "mknod"]),
    ("containerDefinitions.linuxParameters.capabilities.add", CAPABILITIES),
    ("containerDefinitions.linuxParameters.capabilities.drop", CAPABILITIES),
    ("containerDefinitions.dependsOn.condition", &["START", "COMPLETE", "SUCCESS", "HEALTHY"]),
    ("containerDefinitions.versionConsistency", &["enabled", "disabled"]),
    ("containerDefinitions.ulimits.name", &[
        "core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss",
        "rtprio", "rttime", "sigpending", "stack",
    ]),
    ("containerDefinitions.logConfiguration.logDriver", LOG_DRIVERS),
    ("containerDefinitions.resourceRequirements.type", &["GPU", "InferenceAccelerator", "NeuronDevice"]),
    ("containerDefinitions.firelensConfiguration.type", &["fluentd", "fluentbit"]),
];

/// Of a service.
#[rustfmt::skip]
pub(super) const SERVICE: Lists = &[
    ("launchType", &["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"]),
    ("schedulingStrategy", &["REPLICA", "DAEMON"]),
    ("propagateTags", &["TASK_DEFINITION", "SERVICE", "NONE"]),
    ("availabilityZoneRebalancing", ON),
    ("networkConfiguration.awsvpcConfiguration.assignPublicIp", ON),
    ("placementConstraints.type", &["distinctInstance", "memberOf"]),
    ("placementStrategy.type", &["random", "spread", "binpack"]),
    ("serviceConnectConfiguration.logConfiguration.logDriver", LOG_DRIVERS),
    ("serviceConnectConfiguration.accessLogConfiguration.format", &["TEXT", "JSON"]),
    ("volumeConfigurations.managedEBSVolume.filesystemType", &["ext3", "ext4", "xfs", "ntfs"]),
];

/// What is wrong with the first value that is not in its list.
pub(super) fn wrong(members: &Map<String, Value>, lists: Lists) -> Option<String> {
    lists.iter().find_map(|(path, listed)| {
        let (first, rest) =
            path.split_once('.').map_or((*path, None), |(one, rest)| (one, Some(rest)));
        let own = other(members.get(first)?, rest, listed)?;
        let member = path.rsplit('.').next().unwrap_or(path);
        Some(format!("Invalid {member}: '{own}'. It should be one of {listed:?}."))
    })
}

fn other<'v>(value: &'v Value, path: Option<&str>, listed: &[&str]) -> Option<&'v str> {
    match (value, path) {
        (Value::Array(list), _) => list.iter().find_map(|one| other(one, path, listed)),
        (Value::String(own), None) => (!listed.contains(&own.as_str())).then_some(own),
        (Value::Object(map), Some(path)) => {
            let (first, rest) =
                path.split_once('.').map_or((path, None), |(one, rest)| (one, Some(rest)));
            other(map.get(first)?, rest, listed)
        }
        _ => None,
    }
}
