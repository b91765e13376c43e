"""Passages of three systems, mixed and numbered, for graders who must not know whose a passage is; and what their grades say.

    python -m evals.blind make FOLDER [--corpus DIR]     # writes FOLDER/passages.jsonl and FOLDER/key.jsonl
    python -m evals.blind score GRADES KEY               # GRADES: one JSON object a line, {"n": 17, "grade": 2}

Belongs here: drawing, mixing, scoring. The passages' words are written to FOLDER only, never into the project; the key names them by
offsets. A grader reads `passages.jsonl` and evals/labels/RUBRIC.md, nothing else.
"""

import argparse
import hashlib
import json
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evals.baselines import PICKS, random_windows, ranked_windows, rated_sentences, sumy_ratings
from evals.corpus import find_corpus
from evals.passages import Episode, by_id, windows
from evals.statistics import Interval, ratio_interval
from evals.train import HELD_OUT, open_embedder
from top5.errors import PermanentError, Top5Error
from top5.insights.extract_local import LocalEngine
from top5.insights.model import EpisodeText, Insight
from top5.insights.score import cleaned_text
from top5.insights.sentences import Sentence, split_sentences

SEED = 20261127
SYSTEMS = ("ours", "lexrank", "random")


def blind_episodes(corpus: Path) -> list[Episode]:
    """The episodes that are graded blind: those that training leaves out (evals/labels/held_out.json)."""
    known = by_id(corpus)
    return [known[show, name] for show, names in json.loads(HELD_OUT.read_text("utf-8")).items() for name in names]


def picks(episode: Episode, engine: LocalEngine) -> Iterator[tuple[str, int, int, str]]:
    """System, first and last word offset, and the words of each pick of the three systems in one episode."""
    sentences = split_sentences(episode.segments)
    found = windows(episode)
    extraction = engine.extract(EpisodeText(title=episode.title, show=episode.show, segments=episode.segments))
    for insight in extraction.insights:
        first, last = word_offsets(insight, sentences)
        yield "ours", first, last, insight.body
    ratings = rated_sentences(sentences, sumy_ratings("lexrank", [sentence.text for sentence in sentences]))
    others = {
        "lexrank": ranked_windows(found, ratings),
        "random": random_windows(found, random.Random(f"{SEED}/{episode.show}/{episode.id}")),
    }
    for system, chosen in others.items():
        for passage in chosen:
            # Without fillers as the engine prints, so that cleaning gives nobody away.
            yield system, passage.first, passage.last, cleaned_text(passage.text)


def word_offsets(insight: Insight, sentences: tuple[Sentence, ...]) -> tuple[int, int]:
    """First and last word of an insight's quotes in the episode's words."""
    starts = [0]
    for sentence in sentences:
        starts.append(starts[-1] + len(sentence.text.split()))
    spoken = " ".join(quote.text for quote in insight.quotes)
    for first in range(len(sentences)):
        text = ""
        for last in range(first, min(first + 4, len(sentences))):
            text = f"{text} {sentences[last].text}".strip()
            if text == spoken:
                return starts[first], starts[last + 1]
            if not spoken.startswith(text):
                break
    raise PermanentError("offsets", f"The words of an insight are not in its transcript: {spoken[:60]!r}.")


def make(folder: Path, corpus: Path) -> None:
    """Write the numbered passages and, apart from them, the key."""
    engine = LocalEngine(open_embedder(), PICKS)
    rows: list[dict[str, Any]] = []
    episodes = blind_episodes(corpus)
    for episode in episodes:
        for system, first, last, text in picks(episode, engine):
            rows.append(
                {"system": system, "show": episode.show, "episode": episode.id, "first": first, "last": last, "text": text}
            )
    random.Random(SEED).shuffle(rows)
    folder.mkdir(parents=True, exist_ok=True)
    passages, keys = folder / "passages.jsonl", folder / "key.jsonl"
    with passages.open("w", encoding="utf-8") as text_file, keys.open("w", encoding="utf-8") as key_file:
        for number, row in enumerate(rows, start=1):
            text = row.pop("text")
            print(json.dumps({"n": number, "text": text}, ensure_ascii=False), file=text_file)
            check = hashlib.sha256(text.encode()).hexdigest()[:8]
            print(json.dumps({"n": number, **row, "check": check}), file=key_file)
    counts = {system: sum(row["system"] == system for row in rows) for system in SYSTEMS}
    print(f"{len(rows)} passages of {len(episodes)} episodes in {passages}; the key is {keys}; {counts}")


def score(grades: Path, key: Path) -> dict[str, dict[str, Interval]]:
    """Mean grade, share of grade >= 2 and share of grade 0 per system, with intervals over episodes.

    Raises PermanentError `ungraded` where a passage of the key has no grade from 0 to 3.
    """
    given = {row["n"]: row["grade"] for row in map(json.loads, grades.read_text("utf-8").splitlines())}
    rows = [json.loads(line) for line in key.read_text("utf-8").splitlines()]
    missing = [row["n"] for row in rows if given.get(row["n"]) not in (0, 1, 2, 3)]
    if missing:
        raise PermanentError("ungraded", f"{grades} has no grade from 0 to 3 for {len(missing)} passages, first {missing[0]}.")
    result: dict[str, dict[str, Interval]] = {}
    for system in SYSTEMS:
        episodes: dict[tuple[str, str], list[int]] = {}
        for row in rows:
            if row["system"] == system:
                episodes.setdefault((row["show"], row["episode"]), []).append(given[row["n"]])
        groups = list(episodes.values())
        result[system] = {
            "mean grade": ratio_interval([(float(sum(group)), float(len(group))) for group in groups]),
            "share >= 2": ratio_interval([(float(sum(g >= 2 for g in group)), float(len(group))) for group in groups]),
            "share of 0": ratio_interval([(float(sum(g == 0 for g in group)), float(len(group))) for group in groups]),
            "picks": ratio_interval([(float(len(group)), 1.0) for group in groups]),
        }
    return result


def main(argv: list[str]) -> None:
    """`make` or `score`, as the module's docstring shows."""
    parser = argparse.ArgumentParser(prog="python -m evals.blind")
    commands = parser.add_subparsers(dest="command", required=True)
    making = commands.add_parser("make")
    making.add_argument("folder", type=Path)
    making.add_argument("--corpus", type=Path)
    scoring = commands.add_parser("score")
    scoring.add_argument("grades", type=Path)
    scoring.add_argument("key", type=Path)
    options = parser.parse_args(argv)
    if options.command == "make":
        make(options.folder, find_corpus(options.corpus))
        return
    result = score(options.grades, options.key)
    names = list(next(iter(result.values())))
    print(f"{'':<10}" + "".join(f"{name:>22}" for name in names))
    for system, cells in result.items():
        print(f"{system:<10}" + "".join(f"{cells[name].text(2):>22}" for name in names))
    ours, lexrank = result["ours"]["share >= 2"].value, result["lexrank"]["share >= 2"].value
    print(f"share >= 2, ours / lexrank: {ours / lexrank:.1f}" if lexrank else "lexrank has no pick of grade 2 or more")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Top5Error as error:
        sys.exit(f"{error.reason}: {error.message}")
