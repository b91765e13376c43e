"""What the catalog takes and gives, without the database.

Belongs here: frozen values that cross the catalog's border. Importing them must not import SQLAlchemy, because most of a run's code
only hands them on. Queries are in `store` and its neighbours.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel, ConfigDict

from top5.feeds.model import FeedChanges, ParsedEpisode


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
    which it asks to be left alone; `full` says that no validators were sent, `unchanged` that nothing but reason, times and plan is new.
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
    changes: FeedChanges | None = None
    next_poll: datetime | None = None
    interval: float | None = None
    full: bool = False
    unchanged: bool = False
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
