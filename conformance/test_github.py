"""A step of GitHub Actions that is cancelled: SIGINT, then SIGTERM, with a real process and real signals."""

import signal
import subprocess
import threading
import time

import pytest

from sandbox import BINARY, Sandbox, until


@pytest.fixture(scope="module")
def shop():
    one = Sandbox(scale=20, scenario="shop")
    yield one
    assert one.stop() == 0


def step(shop, folder, *more):
    """A deployment as a step runs it; what it prints is collected while it runs."""
    environment = shop.environment(shop.exports["AWS_REGION"]) | {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(folder / "summary"),
        "GITHUB_OUTPUT": str(folder / "output"),
    }
    process = subprocess.Popen(
        [BINARY, "deploy", "--cluster", "shop", "--service", "web", "--tag", "shop/web=2", *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment,
    )
    lines = []
    threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True).start()
    return process, lines


def outputs(folder):
    return dict(line.split("=", 1) for line in (folder / "output").read_text().splitlines())


def test_a_cancelled_step_has_its_summary_and_the_next_deployment_cleans_up(shop, tmp_path):
    process, lines = step(shop, tmp_path, "--shares", "10:30m,100")
    until(lambda: any("10 % on web-green" in line for line in lines), what="a share that is held")
    process.send_signal(signal.SIGINT)
    until(lambda: any("rolling back: interrupted" in line for line in lines), what="the rollback")
    process.send_signal(signal.SIGTERM)
    begun = time.monotonic()
    assert process.wait(timeout=10) == 130, "".join(lines)
    # SIGKILL would come 2.5 s later.
    assert time.monotonic() - begun < 2
    summary = (tmp_path / "summary").read_text()
    assert summary.startswith("### ✘ stopped; web&#58;2 is left while rolling back"), summary
    assert "exit code 130" in summary and "ecs-bg abort" in summary
    assert (outputs(tmp_path)["outcome"], outputs(tmp_path)["exit-code"]) == ("stopped", "130")
    errors = [line for line in lines if line.startswith("::error")]
    assert len(errors) == 1, lines

    again, lines = step(shop, tmp_path, "--bake", "0", "--follow", "30s", "--on-conflict", "supersede")
    assert again.wait(timeout=60) == 0, "".join(lines)
    assert outputs(tmp_path)["outcome"] == "live"
