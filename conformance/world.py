"""A small world, built with boto3 as anyone would."""

import boto3
from botocore.config import Config

from sandbox import until

FARGATE_NETWORK = {
    "awsvpcConfiguration": {
        "subnets": ["subnet-a", "subnet-b"],
        "securityGroups": ["sg-0a1b2c3d4e5f60718"],
        "assignPublicIp": "DISABLED",
    }
}


class Clients:
    """The clients of one region: no retries, and what they are given is sent."""

    def __init__(self, sandbox, region, url=None, **config):
        self.region = region
        self.sandbox = sandbox
        session = boto3.session.Session(
            aws_access_key_id="sandbox", aws_secret_access_key="sandbox", region_name=region
        )
        usual = {
            "retries": {"total_max_attempts": 1}, "parameter_validation": False, "inject_host_prefix": False,
        }
        config = Config(**usual | config)
        make = lambda name: session.client(name, endpoint_url=url or sandbox.url, config=config)
        self.by_name = {}
        self._make = make

    def client(self, name):
        if name not in self.by_name:
            self.by_name[name] = self._make(name)
        return self.by_name[name]

    ecs = property(lambda self: self.client("ecs"))
    elb = property(lambda self: self.client("elbv2"))
    ecr = property(lambda self: self.client("ecr"))
    sts = property(lambda self: self.client("sts"))
    logs = property(lambda self: self.client("logs"))
    iam = property(lambda self: self.client("iam"))
    secrets = property(lambda self: self.client("secretsmanager"))
    ssm = property(lambda self: self.client("ssm"))
    ec2 = property(lambda self: self.client("ec2"))
    quotas = property(lambda self: self.client("service-quotas"))
    alarms = property(lambda self: self.client("cloudwatch"))
    scaling = property(lambda self: self.client("application-autoscaling"))


def definition(family, image, **members):
    return {
        "family": family,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": "arn:aws:iam::123456789012:role/execution",
        "containerDefinitions": [
            {"name": "web", "image": image, "portMappings": [{"containerPort": 8080, "protocol": "tcp"}]}
        ],
        **members,
    }


def group(aws, name, **members):
    settings = {
        "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-1", "TargetType": "ip",
        "HealthCheckPath": "/up", "HealthCheckIntervalSeconds": 10, "HealthyThresholdCount": 2,
    }
    answer = aws.elb.create_target_group(Name=name, **settings | members)
    return answer["TargetGroups"][0]["TargetGroupArn"]


class World:
    """Cluster `shop`, load balancer `shop` with groups `blue` (100) and `green` (0), service `web`."""

    def __init__(self, aws, image="registry.example.com/shop/web:1", desired=2, **service):
        self.aws = aws
        ecs, elb = aws.ecs, aws.elb
        self.cluster = ecs.create_cluster(clusterName="shop")["cluster"]["clusterArn"]
        self.balancer = elb.create_load_balancer(
            Name="shop", Subnets=["subnet-a", "subnet-b"], SecurityGroups=["sg-0a1b2c3d4e5f60718"]
        )["LoadBalancers"][0]["LoadBalancerArn"]
        self.blue, self.green = group(aws, "blue"), group(aws, "green")
        self.lonely = group(aws, "lonely")
        self.listener = elb.create_listener(
            LoadBalancerArn=self.balancer,
            Protocol="HTTP",
            Port=80,
            DefaultActions=[{
                "Type": "fixed-response",
                "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"},
            }],
        )["Listeners"][0]["ListenerArn"]
        self.rule = elb.create_rule(
            ListenerArn=self.listener,
            Priority=10,
            Conditions=[{"Field": "path-pattern", "Values": ["/*"]}],
            Actions=[self.forward(100, 0)],
        )["Rules"][0]["RuleArn"]
        self.definition = ecs.register_task_definition(**definition("web", image))[
            "taskDefinition"
        ]["taskDefinitionArn"]
        self.service = ecs.create_service(
            **{
                "cluster": "shop", "serviceName": "web", "taskDefinition": "web", "desiredCount": desired,
                "launchType": "FARGATE", "networkConfiguration": FARGATE_NETWORK,
                "loadBalancers": [
                    {"targetGroupArn": self.blue, "containerName": "web", "containerPort": 8080}
                ],
                **service,
            }
        )["service"]["serviceArn"]

    def forward(self, blue, green):
        groups = [
            {"TargetGroupArn": self.blue, "Weight": blue},
            {"TargetGroupArn": self.green, "Weight": green},
        ]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

    def wait(self, waiter, **arguments):
        service = self.aws.elb if waiter in self.aws.elb.waiter_names else self.aws.ecs
        service.get_waiter(waiter).wait(WaiterConfig={"Delay": 0.1, "MaxAttempts": 300}, **arguments)

    def stable(self, *services):
        self.wait("services_stable", cluster="shop", services=list(services) or ["web"])

    def completed(self):
        """More than stable: the deployment is what a later one can be rolled back to."""
        until(
            lambda: [one["rolloutState"] for one in self.show()["deployments"]] == ["COMPLETED"],
            what="the completion",
        )

    def show(self, service="web"):
        return self.aws.ecs.describe_services(cluster="shop", services=[service])["services"][0]

    def weights(self):
        actions = self.aws.elb.describe_rules(RuleArns=[self.rule])["Rules"][0]["Actions"]
        return [one["Weight"] for one in actions[0]["ForwardConfig"]["TargetGroups"]]
