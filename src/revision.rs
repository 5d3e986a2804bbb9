//! A task definition as JSON: cloned, given new images and edited, compared. Only what is changed is parsed;
//! every other member is carried as the exact bytes that AWS sent, so that a member which AWS adds
//! next year survives. Knows nothing of clients or of records.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::{RawValue, to_raw_value};
use similar::{ChangeTag, TextDiff};

use crate::edits::{self, Edit, Place, Placed};

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
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// AWS's answer to DescribeTaskDefinition, as it came.
    pub raw: String,
}

/// `family:revision` of a task definition's ARN.
pub fn short(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or(arn)
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
            container_port: Option<u16>,
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
                    c.port_mappings.iter().filter_map(|p| Some((c.name.clone(), p.container_port?)))
                })
                .collect(),
            has_cpu: definition.cpu.is_some(),
            has_memory: definition.memory.is_some(),
            tags: tags.into_iter().map(|tag| (tag.key, tag.value)).collect(),
            raw: raw.to_owned(),
        })
    }

    /// A definition that somebody wrote into a file, as RegisterTaskDefinition takes it or as
    /// DescribeTaskDefinition prints it. Its name is the file's.
    pub fn written(path: &str, text: &str) -> Result<Self, String> {
        // A value that is of another kind than it should be is not repeated: it may be secret.
        let value: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        let inner = value.get("taskDefinition").unwrap_or(&value);
        let family = match inner.get("family").and_then(Value::as_str) {
            Some(family) if !family.is_empty() => family,
            _ => return Err("it is no task definition: it has no `family`".to_owned()),
        };
        let containers = inner.get("containerDefinitions").and_then(Value::as_array);
        if containers
            .is_none_or(|list| list.is_empty() || list.iter().any(|c| !c["name"].is_string()))
        {
            return Err(
                "it is no task definition: `containerDefinitions` must be containers with names"
                    .to_owned(),
            );
        }
        let read = || -> Result<Self, serde_json::Error> {
            let top: RawObject = serde_json::from_str(text)?;
            let mut definition: RawObject = match top.get("taskDefinition") {
                Some(_) => top.part("taskDefinition")?,
                None => top.clone(),
            };
            // Registered, the tags are a member; described, they stand beside the definition.
            let tags = definition.get("tags").or_else(|| top.get("tags")).map(ToOwned::to_owned);
            definition.0.retain(|(key, _)| key != "tags");
            let arn = format!("task-definition/{family}:0");
            definition.set("taskDefinitionArn", to_raw_value(&arn)?);
            let mut described = RawObject(vec![]);
            described.set("taskDefinition", to_raw_value(&definition)?);
            if let Some(tags) = tags {
                described.set("tags", tags);
            }
            Self::read(&serde_json::to_string(&described)?)
        };
        let revision = read().map_err(|error| {
            let place = format!("near line {}, column {}", error.line(), error.column());
            format!("it is no task definition: a member of another kind than AWS takes, {place}")
        })?;
        Ok(Self { name: path.to_owned(), active: true, ..revision })
    }

    /// This one, where `other` is: with the beginning of its ARN.
    pub fn beside(self, other: &str) -> Self {
        let prefix = other.rsplit_once('/').map_or("", |(prefix, _)| prefix);
        Self { arn: format!("{prefix}/{}", short(&self.arn)), ..self }
    }

    /// The family.
    pub fn family(&self) -> &str {
        let short = short(&self.arn);
        short.rsplit_once(':').map_or(short, |(family, _)| family)
    }
}

/// A JSON object whose members stay as they are written, in their order.
#[derive(Clone, Debug, Default)]
struct RawObject(Vec<(String, Box<RawValue>)>);

impl RawObject {
    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    fn set(&mut self, name: &str, value: Box<RawValue>) {
        match self.0.iter_mut().find(|(key, _)| key == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    /// Changes a container.
    fn edit(&mut self, edit: &Edit) -> Result<(), serde_json::Error> {
        match edit {
            Edit::Env(name, value) => {
                self.unlist("secrets", name)?;
                self.list("environment", name, ("value", &value.0))
            }
            Edit::Secret(name, from) => {
                self.unlist("environment", name)?;
                self.list("secrets", name, ("valueFrom", &from.0))
            }
            Edit::Unset(name) => {
                self.unlist("environment", name)?;
                self.unlist("secrets", name)
            }
            Edit::Cpu(units) => {
                self.set("cpu", to_raw_value(units)?);
                Ok(())
            }
            Edit::Memory(size) => {
                self.set("memory", to_raw_value(size)?);
                Ok(())
            }
            Edit::Command(words) if words.is_empty() => {
                self.0.retain(|(key, _)| key != "command");
                Ok(())
            }
            Edit::Command(words) => {
                let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
                self.set("command", to_raw_value(&words)?);
                Ok(())
            }
        }
    }

    /// The items of a member that may be missing.
    fn items(&self, member: &str) -> Result<Vec<Self>, serde_json::Error> {
        let items = self.get(member).map(|raw| serde_json::from_str::<Option<_>>(raw.get()));
        Ok(items.transpose()?.flatten().unwrap_or_default())
    }

    fn is_named(&self, name: &str) -> bool {
        self.part::<String>("name").is_ok_and(|own| own == name)
    }

    /// The item of that name has this value; the others stay as they are written, in their order.
    fn list(
        &mut self,
        member: &str,
        name: &str,
        (key, value): (&str, &str),
    ) -> Result<(), serde_json::Error> {
        let mut items = self.items(member)?;
        match items.iter_mut().find(|item| item.is_named(name)) {
            Some(item) => item.set(key, to_raw_value(value)?),
            None => items.push(Self(vec![
                ("name".to_owned(), to_raw_value(name)?),
                (key.to_owned(), to_raw_value(value)?),
            ])),
        }
        self.set(member, to_raw_value(&items)?);
        Ok(())
    }

    /// No item has that name.
    fn unlist(&mut self, member: &str, name: &str) -> Result<(), serde_json::Error> {
        let mut items = self.items(member)?;
        let before = items.len();
        items.retain(|item| !item.is_named(name));
        if items.len() < before {
            self.set(member, to_raw_value(&items)?);
        }
        Ok(())
    }

    fn part<'de, T: Deserialize<'de>>(&'de self, name: &str) -> Result<T, serde_json::Error> {
        let missing = || serde::de::Error::custom(format!("no member `{name}`"));
        serde_json::from_str(self.get(name).ok_or_else(missing)?.get())
    }
}

impl<'de> Deserialize<'de> for RawObject {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = RawObject;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawObject, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(RawObject(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

impl Serialize for RawObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}

/// What a clone has that its original has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Images, by container.
    pub images: BTreeMap<String, String>,
    /// Everything else.
    pub edits: Vec<Placed>,
}

impl Changes {
    /// For people, without what may be secret: `with web=shop/web:2, web:LOG_LEVEL=***`.
    pub fn show(&self) -> String {
        let images = self.images.iter().map(|(container, image)| format!("{container}={image}"));
        let all: Vec<String> = images.chain(self.edits.iter().map(edits::show)).collect();
        match all[..] {
            [] => String::new(),
            [..] => format!(" with {}", all.join(", ")),
        }
    }
}

/// The body of a RegisterTaskDefinition that makes a revision like `describe` (AWS's answer to
/// DescribeTaskDefinition) with these changes, and with `tags`.
pub fn clone_request(
    describe: &str,
    changes: &Changes,
    tags: &BTreeMap<String, String>,
) -> Result<String, serde_json::Error> {
    let top: RawObject = serde_json::from_str(describe)?;
    let mut definition: RawObject = top.part("taskDefinition")?;
    definition.0.retain(|(key, _)| !OUTPUT_ONLY.contains(&key.as_str()));
    let mut containers: Vec<RawObject> = definition.part("containerDefinitions")?;
    for container in &mut containers {
        let name: String = container.part("name")?;
        if let Some(image) = changes.images.get(&name) {
            container.set("image", to_raw_value(image)?);
        }
        for (_, edit) in changes.edits.iter().filter(|(place, _)| is_container(place, &name)) {
            container.edit(edit)?;
        }
    }
    for (_, edit) in changes.edits.iter().filter(|(place, _)| *place == Place::Task) {
        match edit {
            // The task's sizes are texts, its containers' are numbers.
            Edit::Cpu(units) => definition.set("cpu", to_raw_value(&units.to_string())?),
            Edit::Memory(size) => definition.set("memory", to_raw_value(&size.to_string())?),
            _ => {}
        }
    }
    definition.set("containerDefinitions", to_raw_value(&containers)?);
    if !tags.is_empty() {
        let list: Vec<_> = tags
            .iter()
            .map(|(key, value)| serde_json::json!({"key": key, "value": value}))
            .collect();
        definition.set("tags", to_raw_value(&list)?);
    }
    serde_json::to_string(&definition)
}

fn is_container(place: &Place, name: &str) -> bool {
    matches!(place, Place::Container(own) if own == name)
}

/// The tags of a revision that a clone of it takes over: neither AWS's own nor our record.
pub fn own_tags(tags: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let ours = |key: &str| key.starts_with("ecs-bg:") || key.starts_with("aws:");
    tags.iter()
        .filter(|(key, _)| !ours(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// What differs between the `wanted` body of a RegisterTaskDefinition and what AWS says it
/// `registered` (an answer to DescribeTaskDefinition), as paths. Members that AWS added are its
/// defaults and no loss; environment and secrets are sets by name.
pub fn lost(wanted: &str, registered: &str) -> Result<Vec<String>, serde_json::Error> {
    let mut wanted: Value = serde_json::from_str(wanted)?;
    if let Some(object) = wanted.as_object_mut() {
        object.remove("tags");
    }
    let registered: Value = serde_json::from_str(registered)?;
    let mut paths = Vec::new();
    compare(&wanted, registered.get("taskDefinition").unwrap_or(&Value::Null), "", &mut paths);
    Ok(paths)
}

fn compare(wanted: &Value, found: &Value, path: &str, paths: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (key, value) in wanted {
                let path = format!("{path}/{key}");
                match found.get(key) {
                    Some(other) => compare(value, other, &path, paths),
                    None if is_empty(value) => {}
                    None => paths.push(path),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found))
            if wanted.len() == found.len() && are_named(wanted) && are_named(found) =>
        {
            for value in wanted {
                let path = format!("{path}/{}", value["name"].as_str().unwrap_or("?"));
                match found.iter().find(|other| other["name"] == value["name"]) {
                    Some(other) => compare(value, other, &path, paths),
                    None => paths.push(path),
                }
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (value, other)) in wanted.iter().zip(found).enumerate() {
                compare(value, other, &format!("{path}/{index}"), paths);
            }
        }
        (wanted, found) if wanted == found => {}
        _ => paths.push(path.to_owned()),
    }
}

/// Containers, environment, secrets and the like are sets by name: AWS may answer in another order.
fn are_named(items: &[Value]) -> bool {
    let names: std::collections::BTreeSet<&str> =
        items.iter().filter_map(|item| item["name"].as_str()).collect();
    names.len() == items.len() && !items.is_empty()
}

/// AWS may leave out what holds nothing.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// What holds nothing is the same as what is not there.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !is_empty(value));
            members.values_mut().for_each(drop_empty);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

/// The lines that a registration of `body` changes against the revision that AWS `described`, as a
/// unified diff. What may be secret is masked on both sides, so a changed secret shows as changed
/// and a kept one does not show.
pub fn diff(described: &str, body: &str) -> Result<Vec<String>, serde_json::Error> {
    let before: Value = serde_json::from_str(described)?;
    let mut before = before.get("taskDefinition").cloned().unwrap_or_default();
    let mut after: Value = serde_json::from_str(body)?;
    if let Some(object) = before.as_object_mut() {
        object.retain(|key, _| !OUTPUT_ONLY.contains(&key.as_str()));
    }
    if let Some(object) = after.as_object_mut() {
        object.remove("tags");
    }
    let mut seen = Vec::new();
    for value in [&mut before, &mut after] {
        mask(value, false, &mut seen);
        drop_empty(value);
        value.sort_all_objects();
    }
    let (before, after) =
        (serde_json::to_string_pretty(&before)?, serde_json::to_string_pretty(&after)?);
    let diff = TextDiff::from_lines(&before, &after);
    let mut lines = Vec::new();
    for group in diff.grouped_ops(1) {
        if !lines.is_empty() {
            lines.push("…".to_owned());
        }
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let sign = match change.tag() {
                ChangeTag::Delete => '-',
                ChangeTag::Insert => '+',
                ChangeTag::Equal => ' ',
            };
            lines.push(format!("{sign} {}", change.value().trim_end()));
        }
    }
    Ok(lines)
}

/// Members whose values may be secret: an environment's values, what a secret points to, a logging
/// driver's options, and commands (a health check's too), which may carry a password.
const SECRET_MEMBERS: [&str; 7] =
    ["environment", "secrets", "secretOptions", "options", "command", "entryPoint", "dockerLabels"];

/// Replaces what may be secret by `***` and a number: equal values have equal numbers, so that a
/// diff shows which ones change and never what they are.
fn mask(value: &mut Value, secret: bool, seen: &mut Vec<Value>) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (key, value) in members {
                // The name of a variable is no secret.
                let named = secret && key == "name";
                mask(value, !named && (secret || SECRET_MEMBERS.contains(&key.as_str())), seen);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, secret, seen)),
        value if secret => {
            let number = seen.iter().position(|other| other == value).unwrap_or_else(|| {
                seen.push(value.clone());
                seen.len() - 1
            });
            *value = Value::String(format!("***{}", number + 1));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DESCRIBED: &str = r#"{"taskDefinition":{"taskDefinitionArn":"arn:aws:ecs:eu-central-1:1:task-definition/web:7",
        "family":"web","revision":7,"status":"ACTIVE","new1":12345678901234567890123,"containerDefinitions":[
        {"name":"web","image":"r/web:1","cpu":2.50,"new2":"\u00e9","portMappings":[{"containerPort":80}],
         "environment":[{"name":"TOKEN","value":"hunter2"},{"name":"MODE","value":"a"}]},{"name":"side","image":"x:1"}]},
        "tags":[{"key":"team","value":"shop"},{"key":"ecs-bg:record","value":"v=1"},{"key":"aws:x","value":"y"}]}"#;

    fn images(image: &str) -> Changes {
        let images = BTreeMap::from([("web".to_owned(), image.to_owned())]);
        Changes { images, ..Changes::default() }
    }

    #[test]
    fn a_clone_changes_the_image_and_carries_the_rest_as_it_was_written() {
        let revision = Revision::read(DESCRIBED).unwrap();
        assert_eq!((revision.name.as_str(), revision.family()), ("web:7", "web"));
        assert_eq!(revision.ports, [("web".to_owned(), 80)]);
        let body = clone_request(DESCRIBED, &images("r/web:2"), &own_tags(&revision.tags)).unwrap();
        let expected = DESCRIBED
            .replace("{\"taskDefinition\":{\"taskDefinitionArn\":\"arn:aws:ecs:eu-central-1:1:task-definition/web:7\",", "{")
            .replace("\"revision\":7,\"status\":\"ACTIVE\",", "")
            .replace("r/web:1", "r/web:2");
        let strip = |text: &str| text.split_whitespace().collect::<String>();
        let definition = strip(&expected);
        let definition = definition.split_once("},\"tags\"").unwrap().0;
        assert_eq!(
            strip(&body),
            format!("{definition},\"tags\":[{{\"key\":\"team\",\"value\":\"shop\"}}]}}")
        );
    }

    fn edited(edits: Vec<Placed>) -> String {
        let changes = Changes { edits, ..Changes::default() };
        clone_request(DESCRIBED, &changes, &BTreeMap::new()).unwrap()
    }

    #[test]
    fn an_edit_changes_its_member_and_nothing_beside_it() {
        let at = |edit| (Place::Container("web".to_owned()), edit);
        let hidden = |text: &str| crate::edits::Hidden(text.to_owned());
        let plain = edited(vec![]);
        let changed = edited(vec![at(Edit::Env("MODE".into(), hidden("b")))]);
        assert_eq!(changed, plain.replace(r#""value":"a""#, r#""value":"b""#));
        let added = edited(vec![at(Edit::Env("NEW".into(), hidden("\"x\"")))]);
        let (list, item) = (r#"{"name":"MODE","value":"a"}"#, r#"{"name":"NEW","value":"\"x\""}"#);
        assert_eq!(added, plain.replace(list, &format!("{list},{item}")));
        let secret = edited(vec![at(Edit::Secret("TOKEN".into(), hidden("arn:x")))]);
        assert!(secret.contains(r#""secrets":[{"name":"TOKEN","valueFrom":"arn:x"}]"#), "{secret}");
        assert!(!secret.contains("hunter2"), "a variable is set once: {secret}");
        let unset = edited(vec![at(Edit::Unset("TOKEN".into())), at(Edit::Unset("NONE".into()))]);
        assert_eq!(unset, plain.replace(r#"{"name":"TOKEN","value":"hunter2"},"#, ""));
        let sized = edited(vec![(Place::Task, Edit::Cpu(512)), at(Edit::Cpu(10))]);
        let expected = plain.replace("2.50", "10");
        assert_eq!(sized, format!("{},\"cpu\":\"512\"}}", expected.strip_suffix('}').unwrap()));
        let command = edited(vec![at(Edit::Command(vec![hidden("a"), hidden("b c")]))]);
        assert!(command.contains(r#""command":["a","b c"]"#), "{command}");
    }

    #[test]
    fn a_file_is_read_plain_or_as_described_and_carried_as_it_is_written() {
        let plain = r#"{ "family":"web", "new":1.50, "containerDefinitions":[{"name":"web","image":"r/web:1"}],
            "tags":[{"key":"team","value":"shop"}] }"#;
        let described = r#"{"taskDefinition":{"family":"web","revision":7,"new":1.50,
            "containerDefinitions":[{"name":"web","image":"r/web:1"}]},"tags":[{"key":"team","value":"shop"}]}"#;
        for text in [plain, described] {
            let read = Revision::written("task.json", text).unwrap();
            assert_eq!((read.name.as_str(), read.family()), ("task.json", "web"));
            let body = clone_request(&read.raw, &images("r/web:2"), &own_tags(&read.tags)).unwrap();
            assert_eq!(
                body,
                r#"{"family":"web","new":1.50,"containerDefinitions":[{"name":"web","image":"r/web:2"}],"tags":[{"key":"team","value":"shop"}]}"#
            );
        }
        for text in [
            "",
            "[]",
            r#"{"family":"x"}"#,
            r#"{"family":"x","containerDefinitions":[{}]}"#,
            r#"{"family":"x","containerDefinitions":[{"name":"a","image":"b"}],"tags":"hunter2"}"#,
            r#"{"family":"x","containerDefinitions":[{"name":"a","image":"b","portMappings":"hunter2"}]}"#,
        ] {
            let why = Revision::written("task.json", text).unwrap_err();
            assert!(!why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn reading_back_names_what_was_lost_and_nothing_else() {
        let body = clone_request(DESCRIBED, &images("r/web:2"), &BTreeMap::new()).unwrap();
        let registered =
            |change: fn(String) -> String| change(DESCRIBED.replace("r/web:1", "r/web:2"));
        assert_eq!(lost(&body, &registered(|text| text)).unwrap(), [""; 0]);
        let swapped = r#"{"name":"MODE","value":"a"},{"name":"TOKEN","value":"hunter2"}"#;
        let original = r#"{"name":"TOKEN","value":"hunter2"},{"name":"MODE","value":"a"}"#;
        assert_eq!(
            lost(&body, &DESCRIBED.replace("web:1\"", "web:2\"").replace(original, swapped))
                .unwrap(),
            [""; 0]
        );
        let cut =
            registered(|text| text.replace("\"cpu\":2.50,", "").replace("hunter2", "hunter3"));
        assert_eq!(
            lost(&body, &cut).unwrap(),
            ["/containerDefinitions/web/cpu", "/containerDefinitions/web/environment/TOKEN/value"]
        );
    }

    #[test]
    fn a_diff_shows_the_image_and_masks_what_may_be_secret() {
        let body = clone_request(DESCRIBED, &images("r/web:2"), &BTreeMap::new()).unwrap();
        let lines = diff(DESCRIBED, &body).unwrap().join("\n");
        assert!(
            lines.contains("-       \"image\": \"r/web:1\"")
                && lines.contains("+       \"image\": \"r/web:2\""),
            "{lines}"
        );
        let lines = diff(DESCRIBED, &body.replace("hunter2", "hunter3")).unwrap().join("\n");
        assert!(
            lines.contains("-           \"value\": \"***1\"")
                && lines.contains("+           \"value\": \"***3\""),
            "{lines}"
        );
        assert!(lines.contains("\"name\": \"TOKEN\"") && !lines.contains("hunter"), "{lines}");
    }
}
