"""Runs the `aws` CLI or fabfuel's `ecs` in the sandbox's time: what they would sleep passes at once.

HASTY is the sandbox's address; the arguments are a command line.
"""

import datetime
import http.client
import json
import os
import sys
import time

slept = 0.0


def sleep(seconds):
    """Nobody waits; the sandbox's clock is put forward."""
    global slept
    slept += seconds
    connection = http.client.HTTPConnection(os.environ["HASTY"], timeout=30)
    body = json.dumps({"advance": f"{round(seconds * 1000)}ms"})
    connection.request("POST", "/_sandbox/clock", body, {"content-type": "application/json"})
    response = connection.getresponse()
    assert response.status == 200, response.read()
    connection.close()


class Later(datetime.datetime):
    """The time that it is for who slept."""

    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=slept)


time.sleep = sleep
sys.argv = sys.argv[1:]
if sys.argv[0] == "aws":
    from awscli.clidriver import main
else:
    import ecs_deploy.cli

    ecs_deploy.cli.datetime = Later
    main = ecs_deploy.cli.ecs
sys.exit(main())
