"""One episode that several feeds carry: a network's and a show's own feed, a public and a members' feed.

Belongs here: finding such groups among the rows and leaving one of each. What makes two episodes the same is in `top5.feeds.identity`;
names of one feed's own episodes are in `arrivals`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, bindparam, func, select, tuple_
from sqlalchemy import update as update_table
from sqlalchemy.orm import Session

from top5.catalog.batches import batched
from top5.catalog.tables import Episode, EpisodeDay, EpisodeName, Feed
from top5.feeds.identity import same_telling
from top5.feeds.model import ParsedEpisode

_AT_ONCE = 100
_UNSETTLED = Episode.settled.is_(False)


@dataclass(frozen=True, slots=True)
class _Twin:
    """What decides which of several episodes stays."""

    episode_id: str
    feed_id: str
    first_seen: datetime
    looked_at: bool
    transcripts: bool
    order: tuple[datetime, str]


_TWIN_COLUMNS = (
    Episode.episode_id,
    Episode.feed_id,
    Episode.first_seen,
    Episode.facts[("transcripts", 0, "url")].as_string().label("transcript"),
    Feed.added_at,
    Feed.url,
)


def _twins(session: Session, rows: Sequence[Any]) -> list[_Twin]:
    ids = [row.episode_id for row in rows]
    looked_at: set[str] = set()
    for part in batched(ids, 500):
        looked_at |= set(session.scalars(select(EpisodeDay.episode_id).where(EpisodeDay.episode_id.in_(part))))
    return [
        _Twin(
            row.episode_id,
            row.feed_id,
            row.first_seen,
            row.episode_id in looked_at,
            row.transcript is not None,
            (row.added_at, row.url),
        )
        for row in rows
    ]


def _same_audio(session: Session) -> Generator[list[list[_Twin]], None, None]:
    """Groups of episodes with one audio file, a hundred at a time."""
    unsettled = select(Episode.audio_key).where(_UNSETTLED, Episode.audio_key.is_not(None))
    shared = select(Episode.audio_key).where(Episode.audio_key.in_(unsettled)).group_by(Episode.audio_key)
    for keys in batched(session.scalars(shared.having(func.count() > 1).order_by(Episode.audio_key)).all(), _AT_ONCE):
        rows = session.execute(
            select(Episode.audio_key, *_TWIN_COLUMNS)
            .join(Feed, Feed.feed_id == Episode.feed_id)
            .where(Episode.audio_key.in_(keys))
        ).all()
        groups: dict[str, list[_Twin]] = {}
        for row, twin in zip(rows, _twins(session, rows), strict=True):
            groups.setdefault(row.audio_key or "", []).append(twin)
        yield [groups[key] for key in sorted(groups)]


def _same_show_and_title(session: Session) -> Generator[list[list[_Twin]], None, None]:
    """Groups of episodes that can be one telling, of shows with several feeds, a hundred at a time."""
    shows = select(Feed.show_key).where(Feed.show_key.is_not(None), Feed.status != "removed").group_by(Feed.show_key)
    unsettled = select(Episode.title_key).where(_UNSETTLED, Episode.title_key.is_not(None))
    alike = (
        select(Feed.show_key, Episode.title_key)
        .join(Feed, Feed.feed_id == Episode.feed_id)
        .where(Feed.show_key.in_(shows.having(func.count() > 1)), Episode.title_key.in_(unsettled))
        .group_by(Feed.show_key, Episode.title_key)
        .having(func.count() > 1)
        .order_by(Feed.show_key, Episode.title_key)
    )
    for keys in batched(session.execute(alike).all(), _AT_ONCE):
        rows = session.execute(
            select(Episode.title_key, Feed.show_key, Episode.facts, *_TWIN_COLUMNS)
            .join(Feed, Feed.feed_id == Episode.feed_id)
            .where(tuple_(Feed.show_key, Episode.title_key).in_([tuple(key) for key in keys]))
        ).all()
        groups: dict[tuple[str, str], list[tuple[_Twin, dict[str, Any]]]] = {}
        for row, twin in zip(rows, _twins(session, rows), strict=True):
            groups.setdefault((row.show_key or "", row.title_key or ""), []).append((twin, row.facts))
        found: list[list[_Twin]] = []
        for _, group in sorted(groups.items()):
            first, *others = (
                ParsedEpisode.model_validate(facts) for _, facts in sorted(group, key=lambda pair: pair[0].episode_id)
            )
            if all(same_telling(first, other) for other in others):
                found.append([twin for twin, _ in group])
        yield found


def _merge(session: Session, groups: Sequence[Sequence[_Twin]], gone: dict[str, int]) -> None:
    """One episode of each group: names move to the one that stays, the others go."""
    moves: list[dict[str, str]] = []
    for group in groups:
        if len(group) != len({twin.feed_id for twin in group}):
            continue
        owner, *others = sorted(group, key=lambda twin: (not twin.looked_at, twin.first_seen, not twin.transcripts, twin.order))
        told = owner.transcripts or owner.looked_at
        for other in others:
            if other.looked_at:
                continue
            if other.transcripts and not told:
                kept, richer = session.get_one(Episode, owner.episode_id), session.get_one(Episode, other.episode_id)
                kept.feed_id, kept.facts, told = richer.feed_id, richer.facts, True
            moves.append({"loser": other.episode_id, "winner": owner.episode_id})
            gone[other.feed_id] = gone.get(other.feed_id, 0) + 1
    if moves:
        session.flush()
        connection = session.connection()
        connection.execute(_RENAME, moves)
        connection.execute(_DROP, [{"loser": move["loser"]} for move in moves])
        session.expire_all()


_NAMES = cast(Table, EpisodeName.__table__)
_EPISODES = cast(Table, Episode.__table__)
_RENAME = _NAMES.update().where(EpisodeName.episode_id == bindparam("loser")).values(episode_id=bindparam("winner"))
_DROP = _EPISODES.delete().where(Episode.episode_id == bindparam("loser"))


def settle(session: Session) -> dict[str, int]:
    """Merge the episodes that were not compared yet with others; returns how many went, by the feed that had brought them."""
    gone: dict[str, int] = {}
    if session.scalar(select(Episode.episode_id).where(_UNSETTLED).limit(1)) is None:
        return gone
    for groups in _same_audio(session):
        _merge(session, groups, gone)
    for groups in _same_show_and_title(session):
        _merge(session, groups, gone)
    session.execute(update_table(Episode).where(_UNSETTLED).values(settled=True).execution_options(synchronize_session=None))
    return gone
