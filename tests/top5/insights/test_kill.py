"""A run that is killed pays for nothing twice."""

import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fakes import openai_server as fake
from tests.fakes.openai_server import ChatRequest, FakeOpenAI, Reply


def child(server: FakeOpenAI, lake: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.top5.insights.extract_once", server.base_url, str(lake)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_after_kill_9_only_the_request_under_way_is_asked_again(tmp_path: Path) -> None:
    fourth, gone = threading.Event(), threading.Event()
    answered: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(request: ChatRequest) -> Reply:
        with lock:
            number = answered.total()
        if number == 3 and not gone.is_set():
            # One request at a time: when the fourth arrives, three replies are kept.
            fourth.set()
            gone.wait(60)
            return fake.server_error()
        with lock:
            answered[request.system + request.user] += 1
        return fake.answer_from_transcript(request)

    with FakeOpenAI(answer) as server:
        first = child(server, tmp_path)
        assert fourth.wait(60)
        first.kill()
        assert first.wait() == -9
        gone.set()
        first.communicate()
        second, _ = child(server, tmp_path).communicate(timeout=60)
        third, _ = child(server, tmp_path).communicate(timeout=60)
    assert max(answered.values()) == 1, "no reply that was kept is asked for again"
    insights, paid = map(int, second.split())
    assert insights >= 4
    assert paid == len(answered) - 3
    assert list(map(int, third.split())) == [insights, 0]


def test_a_storm_of_429_pays_for_nothing_twice(tmp_path: Path) -> None:
    from tests.top5.insights.material import TURNS, episode
    from tests.top5.insights.test_extract_openai import MemoryReplies, engine
    from top5.insights.retries import Retrier

    asked: Counter[str] = Counter()
    answered: Counter[str] = Counter()
    lock = threading.Lock()

    def answer(request: ChatRequest) -> Reply:
        key = request.system + request.user
        with lock:
            asked[key] += 1
            if asked[key] <= 3:
                return fake.rate_limited("9")
            answered[key] += 1
        return fake.answer_from_transcript(request)

    waits: list[float] = []
    with FakeOpenAI(answer) as server:
        patient = Retrier(20, wait=waits.append, clock=lambda: 0.0)
        extraction = engine(server, MemoryReplies(), retrier=patient, chunk_tokens=220, parallel_requests=4).extract(
            episode(TURNS * 2)
        )
    assert set(answered.values()) == {1}
    assert len(extraction.insights) >= 4
    assert extraction.usage.requests == len(answered)
    assert min(waits) >= 9.0
