"""What the `aws` CLI and fabfuel's `ecs deploy` make of a service that ECS deploys blue/green, and what we do.

As in `test_rolling.py`: where they end differently, `docs/peers.md` says so and why. They run in the
sandbox's time, so that their own limits (ten minutes of the waiter, five of `ecs deploy`) count.
"""

import sys

import pytest

import peers
from peers import BIN, OURS, REGION, Run, register
from sandbox import BINARY, ROOT
from world import Clients

HEADING = "ECS shifts the traffic"
# Nobody asks this registry before the tasks do.
IMAGE = "registry.example.com/shop/shop:2"
# Simulated seconds per second, for us. No outcome depends on it.
SCALE = 40

DOES = "[[image]]\nref = 'registry.example.com/shop/shop:2'\ndoes = '{}'\n"
SETTINGS = (
    "[[service]]\nserviceName = 'shop'\ndeploymentConfiguration = {{ strategy = 'BLUE_GREEN', "
    "bakeTimeInMinutes = {}, deploymentCircuitBreaker = {{ enable = {}, rollback = {} }} }}\n"
)
LONG = SETTINGS.format(20, "true", "true")
UNWATCHED = SETTINGS.format(5, "false", "false")
EXITS = r"exited with code 1"
SICK = r"answered 500|codes: \[500\]|failed ELB health checks"
# World: what makes it, and the cause that its user should be told.
WORLDS = {
    "good image": ("", None),
    "good image, 20 min bake": (LONG, None),
    "missing image": (DOES.format("missing"), r"CannotPullContainerError"),
    "exits": (DOES.format("exit"), EXITS),
    "unhealthy": (DOES.format("sick"), SICK),
    "unhealthy, no breaker": (DOES.format("sick") + UNWATCHED, SICK),
}
PEER_WORLDS = {
    "ecs deploy": [*WORLDS],
    "ecs deploy --rollback": ["good image", "unhealthy, no breaker"],
    "aws": [*WORLDS],
    "aws, no waiter": ["good image", "unhealthy"],
}
SERVICE = ["--cluster", "shop", "--service", "shop"]


def hasty(run, *command):
    """A command of Python, whose sleep is the sandbox's."""
    return run(sys.executable, ROOT / "conformance" / "hasty.py", *command, HASTY=run.sandbox.address)


def ours(run):
    done = run(BINARY, "deploy", *SERVICE, "--image", f"shop={IMAGE}")
    return done, "shop:2 serves" in done.stdout


def ecs_deploy(run, *more):
    done = hasty(run, "ecs", "deploy", "shop", "shop", "--image", "shop", IMAGE, "--sleep-time", "15", *more)
    return done, "Deployment successful" in done.stdout


def aws(run, waits=True):
    """What tutorials and pipelines do."""
    register(run, "shop", IMAGE)
    done = run(BIN / "aws", "ecs", "update-service", *SERVICE, "--task-definition", "shop")
    assert done.returncode == 0, done.stderr
    if waits:
        waiting = ["ecs", "wait", "services-stable", "--cluster", "shop", "--services", "shop"]
        done = hasty(run, "aws", *waiting)
    return done, done.returncode == 0


TOOLS = {
    OURS: ours,
    "ecs deploy": ecs_deploy,
    "ecs deploy --rollback": lambda run: ecs_deploy(run, "--rollback"),
    "aws": aws,
    "aws, no waiter": lambda run: aws(run, waits=False),
}


def facts(tool, world, folder):
    """How it ended: at its exit, and half an hour later."""
    toml, cause = WORLDS[world]
    scenario = folder / f"{tool.replace(' ', '-')}-{list(WORLDS).index(world)}.toml"
    scenario.write_text(f"extends = 'native'\n{toml}")
    run = Run(SCALE if tool == OURS else 1, scenario)
    run.sandbox.exempt = ["PRE_PRODUCTION_TRAFFIC_SHIFT"]
    try:
        clients = Clients(run.sandbox, REGION)
        done, live = TOOLS[tool](run)
        said = done.stdout + done.stderr
        at_exit = serving(clients)
        run.sandbox.advance("30m")
        service = show(clients)
        end = peers.end_of(done, live, said, cause, service, clients.ecs, serving(clients))
        return {"serves at its exit": at_exit, **end}, said
    finally:
        assert run.sandbox.stop() == 0
        assert run.sandbox.problems == []


def show(aws):
    return aws.ecs.describe_services(cluster="shop", services=["shop"])["services"][0]


def serving(aws):
    """What users reach: the healthy targets behind the production rule."""
    rule = show(aws)["loadBalancers"][0]["advancedConfiguration"]["productionListenerRule"]
    (action,) = aws.elb.describe_rules(RuleArns=[rule])["Rules"][0]["Actions"]
    groups = action["ForwardConfig"]["TargetGroups"]
    return peers.healthy(aws, "shop", [one["TargetGroupArn"] for one in groups if one["Weight"] > 0])


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    return peers.all_at_once(lambda *one: facts(*one, folder), WORLDS, PEER_WORLDS, most=6)


def test_every_difference_is_told_and_none_else(ends):
    peers.every_difference_is_told(ends, HEADING)


@pytest.mark.parametrize("world", WORLDS)
def test_ours_ends_with_what_it_says(ends, world):
    """Read by itself: the comparison alone would let both be wrong."""
    own, said = ends[OURS, world]
    good = world.startswith("good image")
    new = "2" if good else "1"
    assert own == {
        "exit code": "0" if good else "1",
        "says that it is live": "yes" if good else "no",
        "names the cause": "no" if good else "yes",
        "service wants": f"shop:{new}, image {new}",
        "serves at its exit": f"2 of image {new}",
        "serves": f"2 of image {new}",
        "shop:1": "ACTIVE",
        "shop:2": "ACTIVE",
    }, said


@pytest.mark.parametrize(
    "tool, world, says",
    [
        ("aws", "good image, 20 min bake", "Max attempts exceeded"),
        ("aws", "unhealthy, no breaker", "Max attempts exceeded"),
        ("ecs deploy", "good image", "Deployment failed due to timeout"),
        ("ecs deploy --rollback", "good image", "Rolling back"),
    ],
)
def test_their_own_limits_end_them(ends, tool, world, says):
    end, said = ends[tool, world]
    assert end["exit code"] != "0" and says.lower() in said.lower(), said
