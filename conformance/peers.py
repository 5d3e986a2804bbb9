"""What other tools and we make of the same deployment: the runs, and the tables of `docs/peers.md`."""

import re
import subprocess
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

from sandbox import ROOT, Sandbox

PEERS = ROOT / "docs" / "peers.md"
BIN = ROOT / "target" / "conformance" / "bin"
REGION = "eu-central-1"
OURS = "ecs-bg"


class Run:
    """Commands in a world of their own."""

    def __init__(self, scale, scenario):
        self.sandbox = Sandbox(scale, scenario=scenario)

    def __call__(self, *command, timeout=300, **environment):
        own = self.sandbox.environment(REGION) | environment
        return subprocess.run(command, env=own, capture_output=True, text=True, timeout=timeout)


def register(run, name, image):
    """The aws CLI registers a revision of `name` with this image."""
    container = f'[{{"name":"{name}","image":"{image}","portMappings":[{{"containerPort":8080}}]}}]'
    words = f"--family {name} --network-mode awsvpc --requires-compatibilities FARGATE --cpu 256 --memory 512"
    role = ["--execution-role-arn", "arn:aws:iam::123456789012:role/shop-execution"]
    made = run(
        BIN / "aws", "ecs", "register-task-definition", *words.split(), *role,
        "--container-definitions", container,
    )
    assert made.returncode == 0, made.stderr


def end_of(done, live, said, cause, service, ecs, serves):
    """How it ended, as the tables say it."""
    wanted = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    family = wanted["family"]
    return {
        "exit code": str(done.returncode),
        "says that it is live": "yes" if live else "no",
        "names the cause": "yes" if cause and re.search(cause, said) else "no",
        "service wants": f"{short(service['taskDefinition'])}, image {tag(wanted)}",
        "serves": serves,
        **{name: status(ecs, name) for name in [f"{family}:1", f"{family}:2"]},
    }


def short(arn):
    return arn.rsplit("/", 1)[-1]


def tag(definition):
    return definition["containerDefinitions"][0]["image"].rsplit(":", 1)[-1]


def status(ecs, name):
    return ecs.describe_task_definition(taskDefinition=name)["taskDefinition"]["status"]


def healthy(aws, service, groups):
    """Healthy targets of target groups, by the image of their tasks."""
    arns = aws.ecs.list_tasks(cluster="shop", serviceName=service, desiredStatus="RUNNING")["taskArns"]
    tasks = aws.ecs.describe_tasks(cluster="shop", tasks=arns)["tasks"] if arns else []
    images = {address(task): task["containers"][0]["image"].rsplit(":", 1)[-1] for task in tasks}
    counts = Counter()
    for group in groups:
        targets = aws.elb.describe_target_health(TargetGroupArn=group)["TargetHealthDescriptions"]
        counts.update(
            images.get(one["Target"]["Id"], "?") for one in targets if one["TargetHealth"]["State"] == "healthy"
        )
    return ", ".join(f"{count} of image {image}" for image, count in sorted(counts.items())) or "nobody"


def address(task):
    details = task["attachments"][0]["details"]
    return next((one["value"] for one in details if one["name"] == "privateIPv4Address"), None)


def all_at_once(facts, worlds, peer_worlds, most=100):
    """The facts of all runs, at most so many at once: they mostly wait."""
    wanted = [(OURS, world) for world in worlds]
    wanted += [(peer, world) for peer, own in peer_worlds.items() for world in own]
    with ThreadPoolExecutor(min(len(wanted), most)) as pool:
        return dict(zip(wanted, pool.map(lambda one: facts(*one), wanted)))


def told(heading):
    """The rows of the table below a heading: peer, world, what, theirs, ours."""
    _, _, text = PEERS.read_text().partition(f"\n## {heading}\n")
    text, _, _ = text.partition("\n## ")
    rows = [
        tuple(cell.strip() for cell in line.strip().strip("|").split("|"))
        for line in text.splitlines()
        if line.startswith("|")
    ]
    header, rule, *rows = rows
    assert header == ("peer", "world", "what", "the peer", OURS, "why") and set("".join(rule)) == {"-"}
    assert all(row[5] for row in rows), "a difference without a reason"
    return {row[:5] for row in rows}


def every_difference_is_told(ends, heading):
    differences = set()
    for (peer, world), (theirs, _) in ends.items():
        if peer != OURS:
            own = ends[OURS, world][0]
            differences |= {
                (peer, world, what, theirs[what], own[what]) for what in own if theirs[what] != own[what]
            }
    rows = told(heading)
    show = lambda these: "".join(f"\n| {' | '.join(one)} | |" for one in sorted(these))
    assert not differences - rows, f"not in {PEERS.name}:{show(differences - rows)}"
    assert not rows - differences, f"no difference any more:{show(rows - differences)}"
