"""What fabfuel's `ecs deploy` and the `aws` CLI make of a rolling deployment, and what we make of it.

Each tool gets a world of its own, all of one kind. Where they end differently, `docs/peers.md` says
so and why; a difference that it does not tell fails, and so does one that it tells and that is none.
"""

import pytest

import peers
from peers import BIN, OURS, REGION, Run, register
from sandbox import BINARY
from world import Clients

HEADING = "ECS replaces the tasks"
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
    register(run, "api", IMAGE)
    service = ["--cluster", "shop", "--service", "api"]
    told = run(BIN / "aws", "ecs", "update-service", *service, "--task-definition", "api")
    assert told.returncode == 0, told.stderr
    # The waiter asks every 15 s. Its first question comes late enough.
    run.sandbox.advance("10m")
    done = run(BIN / "aws", "ecs", "wait", "services-stable", "--cluster", "shop", "--services", "api")
    return done, done.returncode == 0


TOOLS = {OURS: ours, "ecs deploy": ecs_deploy, "aws": aws}


def facts(tool, world, folder):
    """How it ended: at its exit, and ten minutes later."""
    toml, cause = WORLDS[world]
    scenario = folder / f"{tool}-{list(WORLDS).index(world)}.toml"
    scenario.write_text(f"extends = 'solo'\n{toml}")
    run = Run(SCALE, scenario)
    try:
        done, live = TOOLS[tool](world, run)
        said = done.stdout + done.stderr
        run.sandbox.advance("10m")
        clients = Clients(run.sandbox, REGION)
        service = clients.ecs.describe_services(cluster="shop", services=["api"])["services"][0]
        group = clients.elb.describe_target_groups(Names=["api"])["TargetGroups"][0]["TargetGroupArn"]
        serves = peers.healthy(clients, "api", [group])
        return peers.end_of(done, live, said, cause, service, clients.ecs, serves), said
    finally:
        assert run.sandbox.stop() == 0
        assert run.sandbox.problems == []


@pytest.fixture(scope="module")
def ends(tmp_path_factory):
    folder = tmp_path_factory.mktemp("worlds")
    return peers.all_at_once(lambda *one: facts(*one, folder), WORLDS, PEER_WORLDS)


def test_every_difference_is_told_and_none_else(ends):
    peers.every_difference_is_told(ends, HEADING)


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
