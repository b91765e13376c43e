"""What polls write: a feed's new state, and the episodes of a body on their way into the catalog.

Belongs here: rows written inside the transaction that `store` opened. What changed in a body is told by `top5.feeds.changes`; episodes
of different feeds become one in `twins`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, Boolean, Table, Text, bindparam, case, func, literal, select, tuple_
from sqlalchemy.orm import Session

from top5.catalog.batches import batched
from top5.catalog.model import ScanUpdate
from top5.catalog.tables import Episode, EpisodeName, Feed, HostWait, UtcDateTime
from top5.feeds.dates import date_flag
from top5.feeds.identity import same_episode_key, show_key, title_key
from top5.feeds.model import FeedChanges, ParsedEpisode, PollHints
from top5.lake import content_key

_FEEDS = cast(Table, Feed.__table__)
_EPISODES = cast(Table, Episode.__table__)
_NAMES = cast(Table, EpisodeName.__table__)
_HASH: BindParameter[str] = bindparam("hash", type_=Text)
_FAILED = (
    _FEEDS.update()
    .where(Feed.feed_id == bindparam("id"))
    .values(
        scanned_at=bindparam("scanned"),
        reason=bindparam("why"),
        message=bindparam("said"),
        failures=Feed.failures + 1,
        status=case((bindparam("gone", type_=Boolean), literal("gone")), else_=Feed.status),
        content_hash=func.coalesce(_HASH, Feed.content_hash),
        next_poll=bindparam("next"),
        interval=bindparam("every"),
    )
)
_SCANNED: BindParameter[datetime] = bindparam("scanned", type_=UtcDateTime)
_SUCCEEDED = (
    _FEEDS.update()
    .where(Feed.feed_id == bindparam("id"))
    .values(
        scanned_at=bindparam("scanned"),
        # With a body it is set after the episodes, because it tells a feed's first scan from the others.
        succeeded_at=case((bindparam("settled", type_=Boolean), _SCANNED), else_=Feed.succeeded_at),
        reason=bindparam("why"),
        message=bindparam("said"),
        failures=0,
        etag=bindparam("tag"),
        last_modified=bindparam("modified"),
        content_hash=bindparam("hash"),
        redirect_seen=bindparam("seen"),
        next_poll=bindparam("next"),
        interval=bindparam("every"),
        full_at=case((bindparam("full", type_=Boolean), _SCANNED), else_=Feed.full_at),
    )
)
# Most polls of most scans, and half as much to bind.
_UNCHANGED = (
    _FEEDS.update()
    .where(Feed.feed_id == bindparam("id"))
    .values(
        scanned_at=bindparam("scanned"),
        succeeded_at=bindparam("scanned"),
        reason=bindparam("why"),
        next_poll=bindparam("next"),
        interval=bindparam("every"),
    )
)
_READ = (
    _FEEDS.update()
    .where(Feed.feed_id == bindparam("id"))
    .values(succeeded_at=bindparam("read"), channel_fingerprint=bindparam("mark"), hints=bindparam("asks"))
)
_TOLD = (
    _FEEDS.update()
    .where(Feed.feed_id == bindparam("id"))
    .values(title=bindparam("said"), link=bindparam("page"), facts=bindparam("what"), show_key=bindparam("show"))
)
_REMARK = (
    _NAMES.update()
    .where(EpisodeName.feed_id == bindparam("feed"), EpisodeName.guid == bindparam("name"))
    .values(fingerprint=bindparam("mark"))
)


def record_polls(session: Session, updates: Sequence[ScanUpdate]) -> None:
    """Write the new state of each polled feed, and the hosts that asked to be left alone."""
    failed = [update for update in updates if not update.ok]
    if failed:
        session.connection().execute(
            _FAILED,
            [
                {
                    "id": update.feed_id, "scanned": update.now, "why": update.reason, "said": update.message,
                    "gone": update.retired, "hash": update.content_hash, "next": update.next_poll, "every": update.interval,
                }
                for update in failed
            ],
        )  # fmt: skip
    unchanged = [update for update in updates if update.unchanged]
    if unchanged:
        session.connection().execute(
            _UNCHANGED,
            [
                {
                    "id": update.feed_id, "scanned": update.now, "why": update.reason, "next": update.next_poll,
                    "every": update.interval,
                }
                for update in unchanged
            ],
        )  # fmt: skip
    plain = [update for update in updates if update.ok and not update.unchanged]
    if plain:
        session.connection().execute(
            _SUCCEEDED,
            [
                {
                    "id": update.feed_id, "scanned": update.now, "why": update.reason, "said": update.message,
                    "tag": update.etag, "modified": update.last_modified, "hash": update.content_hash,
                    "seen": update.redirect_seen, "next": update.next_poll, "every": update.interval, "full": update.full,
                    "settled": update.changes is None,
                }
                for update in plain
            ],
        )  # fmt: skip
    for update in updates:
        if update.ok and update.moved_to and session.scalar(select(Feed.feed_id).where(Feed.url == update.moved_to)) is None:
            moved = {"url": update.moved_to, "redirect_seen": None}
            session.connection().execute(_FEEDS.update().where(Feed.feed_id == update.feed_id).values(moved))
        if update.host_wait:
            host, until = update.host_wait
            session.merge(HostWait(host=host[:255], until=until))


def record_changes(session: Session, updates: Sequence[ScanUpdate], tz: ZoneInfo, look_back_days: int) -> list[tuple[int, int]]:
    """Write what bodies brought; returns, poll by poll, how many episodes are new and changed."""
    bodies = [(update, update.changes) for update in updates if update.changes]
    succeeded: dict[str, datetime | None] = {}
    for part in batched((update.feed_id for update, _ in bodies), 500):
        rows = session.execute(select(Feed.feed_id, Feed.succeeded_at).where(Feed.feed_id.in_(part)))
        succeeded |= dict[str, datetime | None]((row.feed_id, row.succeeded_at) for row in rows)
    arrivals = [
        _Arrival(
            update.feed_id, changes, update.now, update.now - timedelta(days=look_back_days), succeeded[update.feed_id] is None
        )
        for update, changes in bodies
    ]
    _record_feeds(session, arrivals)
    # One statement for all bodies of a batch: one a feed would cost more than reading the feed.
    _compare(session, arrivals)
    _revise(session, arrivals)
    _rename(session, arrivals)
    _add(session, arrivals, tz)
    counts = {arrival.feed_id: (len(arrival.fresh), arrival.changed) for arrival in arrivals}
    return [counts.get(update.feed_id, (0, 0)) for update in updates]


@dataclass
class _Arrival:
    """The episodes of one body on their way into the catalog.

    `known` are those whose item changed, with the id of the episode; `fresh` those under a name that the feed did not have; `named` the
    names to be written, with the id of the episode.
    """

    feed_id: str
    changes: FeedChanges
    now: datetime
    horizon: datetime
    first_scan: bool
    known: list[tuple[ParsedEpisode, str]] = field(default_factory=list[tuple[ParsedEpisode, str]])
    fresh: list[ParsedEpisode] = field(default_factory=list[ParsedEpisode])
    named: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    changed: int = 0

    def __post_init__(self) -> None:
        self.marks = dict(zip((e.guid for e in self.changes.episodes), self.changes.fingerprints, strict=True))

    def facts(self, episode: ParsedEpisode, first_seen: datetime) -> ParsedEpisode:
        """An unusable date gives way to the moment of first sight, and is kept as written beside the reason."""
        flag = date_flag(episode.published, episode.published_raw, now=first_seen)
        if flag is not None:
            raw = episode.published_raw or (episode.published.isoformat() if episode.published else None)
            return episode.model_copy(update={"published": first_seen, "published_raw": raw, "date_flag": flag})
        if episode.published is not None and episode.published < self.horizon and episode.description:
            # Only the identity of old episodes is needed, and there are hundreds a feed.
            return episode.model_copy(update={"description": ""})
        return episode


def _record_feeds(session: Session, arrivals: Sequence[_Arrival]) -> None:
    told = [
        {
            "id": arrival.feed_id, "said": podcast.title, "page": podcast.link, "what": podcast, "show": show_key(podcast.title),
        }
        for arrival in arrivals if (podcast := arrival.changes.podcast) is not None
    ]  # fmt: skip
    if told:
        session.connection().execute(_TOLD, told)
    read = [
        {
            "id": arrival.feed_id, "read": arrival.now, "mark": arrival.changes.channel_fingerprint,
            "asks": arrival.changes.hints if arrival.changes.hints != PollHints() else None,
        }
        for arrival in arrivals
    ]  # fmt: skip
    if read:
        session.connection().execute(_READ, read)


def _compare(session: Session, arrivals: Sequence[_Arrival]) -> None:
    """Tell known episodes from fresh ones. A feed that was never read has no names yet."""
    asked = [(arrival.feed_id, name) for arrival in arrivals if not arrival.first_scan for name in arrival.marks]
    found: dict[tuple[str, str], tuple[str, str | None]] = {}
    for part in batched(asked, 250):
        rows = session.execute(
            select(EpisodeName.feed_id, EpisodeName.guid, EpisodeName.episode_id, EpisodeName.fingerprint).where(
                tuple_(EpisodeName.feed_id, EpisodeName.guid).in_(part)
            )
        )
        found |= {(feed_id, name): (episode_id, mark) for feed_id, name, episode_id, mark in rows}
    for arrival in arrivals:
        for episode in arrival.changes.episodes:
            episode_id, mark = found.get((arrival.feed_id, episode.guid), (None, None))
            if episode_id is None:
                arrival.fresh.append(episode)
            elif mark != arrival.marks[episode.guid]:
                arrival.known.append((episode, episode_id))


def _revise(session: Session, arrivals: Sequence[_Arrival]) -> None:
    known = [(arrival, episode, episode_id) for arrival in arrivals for episode, episode_id in arrival.known]
    for part in batched(known, 500):
        ids = [episode_id for _, _, episode_id in part]
        rows = {row.episode_id: row for row in session.scalars(select(Episode).where(Episode.episode_id.in_(ids)))}
        for arrival, episode, episode_id in part:
            row = rows[episode_id]
            facts = arrival.facts(episode, row.first_seen).model_dump(mode="json")
            if row.feed_id != arrival.feed_id or row.facts == facts:
                continue
            row.facts, row.title_key, row.audio_key = facts, title_key(episode.title), same_episode_key(episode)
            arrival.changed += 1
        session.connection().execute(
            _REMARK, [{"feed": arrival.feed_id, "name": e.guid, "mark": arrival.marks[e.guid]} for arrival, e, _ in part]
        )


def _rename(session: Session, arrivals: Sequence[_Arrival]) -> None:
    """New names of known episodes: the old name has gone from the feed, audio or title and day are the same."""
    asked = [
        (arrival, episode, same_episode_key(episode), title_key(episode.title))
        for arrival in arrivals
        if not (arrival.first_scan or arrival.changes.partial)
        for episode in arrival.fresh
    ]
    taken: set[str] = set()
    renamed: set[tuple[str, str]] = set()
    for part in batched(asked, 250):
        audio_keys = {audio for _, _, audio, _ in part if audio}
        titles = {(arrival.feed_id, title) for arrival, _, _, title in part if title}
        alike = select(Episode).order_by(Episode.episode_id)
        same: dict[tuple[str, str], list[Episode]] = {}
        for row in session.scalars(alike.where(Episode.audio_key.in_(audio_keys))):
            same.setdefault((row.feed_id, row.audio_key or ""), []).append(row)
        for row in session.scalars(alike.where(tuple_(Episode.feed_id, Episode.title_key).in_(titles))):
            same.setdefault((row.feed_id, row.title_key or ""), []).append(row)
        names: dict[str, set[str]] = {}
        for ids in batched({row.episode_id for rows in same.values() for row in rows}, 500):
            for name in session.scalars(select(EpisodeName).where(EpisodeName.episode_id.in_(ids))):
                names.setdefault(name.feed_id + name.episode_id, set()).add(name.guid)
        for arrival, episode, audio, title in part:
            feed_id = arrival.feed_id
            candidates = list(same.get((feed_id, audio or ""), ()))
            candidates += [row for row in same.get((feed_id, title or ""), []) if _same_day(row, episode)]
            gone = [
                row
                for row in candidates
                if row.episode_id not in taken and arrival.changes.present.isdisjoint(names.get(feed_id + row.episode_id, ()))
            ]
            if not gone:
                continue
            found = min(gone, key=lambda row: row.episode_id)
            found.facts = arrival.facts(episode, found.first_seen).model_dump(mode="json")
            found.audio_key, found.title_key = audio, title
            taken.add(found.episode_id)
            renamed.add((feed_id, episode.guid))
            arrival.named.append((episode.guid, found.episode_id))
            arrival.changed += 1
    for arrival in arrivals:
        arrival.fresh = [episode for episode in arrival.fresh if (arrival.feed_id, episode.guid) not in renamed]


def _add(session: Session, arrivals: Sequence[_Arrival], tz: ZoneInfo) -> None:
    rows: list[dict[str, Any]] = []
    for arrival in arrivals:
        now = arrival.now
        today = now.astimezone(tz).date()
        for episode in arrival.fresh:
            usable = date_flag(episode.published, episode.published_raw, now=now) is None
            published = episode.published if arrival.first_scan and usable else None
            episode_id = content_key("episode", arrival.feed_id, episode.guid)[:16]
            rows.append(
                {
                    "episode_id": episode_id,
                    "feed_id": arrival.feed_id,
                    "audio_key": same_episode_key(episode),
                    "title_key": title_key(episode.title),
                    "first_seen": now,
                    # A date in the future orders nothing; such an episode is of the day on which it was seen.
                    "available_on": published.astimezone(tz).date() if published and published <= now else today,
                    "settled": False,
                    "facts": arrival.facts(episode, now),
                }
            )
            arrival.named.append((episode.guid, episode_id))
    session.flush()
    if rows:
        session.connection().execute(_EPISODES.insert(), rows)
    names = [
        {"feed_id": arrival.feed_id, "guid": guid, "episode_id": episode_id, "fingerprint": arrival.marks[guid]}
        for arrival in arrivals
        for guid, episode_id in arrival.named
    ]
    if names:
        session.connection().execute(_NAMES.insert(), names)


def _same_day(row: Episode, episode: ParsedEpisode) -> bool:
    before = ParsedEpisode.model_validate(row.facts)
    if before.date_flag or before.published is None or episode.published is None:
        return False
    return title_key(before.title) == title_key(episode.title) and abs(before.published - episode.published) <= timedelta(days=1)
