"""The live view on a real terminal: tmux shows what a person would see."""

import os
import pty
import re
import shlex
import shutil
import signal
import subprocess
import time

import pytest

from sandbox import BINARY, until

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")


class Terminal:
    """A tmux server of its own, with one window."""

    def __init__(self, columns=100, rows=30, **variables):
        self.socket = f"ecs-bg-{os.getpid()}-{time.monotonic_ns()}"
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.environment = clean | {"LANG": "C.UTF-8"} | variables
        self.tmux("new-session", "-d", "-x", str(columns), "-y", str(rows), "bash --noprofile --norc")
        until(lambda: self.screen().strip(), what="a prompt")

    def tmux(self, *words):
        done = subprocess.run(
            ["tmux", "-L", self.socket, "-f", os.devnull, *words],
            env=self.environment, capture_output=True, text=True, timeout=30, check=True,
        )
        return done.stdout

    def screen(self, *more):
        return self.tmux("capture-pane", "-p", "-t", ":", *more)

    def all(self):
        """With what has scrolled away."""
        return self.screen("-S", "-500")

    def run(self, *words):
        self.tmux("send-keys", "-t", ":", shlex.join(map(str, words)), "Enter")

    def key(self, key):
        self.tmux("send-keys", "-t", ":", key)

    def shows(self, pattern, timeout=30.0):
        return until(lambda: re.search(pattern, self.all()), timeout, pattern)

    def cursor(self):
        return self.tmux("display", "-p", "-t", ":", "#{cursor_flag}").strip()

    def close(self):
        self.tmux("kill-server")


@pytest.fixture
def terminal(request):
    one = Terminal(**getattr(request, "param", {}))
    yield one
    one.close()


# Slow enough to be looked at.
DEMO = [BINARY, "demo", "--speed", "25"]


def test_rows_are_redrawn_below_the_lines_and_gone_at_the_end(terminal):
    terminal.run(*DEMO)
    terminal.shows(r"● \w+")
    seen = set()
    for _ in range(20):
        screen = terminal.screen()
        # One head of rows at a time: what was drawn before is taken away.
        assert len(re.findall(r"cluster shop +\d+:\d\d$", screen, re.M)) <= 1, screen
        assert len(re.findall(r"●", screen)) <= 1, screen
        seen |= set(re.findall(r"● (\w+)", screen))
        time.sleep(0.1)
    assert seen, terminal.all()
    terminal.shows(r"Exit codes of the three deployments: 0, 1, 1", timeout=90)
    text = terminal.all()
    assert "●" not in text and "Ctrl-C" not in text, text
    # Failures stay in the scroll-back.
    assert re.search(r"failed +task \w+: container web exited with code 1", text), text
    assert terminal.cursor() == "1"


def test_a_terminal_that_is_resized_keeps_its_lines(terminal):
    terminal.run(*DEMO)
    terminal.shows(r"● ")
    sizes = (60, 100, 45, 90)
    for columns in sizes:
        terminal.tmux("resize-window", "-t", ":", "-x", str(columns), "-y", "30")
        time.sleep(0.5)
        until(lambda: "● " in terminal.screen().rstrip().rsplit("cluster shop", 1)[1], what="rows at the bottom")
    terminal.shows(r"0, 1, 1", timeout=90)
    text = terminal.all()
    # tmux tells a process of its new size up to 250 ms late: what is drawn meanwhile stays where it wraps.
    assert text.count("●") <= len(sizes), text
    assert len(re.findall(r"register +registered web:2: a copy", text)) <= 1 + len(sizes), text
    for line in ("0:00  deploy    deploying web:2", "0:00  launch    web-green: 2 tasks", "0:36  shift  "):
        assert text.count(line) == 1, (line, text)


def test_ctrl_c_leaves_a_clean_screen(terminal):
    terminal.run(*DEMO)
    terminal.shows(r"● ")
    time.sleep(0.7)
    terminal.key("C-c")
    time.sleep(0.3)
    terminal.key("C-c")
    terminal.run("echo", "over")
    terminal.shows(r"(?m)^over$", timeout=60)
    text = terminal.all()
    assert "●" not in text and "rolls back (again" not in text, text
    assert terminal.cursor() == "1"


@pytest.mark.parametrize(
    "terminal", [{"LANG": "C", "LC_ALL": "C"}], indirect=True, ids=["ascii"]
)
def test_without_utf_8_it_is_ascii(terminal):
    terminal.run(*DEMO)
    terminal.shows(r"  \* \w+")
    assert terminal.screen().isascii(), terminal.screen()


def test_no_color_has_no_colours(terminal):
    terminal.run("env", "NO_COLOR=1", *DEMO)
    terminal.shows(r"● ")
    assert "\x1b[3" not in terminal.screen("-e").split("demo", 1)[1], terminal.screen("-e")


def test_a_dumb_terminal_and_a_ci_job_get_lines(terminal):
    for variable in ("TERM=dumb", "CI=true"):
        terminal.run("clear")
        terminal.run("env", variable, *DEMO[:2], "--speed", "2000")
        terminal.shows(r"0, 1, 1", timeout=60)
        text = terminal.all()
        assert "●" not in text and re.search(r"settle +0/2 tasks running", text), text
        terminal.tmux("clear-history", "-t", ":")


def test_a_terminal_that_nobody_reads_delays_nothing(tmp_path):
    master, slave = pty.openpty()
    state = tmp_path / "state"
    process = subprocess.Popen(
        [BINARY, "deploy", "--cluster", "shop", "--service", "web", "--tag", "shop/web=2",
         "--shares", "10:30m,100", "--progress", "live", "--sandbox", "shop", "--sandbox-state", str(state)],
        stdin=slave, stdout=slave, stderr=slave, env={"TERM": "xterm"},
    )
    # Nobody reads from the master. The world is kept when the deployment is over.
    until(state.exists, timeout=60, what="the end of the deployment")
    assert process.wait(timeout=30) == 0
    os.close(master)
    os.close(slave)


def test_what_a_killed_process_leaves_is_a_shown_cursor(terminal):
    terminal.run(*DEMO)
    terminal.shows(r"● ")
    pid = int(terminal.tmux("display", "-p", "-t", ":", "#{pane_pid}"))
    children = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True).stdout.split()
    os.kill(int(children[0]), signal.SIGKILL)
    terminal.shows(r"Killed")
    assert terminal.cursor() == "1"
