"""`make up` as it is started, stopped and killed, and what it shows beside Dagster itself."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from orchestration.up import dbt_docs, free_port
from tests.conftest import ROOT
from top5.settings import Settings

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc"),
]
SCHEDULES = (
    "{ repositoriesOrError { ... on RepositoryConnection { nodes { schedules { name scheduleState { status } }"
    " sensors { name sensorState { status } } } } } }"
)


def alive(home: Path) -> list[int]:
    """Processes with this home, zombies left out."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if f"DAGSTER_HOME={home}/dagster".encode() in (process / "environ").read_bytes():
                found.append(int(process.name))
        except OSError:
            continue
    return found


def start(home: Path) -> "subprocess.Popen[str]":
    """As a shell starts a job in the background, with interrupts ignored: it has to hear them all the same."""
    environment = {**os.environ, "TOP5_HOME": str(home), "TOP5_CONFIG": str(ROOT / "demo" / "top5.toml")}
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.up"],
        cwd=ROOT,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )


def url_of(program: "subprocess.Popen[str]") -> str:
    assert program.stderr is not None
    for line in program.stderr:
        if found := re.search(r"Dagster is at (\S+) ", line):
            return found[1]
    raise AssertionError("it ended before it said where it is")


def ask(url: str, query: str) -> dict[str, object]:
    request = Request(f"{url}/graphql", json.dumps({"query": query}).encode(), {"Content-Type": "application/json"})
    with urlopen(request, timeout=60) as reply:
        return json.load(reply)["data"]


def until_gone(home: Path) -> None:
    deadline = time.monotonic() + 60
    while alive(home):
        assert time.monotonic() < deadline, alive(home)
        time.sleep(0.2)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    home = tmp_path / "a home"
    yield home
    for process in alive(home):
        os.kill(process, signal.SIGKILL)


def test_it_comes_up_once_with_its_schedules_on_and_ctrl_c_leaves_nothing(home: Path):
    with start(home) as program:
        url = url_of(program)
        state = json.dumps(ask(url, SCHEDULES))
        assert state.count('"RUNNING"') == state.count('"name"') >= 6
        second = subprocess.run(
            [sys.executable, "-m", "orchestration.up"],
            cwd=ROOT, env={**os.environ, "TOP5_HOME": str(home)}, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert second.returncode == 1
        assert "runs on" in second.stderr and "already" in second.stderr
        os.killpg(program.pid, signal.SIGINT)  # as a terminal does
        assert program.wait(timeout=60) == 0
    until_gone(home)


def test_killed_it_takes_its_children_with_it_and_comes_up_again(home: Path):
    with start(home) as program:
        url_of(program)
        assert len(alive(home)) >= 3
        program.kill()
    until_gone(home)
    with start(home) as program:
        assert ask(url_of(program), SCHEDULES)
        program.terminate()
    until_gone(home)


def test_a_port_that_is_taken_is_passed_over():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port(port) != port


def test_the_models_are_documented_at_an_address_of_their_own(tmp_path: Path) -> None:
    with dbt_docs(Settings(home=tmp_path)) as address, urlopen(address) as page:
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        documented = page.read().decode()
    assert "One pick of one day" in documented
    assert "mean of the components" in documented
