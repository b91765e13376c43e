"""The catalog's tables, for SQLAlchemy and for Alembic's comparison. All times are UTC, stored without a zone."""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, Date, DateTime, Dialect, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC datetime in Python, a naive one in the database: SQLite has no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive times: a local time stored as UTC is a wrong day sooner or later."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("naive datetime given to the catalog")
        return (value if value.tzinfo is UTC else value.astimezone(UTC)).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the zone back."""
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    """Declarative base; its metadata is what migrations are compared with."""


class Feed(Base):
    """One subscription and what its last scans said. Grain: one feed.

    `facts` is the `Podcast` and `hints` the `PollHints` as last seen; `show_key` is shared by the public and the members' feed of
    one show; `full_at` is when the body was last asked for without validators.
    """

    __tablename__ = "feeds"

    feed_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    url: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(Text, default="")
    link: Mapped[str | None] = mapped_column(Text)
    network: Mapped[str | None] = mapped_column(Text)
    weight: Mapped[float] = mapped_column(Float, default=1.0)
    status: Mapped[str] = mapped_column(String(16), default="active")
    etag: Mapped[str | None] = mapped_column(Text)
    last_modified: Mapped[str | None] = mapped_column(Text)
    content_hash: Mapped[str | None] = mapped_column(String(64))
    redirect_seen: Mapped[str | None] = mapped_column(Text)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)
    scanned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    succeeded_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    failures: Mapped[int] = mapped_column(Integer, default=0)
    reason: Mapped[str | None] = mapped_column(String(40))
    message: Mapped[str | None] = mapped_column(Text)
    next_poll: Mapped[datetime | None] = mapped_column(UtcDateTime)
    interval: Mapped[float | None] = mapped_column(Float)
    full_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    channel_fingerprint: Mapped[str | None] = mapped_column(String(16))
    show_key: Mapped[str | None] = mapped_column(String(16))
    hints: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    facts: Mapped[dict[str, Any] | None] = mapped_column(JSON)


class HostWait(Base):
    """A host that asked to be left alone (429, 503). Grain: one host."""

    __tablename__ = "host_waits"

    host: Mapped[str] = mapped_column(String(255), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)


class Suggestion(Base):
    """A show that was found for a topic and is not followed. Grain: one feed URL; `state` is proposed, accepted or dismissed."""

    __tablename__ = "suggestions"

    feed_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    url: Mapped[str] = mapped_column(Text, unique=True)
    title: Mapped[str] = mapped_column(Text)
    topics: Mapped[list[str]] = mapped_column(JSON)
    score: Mapped[float] = mapped_column(Float)
    reasons: Mapped[list[str]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16))
    first_found: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Episode(Base):
    """One episode, whichever feeds carry it. Grain: one episode. `facts` is the `ParsedEpisode` as last seen; `settled` is false until
    it has been compared with other feeds' episodes.
    """

    __tablename__ = "episodes"
    __table_args__ = (
        Index("ix_episodes_available_on", "available_on"),
        Index("ix_episodes_audio_key", "audio_key"),
        Index("ix_episodes_feed_id_title_key", "feed_id", "title_key"),
        Index("ix_episodes_settled", "settled"),
    )

    episode_id: Mapped[str] = mapped_column(String(16), primary_key=True)
    feed_id: Mapped[str] = mapped_column(ForeignKey("feeds.feed_id"))
    audio_key: Mapped[str | None] = mapped_column(Text)
    title_key: Mapped[str | None] = mapped_column(String(16))
    settled: Mapped[bool | None]
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime)
    available_on: Mapped[date] = mapped_column(Date)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)


class EpisodeName(Base):
    """Each (feed, GUID) by which an episode is known. Grain: one feed and GUID. `fingerprint` is that of the item as last read."""

    __tablename__ = "episode_names"
    __table_args__ = (Index("ix_episode_names_episode_id", "episode_id"),)

    feed_id: Mapped[str] = mapped_column(ForeignKey("feeds.feed_id"), primary_key=True)
    guid: Mapped[str] = mapped_column(Text, primary_key=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episodes.episode_id"))
    fingerprint: Mapped[str | None] = mapped_column(String(16))


class EpisodeDay(Base):
    """On which day's digest an episode was or is looked at, with its facts as of then. Grain: one day and episode."""

    __tablename__ = "episode_days"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    episode_id: Mapped[str] = mapped_column(ForeignKey("episodes.episode_id"), primary_key=True)
    late: Mapped[bool] = mapped_column(default=False)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String(16), default="discovered")
    reason: Mapped[str | None] = mapped_column(String(40))


class DigestRevision(Base):
    """Each revision of a day's digest. Grain: one day and revision."""

    __tablename__ = "digests"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer, primary_key=True)
    inputs_hash: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changes: Mapped[list[str]] = mapped_column(JSON, default=list)


class SubscriberEntry(Base):
    """One subscriber and what they want. Grain: one address and channel; `address_key` is the address in lower case.

    `serial` rises when earlier links to the preferences shall end.
    """

    __tablename__ = "subscribers"
    __table_args__ = (UniqueConstraint("address_key", "channel"), Index("ix_subscribers_state", "state"))

    subscriber_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    address: Mapped[str] = mapped_column(Text)
    address_key: Mapped[str] = mapped_column(Text)
    channel: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    source: Mapped[str] = mapped_column(String(16))
    serial: Mapped[int] = mapped_column(Integer, default=1)
    timezone: Mapped[str] = mapped_column(String(64))
    hour: Mapped[int | None] = mapped_column(Integer)
    weekdays: Mapped[list[int]] = mapped_column(JSON)
    topics: Mapped[list[str]] = mapped_column(JSON)
    muted_topics: Mapped[list[str]] = mapped_column(JSON)
    shows: Mapped[list[str]] = mapped_column(JSON)
    muted_shows: Mapped[list[str]] = mapped_column(JSON)
    count: Mapped[int] = mapped_column(Integer)
    format: Mapped[str] = mapped_column(String(8))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    reason: Mapped[str | None] = mapped_column(String(40))


class UsedToken(Base):
    """A token that worked once and is used up. Grain: one token; `token_hash` is its SHA-256. Kept until the token expires."""

    __tablename__ = "used_tokens"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class RequestCount(Base):
    """How often somebody asked for something within a stretch of time. Grain: one hashed address or network, and stretch."""

    __tablename__ = "request_counts"

    key_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    window_start: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    requests: Mapped[int] = mapped_column(Integer)


class Suppression(Base):
    """An address that is never mailed again unless the operator says so, kept as SHA-256 so that it outlives a deletion. Grain: one address."""

    __tablename__ = "suppressions"

    address_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    reason: Mapped[str] = mapped_column(String(40))
    since: Mapped[datetime] = mapped_column(UtcDateTime)


class Bounce(Base):
    """A mail that came back. Grain: one mail and kind (`hard`, `soft`, `complaint`); `status` is the enhanced code (`5.1.1`) where given."""

    __tablename__ = "bounces"
    __table_args__ = (Index("ix_bounces_address_hash", "address_hash"),)

    message_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    address_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[str | None] = mapped_column(String(16))
    received_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Delivery(Base):
    """The delivery ledger, written before each attempt. Grain: one day, recipient and channel.

    `recipient` is the address in lower case; for the channel `apprise` a masked URL with a hash; after a deletion the subscriber's id.
    `owner` is the run that holds the row (`delivery_runs`). A row that is `failed` with a `next_attempt` is tried again then.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        Index("ix_deliveries_message_id", "message_id"),
        Index("ix_deliveries_owner", "owner"),
        Index("ix_deliveries_subscriber_id", "subscriber_id"),
    )

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    recipient: Mapped[str] = mapped_column(String(320), primary_key=True)
    channel: Mapped[str] = mapped_column(String(40), primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    message_id: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(Text)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    subscriber_id: Mapped[str | None] = mapped_column(String(32))
    owner: Mapped[str | None] = mapped_column(String(32))
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    next_attempt: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeliveryRun(Base):
    """A process that sends, or died sending. Grain: one run; `lease_until` is when others may take it for dead."""

    __tablename__ = "delivery_runs"

    owner: Mapped[str] = mapped_column(String(32), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    lease_until: Mapped[datetime] = mapped_column(UtcDateTime)


class Approval(Base):
    """That an operator let a day's digest go to the list. Grain: one day; `revision` is the one that they saw."""

    __tablename__ = "approvals"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    approved_at: Mapped[datetime] = mapped_column(UtcDateTime)


class Spend(Base):
    """Money spent on model calls. Grain: one day and what it went to."""

    __tablename__ = "spend"

    day: Mapped[date] = mapped_column(Date, primary_key=True)
    purpose: Mapped[str] = mapped_column(String(40), primary_key=True)
    usd: Mapped[float] = mapped_column(Float, default=0.0)
    requests: Mapped[int] = mapped_column(Integer, default=0)


class AlertState(Base):
    """What is or was wrong, and when the operator was told. Grain: one cause. Open while `closed_at` is null."""

    __tablename__ = "alerts"

    cause: Mapped[str] = mapped_column(String(200), primary_key=True)
    kind: Mapped[str] = mapped_column(String(40))
    what: Mapped[str] = mapped_column(Text)
    why: Mapped[str] = mapped_column(Text)
    todo: Mapped[str] = mapped_column(Text)
    link: Mapped[str | None] = mapped_column(Text)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    recovery_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
