//! A task definition cloned: given new images and edited. Every other member is carried as the exact
//! bytes that AWS sent.

use std::collections::BTreeMap;

use serde_json::value::to_raw_value;

use crate::event::{Edited, EditedMember};
use crate::model::raw_json::RawObject;
use crate::model::revision::OUTPUT_ONLY;
use crate::request::edits::{Edit, Place, Placed};

/// What a clone has that its original has not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Images, by container.
    pub images: BTreeMap<String, String>,
    /// Everything else.
    pub edits: Vec<Placed>,
    /// Values of variables are shown.
    pub show_env: bool,
}

impl Changes {
    /// Everything but the images, without what may be secret.
    pub fn shown_edits(&self) -> Vec<Edited> {
        self.edits.iter().map(|edit| self.shown(edit)).collect()
    }

    fn shown(&self, (place, edit): &Placed) -> Edited {
        let container = match place {
            Place::Task => None,
            Place::Container(name) => Some(name.clone()),
        };
        let what = match edit {
            Edit::Env(name, value) => EditedMember::Env {
                name: name.clone(),
                value: self.show_env.then(|| value.0.clone()),
            },
            Edit::Secret(name, _) => EditedMember::Secret { name: name.clone() },
            Edit::Unset(name) => EditedMember::Unset { name: name.clone() },
            Edit::Cpu(units) => EditedMember::Cpu { units: *units },
            Edit::Memory(size) => EditedMember::Memory { mib: *size },
            Edit::Command(words) => EditedMember::Command { of_image: words.is_empty() },
        };
        Edited { container, what }
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
            change(container, edit)?;
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

/// Changes a container.
fn change(container: &mut RawObject, edit: &Edit) -> Result<(), serde_json::Error> {
    match edit {
        Edit::Env(name, value) => {
            container.unlist("secrets", name)?;
            container.list("environment", name, ("value", &value.0))
        }
        Edit::Secret(name, from) => {
            container.unlist("environment", name)?;
            container.list("secrets", name, ("valueFrom", &from.0))
        }
        Edit::Unset(name) => {
            container.unlist("environment", name)?;
            container.unlist("secrets", name)
        }
        Edit::Cpu(units) => {
            container.set("cpu", to_raw_value(units)?);
            Ok(())
        }
        Edit::Memory(size) => {
            container.set("memory", to_raw_value(size)?);
            Ok(())
        }
        Edit::Command(words) if words.is_empty() => {
            container.0.retain(|(key, _)| key != "command");
            Ok(())
        }
        Edit::Command(words) => {
            let words: Vec<&str> = words.iter().map(|word| word.0.as_str()).collect();
            container.set("command", to_raw_value(&words)?);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::diff::{diff, lost};
    use crate::model::revision::Revision;

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
        let hidden = |text: &str| crate::request::edits::Hidden(text.to_owned());
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
            assert!(!format!("{why:?}").contains("hunter2"), "{why:?}");
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
        let lines = diff(DESCRIBED, &body, false).unwrap().join("\n");
        assert!(
            lines.contains("-       \"image\": \"r/web:1\"")
                && lines.contains("+       \"image\": \"r/web:2\""),
            "{lines}"
        );
        let lines = diff(DESCRIBED, &body.replace("hunter2", "hunter3"), false).unwrap().join("\n");
        assert!(
            lines.contains("-           \"value\": \"***1\"")
                && lines.contains("+           \"value\": \"***3\""),
            "{lines}"
        );
        assert!(lines.contains("\"name\": \"TOKEN\"") && !lines.contains("hunter"), "{lines}");
        let shown = diff(DESCRIBED, &body.replace("hunter2", "hunter3"), true).unwrap().join("\n");
        assert!(shown.contains("\"value\": \"hunter3\""), "{shown}");
    }
}
