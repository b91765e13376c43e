"""Questions and answers of the catalog: what the stages read and record.

Belongs here: transactions. Each public method is one transaction; a process killed inside one leaves nothing of it behind.
Does not belong here: any decision that needs no row (identity of an episode, what a failure means, whether to retry).
"""

from collections import Counter
from collections.abc import Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    BindParameter,
    Boolean,
    Connection,
    Engine,
    Table,
    Text,
    bindparam,
    case,
    create_engine,
    event,
    func,
    insert,
    literal,
    select,
)
from sqlalchemy import update as update_table
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from top5.catalog.migrate import upgrade
from top5.catalog.tables import (
    Delivery,
    DigestRevision,
    Episode,
    EpisodeDay,
    EpisodeName,
    Feed,
    HostWait,
    Spend,
    Suggestion,
    UtcDateTime,
)
from top5.errors import PermanentError, TransientError
from top5.feeds.changes import changes_of
from top5.feeds.dates import date_flag
from top5.feeds.identity import same_episode_key, same_telling, show_key, title_key
from top5.feeds.model import FeedChanges, ParsedEpisode, ParsedFeed, PollHints
from top5.lake import content_key
from top5.urls import mask_url


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


@dataclass(frozen=True, slots=True)
class FeedState:
    """One subscription with the outcome of its last scan. A dataclass, because a scan makes thousands."""

    feed_id: str
    url: str
    title: str
    link: str | None
    network: str | None
    weight: float
    status: str
    etag: str | None
    last_modified: str | None
    content_hash: str | None
    redirect_seen: str | None
    added_at: datetime
    scanned_at: datetime | None
    succeeded_at: datetime | None
    failures: int
    reason: str | None
    message: str | None
    next_poll: datetime | None = None
    interval: float | None = None
    full_at: datetime | None = None
    channel_fingerprint: str | None = None
    hints: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ScanUpdate:
    """What one poll changes: the feed's new state, and what is new in it where there was a new body.

    `moved_to` is a permanent redirect target that was confirmed and becomes the feed's URL; `host_wait` a host and the moment until
    which it asks to be left alone; `full` says that no validators were sent. With `parsed` all of a feed is given instead of `changes`.
    """

    feed_id: str
    now: datetime
    ok: bool
    reason: str
    message: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    content_hash: str | None = None
    redirect_seen: str | None = None
    moved_to: str | None = None
    retired: bool = False
    parsed: ParsedFeed | None = None
    changes: FeedChanges | None = None
    next_poll: datetime | None = None
    interval: float | None = None
    full: bool = False
    host_wait: tuple[str, datetime] | None = None


class SuggestedShow(_Frozen):
    """One suggestion with its state: `proposed`, `accepted` or `dismissed`."""

    feed_id: str
    url: str
    title: str
    topics: tuple[str, ...]
    score: float
    reasons: tuple[str, ...]
    state: str
    first_found: datetime


class CatalogEpisode(_Frozen):
    """One known episode."""

    episode_id: str
    feed_id: str
    first_seen: datetime
    available_on: date
    facts: ParsedEpisode


class DayEpisode(CatalogEpisode):
    """One episode as a day's digest looks at it: its facts are those of that day.

    `carried_over` says that a later day looks at it again, so this day's state is final.
    """

    day: date
    late: bool
    state: str
    reason: str | None
    carried_over: bool
    show: str
    show_url: str | None
    network: str | None
    feed_weight: float


T = TypeVar("T")
_CARRIED_STATES = ("pending", "deferred")


class Catalog:
    """The catalog at a database URL. SQLite runs in WAL mode and waits up to 30 s for another writer."""

    def __init__(self, url: str) -> None:
        try:
            self._engine = _connect(url)
            upgrade(self._engine)
        except OperationalError as error:
            raise TransientError(
                "catalog", f"The catalog cannot be opened ({error.orig}); check the disk, the path and its permissions."
            ) from error

    @classmethod
    def at_home(cls, home: Path, url: str | None = None) -> "Catalog":
        """The catalog at `url`, by default a SQLite file under `home`. Creates and migrates it where needed."""
        if url is None:
            try:
                home.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise PermanentError(
                    "home", f"{home} cannot be created ({error.strerror}); set TOP5_HOME to a writable folder."
                ) from error
            url = f"sqlite:///{home / 'catalog.db'}"
        return cls(url)

    def close(self) -> None:
        """Give connections back."""
        self._engine.dispose()

    @contextmanager
    def _transaction(self) -> Generator[Session, None, None]:
        try:
            with Session(self._engine) as session, session.begin():
                yield session
        except OperationalError as error:
            raise TransientError(
                "catalog", f"The catalog could not be written ({error.orig}); another process may hold it, try again."
            ) from error

    # Subscriptions

    def add_feed(
        self, url: str, now: datetime, *, title: str = "", network: str | None = None, weight: float = 1.0
    ) -> tuple[str, bool]:
        """Subscribe to a feed; returns its id and whether that changed anything. A removed or retired feed becomes active again."""
        with self._transaction() as session:
            feed = session.scalar(select(Feed).where(Feed.url == url))
            if feed is None:
                feed_id = content_key("feed", url)[:16]
                session.add(
                    Feed(feed_id=feed_id, url=url, title=title, network=network, weight=weight, added_at=now, status="active")
                )
                return feed_id, True
            changed = feed.status != "active"
            feed.status, feed.failures = "active", 0
            feed.next_poll = None if changed else feed.next_poll
            return feed.feed_id, changed

    def remove_feed(self, url_or_id: str) -> FeedState:
        """Stop following a feed; its episodes stay known. Raises PermanentError (`unknown_feed`)."""
        with self._transaction() as session:
            feed = session.scalar(select(Feed).where((Feed.url == url_or_id) | (Feed.feed_id == url_or_id)))
            if feed is None or feed.status == "removed":
                raise PermanentError("unknown_feed", f"{mask_url(url_or_id)} is not followed; `top5 feeds list` shows what is.")
            feed.status = "removed"
            row = session.execute(select(*_STATE_COLUMNS).where(Feed.feed_id == feed.feed_id)).one()
            return _state(tuple(row))

    def feeds(self, *statuses: str) -> list[FeedState]:
        """Subscriptions with one of the statuses (`active`, `gone`, `removed`; all but removed by default), oldest first."""
        wanted = statuses or ("active", "gone")
        with self._transaction() as session:
            rows = session.execute(select(*_STATE_COLUMNS).where(Feed.status.in_(wanted)).order_by(Feed.added_at, Feed.url))
            return [_state(tuple(row)) for row in rows]

    def due_feeds(self, now: datetime) -> list[FeedState]:
        """Active subscriptions whose next poll is not after `now`, oldest subscription first."""
        with self._transaction() as session:
            rows = session.execute(
                select(*_STATE_COLUMNS)
                .where(Feed.status == "active", (Feed.next_poll.is_(None)) | (Feed.next_poll <= now))
                .order_by(Feed.added_at, Feed.url)
            )
            return [_state(tuple(row)) for row in rows]

    # Scans

    def known_items(self, feed_id: str) -> dict[str, str | None]:
        """Fingerprint by GUID of every item that a feed was ever seen to have."""
        with self._transaction() as session:
            rows = session.execute(select(EpisodeName.guid, EpisodeName.fingerprint).where(EpisodeName.feed_id == feed_id))
            return {row.guid: row.fingerprint for row in rows}

    def host_waits(self, now: datetime) -> dict[str, datetime]:
        """Hosts that asked to be left alone beyond `now`, with the moment until which."""
        with self._transaction() as session:
            rows = session.execute(select(HostWait.host, HostWait.until).where(HostWait.until > now))
            return {row.host: row.until for row in rows}

    def apply_scan(self, update: ScanUpdate, *, tz: ZoneInfo, look_back_days: int) -> tuple[int, int]:
        """As `apply_scans`, for one poll."""
        (counts,) = self.apply_scans([update], tz=tz, look_back_days=look_back_days)
        return counts

    def apply_scans(self, updates: Sequence[ScanUpdate], *, tz: ZoneInfo, look_back_days: int) -> list[tuple[int, int]]:
        """Record polls and their episodes in one transaction; returns how many episodes are new and changed, poll by poll.

        Validators are stored together with the episodes that they vouch for, so that a kill between the two cannot lose one. Two
        scans at once are fine: the first to write an episode has it. Episodes of different feeds are told to be the same one only by
        `settle_twins`, so that the order in which servers answer decides nothing.
        """
        with self._transaction() as session:
            # Writing first takes the write lock, so that what is read below stays true until the commit.
            self._record_polls(session, updates)
            return [
                self._record_changes(session, update, tz, look_back_days) if update.changes or update.parsed else (0, 0)
                for update in updates
            ]

    def _record_polls(self, session: Session, updates: Sequence[ScanUpdate]) -> None:
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
                        "settled": not (update.changes or update.parsed),
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

    def _record_changes(self, session: Session, update: ScanUpdate, tz: ZoneInfo, look_back_days: int) -> tuple[int, int]:
        feed = session.get_one(Feed, update.feed_id, populate_existing=True)
        changes = update.changes
        if changes is None:
            if update.parsed is None:
                return 0, 0
            changes = changes_of(update.parsed, {})
        first_scan = feed.succeeded_at is None
        feed.succeeded_at = update.now
        feed.channel_fingerprint = changes.channel_fingerprint
        feed.hints = changes.hints.model_dump(mode="json") if changes.hints != PollHints() else None
        if changes.podcast is not None:
            feed.title = changes.podcast.title or feed.title
            feed.link = changes.podcast.link
            feed.facts = changes.podcast.model_dump(mode="json")
            feed.show_key = show_key(changes.podcast.title)
        if not changes.episodes:
            return 0, 0
        horizon = update.now - timedelta(days=look_back_days)
        arrival = _Arrival(session, feed, changes, update.now, horizon, tz, first_scan)
        return arrival.record()

    def settle_twins(self) -> dict[str, int]:
        """Make one episode of those that several feeds carry; returns how many went, by the feed that had brought them.

        The same audio file (tracking prefixes aside), or the same show, title and about the same time and length. What a digest has looked
        at stays; else the oldest, then the one with a transcript, then the one of the older subscription. An audio file that one feed
        gives to several episodes says nothing. Depends on the rows alone, never on the order in which they came.
        """
        with self._transaction() as session:
            gone: dict[str, int] = {}
            if session.scalar(select(Episode.episode_id).where(_UNSETTLED).limit(1)) is None:
                return gone
            _merge(session, _same_audio(session), gone)
            _merge(session, _same_show_and_title(session), gone)
            session.execute(
                update_table(Episode).where(_UNSETTLED).values(settled=True).execution_options(synchronize_session=None)
            )
            return gone

    # Suggestions

    def suggest(self, shows: Sequence[SuggestedShow], now: datetime) -> int:
        """Keep what was found; what was accepted or dismissed before stays so. Returns how many are new."""
        with self._transaction() as session:
            new = 0
            for show in shows:
                row = session.get(Suggestion, show.feed_id)
                if row is None:
                    values = show.model_dump() | {"topics": list(show.topics), "reasons": list(show.reasons), "changed_at": now}
                    session.add(Suggestion(**values))
                    new += 1
                elif row.state == "proposed":
                    row.title, row.score, row.reasons, row.changed_at = show.title, show.score, list(show.reasons), now
                    row.topics = sorted({*row.topics, *show.topics})
            return new

    def suggestions(self, *states: str) -> list[SuggestedShow]:
        """Suggestions in these states (`proposed` by default), best first."""
        with self._transaction() as session:
            rows = session.scalars(
                select(Suggestion)
                .where(Suggestion.state.in_(states or ("proposed",)))
                .order_by(Suggestion.score.desc(), Suggestion.url)
            )
            return [SuggestedShow.model_validate(row) for row in rows]

    def decide_suggestion(self, feed_id: str, state: str, now: datetime) -> SuggestedShow:
        """Accept (and follow) or dismiss a suggestion. Raises PermanentError (`unknown_suggestion`)."""
        with self._transaction() as session:
            row = session.get(Suggestion, feed_id)
            if row is None:
                raise PermanentError("unknown_suggestion", f"{feed_id!r} is no suggestion; `top5 feeds suggestions` lists them.")
            row.state, row.changed_at = state, now
            return SuggestedShow.model_validate(row)

    # Days

    def assign_day(self, day: date, late_days: int) -> list[DayEpisode]:
        """The episodes that the digest of `day` looks at; decides on first call, later calls add only what no day has looked at.

        An episode belongs to the day on which it became available. One that missed that day's digest, or waits for its transcript
        or for budget, joins a later day within `late_days`, marked late.
        """
        with self._transaction() as session:
            assigned = set(session.scalars(select(EpisodeDay.episode_id).where(EpisodeDay.day == day)))
            last_days = session.execute(
                select(EpisodeDay.episode_id, func.max(EpisodeDay.day).label("last")).group_by(EpisodeDay.episode_id)
            )
            last_day = dict[str, date]((row.episode_id, row.last) for row in last_days)
            built = set(session.scalars(select(DigestRevision.day).where(DigestRevision.day < day)))
            waiting = set(
                session.scalars(
                    select(EpisodeDay.episode_id).where(EpisodeDay.day < day, EpisodeDay.state.in_(_CARRIED_STATES))
                ).all()
            )
            recent = session.scalars(
                select(Episode)
                .join(Feed, Feed.feed_id == Episode.feed_id)
                .where(
                    Episode.available_on <= day, Episode.available_on >= day - timedelta(days=late_days), Feed.status != "removed"
                )
                .order_by(Episode.episode_id)
            )
            for episode in recent:
                if episode.episode_id in assigned:
                    continue
                last = last_day.get(episode.episode_id)
                on_time = last is None and episode.available_on == day
                missed = last is None and episode.available_on in built
                carried = (
                    last is not None
                    and last < day
                    and episode.episode_id in waiting
                    and _is_waiting(session, episode.episode_id, last)
                )
                if on_time or missed or carried:
                    session.add(EpisodeDay(day=day, episode_id=episode.episode_id, late=not on_time, facts=episode.facts))
        return self.day_episodes(day)

    def day_episodes(self, day: date) -> list[DayEpisode]:
        """What `assign_day` decided, in order of episode id."""
        with self._transaction() as session:
            later = set(session.scalars(select(EpisodeDay.episode_id).where(EpisodeDay.day > day)))
            rows = session.execute(
                select(EpisodeDay, Episode, Feed)
                .join(Episode, Episode.episode_id == EpisodeDay.episode_id)
                .join(Feed, Feed.feed_id == Episode.feed_id)
                .where(EpisodeDay.day == day)
                .order_by(EpisodeDay.episode_id)
            )
            return [
                DayEpisode(
                    episode_id=episode.episode_id,
                    feed_id=episode.feed_id,
                    first_seen=episode.first_seen,
                    available_on=episode.available_on,
                    facts=ParsedEpisode.model_validate(entry.facts),
                    day=entry.day,
                    late=entry.late,
                    state=entry.state,
                    reason=entry.reason,
                    carried_over=episode.episode_id in later,
                    show=feed.title,
                    show_url=feed.link,
                    network=feed.network,
                    feed_weight=feed.weight,
                )
                for entry, episode, feed in rows
            ]

    def set_states(self, day: date, states: Mapping[str, tuple[str, str]]) -> None:
        """Record (state, reason) per episode id for a day."""
        with self._transaction() as session:
            for episode_id, (state, reason) in states.items():
                entry = session.get_one(EpisodeDay, (day, episode_id))
                entry.state, entry.reason = state, reason

    # Digests and deliveries

    def digest_revisions(self, day: date) -> list[tuple[int, str]]:
        """(revision, inputs hash) of a day, oldest first."""
        with self._transaction() as session:
            rows = session.execute(
                select(DigestRevision.revision, DigestRevision.inputs_hash)
                .where(DigestRevision.day == day)
                .order_by(DigestRevision.revision)
            )
            return [(revision, inputs_hash) for revision, inputs_hash in rows]

    def add_digest_revision(self, day: date, revision: int, inputs_hash: str, now: datetime, changes: Sequence[str]) -> None:
        """Record a new revision of a day's digest."""
        with self._transaction() as session:
            session.merge(
                DigestRevision(day=day, revision=revision, inputs_hash=inputs_hash, created_at=now, changes=list(changes))
            )

    def plan_delivery(self, day: date, revision: int, recipient: str, channel: str, message_id: str, now: datetime) -> str:
        """Insert a `planned` row unless there is one; returns the state of the row that is there now."""
        with self._transaction() as session:
            row = session.get(Delivery, (day, recipient, channel))
            if row is None:
                row = Delivery(
                    day=day,
                    recipient=recipient,
                    channel=channel,
                    revision=revision,
                    message_id=message_id,
                    state="planned",
                    changed_at=now,
                )
                session.add(row)
            return row.state

    def mark_delivery(self, day: date, recipient: str, channel: str, state: str, reason: str | None, now: datetime) -> None:
        """Move a delivery to another state."""
        with self._transaction() as session:
            row = session.get_one(Delivery, (day, recipient, channel))
            row.state, row.reason, row.changed_at = state, reason, now

    def deliveries(self, day: date) -> list[tuple[str, str, str, str | None]]:
        """(recipient, channel, state, reason) of a day, in order of recipient."""
        with self._transaction() as session:
            rows = session.scalars(select(Delivery).where(Delivery.day == day).order_by(Delivery.recipient, Delivery.channel))
            return [(row.recipient, row.channel, row.state, row.reason) for row in rows]

    # Spend

    def add_spend(self, day: date, purpose: str, usd: float, requests: int) -> None:
        """Add to what was spent on a day, in US dollars."""
        with self._transaction() as session:
            row = session.get(Spend, (day, purpose))
            if row is None:
                session.add(Spend(day=day, purpose=purpose, usd=usd, requests=requests))
            else:
                row.usd, row.requests = row.usd + usd, row.requests + requests

    def spent(self, day: date) -> float:
        """US dollars spent on a day."""
        with self._transaction() as session:
            return session.scalar(select(func.coalesce(func.sum(Spend.usd), 0.0)).where(Spend.day == day)) or 0.0


def _connect(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {})
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Connection, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON", "busy_timeout=30000"):
                connection.execute(f"PRAGMA {pragma}")  # pyright: ignore[reportArgumentType, reportCallIssue]

    return engine


_STATE_COLUMNS = tuple(getattr(Feed, field.name) for field in fields(FeedState))


def _state(row: Sequence[Any]) -> FeedState:
    return FeedState(*row)


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
    ) -> None:
        self.session, self.feed, self.changes, self.now, self.horizon = session, feed, changes, now, horizon
        self.tz, self.first_scan = tz, first_scan

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
        if rows:
            self.session.execute(insert(Episode), rows)
            self._name([(e.guid, row["episode_id"]) for e, row in zip(fresh, rows, strict=True)], marks)
        return len(rows)

    def _name(self, names: Sequence[tuple[str, str]], marks: Mapping[str, str]) -> None:
        self.session.execute(
            insert(EpisodeName),
            [
                {"feed_id": self.feed.feed_id, "guid": guid, "episode_id": episode_id, "fingerprint": marks[guid]}
                for guid, episode_id in names
            ],
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


_UNSETTLED = Episode.settled.is_(False)


@dataclass(frozen=True, slots=True)
class _Twin:
    """What decides which of several episodes stays."""

    episode_id: str
    feed_id: str
    first_seen: datetime
    looked_at: bool
    order: tuple[datetime, str]


_TWIN_COLUMNS = (Episode.episode_id, Episode.feed_id, Episode.first_seen, Feed.added_at, Feed.url)


def _twins(session: Session, rows: Sequence[Any]) -> list[_Twin]:
    ids = [row.episode_id for row in rows]
    looked_at: set[str] = set()
    for part in batched(ids, 500):
        looked_at |= set(session.scalars(select(EpisodeDay.episode_id).where(EpisodeDay.episode_id.in_(part))))
    return [
        _Twin(row.episode_id, row.feed_id, row.first_seen, row.episode_id in looked_at, (row.added_at, row.url)) for row in rows
    ]


def _same_audio(session: Session) -> list[list[_Twin]]:
    unsettled = select(Episode.audio_key).where(_UNSETTLED, Episode.audio_key.is_not(None))
    shared = select(Episode.audio_key).where(Episode.audio_key.in_(unsettled)).group_by(Episode.audio_key)
    rows = session.execute(
        select(Episode.audio_key, *_TWIN_COLUMNS)
        .join(Feed, Feed.feed_id == Episode.feed_id)
        .where(Episode.audio_key.in_(shared.having(func.count() > 1)))
    ).all()
    groups: dict[str, list[_Twin]] = {}
    for row, twin in zip(rows, _twins(session, rows), strict=True):
        groups.setdefault(row.audio_key or "", []).append(twin)
    return [groups[key] for key in sorted(groups)]


def _same_show_and_title(session: Session) -> list[list[_Twin]]:
    shows = select(Feed.show_key).where(Feed.show_key.is_not(None), Feed.status != "removed").group_by(Feed.show_key)
    unsettled = select(Episode.title_key).where(_UNSETTLED, Episode.title_key.is_not(None))
    rows = session.execute(
        select(Episode.title_key, Feed.show_key, Episode.facts, *_TWIN_COLUMNS)
        .join(Feed, Feed.feed_id == Episode.feed_id)
        .where(Feed.show_key.in_(shows.having(func.count() > 1)), Episode.title_key.in_(unsettled))
    ).all()
    groups: dict[tuple[str, str], list[tuple[_Twin, dict[str, Any]]]] = {}
    for row, twin in zip(rows, _twins(session, rows), strict=True):
        groups.setdefault((row.show_key or "", row.title_key or ""), []).append((twin, row.facts))
    found: list[list[_Twin]] = []
    for _, group in sorted(groups.items()):
        if len(group) < 2:
            continue
        first, *others = (ParsedEpisode.model_validate(facts) for _, facts in sorted(group, key=lambda pair: pair[0].episode_id))
        if all(same_telling(first, other) for other in others):
            found.append([twin for twin, _ in group])
    return found


def _merge(session: Session, groups: Sequence[Sequence[_Twin]], gone: dict[str, int]) -> None:
    """One episode of each group: names move to the one that stays, the others go."""
    groups = [group for group in groups if 1 < len(group) == len({twin.feed_id for twin in group})]
    rows: dict[str, Episode] = {}
    for ids in batched([twin.episode_id for group in groups for twin in group], 500):
        rows |= {row.episode_id: row for row in session.scalars(select(Episode).where(Episode.episode_id.in_(ids)))}
    moves: list[dict[str, str]] = []
    for group in groups:
        owner, *others = sorted(
            group,
            key=lambda twin: (
                not twin.looked_at,
                twin.first_seen,
                not rows[twin.episode_id].facts.get("transcripts"),
                twin.order,
            ),
        )
        kept = rows[owner.episode_id]
        for other in others:
            if other.looked_at:
                continue
            facts = rows[other.episode_id].facts
            if facts.get("transcripts") and not kept.facts.get("transcripts") and not owner.looked_at:
                kept.feed_id, kept.facts = other.feed_id, facts
            moves.append({"loser": other.episode_id, "winner": owner.episode_id})
            gone[other.feed_id] = gone.get(other.feed_id, 0) + 1
    if moves:
        session.flush()
        connection = session.connection()
        connection.execute(_RENAME, moves)
        connection.execute(_DROP, [{"loser": move["loser"]} for move in moves])
        session.expire_all()


_EPISODES = cast(Table, Episode.__table__)
_RENAME = _NAMES.update().where(EpisodeName.episode_id == bindparam("loser")).values(episode_id=bindparam("winner"))
_DROP = _EPISODES.delete().where(Episode.episode_id == bindparam("loser"))


def batched(items: Iterable[T], size: int) -> Generator[list[T], None, None]:
    """Lists of at most `size` items, in order."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def _looked_at(session: Session, episode_id: str) -> bool:
    return session.scalar(select(EpisodeDay.day).where(EpisodeDay.episode_id == episode_id).limit(1)) is not None


def _is_waiting(session: Session, episode_id: str, day: date) -> bool:
    entry = session.get_one(EpisodeDay, (day, episode_id))
    return entry.state in _CARRIED_STATES
