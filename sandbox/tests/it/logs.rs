//! What containers log, and how it is read.

use serde_json::{Value, json};

use crate::support::{Refused, World};

/// A job that logs four lines in thirty seconds, to another region with the container `far`; and one that
/// serves and logs.
const JOBS: &str = "extends = 'shop'
[timing]
ingestion = '2s'
[[image]]
ref = 'job:1'
does = 'exit'
code = 0
after = '30s'
logs = ['one', 'two', 'three', 'four']
[[image]]
ref = 'server:1'
does = 'serve'
logs = ['up', 'still up', 'never said']
[[task_definition]]
family = 'job'
networkMode = 'awsvpc'
requiresCompatibilities = ['FARGATE']
executionRoleArn = 'arn:aws:iam::123456789012:role/shop-execution'
cpu = '256'
memory = '512'
[[task_definition.containerDefinitions]]
name = 'job'
image = 'job:1'
logConfiguration = { logDriver = 'awslogs', options = { awslogs-group = '/shop/job', awslogs-region = 'eu-central-1', awslogs-stream-prefix = 'p' } }
[[task_definition.containerDefinitions]]
name = 'far'
image = 'server:1'
essential = false
logConfiguration = { logDriver = 'awslogs', options = { awslogs-group = '/shop/far', awslogs-region = 'eu-west-1', awslogs-stream-prefix = 'p' } }
[[task_definition.containerDefinitions]]
name = 'dumb'
image = 'job:1'
essential = false
";

/// A task of it, started now; its id.
fn start(world: &mut World) -> String {
    let network = json!({"awsvpcConfiguration": {"subnets": ["subnet-a"]}});
    let answer = world.ecs(
        "RunTask",
        json!({"cluster": "shop", "taskDefinition": "job", "launchType": "FARGATE", "networkConfiguration": network}),
    );
    let arn = answer.expect("started")["tasks"][0]["taskArn"].clone();
    arn.as_str().and_then(|arn| arn.rsplit('/').next()).expect("an id").to_owned()
}

fn read(world: &mut World, id: &str, more: Value) -> Result<Value, Refused> {
    let mut request = json!({"logGroupName": "/shop/job", "logStreamName": format!("p/job/{id}")});
    let more = more.as_object().cloned().unwrap_or_default();
    request.as_object_mut().expect("an object").extend(more);
    world.logs("GetLogEvents", request)
}

fn messages(answer: &Value) -> Vec<&str> {
    let events = answer["events"].as_array().expect("events");
    events.iter().filter_map(|event| event["message"].as_str()).collect()
}

fn world() -> World {
    World::with(JOBS)
}

#[test]
fn lines_come_between_the_start_and_the_exit() {
    let mut world = world();
    let began = world.cloud.now().0;
    let id = start(&mut world);
    let said = |world: &mut World, text: &str| {
        let refused = read(world, &id, json!({})).expect_err("not there yet");
        assert_eq!(refused, ("ResourceNotFoundException".into(), text.into()));
    };
    said(&mut world, "The specified log group does not exist.");
    world.pass(20);
    let answer = read(&mut world, &id, json!({})).expect("the container has just started");
    assert_eq!(answer["events"], json!([]));
    for (second, lines) in [(22, 1), (31, 1), (32, 2), (51, 3), (52, 4)] {
        world.cloud.advance(ecs_bg_sandbox::Time(began + second * 1000));
        let answer = read(&mut world, &id, json!({})).expect("read");
        assert_eq!(messages(&answer), ["one", "two", "three", "four"][..lines], "at {second}");
    }
    let answer = read(&mut world, &id, json!({})).expect("read");
    let times = |member: &str| -> Vec<u64> {
        let events = answer["events"].as_array().expect("events").iter();
        events.filter_map(|event| Some(event[member].as_u64()? - began)).collect()
    };
    assert_eq!(times("timestamp"), [20_000, 30_000, 40_000, 50_000]);
    assert_eq!(times("ingestionTime"), [22_000, 32_000, 42_000, 52_000]);
    let dumb = json!({"logGroupName": "/shop/job", "logStreamName": format!("p/dumb/{id}")});
    let refused = world.logs("GetLogEvents", dumb).expect_err("it has no log configuration");
    assert_eq!(refused.1, "The specified log stream does not exist.");
}

#[test]
fn a_container_that_was_stopped_writes_no_more_and_writes_where_it_is_told() {
    let mut world = world();
    let id = start(&mut world);
    let half_past = std::time::Duration::from_millis(20_500);
    world.cloud.advance(world.cloud.now() + half_past);
    world.ecs("StopTask", json!({"cluster": "shop", "task": id})).expect("stopped");
    world.pass(60);
    let groups: Value = serde_json::to_value(&world.cloud).expect("the world");
    let far = &groups["regions"]["eu-west-1"]["logs"]["/shop/far"][format!("p/far/{id}")];
    let lines = far["events"].as_array().expect("events");
    let lines: Vec<&str> = lines.iter().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(lines, ["up", "still up"]);
}

#[test]
fn pages_go_forward_and_backward_and_end_with_their_own_token() {
    let mut world = world();
    let id = start(&mut world);
    world.pass(35);
    let head = json!({"startFromHead": true, "limit": 1});
    let first = read(&mut world, &id, head).expect("read");
    assert_eq!(messages(&first), ["one"]);
    let next = |world: &mut World, token: &Value, limit: u32| {
        read(world, &id, json!({"startFromHead": true, "nextToken": token, "limit": limit}))
            .expect("read")
    };
    let second = next(&mut world, &first["nextForwardToken"], 5);
    assert_eq!(messages(&second), ["two"]);
    let end = next(&mut world, &second["nextForwardToken"], 5);
    assert_eq!(end["events"], json!([]));
    assert_eq!(end["nextForwardToken"], second["nextForwardToken"]);
    world.pass(30);
    let rest = next(&mut world, &second["nextForwardToken"], 5);
    assert_eq!(messages(&rest), ["three", "four"]);
    // The latest ones, without a word about where to begin.
    let last = read(&mut world, &id, json!({"limit": 3})).expect("read");
    assert_eq!(messages(&last), ["two", "three", "four"]);
    let before = next(&mut world, &last["nextBackwardToken"], 3);
    assert_eq!(messages(&before), ["one"]);
    let begin = next(&mut world, &before["nextBackwardToken"], 3);
    assert_eq!(begin["events"], json!([]));
    assert_eq!(begin["nextBackwardToken"], before["nextBackwardToken"]);
    let at = rest["events"][0]["timestamp"].as_u64().expect("a time");
    let timed = |from: u64, to: u64| json!({"startTime": from, "endTime": to});
    assert_eq!(messages(&read(&mut world, &id, timed(at, at + 1)).expect("read")), ["three"]);
    assert_eq!(read(&mut world, &id, timed(at, at)).expect("read")["events"], json!([]));
}

#[test]
fn streams_are_listed() {
    let mut world = world();
    let ids = [start(&mut world), start(&mut world)];
    world.pass(60);
    let list = |world: &mut World, request: Value| {
        let answer = world.logs("DescribeLogStreams", request).expect("described");
        let streams = answer["logStreams"].as_array().expect("streams").clone();
        let names = streams.iter().filter_map(|one| one["logStreamName"].as_str());
        (names.map(str::to_owned).collect::<Vec<_>>(), answer)
    };
    let mut names: Vec<String> = ids.iter().map(|id| format!("p/job/{id}")).collect();
    names.sort();
    let group = "arn:aws:logs:eu-central-1:123456789012:log-group:/shop/job:*";
    let (all, answer) = list(&mut world, json!({"logGroupIdentifier": group}));
    assert_eq!(all, names);
    let one = &answer["logStreams"][0];
    let arn = format!("{}:log-stream:{}", group.trim_end_matches(":*"), names[0]);
    assert_eq!(one["arn"], arn);
    let span = |from: &str, to: &str| Some(one[to].as_u64()? - one[from].as_u64()?);
    assert_eq!(span("firstEventTimestamp", "lastEventTimestamp"), Some(30_000));
    assert_eq!(span("creationTime", "lastIngestionTime"), Some(32_000));
    let mut page = json!({"logGroupName": "/shop/job", "limit": 1, "descending": true});
    let (first, answer) = list(&mut world, page.clone());
    page["nextToken"] = answer["nextToken"].clone();
    let (second, answer) = list(&mut world, page);
    assert_eq!([first, second].concat(), [names[1].clone(), names[0].clone()]);
    assert_eq!(answer.get("nextToken"), None);
    let prefix = json!({"logGroupName": "/shop/job", "logStreamNamePrefix": names[1]});
    assert_eq!(list(&mut world, prefix).0, names[1..]);
}

#[test]
fn what_cannot_be_read_is_refused() {
    let mut world = world();
    let id = start(&mut world);
    world.pass(30);
    let mut code =
        |operation: &str, request: Value| world.logs(operation, request).expect_err("refused");
    let stream = format!("p/job/{id}");
    let get = |more: (&str, Value)| {
        let mut request = json!({"logGroupName": "/shop/job", "logStreamName": stream});
        request[more.0] = more.1;
        request
    };
    let invalid = "InvalidParameterException";
    let limit = code("GetLogEvents", get(("limit", json!(10_001))));
    let text = "1 validation error detected: Value '10001' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 10000";
    assert_eq!(limit, (invalid.into(), text.into()));
    let token = code("GetLogEvents", get(("nextToken", json!("f/1"))));
    assert_eq!(token, (invalid.into(), "The specified nextToken is invalid.".into()));
    for (operation, request) in [
        ("GetLogEvents", get(("limit", json!(0)))),
        ("GetLogEvents", get(("logGroupIdentifier", json!("/shop/job")))),
        ("GetLogEvents", json!({"logGroupName": "/shop/job"})),
        ("GetLogEvents", json!({"logStreamName": stream})),
        ("DescribeLogStreams", json!({"logGroupName": "/shop/job", "limit": 51})),
        ("DescribeLogStreams", json!({"logGroupName": "/shop/job", "nextToken": "x"})),
        ("DescribeLogStreams", json!({"logGroupName": "/shop/job", "orderBy": "Colour"})),
        (
            "DescribeLogStreams",
            json!({"logGroupName": "/shop/job", "orderBy": "LastEventTime", "logStreamNamePrefix": "p"}),
        ),
    ] {
        assert_eq!(code(operation, request.clone()).0, invalid, "{operation} {request}");
    }
    let nowhere = code("DescribeLogStreams", json!({"logGroupName": "/shop/none"}));
    assert_eq!(nowhere.1, "The specified log group does not exist.");
    assert_eq!(code("CreateLogGroup", json!({})).0, "UnknownOperationException");
}
