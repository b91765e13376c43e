"""When a reader's hour has come. Pure.

The digest of a day is there on the next morning. A reader gets it from their own hour on, on their own next day, within 24 hours: what
has missed them then is old, and old digests are not mailed.
"""

from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from top5.subscribers.model import Preferences, Subscriber

WINDOW: Final = timedelta(hours=24)
"""How long after its hour a digest may still be sent."""

LOOK_BACK: Final = 2
"""Days before today whose digest may still be due somewhere: the latest hour of the westernmost zone."""

Due = Literal["now", "later", "old", "not this day"]


def due_at(day: date, preferences: Preferences, default_zone: ZoneInfo) -> datetime:
    """When the digest of `day` is due for a reader, UTC. Without an hour of their own: as the day ends where days are counted."""
    zone = ZoneInfo(preferences.timezone) if preferences.hour is not None else default_zone
    return datetime.combine(day + timedelta(days=1), time(preferences.hour or 0), tzinfo=zone).astimezone(UTC)


def due(day: date, subscriber: Subscriber, default_zone: ZoneInfo, now: datetime) -> Due:
    """Whether a subscriber may get the digest of `day` now. Who has no hour may get it as soon as it is there, also before the day is over.

    Who chose an hour and joined after it waits for the next digest.
    """
    moment = due_at(day, subscriber, default_zone)
    local = moment.astimezone(ZoneInfo(subscriber.timezone)) if subscriber.hour is not None else moment.astimezone(default_zone)
    if local.weekday() not in subscriber.weekdays:
        return "not this day"
    if now >= moment + WINDOW:
        return "old"
    if subscriber.hour is None:
        return "now"
    if now < moment:
        return "later"
    return "old" if subscriber.confirmed_at is not None and subscriber.confirmed_at > moment else "now"
