//! A registered task definition: AWS's whole answer, and the few members that decisions need. Knows
//! nothing of clients or of records.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};

use super::arn::{family, short};
use super::definition::{self, Flaw};
use super::raw_json::RawObject;

/// Members of DescribeTaskDefinition's `taskDefinition` that RegisterTaskDefinition does not take.
pub const OUTPUT_ONLY: [&str; 9] = [
    "taskDefinitionArn",
    "revision",
    "status",
    "requiresAttributes",
    "compatibilities",
    "registeredAt",
    "deregisteredAt",
    "registeredBy",
    "deleteRequestedAt",
];

/// A registered task definition: AWS's whole answer, and the few members that decisions need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Its ARN.
    pub arn: String,
    /// `family:revision`, the name that people know.
    pub name: String,
    /// Whether it is ACTIVE (a service can be put on it).
    pub active: bool,
    /// Names and images of its containers.
    pub containers: Vec<(String, String)>,
    /// `(container, containerPort)` of every port mapping.
    pub ports: Vec<(String, u16)>,
    /// Whether the task as a whole has a number of CPU units.
    pub has_cpu: bool,
    /// Whether the task as a whole has a size of memory.
    pub has_memory: bool,
    /// When it was registered, where AWS says so.
    pub registered: Option<SystemTime>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// AWS's answer to DescribeTaskDefinition, as it came.
    pub raw: String,
}

/// AWS's JSON has times in seconds since 1970.
fn time(seconds: f64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::try_from_secs_f64(seconds).ok()?)
}

impl Revision {
    /// Reads AWS's answer to DescribeTaskDefinition with `include: [TAGS]`.
    pub fn read(raw: &str) -> Result<Self, serde_json::Error> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
            task_definition: Definition,
            #[serde(default)]
            tags: Vec<Tag>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Definition {
            task_definition_arn: String,
            status: Option<String>,
            cpu: Option<serde::de::IgnoredAny>,
            memory: Option<serde::de::IgnoredAny>,
            registered_at: Option<Value>,
            #[serde(default)]
            container_definitions: Vec<Container>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Container {
            name: String,
            #[serde(default)]
            image: String,
            #[serde(default)]
            port_mappings: Vec<Port>,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Port {
            container_port: Option<u64>,
        }
        #[derive(serde::Deserialize)]
        struct Tag {
            key: String,
            #[serde(default)]
            value: String,
        }
        let Answer { task_definition: definition, tags } = serde_json::from_str(raw)?;
        let containers = &definition.container_definitions;
        Ok(Self {
            name: short(&definition.task_definition_arn).to_owned(),
            arn: definition.task_definition_arn.clone(),
            active: definition.status.as_deref() != Some("INACTIVE"),
            containers: containers.iter().map(|c| (c.name.clone(), c.image.clone())).collect(),
            ports: containers
                .iter()
                .flat_map(|c| {
                    let ports = c.port_mappings.iter().filter_map(|p| p.container_port);
                    ports.filter_map(|port| Some((c.name.clone(), u16::try_from(port).ok()?)))
                })
                .collect(),
            has_cpu: definition.cpu.is_some(),
            has_memory: definition.memory.is_some(),
            registered: definition.registered_at.as_ref().and_then(Value::as_f64).and_then(time),
            tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            raw: raw.to_owned(),
        })
    }

    /// The containers that the task ends with: all that do not say otherwise.
    pub fn essential(&self) -> Vec<String> {
        let answer: Value = serde_json::from_str(&self.raw).unwrap_or_default();
        let containers = answer["taskDefinition"]["containerDefinitions"].as_array();
        let named = |one: &Value| Some(one["name"].as_str()?.to_owned());
        let essential = containers.into_iter().flatten().filter(|one| one["essential"] != false);
        essential.filter_map(named).collect()
    }

    /// A definition that somebody wrote into a file, as RegisterTaskDefinition takes it or as
    /// DescribeTaskDefinition prints it, in its normal form. Its name is the file's.
    pub fn written(path: &str, text: &str) -> Result<Self, Flaw> {
        let other = |why: &str| Flaw {
            what: format!("it is no task definition: {why}"),
            fix: "aws ecs register-task-definition --generate-cli-skeleton".to_owned(),
        };
        let unread = |error: serde_json::Error| Flaw {
            what: error.to_string(),
            fix: format!("write JSON: look at line {}", error.line().max(1)),
        };
        let top: &RawValue = serde_json::from_str(text).map_err(unread)?;
        let members: BTreeMap<String, &RawValue> =
            serde_json::from_str(text).map_err(|_| other("it is no JSON object"))?;
        let inner = members.get("taskDefinition").copied().unwrap_or(top);
        let (normal, flaws) = definition::normal(inner, text);
        if let Some(flaw) = flaws.into_iter().next() {
            return Err(flaw);
        }
        let mut definition: RawObject =
            serde_json::from_str(&normal).map_err(|_| other("it is no JSON object"))?;
        let family: String = definition.part("family").unwrap_or_default();
        if family.is_empty() {
            return Err(other("it has no `family`"));
        }
        let containers = definition.items("containerDefinitions").unwrap_or_default();
        let is_named = |container: &RawObject| container.get("name").is_some();
        if containers.is_empty() || !containers.iter().all(is_named) {
            return Err(other("`containerDefinitions` must be containers with names"));
        }
        let mut read = || -> Result<Self, serde_json::Error> {
            // Registered, the tags are a member; described, they stand beside the definition.
            let beside = members.get("tags").map(|tags| (*tags).to_owned());
            let tags = definition.get("tags").map(ToOwned::to_owned).or(beside);
            definition.0.retain(|(key, _)| key != "tags");
            let arn = format!("task-definition/{family}:0");
            definition.set("taskDefinitionArn", to_raw_value(&arn)?);
            let mut described = RawObject(vec![]);
            described.set("taskDefinition", to_raw_value(&definition)?);
            if let Some(tags) = tags.filter(|tags| tags.get() != "null") {
                described.set("tags", tags);
            }
            Self::read(&serde_json::to_string(&described)?)
        };
        // What AWS does not know may have any form, but what is read here.
        let revision = read().map_err(|_| other("a member of another kind than AWS takes"))?;
        Ok(Self { name: path.to_owned(), active: true, ..revision })
    }

    /// Whether a file is what DescribeTaskDefinition printed: it has what only AWS writes.
    pub fn is_described(text: &str) -> bool {
        let Ok(top) = serde_json::from_str::<RawObject>(text) else { return false };
        top.get("taskDefinition").is_some() || top.get("taskDefinitionArn").is_some()
    }

    /// This one, where `other` is: with the beginning of its ARN.
    pub fn beside(self, other: &str) -> Self {
        let prefix = other.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        Self { arn: format!("{prefix}/{}", short(&self.arn)), ..self }
    }

    /// The account that it is for: that of its ARN, else of its roles. A file's need not say.
    pub fn account(&self) -> Option<String> {
        let account = |arn: &str| arn.split(':').nth(4).map(str::to_owned);
        let read = || {
            let top: RawObject = serde_json::from_str(&self.raw).ok()?;
            top.part::<RawObject>("taskDefinition").ok()
        };
        let role = || {
            let definition = read()?;
            let roles = ["executionRoleArn", "taskRoleArn"];
            roles.into_iter().find_map(|role| account(&definition.part::<String>(role).ok()?))
        };
        account(&self.arn).or_else(role)
    }

    /// The family.
    pub fn family(&self) -> &str {
        family(&self.arn)
    }
}
