"""How well names are repaired: wrong changes and right repairs on cases written by hand.

    python -m evals.names               # the table, tuned and held-out half apart
    python -m evals.names --show tune   # and every case of that half that came out wrong

Each line of `labels/names.jsonl` is an invented sentence as speech to text might write it, what the publisher says about the episode,
and how the sentence must read: half of them exactly as they are. Which half a case belongs to is decided by the hash of its sentence; only
`tune` was looked at while the method was changed.
"""

import argparse
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from top5.insights.glossary import Glossary
from top5.insights.model import EpisodeText, NameChange
from top5.insights.names import NameResolver
from top5.transcripts.model import Segment

LABELS = Path(__file__).parent / "labels" / "names.jsonl"
MOST_WRONG, LEAST_RIGHT = 0.02, 0.85


@dataclass(frozen=True)
class Case:
    """One labelled sentence. `written` equals `heard` where nothing may change."""

    id: str
    kind: str
    heard: str
    written: str
    episode: EpisodeText
    glossary: Glossary

    @property
    def must_stay(self) -> bool:
        """Whether this is a case of a name that is right."""
        return self.heard == self.written

    @property
    def half(self) -> str:
        """`tune` or `held out`, by the hash of the sentence."""
        return "held out" if hashlib.sha256(self.heard.encode()).digest()[0] % 2 else "tune"

    def outcome(self) -> tuple[str, tuple[NameChange, ...]]:
        """The sentence as it would be printed, and the recorded changes."""
        return NameResolver(self.episode, self.glossary).repair(self.heard)


def cases(path: Path = LABELS) -> list[Case]:
    """All labelled sentences, in the file's order."""
    return [_case(json.loads(line)) for line in path.read_text("utf-8").splitlines() if line.strip()]


def _case(row: dict[str, Any]) -> Case:
    context = {key: row.get(key, "") for key in ("title", "show")} | {
        key: tuple(row.get(key, ())) for key in ("people", "chapters")
    }
    return Case(
        id=row["id"],
        kind=row["kind"],
        heard=row["heard"],
        written=row["written"],
        episode=EpisodeText(**context, description=row.get("notes", ""), segments=(Segment(text=row["heard"]),)),
        glossary=Glossary.model_validate({"entries": row.get("glossary", [])}),
    )


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927)."""
    if of == 0:
        return 0.0, 1.0
    z, share = 1.96, hits / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(0.0, middle - reach), min(1.0, middle + reach)


@dataclass(frozen=True)
class Score:
    """Counts over some cases: a wrong change is any change to a name that is right, or a repair into something else."""

    stay: int
    wrong: int
    repair: int
    right: int


def score(chosen: Sequence[Case]) -> Score:
    """Wrong changes are counted over all cases, since a case to repair can be changed wrongly, too."""
    results = [(case, case.outcome()[0]) for case in chosen]
    return Score(
        stay=sum(case.must_stay for case in chosen),
        wrong=sum(text not in (case.heard, case.written) for case, text in results),
        repair=sum(not case.must_stay for case in chosen),
        right=sum(not case.must_stay and text == case.written for case, text in results),
    )


def main() -> None:
    """Print the table; the exit status is 1 where the held-out half misses an aim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--show", choices=["tune", "held out", "all"], help="also list what came out wrong")
    show = parser.parse_args().show
    known = cases()
    print(
        f"{'names':<12}{'cases':>7}{'right as heard':>16}   {'wrong changes (aim <= 2 %)':<32}{'right repairs (aim >= 85 %)':<32}"
    )
    for half in ("tune", "held out", "all"):
        chosen = [case for case in known if half in ("all", case.half)]
        found = score(chosen)
        wrong = _share(found.wrong, len(chosen))
        print(f"{half:<12}{len(chosen):>7}{found.stay:>16}   {wrong:<32}{_share(found.right, found.repair):<32}")
    print(f"\n{'kind':<38}{'cases':>7}{'as wanted':>11}")
    for kind in dict.fromkeys(case.kind for case in known):
        chosen = [case for case in known if case.kind == kind]
        print(f"{kind:<38}{len(chosen):>7}{sum(case.outcome()[0] == case.written for case in chosen):>11}")
    for case in known:
        text, changes = case.outcome()
        if show in (case.half, "all") and text != case.written:
            print(f"\n{case.id} {case.kind}\n  heard   {case.heard}\n  printed {text}\n  wanted  {case.written}")
            print("  " + "; ".join(f"{change.heard} -> {change.written}: {change.reason}" for change in changes))
    held = score([case for case in known if case.half == "held out"])
    raise SystemExit(held.wrong > MOST_WRONG * (held.stay + held.repair) or held.right < LEAST_RIGHT * held.repair)


def _share(hits: int, of: int) -> str:
    low, high = wilson(hits, of)
    return f"{hits}/{of} = {hits / max(1, of):.1%} ({low:.1%}-{high:.1%})"


if __name__ == "__main__":
    main()
