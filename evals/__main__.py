"""Scores an engine on the shows of the corpus, beside the baselines.

    python -m evals [--engine embedded|openai] [--shows optech,pythonbytes] [--limit N] [--json FILE] [--compare OLD.json]
                    [--parts picks,auc,speed]

Belongs here: options, choosing the episodes, and printing. A run that is given a FILE of an earlier one with the same engine scores
only the episodes that are missing there.
"""

import argparse
import json
import math
import random
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import machine
from evals import speed, train
from evals.baselines import PICKS
from evals.corpus import find_corpus
from evals.harness import METRICS, Scorer, as_json
from evals.passages import SHOWS, Episode, by_id
from evals.statistics import SEED, Interval, ratio_interval
from top5.engines import stateless_tools
from top5.errors import PermanentError, Top5Error
from top5.insights.extract_local import LocalEngine
from top5.insights.model import InsightEngine
from top5.settings import load_settings

SYSTEMS = ("engine", "random", "first", "lexrank", "lsa")
PARTS = ("picks", "auc", "speed")
DEFAULT_LIMIT = 34
Saved = dict[str, Any]


def chosen_episodes(corpus: Path, shows: Sequence[str], limit: int) -> list[Episode]:
    """At most `limit` episodes of each show, drawn with a fixed seed; a larger limit holds the smaller one's episodes."""
    known = by_id(corpus)
    chosen: list[Episode] = []
    for show in shows:
        names = sorted(name for its, name in known if its == show)
        random.Random(f"{SEED}/{show}").shuffle(names)
        chosen += [known[show, name] for name in names[:limit]]
    return chosen


def score_picks(engine: InsightEngine, episodes: Sequence[Episode], file: Path | None) -> Saved:
    """Units of every system and episode; saved to `file` after each, which is also where it goes on."""
    saved: Saved = {"engine": engine.fingerprint, "machine": machine.line(), "episodes": {}}
    if file is not None and file.is_file():
        before = json.loads(file.read_text("utf-8"))
        if before.get("engine") == engine.fingerprint:
            saved = before
    scorer = Scorer(engine, train.open_embedder())
    for episode in episodes:
        key = f"{episode.show}/{episode.id}"
        if key not in saved["episodes"]:
            saved["episodes"][key] = as_json(scorer.score(episode))
            if file is not None:
                file.write_text(json.dumps(saved, indent=1) + "\n", "utf-8")
    wanted = {f"{episode.show}/{episode.id}" for episode in episodes}
    return saved | {"episodes": {key: units for key, units in saved["episodes"].items() if key in wanted}}


def summary(episodes: Mapping[str, Saved], system: str, metric: str) -> Interval:
    """One cell of the table, over the episodes that have the metric."""
    pairs = [units[system][metric] for units in episodes.values() if metric in units.get(system, {})]
    return ratio_interval([(float(part), float(whole)) for part, whole in pairs])


def print_table(saved: Saved) -> None:
    """Metrics by system with 95 % intervals, then what the engine is to the baselines."""
    episodes = saved["episodes"]
    print(f"\n{len(episodes)} episodes; {saved['engine']}; {saved['machine']}")
    print(f"{'':<24}" + "".join(f"{name:>20}" for name in SYSTEMS))
    for metric in METRICS:
        cells = [summary(episodes, system, metric) for system in SYSTEMS]
        print(f"{metric:<24}" + "".join(f"{_cell(cell):>20}" for cell in cells))
    print("\nratio of the engine to")
    for metric in ("inside News", "match human", "likeness to human"):
        mine = summary(episodes, "engine", metric).value
        others = {system: summary(episodes, system, metric).value for system in SYSTEMS[1:]}
        print(f"  {metric:<22}" + "".join(f"{system} {mine / value:.2f}   " for system, value in others.items() if value))


def print_comparison(saved: Saved, old: Saved) -> None:
    """Differences of the engine's metrics, new - old, over the episodes that both runs have, resampled by episode."""
    both = sorted(set(saved["episodes"]) & set(old["episodes"]))
    print(f"\nnew - old over {len(both)} episodes ({old['engine']} before)")
    for metric in METRICS:
        rows = [
            (*saved["episodes"][key]["engine"][metric], *old["episodes"][key]["engine"][metric])
            for key in both
            if metric in saved["episodes"][key]["engine"] and metric in old["episodes"][key]["engine"]
        ]
        if rows:
            print(f"  {metric:<24}{_cell(_difference(rows)):>24}")


def print_auc(corpus: Path) -> dict[str, Any]:
    """How well the salience model and others order graded passages of shows left out."""
    graded = train.read_graded(corpus, train.open_embedder())
    saved: dict[str, Any] = {}
    for drawn, rows in train.tables(graded).items():
        shows = list(next(iter(rows.values())))
        print(f"\n{'AUC, ' + drawn:<36}" + "".join(f"{show:>20}" for show in shows))
        for method, cells in rows.items():
            print(f"{method:<36}" + "".join(f"{_cell(cell):>20}" for cell in cells.values()))
        saved[drawn] = {method: {show: vars(cell) for show, cell in cells.items()} for method, cells in rows.items()}
    return saved


def print_speed(corpus: Path) -> dict[str, Any]:
    """A transcript of 10,000 words by the engine and by sumy's LexRank."""
    rows = {method: speed.measure(method, corpus) for method in ("engine", "lexrank")}
    print(f"\n10,000 words, models loaded ({machine.line()})")
    for method, row in rows.items():
        print(f"  {method:<10}{row['seconds']:7.2f} s wall{row['cpu_seconds']:8.2f} s CPU{row['peak_mb']:8.0f} MB peak")
    print(f"  engine / lexrank: {rows['engine']['seconds'] / rows['lexrank']['seconds']:.2f}")
    return rows


def choose(engine: str) -> InsightEngine:
    """The engine that is scored. Raises PermanentError where the settings have no key for `openai`, or no model is installed."""
    if engine == "embedded":
        return LocalEngine(train.open_embedder(), PICKS)
    settings = load_settings(None)
    wanted = settings.insights.model_copy(update={"engine": "openai", "per_episode": PICKS})
    return stateless_tools(settings.model_copy(update={"insights": wanted})).engine


def main(argv: Sequence[str]) -> None:
    """Run the parts asked for and print their tables."""
    parser = argparse.ArgumentParser(prog="python -m evals")
    parser.add_argument("--engine", choices=("embedded", "openai"), default="embedded")
    parser.add_argument("--shows", default=",".join(SHOWS), help="comma-separated")
    parser.add_argument("--limit", type=int, default=DEFAULT_LIMIT, help="episodes of each show (34)")
    parser.add_argument("--json", type=Path, help="save to this file, and go on from it")
    parser.add_argument("--compare", type=Path, help="print the differences from this file")
    parser.add_argument("--parts", default=",".join(PARTS), help="of picks,auc,speed")
    parser.add_argument("--corpus", type=Path)
    options = parser.parse_args(argv)
    shows, parts = options.shows.split(","), options.parts.split(",")
    if unknown := [*(set(shows) - {*SHOWS, "demo"}), *(set(parts) - set(PARTS))]:
        parser.error(f"no such show or part: {', '.join(unknown)}")
    old = read_saved(options.compare) if options.compare else None
    corpus = find_corpus(options.corpus)
    saved: Saved = {}
    if "picks" in parts:
        saved = score_picks(choose(options.engine), chosen_episodes(corpus, shows, options.limit), options.json)
        print_table(saved)
        if old is not None:
            print_comparison(saved, old)
    if "auc" in parts:
        saved["auc"] = print_auc(corpus)
    if "speed" in parts:
        saved["speed"] = print_speed(corpus)
    if options.json:
        options.json.write_text(json.dumps(saved, indent=1) + "\n", "utf-8")


def read_saved(file: Path) -> Saved:
    """An earlier run. Raises PermanentError `bad_run` where the file is none."""
    try:
        data = json.loads(file.read_text("utf-8"))
        return {"engine": data["engine"], "episodes": data["episodes"]}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PermanentError("bad_run", f"{file} is no run saved with --json; give the path of one.") from error


def _difference(rows: list[tuple[float, float, float, float]]) -> Interval:
    """Difference of two ratios of sums, paired by episode."""
    import numpy as np

    from evals.statistics import bootstrap

    data = np.array(rows, dtype=float)

    def of(chosen: Any) -> float:
        new_part, new_whole, old_part, old_whole = data[chosen].sum(0)
        return float(new_part / new_whole - old_part / old_whole) if new_whole and old_whole else float("nan")

    return bootstrap(of, len(data))


def _cell(cell: Interval) -> str:
    return "-" if math.isnan(cell.value) else cell.text(2)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Top5Error as error:
        sys.exit(f"{error.reason}: {error.message}")
