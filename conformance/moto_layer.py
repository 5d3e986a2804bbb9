"""What moto leaves out of a rolling deployment, in a proxy before it.

moto keeps what it is sent, and nothing comes of it: after UpdateService the service's `deployments`
still show the old revision, for ever, and no task ever runs. Here ECS's part is added to what it says
of services: a new PRIMARY deployment for each revision, at work for some looks and then complete.
Everything else passes unchanged; moto alone judges what we send.
"""

import json
from collections import Counter

from sandbox import proxy

# DescribeServices that still find it at work.
LOOKS = 2


class Layer:
    def __init__(self, address):
        self.history = {}
        self.looks = Counter()
        self.calls = Counter()
        self.refused = []
        self.server, self.url = proxy(address, self.seen)

    def seen(self, asked, request, status, headers, body):
        operation = asked.get("x-amz-target", "").rpartition(".")[2]
        # What moto does not know it answers with a page about a server error.
        if status == 200:
            self.calls[operation] += 1
        else:
            self.refused.append((operation, status, body[:300]))
        if status != 200 or operation not in ("CreateService", "UpdateService", "DescribeServices"):
            return None
        answer = json.loads(body)
        for service in answer.get("services") or [answer["service"]]:
            self.roll(service, looks=operation == "DescribeServices")
        return json.dumps(answer).encode()

    def roll(self, service, looks):
        arn, revision = service["serviceArn"], service["taskDefinition"]
        history = self.history.setdefault(arn, [])
        if not history or history[-1] != revision:
            history.append(revision)
        number = len(history)
        self.looks[arn, number] += looks
        # The first one was complete before anybody looked.
        done = number == 1 or self.looks[arn, number] > LOOKS
        moto = service["deployments"][0]
        shown = [deployment(moto, number, "PRIMARY", revision, service["desiredCount"], done)]
        if not done:
            shown.append(deployment(moto, number - 1, "ACTIVE", history[-2], service["desiredCount"], True))
        service["deployments"] = shown
        service["runningCount"], service["pendingCount"] = service["desiredCount"], 0


def deployment(moto, number, status, revision, desired, done):
    return {
        "id": f"ecs-svc/{number}",
        "status": status,
        "taskDefinition": revision,
        "desiredCount": desired,
        "runningCount": desired if done else 0,
        "pendingCount": 0 if done else desired,
        "failedTasks": 0,
        "createdAt": moto["createdAt"],
        "updatedAt": moto["updatedAt"],
        "rolloutState": "COMPLETED" if done else "IN_PROGRESS",
        "rolloutStateReason": "",
    }
