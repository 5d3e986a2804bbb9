"""The sandbox in a process of its own, and a proxy before it that reads along.

All clients talk to the proxy, those in other processes too, so that no answer goes unchecked.
"""

import http.client
import itertools
import json
import os
import pathlib
import re
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import shapes

ROOT = pathlib.Path(__file__).resolve().parent.parent
BINARY = ROOT / "target" / "debug" / "ecs-bg"
_REGIONS = itertools.count(1)


class Sandbox:
    def __init__(self, scale, *more, scenario="empty"):
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "ECS_BG_"))
        }
        self.process = subprocess.Popen(
            [BINARY, "sandbox", "--port", "0", "--scale", str(scale), "--scenario", scenario, *more],
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.exports = {}
        for line in self.process.stdout:
            found = re.fullmatch(r"export (\w+)=(.*)\n", line)
            if found:
                self.exports[found[1]] = found[2]
            if line.startswith("export AWS_DEFAULT_REGION="):
                break
        self.address = self.exports["AWS_ENDPOINT_URL"].removeprefix("http://")
        self.problems = []
        self.answered = Counter()
        self.refused = Counter()
        self.spoken = Counter()
        self.exempt = []
        self.proxy, self.url = proxy(self.address, self.seen)

    def environment(self, region):
        """What a shell would have, with the proxy as the endpoint."""
        inherited = {
            name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ
        }
        own = {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        quiet = {"AWS_PAGER": "", "AWS_EC2_METADATA_DISABLED": "true", "PYTHONWARNINGS": "ignore"}
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
        return inherited | self.exports | own | quiet | nowhere

    def seen(self, request_headers, request, status, headers, body):
        call = shapes.called(request_headers, request)
        if call is None:
            return
        (self.answered if status == 200 else self.refused)[call] += 1
        self.spoken[call[0], headers.get("content-type", "").partition(";")[0]] += 1
        for problem in shapes.check(*call, status, headers, body):
            if not any(re.search(one, problem) for one in self.exempt):
                self.problems.append(problem)

    def control(self, method, path, value=None):
        connection = http.client.HTTPConnection(self.address, timeout=30)
        body = None if value is None else json.dumps(value)
        headers = {} if body is None else {"content-type": "application/json"}
        connection.request(method, f"/_sandbox/{path}", body, headers)
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        assert response.status == 200, answer
        return answer

    def image(self, ref, does, **members):
        self.control("PUT", "images", [{"ref": ref, "does": does, **members}])

    def advance(self, duration):
        self.control("POST", "clock", {"advance": duration})

    def stop(self):
        self.proxy.shutdown()
        self.proxy.server_close()
        self.process.terminate()
        return self.process.wait(timeout=10)


def fresh_region():
    """A world of its own: regions are isolated."""
    return f"eu-conformance-{next(_REGIONS)}"


def until(condition, timeout=30.0, what="the condition"):
    """What `condition` returns, as soon as that is true."""
    end = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true in {timeout:.0f} s")
        time.sleep(0.05)


_HOP = {"connection", "transfer-encoding", "content-length", "date", "keep-alive"}


def proxy(address, seen):
    """A proxy before an AWS, and its URL. What `seen` returns, unless nothing, is answered instead."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            upstream = http.client.HTTPConnection(address, timeout=120)
            try:
                headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
                upstream.request("POST", self.path, body, headers)
                response = upstream.getresponse()
                answer = response.read()
            finally:
                upstream.close()
            got = {name.lower(): value for name, value in response.getheaders()}
            asked = {name.lower(): value for name, value in self.headers.items()}
            asked[":path"] = self.path
            answer = seen(asked, body, response.status, got, answer) or answer
            self.send_response_only(response.status)
            for name, value in response.getheaders():
                if name.lower() not in _HOP - {"date"}:
                    self.send_header(name, value)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}"
