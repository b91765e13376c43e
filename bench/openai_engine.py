"""The OpenAI engine against a local server: what reaches `insights`, what is paid twice, how busy the server is kept.

    python -m bench.openai_engine

The server runs in a process of its own and takes the time that tokens take: it has a number of slots, and each slot reads prompts and
writes replies at a fixed rate. Its capacity is the slots; the ideal wall time is the sum of all service times over the slots.
"""

import multiprocessing
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from time import perf_counter, sleep

from pydantic import SecretStr

from bench import machine
from tests.fakes import openai_server as fake
from tests.fakes.openai_server import ChatRequest, FakeOpenAI, Reply
from tests.top5.insights.material import TURNS, episode
from tests.top5.insights.planted import HONEST, PARAPHRASED, planted, talk
from top5.insights.budget import Budget
from top5.insights.chunk import estimate_tokens
from top5.insights.extract_openai import OpenAIEngine
from top5.settings import OpenAISettings

SLOTS = 8
PROMPT_RATE, OUTPUT_RATE = 8_000.0, 200.0  # tokens per second and slot
EPISODES = 16


class _Kept:
    def __init__(self) -> None:
        self.replies: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self.replies.get(key)

    def put(self, key: str, body: bytes) -> None:
        self.replies[key] = body


def _engine(url: str, parallel: int = SLOTS, chunk_tokens: int = 6000) -> OpenAIEngine:
    settings = OpenAISettings(
        api_key=SecretStr("sk-bench"), base_url=url, parallel_requests=parallel, chunk_tokens=chunk_tokens, timeout=60.0
    )
    return OpenAIEngine(settings, 12, replies=_Kept(), budget=Budget(1000.0))


def _serve(pipe: Connection) -> None:
    """The slow server; sends its URL, and at the end how long its slots were busy and how many requests waited at most."""
    slots = threading.BoundedSemaphore(SLOTS)
    lock = threading.Lock()
    busy, present, most = 0.0, 0, 0

    def answer(request: ChatRequest) -> Reply:
        nonlocal busy, present, most
        with lock:
            present += 1
            most = max(most, present)
        reply = fake.answer_from_transcript(request)
        seconds = (
            estimate_tokens(request.system + request.user) / PROMPT_RATE + estimate_tokens(reply.content or "") / OUTPUT_RATE
        )
        with slots:
            sleep(seconds)
        with lock:
            busy += seconds
            present -= 1
        return reply

    with FakeOpenAI(answer) as server:
        pipe.send(server.base_url)
        pipe.recv()
        pipe.send((busy, most, len(server.requests)))


def saturation() -> None:
    """Wall time of a day of episodes against tokens over the server's capacity."""
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(there,))
    process.start()
    engine = _engine(here.recv(), chunk_tokens=700)
    days = [episode(TURNS * 4).model_copy(update={"title": f"Episode {number}"}) for number in range(EPISODES)]
    engine.extract(days[0].model_copy(update={"title": "warm up"}))
    here_first = perf_counter()
    with ThreadPoolExecutor(SLOTS) as pool:
        found = list(pool.map(engine.extract, days))
    wall = perf_counter() - here_first
    here.send("done")
    busy, most, requests = here.recv()
    process.join()
    ideal = busy * EPISODES / (EPISODES + 1) / SLOTS
    _row("requests in flight at most, limit 8", str(most), "aim: 8")
    _row(f"{EPISODES} episodes, {requests} requests: wall time", f"{wall:.2f} s")
    _row("tokens over the server's capacity", f"{ideal:.2f} s")
    _row("wall time over capacity", f"{wall / ideal:.2f}", "aim: at most 1.15")
    _row("insights", str(sum(len(each.insights) for each in found)))


def lies() -> None:
    """Planted candidates that reach an insight, by family, and true ones that do not."""
    everything = list(planted())
    reached: Counter[str] = Counter()
    gates: Counter[str] = Counter()

    def answer(request: ChatRequest) -> Reply:
        return fake.candidates(*batch) if request.step in ("map", "repair") else fake.answer_from_transcript(request)

    source = talk(injected=True)
    for family, candidate in everything:
        batch = [candidate]
        with FakeOpenAI(answer) as server:
            extraction = _engine(server.base_url, 1).extract(source)
        reached[family] += len(extraction.insights)
        gates.update(rejection.reason for rejection in extraction.rejections)
    _row(f"planted candidates that reach `insights`, of {len(everything)}", str(reached.total()), "aim: 0 of 200")
    for family, count in Counter(family for family, _ in everything).most_common():
        _row(f"  {family}", f"{reached[family]} of {count}")
    _row("stopped by", ", ".join(f"{gate} {count}" for gate, count in gates.most_common()))
    honest = [*HONEST, *PARAPHRASED]
    passed = 0
    for candidate in honest:
        batch = [candidate]
        with FakeOpenAI(answer) as server:
            passed += len(_engine(server.base_url, 1).extract(source).insights)
    _row("true candidates that pass (verbatim and paraphrased)", f"{passed} of {len(honest)}")


def storm() -> None:
    """A server that answers every other request with 429: replies paid twice."""
    answered: Counter[str] = Counter()
    seen = 0
    lock = threading.Lock()

    def answer(request: ChatRequest) -> Reply:
        nonlocal seen
        with lock:
            seen += 1
            if seen % 2:
                return fake.rate_limited("0", retry_after_ms="20")
            answered[request.system + request.user] += 1
        return fake.answer_from_transcript(request)

    with FakeOpenAI(answer) as server:
        _engine(server.base_url, 8, 220).extract(episode(TURNS * 4))
    _row(f"429 to every other request: paid twice, of {len(answered)}", str(answered.total() - len(answered)), "aim: 0")


def _row(what: str, value: str, aim: str = "") -> None:
    print(f"  {what:<66} {value:>10}" + (f"   ({aim})" if aim else ""))
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    print(f"OpenAI engine ({machine.line()})")
    saturation()
    storm()
    lies()


if __name__ == "__main__":
    main()
