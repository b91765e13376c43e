"""What a digest was made from, so that a day can be compared with what it would be now.

Belongs here: gathering and comparing those facts. They are read-only: nothing of a day is changed here. Which insights result is SQL,
what a reader sees of the difference is `compose.diff`.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from top5 import warehouse
from top5.digests.model import DigestInputs
from top5.lake import Lake, content_key
from top5.settings import Settings

_NAMED: Final = 3


class EpisodeInputs(BaseModel):
    """One episode of the day: its words (key of the transcript, or its state), and what read them and what came out."""

    model_config = ConfigDict(frozen=True)

    title: str
    words: str
    engine: str = ""
    insights: str = ""


class Inputs(BaseModel):
    """Everything that decides a digest. Grain: one day and revision. `settings` are the variables of the ranking by name."""

    model_config = ConfigDict(frozen=True)

    episodes: dict[str, EpisodeInputs]
    settings: dict[str, Any]
    rules: str
    memory: str

    def hashes(self) -> DigestInputs:
        """As a digest carries them."""
        episodes = sorted(self.episodes.items())
        return DigestInputs(
            transcripts=_hash([(episode_id, known.words) for episode_id, known in episodes]),
            extractions=_hash([(episode_id, known.engine, known.insights) for episode_id, known in episodes]),
            memory=self.memory,
            settings=_hash(self.settings),
            rules=self.rules,
            engines=tuple(sorted({known.engine for _, known in episodes if known.engine})),
        )


def gather(day: date, settings: Settings, lake: Lake, database: Path) -> Inputs:
    """The inputs of `day` as they are now, in the lake, the settings and the warehouse `database`."""
    transcripts = {row["episode_id"]: row for row in lake.read_table("transcripts", day)}
    extractions = {row["episode_id"]: row for row in lake.read_table("extractions", day)}
    read: dict[str, list[str]] = {}
    for row in lake.read_table("insights", day):
        read.setdefault(row["episode_id"], []).append(_hash({name: str(row[name]) for name in sorted(row)}))
    episodes: dict[str, EpisodeInputs] = {}
    for row in lake.read_table("episodes", day):
        episode_id = row["episode_id"]
        words, extraction = transcripts.get(episode_id), extractions.get(episode_id)
        episodes[episode_id] = EpisodeInputs(
            title=row["title"],
            words=(words["transcript_key"] or words["state"]) if words else "",
            engine="/".join(extraction[part] for part in ("engine", "model", "prompt_version")) if extraction else "",
            insights=_hash(sorted(read.get(episode_id, []))),
        )
    return Inputs(
        episodes=episodes,
        settings={**warehouse.default_variables(), **warehouse.ranking_variables(settings), "title": settings.digest.title},
        rules=warehouse.rules_version(),
        memory=_hash([(str(told), insight_id) for told, insight_id in warehouse.read_told(database, day)]),
    )


def reasons(before: Inputs, now: Inputs) -> list[str]:
    """Why a digest made `now` may differ from one made `before`: one sentence a cause, empty where nothing is different."""
    sentences: list[str] = []
    shared = [(before.episodes[key], now.episodes[key]) for key in now.episodes if key in before.episodes]
    added = [now.episodes[key].title for key in now.episodes if key not in before.episodes]
    gone = [before.episodes[key].title for key in before.episodes if key not in now.episodes]
    words = [new.title for old, new in shared if old.words != new.words]
    engines = sorted({(old.engine, new.engine) for old, new in shared if old.engine != new.engine and old.engine and new.engine})
    read = [
        new.title for old, new in shared if (old.engine, old.words) == (new.engine, new.words) and old.insights != new.insights
    ]
    sentences += [f"New episodes: {_titles(added)}."] if added else []
    sentences += [f"Episodes that are no longer there: {_titles(gone)}."] if gone else []
    sentences += [f"Other words (a new transcript): {_titles(words)}."] if words else []
    sentences += [f"Read by {new}, before by {old} (engine/model/prompt version)." for old, new in engines]
    sentences += [f"Other insights from the same words: {_titles(read)}."] if read else []
    for name in sorted(before.settings.keys() | now.settings.keys()):
        old, new = before.settings.get(name), now.settings.get(name)
        if old != new:
            sentences.append(f"{name} is {_shown(new)}, was {_shown(old)}.")
    if before.rules != now.rules:
        sentences.append("The rules of the ranking (dbt_project) are another version.")
    if before.memory != now.memory:
        sentences.append("Earlier days have chosen other insights since.")
    return sentences


def _hash(facts: object) -> str:
    return content_key(json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def _titles(titles: list[str]) -> str:
    named = ", ".join(f"“{title}”" for title in sorted(titles)[:_NAMED])
    return named if len(titles) <= _NAMED else f"{named} and {len(titles) - _NAMED} more"


def _shown(value: object) -> str:
    return "not set" if value is None else json.dumps(value, ensure_ascii=False)


def inputs_path(lake: Lake, day: date, revision: int) -> Path:
    """Where the inputs of a frozen revision lie."""
    return lake.root / "digest_inputs" / f"{day}.r{revision:03}.json"


def read_inputs(lake: Lake, day: date, revision: int) -> Inputs | None:
    """The inputs of a frozen revision; None for one that was frozen before they were kept."""
    path = inputs_path(lake, day, revision)
    return Inputs.model_validate_json(path.read_bytes()) if path.exists() else None
