"""Transcripts: formats, speed, speech to text against bare faster-whisper, memory, sponsor marks, faults that must be found.

python -m bench.transcripts [--quick | --speech | --memory]

--quick leaves everything out that needs a speech model; --speech prints nothing but speed and errors of speech to text (six minutes on a
quiet machine), --memory nothing but the memory of four hours (ten minutes, also beside other work).
"""

import csv
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench import machine
from demo.script import read_scripts
from tests.top5.transcripts import faults
from top5.errors import PermanentError, Top5Error
from top5.transcripts.formats import parse_transcript, to_vtt
from top5.transcripts.model import Segment
from top5.transcripts.pieces import SAMPLE_RATE, encode_mp3, pieces
from top5.transcripts.quality import trust
from top5.transcripts.sponsors import mark
from top5.weights import find_speech_model

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("TOP5_CORPUS", ROOT.parent / "shared" / "corpus"))
LABELS = ROOT / "evals" / "labels" / "sponsors"
DOCUMENTED = {"empty", "binary", "not_a_transcript", "malformed", "too_large"}
SETTINGS: dict[str, Any] = {"beam_size": 5, "batch_size": 8}


def row(what: str, measured: str, aim: str = "") -> None:
    """One line of the table."""
    print(f"  {what:<58} {measured:>30}   {f'(aim: {aim})' if aim else ''}".rstrip(), flush=True)


# Formats and speed


def formats() -> None:
    """Every file of the corpus; recall of the words against the file's own text with times and markup taken out by hand-made rules."""
    parsed, refused, other, recalls = 0, Counter[str](), 0, []
    files = [path for path in sorted((CORPUS / "transcripts").rglob("*")) if path.is_file()]
    for path in files:
        body = path.read_bytes()
        try:
            found = parse_transcript(body)
        except PermanentError as error:
            refused[error.reason] += 1
            other += error.reason not in DOCUMENTED
            continue
        parsed += 1
        if path.suffix in (".vtt", ".srt", ".json"):
            recalls.append((recall(path, body, " ".join(f"{s.speaker or ''} {s.text}" for s in found.segments)), path.name))
    row(f"formats: {len(files)} files", f"{parsed} parsed, {sum(refused.values())} refused", "each one, with a documented reason")
    row("  refused with a reason that is not documented", str(other), "0")
    print(f"    reasons: {dict(refused)}")
    row(f"  text recall of {len(recalls)} caption and JSON files, least", f"{min(recalls)[0]:.2%}", "100 %")
    for share, name in sorted(recalls)[:3]:
        if share < 1:
            print(f"    {name}: {share:.2%}")


def recall(path: Path, body: bytes, text: str) -> float:
    """Share of the distinct words of a file's speech that the transcript has."""
    if body[:4] in (b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff"):
        raw = body.decode("utf-32")
    elif body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raw = body.decode("utf-16")
    else:
        try:
            raw = body.decode("utf-8-sig")
        except UnicodeDecodeError:
            raw = body.decode("cp1252")
    if path.suffix == ".json":
        raw = " ".join(re.findall(r'"(?:body|text|lines)":\s*\[?\s*"((?:[^"\\]|\\.)*)"', raw))
        raw = json.loads(f'"{raw}"') if raw else ""
    else:
        kept, skip = [], False
        lines = raw.splitlines()
        for line, after in zip(lines, [*lines[1:], ""], strict=True):
            bare = line.strip()
            if "-->" in after and bare and " " not in bare:
                continue  # a cue's identifier
            skip = (skip and bool(bare)) or bare.split(" ")[0] in ("NOTE", "STYLE", "REGION")
            header = bare.startswith(("WEBVTT", "Kind:", "Language:", "X-TIMESTAMP"))
            if not (skip or header or re.fullmatch(r"\d+", bare) or "-->" in bare or re.match(r"[\d:,.]{7,}", bare)):
                kept.append(bare)
        raw = " ".join(kept)
    import html

    words = set(re.findall(r"[^\W_]+", html.unescape(re.sub(r"<[^<>]*>|\{\\[^{}]*\}", " ", raw)).lower()))
    have = set(re.findall(r"[^\W_]+", text.lower()))
    return len(words & have) / len(words) if words else 1.0


def speed() -> None:
    """A two-hour VTT, and a thousand transcripts of about forty minutes."""
    episodes = []
    with (CORPUS / "shows/pythonbytes/episodes.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            episodes.append([Segment(start=s["start"], end=s.get("end"), text=s["text"]) for s in json.loads(line)["segments"]])
    long: list[Segment] = []
    clock = 0.0
    for segments in episodes:
        long += [
            s.model_copy(update={"start": clock + (s.start or 0.0), "end": clock + (s.end or s.start or 0.0)}) for s in segments
        ]
        clock = max(s.end or 0.0 for s in long)
        if clock > 7200:
            break
    body = to_vtt([s for s in long if (s.end or 0) <= 7200]).encode()
    spent = []
    for _ in range(7):
        started = time.process_time()
        parse_transcript(body)
        spent.append(time.process_time() - started)
    row(
        f"parse a 2 h VTT ({len(body) // 1024} KiB), CPU, median of 7",
        f"{statistics.median(spent) * 1000:.0f} ms",
        "at most 150 ms",
    )
    bodies = [to_vtt(segments).encode() for segments in episodes]
    started = time.process_time()
    for number in range(1000):
        parse_transcript(bodies[number % len(bodies)])
    row("parse 1,000 transcripts, CPU of one core", f"{time.process_time() - started:.1f} s", "at most 60 s")
    started = time.process_time()
    for segments in bodies:
        trust(parse_transcript(segments), None, language="en")
    row("parse and judge 1,000 (CPU, 100 measured, times ten)", f"{(time.process_time() - started) * 10:.1f} s", "at most 60 s")


# Marks and faults


def labelled(folder: Path) -> dict[tuple[str, str], dict[int, str]]:
    """The labels of a folder by (show, episode) and number of the segment."""
    labels: dict[tuple[str, str], dict[int, str]] = {}
    for file in sorted(folder.glob("*.csv")):
        with file.open(encoding="utf-8") as lines:
            for entry in csv.DictReader(lines):
                labels.setdefault((file.stem, entry["episode"]), {})[int(entry["segment"])] = entry["label"]
    return labels


def labelled_material() -> dict[tuple[str, str], list[Segment]]:
    """Segments by (show, episode) of everything that labels may name."""
    material: dict[tuple[str, str], list[Segment]] = {}
    for show in ("changelog", "pythonbytes"):
        with (CORPUS / f"shows/{show}/episodes.jsonl").open(encoding="utf-8") as lines:
            for episode in map(json.loads, lines):
                material[show, episode["id"]] = [
                    Segment(start=s.get("start") if episode["has_timestamps"] else None, speaker=s.get("speaker"), text=s["text"])
                    for s in episode["segments"]
                ]
    for script in read_scripts().values():
        material["demo", script.id] = [
            Segment(start=c.start, end=c.end, speaker=c.speaker, text=c.text) for c in script.timed_turns
        ]
    return material


def sponsors() -> None:
    """Precision and recall on labelled segments: advertising (sponsor reads and promotion), and everything that is no content.

    The rules were made with the first in sight. Each of the others was labelled before they were run on it, and they were extended
    after that: with other episodes of the shows in sight, and after the last one with its own, too. What the first runs gave stands in
    RESULTS.md.
    """
    material = labelled_material()
    for half, folder in (
        ("tuning", LABELS),
        ("held out", LABELS / "held_out"),
        ("held out, 2nd", LABELS / "held_out_2"),
        ("held out, 3rd", LABELS / "held_out_3"),
    ):
        labels = labelled(folder)
        shows = sorted({show for show, _ in labels})
        for chosen in [*([show] for show in shows), shows] if len(shows) > 1 and half != "tuning" else [shows]:
            counts: Counter[tuple[str, str]] = Counter()
            known: Counter[str] = Counter()
            for key, wanted in labels.items():
                if key[0] not in chosen:
                    continue
                marks = mark(material[key])
                for number, label in wanted.items():
                    known[label] += 1
                    found = marks[number]
                    kind = found.kind if found else "content"
                    for name, is_one, said in (
                        ("advertising", label in ("sponsor", "promo"), kind in ("sponsor", "promo")),
                        ("no content", label != "content", kind != "content"),
                    ):
                        counts[name, f"{is_one}{said}"] += 1
                    if label == "sponsor":
                        counts["read", "found" if kind in ("sponsor", "promo") else "missed"] += 1
            print(f"    {half}, {' and '.join(chosen)}: {dict(known)}")
            for name, aim in (("advertising", "both at least 0.90"), ("no content", "")):
                hit, false, lost = (counts[name, case] for case in ("TrueTrue", "FalseTrue", "TrueFalse"))
                what = f"{name}: precision, recall on {known.total()} segments"
                if hit + lost >= 20:
                    row(what, f"{hit / (hit + false):.3f}, {hit / (hit + lost):.3f}", aim)
                else:
                    row(what, f"{false} false, {lost} of {hit + lost} missed")
            if known["sponsor"]:
                row("  sponsor reads alone: recall", f"{counts['read', 'found'] / known['sponsor']:.3f}")


def injected() -> None:
    """Faults put into the corpus transcripts, and alarms where there is none."""
    good, alarms, judged = faults.corpus_transcripts(CORPUS)
    timed = [item for item in good if faults.has_times(item)]
    found = faults.injected(timed, rounds=3)
    print(f"    put into {len(timed)} transcripts of ten minutes or more with times on their segments")
    row(f"repeat loops found, of {found.put['repeat_loop']} put in", f"{found.share('repeat_loop'):.1%}", "at least 95 %")
    row(f"lost speech found, of {found.put['lost_speech']} put in", f"{found.share('lost_speech'):.1%}", "at least 95 %")
    row(f"false alarms on {judged} transcripts of the corpus", f"{alarms} ({alarms / judged:.2%})", "at most 1 %")
    row("  published transcripts with real loops, read and confirmed", str(len(faults.PUBLISHED_LOOPS)))


# Speech to text


def wer(found: str, wanted: str) -> tuple[int, int]:
    """(errors, words): Levenshtein distance in words, case and punctuation aside."""
    from rapidfuzz.distance import Levenshtein

    a, b = (re.sub(r"[^\w\s']", " ", text.lower().replace("’", "'")).split() for text in (found, wanted))
    return Levenshtein.distance(a, b), len(b)


def clips() -> list[Path]:
    """English clips with a human reference."""
    return [
        path
        for path in sorted((CORPUS / "audio").iterdir())
        if path.with_name(f"{path.name}.ref.txt").exists() and not re.search(r"_(de|es|ja)[._]|_ja_|mfa_13697", path.name)
    ]


def long_file(folder: Path, seconds: float) -> Path:
    """An MP3 of the clips one after the other, with a second of silence between, until it is long enough."""
    gap = np.zeros(SAMPLE_RATE, dtype=np.float32)
    parts: list[Any] = []
    size = 0
    found = [piece.samples for path in clips() for piece in pieces(path, 3600.0)]
    while size < seconds * SAMPLE_RATE:
        for samples in found:
            parts += [samples, gap]
            size += len(samples) + len(gap)
    target = folder / f"{seconds:.0f}.mp3"
    target.write_bytes(encode_mp3(np.concatenate(parts)[: int(seconds * SAMPLE_RATE)], 64))
    return target


def speech(folder: Path) -> None:
    """Ours and bare faster-whisper with the same settings, in turn, in one process on one model."""
    from faster_whisper import BatchedInferencePipeline, WhisperModel
    from faster_whisper.audio import decode_audio

    from top5.transcripts.speech import SpeechToText

    files = find_speech_model("base", path=None, cache_dir=folder / "models", allow_download=False)
    pipeline = BatchedInferencePipeline(
        model=WhisperModel(str(files.path), device="cpu", compute_type="int8", local_files_only=True)
    )
    ours = SpeechToText(files, **SETTINGS)

    def bare(path: Path) -> str:
        segments, _ = pipeline.transcribe(
            decode_audio(str(path)), language="en", vad_filter=True, word_timestamps=True, without_timestamps=True, **SETTINGS
        )
        return "".join(segment.text for segment in segments)

    def own(path: Path) -> str:
        return " ".join(segment.text for segment in ours.transcribe(path, language="en").segments)

    errors: dict[str, tuple[int, int]] = {}
    for name, engine in (("ours", own), ("bare", bare)):
        pairs = [wer(engine(path), path.with_name(f"{path.name}.ref.txt").read_text("utf-8")) for path in clips()]
        errors[name] = (sum(wrong for wrong, _ in pairs), sum(words for _, words in pairs))
    ten = long_file(folder, 600.0)
    wall: dict[str, list[float]] = {"ours": [], "bare": []}
    spent: dict[str, list[float]] = {"ours": [], "bare": []}
    for name in ("bare", "ours", "ours", "bare"):
        started, used = time.perf_counter(), time.process_time()
        (own if name == "ours" else bare)(ten)
        wall[name].append(time.perf_counter() - started)
        spent[name].append(time.process_time() - used)
    times = {name: 600.0 / min(values) for name, values in wall.items()}
    row("ten minutes, int8 base, beam 5, batch 8: ours", f"{times['ours']:.1f} x realtime", "at least 8")
    row("  bare faster-whisper, same settings, same run", f"{times['bare']:.1f} x realtime")
    row("  ours over bare, wall (best of 2 each)", f"{times['ours'] / times['bare']:.2f}", "at least 0.95")
    row("  ours over bare, CPU seconds (best of 2 each)", f"{min(spent['bare']) / min(spent['ours']):.2f}")
    for name, label in (("ours", "ours"), ("bare", "bare faster-whisper")):
        wrong, words = errors[name]
        row(
            f"WER on {len(clips())} clips ({words} words), {label}",
            f"{wrong / words:.1%}",
            "no worse than bare" if name == "ours" else "",
        )
    row(
        "  openai-whisper, published (Radford et al. 2022)", "base 5.0 %, base.en 4.2 %", "LibriSpeech test-clean, for comparison"
    )


def memory(folder: Path) -> None:
    """Peak memory of a process that goes through four hours."""
    source = long_file(folder, 600.0)
    samples = np.concatenate([piece.samples for piece in pieces(source, 3600.0)])
    audio = folder / "four-hours.mp3"
    # Copies of one encoded file after the other are one valid MP3 stream.
    audio.write_bytes(encode_mp3(samples, 48) * 24)
    script = (
        "import sys; from pathlib import Path; from bench.transcripts import four_hours; four_hours(*map(Path, sys.argv[1:]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(audio), str(folder / "models")], check=True, capture_output=True, text=True
    )
    said = json.loads(done.stdout)
    row(
        f"peak memory over {said['hours']:.2f} h of audio, all of it decoded",
        f"{said['peak_mb'] / 1000:.2f} GB",
        "at most 1.5 GB",
    )
    print(
        f"    after each hour: {', '.join(f'{peak / 1000:.2f} GB' for peak in said['hourly_mb'])}; {said['x_realtime']:.1f} x realtime"
    )


def four_hours(audio: Path, models: Path) -> None:
    """In a process of its own: the whole file through the whole model."""
    from top5.transcripts.speech import SpeechToText

    engine = SpeechToText(find_speech_model("base", path=None, cache_dir=models, allow_download=False), **SETTINGS)
    hourly: list[float] = []

    def noted(done: float, _total: float) -> None:
        if done >= 3600.0 * (len(hourly) + 1):
            hourly.append(peak_mb())

    started = time.perf_counter()
    found = engine.transcribe(audio, language="en", on_progress=noted)
    seconds = found.decoding.audio if found.decoding else 0.0
    print(
        json.dumps(
            {
                "hours": seconds / 3600,
                "peak_mb": peak_mb(),
                "hourly_mb": hourly,
                "x_realtime": seconds / (time.perf_counter() - started),
            }
        )
    )


def peak_mb() -> float:
    """The most memory this process has held so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    print(f"\ntranscripts ({machine.line()})")
    if not CORPUS.is_dir():
        print(f"  no corpus at {CORPUS}: nothing is measured")
        return
    asked = [part for switch, part in (("--speech", speech), ("--memory", memory)) if switch in sys.argv]
    if not asked:
        formats()
        speed()
        sponsors()
        injected()
    with_model(asked or ([] if "--quick" in sys.argv else [speech, memory]))


def with_model(parts: Sequence[Callable[[Path], None]]) -> None:
    """What needs a speech model."""
    with tempfile.TemporaryDirectory() as name:
        try:
            for part in parts:
                part(Path(name))
        except Top5Error as error:
            print(f"  speech to text is not measured: {error.message}")


if __name__ == "__main__":
    main()
