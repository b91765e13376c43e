"""Questions and answers of the catalog: what the stages read and record.

Belongs here: transactions. Each public method is one transaction; a process killed inside one leaves nothing of it behind.
Does not belong here: any decision that needs no row (identity of an episode, what a failure means, whether to retry), the values handed
in and out (`model`), how a scan's rows are written (`arrivals`, `twins`).
"""

import json
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Connection, Engine, bindparam, create_engine, event, func, or_, select
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.orm import Session

from top5.catalog.arrivals import record_changes, record_polls
from top5.catalog.migrate import upgrade
from top5.catalog.model import DayEpisode, FeedState, ScanUpdate, SuggestedShow
from top5.catalog.tables import Delivery, DigestRevision, Episode, EpisodeDay, EpisodeName, Feed, HostWait, Spend, Suggestion
from top5.catalog.twins import settle
from top5.errors import PermanentError, TransientError
from top5.feeds.model import ParsedEpisode
from top5.lake import content_key
from top5.settings import Settings
from top5.urls import mask_url

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
        except DatabaseError as error:
            raise PermanentError(
                "broken_catalog", f"The catalog is no usable database ({error.orig}); `top5 restore` brings a backup back."
            ) from error

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The catalog that the settings name. Creates and migrates it where needed."""
        return cls.at_home(settings.home, settings.catalog_url.get_secret_value() if settings.catalog_url else None)

    @classmethod
    def at_home(cls, home: Path, url: str | None = None) -> Self:
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

    @property
    def is_file(self) -> bool:
        """Whether it is a file of this machine (SQLite): a transaction takes less time than handing it to a thread."""
        return self._engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Give connections back."""
        self._engine.dispose()

    def damage(self) -> str | None:
        """What SQLite finds wrong with the file, None where it is sound; a database server looks after itself."""
        if self._engine.dialect.name != "sqlite":
            return None
        try:
            with self._engine.connect() as connection:
                told = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar_one()
        except DatabaseError as error:
            told = str(error.orig)
        return None if told == "ok" else str(told)

    @contextmanager
    def statements(self) -> Generator[Connection, None, None]:
        """As `transaction`, without a session: for statements that are written thousands of times."""
        try:
            with self._engine.begin() as connection:
                yield connection
        except OperationalError as error:
            raise TransientError(
                "catalog", f"The catalog could not be written ({error.orig}); another process may hold it, try again."
            ) from error

    @contextmanager
    def transaction(self) -> Generator[Session, None, None]:
        """A session whose work is written together when the block ends, and not at all where it raises.

        Raises TransientError (`catalog`) where the database is locked for more than 30 s, full or gone.
        """
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
        with self.transaction() as session:
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
        with self.transaction() as session:
            feed = session.scalar(select(Feed).where((Feed.url == url_or_id) | (Feed.feed_id == url_or_id)))
            if feed is None or feed.status == "removed":
                raise PermanentError("unknown_feed", f"{mask_url(url_or_id)} is not followed; `top5 feeds list` shows what is.")
            feed.status = "removed"
            row = session.execute(select(*_STATE_COLUMNS).where(Feed.feed_id == feed.feed_id)).one()
            return FeedState(*row)

    def feeds(self, *statuses: str) -> list[FeedState]:
        """Subscriptions with one of the statuses (`active`, `gone`, `removed`; all but removed by default), oldest first."""
        wanted = statuses or ("active", "gone")
        return self._states(Feed.status.in_(wanted))

    def due_feeds(self, now: datetime) -> list[FeedState]:
        """Active subscriptions whose next poll is not after `now`, oldest subscription first.

        One that was polled later than an hour from `now` is due, too: the clock was ahead then, and what it planned may be years away.
        """
        due = or_(Feed.next_poll.is_(None), Feed.next_poll <= now, Feed.scanned_at > now + timedelta(hours=1))
        return self._states((Feed.status == "active") & due)

    def _states(self, which: ColumnElement[bool]) -> list[FeedState]:
        with self.statements() as connection:
            rows = connection.execute(select(*_STATE_COLUMNS).where(which).order_by(Feed.added_at, Feed.url))
            return [FeedState(*row) for row in rows]

    # Scans

    def known_items(self, feed_id: str) -> dict[str, str | None]:
        """Fingerprint by GUID of every item that a feed was ever seen to have."""
        with self.statements() as connection:
            rows = connection.execute(_KNOWN_ITEMS, {"feed": feed_id})
            return dict[str, str | None]((name, mark) for name, mark in rows)

    def host_waits(self, now: datetime) -> dict[str, datetime]:
        """Hosts that asked to be left alone beyond `now`, with the moment until which."""
        with self.transaction() as session:
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
        with self.transaction() as session:
            # Writing first takes the write lock, so that what is read below stays true until the commit.
            record_polls(session, updates)
            return record_changes(session, updates, tz, look_back_days)

    def settle_twins(self) -> dict[str, int]:
        """Make one episode of those that several feeds carry; returns how many went, by the feed that had brought them.

        The same audio file (tracking prefixes aside), or the same show, title and about the same time and length. What a digest has looked
        at stays; else the oldest, then the one with a transcript, then the one of the older subscription. An audio file that one feed
        gives to several episodes says nothing. Depends on the rows alone, never on the order in which they came.
        """
        with self.transaction() as session:
            return settle(session)

    # Suggestions

    def suggest(self, shows: Sequence[SuggestedShow], now: datetime) -> int:
        """Keep what was found; what was accepted or dismissed before stays so. Returns how many are new."""
        with self.transaction() as session:
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
        with self.transaction() as session:
            rows = session.scalars(
                select(Suggestion)
                .where(Suggestion.state.in_(states or ("proposed",)))
                .order_by(Suggestion.score.desc(), Suggestion.url)
            )
            return [SuggestedShow.model_validate(row) for row in rows]

    def decide_suggestion(self, feed_id: str, state: str, now: datetime) -> SuggestedShow:
        """Accept (and follow) or dismiss a suggestion. Raises PermanentError (`unknown_suggestion`)."""
        with self.transaction() as session:
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
        with self.transaction() as session:
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
        with self.transaction() as session:
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
        with self.transaction() as session:
            for episode_id, (state, reason) in states.items():
                entry = session.get_one(EpisodeDay, (day, episode_id))
                entry.state, entry.reason = state, reason

    # Digests and deliveries

    def digest_revisions(self, day: date) -> list[tuple[int, str]]:
        """(revision, inputs hash) of a day, oldest first."""
        with self.transaction() as session:
            rows = session.execute(
                select(DigestRevision.revision, DigestRevision.inputs_hash)
                .where(DigestRevision.day == day)
                .order_by(DigestRevision.revision)
            )
            return [(revision, inputs_hash) for revision, inputs_hash in rows]

    def add_digest_revision(self, day: date, revision: int, inputs_hash: str, now: datetime, changes: Sequence[str]) -> None:
        """Record a new revision of a day's digest."""
        with self.transaction() as session:
            session.merge(
                DigestRevision(day=day, revision=revision, inputs_hash=inputs_hash, created_at=now, changes=list(changes))
            )

    def plan_delivery(self, day: date, revision: int, recipient: str, channel: str, message_id: str, now: datetime) -> str:
        """Insert a `planned` row unless there is one; returns the state of the row that is there now."""
        with self.transaction() as session:
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
        with self.transaction() as session:
            row = session.get_one(Delivery, (day, recipient, channel))
            row.state, row.reason, row.changed_at = state, reason, now

    def deliveries(self, day: date) -> list[tuple[str, str, str, str | None]]:
        """(recipient, channel, state, reason) of a day, in order of recipient."""
        with self.transaction() as session:
            rows = session.scalars(select(Delivery).where(Delivery.day == day).order_by(Delivery.recipient, Delivery.channel))
            return [(row.recipient, row.channel, row.state, row.reason) for row in rows]

    # Spend

    def add_spend(self, day: date, purpose: str, usd: float, requests: int) -> None:
        """Add to what was spent on a day, in US dollars."""
        with self.transaction() as session:
            row = session.get(Spend, (day, purpose))
            if row is None:
                session.add(Spend(day=day, purpose=purpose, usd=usd, requests=requests))
            else:
                row.usd, row.requests = row.usd + usd, row.requests + requests

    def spent(self, day: date) -> float:
        """US dollars spent on a day."""
        with self.transaction() as session:
            return session.scalar(select(func.coalesce(func.sum(Spend.usd), 0.0)).where(Spend.day == day)) or 0.0


def _to_json(value: object) -> str:
    """Models are written as they are; to make dictionaries of thousands first is slow."""
    return value.model_dump_json() if isinstance(value, BaseModel) else json.dumps(value)


def _connect(url: str) -> Engine:
    engine = create_engine(url, connect_args={"timeout": 30} if url.startswith("sqlite") else {}, json_serializer=_to_json)
    if engine.dialect.name == "sqlite":
        # FULL: in WAL mode NORMAL may lose minutes of transactions with the power, and with them who was mailed and who has left.
        @event.listens_for(engine, "connect")
        def _pragmas(connection: Connection, _record: object) -> None:  # pyright: ignore[reportUnusedFunction]
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
                connection.execute(f"PRAGMA {pragma}")  # pyright: ignore[reportArgumentType, reportCallIssue]

    return engine


# Asked once a feed and scan.
_KNOWN_ITEMS = select(EpisodeName.guid, EpisodeName.fingerprint).where(EpisodeName.feed_id == bindparam("feed"))
_STATE_COLUMNS = tuple(getattr(Feed, field.name) for field in fields(FeedState))


def _is_waiting(session: Session, episode_id: str, day: date) -> bool:
    entry = session.get_one(EpisodeDay, (day, episode_id))
    return entry.state in _CARRIED_STATES
