"""Questions and answers of the catalog: what the stages read and record.

Belongs here: transactions. Each public method is one transaction; a process killed inside one leaves nothing of it behind.
Does not belong here: any decision that needs no row (identity of an episode, what a failure means, whether to retry).
"""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from top5.catalog.migrate import upgrade
from top5.catalog.tables import Delivery, DigestRevision, Episode, EpisodeDay, EpisodeName, Feed, Spend
from top5.errors import PermanentError, TransientError
from top5.feeds.identity import same_episode_key
from top5.feeds.model import ParsedEpisode, ParsedFeed
from top5.lake import content_key
from top5.urls import mask_url


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class FeedState(_Frozen):
    """One subscription with the outcome of its last scan."""

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
    scanned_at: datetime | None
    succeeded_at: datetime | None
    failures: int
    reason: str | None
    message: str | None


class ScanUpdate(_Frozen):
    """What one poll changes: the feed's new state, and the parsed feed where there was a new body.

    `moved_to` is a permanent redirect target that was confirmed and becomes the feed's URL.
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
            return feed.feed_id, changed

    def remove_feed(self, url_or_id: str) -> FeedState:
        """Stop following a feed; its episodes stay known. Raises PermanentError (`unknown_feed`)."""
        with self._transaction() as session:
            feed = session.scalar(select(Feed).where((Feed.url == url_or_id) | (Feed.feed_id == url_or_id)))
            if feed is None or feed.status == "removed":
                raise PermanentError("unknown_feed", f"{mask_url(url_or_id)} is not followed; `top5 feeds list` shows what is.")
            feed.status = "removed"
            return FeedState.model_validate(feed)

    def feeds(self, *statuses: str) -> list[FeedState]:
        """Subscriptions with one of the statuses (`active`, `gone`, `removed`; all but removed by default), oldest first."""
        wanted = statuses or ("active", "gone")
        with self._transaction() as session:
            rows = session.scalars(select(Feed).where(Feed.status.in_(wanted)).order_by(Feed.added_at, Feed.url))
            return [FeedState.model_validate(row) for row in rows]

    # Scans

    def apply_scan(self, update: ScanUpdate, *, tz: ZoneInfo, look_back_days: int) -> tuple[int, int]:
        """Record one poll and its episodes in one transaction; returns how many episodes are new and how many changed.

        Validators are stored together with the episodes that they vouch for, so that a kill between the two cannot lose one.
        """
        with self._transaction() as session:
            feed = session.get_one(Feed, update.feed_id)
            first_scan = feed.succeeded_at is None
            feed.scanned_at, feed.reason, feed.message = update.now, update.reason, update.message
            if update.retired:
                feed.status = "gone"
            if not update.ok:
                feed.failures += 1
                return 0, 0
            feed.failures, feed.succeeded_at = 0, update.now
            feed.redirect_seen = update.redirect_seen
            if update.moved_to and session.scalar(select(Feed).where(Feed.url == update.moved_to)) is None:
                feed.url, feed.redirect_seen = update.moved_to, None
            if update.parsed is None:
                return 0, 0
            feed.etag, feed.last_modified, feed.content_hash = update.etag, update.last_modified, update.content_hash
            feed.title = update.parsed.podcast.title or feed.title
            feed.link = update.parsed.podcast.link
            today = update.now.astimezone(tz).date()
            horizon = update.now - timedelta(days=look_back_days)
            new = changed = 0
            for episode in update.parsed.episodes:
                outcome = _upsert(session, feed, _slim(episode, horizon), update.now, today, first_scan=first_scan, tz=tz)
                new += outcome == "new"
                changed += outcome == "changed"
            return new, changed

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


def _slim(episode: ParsedEpisode, horizon: datetime) -> ParsedEpisode:
    """Show notes of episodes older than the look-back window are not kept: only their identity is needed, and there are hundreds a feed."""
    if episode.published is None or episode.published >= horizon:
        return episode
    return episode.model_copy(update={"description": ""})


def _upsert(
    session: Session, feed: Feed, episode: ParsedEpisode, now: datetime, today: date, *, first_scan: bool, tz: ZoneInfo
) -> str:
    facts = episode.model_dump(mode="json")
    name = session.get(EpisodeName, (feed.feed_id, episode.guid))
    if name is not None:
        known = session.get_one(Episode, name.episode_id)
        if known.feed_id != feed.feed_id or known.facts == facts:
            return "known"
        known.facts = facts
        return "changed"
    audio_key = same_episode_key(episode)
    twin = session.scalar(select(Episode).where(Episode.audio_key == audio_key)) if audio_key else None
    if twin is not None:
        session.add(EpisodeName(feed_id=feed.feed_id, guid=episode.guid, episode_id=twin.episode_id))
        if episode.transcripts and not twin.facts["transcripts"] and not _looked_at(session, twin.episode_id):
            # A network's feed repeats its shows' episodes with less said about them; the show's own feed is the better source.
            twin.feed_id, twin.facts = feed.feed_id, facts
        return "known"
    # A date in the future orders nothing; such an episode is of the day on which it was seen.
    published = episode.published if first_scan else None
    available_on = published.astimezone(tz).date() if published and published <= now else today
    episode_id = content_key("episode", feed.feed_id, episode.guid)[:16]
    session.add(
        Episode(
            episode_id=episode_id,
            feed_id=feed.feed_id,
            audio_key=audio_key,
            first_seen=now,
            available_on=available_on,
            facts=facts,
        )
    )
    session.flush()
    session.add(EpisodeName(feed_id=feed.feed_id, guid=episode.guid, episode_id=episode_id))
    return "new"


def _looked_at(session: Session, episode_id: str) -> bool:
    return session.scalar(select(EpisodeDay.day).where(EpisodeDay.episode_id == episode_id).limit(1)) is not None


def _is_waiting(session: Session, episode_id: str, day: date) -> bool:
    entry = session.get_one(EpisodeDay, (day, episode_id))
    return entry.state in _CARRIED_STATES
