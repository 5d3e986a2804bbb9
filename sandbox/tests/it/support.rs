//! A client that knows the protocols and nothing else.

use std::time::Duration;

use bytes::Bytes;
use ecs_bg_sandbox::{Cloud, scenario::Scenario};
use quick_xml::{Reader, events::Event};
use serde_json::{Map, Value, json};

/// A world and the connection to it.
pub(crate) struct World {
    pub(crate) cloud: Cloud,
}

/// The code and the message of an error.
pub(crate) type Refused = (String, String);

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

impl World {
    pub(crate) fn shop() -> World {
        World::with("extends = 'shop'")
    }

    pub(crate) fn with(text: &str) -> World {
        let scenario = Scenario::parse(text, "test.toml").unwrap_or_else(|error| panic!("{error}"));
        World { cloud: Cloud::from_scenario(&scenario).unwrap_or_else(|error| panic!("{error}")) }
    }

    pub(crate) fn pass(&mut self, time: u64) {
        self.cloud.advance(self.cloud.now() + seconds(time));
    }

    pub(crate) fn send(
        &mut self,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> http::Response<Bytes> {
        let mut request = http::Request::builder().method("POST").uri("https://aws.example/");
        let scope = "AWS4-HMAC-SHA256 Credential=AKID/20260115/eu-central-1/x/aws4_request, SignedHeaders=host, Signature=0";
        request = request.header("authorization", scope).header("user-agent", "test/1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(body.into()).expect("a request");
        self.cloud.handle(self.cloud.now(), &request)
    }

    pub(crate) fn json(&mut self, target: &str, body: impl Into<Bytes>) -> Result<String, Refused> {
        let response = self.send(
            &[("x-amz-target", target), ("content-type", "application/x-amz-json-1.1")],
            body,
        );
        let text = String::from_utf8(response.body().to_vec()).expect("text");
        if response.status() == 200 {
            return Ok(text);
        }
        let error: Value = serde_json::from_str(&text).expect("an error body");
        let member = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err((member("__type"), member("message")))
    }

    pub(crate) fn ecs(&mut self, operation: &str, request: Value) -> Result<Value, Refused> {
        let answer = self.json(
            &format!("AmazonEC2ContainerServiceV20141113.{operation}"),
            request.to_string(),
        )?;
        Ok(serde_json::from_str(&answer).expect("an answer"))
    }

    pub(crate) fn ecr(&mut self, operation: &str, request: Value) -> Result<Value, Refused> {
        let answer = self.json(
            &format!("AmazonEC2ContainerRegistry_V20150921.{operation}"),
            request.to_string(),
        )?;
        Ok(serde_json::from_str(&answer).expect("an answer"))
    }

    pub(crate) fn logs(&mut self, operation: &str, request: Value) -> Result<Value, Refused> {
        let answer = self.json(&format!("Logs_20140328.{operation}"), request.to_string())?;
        Ok(serde_json::from_str(&answer).expect("an answer"))
    }

    pub(crate) fn scaling(&mut self, operation: &str, request: Value) -> Result<Value, Refused> {
        let answer =
            self.json(&format!("AnyScaleFrontendService.{operation}"), request.to_string())?;
        Ok(serde_json::from_str(&answer).expect("an answer"))
    }

    /// A call of Elastic Load Balancing: the request as a tree, the result as one.
    pub(crate) fn elb(&mut self, operation: &str, request: Value) -> Result<Value, Refused> {
        self.query("2015-12-01", operation, request)
    }

    pub(crate) fn query(
        &mut self,
        version: &str,
        operation: &str,
        request: Value,
    ) -> Result<Value, Refused> {
        let mut form = format!("Action={operation}&Version={version}");
        flatten(&mut form, "", &request);
        let response = self.send(&[("content-type", "application/x-www-form-urlencoded")], form);
        let tree = tree(std::str::from_utf8(response.body()).expect("text"));
        if response.status() == 200 {
            return Ok(tree[format!("{operation}Response")][format!("{operation}Result")].clone());
        }
        let error = &tree["ErrorResponse"]["Error"];
        let member = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        Err((member("Code"), member("Message")))
    }

    pub(crate) fn service(&mut self, name: &str) -> Value {
        let answer = self.ecs(
            "DescribeServices",
            json!({"cluster": "shop", "services": [name], "include": ["TAGS"]}),
        );
        answer.expect("services")["services"][0].clone()
    }

    pub(crate) fn update(&mut self, service: &str, members: Value) -> Value {
        let mut request = json!({"cluster": "shop", "service": service});
        for (member, value) in members.as_object().expect("members") {
            request[member] = value.clone();
        }
        self.ecs("UpdateService", request).expect("updated")["service"].clone()
    }

    /// Registers `web` with another image tag; tells its ARN.
    pub(crate) fn register(&mut self, tag: &str) -> String {
        self.register_as("web", tag)
    }

    /// Registers a family of the shop's with another image tag; tells its ARN.
    pub(crate) fn register_as(&mut self, family: &str, tag: &str) -> String {
        let answer = self
            .ecs("DescribeTaskDefinition", json!({"taskDefinition": family}))
            .expect("described");
        let mut definition = answer["taskDefinition"].clone();
        let outputs = [
            "taskDefinitionArn",
            "revision",
            "status",
            "requiresAttributes",
            "compatibilities",
            "registeredAt",
            "registeredBy",
        ];
        for output in outputs {
            definition.as_object_mut().expect("an object").shift_remove(output);
        }
        definition["containerDefinitions"][0]["image"] =
            json!(format!("123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/{family}:{tag}"));
        let answer = self.ecs("RegisterTaskDefinition", definition).expect("registered");
        answer["taskDefinition"]["taskDefinitionArn"].as_str().expect("an ARN").to_owned()
    }

    pub(crate) fn events(&mut self, service: &str) -> Vec<String> {
        let service = self.service(service);
        let events = service["events"].as_array().expect("events").iter();
        events.map(|event| event["message"].as_str().expect("a message").to_owned()).collect()
    }

    pub(crate) fn tasks(&mut self, service: &str, desired: &str) -> Vec<Value> {
        let list = self
            .ecs(
                "ListTasks",
                json!({"cluster": "shop", "serviceName": service, "desiredStatus": desired}),
            )
            .expect("listed");
        if list["taskArns"] == json!([]) {
            return Vec::new();
        }
        let answer = self
            .ecs("DescribeTasks", json!({"cluster": "shop", "tasks": list["taskArns"]}))
            .expect("described");
        answer["tasks"].as_array().expect("tasks").clone()
    }

    pub(crate) fn group(&mut self, name: &str) -> String {
        let answer = self.elb("DescribeTargetGroups", json!({"Names": [name]})).expect("described");
        answer["TargetGroups"][0]["TargetGroupArn"].as_str().expect("an ARN").to_owned()
    }

    pub(crate) fn health(&mut self, group: &str) -> Vec<(String, String, String)> {
        let arn = self.group(group);
        let answer =
            self.elb("DescribeTargetHealth", json!({"TargetGroupArn": arn})).expect("described");
        let list = answer["TargetHealthDescriptions"].as_array().cloned().unwrap_or_default();
        let member = |one: &Value, name: &str| {
            one["TargetHealth"][name].as_str().unwrap_or_default().to_owned()
        };
        list.iter()
            .map(|one| (member(one, "State"), member(one, "Reason"), member(one, "Description")))
            .collect()
    }

    pub(crate) fn states(&mut self, group: &str) -> Vec<String> {
        self.health(group).into_iter().map(|(state, ..)| state).collect()
    }

    pub(crate) fn rule(&mut self) -> Value {
        let balancers = self.elb("DescribeLoadBalancers", json!({})).expect("described");
        let arn = balancers["LoadBalancers"][0]["LoadBalancerArn"].clone();
        let listeners =
            self.elb("DescribeListeners", json!({"LoadBalancerArn": arn})).expect("described");
        let listener = listeners["Listeners"][0]["ListenerArn"].clone();
        let rules = self.elb("DescribeRules", json!({"ListenerArn": listener})).expect("described");
        rules["Rules"][0].clone()
    }

    /// Writes the weights of the shop's rule.
    pub(crate) fn weigh(&mut self, a: u32, b: u32) -> Result<Value, Refused> {
        let mut rule = self.rule();
        for (at, weight) in [a, b].iter().enumerate() {
            rule["Actions"][0]["ForwardConfig"]["TargetGroups"][at]["Weight"] =
                json!(weight.to_string());
        }
        self.elb("ModifyRule", json!({"RuleArn": rule["RuleArn"], "Actions": rule["Actions"]}))
    }
}

fn flatten(form: &mut String, path: &str, value: &Value) {
    let join =
        |member: &str| if path.is_empty() { member.to_owned() } else { format!("{path}.{member}") };
    match value {
        Value::Object(map) => {
            map.iter().for_each(|(member, value)| flatten(form, &join(member), value))
        }
        Value::Array(list) => {
            for (at, value) in list.iter().enumerate() {
                flatten(form, &join(&format!("member.{}", at + 1)), value);
            }
        }
        Value::String(text) => {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            form.push_str(&format!("&{path}={encoded}"));
        }
        other => form.push_str(&format!("&{path}={other}")),
    }
}

/// An element that is being read.
#[derive(Default)]
struct Element {
    name: String,
    members: Map<String, Value>,
    items: Vec<Value>,
    text: String,
}

/// XML as a tree: `member` elements are lists.
pub(crate) fn tree(xml: &str) -> Value {
    let mut reader = Reader::from_str(xml);
    let mut open = vec![Element::default()];
    loop {
        let event = reader.read_event().expect("XML");
        let current = open.last_mut().expect("open");
        match event {
            Event::Start(start) => {
                open.push(Element {
                    name: start.local_name().as_ref().to_owned(),
                    ..Element::default()
                });
            }
            Event::Text(text) => current.text.push_str(&text),
            Event::GeneralRef(reference) => current.text.push_str(match &*reference {
                "amp" => "&",
                "lt" => "<",
                "gt" => ">",
                "quot" => "\"",
                _ => "'",
            }),
            Event::End(_) => {
                let Element { name, members, items, text } = open.pop().expect("open");
                let value = if !items.is_empty() {
                    Value::Array(items)
                } else if members.is_empty() {
                    Value::String(text)
                } else {
                    Value::Object(members)
                };
                let parent = open.last_mut().expect("open");
                if name == "member" {
                    parent.items.push(value);
                } else {
                    parent.members.insert(name, value);
                }
            }
            Event::Eof => break,
            _ => {}
        }
    }
    Value::Object(open.pop().expect("open").members)
}
