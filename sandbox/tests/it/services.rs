//! Services and tasks as clients list, describe, change and delete them.

use serde_json::{Value, json};

use crate::support::World;

#[test]
fn what_is_not_there_is_told_as_aws_tells_it() {
    let mut world = World::shop();
    let code = |answer: Result<Value, (String, String)>| answer.expect_err("refused");
    let missing = world
        .ecs("DescribeServices", json!({"cluster": "shop", "services": ["web", "nope"]}))
        .expect("described");
    assert_eq!(missing["services"].as_array().map(Vec::len), Some(1));
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
    assert_eq!(
        missing["failures"][0]["arn"],
        "arn:aws:ecs:eu-central-1:123456789012:service/shop/nope"
    );
    let cluster =
        code(world.ecs("DescribeServices", json!({"cluster": "nope", "services": ["web"]})));
    assert_eq!(cluster, ("ClusterNotFoundException".into(), "Cluster not found.".into()));
    let service = code(world.ecs("UpdateService", json!({"cluster": "shop", "service": "nope"})));
    assert_eq!(service, ("ServiceNotFoundException".into(), "Service not found.".into()));
    assert_eq!(
        code(world.ecs("ListTasks", json!({"cluster": "shop", "serviceName": "nope"}))).0,
        "ServiceNotFoundException"
    );
    let tasks = world
        .ecs("DescribeTasks", json!({"cluster": "shop", "tasks": ["0123"]}))
        .expect("described");
    assert_eq!(tasks["failures"][0]["reason"], "MISSING");
    let eleven: Vec<String> = (0..11).map(|n| n.to_string()).collect();
    assert_eq!(
        code(world.ecs("DescribeServices", json!({"cluster": "shop", "services": eleven}))).0,
        "InvalidParameterException"
    );
}

fn small(name: &str) -> Value {
    json!({"cluster": "shop", "serviceName": name, "taskDefinition": "web", "desiredCount": 0, "launchType": "FARGATE",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-a"]}}})
}

#[test]
fn lists_come_in_pages() {
    let mut world = World::shop();
    for n in 0..11 {
        world.ecs("CreateService", small(&format!("s{n:02}"))).expect("created");
    }
    let first = world.ecs("ListServices", json!({"cluster": "shop"})).expect("listed");
    assert_eq!(
        first["serviceArns"].as_array().map(Vec::len),
        Some(10),
        "ten unless asked for more"
    );
    let rest = world
        .ecs("ListServices", json!({"cluster": "shop", "nextToken": first["nextToken"]}))
        .expect("listed");
    assert_eq!(
        (rest["serviceArns"].as_array().map(Vec::len), rest.get("nextToken")),
        (Some(3), None)
    );
    let all =
        world.ecs("ListServices", json!({"cluster": "shop", "maxResults": 100})).expect("listed");
    assert_eq!(all["serviceArns"].as_array().map(Vec::len), Some(13));
    let bad = world
        .ecs("ListServices", json!({"cluster": "shop", "nextToken": "nonsense"}))
        .expect_err("refused");
    assert_eq!(bad.0, "InvalidParameterException");
    let page = world.elb("DescribeTargetGroups", json!({"PageSize": 1})).expect("described");
    assert_eq!(page["TargetGroups"].as_array().map(Vec::len), Some(1));
    let next = world
        .elb("DescribeTargetGroups", json!({"PageSize": 1, "Marker": page["NextMarker"]}))
        .expect("described");
    assert_ne!(next["TargetGroups"], page["TargetGroups"]);
    assert_eq!(next.get("NextMarker"), None);
}

#[test]
fn creating_twice_is_idempotent_only_with_the_same_request() {
    let mut world = World::shop();
    let first = world.ecs("CreateService", small("again")).expect("created");
    let second = world.ecs("CreateService", small("again")).expect("the same");
    assert_eq!(first["service"]["serviceArn"], second["service"]["serviceArn"]);
    let mut other = small("again");
    other["desiredCount"] = json!(1);
    let refused = world.ecs("CreateService", other).expect_err("refused");
    assert_eq!(
        refused,
        ("InvalidParameterException".into(), "Creation of service was not idempotent.".into())
    );
}

#[test]
fn deleting_drains_first() {
    let mut world = World::shop();
    let refused = world
        .ecs("DeleteService", json!({"cluster": "shop", "service": "web"}))
        .expect_err("refused");
    assert_eq!(
        refused,
        (
            "InvalidParameterException".into(),
            "The service cannot be stopped while it is scaled above 0.".into()
        )
    );
    let deleted = world
        .ecs("DeleteService", json!({"cluster": "shop", "service": "web", "force": true}))
        .expect("deleted");
    assert_eq!(deleted["service"]["status"], "DRAINING");
    let delete = json!({"cluster": "shop", "service": "web"});
    let twice = world.ecs("DeleteService", delete.clone()).expect("no error");
    assert_eq!(twice["service"]["status"], "DRAINING");
    let again = world.ecs("CreateService", small("web")).expect_err("refused");
    assert_eq!(again.1, "Unable to Start a service that is still Draining.");
    let update = world
        .ecs("UpdateService", json!({"cluster": "shop", "service": "web", "desiredCount": 1}))
        .expect_err("refused");
    assert_eq!(update, ("ServiceNotActiveException".into(), "Service was not ACTIVE.".into()));
    world.pass(120);
    assert_eq!(world.service("web")["status"], "INACTIVE");
    let late = world.ecs("DeleteService", delete).expect("no error");
    assert_eq!(late["service"]["status"], "INACTIVE");
    let listed = world.ecs("ListServices", json!({"cluster": "shop"})).expect("listed");
    assert_eq!(
        listed["serviceArns"],
        json!(["arn:aws:ecs:eu-central-1:123456789012:service/shop/web-green"])
    );
    world.ecs("CreateService", small("web")).expect("the name is free");
}

#[test]
fn other_controllers_refuse_what_is_not_theirs() {
    let mut world = World::shop();
    for (kind, advice) in [
        ("CODE_DEPLOY", "Use AWS CodeDeploy to trigger a new deployment."),
        ("EXTERNAL", "Create a new taskset instead."),
    ] {
        let name = kind.replace('_', "-").to_lowercase();
        let mut request = small(&name);
        request["deploymentController"] = json!({"type": kind});
        let created = world.ecs("CreateService", request).expect("created")["service"].clone();
        assert_eq!(
            (&created["deploymentController"]["type"], &created["deployments"]),
            (&json!(kind), &json!([]))
        );
        let refused = world
            .ecs(
                "UpdateService",
                json!({"cluster": "shop", "service": name, "taskDefinition": "web:1"}),
            )
            .expect_err("refused");
        let text = format!(
            "Unable to update task definition on services with a {kind} deployment controller. {advice}"
        );
        assert_eq!(refused, ("InvalidParameterException".into(), text));
        world
            .ecs("UpdateService", json!({"cluster": "shop", "service": name, "desiredCount": 1}))
            .expect("counts may change");
    }
}

#[test]
fn members_that_nobody_knows_are_kept() {
    let mut world = World::shop();
    let mut request = small("newer");
    request["newMember"] = json!({"deep": [1, {"x": "y"}]});
    request["serviceConnectConfiguration"] = json!({"enabled": false, "newMember": 1});
    let created = world.ecs("CreateService", request).expect("created")["service"].clone();
    assert_eq!(created["newMember"], json!({"deep": [1, {"x": "y"}]}));
    assert_eq!(created.get("serviceConnectConfiguration"), None, "it is shown with the deployment");
    assert_eq!(
        created["deployments"][0]["serviceConnectConfiguration"],
        json!({"enabled": false, "newMember": 1})
    );
}

#[test]
fn tasks_are_found_by_what_they_are() {
    let mut world = World::shop();
    let deployment = world.service("web")["deployments"][0]["id"].clone();
    let mut count = |filter: Value| {
        let mut request = json!({"cluster": "shop"});
        for (member, value) in filter.as_object().expect("a filter") {
            request[member] = value.clone();
        }
        world
            .ecs("ListTasks", request)
            .map(|answer| answer["taskArns"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(count(json!({})), Ok(2));
    assert_eq!(count(json!({"startedBy": deployment})), Ok(2));
    assert_eq!(count(json!({"family": "web"})), Ok(2));
    assert_eq!(count(json!({"family": "we"})), Ok(0));
    assert_eq!(count(json!({"serviceName": "web-green"})), Ok(0));
    assert_eq!(count(json!({"desiredStatus": "STOPPED"})), Ok(0));
    assert_eq!(
        count(json!({"startedBy": deployment, "family": "web"})).expect_err("refused").0,
        "InvalidParameterException"
    );
}

#[test]
fn a_stopped_task_is_replaced_and_shown_for_an_hour() {
    let mut world = World::shop();
    let task = world.tasks("web", "RUNNING")[0].clone();
    assert_eq!((&task["group"], &task["healthStatus"]), (&json!("service:web"), &json!("UNKNOWN")));
    world
        .ecs("StopTask", json!({"cluster": "shop", "task": task["taskArn"], "reason": "by hand"}))
        .expect("stopped");
    world.pass(60);
    let stopped = &world.tasks("web", "STOPPED")[0];
    assert_eq!(
        (&stopped["stopCode"], &stopped["stoppedReason"]),
        (&json!("UserInitiated"), &json!("by hand"))
    );
    assert_eq!(world.tasks("web", "RUNNING").len(), 2);
    world.pass(3700);
    assert_eq!(world.tasks("web", "STOPPED").len(), 0);
}

#[test]
fn a_task_runs_by_itself() {
    let mut world = World::shop();
    let run = json!({"cluster": "shop", "taskDefinition": "web", "launchType": "FARGATE", "startedBy": "me",
        "networkConfiguration": {"awsvpcConfiguration": {"subnets": ["subnet-b"]}}});
    let arn = world.ecs("RunTask", run).expect("run")["tasks"][0]["taskArn"].clone();
    let mut seen = Vec::new();
    for _ in 0..40 {
        let task = world
            .ecs("DescribeTasks", json!({"cluster": "shop", "tasks": [arn]}))
            .expect("described")["tasks"][0]
            .clone();
        if seen.last() != Some(&task["lastStatus"]) {
            seen.push(task["lastStatus"].clone());
        }
        world.pass(1);
    }
    assert_eq!(seen, ["PROVISIONING", "PENDING", "RUNNING"]);
}

#[test]
fn a_scalable_target_clamps_at_each_registration() {
    let mut world = World::shop();
    let id = json!({"ServiceNamespace": "ecs", "ResourceId": "service/shop/web", "ScalableDimension": "ecs:service:DesiredCount"});
    let with = |members: Value| {
        let mut request = id.clone();
        for (member, value) in members.as_object().expect("members") {
            request[member] = value.clone();
        }
        request
    };
    world
        .scaling("RegisterScalableTarget", with(json!({"MinCapacity": 3, "MaxCapacity": 5})))
        .expect("registered");
    assert_eq!(world.service("web")["desiredCount"], 3);
    world.update("web", json!({"desiredCount": 0}));
    let suspend = json!({"SuspendedState": {"DynamicScalingInSuspended": true}});
    world.scaling("RegisterScalableTarget", with(suspend)).expect("suspended");
    assert_eq!(world.service("web")["desiredCount"], 3, "even when it only suspends");
    let found = world
        .scaling("DescribeScalableTargets", json!({"ServiceNamespace": "ecs"}))
        .expect("described");
    assert_eq!(
        (
            &found["ScalableTargets"][0]["MinCapacity"],
            &found["ScalableTargets"][0]["SuspendedState"]["DynamicScalingInSuspended"]
        ),
        (&json!(3), &json!(true))
    );
    world.scaling("DeregisterScalableTarget", id.clone()).expect("gone");
    assert_eq!(
        world.scaling("DeregisterScalableTarget", id).expect_err("not there").0,
        "ObjectNotFoundException"
    );
}

#[test]
fn a_registry_gives_a_password() {
    let mut world = World::shop();
    let answer = world.ecr("GetAuthorizationToken", json!({})).expect("a password");
    let data = &answer["authorizationData"][0];
    assert_eq!(data["proxyEndpoint"], "https://123456789012.dkr.ecr.eu-central-1.amazonaws.com");
    let token = data["authorizationToken"].as_str().expect("a text");
    assert!(token.starts_with("QVdTO") && token.len() > 80, "`AWS:` and a password: {token}");
    let now = world.cloud.now().0 as f64 / 1000.0;
    assert_eq!(data["expiresAt"].as_f64().map(|at| (at - now).round()), Some(12.0 * 3600.0));
    let two = json!({"registryIds": ["123456789012", "210987654321"]});
    let answer = world.ecr("GetAuthorizationToken", two).expect("two passwords");
    let other = "https://210987654321.dkr.ecr.eu-central-1.amazonaws.com";
    assert_eq!(answer["authorizationData"][1]["proxyEndpoint"], other);
    for wrong in [json!([]), json!(["12"])] {
        let fault = world.ecr("GetAuthorizationToken", json!({"registryIds": wrong}));
        assert_eq!(fault.expect_err("refused").0, "InvalidParameterException");
    }
}

#[test]
fn images_are_there_or_not() {
    let mut world = World::shop();
    let image = |tag: &str| json!({"repositoryName": "shop/web", "imageIds": [{"imageTag": tag}]});
    let found =
        world.ecr("DescribeImages", image("2")).expect("described")["imageDetails"][0].clone();
    assert_eq!(found["imageTags"], json!(["2"]));
    assert_eq!(found["imageDigest"].as_str().map(str::len), Some(7 + 64));
    let missing = world.ecr("DescribeImages", image("9")).expect_err("missing");
    let text = "The image with imageId {imageDigest:null, imageTag:'9'} does not exist within the repository with name 'shop/web' in the registry with id '123456789012'";
    assert_eq!(missing, ("ImageNotFoundException".into(), text.into()));
    let batch = world.ecr("BatchGetImage", image("9")).expect("an answer");
    assert_eq!(batch["failures"][0]["failureCode"], "ImageNotFound");
    let batch = world.ecr("BatchGetImage", image("2")).expect("an answer");
    assert_eq!(batch["images"][0]["imageId"]["imageDigest"], found["imageDigest"]);
    let nowhere =
        world.ecr("DescribeImages", json!({"repositoryName": "nope"})).expect_err("missing");
    assert_eq!(nowhere.0, "RepositoryNotFoundException");
}

#[test]
fn images_are_listed_and_deleted_by_tag_and_by_digest() {
    let mut world = World::shop();
    let ids = |world: &mut World| {
        let answer = world.ecr("ListImages", json!({"repositoryName": "shop/web"})).expect("ids");
        answer["imageIds"].as_array().expect("ids").clone()
    };
    let all = ids(&mut world);
    let digest = |tag: &str| {
        let found = all.iter().find(|id| id["imageTag"] == tag).expect(tag);
        found["imageDigest"].as_str().expect("a digest").to_owned()
    };
    let (one, two) = (digest("1"), digest("2"));
    let manifest = json!({"repositoryName": "shop/web", "imageIds": [{"imageDigest": two}]});
    let manifest =
        world.ecr("BatchGetImage", manifest).expect("got")["images"][0]["imageManifest"].clone();
    let again = json!({"repositoryName": "shop/web", "imageManifest": manifest, "imageTag": "two"});
    world.ecr("PutImage", again).expect("put");
    let delete = |world: &mut World, ids: Value| {
        world
            .ecr("BatchDeleteImage", json!({"repositoryName": "shop/web", "imageIds": ids}))
            .expect("an answer")
    };
    let wrong =
        delete(&mut world, json!([{"imageTag": "2", "imageDigest": one}, {"imageTag": "9"}, {}]));
    let codes: Vec<_> = wrong["failures"]
        .as_array()
        .expect("failures")
        .iter()
        .map(|one| &one["failureCode"])
        .collect();
    assert_eq!(codes, ["ImageTagDoesNotMatchDigest", "ImageNotFound", "MissingDigestAndTag"]);
    assert_eq!(wrong["imageIds"], json!([]));
    let gone = delete(&mut world, json!([{"imageTag": "2"}]));
    assert_eq!(gone["imageIds"], json!([{"imageDigest": two, "imageTag": "2"}]));
    let left = ids(&mut world);
    assert!(left.iter().any(|id| id["imageTag"] == "two" && id["imageDigest"] == two), "{left:?}");
    delete(&mut world, json!([{"imageDigest": one}, {"imageTag": "two"}]));
    let left = ids(&mut world);
    assert!(left.iter().all(|id| id["imageDigest"] != one && id["imageDigest"] != two), "{left:?}");
    assert_eq!(left.len(), all.len() - 2);
    let tagged = json!({"repositoryName": "shop/web", "filter": {"tagStatus": "UNTAGGED"}});
    assert_eq!(world.ecr("ListImages", tagged).expect("ids")["imageIds"], json!([]));
}

#[test]
fn a_grace_period_needs_no_load_balancer_and_spares_container_checks() {
    for (grace, replaced) in [(0, true), (600, false)] {
        let mut world = World::with(&format!(
            "extends = 'shop'\n[[image]]\nref = 'job:1'\ndoes = 'slow'\nready = '5m'\n\
             [[task_definition]]\nfamily = 'job'\nnetworkMode = 'awsvpc'\ncpu = '256'\nmemory = '512'\n\
             containerDefinitions = [{{ name = 'job', image = 'job:1', healthCheck = {{ command = ['CMD', 'true'], interval = 5, retries = 2 }} }}]\n\
             [[service]]\ncluster = 'shop'\nserviceName = 'job'\ntaskDefinition = 'job'\ndesiredCount = 1\nlaunchType = 'FARGATE'\n\
             healthCheckGracePeriodSeconds = {grace}\nnetworkConfiguration = {{ awsvpcConfiguration = {{ subnets = ['subnet-a'] }} }}"
        ));
        let told = world
            .events("job")
            .iter()
            .any(|event| event.contains("failed container health checks"));
        assert_eq!(told, replaced, "{grace}");
    }
}

#[test]
fn an_archived_image_is_there_and_cannot_be_pulled() {
    let mut world = World::with(
        "extends = 'shop'\n[[repository]]\nname = 'shop/web'\nimages = ['1']\narchived = ['2']",
    );
    let request = json!({"repositoryName": "shop/web", "imageIds": [{"imageTag": "2"}]});
    let described = world.ecr("DescribeImages", request).expect("it is there");
    assert_eq!(described["imageDetails"][0]["imageStatus"], "ARCHIVED");
    let arn = world.register("2");
    world.update("web", json!({"taskDefinition": arn}));
    world.pass(40);
    let stopped = world.tasks("web", "STOPPED")[0].clone();
    assert_eq!(stopped["stopCode"], "TaskFailedToStart");
    let reason = stopped["stoppedReason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("CannotPullContainerError"), "{reason}");
}

#[test]
fn a_digest_is_that_of_the_manifest() {
    let mut world = World::shop();
    // What `sha256sum` says of these two bytes.
    let digest = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
    let request = json!({"repositoryName": "shop/web", "imageManifest": "{}", "imageTag": "new"});
    let put = world.ecr("PutImage", request.clone()).expect("pushed");
    assert_eq!(put["image"]["imageId"]["imageDigest"], digest);
    let again = world.ecr("PutImage", request.clone()).expect_err("nothing changes");
    assert_eq!(again.0, "ImageAlreadyExistsException");
    let mut other = request;
    other["imageTag"] = json!("newer");
    world.ecr("PutImage", other.clone()).expect("another tag");
    other["imageTag"] = json!("newest");
    other["imageDigest"] = json!(digest.replace('4', "5"));
    let refused = world.ecr("PutImage", other).expect_err("another digest");
    assert_eq!(refused.0, "ImageDigestDoesNotMatchException");
}
