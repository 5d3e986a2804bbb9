"""Asks a real AWS account what its documentation does not say, and what ecs-bg therefore assumes the worst of.

    pip install boto3
    python conformance/real/probe.py --cluster C --vpc vpc-… --subnets subnet-…,subnet-… --security-group sg-… \
        --infrastructure-role arn:aws:iam::…:role/… --execution-role arn:aws:iam::…:role/… --dry-run

It never runs in CI. `--dry-run` says what it creates, how long that lasts and roughly what it costs, and calls
nothing. Everything has the prefix `--prefix`, and is deleted at the end, after Ctrl-C too. The table at the end can
be pasted into an issue: it has no account id, no ARN and no address.
"""

import argparse
import collections
import contextlib
import copy
import re
import sys
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

TERMINAL = {"SUCCESSFUL", "STOPPED", "ROLLBACK_SUCCESSFUL", "ROLLBACK_FAILED"}
PAUSES = [
    "PRE_SCALE_UP",
    "POST_SCALE_UP",
    "POST_TEST_TRAFFIC_SHIFT",
    "PRE_PRODUCTION_TRAFFIC_SHIFT",
    "POST_PRODUCTION_TRAFFIC_SHIFT",
]
CREATED = """\
It creates, with the prefix {prefix}:
  1 Application Load Balancer ({scheme}), 2 listeners (ports 80 and 81), 3 rules, 2 target groups
  1 task definition, 1 service in the cluster {cluster} with 1 task (Fargate, 0.25 vCPU, 512 MiB), up to 4 for minutes
  1 scalable target, for minutes
It takes about 90 minutes; --only makes it shorter. A load balancer and two such tasks cost about 0.10 USD in that
time in most regions, and data transfer a fraction of that. See the prices of your region.
It deletes all of that at the end. If it is killed (SIGKILL), run it again with --clean.

The caller needs: ecs:*Service*, ecs:*TaskDefinition*, ecs:TagResource, ecs:*ServiceDeployment*, ecs:DescribeTasks;
elasticloadbalancing:*; application-autoscaling:*ScalableTarget*; iam:PassRole on the two roles.

It asks:"""
QUESTIONS = {}


class NotAnswered(Exception):
    pass


def question(name, text):
    def take(function):
        QUESTIONS[name] = (text, function)
        return function

    return take


def refusal(error):
    return f"refused: {error.response['Error']['Code']}: {error.response['Error']['Message']}"


class Probe:
    def __init__(self, options):
        self.options = options
        self.prefix = options.prefix
        # What is asked is asked once: a retry would hide an answer.
        config = Config(retries={"total_max_attempts": 4, "mode": "standard"})
        session = boto3.session.Session(region_name=options.region, profile_name=options.profile)
        make = lambda name: session.client(name, config=config)
        self.ecs, self.elb, self.scaling = make("ecs"), make("elbv2"), make("application-autoscaling")
        self.cluster = options.cluster
        self.undo = []
        self.answers = []
        self.lags, self.current = [], collections.Counter()

    def say(self, text):
        print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)

    def sleep(self):
        time.sleep(self.options.poll)

    def until(self, what, condition, minutes=15):
        end = time.monotonic() + minutes * 60
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise NotAnswered(f"{what}: waited {minutes} minutes in vain")
            self.sleep()

    # The resources.

    def create(self):
        options, prefix = self.options, self.prefix
        balancer = self.elb.create_load_balancer(
            Name=prefix, Subnets=options.subnets, SecurityGroups=[options.security_group], Scheme=options.scheme,
            Type="application",
        )["LoadBalancers"][0]
        self.undo.append(("load balancer", lambda: self.elb.delete_load_balancer(LoadBalancerArn=balancer["LoadBalancerArn"])))
        self.address = balancer["DNSName"]
        self.groups = {}
        for colour in ("blue", "green"):
            arn = self.elb.create_target_group(
                Name=f"{prefix}-{colour}", Protocol="HTTP", Port=options.port, VpcId=options.vpc, TargetType="ip",
                HealthCheckPath=options.path, HealthCheckIntervalSeconds=5, HealthCheckTimeoutSeconds=2,
                HealthyThresholdCount=2,
            )["TargetGroups"][0]["TargetGroupArn"]
            self.undo.insert(0, (f"target group {colour}", lambda arn=arn: self.elb.delete_target_group(TargetGroupArn=arn)))
            self.groups[arn] = colour
            self.elb.modify_target_group_attributes(
                TargetGroupArn=arn, Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "5"}]
            )
        blue, green = self.groups
        refuse = {"Type": "fixed-response", "FixedResponseConfig": {"StatusCode": "404", "ContentType": "text/plain"}}
        listeners = [
            self.elb.create_listener(
                LoadBalancerArn=balancer["LoadBalancerArn"], Protocol="HTTP", Port=port, DefaultActions=[refuse]
            )["Listeners"][0]["ListenerArn"]
            for port in (80, 81)
        ]
        for arn in listeners:
            self.undo.append(("listener", lambda arn=arn: self.elb.delete_listener(ListenerArn=arn)))

        def rule(listener, priority, path, action):
            arn = self.elb.create_rule(
                ListenerArn=listener, Priority=priority, Conditions=[{"Field": "path-pattern", "Values": [path]}],
                Actions=[action],
            )["Rules"][0]["RuleArn"]
            self.undo.append(("rule", lambda: self.elb.delete_rule(RuleArn=arn)))
            return arn

        self.production = rule(listeners[0], 20, "/*", self.forward(100, 0))
        self.test = rule(listeners[1], 20, "/*", self.forward(100, 0))
        self.spare = rule(listeners[0], 10, f"/{prefix}", self.said("before"))
        self.definition = self.register()
        self.ecs.create_service(
            cluster=self.cluster, serviceName=prefix, taskDefinition=self.definition, desiredCount=1,
            launchType="FARGATE", deploymentConfiguration=self.configuration(),
            networkConfiguration={"awsvpcConfiguration": {
                "subnets": options.subnets, "securityGroups": [options.security_group],
                "assignPublicIp": "ENABLED" if options.public_ip else "DISABLED",
            }},
            loadBalancers=[{
                "targetGroupArn": blue, "containerName": "web", "containerPort": options.port,
                "advancedConfiguration": {
                    "alternateTargetGroupArn": green, "productionListenerRule": self.production,
                    "testListenerRule": self.test, "roleArn": options.infrastructure_role,
                },
            }],
        )
        self.undo.append(("service", self.delete_service))
        self.say("waiting for the first deployment")
        self.until("the first deployment", lambda: self.newest().get("status") in TERMINAL)
        if self.newest()["status"] != "SUCCESSFUL":
            raise NotAnswered(f"the first deployment ended as {self.newest()['status']}: {self.newest().get('statusReason')}")
        self.at_rest()

    def register(self):
        arn = self.ecs.register_task_definition(
            family=self.prefix, networkMode="awsvpc", requiresCompatibilities=["FARGATE"], cpu="256", memory="512",
            executionRoleArn=self.options.execution_role,
            containerDefinitions=[{
                "name": "web", "image": self.options.image, "essential": True,
                "portMappings": [{"containerPort": self.options.port, "protocol": "tcp"}],
            }],
        )["taskDefinition"]["taskDefinitionArn"]
        self.undo.append(("task definition", lambda: self.ecs.deregister_task_definition(taskDefinition=arn)))
        return arn

    def delete_service(self):
        with contextlib.suppress(NotAnswered):
            self.at_rest()
        self.ecs.delete_service(cluster=self.cluster, service=self.prefix, force=True)
        self.until("the end of the service", lambda: self.service()["status"] == "INACTIVE")

    def clean(self):
        """Deletes what was made, the newest first. Target groups go last: the rules use them."""
        left = []
        for what, undo in reversed(self.undo):
            for attempt in range(12):
                try:
                    undo()
                    break
                except (ClientError, NotAnswered) as error:
                    if attempt == 11:
                        left.append(f"{what}: {error}")
                    self.sleep()
        if left:
            print(f"NOT DELETED, look for the prefix {self.prefix}:", *left, sep="\n  ")
        else:
            self.say("everything that was created is deleted")
        return not left

    def find(self):
        """What an earlier run with the same prefix has left behind."""
        prefix = self.prefix

        def found(call, **arguments):
            with contextlib.suppress(ClientError):
                return call(**arguments)
            return {}

        for name in (f"{prefix}-blue", f"{prefix}-green"):
            for one in found(self.elb.describe_target_groups, Names=[name]).get("TargetGroups", []):
                arn = one["TargetGroupArn"]
                self.undo.append((name, lambda arn=arn: self.elb.delete_target_group(TargetGroupArn=arn)))
        for one in found(self.elb.describe_load_balancers, Names=[prefix]).get("LoadBalancers", []):
            arn = one["LoadBalancerArn"]
            # Its listeners and rules go with it.
            self.undo.append(("load balancer", lambda arn=arn: self.elb.delete_load_balancer(LoadBalancerArn=arn)))
        for arn in found(self.ecs.list_task_definitions, familyPrefix=prefix).get("taskDefinitionArns", []):
            if arn.split("/")[-1].rsplit(":", 1)[0] == prefix:
                self.undo.append(("task definition", lambda arn=arn: self.ecs.deregister_task_definition(taskDefinition=arn)))
        for one in found(self.ecs.describe_services, cluster=self.cluster, services=[prefix]).get("services", []):
            if one["status"] != "INACTIVE":
                self.undo.append(("service", self.delete_service))
        self.undo.append(("scalable target", lambda: found(self.scaling.deregister_scalable_target, **self.scalable())))

    # What the experiments are made of.

    def forward(self, blue, green):
        weights = zip(self.groups, (blue, green))
        groups = [{"TargetGroupArn": arn, "Weight": weight} for arn, weight in weights]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups}}

    @staticmethod
    def said(text):
        answer = {"StatusCode": "200", "ContentType": "text/plain", "MessageBody": text}
        return {"Type": "fixed-response", "FixedResponseConfig": answer}

    def scalable(self):
        return {
            "ServiceNamespace": "ecs", "ResourceId": f"service/{self.cluster.split('/')[-1]}/{self.prefix}",
            "ScalableDimension": "ecs:service:DesiredCount",
        }

    def configuration(self, *pauses, bake=1, **more):
        hooks = [{"targetType": "PAUSE", "lifecycleStages": [one]} for one in pauses]
        return {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": bake, "lifecycleHooks": hooks, **more}

    def service(self):
        return self.ecs.describe_services(cluster=self.cluster, services=[self.prefix])["services"][0]

    def update(self, **members):
        return self.ecs.update_service(cluster=self.cluster, service=self.prefix, **members)["service"]

    def listed(self):
        return self.ecs.list_service_deployments(cluster=self.cluster, service=self.prefix)["serviceDeployments"]

    def describe(self, arn):
        return self.ecs.describe_service_deployments(serviceDeploymentArns=[arn])["serviceDeployments"][0]

    def newest(self):
        return (self.listed() or [{}])[0]

    def weights(self, rule=None):
        action = self.elb.describe_rules(RuleArns=[rule or self.production])["Rules"][0]["Actions"][0]
        groups = action.get("ForwardConfig", {}).get("TargetGroups") or [{"TargetGroupArn": action["TargetGroupArn"], "Weight": 1}]
        return ", ".join(sorted(f"{self.groups[one['TargetGroupArn']]} {one['Weight']}" for one in groups))

    def deploy(self, *pauses, bake=1):
        """A new deployment of the same revision; its ARN."""
        answer = self.update(forceNewDeployment=True, deploymentConfiguration=self.configuration(*pauses, bake=bake))
        self.current["given" if answer.get("currentServiceDeployment") else "absent"] += 1
        return self.follow(answer)

    def follow(self, answer):
        primary = next(one for one in answer["deployments"] if one["status"] == "PRIMARY")
        digits = primary["id"].removeprefix("ecs-svc/")
        begun = time.monotonic()

        def found():
            for one in self.listed():
                if one["targetServiceRevisionArn"].endswith(f"/{digits}"):
                    return one["serviceDeploymentArn"]
            return None

        arn = self.until("the new service deployment", found, minutes=2)
        self.lags.append(time.monotonic() - begun)
        return arn

    def waiting(self, arn, stage):
        """The hook that waits at a stage."""

        def found():
            shown = self.describe(arn)
            if shown["status"] in TERMINAL:
                raise NotAnswered(f"the deployment ended as {shown['status']} before {stage}: {shown.get('statusReason')}")
            hooks = [one for one in shown.get("lifecycleHookDetails", []) if one["status"] == "AWAITING_ACTION"]
            return hooks if hooks and shown["lifecycleStage"] == stage else None

        return self.until(f"the pause at {stage}", found)[0]["hookId"]

    def reach(self, arn, stage):
        def found():
            shown = self.describe(arn)
            if shown["status"] in TERMINAL:
                raise NotAnswered(f"the deployment ended as {shown['status']} before {stage}")
            return shown["lifecycleStage"] == stage

        self.until(stage, found)

    def proceed(self, arn, hook):
        self.ecs.continue_service_deployment(serviceDeploymentArn=arn, hookId=hook)

    def stop(self, arn, kind="ROLLBACK"):
        self.ecs.stop_service_deployment(serviceDeploymentArn=arn, stopType=kind)

    def end(self, arn):
        """The statuses until a deployment has ended, and the last description."""
        seen = []

        def found():
            shown = self.describe(arn)
            if not seen or seen[-1] != shown["status"]:
                seen.append(shown["status"])
            return shown if shown["status"] in TERMINAL else None

        return seen, self.until("the end of the deployment", found, minutes=30)

    def stop_newest(self):
        """ECS lists a deployment late: one that was just begun may pause for as long as its hooks allow."""
        newest = self.newest()
        if newest and newest["status"] not in TERMINAL:
            with contextlib.suppress(ClientError):
                self.stop(newest["serviceDeploymentArn"])
            self.end(newest["serviceDeploymentArn"])

    def at_rest(self):
        """No deployment, no hooks, one task."""
        self.stop_newest()
        if self.service()["status"] != "ACTIVE":
            return
        self.update(deploymentConfiguration=self.configuration(), desiredCount=1)
        self.stop_newest()
        def rests():
            # One may be listed only now, and pause.
            self.stop_newest()
            one = self.service()
            return len(one["deployments"]) == 1 and one["runningCount"] == 1

        self.until("one task at rest", rests)

    # From here on: the table.

    def run(self, only):
        for name, (text, function) in QUESTIONS.items():
            if only and name not in only:
                continue
            self.say(f"{name}: {text}")
            try:
                answers = function(self)
                self.at_rest()
            except (NotAnswered, ClientError, BotoCoreError) as error:
                answers = f"not answered: {refusal(error) if isinstance(error, ClientError) else error}"
                with contextlib.suppress(NotAnswered, ClientError, BotoCoreError):
                    self.at_rest()
            for answer in [answers] if isinstance(answers, str) else answers:
                self.say(f"  {answer}")
                self.answers.append((name, text, answer))

    def table(self):
        rows = ["| question | | answer |", "| --- | --- | --- |"]
        for name, text, answer in self.answers:
            rows.append(f"| `{name}` | {text} | {self.anonymous(answer)} |")
        return "\n".join(rows)

    def anonymous(self, text):
        text = re.sub(r"arn:[\w-]+:[\w-]+:[\w-]*:\d*:\S*", "ARN", text)
        return re.sub(r"\d{12}", "ACCOUNT", text).replace(self.prefix, "PREFIX").replace("|", "\\|").replace("\n", " ")


@question("pause-details", "What happens to hookDetails of a PAUSE hook?")
def pause_details(probe):
    hook = {"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"], "hookDetails": {"probe": "1"}}
    try:
        probe.update(deploymentConfiguration=probe.configuration() | {"lifecycleHooks": [hook]})
    except ClientError as error:
        return refusal(error)
    [kept] = probe.service()["deploymentConfiguration"]["lifecycleHooks"]
    return f"kept: {kept['hookDetails']}" if kept.get("hookDetails") else "accepted and dropped"


@question("configuration-at-rest", "Does an update of deploymentConfiguration alone start a deployment?")
def configuration_at_rest(probe):
    before = probe.newest()["serviceDeploymentArn"]
    probe.update(deploymentConfiguration=probe.configuration(bake=2))
    for _ in range(6):
        probe.sleep()
    newest = probe.newest()
    return "no" if newest["serviceDeploymentArn"] == before else f"yes: {newest['status']}"


@question("merge", "Is deploymentConfiguration merged with the service's, or does it replace it?")
def merge(probe):
    full = probe.configuration(
        "PRE_SCALE_UP", bake=3, maximumPercent=150, minimumHealthyPercent=50,
        deploymentCircuitBreaker={"enable": True, "rollback": True},
    )
    probe.update(deploymentConfiguration=full)
    before = probe.service()["deploymentConfiguration"]

    def compared():
        after = probe.service()["deploymentConfiguration"]
        same = sorted(name for name in before if after.get(name) == before[name])
        other = sorted(f"{name}={after.get(name)}" for name in before if after.get(name) != before[name])
        return f"as before: {', '.join(same) or 'nothing'}; changed: {', '.join(other) or 'nothing'}"

    answers = []
    for part in ({"maximumPercent": 160}, {"strategy": "BLUE_GREEN", "bakeTimeInMinutes": 4}):
        try:
            probe.update(deploymentConfiguration=part)
            answers.append(f"{' and '.join(part)} alone: {compared()}")
        except ClientError as error:
            answers.append(f"{' and '.join(part)} alone: {refusal(error)}")
        probe.update(deploymentConfiguration=copy.deepcopy(full))
    return answers


@question("configuration-during", "And while a service deployment runs: does that deployment follow the new hooks?")
def configuration_during(probe):
    arn = probe.deploy("POST_SCALE_UP")
    hook = probe.waiting(arn, "POST_SCALE_UP")
    try:
        probe.update(deploymentConfiguration=probe.configuration("POST_SCALE_UP", "POST_TEST_TRAFFIC_SHIFT"))
    except ClientError as error:
        return refusal(error)
    probe.sleep()
    shown = probe.describe(arn)
    answers = [f"accepted; the deployment is {shown['status']} at {shown['lifecycleStage']}"]
    if probe.newest()["serviceDeploymentArn"] != arn:
        return [*answers, "a new service deployment began"]
    probe.proceed(arn, hook)
    try:
        probe.waiting(arn, "POST_TEST_TRAFFIC_SHIFT")
        return [*answers, "a hook added meanwhile pauses it (live)"]
    except NotAnswered:
        return [*answers, "a hook added meanwhile does not pause it (copied)"]


@question("stop", "StopServiceDeployment with ROLLBACK, by stage: how long, which statuses, which weights?")
def stop(probe):
    answers = []
    for stage in [*PAUSES, "BAKE_TIME"]:
        try:
            if stage == "BAKE_TIME":
                arn = probe.deploy(bake=10)
                probe.reach(arn, stage)
            else:
                arn = probe.deploy(stage)
                probe.waiting(arn, stage)
            before, begun = probe.weights(), time.monotonic()
            probe.stop(arn)
            seen, last = probe.end(arn)
            took = time.monotonic() - begun
            answers.append(
                f"{stage}: {' → '.join(seen)} in {took:.0f} s, production rule {before} → {probe.weights()}, "
                f"stage at the end {last.get('lifecycleStage')}, reason {last.get('statusReason')!r}"
            )
        except (NotAnswered, ClientError) as error:
            answers.append(f"{stage}: {refusal(error) if isinstance(error, ClientError) else error}")
        probe.say(f"  {answers[-1]}")
        probe.at_rest()
    return answers


@question("stop-after-the-end", "StopServiceDeployment for a deployment that has ended?")
def stop_after_the_end(probe):
    newest = probe.newest()
    try:
        probe.stop(newest["serviceDeploymentArn"])
        return f"accepted; the status was {newest['status']}, now {probe.describe(newest['serviceDeploymentArn'])['status']}"
    except ClientError as error:
        return refusal(error)


@question("abort", "StopServiceDeployment with ABORT, while it waits at POST_SCALE_UP?")
def abort(probe):
    arn = probe.deploy("POST_SCALE_UP")
    probe.waiting(arn, "POST_SCALE_UP")
    try:
        probe.stop(arn, "ABORT")
    except ClientError as error:
        return refusal(error)
    seen, last = probe.end(arn)
    count = len(probe.service()["deployments"])
    return f"{' → '.join(seen)}, reason {last.get('statusReason')!r}, {count} deployments in the service, {probe.weights()}"


@question("count", "Which revision follows a desired count that changes during a deployment?")
def count(probe):
    arn = probe.deploy("POST_SCALE_UP")
    probe.waiting(arn, "POST_SCALE_UP")
    try:
        probe.update(desiredCount=2)
    except ClientError as error:
        return refusal(error)
    for _ in range(24):
        probe.sleep()
    shown = probe.describe(arn)
    if probe.newest()["serviceDeploymentArn"] != arn:
        return "a new service deployment began"
    tasks = lambda one: f"{one.get('runningTaskCount')} of {one.get('requestedTaskCount')}"
    sources = ", ".join(tasks(one) for one in shown.get("sourceServiceRevisions", []))
    return f"new revision {tasks(shown['targetServiceRevision'])}, old revision {sources}, status {shown['status']}"


@question("interrupted-bake", "Where is the traffic when a new deployment interrupts a bake?")
def interrupted_bake(probe):
    before = probe.weights()
    first = probe.deploy(bake=10)
    probe.reach(first, "BAKE_TIME")
    baked = probe.weights()
    second = probe.deploy("PRE_SCALE_UP")
    seen, _ = probe.end(first)
    hook_stage = probe.waiting(second, "PRE_SCALE_UP") and "PRE_SCALE_UP"
    sources = len(probe.describe(second).get("sourceServiceRevisions", []))
    return (
        f"before {before}, in the bake {baked}, when the next one is at {hook_stage} {probe.weights()}; "
        f"the first one: {' → '.join(seen)}; source revisions of the next one: {sources}"
    )


@question("clamp", "What does RegisterScalableTarget do with a desired count outside its bounds?")
def clamp(probe):
    answers = []
    for least, most in ((2, 4), (0, 1)):
        before, begun = probe.service()["desiredCount"], time.monotonic()
        probe.scaling.register_scalable_target(**probe.scalable(), MinCapacity=least, MaxCapacity=most)
        changed = None
        for _ in range(48):
            if probe.service()["desiredCount"] != before:
                changed = probe.service()["desiredCount"], time.monotonic() - begun
                break
            probe.sleep()
        told = f"{changed[0]} after {changed[1]:.0f} s" if changed else "unchanged"
        answers.append(f"desired count {before}, bounds {least} to {most}: {told}")
    probe.scaling.deregister_scalable_target(**probe.scalable())
    return answers


@question("tags", "How late does DescribeTaskDefinition show a tag that was just written?")
def tags(probe):
    stale, worst = 0, 0.0
    for number in range(20):
        probe.ecs.tag_resource(resourceArn=probe.definition, tags=[{"key": "probe", "value": str(number)}])
        begun, reads = time.monotonic(), 0
        while True:
            shown = probe.ecs.describe_task_definition(taskDefinition=probe.definition, include=["TAGS"])
            reads += 1
            if {one["key"]: one["value"] for one in shown["tags"]}.get("probe") == str(number):
                break
            if time.monotonic() - begun > 60:
                raise NotAnswered("a tag was not shown for 60 s")
        if reads > 1:
            stale, worst = stale + 1, max(worst, time.monotonic() - begun)
    return f"{stale} of 20 writes were not in the first read; the latest was shown after {worst:.2f} s"


@question("no-weight", "ModifyRule with all weights 0?")
def no_weight(probe):
    try:
        probe.elb.modify_rule(RuleArn=probe.spare, Actions=[probe.forward(0, 0)])
    except ClientError as error:
        return refusal(error)
    return f"accepted; the rule has {probe.weights(probe.spare)}"


@question("propagation", "How late do all nodes of a load balancer follow ModifyRule?")
def propagation(probe):
    def asked():
        with urllib.request.urlopen(f"http://{probe.address}/{probe.prefix}", timeout=5) as answer:
            return answer.read().decode()

    answers = []
    for number in range(5):
        wanted = f"answer {number}"
        probe.elb.modify_rule(RuleArn=probe.spare, Actions=[probe.said(wanted)])
        begun, first, last = time.monotonic(), None, 0.0
        while time.monotonic() - begun < 120 and (first is None or time.monotonic() - begun - max(first, last) < 30):
            try:
                got = asked()
            except (urllib.error.URLError, OSError) as error:
                raise NotAnswered(f"the load balancer cannot be reached from here: {error}") from error
            now = time.monotonic() - begun
            if got == wanted:
                first = first if first is not None else now
            else:
                last = now
            time.sleep(0.05)
        answers.append((first, last))
    return [f"first new answer after {first} s, last old answer after {last:.1f} s" for first, last in answers]


@question("rebalancing", "availabilityZoneRebalancing together with maximumPercent 100?")
def rebalancing(probe):
    try:
        probe.update(
            availabilityZoneRebalancing="ENABLED",
            deploymentConfiguration=probe.configuration(maximumPercent=100, minimumHealthyPercent=0),
        )
    except ClientError as error:
        return refusal(error)
    probe.update(availabilityZoneRebalancing="DISABLED")
    return "accepted"


@question("listing", "How late is a new service deployment listed, and does UpdateService name it?")
def listing(probe):
    for _ in range(2):
        probe.stop(probe.deploy())
        probe.at_rest()
    lags = ", ".join(f"{one:.1f}" for one in probe.lags)
    given = ", ".join(f"{name} {count} times" for name, count in sorted(probe.current.items()))
    return [f"listed after {lags} s", f"currentServiceDeployment in the answer of UpdateService: {given}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cluster", required=True)
    parser.add_argument("--vpc", required=True)
    parser.add_argument("--subnets", required=True, type=lambda text: text.split(","), help="two or more, in two zones")
    parser.add_argument(
        "--security-group", required=True,
        help="lets the load balancer reach the tasks, and this machine the load balancer (port 80)",
    )
    parser.add_argument(
        "--infrastructure-role", required=True,
        help="trusts ecs.amazonaws.com, has AmazonECSInfrastructureRolePolicyForLoadBalancers",
    )
    parser.add_argument("--execution-role", required=True, help="the tasks' execution role")
    parser.add_argument("--image", default="public.ecr.aws/nginx/nginx:stable")
    parser.add_argument("--port", type=int, default=80)
    parser.add_argument("--path", default="/", help="answers 200")
    parser.add_argument("--scheme", choices=["internet-facing", "internal"], default="internet-facing")
    parser.add_argument("--public-ip", action="store_true", help="tasks in public subnets need it to pull the image")
    parser.add_argument("--prefix", default="ecs-bg-probe")
    parser.add_argument("--region")
    parser.add_argument("--profile")
    parser.add_argument("--only", type=lambda text: text.split(","), help="names of questions")
    parser.add_argument("--poll", type=float, default=5, help="seconds between two looks")
    parser.add_argument("--dry-run", action="store_true", help="say what it does; call nothing")
    parser.add_argument("--clean", action="store_true", help="only delete what an earlier run left behind")
    options = parser.parse_args()
    if not re.fullmatch(r"[a-z][a-z0-9-]{2,24}", options.prefix):
        parser.error("--prefix: 3 to 25 of a-z, 0-9 and -")
    if options.only and set(options.only) - set(QUESTIONS):
        parser.error(f"--only: the questions are {', '.join(QUESTIONS)}")
    if options.dry_run:
        print(CREATED.format(prefix=options.prefix, cluster=options.cluster, scheme=options.scheme))
        for name, (text, _) in QUESTIONS.items():
            if not options.only or name in options.only:
                print(f"  {name:22} {text}")
        return 0

    probe = Probe(options)
    if options.clean:
        probe.find()
        return 0 if probe.clean() else 1
    failed = None
    try:
        probe.create()
        probe.run(options.only)
    except (NotAnswered, ClientError, BotoCoreError) as error:
        failed = error
    finally:
        probe.say("deleting what was created")
        if not probe.clean():
            failed = NotAnswered("something is left behind")
        if probe.answers:
            print(f"\nprobe.py, boto3 {boto3.__version__}, {time.strftime('%Y-%m-%d')}\n\n{probe.table()}")
    if failed:
        print(f"probe: {failed}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
