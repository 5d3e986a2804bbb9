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
