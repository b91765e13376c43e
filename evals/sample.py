"""Which passages are to be graded: at random, plus those that the shape features take for good (the hard ones).

    python -m evals.sample CORPUS > sample.jsonl

Belongs here: choosing, with a fixed seed. The grades come from reading. What counts as hard follows the model of the day, so that
a later sample finds what the present model gets wrong; the passages of evals/labels were drawn with its first version.
"""

import json
import random
import sys
from pathlib import Path

from evals.passages import Passage, episodes, windows
from top5.insights import salience as shape
from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver

SEED = 20261122
QUOTAS = {"optech": 850, "pythonbytes": 800, "changelog": 550, "demo": 250}
RANDOM_SHARE = 0.6


def draw(corpus: Path) -> list[Passage]:
    """The sample: of each show its quota, no two passages overlapping."""
    rng = random.Random(SEED)
    pools: dict[str, list[tuple[float, Passage]]] = {show: [] for show in QUOTAS}
    for episode in episodes(corpus):
        names = NameResolver(EpisodeText(title=episode.title, show=episode.show, segments=episode.segments))
        for passage in rng.sample(found := windows(episode), min(len(found), 160)):
            measured = shape.measure(passage.text, [passage.text], len(names.entities(passage.text)), 0)
            pools[episode.show].append((shape.salience(measured), passage))
    chosen: list[Passage] = []
    for show, quota in QUOTAS.items():
        pool = pools[show]
        rng.shuffle(pool)
        hard = sorted(pool, key=lambda scored: -scored[0])[: len(pool) // 6]
        rng.shuffle(hard)
        taken: list[Passage] = []
        for source, count in ((pool, round(quota * RANDOM_SHARE)), (hard, quota)):
            for _, passage in source:
                if len(taken) >= count:
                    break
                if not any(p.episode == passage.episode and p.first < passage.last and passage.first < p.last for p in taken):
                    taken.append(passage)
        chosen += taken
    rng.shuffle(chosen)
    return chosen


if __name__ == "__main__":
    for number, passage in enumerate(draw(Path(sys.argv[1]))):
        print(json.dumps({"n": number, **vars(passage)}, ensure_ascii=False))
