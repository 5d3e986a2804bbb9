//! The wire: headers, errors, what nobody knows.

use serde_json::json;

use crate::support::World;

#[test]
fn each_answer_has_a_date_and_a_request_id() {
    let mut world = World::shop();
    let ok =
        world.send(&[("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListClusters")], "{}");
    assert_eq!(ok.headers()["date"], "Thu, 15 Jan 2026 12:00:00 GMT");
    assert_eq!(ok.headers()["content-type"], "application/x-amz-json-1.1");
    let id = ok.headers()["x-amzn-requestid"].clone();
    world.pass(90);
    let refused = world.send(&[], "Action=DescribeNothing&Version=2015-12-01");
    assert_eq!(refused.headers()["date"], "Thu, 15 Jan 2026 12:01:30 GMT");
    assert_ne!(refused.headers()["x-amzn-requestid"], id);
    assert_eq!(refused.status(), 400);
}

#[test]
fn unknown_operations_are_refused_as_each_protocol_does() {
    let mut world = World::shop();
    assert_eq!(
        world.ecs("MakeCoffee", json!({})).expect_err("unknown").0,
        "UnknownOperationException"
    );
    let query = world.elb("MakeCoffee", json!({})).expect_err("unknown");
    assert_eq!(
        query,
        ("InvalidAction".into(), "The action MakeCoffee is not valid for this web service.".into())
    );
    assert_eq!(world.send(&[("x-amz-target", "Nobody.Call")], "{}").status(), 404);
}

#[test]
fn wrong_types_and_missing_members_are_refused() {
    let mut world = World::shop();
    let typed = world
        .ecs("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": "2"}))
        .expect_err("a text");
    assert_eq!(
        typed,
        ("SerializationException".into(), "STRING_VALUE can not be converted to a Integer".into())
    );
    let broken =
        world.json("AmazonEC2ContainerServiceV20141113.ListClusters", "{").expect_err("no JSON");
    assert_eq!(broken.0, "SerializationException");
    let missing = world.elb("DescribeTargetHealth", json!({})).expect_err("no group");
    assert!(missing.1.contains("Value null at 'targetGroupArn'"), "{missing:?}");
    let number = world
        .elb("DescribeRules", json!({"ListenerArn": "x", "PageSize": "many"}))
        .expect_err("no number");
    assert_eq!(number.0, "MalformedInput");
    assert_eq!(
        world.ecr("DescribeImages", json!({})).expect_err("no repository").0,
        "InvalidParameterException"
    );
    assert_eq!(
        world.scaling("DescribeScalableTargets", json!({})).expect_err("no namespace").0,
        "ValidationException"
    );
}

#[test]
fn everybody_is_somebody() {
    let mut world = World::shop();
    let who = world.query("2011-06-15", "GetCallerIdentity", json!({})).expect("an identity");
    assert_eq!(who["Account"], "123456789012");
}

#[test]
fn regions_are_worlds_of_their_own() {
    let mut world = World::shop();
    let scope = "AWS4-HMAC-SHA256 Credential=AKID/20260115/us-west-2/ecs/aws4_request, SignedHeaders=host, Signature=0";
    let target = "AmazonEC2ContainerServiceV20141113.ListClusters";
    let request = |authorization: &str| {
        let request = http::Request::builder()
            .method("POST")
            .header("x-amz-target", target)
            .header("authorization", authorization);
        request.body(bytes::Bytes::new()).expect("a request")
    };
    let now = world.cloud.now();
    let far = world.cloud.handle(now, &request(scope));
    assert_eq!(far.body().as_ref(), br#"{"clusterArns":[]}"#);
    let unsigned = world.cloud.handle(now, &request(""));
    assert!(
        String::from_utf8_lossy(unsigned.body()).contains("cluster/shop"),
        "the scenario's region"
    );
}

/// Content type, target, body; status and code of the answer.
type Malformed<'a> = (&'a str, Option<&'a str>, Vec<u8>, u16, &'a str);

#[test]
fn what_makes_no_sense_is_refused_in_its_own_protocol() {
    let json = "application/x-amz-json-1.1";
    let form = "application/x-www-form-urlencoded";
    let ecs = |operation: &str| format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let deep_json = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_member = format!("{{\"tags\":{deep_json}}}");
    let deep_form = format!("Action=DescribeTags&Version=2015-12-01&{}a=1", "a.".repeat(100_000));
    let list = ecs("ListClusters");
    let table: [Malformed<'_>; 20] = [
        (json, Some(&list), b"[]".to_vec(), 400, "SerializationException"),
        (json, Some(&list), b"null".to_vec(), 400, "SerializationException"),
        (json, Some(&list), b"{\"a\":".to_vec(), 400, "SerializationException"),
        (json, Some(&list), b"\xff\xfe{}".to_vec(), 400, "SerializationException"),
        (json, Some(&list), b"{\"a\":\"\\ud800\"}".to_vec(), 400, "SerializationException"),
        (json, Some(&list), deep_json.into_bytes(), 400, "SerializationException"),
        (json, Some(&list), deep_member.into_bytes(), 400, "SerializationException"),
        (json, Some("NoDot"), b"{}".to_vec(), 404, "UnknownOperationException"),
        (json, Some(""), b"{}".to_vec(), 404, "UnknownOperationException"),
        (json, Some("Nobody.Call"), b"{}".to_vec(), 404, "UnknownOperationException"),
        (json, None, b"{}".to_vec(), 404, "UnknownOperationException"),
        (form, None, b"".to_vec(), 400, "<Code>MissingAction</Code>"),
        (form, None, b"Version=2015-12-01".to_vec(), 400, "<Code>MissingAction</Code>"),
        (form, None, b"Action=DescribeTags".to_vec(), 400, "<Code>InvalidAction</Code>"),
        (
            form,
            None,
            b"Action=DescribeTags&Version=1999-01-01".to_vec(),
            400,
            "<Code>InvalidAction</Code>",
        ),
        (
            form,
            None,
            b"Action=%00%01<&Version=2015-12-01".to_vec(),
            400,
            "<Code>InvalidAction</Code>",
        ),
        (
            form,
            None,
            b"Action=DescribeTags&Version=2015-12-01&a=%ff".to_vec(),
            400,
            "<Code>MalformedQueryString</Code>",
        ),
        (form, None, deep_form.into_bytes(), 400, "<Code>MalformedQueryString</Code>"),
        (
            form,
            None,
            b"Action=DescribeTags&Version=2015-12-01&ResourceArns.member.99999999999=x".to_vec(),
            400,
            "<Code>",
        ),
        (
            form,
            None,
            b"Action=DescribeTags&Version=2015-12-01&ResourceArns=1&ResourceArns.member.1=2"
                .to_vec(),
            400,
            "<Code>",
        ),
    ];
    let mut world = World::shop();
    for (kind, target, body, status, code) in table {
        let shown = String::from_utf8_lossy(&body[..body.len().min(80)]).into_owned();
        let mut headers = vec![("content-type", kind)];
        headers.extend(target.map(|target| ("x-amz-target", target)));
        let answer = world.send(&headers, body);
        let text = String::from_utf8_lossy(answer.body()).into_owned();
        assert!(text.contains(code), "{target:?} {shown}: {text}");
        assert_eq!(answer.status(), status, "{target:?} {shown}: {text}");
        if kind == form {
            crate::support::tree(&text);
        }
    }
}

#[test]
fn unknown_members_are_kept_and_json_1_0_is_spoken() {
    let mut world = World::shop();
    let target = "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition";
    let body = json!({"family": "new", "newMember": {"deep": [1, 2.50, "x"]}, "containerDefinitions": [{"name": "a", "image": "a", "memory": 128, "newer": true}]});
    let answer = world.json(target, body.to_string()).expect("registered");
    assert!(answer.contains(r#""newMember":{"deep":[1,2.5,"x"]}"#), "{answer}");
    assert!(answer.contains(r#""newer":true"#), "{answer}");
    let headers = [("x-amz-target", target), ("content-type", "application/x-amz-json-1.0")];
    let refused = world.send(&headers, "{}");
    assert_eq!(refused.headers()["content-type"], "application/x-amz-json-1.0");
}

#[test]
fn nothing_that_is_sent_breaks_it() {
    let mut world = World::shop();
    let seeds: [(&str, &str); 6] = [
        (
            "AmazonEC2ContainerServiceV20141113.UpdateService",
            r#"{"cluster":"shop","service":"web","desiredCount":2,"deploymentConfiguration":{"maximumPercent":200}}"#,
        ),
        (
            "AmazonEC2ContainerServiceV20141113.RegisterTaskDefinition",
            r#"{"family":"a","cpu":"256","containerDefinitions":[{"name":"a","image":"a:1","memory":64,"portMappings":[{"containerPort":80}]}]}"#,
        ),
        (
            "AmazonEC2ContainerServiceV20141113.ListTasks",
            r#"{"cluster":"shop","maxResults":1,"nextToken":"x"}"#,
        ),
        (
            "AmazonEC2ContainerRegistry_V20150921.DescribeImages",
            r#"{"repositoryName":"shop/web","imageIds":[{"imageTag":"1"}]}"#,
        ),
        (
            "",
            "Action=ModifyRule&Version=2015-12-01&RuleArn=arn:x&Actions.member.1.Type=forward&Actions.member.1.ForwardConfig.TargetGroups.member.1.Weight=1",
        ),
        (
            "",
            "Action=CreateTargetGroup&Version=2015-12-01&Name=a&Port=80&Protocol=HTTP&TargetType=ip&VpcId=v&Matcher.HttpCode=200",
        ),
    ];
    // A linear congruential generator: the same bytes each time.
    let mut state = 1_u64;
    let mut random = move |most: usize| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % most.max(1)
    };
    let words: [&[u8]; 8] =
        [b"null", b"-1", b"1e308", b"[]", b"{}", b"\"\"", b"9999999999", b"true"];
    for _ in 0..3000 {
        let (target, text) = seeds[random(seeds.len())];
        let mut body = text.as_bytes().to_vec();
        for _ in 0..=random(4) {
            let at = random(body.len());
            match random(4) {
                0 => body[at] = u8::try_from(random(256)).expect("a byte"),
                1 => drop(body.drain(at..body.len().min(at + 1 + random(6)))),
                2 => drop(body.splice(at..at, words[random(words.len())].iter().copied())),
                _ => drop(body.splice(
                    at..body.len().min(at + 1 + random(4)),
                    words[random(words.len())].iter().copied(),
                )),
            }
            if body.is_empty() {
                body.push(b'{');
            }
        }
        let kind = if target.is_empty() {
            "application/x-www-form-urlencoded"
        } else {
            "application/x-amz-json-1.1"
        };
        let mut headers = vec![("content-type", kind)];
        if !target.is_empty() {
            headers.push(("x-amz-target", target));
        }
        let answer = world.send(&headers, body.clone());
        let sent = String::from_utf8_lossy(&body).into_owned();
        assert!(answer.status().as_u16() < 500, "{target} {sent}");
        let text = String::from_utf8(answer.body().to_vec()).expect("text");
        if target.is_empty() {
            crate::support::tree(&text);
        } else {
            serde_json::from_str::<serde_json::Value>(&text)
                .unwrap_or_else(|error| panic!("{error}: {sent}: {text}"));
        }
    }
    world.pass(60);
}
