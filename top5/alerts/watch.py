"""Looking at the catalog and the disk for what is wrong now.

Belongs here: fetching the facts that `causes` judges. Runs and checks are reported by `orchestration.sensors`, the daemon by
`orchestration.deadman`.
"""

import shutil
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path

from top5.alerts import causes
from top5.alerts.model import Alert, Kind
from top5.catalog.alerts import built_days, delivery_states, feed_rhythms, first_followed, put_off_by_budget
from top5.catalog.deliveries import approved
from top5.catalog.store import Catalog
from top5.errors import PermanentError, Top5Error
from top5.lake import Lake
from top5.settings import Settings

WATCHED: tuple[Kind, ...] = (
    "digest-missing",
    "digest-short",
    "feed-failing",
    "feed-silent",
    "feeds-unreachable",
    "budget-spent",
    "budget-forecast",
    "deliveries-failed",
    "disk-low",
    "watch-failed",
)
"""The kinds that `look` judges: of these, what it does not find is over."""


def look(settings: Settings, catalog: Catalog, now: datetime) -> list[Alert]:
    """Everything that is wrong at `now` (UTC). What cannot be looked at is an alert of its own, so that one fault hides no other."""
    looks: dict[str, Callable[[], list[Alert]]] = {
        "the disk": lambda: _disk(settings),
        "the digest": lambda: overdue(settings, catalog, now) + _short(settings, catalog, now),
        "the feeds": lambda: _feeds(settings, catalog, now),
        "the budget": lambda: _budget(settings, catalog, now),
        "the deliveries": lambda: _deliveries(settings, catalog, now),
    }
    found: list[Alert] = []
    for subject, looking in looks.items():
        try:
            found += looking()
        except Top5Error as error:
            found.append(causes.watch_failed(subject, error.reason, error.message))
    return found


def expected_from(settings: Settings, catalog: Catalog) -> date | None:
    """The first day whose digest somebody can expect: that on which the first feed was followed."""
    followed = first_followed(catalog)
    return max(settings.start_date, followed.astimezone(settings.tz).date()) if followed else None


def missing_days(settings: Settings, catalog: Catalog, last: date) -> list[date]:
    """The days up to `last` that should have a digest and have none, oldest first, at most `schedule.catch_up_days`."""
    expected = expected_from(settings, catalog)
    if expected is None:
        return []
    first = max(expected, last - timedelta(days=settings.schedule.catch_up_days - 1))
    built = built_days(catalog, first)
    days = [first + timedelta(days=after) for after in range((last - first).days + 1)]
    return [day for day in days if day not in built]


def overdue(settings: Settings, catalog: Catalog, now: datetime) -> list[Alert]:
    """The digest of the last day that is due and not out: not built, or mailed to nobody."""
    due = last_due(settings, now)
    expected = expected_from(settings, catalog)
    if expected is None or due[0] < expected:
        return []
    day, deadline = due
    built = bool(built_days(catalog, day) & {day})
    if built and settings.delivery.approval and approved(catalog, day) is None:
        return [causes.digest_unapproved(day)]
    states = delivery_states(catalog, day)
    waits = any(state in states for state in ("planned", "sending", "waiting")) and "sent" not in states
    return [] if built and not waits else [causes.digest_missing(day, built=built, deadline=deadline)]


def last_due(settings: Settings, now: datetime) -> tuple[date, datetime]:
    """The last day whose digest must be out at `now`, and its deadline in local time."""
    schedule, local = settings.schedule, now.astimezone(settings.tz)
    today = local.date()
    while True:
        sent_at = datetime.combine(today, time(schedule.digest_hour, schedule.digest_minute), settings.tz)
        # Added in UTC: on the night of a change of clocks an hour is missing, or there twice.
        deadline = (sent_at.astimezone(now.tzinfo) + timedelta(minutes=settings.alerts.digest_within_minutes)).astimezone(
            settings.tz
        )
        if now >= deadline:
            return today - timedelta(days=1), deadline
        today -= timedelta(days=1)


def _short(settings: Settings, catalog: Catalog, now: datetime) -> list[Alert]:
    from top5.digests.day import latest_digest

    day = now.astimezone(settings.tz).date() - timedelta(days=1)
    if not settings.alerts.short_digest or day not in built_days(catalog, day):
        return []
    try:
        digest = latest_digest(Lake(settings.lake_path), day)
    except PermanentError as error:
        if error.reason != "not_built":
            raise
        return []
    if len(digest.insights) >= min(settings.alerts.short_digest, settings.digest.size):
        return []
    return [causes.digest_short(day, len(digest.insights), digest.short_because)]


def _feeds(settings: Settings, catalog: Catalog, now: datetime) -> list[Alert]:
    feeds = catalog.feeds()
    troubles = causes.feed_troubles(feeds, now, settings)
    # A feed that cannot be read is not silent.
    answering = {feed.feed_id for feed in feeds if feed.status == "active" and not feed.failures}
    today = now.astimezone(settings.tz).date()
    silent = [
        causes.feed_silent(rhythm, today, settings.alerts.feed_silent_factor)
        for rhythm in feed_rhythms(catalog, causes.RHYTHM_DAYS)
        if rhythm.feed_id in answering
    ]
    return [*troubles, *(alert for alert in silent if alert)]


def _budget(settings: Settings, catalog: Catalog, now: datetime) -> list[Alert]:
    today = now.astimezone(settings.tz).date()
    waiting = put_off_by_budget(catalog, today - timedelta(days=1))
    # The ledger of spend counts days in UTC as well as in local time, depending on who spends; the larger is what stops.
    spent = max(catalog.spent(today), catalog.spent(now.date()))
    insights, transcripts = settings.insights.daily_budget_usd, settings.transcripts.daily_budget_usd
    if waiting:
        limits = f"insights ${insights:.2f}, transcripts ${transcripts:.2f} a day"
        return [causes.budget_spent(today, waiting, spent, limits)]
    to_come = _to_come(settings, today)
    return [causes.budget_forecast(today, to_come, insights)] if to_come > insights else []


def _to_come(settings: Settings, today: date) -> float:
    """US dollars that reading today's episodes will cost, tomorrow morning; 0 with an engine that costs nothing."""
    if settings.insights.engine == "local" or (settings.openai.api_key is None and settings.openai.base_url is None):
        return 0.0
    from top5.transcripts.forecast import CatalogReader, forecast

    reader = CatalogReader.of(settings)
    try:
        episodes = reader.available(today, today)
    finally:
        reader.close()
    lake = Lake(settings.lake_path)
    return forecast(episodes, first=today, last=today, lake=lake, settings=settings, engine=None).insight_usd


def _deliveries(settings: Settings, catalog: Catalog, now: datetime) -> list[Alert]:
    day = now.astimezone(settings.tz).date() - timedelta(days=1)
    states = delivery_states(catalog, day)
    failed, total = states.get("failed", 0) + states.get("unknown", 0), sum(states.values())
    if not failed or failed / total <= settings.alerts.failed_delivery_share:
        return []
    return [causes.deliveries_failed(day, failed, total)]


def _disk(settings: Settings) -> list[Alert]:
    home: Path = settings.home.resolve()
    free = shutil.disk_usage(next(path for path in (home, *home.parents) if path.exists())).free / 1e9
    limit = settings.alerts.low_disk_gb
    return [causes.disk_low(free, limit, str(home))] if free < limit else []
