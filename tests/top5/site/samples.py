"""Archives made for tests: digests, and the lake's tables of the same days."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from top5.digests.model import Considered, Digest, DigestInsight
from top5.digests.render import render_json
from top5.insights.embed import HashedEmbedder
from top5.insights.model import Quote
from top5.lake import Lake, write_atomically

FIRST = date(2026, 9, 14)
NOW = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)

BODIES = (
    "Ferrowatt connects data centres three years sooner if they agree to be switched off for forty hours a year, because the grid is short of "
    "capacity only during a handful of cold evenings.",
    "Retries alone kept Lumenpay's payment servers overloaded for five hours after the failing disk was replaced, so the search for a first cause "
    "went on long after it was repaired.",
    "Overdrying wheat by two points gives away two percent of its weight, since buyers pay by the tonne and nobody pays for evaporated water.",
    "Oostpoort paid 412,000 euros in bounties and received 96 valid reports, a third of what consultants charge for each weakness they confirm.",
    "Meridian Cohort let volunteers give blood at pharmacies until nine in the evening, and dropout fell from 28 percent to 13 percent.",
)
SHOWS = ("The Load Curve", "Postmortem Club", "Topsoil", "Quiet Exploit", "Wet Lab Hours")
SPEAKERS = ("Sunniva Roe", "Adaeze Okonjo", "Marisol Iberri", None, "Priya Ramanathan")


def insight(day: date, rank: int, **changes: Any) -> DigestInsight:
    """One insight; the same for the same day and rank."""
    number = (rank - 1) % len(BODIES)
    body = BODIES[number]
    start = 60.0 * rank + 0.5
    facts: dict[str, Any] = {
        "rank": rank,
        "insight_id": f"{day:%Y%m%d}{rank:08x}",
        "headline": f"{body.split(',')[0].split(' because')[0][:70]} ({day:%d})",
        "body": body,
        "show": SHOWS[number],
        "episode_title": f"Episode of {day}",
        "episode_url": f"https://pods.example/{rank}/{day}",
        "audio_url": f"https://pods.example/{rank}/{day}.mp3",
        "speaker": SPEAKERS[number],
        "published": datetime(day.year, day.month, day.day, 6, 30, tzinfo=UTC),
        "start": start,
        "quotes": (Quote(text=body, start=start, end=start + 12.0, speaker=SPEAKERS[number]),),
        "score": 0.8,
        "salience": 0.9,
        "why": "strong claim, exact numbers",
        "engine": "local",
    }
    return DigestInsight(**{**facts, **changes})


def digest(day: date, insights: Sequence[DigestInsight] | None = None, **changes: Any) -> Digest:
    """One day's digest; five insights unless told."""
    chosen = tuple(insights) if insights is not None else tuple(insight(day, rank) for rank in range(1, 6))
    facts: dict[str, Any] = {
        "day": day,
        "revision": 1,
        "title": "The day's five",
        "size": 5,
        "insights": chosen,
        "considered": Considered(episodes=9, shows=5, candidates=31),
        "short_because": None if len(chosen) == 5 else "Only some of the candidates cleared the quality floor.",
        "engine": "local",
        "inputs_hash": "0" * 64,
    }
    return Digest(**{**facts, **changes})


def keep(
    home: Path, made: Digest, *, lake: bool = True, entities: Sequence[str] = ("Lumenpay", "Ferrowatt"), vectors: bool = True
) -> None:
    """Write a digest as the pipeline does: in the lake by revision and under the home as the newest."""
    data = render_json(made).encode()
    write_atomically(home / "lake" / "digests" / f"{made.day}.r{made.revision:03}.json", data)
    write_atomically(home / "digests" / made.day.isoformat() / "digest.json", data)
    if lake:
        keep_lake(Lake(home / "lake"), made, entities, vectors=vectors)


def keep_lake(lake: Lake, made: Digest, entities: Sequence[str], *, vectors: bool = True, feed_id: str = "feed") -> None:
    """The lake's insights and episodes of a digest's day."""
    embedder = HashedEmbedder()
    rows: list[dict[str, Any]] = []
    episodes: dict[str, dict[str, Any]] = {}
    for item in made.insights:
        episode_id = f"e{abs(hash((item.show, item.episode_title))) % 10**8}"
        rows.append(
            {
                "day": made.day,
                "insight_id": item.insight_id,
                "episode_id": episode_id,
                "position": item.rank,
                "headline": item.headline,
                "body": item.body,
                "speaker": item.speaker,
                "claim_type": "mechanism",
                "salience": item.salience,
                "reasons": [],
                "entities": [name for name in entities if name in item.body],
                "quotes": [],
                "names": [],
                "words": len(item.body.split()),
                "embedding": embedder.embed([item.body])[0].tolist() if vectors else None,
                "embedding_model": "a-model" if vectors else None,
                "engine": "local",
                "model": "m",
                "prompt_version": "1",
                "transcript_key": "k",
            }
        )
        episodes[episode_id] = {
            "day": made.day,
            "episode_id": episode_id,
            "feed_id": feed_id,
            "show": item.show,
            "show_url": "https://pods.example/",
            "network": None,
            "guid": episode_id,
            "title": item.episode_title,
            "episode_url": item.episode_url,
            "audio_url": item.audio_url,
            "published": item.published,
            "first_seen": item.published or NOW,
            "available_on": made.day,
            "late": item.late,
            "duration": 900.0,
            "transcript_links": 0,
            "feed_weight": 1.0,
        }
    lake.write_table("insights", made.day, rows)
    lake.write_table("episodes", made.day, list(episodes.values()))


def archive_of(home: Path, days: int = 5) -> list[date]:
    """`days` days from `FIRST` on."""
    chosen = [FIRST + timedelta(days=number) for number in range(days)]
    for day in chosen:
        keep(home, digest(day))
    return chosen


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>&amp;{{7*7}}"
"""In titles, names and texts it must come out as these characters."""


def hostile_digest(day: date) -> Digest:
    """A digest whose every text attacks whoever shows it."""
    first = insight(
        day,
        1,
        headline=HOSTILE,
        body=f"{HOSTILE} says Ferrowatt.",
        show=HOSTILE,
        episode_title=f"]]>{HOSTILE}",
        speaker=HOSTILE,
        why=HOSTILE,
        memory=HOSTILE,
        also_in=(HOSTILE,),
        quotes=(Quote(text=f"{HOSTILE} \x00\ufffe", start=1.0, end=2.0, speaker=HOSTILE),),
        episode_url="javascript:alert(1)",
        audio_url='https://pods.example/a.mp3?x="><script>alert(3)</script>',
    )
    return digest(day, [first], title=HOSTILE, notes=(HOSTILE,), short_because=HOSTILE)
