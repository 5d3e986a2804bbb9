//! The one normal form of a task definition: what people write in files, what is sent, what AWS says
//! it has, and what is compared. A member that AWS does not know yet keeps its bytes.

use std::borrow::Cow;
use std::fmt;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// Every member of RegisterTaskDefinition and what it holds, after the API's public model: `text`; a
/// `word`, which is a text that AWS does not take empty; `units`, which are those of the task's size;
/// `int`; `bool`; a `map` of texts; or members of its own.
const MEMBERS: &str = include_str!("definition.txt");

/// What is wrong with a member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The member's path, its line, and what is wrong.
    pub what: String,
    /// What to write.
    pub fix: String,
}

/// A member that AWS knows.
struct Member {
    name: &'static str,
    /// How many lists are around it.
    lists: usize,
    holds: Holds,
}

enum Holds {
    Text,
    Word,
    Units,
    Int,
    Bool,
    Map,
    Members(Vec<Member>),
}

static DEFINITION: LazyLock<Holds> = LazyLock::new(|| {
    let lines: Vec<&str> = MEMBERS.lines().collect();
    Holds::Members(members(&mut &lines[..], 0))
});

/// The members at this depth, off the front of the lines.
fn members(lines: &mut &[&'static str], depth: usize) -> Vec<Member> {
    let mut found = Vec::new();
    while let Some((line, rest)) = lines.split_first() {
        let text = line.trim_start();
        if line.len() - text.len() != 2 * depth {
            break;
        }
        *lines = rest;
        let (name, holds) = text.split_once(' ').unwrap_or((text, ""));
        let holds = match holds {
            "word" => Holds::Word,
            "units" => Holds::Units,
            "int" => Holds::Int,
            "bool" => Holds::Bool,
            "map" => Holds::Map,
            "" => Holds::Members(members(lines, depth + 1)),
            _ => Holds::Text,
        };
        let bare = name.trim_end_matches("[]");
        found.push(Member { name: bare, lists: (name.len() - bare.len()) / 2, holds });
    }
    found
}

/// A definition in its normal form. `null` is absent; `1 vCPU` and `0.5GB` are what AWS makes of them; an
/// empty text is absent where AWS takes none; a number such as `128.0` is an integer. `source` is the
/// text that `definition` was read from: flaws name its lines. Flawed members stay as they are written.
pub fn normal(definition: &RawValue, source: &str) -> (String, Vec<Flaw>) {
    let mut walk = Walk { source, flaws: Vec::new() };
    let text = walk.value(definition, Some((&DEFINITION, 0)), "");
    (text.unwrap_or_else(|| "{}".to_owned()), walk.flaws)
}

/// A definition as it is compared: its normal form, with what AWS fills in and without what holds
/// nothing.
pub fn comparable(definition: &RawValue) -> Result<Value, serde_json::Error> {
    let (text, _) = normal(definition, definition.get());
    let mut value: Value = serde_json::from_str(&text)?;
    fill_in(&mut value);
    drop_empty(&mut value);
    Ok(value)
}

struct Walk<'a> {
    source: &'a str,
    flaws: Vec<Flaw>,
}

impl<'a> Walk<'a> {
    /// A value in its normal form; `None`: it is absent. `shape` is what it should hold, inside of so many
    /// lists.
    fn value(
        &mut self,
        raw: &'a RawValue,
        shape: Option<(&Holds, usize)>,
        path: &str,
    ) -> Option<String> {
        let text = raw.get();
        let first = text.bytes().next().unwrap_or_default();
        if first == b'n' {
            return None;
        }
        match (shape, first) {
            (Some((_, lists)), b'[') if lists > 0 => self.list(raw, shape, path),
            (None, b'[') => self.list(raw, None, path),
            (Some((Holds::Members(members), 0)), b'{') => self.object(raw, Some(members), path),
            (Some((Holds::Map, 0)), b'{') => self.map(raw, path),
            (None, b'{') => self.object(raw, None, path),
            (Some((Holds::Word | Holds::Units, 0)), b'"') if text == "\"\"" => None,
            (Some((Holds::Text | Holds::Word, 0)), b'"') => Some(text.to_owned()),
            (Some((Holds::Units, 0)), _) if first != b'[' && first != b'{' => Some(units(text)),
            (Some((Holds::Bool, 0)), b't' | b'f') => Some(text.to_owned()),
            (Some((Holds::Int, 0)), b'-' | b'0'..=b'9') => {
                let number = integer(text);
                if number.contains(['.', 'e', 'E']) {
                    self.flaw(raw, path, "must be a whole number", "write a whole number".into());
                }
                Some(number)
            }
            (None, b'-' | b'0'..=b'9') => Some(integer(text)),
            (None, _) => Some(text.to_owned()),
            (Some((holds, lists)), _) => {
                self.wrong_kind(raw, holds, lists, path);
                Some(text.to_owned())
            }
        }
    }

    fn list(
        &mut self,
        raw: &'a RawValue,
        shape: Option<(&Holds, usize)>,
        path: &str,
    ) -> Option<String> {
        let items: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
        let inner = shape.map(|(holds, lists)| (holds, lists - 1));
        let count = items.len();
        let items: Vec<String> = items
            .into_iter()
            .enumerate()
            .filter_map(|(index, item)| self.value(item, inner, &format!("{path}[{index}]")))
            .collect();
        (count == 0 || !items.is_empty()).then(|| format!("[{}]", items.join(",")))
    }

    fn map(&mut self, raw: &'a RawValue, path: &str) -> Option<String> {
        self.each(raw, path, |_| Some((&Holds::Text, 0)))
    }

    fn object(
        &mut self,
        raw: &'a RawValue,
        members: Option<&[Member]>,
        path: &str,
    ) -> Option<String> {
        self.each(raw, path, |name| {
            let known = members?.iter().find(|member| member.name == name)?;
            Some((&known.holds, known.lists))
        })
    }

    fn each<'s>(
        &mut self,
        raw: &'a RawValue,
        path: &str,
        shape: impl Fn(&str) -> Option<(&'s Holds, usize)>,
    ) -> Option<String> {
        let Members(members) = serde_json::from_str(raw.get()).ok()?;
        let count = members.len();
        let mut kept: Vec<(Cow<'_, str>, String)> = Vec::new();
        for (name, value) in members {
            let path = match path {
                "" => name.clone().into_owned(),
                path => format!("{path}.{name}"),
            };
            if kept.iter().any(|(other, _)| *other == name) {
                self.flaw(value, &path, "is given twice", format!("write `{name}` once"));
            } else if let Some(value) = self.value(value, shape(&name), &path) {
                kept.push((name, value));
            }
        }
        let members: Vec<String> =
            kept.iter().map(|(name, value)| format!("{}:{value}", quoted(name))).collect();
        (count == 0 || !members.is_empty()).then(|| format!("{{{}}}", members.join(",")))
    }

    fn wrong_kind(&mut self, raw: &RawValue, holds: &Holds, lists: usize, path: &str) {
        let needed = match (holds, lists) {
            (_, 1..) => "a list",
            (Holds::Int, _) => "a number",
            (Holds::Bool, _) => "true or false",
            (Holds::Members(_) | Holds::Map, _) => "an object",
            (Holds::Text | Holds::Word | Holds::Units, _) => "a text",
        };
        let found = match raw.get().bytes().next() {
            Some(b'"') => "a text",
            Some(b'{') => "an object",
            Some(b'[') => "a list",
            Some(b't' | b'f') => "true or false",
            _ => "a number",
        };
        let bare = raw.get().trim_matches('"');
        // Any other value may be secret: it is not repeated.
        let is_plain = match needed {
            "a number" => !bare.is_empty() && bare.bytes().all(|b| b.is_ascii_digit()),
            "true or false" => matches!(bare, "true" | "false"),
            _ => false,
        };
        let fix = match (needed, found) {
            _ if is_plain => format!("write {bare} without quotation marks"),
            ("a text", "a number" | "true or false") => "put it in quotation marks".to_owned(),
            ("a list", _) => "put it in [ and ]".to_owned(),
            _ => format!("write {needed}"),
        };
        self.flaw(raw, path, &format!("must be {needed}, not {found}"), fix);
    }

    fn flaw(&mut self, at: &RawValue, path: &str, why: &str, fix: String) {
        let offset = (at.get().as_ptr() as usize).checked_sub(self.source.as_ptr() as usize);
        let before = offset.and_then(|offset| self.source.get(..offset)).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        self.flaws.push(Flaw {
            what: format!("line {line}: {path} {why}"),
            fix: format!("{fix} in line {line}"),
        });
    }
}

/// A whole number without a fraction or an exponent; any other stays as it is written.
fn integer(text: &str) -> String {
    // Beyond this, numbers of this kind are not exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if !text.contains(['.', 'e', 'E']) {
        return text.to_owned();
    }
    match text.parse::<f64>() {
        Ok(number) if number.fract() == 0.0 && number.abs() < EXACT => format!("{number:.0}"),
        _ => text.to_owned(),
    }
}

/// The task's CPU or memory as AWS keeps it: `1 vCPU` and `1GB` are the text `1024`. AWS takes them in any
/// case, with and without a blank.
fn units(raw: &str) -> String {
    let text = match serde_json::from_str::<String>(raw) {
        Ok(text) => text,
        Err(_) => return quoted(&integer(raw)),
    };
    let lower = text.trim().to_lowercase();
    let number = lower.strip_suffix("vcpu").or_else(|| lower.strip_suffix("gb"));
    let number = number.and_then(|number| number.trim().parse::<f64>().ok());
    match number.filter(|number| number.is_finite() && *number >= 0.0) {
        Some(number) => quoted(&format!("{:.0}", number * 1024.0)),
        None => raw.to_owned(),
    }
}

/// The vCPUs of a task.
pub fn vcpus(definition: &Value) -> Option<f64> {
    let units = units(&definition.get("cpu")?.to_string());
    let units: f64 = serde_json::from_str::<String>(&units).ok()?.parse().ok()?;
    Some(units / 1024.0)
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// What AWS adds to what was registered, and shows of it since.
fn fill_in(definition: &mut Value) {
    let mode = definition["networkMode"].as_str().unwrap_or("bridge").to_owned();
    let Some(members) = definition.as_object_mut() else { return };
    drop_default(members, "enableFaultInjection", &Value::from(false));
    for container in items(members, "containerDefinitions") {
        add(container, "cpu", 0);
        add(container, "essential", true);
        drop_default(container, "versionConsistency", &Value::from("enabled"));
        for port in items(container, "portMappings") {
            add(port, "protocol", "tcp");
            let own = port.get("containerPort").cloned();
            let host = match mode.as_str() {
                "awsvpc" | "host" => own,
                _ => own.map(|_| Value::from(0)),
            };
            if let Some(host) = host {
                drop_default(port, "hostPort", &Value::from(0));
                add(port, "hostPort", host);
            }
        }
        for list in ["mountPoints", "volumesFrom"] {
            for one in items(container, list) {
                drop_default(one, "readOnly", &Value::from(false));
            }
        }
        if let Some(Value::Object(check)) = container.get_mut("healthCheck") {
            for (member, default) in [("interval", 30), ("timeout", 5), ("retries", 3)] {
                add(check, member, default);
            }
        }
    }
    for volume in items(members, "volumes") {
        if let Some(Value::Object(efs)) = volume.get_mut("efsVolumeConfiguration") {
            drop_default(efs, "rootDirectory", &Value::from("/"));
        }
    }
}

fn items<'v>(
    members: &'v mut Map<String, Value>,
    list: &str,
) -> impl Iterator<Item = &'v mut Map<String, Value>> + use<'v> {
    let items = members.get_mut(list).and_then(Value::as_array_mut);
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}

fn add(members: &mut Map<String, Value>, member: &str, default: impl Into<Value>) {
    members.entry(member).or_insert_with(|| default.into());
}

fn drop_default(members: &mut Map<String, Value>, member: &str, default: &Value) {
    if members.get(member) == Some(default) {
        members.shift_remove(member);
    }
}

/// What holds nothing is the same as what is not there.
fn drop_empty(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(drop_empty);
            members.retain(|_, value| !is_empty(value));
        }
        Value::Array(items) => items.iter_mut().for_each(drop_empty),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// The members of an object where they stand in its text, each as often as it is written.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, &RawValue>()? {
                    members.push((Cow::Owned(name), value));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Vec<Flaw>) {
        normal(serde_json::from_str(text).unwrap(), text)
    }

    #[test]
    fn what_people_write_is_brought_to_the_form_that_aws_keeps() {
        for (written, wanted) in [
            (r#"{"volumes":null,"containerDefinitions":[null,{"user":null}]}"#, "{}"),
            (r#"{"cpu":"1 vCPU","memory":"0.5GB"}"#, r#"{"cpu":"1024","memory":"512"}"#),
            (r#"{"cpu":".25 vCPU","memory":"2 gb"}"#, r#"{"cpu":"256","memory":"2048"}"#),
            (r#"{"cpu":256,"memory":512.0}"#, r#"{"cpu":"256","memory":"512"}"#),
            (r#"{"cpu":"lots","memory":"-1 GB"}"#, r#"{"cpu":"lots","memory":"-1 GB"}"#),
            (r#"{"cpu":"","taskRoleArn":"","pidMode":""}"#, "{}"),
            (r#"{"runtimePlatform":{"cpuArchitecture":""},"volumes":[]}"#, r#"{"volumes":[]}"#),
            (
                r#"{"containerDefinitions":[{"memory":128.0,"cpu":1e2,"command":[""]}]}"#,
                r#"{"containerDefinitions":[{"memory":128,"cpu":100,"command":[""]}]}"#,
            ),
            (
                r#"{"containerDefinitions":[{"environment":[{"name":"A","value":""}],"dockerLabels":{"a":"","b":null}}]}"#,
                r#"{"containerDefinitions":[{"environment":[{"name":"A","value":""}],"dockerLabels":{"a":""}}]}"#,
            ),
            (
                r#"{"new":{"a":1.50,"b":2.0,"c":12345678901234567890123,"d":[null,""],"e":"\u00e9"}}"#,
                r#"{"new":{"a":1.50,"b":2,"c":12345678901234567890123,"d":[""],"e":"\u00e9"}}"#,
            ),
        ] {
            let (text, flaws) = read(written);
            assert_eq!((text.as_str(), flaws), (wanted, vec![]), "{written}");
            assert_eq!(read(&text).0, text, "the normal form is normal");
        }
    }

    #[test]
    fn a_member_of_another_kind_is_named_with_its_line_and_what_to_write() {
        for (written, what, fix) in [
            (
                "{\"containerDefinitions\":[{\n\"portMappings\":[{\"containerPort\":\n\"80\"}]}]}",
                "line 3: containerDefinitions[0].portMappings[0].containerPort must be a number, not a text",
                "write 80 without quotation marks in line 3",
            ),
            (
                r#"{"containerDefinitions":[{"environment":[{"value":8080}]}]}"#,
                "line 1: containerDefinitions[0].environment[0].value must be a text, not a number",
                "put it in quotation marks in line 1",
            ),
            (
                r#"{"containerDefinitions":[{"essential":"true"}]}"#,
                "line 1: containerDefinitions[0].essential must be true or false, not a text",
                "write true without quotation marks in line 1",
            ),
            (
                r#"{"containerDefinitions":[{"command":"serve"}]}"#,
                "line 1: containerDefinitions[0].command must be a list, not a text",
                "put it in [ and ] in line 1",
            ),
            (
                r#"{"containerDefinitions":[{"cpu":1.5}]}"#,
                "line 1: containerDefinitions[0].cpu must be a whole number",
                "write a whole number in line 1",
            ),
            (
                "{\"cpu\":\"1\",\n\"cpu\":\"2\"}",
                "line 2: cpu is given twice",
                "write `cpu` once in line 2",
            ),
        ] {
            let (_, flaws) = read(written);
            let wanted = Flaw { what: what.to_owned(), fix: fix.to_owned() };
            assert_eq!(flaws, [wanted], "{written}");
        }
        let secret = r#"{"containerDefinitions":[{"cpu":"hunter2"}]}"#;
        assert!(!format!("{:?}", read(secret).1).contains("hunter2"));
    }

    #[test]
    fn what_aws_fills_in_and_what_holds_nothing_make_no_difference() {
        let compared = |text: &str| comparable(serde_json::from_str(text).unwrap()).unwrap();
        let written = r#"{"networkMode":"awsvpc","containerDefinitions":[{"name":"a","portMappings":[{"containerPort":80,"hostPort":0}],
            "healthCheck":{"command":["CMD","x"]},"environment":[{"name":"A","value":"1"},{"name":"B","value":"1"}],"linuxParameters":{"capabilities":{"add":[]}}}]}"#;
        let described = r#"{"networkMode":"awsvpc","containerDefinitions":[{"name":"a","cpu":0,"essential":true,
            "portMappings":[{"containerPort":80,"hostPort":80,"protocol":"tcp"}],"healthCheck":{"command":["CMD","x"],"interval":30,"timeout":5,"retries":3},
            "environment":[{"name":"A","value":"1"},{"name":"B","value":"1"}],"mountPoints":[],"systemControls":[]}],"volumes":[],"enableFaultInjection":false}"#;
        assert_eq!(compared(written), compared(described));
        assert_ne!(compared(written), compared(&described.replace("\"tcp\"", "\"udp\"")));
        assert_ne!(compared(written), compared(&described.replace("\"cpu\":0", "\"cpu\":1")));
        let bridge = r#"{"containerDefinitions":[{"portMappings":[{"containerPort":80}]}]}"#;
        let fixed = bridge.replace("80}", "80,\"hostPort\":80}");
        assert_ne!(compared(bridge), compared(&fixed), "a fixed port is not a dynamic one");
    }
}
