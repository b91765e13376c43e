"""Seconds and memory on a transcript of 10,000 words: the engine with its models loaded, and sumy's LexRank, each in a process of its own.

    python -m evals.speed engine|lexrank FILE     # what `python -m evals` starts; FILE holds segments as JSON

Belongs here: that one measurement.
"""

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from demo.script import read_scripts
from evals.baselines import sumy_lexrank
from evals.passages import by_id
from evals.train import open_embedder
from top5.insights.extract_local import LocalEngine
from top5.insights.model import EpisodeText
from top5.insights.sentences import split_sentences
from top5.transcripts.model import Segment

WORDS = 10_000
_ROUNDS = 3


def ten_thousand_words(corpus: Path | None) -> list[dict[str, str | None]]:
    """Segments of real conversation, or of the sample episodes one after the other where there is no corpus."""
    pool: list[Segment] = []
    if corpus is not None:
        long = [
            episode for (show, _), episode in sorted(by_id(corpus).items()) if show == "optech" and len(episode.words) >= WORDS
        ]
        pool = list(long[0].segments) if long else []
    if not pool:
        pool = [Segment(speaker=t.speaker, text=t.text) for script in read_scripts().values() for t in script.timed_turns]
    rows: list[dict[str, str | None]] = []
    left = WORDS
    for segment in pool:
        words = segment.text.split()[:left]
        if words:
            rows.append({"speaker": segment.speaker, "text": " ".join(words)})
        left -= len(words)
    return rows


def measure(method: str, corpus: Path | None) -> dict[str, float]:
    """`seconds` (best of three, models loaded), `cpu_seconds` and `peak_mb` of the whole process."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "segments.json"
        file.write_text(json.dumps(ten_thousand_words(corpus)), "utf-8")
        done = subprocess.run(
            [sys.executable, "-m", "evals.speed", method, str(file)], capture_output=True, text=True, check=True, timeout=900
        )
    return json.loads(done.stdout.splitlines()[-1])


def _run(method: str, file: Path) -> dict[str, float]:
    segments = tuple(Segment(speaker=row["speaker"], text=row["text"]) for row in json.loads(file.read_text("utf-8")))
    if method == "engine":
        engine = LocalEngine(open_embedder(), 5)
        engine.extract(EpisodeText(segments=segments[:3]))

        def once() -> object:
            return engine.extract(EpisodeText(segments=segments))
    else:
        texts = [sentence.text for sentence in split_sentences(segments)]
        sumy_lexrank(texts[:20], 5)

        def once() -> object:
            return sumy_lexrank(texts, 5)

    wall: list[float] = []
    cpu: list[float] = []
    for _ in range(_ROUNDS):
        began, began_cpu = time.perf_counter(), time.process_time()
        once()
        wall.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    return {"seconds": min(wall), "cpu_seconds": min(cpu), "peak_mb": _peak_mb()}


def _peak_mb() -> float:
    """Peak resident memory. `getrusage` on Linux counts the parent's memory from before the program was loaded; /proc does not."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text("utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    print(json.dumps(_run(sys.argv[1], Path(sys.argv[2]))))
