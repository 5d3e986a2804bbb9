"""What fabfuel's `ecs deploy` and the `aws` CLI make of a rolling deployment, and what we make of it.

Each tool gets a world of its own, all of one kind. Where they end differently, `docs/peers.md` says
so and why; a difference that it does not tell fails, and so does one that it tells and that is none.
"""

import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox import BINARY, ROOT, Sandbox
from world import Clients

PEERS = ROOT / "docs" / "peers.md"
BIN = ROOT / "target" / "conformance" / "bin"
REGION = "eu-central-1"
# Nobody asks this registry before the tasks do.
IMAGE = "registry.example.com/shop/api:2"
# Simulated seconds per second. No outcome depends on it.
SCALE = 15

DOES = "[[image]]\nref = 'registry.example.com/shop/api:2'\ndoes = '{}'\n"
BREAKER = (
    "[[service]]\nserviceName = 'api'\n"
    "deploymentConfiguration = {{ deploymentCircuitBreaker = {{ enable = true, rollback = {} }} }}\n"
)
EXITS = r"exited with code 1"
SICK = r"answered 500|codes: \[500\]|failed ELB health checks"
# World: what makes it, and the cause that its user should be told.
WORLDS = {
    "good image": ("", None),
    "missing image": (DOES.format("missing"), r"CannotPullContainerError"),
    "exits, breaker with rollback": (DOES.format("exit") + BREAKER.format("true"), EXITS),
    "unhealthy, breaker with rollback": (DOES.format("sick") + BREAKER.format("true"), SICK),
    "exits, breaker without rollback": (DOES.format("exit") + BREAKER.format("false"), EXITS),
    "never healthy": (DOES.format("sick"), SICK),
    "never healthy, `--rollback`": (DOES.format("sick"), SICK),
}
OURS = "ecs-bg"
PEER_WORLDS = {
    "ecs deploy": list(WORLDS),
    "aws": ["good image", "unhealthy, breaker with rollback", "exits, breaker with rollback"],
}


def ours(world, run):
    done = run(BINARY, "deploy", "--cluster", "shop", "--service", "api", "--image", f"api={IMAGE}")
    return done, "api:2 serves" in done.stdout


def ecs_deploy(world, run):
    words = ["--timeout", "10"] if world.startswith("never healthy") else []
    words += ["--rollback"] if "--rollback" in world else []
    done = run(BIN / "ecs", "deploy", "shop", "api", "--image", "api", IMAGE, *words)
    return done, "Deployment successful" in done.stdout


def aws(world, run):
    """What tutorials and pipelines do."""
    container = f'[{{"name":"api","image":"{IMAGE}","portMappings":[{{"containerPort":8080}}]}}]'
    words = "--family api --network-mode awsvpc --requires-compatibilities FARGATE --cpu 256 --memory 512"
    role = ["--execution-role-arn", "arn:aws:iam::123456789012:role/shop-execution"]
    made = run(
        BIN / "aws", "ecs", "register-task-definition", *words.split(), *role,
        "--container-definitions", container,
    )
    assert made.returncode == 0, made.stderr
    service = ["--cluster", "shop", "--service", "api"]
    told = run(BIN / "aws", "ecs", "update-service", *service, "--task-definition", "api")
    assert told.returncode == 0, told.stderr
    # The waiter asks every 15 s. Its first question comes late enough.
    run.sandbox.advance("10m")
    done = run(BIN / "aws", "ecs", "wait", "services-stable", "--cluster", "shop", "--services", "api")
    return done, done.returncode == 0


TOOLS = {OURS: ours, "ecs deploy": ecs_deploy, "aws": aws}


class Run:
    """Commands in a world of their own."""

    def __init__(self, scenario):
        self.sandbox = Sandbox(SCALE, scenario=scenario)

    def __call__(self, *command):
        return subprocess.run(
            command, env=self.sandbox.environment(REGION), capture_output=True, text=True, timeout=120
        )


def facts(tool, world, folder):
    """How it ended: at its exit, and ten minutes later."""
    toml, cause = WORLDS[world]
    scenario = folder / f"{tool}-{list(WORLDS).index(world)}.toml"
    scenario.write_text(f"extends = 'solo'\n{toml}")
    run = Run(scenario)
    try:
        done, live = TOOLS[tool](world, run)
        said = done.stdout + done.stderr
        run.sandbox.advance("10m")
        clients = Clients(run.sandbox, REGION)
        ecs = clients.ecs
        service = ecs.describe_services(cluster="shop", services=["api"])["services"][0]
        wanted = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
        return {
            "exit code": str(done.returncode),
            "says that it is live": "yes" if live else "no",
            "names the cause": "yes" if cause and re.search(cause, said) else "no",
            "service wants": f"{short(service['taskDefinition'])}, image {tag(wanted)}",
            "serves": serving(clients),
            **{name: status(ecs, name) for name in ["api:1", "api:2"]},
        }, said
    finally:
        assert run.sandbox.stop() == 0
        assert run.sandbox.problems == []


def short(arn):
    return arn.rsplit("/", 1)[-1]


def tag(definition):
    return definition["containerDefinitions"][0]["image"].rsplit(":", 1)[-1]


def status(ecs, name):
    return ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]["status"]


def serving(aws):
    """Healthy targets, by the image of their tasks."""
    arns = aws.ecs.list_tasks(cluster="shop", serviceName="api", desiredStatus="RUNNING")["taskArns"]
    tasks = aws.ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"]
    images = {address(task): task["containers"][0]["image"].rsplit(":", 1)[-1] for task in tasks}
    group = aws.elb.describe_target_groups(Names=["api"])["TargetGroups"][0]["TargetGroupArn"]
    targets = aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
    healthy = Counter(images[one["Target"]["Id"]] for one in targets if one["TargetHealth"]["State"] == "healthy")
    return ", ".join(f"{count} of image {image}" for image, count in sorted(healthy.items())) or "nobody"


def address(task):
    details = task["attachments"][0]["details"]
    return next((one["value"] for one in details if one["name"] == "privateIPv4Address"), None)


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    """All runs at once: they mostly wait."""
    folder = tmp_path_factory.mktemp("worlds")
    wanted = [(OURS, world) for world in WORLDS]
    wanted += [(peer, world) for peer, worlds in PEER_WORLDS.items() for world in worlds]
    with ThreadPoolExecutor(len(wanted)) as pool:
        results = pool.map(lambda one: facts(*one, folder), wanted)
        return dict(zip(wanted, results))


def told():
    """The rows of the table: peer, world, what, theirs, ours."""
    rows = [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in PEERS.read_text().splitlines()
        if line.startswith("|")
    ]
    header, rule, *rows = rows
    assert header == ("peer", "world", "what", "the peer", OURS, "why") and set("".join(rule)) == {"-"}
    assert all(row[5] for row in rows), "a difference without a reason"
    return {row[:5] for row in rows}


def test_every_difference_is_told_and_none_else(ends):
    differences = set()
    for (peer, world), (theirs, _) in ends.items():
        if peer != OURS:
            own = ends[OURS, world][0]
            differences |= {
                (peer, world, what, theirs[what], own[what]) for what in own if theirs[what] != own[what]
            }
    rows = told()
    show = lambda these: "".join(f"\n| {' | '.join(one)} | |" for one in sorted(these))
    assert not differences - rows, f"not in {PEERS.name}:{show(differences - rows)}"
    assert not rows - differences, f"no difference any more:{show(rows - differences)}"


@pytest.mark.parametrize("world", WORLDS)
def test_ours_ends_with_what_it_says(ends, world):
    """Read by itself: the comparison alone would let both be wrong."""
    own, said = ends[OURS, world]
    good = world == "good image"
    new = "2" if good else "1"
    assert own == {
        "exit code": "0" if good else "1",
        "says that it is live": "yes" if good else "no",
        "names the cause": "no" if good else "yes",
        "service wants": f"api:{new}, image {new}",
        "serves": f"2 of image {new}",
        "api:1": "ACTIVE",
        "api:2": "ACTIVE",
    }, said
