"""Faults put into transcripts, and how many of them are found; bench/transcripts.py prints what it gives."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from top5.errors import Top5Error
from top5.transcripts.formats import parse_transcript
from top5.transcripts.model import Segment, Transcript
from top5.transcripts.quality import trust

# Loops that stand in the corpus as published, found by reading each alarm; they are true alarms.
PUBLISHED_LOOPS = frozenset(
    ["pb346", "pb351", "pb358", "pb360", "pb374", "pb385", "pb387", "pb421",
     "talkpython__140-100-days-code-challenge.txt", "talkpython__140-100-days-code-challenge.vtt"]
)  # fmt: skip


@dataclass
class Found:
    put: Counter[str] = field(default_factory=Counter[str])
    seen: Counter[str] = field(default_factory=Counter[str])

    def share(self, kind: str) -> float:
        return self.seen[kind] / self.put[kind]


def injected(good: Sequence[Transcript], *, rounds: int, seed: int = 5) -> Found:
    """Loops of 1 to 25 words said 4 to 40 times, and lost speech of 90 s to 30 minutes, one fault per copy."""
    chance = random.Random(seed)
    found = Found()
    for transcript in good:
        for _ in range(rounds):
            for kind, broken in (
                ("repeat_loop", _with_loop(transcript, chance)),
                ("lost_speech", _with_loss(transcript, chance)),
            ):
                found.put[kind] += 1
                faults = {fault.kind for fault in trust(broken, None).faults}
                found.seen[kind] += kind in faults or (kind == "repeat_loop" and "repetitive" in faults)
    return found


def has_times(transcript: Transcript) -> bool:
    """Whether lost speech can show without the audio: ten minutes, and times on at least half of the segments."""
    timed = sum(segment.start is not None for segment in transcript.segments)
    return transcript.duration > 600 and timed >= 0.5 * len(transcript.segments)


def _with_loop(transcript: Transcript, chance: random.Random) -> Transcript:
    number = chance.randrange(len(transcript.segments))
    words = " ".join(segment.text for segment in transcript.segments[number : number + 12]).split() or ["you"]
    size = min(len(words), chance.randint(1, 25))
    fewest = 10 if size == 1 else 6 if size <= 3 else 5 if size <= 8 else 4
    times = chance.randint(fewest, 40)
    segment = transcript.segments[number]
    stuck = segment.model_copy(update={"text": f"{segment.text} {' '.join(words[:size] * times)}"})
    return transcript.model_copy(update={"segments": (*transcript.segments[:number], stuck, *transcript.segments[number + 1 :])})


def _with_loss(transcript: Transcript, chance: random.Random) -> Transcript:
    total = transcript.duration
    length = chance.uniform(90.0, min(1800.0, 0.6 * total))
    begin = chance.uniform(0.05 * total, 0.95 * total - length)
    kept = tuple(s for s in transcript.segments if not (s.start is not None and begin <= s.start < begin + length))
    return transcript.model_copy(update={"segments": kept})


def corpus_transcripts(corpus: Path) -> tuple[list[Transcript], int, int]:
    """(transcripts without a fault, false alarms of loops and lost speech, transcripts judged): all of the corpus with 80 words."""
    items: list[tuple[str, Transcript]] = []
    for show in ("optech", "pythonbytes", "changelog"):
        with (corpus / "shows" / show / "episodes.jsonl").open(encoding="utf-8") as lines:
            for line in lines:
                episode = json.loads(line)
                segments = tuple(
                    Segment(start=s.get("start"), end=s.get("end"), speaker=s.get("speaker"), text=s["text"])
                    for s in episode["segments"]
                )
                items.append((episode["id"], Transcript(segments=segments, format="json")))
    for path in sorted((corpus / "transcripts").rglob("*")):
        if path.is_file():
            try:
                items.append((path.name, parse_transcript(path.read_bytes())))
            except Top5Error:
                continue
    good: list[Transcript] = []
    alarms = judged = 0
    for name, transcript in items:
        if transcript.words < 80:
            continue
        judged += 1
        bad = {fault.kind for fault in trust(transcript, None).faults} & {"repeat_loop", "repetitive", "lost_speech"}
        if not bad:
            good.append(transcript)
        elif name not in PUBLISHED_LOOPS:
            alarms += 1
    return good, alarms, judged
