"""What the alerts ask of the catalog: their own state, and the facts they are raised on.

Belongs here: queries. What is trouble and when to speak of it is decided in `top5.alerts`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import case, func, select

from top5.alerts.model import Alert, KeptAlert
from top5.catalog.store import Catalog
from top5.catalog.tables import AlertState, Delivery, DigestRevision, Episode, EpisodeDay, Feed


@dataclass(frozen=True, slots=True)
class FeedRhythm:
    """The latest days on which a feed gave something, newest first."""

    feed_id: str
    title: str
    days: tuple[date, ...]


def raise_alerts(catalog: Catalog, alerts: Iterable[Alert], now: datetime) -> None:
    """Open these alerts, or note that they are still seen. One that was over opens anew."""
    with catalog.transaction() as session:
        for alert in alerts:
            row = session.get(AlertState, alert.cause)
            if row is None:
                session.add(AlertState(**alert.model_dump(), opened_at=now, seen_at=now))
                continue
            if row.closed_at is not None:
                row.opened_at, row.closed_at, row.recovery_told_at = now, None, None
            row.kind, row.what, row.why, row.todo = alert.kind, alert.what, alert.why, alert.todo
            row.link, row.seen_at = alert.link or row.link, now


def close_alerts(catalog: Catalog, causes: Iterable[str], now: datetime) -> None:
    """These causes are over; unknown ones and those that were over already are left alone."""
    with catalog.transaction() as session:
        for row in session.scalars(select(AlertState).where(AlertState.cause.in_(list(causes)), AlertState.closed_at.is_(None))):
            row.closed_at = now


def forget_alerts(catalog: Catalog, kinds: Sequence[str], seen_before: datetime, now: datetime) -> None:
    """Close, without a word, what is of these kinds and was last seen before that moment."""
    with catalog.transaction() as session:
        stale = select(AlertState).where(
            AlertState.kind.in_(kinds), AlertState.seen_at < seen_before, AlertState.closed_at.is_(None)
        )
        for row in session.scalars(stale):
            row.closed_at = row.recovery_told_at = now


def kept_alerts(catalog: Catalog, *, open_only: bool = False) -> list[KeptAlert]:
    """All alerts, or those that are not over; latest first."""
    with catalog.transaction() as session:
        wanted = select(AlertState).order_by(AlertState.opened_at.desc(), AlertState.cause)
        rows = session.scalars(wanted.where(AlertState.closed_at.is_(None)) if open_only else wanted)
        return [KeptAlert.model_validate(row) for row in rows]


def mark_told(catalog: Catalog, causes: Sequence[str], now: datetime, *, recovery: bool = False) -> None:
    """A message about these causes, or about their being over, has left."""
    with catalog.transaction() as session:
        for row in session.scalars(select(AlertState).where(AlertState.cause.in_(causes))):
            if recovery:
                row.recovery_told_at = now
            else:
                row.told_at = now


def feed_rhythms(catalog: Catalog, last: int) -> list[FeedRhythm]:
    """The `last` latest days with an episode of each active feed that has any."""
    days = select(Episode.feed_id, Episode.available_on).distinct().subquery()
    newest = func.row_number().over(partition_by=days.c.feed_id, order_by=days.c.available_on.desc()).label("newest")
    ranked = select(days.c.feed_id, days.c.available_on, newest).subquery()
    wanted = (
        select(Feed.feed_id, Feed.title, ranked.c.available_on)
        .join(ranked, ranked.c.feed_id == Feed.feed_id)
        .where(Feed.status == "active", ranked.c.newest <= last)
        .order_by(Feed.feed_id, ranked.c.available_on.desc())
    )
    found: dict[tuple[str, str], list[date]] = {}
    with catalog.transaction() as session:
        for row in session.execute(wanted):
            found.setdefault((row.feed_id, row.title), []).append(row.available_on)
    return [FeedRhythm(feed_id, title, tuple(listed)) for (feed_id, title), listed in found.items()]


def first_followed(catalog: Catalog) -> datetime | None:
    """When the first feed was followed, UTC; None on a fresh catalog."""
    with catalog.transaction() as session:
        return session.scalar(select(func.min(Feed.added_at)))


def built_days(catalog: Catalog, first: date) -> set[date]:
    """The days from `first` on that have a digest."""
    with catalog.transaction() as session:
        return set(session.scalars(select(DigestRevision.day).where(DigestRevision.day >= first)))


def delivery_states(catalog: Catalog, day: date) -> dict[str, int]:
    """How many of a day's deliveries are in which state; one that failed and is tried again is `waiting`."""
    state = case((Delivery.next_attempt.is_not(None), "waiting"), else_=Delivery.state)
    with catalog.transaction() as session:
        rows = session.execute(select(state, func.count()).where(Delivery.day == day).group_by(state))
        return {row[0]: row[1] for row in rows}


def put_off_by_budget(catalog: Catalog, first: date) -> int:
    """How many episodes wait since `first` because the day's budget was spent."""
    with catalog.transaction() as session:
        wanted = select(func.count(func.distinct(EpisodeDay.episode_id))).where(
            EpisodeDay.day >= first, EpisodeDay.state == "deferred", EpisodeDay.reason.like("%budget%")
        )
        return session.scalar(wanted) or 0
