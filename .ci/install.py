"""Runs what users run to install and start ecs-bg. `.ci/install` starts it; arguments go to unittest.

The steps of `action.yml` are run as GitHub's runner runs them: the same texts, the same files, bash with the
same options, the same signals when a job is cancelled. The releases are a folder behind a server on loopback,
and AWS is the sandbox.
"""

import concurrent.futures
import contextlib
import faulthandler
import functools
import hashlib
import http.server
import io
import json
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from ruamel.yaml import YAML

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ["ECS_BG"])
VERSION = re.search(r'^version = "(.*)"$', (ROOT / "Cargo.toml").read_text(), re.M)[1]
MACHINE = {"x86_64": "x86_64", "arm64": "aarch64", "aarch64": "aarch64"}[os.uname().machine]
TARGET = f"{MACHINE}-unknown-linux-musl"
SCALE = 10
CLEANUP = contextlib.ExitStack()
WORK = pathlib.Path(tempfile.mkdtemp(prefix="ecs-bg-install."))
CLEANUP.callback(shutil.rmtree, WORK)


def environment(**more):
    """What a job has: nothing of this machine's AWS or CI."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return kept | {"CI": "true"} | more


def load(path):
    return YAML(typ="safe").load((ROOT / path).read_text())


class Releases:
    """The releases of a repository, with GitHub's layout, behind a server."""

    def __init__(self):
        self.folder = WORK / "releases"
        (self.folder / "latest").mkdir(parents=True)

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

        handler = functools.partial(Handler, directory=self.folder)
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        CLEANUP.callback(self.server.server_close)
        CLEANUP.callback(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def publish(self, version, program, latest=False):
        folder = self.folder / "download" / f"v{version}"
        command = [sys.executable, ROOT / "dist" / "pack", TARGET, program, folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=os.environ | {"XZ_PRESET": "0"})
        if latest:
            (self.folder / "latest" / "download").symlink_to(folder)
        return folder / f"ecs-bg-{TARGET}.tar.xz"


def fake(version, body):
    """A program that says its version, and otherwise does `body`."""
    path = WORK / f"fake-{version}"
    path.write_text(f'#!/bin/sh\nif [ "$1" = --version ]; then echo "ecs-bg {version}"; exit; fi\n{body}\n')
    path.chmod(0o755)
    return path


class Sandbox:
    def __init__(self, scenario):
        command = [PROGRAM, "sandbox", "--port", "0", "--scale", str(SCALE), "--scenario", scenario]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment())
        self.variables = {}
        for line in self.process.stdout:
            if found := re.fullmatch(r"export (\w+)=(.*)\n", line):
                self.variables[found[1]] = found[2]
            if "AWS_DEFAULT_REGION" in line:
                break

    def run(self, *words):
        done = subprocess.run(
            [PROGRAM, *words], env=environment(**self.variables), capture_output=True, text=True, timeout=120
        )
        return done.returncode, done.stdout + done.stderr

    def stop(self):
        self.process.terminate()
        self.process.wait(timeout=10)
        self.process.stdout.close()


class Job:
    """A job on a runner: the action's steps, one after the other."""

    ACTION = load("action.yml")

    def __init__(self, **variables):
        self.temp = pathlib.Path(tempfile.mkdtemp(dir=WORK))
        self.variables = {"GITHUB_ACTIONS": "true", "RUNNER_TEMP": str(self.temp / "runner")} | variables
        (self.temp / "runner").mkdir()
        self.path = []
        self.outputs = {}
        self.output = ""

    def expression(self, text, inputs):
        def value(found):
            for name in found[1].split("||"):
                room, _, rest = name.strip().partition(".")
                if room == "inputs":
                    got = inputs[rest]
                elif room == "github":
                    got = {"action_path": str(ROOT), "server_url": "https://github.invalid"}.get(rest, "")
                else:
                    _, step, _, output = name.strip().split(".")
                    got = self.outputs.get(step, {}).get(output, "")
                if got:
                    return got
            return ""

        return re.sub(r"\$\{\{ (.+?) \}\}", value, text)

    def start(self, step, inputs):
        files = {name: self.temp / name for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")}
        for file in files.values():
            file.write_text("")
        script = self.temp / "step.sh"
        script.write_text(self.expression(step["run"], {}))
        given = {name: self.expression(text, inputs) for name, text in step["env"].items()}
        own = environment(**self.variables, **given, **{name: str(file) for name, file in files.items()})
        own["PATH"] = ":".join([*self.path, own["PATH"]])
        self.log = open(self.temp / "log", "w+")
        return subprocess.Popen(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", script],
            cwd=self.temp, env=own, stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            start_new_session=True,
        )

    def finish(self, step):
        self.log.seek(0)
        self.output += self.log.read()
        self.log.close()
        lines = (self.temp / "GITHUB_OUTPUT").read_text().splitlines()
        self.outputs[step["id"]] = dict(line.split("=", 1) for line in lines if "=" in line)
        self.path = (self.temp / "GITHUB_PATH").read_text().split() + self.path

    def uses(self, cancel_at=None, **inputs):
        """Runs the action; its exit code. Cancels it when its output has the text `cancel_at`."""
        known = {name: str(one.get("default", "")) for name, one in self.ACTION["inputs"].items()}
        given = {name.replace("_", "-"): text for name, text in inputs.items()}
        assert not set(given) - set(known), given
        self.output = ""
        for step in self.ACTION["runs"]["steps"]:
            if "if" in step and (known | given)["command"] == "install":
                continue
            process = self.start(step, known | given)
            try:
                if cancel_at and step["id"] == "deploy":
                    self.cancel(process, cancel_at)
                code = process.wait(timeout=120)
            finally:
                if process.poll() is None:
                    process.kill()
            self.finish(step)
            if code:
                return code
        return 0

    def cancel(self, process, text):
        """As GitHub does it: SIGINT, SIGTERM 7.5 s later (of the sandbox's time), SIGKILL 2.5 s later."""
        end = time.monotonic() + 60
        while text not in (self.temp / "log").read_text():
            assert process.poll() is None and time.monotonic() < end, (self.temp / "log").read_text()
            time.sleep(0.05)
        for number, patience in ((signal.SIGINT, 7.5 / SCALE), (signal.SIGTERM, 2.5), (signal.SIGKILL, 10)):
            process.send_signal(number)
            self.last_signal = number
            try:
                process.wait(timeout=patience)
                return
            except subprocess.TimeoutExpired:
                pass

    def errors(self):
        return [line for line in self.output.splitlines() if line.startswith("::error")]


def publish():
    global RELEASES
    RELEASES = Releases()
    stripped = WORK / "ecs-bg"
    # A debug build is mostly symbols.
    subprocess.run(["strip", "-o", stripped, PROGRAM], check=True)
    RELEASES.archive = RELEASES.publish(VERSION, stripped, latest=True)
    RELEASES.publish("9.0.0", fake("9.0.0", 'printf "<%s>\\n" "$@"; env | sort'))


class Action(unittest.TestCase):
    def job(self, sandbox=None, **variables):
        own = {"ECS_BG_DOWNLOAD_BASE": RELEASES.url}
        return Job(**own | (sandbox.variables if sandbox else {}) | variables)

    def words(self, **inputs):
        """The command line that inputs become."""
        job = self.job()
        code = job.uses(version="9.0.0", **inputs)
        self.assertEqual(code, 0, job.output)
        return re.findall(r"^<(.*)>$", job.output, re.M), job.output

    def refused(self, code, text, job=None, **inputs):
        job = job or self.job()
        self.assertEqual(job.uses(**inputs), code, job.output)
        self.assertEqual(len(job.errors()), 1, job.output)
        self.assertIn(text, job.errors()[0])
        return job

    def not_installed(self, text, job=None, **inputs):
        job = self.refused(1, text, job, cluster="shop", service="api", tag="2", **inputs)
        self.assertEqual([one.name for one in (job.temp / "runner").rglob("*") if one.is_file()], [])
        self.assertEqual(job.path, [])

    def test_a_good_version_is_deployed(self):
        sandbox = Sandbox("solo")
        self.addCleanup(sandbox.stop)
        job = self.job(sandbox)
        begun = time.monotonic()
        code = job.uses(cluster="shop", service="api", tag="2", wait_for_service_stability="true")
        self.assertEqual(code, 0, job.output)
        self.assertIn("api:2 serves in api", job.output)
        self.assertIn(f"ecs-bg {VERSION}", job.output)
        self.assertIn(hashlib.sha256(RELEASES.archive.read_bytes()).hexdigest(), job.output)
        print(f"install: a deployment with the action took {time.monotonic() - begun:.1f} s")
        # Later steps have it on their PATH, and the next use in the job downloads nothing.
        [folder] = job.path
        self.assertTrue(os.access(f"{folder}/ecs-bg", os.X_OK))
        self.assertEqual(job.uses(command="status", cluster="shop", service="api"), 0, job.output)
        self.assertIn("api:2", job.output)
        self.assertNotIn("SHA-256", job.output)

    def test_a_bad_version_is_rolled_back(self):
        sandbox = Sandbox("solo")
        self.addCleanup(sandbox.stop)
        job = self.job(sandbox)
        self.assertEqual(job.uses(cluster="shop", service="api", tag="4"), 1, job.output)
        self.assertIn("exited with code 1", job.output)
        self.assertIn("api:1 serves in api", job.output)

    def test_a_cancelled_job_gives_the_traffic_back_and_abort_finishes(self):
        sandbox = Sandbox("shop")
        self.addCleanup(sandbox.stop)
        job = self.job(sandbox)
        pair = {"cluster": "shop", "service": "web"}
        code = job.uses(cancel_at="  bake ", tag="shop/web=2", bake="10m", **pair)
        # The rollback needs longer than GitHub waits: the second signal ends it, and not SIGKILL.
        self.assertEqual((code, job.last_signal), (130, signal.SIGTERM), job.output)
        status = sandbox.run("status", "--cluster", "shop", "--service", "web")[1]
        self.assertRegex(status, r"100 %\s+web\b")
        # 1: the old version serves.
        self.assertEqual(job.uses(command="abort", **pair), 1, job.output)
        self.assertIn("rolled back: web:1 serves in web", job.output)
        status = sandbox.run("status", "--cluster", "shop", "--service", "web")[1]
        self.assertRegex(status, r"100 %\s+web\b")

    def test_inputs_become_options(self):
        words, output = self.words(
            cluster="shop", service="web", image="registry.example.com/web:2", container_name="web",
            task_definition="task definition.json", wait_for_minutes="30", desired_count="3",
            force_new_deployment="true", wait_for_service_stability="false", strategy="canary:10/5m",
            env="A=1\n  B=two words\n", args="--keep-revisions 5\n--before 'rake db:migrate' --region\\ x",
        )
        self.assertEqual(words, [
            "deploy", "--cluster=shop", "--service=web", "--image=web=registry.example.com/web:2",
            "--task-definition=task definition.json", "--env=A=1", "--env=B=two words",
            "--strategy=canary:10/5m", "--desired-count=3", "--force-new-deployment", "--no-wait",
            "--timeout=30m", "--keep-revisions", "5", "--before", "rake db:migrate", "--region x",
        ])
        # A template of a task definition is not filled in from inputs.
        self.assertNotIn("IN_", output)

    def test_the_outputs_are_those_that_the_program_writes(self):
        names = ["outcome", "exit-code", "task-definition-arn", "previous-task-definition-arn", "deployment-id",
                 "service", "duration"]
        self.assertEqual(list(Job.ACTION["outputs"]), names)
        body = "".join(f'echo "{name}=the {name}" >>"$GITHUB_OUTPUT"\n' for name in names) + "exit 1"
        RELEASES.publish("9.0.4", fake("9.0.4", body))
        job = self.job()
        # Those of a deployment that failed, too.
        self.assertEqual(job.uses(version="9.0.4", cluster="c", service="s"), 1, job.output)
        got = {name: job.expression(one["value"], {}) for name, one in Job.ACTION["outputs"].items()}
        self.assertEqual(got, {name: f"the {name}" for name in names})

    def test_each_input_reaches_the_script(self):
        step = next(one for one in Job.ACTION["runs"]["steps"] if one["id"] == "deploy")
        passed = {re.search(r"inputs\.([\w-]+)", text)[1] for text in step["env"].values() if "inputs." in text}
        self.assertEqual(passed | {"version", "sha256", "download-base"}, set(Job.ACTION["inputs"]))
        script = (ROOT / "action" / "deploy.sh").read_text()
        for name in passed:
            self.assertRegex(script, rf"(?<![\w-]){re.escape(name)}(?![\w-])", name)

    def test_no_input_is_run_by_a_shell(self):
        evil = "x\"; touch pwned; $(touch pwned) `touch pwned` ' \\"
        names = {name.replace("-", "_") for name in Job.ACTION["inputs"]} - {"command", "sha256", "download_base"}
        job = self.job()
        for name in sorted(names):
            job.uses(**{"version": "9.0.0", "cluster": "shop", "service": "web", name: evil})
            self.assertEqual(list(job.temp.rglob("pwned")), [], name)
        words, _ = self.words(cluster="shop", service=evil)
        self.assertEqual(words[2], f"--service={evil}")

    def test_inputs_without_a_counterpart_are_refused(self):
        refused = [name for name, one in Job.ACTION["inputs"].items() if one["description"] == "Refused"]
        self.assertGreater(len(refused), 20)
        job = self.job()
        for name in refused:
            own = {name.replace("-", "_"): "true"}
            self.refused(2, f'no input "{name}"', job, version="9.0.0", cluster="c", service="s", **own)

    def test_missing_and_wrong_inputs(self):
        self.refused(2, 'input "service" is missing', version="9.0.0", cluster="shop")
        self.refused(2, 'input "cluster" is missing', version="9.0.0", service="web")
        self.refused(2, "write true or false", version="9.0.0", cluster="c", service="s", force="yes")
        self.refused(2, "write a whole number", version="9.0.0", cluster="c", service="s", wait_for_minutes="5m")
        self.refused(2, "a quote without its end", version="9.0.0", cluster="c", service="s", args="--before 'x")
        self.refused(2, "write deploy, plan", version="9.0.0", cluster="c", service="s", command="destroy")
        self.assertEqual(self.words(service="shop/web")[0], ["deploy", "--service=shop/web"])
        for command in ["doctor", "history"]:
            self.assertEqual(self.words(service="shop/web", command=command)[0], [command, "--service=shop/web"])

    def test_a_tampered_archive_is_not_installed(self):
        archive = RELEASES.publish("9.0.1", fake("9.0.1", "touch pwned"))
        content = bytearray(archive.read_bytes())
        content[len(content) // 2] ^= 1
        archive.write_bytes(content)
        self.not_installed("but its release says", version="9.0.1")

    def test_an_archive_with_another_sum_than_the_users_is_not_installed(self):
        self.not_installed("but you gave 0000", version="9.0.0", sha256="0" * 64)
        self.not_installed("not 64 hexadecimal digits", version="9.0.0", sha256="abc")
        # Also where the program is there already.
        job = self.job()
        self.assertEqual(job.uses(command="install", version="9.0.0"), 0, job.output)
        self.refused(1, "but you gave 0000", job, command="install", version="9.0.0", sha256="0" * 64)
        archive = RELEASES.folder / "download" / "v9.0.0" / f"ecs-bg-{TARGET}.tar.xz"
        right = hashlib.sha256(archive.read_bytes()).hexdigest()
        self.assertEqual(self.job().uses(command="install", version="9.0.0", sha256=right.upper()), 0)

    def test_what_is_no_release_is_not_installed(self):
        self.not_installed("there is no ecs-bg 9.9.9", version="9.9.9")
        self.not_installed("is not a version", version="../../evil")
        self.not_installed("is not a version", version="1.0.0; touch pwned")
        # A page instead of the sum; an archive that holds something else; a program that does not run.
        archive = RELEASES.publish("9.0.2", fake("9.0.2", ""))
        pathlib.Path(f"{archive}.sha256").write_text("<html>log in first</html>")
        self.not_installed("does not begin with a SHA-256", version="9.0.2")
        archive.write_bytes(b"not an archive")
        pathlib.Path(f"{archive}.sha256").write_text(hashlib.sha256(b"not an archive").hexdigest())
        self.not_installed("holds no ecs-bg", version="9.0.2")
        broken = WORK / "broken"
        broken.write_bytes(b"\x7fELF")
        RELEASES.publish("9.0.3", broken)
        self.not_installed("does not run on this machine", version="9.0.3")

    def test_no_network_and_other_platforms(self):
        self.not_installed("check the network", self.job(ECS_BG_DOWNLOAD_BASE="http://127.0.0.1:1"))
        folder = WORK / "sun"
        folder.mkdir()
        (folder / "uname").write_text('#!/bin/sh\nif [ "$1" = -s ]; then echo SunOS; else echo sun4v; fi\n')
        (folder / "uname").chmod(0o755)
        job = self.job(PATH=f"{folder}:{os.environ['PATH']}")
        self.not_installed("no ecs-bg for SunOS on sun4v", job)

    def test_the_default_is_the_version_of_the_action_and_latest_is_possible(self):
        for inputs in ({}, {"version": f"v{VERSION}"}, {"version": "latest"}):
            job = self.job()
            self.assertEqual(job.uses(command="install", **inputs), 0, job.output)
            told = subprocess.run([f"{job.path[0]}/ecs-bg", "--version"], capture_output=True, text=True)
            self.assertIn(VERSION, told.stdout)


class Orb(unittest.TestCase):
    """The commands of the packed orb, as CircleCI runs them: parameters filled in, bash with BASH_ENV."""

    def setUp(self):
        packed = subprocess.run(
            [sys.executable, ROOT / "orb" / "pack", RELEASES.url], capture_output=True, text=True, check=True
        )
        self.orb = YAML(typ="safe").load(packed.stdout)
        self.temp = pathlib.Path(tempfile.mkdtemp(dir=WORK))
        self.output = ""

    def command(self, name, variables, **given):
        known = self.orb["commands"][name]["parameters"]
        values = {own: one.get("default") for own, one in known.items()}
        values |= {own.replace("_", "-"): text for own, text in given.items()}
        fill = lambda text: re.sub(
            r"<< parameters\.([\w-]+) >>",
            lambda found: str(values[found[1]]).lower() if values[found[1]] in (True, False) else values[found[1]],
            text,
        )
        for step in self.orb["commands"][name]["steps"]:
            if "run" not in step:
                [(own, inputs)] = step.items()
                inputs = {one.replace("-", "_"): fill(text) for one, text in inputs.items()}
                code = self.command(own, variables, **inputs)
            else:
                script = step["run"]["command"].replace("\\<<", "<<")
                own = {one: fill(text) for one, text in step["run"]["environment"].items()}
                own |= {"CIRCLECI": "true", "BASH_ENV": str(self.temp / "bash_env"), "HOME": str(self.temp)}
                (self.temp / "bash_env").touch()
                done = subprocess.run(
                    ["bash", "-eo", "pipefail", "-c", script], env=environment(**variables) | own,
                    cwd=self.temp, capture_output=True, text=True, timeout=120,
                )
                self.output += done.stdout + done.stderr
                code = done.returncode
            if code:
                return code
        return 0

    def test_it_deploys(self):
        sandbox = Sandbox("solo")
        self.addCleanup(sandbox.stop)
        service = {"cluster": "shop", "service": "api"}
        code = self.command("deploy-service", sandbox.variables, tag="2", version=VERSION, **service)
        self.assertEqual(code, 0, self.output)
        self.assertIn("api:2 serves in api", self.output)
        # The next step of the job has the program on its PATH.
        own = environment(BASH_ENV=str(self.temp / "bash_env"))
        told = subprocess.run(["bash", "-c", "ecs-bg --version"], env=own, capture_output=True, text=True)
        self.assertIn(f"ecs-bg {VERSION}", told.stdout)

    def test_parameters_become_options(self):
        code = self.command(
            "deploy-service", {}, version="9.0.0", cluster="shop", service="x; touch pwned", tag="a\nb",
            force_new_deployment=True, wait_for_service_stability=False, strategy="canary:10/5m", args="--region x",
        )
        self.assertEqual(code, 0, self.output)
        self.assertEqual(re.findall(r"^<(.*)>$", self.output, re.M), [
            "deploy", "--cluster=shop", "--service=x; touch pwned", "--tag=a", "--tag=b", "--strategy=canary:10/5m",
            "--force-new-deployment", "--no-wait", "--region", "x",
        ])
        self.assertFalse((self.temp / "pwned").exists())

    def test_the_job_passes_each_parameter(self):
        [job] = self.orb["jobs"].values()
        passed = next(step["deploy-service"] for step in job["steps"] if "deploy-service" in step)
        self.assertEqual(set(passed), set(self.orb["commands"]["deploy-service"]["parameters"]))
        self.assertEqual(set(job["parameters"]) - set(passed), {"executor", "role-arn", "region"})

    def test_a_role_is_used_with_the_jobs_token(self):
        role = "arn:aws:iam::123456789012:role/ci/deploy"
        variables = {"CIRCLE_OIDC_TOKEN_V2": "header.claims.signature", "CIRCLE_BUILD_NUM": "7"}
        code = self.command("assume-role", variables, role_arn=role, region="eu-central-1")
        self.assertEqual(code, 0, self.output)
        own = environment(BASH_ENV=str(self.temp / "bash_env"))
        show = 'echo "$AWS_ROLE_ARN $AWS_ROLE_SESSION_NAME $AWS_REGION"; stat -c %a "$AWS_WEB_IDENTITY_TOKEN_FILE"; cat "$AWS_WEB_IDENTITY_TOKEN_FILE"'
        told = subprocess.run(["bash", "-c", show], env=own, capture_output=True, text=True)
        self.assertEqual(
            told.stdout.split("\n"), [f"{role} circleci-7 eu-central-1", "600", "header.claims.signature"]
        )
        self.assertEqual(self.command("assume-role", {}, role_arn=role), 1)
        self.assertIn("no CIRCLE_OIDC_TOKEN_V2", self.output)
        self.assertEqual(self.command("assume-role", variables, role_arn="arn:aws:iam::1:role/x; id"), 1)
        self.assertIn("is not the ARN of a role", self.output)


# Counts the signals that it gets.
COUNTER = """
trap 'echo "<INT>"' INT
trap 'echo "<TERM>"; exit 7' TERM
trap 'echo "<HUP>"' HUP
echo "<READY $*>"
while :; do sleep 0.05; done
"""


@unittest.skipUnless(shutil.which("npm"), "npm is not there")
class Npm(unittest.TestCase):
    """The packages, installed without a registry."""

    @classmethod
    def publish(cls):
        [platform] = {"x86_64": ["linux-x64"], "aarch64": ["linux-arm64"]}[MACHINE]
        cls.platform = platform
        cls.real = cls.project("real", WORK / "ecs-bg")
        cls.fake = cls.project("fake", fake("9.0.9", COUNTER))

    @classmethod
    def project(cls, name, program):
        project, packed = WORK / f"npm-{name}", WORK / f"packed-{name}"
        project.mkdir()
        command = [sys.executable, ROOT / "npm" / "pack", packed, f"{cls.platform}={program}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        documented = subprocess.run(
            [ROOT / ".ci" / "block", "docs/ci.md", "json", "1"], cwd=ROOT, capture_output=True, text=True, check=True
        )
        (project / "package.json").write_text(documented.stdout)
        tarballs = [str(one) for one in sorted(packed.iterdir())]
        cls.npm(project, "install", "--offline", "--no-audit", "--no-fund", "--no-save", *tarballs)
        return project

    @staticmethod
    def npm(project, *words, **variables):
        own = environment(NPM_CONFIG_CACHE=str(WORK / "npm-cache"), NPM_CONFIG_UPDATE_NOTIFIER="false", **variables)
        done = subprocess.run(["npm", *words], cwd=project, env=own, capture_output=True, text=True, timeout=120)
        if words[0] == "install" and done.returncode:
            raise AssertionError(done.stdout + done.stderr)
        return done.returncode, done.stdout + done.stderr

    def test_the_documented_scripts_release(self):
        world = WORK / "npm.toml"
        world.write_text(
            "extends = 'shop'\n[[repository]]\nname = 'shop/web'\nimages = ['1', '2.0.0', '3.0.0']\n"
            "[[image]]\nref = 'shop/web:3.0.0'\ndoes = 'exit'\n"
        )
        sandbox = Sandbox(str(world))
        self.addCleanup(sandbox.stop)
        # Docker is a stub: it notes what it was told.
        folder = WORK / "docker"
        folder.mkdir()
        (folder / "docker").write_text('#!/bin/sh\necho "docker $*"\nif [ "$1" = login ]; then cat; fi\n')
        (folder / "docker").chmod(0o755)
        variables = sandbox.variables | {"PATH": f"{folder}:{os.environ['PATH']}"}
        quick = ["--", "--bake", "2s", "--follow", "2s"]
        code, output = self.npm(self.real, "run", "aws:release", *quick, **variables)
        self.assertEqual(code, 0, output)
        self.assertIn("web:2 serves in", output)
        self.assertRegex(output, r"docker login .*\n\S+")
        self.assertIn("docker push 123456789012.dkr.ecr.eu-central-1.amazonaws.com/shop/web:2.0.0", output)
        # The exit code of a deployment that is rolled back is npm's.
        package = self.real / "package.json"
        package.write_text(package.read_text().replace('"2.0.0"', '"3.0.0"'))
        code, output = self.npm(self.real, "run", "aws:deploy", *quick, **variables)
        self.assertEqual(code, 1, output)
        self.assertIn("rolled back", output)

    def start(self, *words, **options):
        options = {"start_new_session": True, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE} | options
        process = subprocess.Popen(words, cwd=self.fake, env=environment(), text=True, **options)
        self.addCleanup(self.end, process.pid)
        if process.stdout:
            while "<READY" not in process.stdout.readline():
                pass
            self.addCleanup(process.stdout.close)
        return process

    @staticmethod
    def end(group):
        """Nothing stays behind, whatever failed."""
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def test_each_signal_arrives_once(self):
        for words in (["node_modules/.bin/ecs-bg", "deploy"], ["npm", "run", "--silent", "aws:deploy"]):
            process = self.start(*words)
            for number, text in ((signal.SIGINT, "<INT>"), (signal.SIGTERM, "<TERM>")):
                process.send_signal(number)
                self.assertTrue(select.select([process.stdout], [], [], 15)[0], (text, words))
                self.assertEqual(process.stdout.readline(), f"{text}\n", words)
                time.sleep(0.3)
            self.assertEqual(process.wait(timeout=10), 7, words)
            self.assertEqual(process.stdout.read(), "", words)

    def test_ctrl_c_on_a_terminal_arrives_once(self):
        for words in (["node_modules/.bin/ecs-bg", "deploy"], ["npm", "run", "--silent", "aws:deploy"]):
            pid, terminal = os.forkpty()
            if pid == 0:
                os.chdir(self.fake)
                os.execvpe(words[0], words, environment())
            self.addCleanup(self.end, pid)
            screen = ""

            def until(text):
                nonlocal screen
                while text not in screen:
                    self.assertTrue(select.select([terminal], [], [], 15)[0], (text, screen))
                    screen += os.read(terminal, 4096).decode()

            until("<READY")
            os.write(terminal, b"\x03")
            until("<INT>")
            time.sleep(0.5)
            os.kill(pid, signal.SIGTERM)
            until("<TERM>")
            self.assertEqual(screen.count("<INT>"), 1, (words, screen))
            os.waitpid(pid, 0)
            os.close(terminal)

    def test_a_program_that_was_killed_is_a_wrapper_that_was_killed(self):
        process = self.start("node_modules/.bin/ecs-bg", "deploy")
        [child] = map(int, pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split())
        os.kill(child, signal.SIGKILL)
        self.assertEqual(process.wait(timeout=10), -signal.SIGKILL)

    def test_what_is_missing_is_said(self):
        wrapper = self.fake / "node_modules" / "ecs-bg" / "run.js"
        copy = WORK / "alone" / "run.js"
        copy.parent.mkdir()
        shutil.copy(wrapper, copy)
        done = subprocess.run(["node", copy, "--version"], cwd=WORK, capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn(f"the package @ecs-bg/{self.platform} is not installed", done.stderr)
        self.assertIn("npm install --include=optional ecs-bg", done.stderr)
        other = WORK / "other.js"
        other.write_text("Object.defineProperty(process, 'arch', { value: 'riscv64' });")
        done = subprocess.run(["node", "-r", other, wrapper], cwd=WORK, capture_output=True, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("there is no program for linux-riscv64", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_the_packages_are_of_one_version(self):
        package = json.loads((self.fake / "node_modules" / "ecs-bg" / "package.json").read_text())
        self.assertEqual(set(package["optionalDependencies"].values()), {VERSION})
        own = json.loads((self.fake / "node_modules" / "@ecs-bg" / self.platform / "package.json").read_text())
        self.assertEqual((own["version"], own["os"], own["cpu"]), (VERSION, ["linux"], [self.platform[6:]]))


class Archive(unittest.TestCase):
    def check(self, *words):
        command = [sys.executable, ROOT / "dist" / "check", *words]
        own = os.environ | {"XZ_PRESET": "0"}
        done = subprocess.run(command, env=own, capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def test_the_release_is_as_it_must_be(self):
        folder = RELEASES.archive.parent
        code, output = self.check(folder)
        self.assertEqual((code, "names, sums, members" in output), (0, True), output)
        self.assertNotIn("not installed", output)
        done = subprocess.run(["sha256sum", "-c", f"{RELEASES.archive.name}.sha256"], cwd=folder, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_packed_again_it_is_the_same(self):
        program = fake("9.1.0", "")
        folder = RELEASES.publish("9.1.0", program).parent
        # A script is not static; that is all that is wrong with it.
        code, output = self.check("--no-schema", folder, TARGET, program)
        self.assertEqual((code, output), (1, f"check: {program} is not static\n"))

    def test_what_is_wrong_is_noticed(self):
        archive = RELEASES.publish("9.1.1", fake("9.1.1", ""))
        archive.write_bytes(archive.read_bytes() + b"\0\0\0\0")
        bill = archive.with_name(f"ecs-bg-{TARGET}.cdx.json")
        content = json.loads(bill.read_text())
        del content["dependencies"], content["components"][5:]
        content["components"][0]["type"] = "book"
        bill.write_text(json.dumps(content))
        (archive.parent / "notes.txt").touch()
        code, output = self.check(archive.parent)
        self.assertEqual(code, 1)
        for text in ("the archive has", "lacks tokio", "is not one of", "notes.txt does not belong"):
            self.assertIn(text, output)


class Timed(unittest.TextTestResult):
    """Says which tests take long."""

    def startTest(self, test):
        self.begun = time.monotonic()
        super().startTest(test)

    def stopTest(self, test):
        super().stopTest(test)
        took = time.monotonic() - self.begun
        if took > 15:
            print(f"install: {test.id().removeprefix('__main__.')}: {took:.0f} s")


def run(names):
    """The tests of the names, side by side: they mostly wait."""
    loader = unittest.defaultTestLoader
    tests = [one for name in names for one in loader.loadTestsFromName(name, sys.modules["__main__"])]

    def alone(test):
        stream = io.StringIO()
        result = unittest.TextTestRunner(stream=stream, resultclass=Timed).run(unittest.TestSuite([test]))
        return result, stream.getvalue()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        done = list(pool.map(alone, tests))
    for result, text in done:
        if not result.wasSuccessful():
            print(text, file=sys.stderr)
        for test, why in result.skipped:
            print(f"install: skipped: {test}: {why}")
    return len(tests), all(result.wasSuccessful() for result, _ in done)


def main():
    # Whatever hangs, says where.
    faulthandler.dump_traceback_later(900, exit=True)
    begun = time.monotonic()
    try:
        publish()
        if shutil.which("npm"):
            Npm.publish()
        count, good = run(sys.argv[1:] or ["Action", "Orb", "Npm", "Archive"])
    finally:
        CLEANUP.close()
    if not good:
        sys.exit(1)
    print(f"install: {count} tests of the action, the orb, the npm packages and the archive passed in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
