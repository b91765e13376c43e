"""What polls write: a feed's new state, and the episodes of a body on their way into the catalog.

Belongs here: rows written inside the transaction that `store` opened. What changed in a body is told by `top5.feeds.changes`; episodes
of different feeds become one in `twins`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast
from zoneinfo import ZoneInfo

from sqlalchemy import BindParameter, Boolean, Table, Text, bindparam, case, func, insert, literal, select
from sqlalchemy.orm import Session

from top5.catalog.batches import batched
from top5.catalog.model import ScanUpdate
from top5.catalog.tables import Episode, EpisodeDay, EpisodeName, Feed, HostWait, UtcDateTime
from top5.feeds.dates import date_flag
from top5.feeds.identity import same_episode_key, show_key, title_key
from top5.feeds.model import FeedChanges, ParsedEpisode, PollHints
from top5.lake import content_key

_FEEDS = cast(Table, Feed.__table__)
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
    plain = [update for update in updates if update.ok]
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
    ids = [update.feed_id for update in updates if update.changes]
    feeds: dict[str, Feed] = {}
    for part in batched(ids, 500):
        found = session.scalars(select(Feed).where(Feed.feed_id.in_(part)).execution_options(populate_existing=True))
        feeds |= {feed.feed_id: feed for feed in found}
    rows = _NewRows()
    with session.no_autoflush:
        counts = [
            _record_body(session, feeds[update.feed_id], update.changes, update.now, tz, look_back_days, rows)
            if update.changes
            else (0, 0)
            for update in updates
        ]
    if rows.episodes:
        session.execute(insert(Episode), rows.episodes)
    if rows.names:
        session.execute(insert(EpisodeName), rows.names)
    return counts


def _record_body(
    session: Session, feed: Feed, changes: FeedChanges, now: datetime, tz: ZoneInfo, look_back_days: int, rows: "_NewRows"
) -> tuple[int, int]:
    first_scan = feed.succeeded_at is None
    feed.succeeded_at = now
    feed.channel_fingerprint = changes.channel_fingerprint
    feed.hints = changes.hints.model_dump(mode="json") if changes.hints != PollHints() else None
    if changes.podcast is not None:
        feed.title = changes.podcast.title or feed.title
        feed.link = changes.podcast.link
        feed.facts = changes.podcast.model_dump(mode="json")
        feed.show_key = show_key(changes.podcast.title)
    if not changes.episodes:
        return 0, 0
    horizon = now - timedelta(days=look_back_days)
    return _Arrival(session, feed, changes, now, horizon, tz, first_scan, rows).record()


@dataclass
class _NewRows:
    """Rows of all bodies of a batch, written together: one statement a feed would cost more than reading the feed."""

    episodes: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    names: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class _Arrival:
    """The episodes of one body on their way into the catalog, inside a transaction."""

    def __init__(
        self,
        session: Session,
        feed: Feed,
        changes: FeedChanges,
        now: datetime,
        horizon: datetime,
        tz: ZoneInfo,
        first_scan: bool,
        rows: _NewRows,
    ) -> None:
        self.session, self.feed, self.changes, self.now, self.horizon = session, feed, changes, now, horizon
        self.tz, self.first_scan, self.rows = tz, first_scan, rows

    def record(self) -> tuple[int, int]:
        """Write names, episodes and facts; (new, changed)."""
        marks = dict(zip((e.guid for e in self.changes.episodes), self.changes.fingerprints, strict=True))
        names: dict[str, tuple[str, str | None]] = {}
        # A feed that was never read has no names yet.
        for guids in batched([] if self.first_scan else marks, 500):
            found = self.session.execute(
                select(EpisodeName.guid, EpisodeName.episode_id, EpisodeName.fingerprint).where(
                    EpisodeName.feed_id == self.feed.feed_id, EpisodeName.guid.in_(guids)
                )
            )
            names |= {guid: (episode_id, mark) for guid, episode_id, mark in found}
        known = [e for e in self.changes.episodes if e.guid in names and names[e.guid][1] != marks[e.guid]]
        fresh = [e for e in self.changes.episodes if e.guid not in names]
        changed = self._revise(known, names, marks)
        renamed = self._rename([] if self.first_scan or self.changes.partial else fresh, marks)
        fresh = [e for e in fresh if e.guid not in renamed]
        shared = self._join_settled([e for e in fresh if same_episode_key(e)], marks)
        return self._add([e for e in fresh if e.guid not in shared], marks), changed + len(renamed)

    def _revise(
        self, known: Sequence[ParsedEpisode], names: Mapping[str, tuple[str, str | None]], marks: Mapping[str, str]
    ) -> int:
        changed = 0
        for part in batched(known, 500):
            ids = [names[e.guid][0] for e in part]
            rows = {row.episode_id: row for row in self.session.scalars(select(Episode).where(Episode.episode_id.in_(ids)))}
            for episode in part:
                row = rows[names[episode.guid][0]]
                facts = self._facts(episode, row.first_seen)
                if row.feed_id != self.feed.feed_id or row.facts == facts:
                    continue
                row.facts, row.title_key, row.audio_key = facts, title_key(episode.title), same_episode_key(episode)
                changed += 1
            self.session.connection().execute(
                _REMARK, [{"feed": self.feed.feed_id, "name": e.guid, "mark": marks[e.guid]} for e in part]
            )
        return changed

    def _rename(self, fresh: Sequence[ParsedEpisode], marks: Mapping[str, str]) -> set[str]:
        """New names of known episodes: the old name has gone from the feed, audio or title and day are the same."""
        done: set[str] = set()
        taken: set[str] = set()
        for episode in fresh:
            audio, title = same_episode_key(episode), title_key(episode.title)
            if audio is None and title is None:
                continue
            same = (Episode.audio_key == audio) if audio else (Episode.title_key == title)
            same = same | (Episode.title_key == title) if audio and title else same
            for row in self.session.scalars(
                select(Episode).where(Episode.feed_id == self.feed.feed_id, same).order_by(Episode.episode_id)
            ):
                if row.episode_id in taken or not ((audio and row.audio_key == audio) or _same_day(row, episode)):
                    continue
                names = set(
                    self.session.scalars(
                        select(EpisodeName.guid).where(
                            EpisodeName.feed_id == self.feed.feed_id, EpisodeName.episode_id == row.episode_id
                        )
                    )
                )
                if names & self.changes.present:
                    continue
                row.facts = self._facts(episode, row.first_seen)
                row.audio_key, row.title_key = audio, title
                self._name([(episode.guid, row.episode_id)], marks)
                taken.add(row.episode_id)
                done.add(episode.guid)
                break
        return done

    def _join_settled(self, fresh: Sequence[ParsedEpisode], marks: Mapping[str, str]) -> set[str]:
        """Names for episodes that another feed brought in an earlier scan."""
        done: set[str] = set()
        for part in batched(fresh, 500):
            keys = {same_episode_key(e): e for e in part}
            rows = self.session.scalars(
                select(Episode).where(
                    Episode.audio_key.in_([key for key in keys if key]),
                    Episode.feed_id != self.feed.feed_id,
                    Episode.first_seen < self.now,
                )
            )
            twins: dict[str, list[Episode]] = {}
            for row in rows:
                twins.setdefault(row.audio_key or "", []).append(row)
            counted = Counter(same_episode_key(e) for e in part)
            for key, found in twins.items():
                if len(found) > 1 or counted[key] > 1:
                    continue
                (row,), episode = found, keys[key]
                self._name([(episode.guid, row.episode_id)], marks)
                done.add(episode.guid)
                if episode.transcripts and not row.facts["transcripts"] and not _looked_at(self.session, row.episode_id):
                    # A network's feed repeats its shows' episodes with less said about them; the show's own feed is the better source.
                    row.feed_id, row.facts = self.feed.feed_id, self._facts(episode, row.first_seen)
        return done

    def _add(self, fresh: Sequence[ParsedEpisode], marks: Mapping[str, str]) -> int:
        today = self.now.astimezone(self.tz).date()
        rows: list[dict[str, Any]] = []
        for episode in fresh:
            usable = date_flag(episode.published, episode.published_raw, now=self.now) is None
            published = episode.published if self.first_scan and usable else None
            # A date in the future orders nothing; such an episode is of the day on which it was seen.
            available_on = published.astimezone(self.tz).date() if published and published <= self.now else today
            rows.append(
                {
                    "episode_id": content_key("episode", self.feed.feed_id, episode.guid)[:16],
                    "feed_id": self.feed.feed_id,
                    "audio_key": same_episode_key(episode),
                    "title_key": title_key(episode.title),
                    "first_seen": self.now,
                    "available_on": available_on,
                    "settled": False,
                    "facts": self._facts(episode, self.now),
                }
            )
        self.rows.episodes.extend(rows)
        self._name([(e.guid, row["episode_id"]) for e, row in zip(fresh, rows, strict=True)], marks)
        return len(rows)

    def _name(self, names: Sequence[tuple[str, str]], marks: Mapping[str, str]) -> None:
        self.rows.names.extend(
            {"feed_id": self.feed.feed_id, "guid": guid, "episode_id": episode_id, "fingerprint": marks[guid]}
            for guid, episode_id in names
        )

    def _facts(self, episode: ParsedEpisode, first_seen: datetime) -> dict[str, Any]:
        """An unusable date gives way to the moment of first sight, and is kept as written beside the reason."""
        flag = date_flag(episode.published, episode.published_raw, now=first_seen)
        values: dict[str, Any] = {}
        if flag is not None:
            raw = episode.published_raw or (episode.published.isoformat() if episode.published else None)
            values = {"published": first_seen, "published_raw": raw, "date_flag": flag}
        elif episode.published is not None and episode.published < self.horizon and episode.description:
            # Only the identity of old episodes is needed, and there are hundreds a feed.
            values = {"description": ""}
        return (episode.model_copy(update=values) if values else episode).model_dump(mode="json")


_REMARK = (
    _NAMES.update()
    .where(EpisodeName.feed_id == bindparam("feed"), EpisodeName.guid == bindparam("name"))
    .values(fingerprint=bindparam("mark"))
)


def _same_day(row: Episode, episode: ParsedEpisode) -> bool:
    before = ParsedEpisode.model_validate(row.facts)
    if before.date_flag or before.published is None or episode.published is None:
        return False
    return title_key(before.title) == title_key(episode.title) and abs(before.published - episode.published) <= timedelta(days=1)


def _looked_at(session: Session, episode_id: str) -> bool:
    return session.scalar(select(EpisodeDay.day).where(EpisodeDay.episode_id == episode_id).limit(1)) is not None
