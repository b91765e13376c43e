"""When to ask a server again.

Belongs here: pure decisions from what a feed, its publisher and its server said: the next poll, the wait after a failure, the rest of a host.
Asking is `top5.feeds.fetch`; keeping the answers is the catalog.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from top5.feeds.model import PollHints, UpdateFrequency
from top5.settings import ScanSettings

REFUSALS = frozenset({"unauthorised", "forbidden", "not_found", "refused", "private_address", "not_http", "bad_url"})
"""Reasons that time alone seldom cures: their wait may grow to `max_backoff`, that of others to `max_interval`."""

_NO_HINTS = PollHints()
_DATELESS = 6 * 3600.0
_FIRST_WAIT = 3600.0
_HOST_WAIT = 900.0
_POLLS_PER_GAP = 4
_POLLS_PER_SILENCE = 8
_JITTER = 0.1
_PERIODS = {"HOURLY": 3600.0, "DAILY": 86_400.0, "WEEKLY": 604_800.0, "MONTHLY": 2_629_800.0, "YEARLY": 31_557_600.0}
_MAX_AGE = re.compile(r"(?:^|[,\s])(?:s-maxage|max-age)\s*=\s*\"?(\d{1,9})", re.IGNORECASE)
_NO_STORE = re.compile(r"(?:^|[,\s])(?:no-cache|no-store)(?:$|[,\s;])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Plan:
    """When to poll next, and why, in the words of `top5 feeds check`. `interval` is in seconds, before jitter and skipped hours."""

    next_poll: datetime
    interval: float
    why: tuple[str, ...]


def plan_next(
    feed_id: str,
    now: datetime,
    settings: ScanSettings,
    *,
    dates: Sequence[datetime] = (),
    hints: PollHints | None = None,
    frequency: UpdateFrequency | None = None,
    cache_control: str | None = None,
) -> Plan:
    """The next poll after a success: a quarter of the feed's own rhythm, made longer (never shorter) by its hints, within the bounds.

    `dates` are recent moments of publication, any order. The wait is shortened by up to a tenth, differently for each feed and poll, so
    that feeds added together do not stay together; the same arguments always give the same plan.
    """
    hints = hints or _NO_HINTS
    why: list[str] = []
    wanted = _rhythm(sorted((date for date in dates if date <= now), reverse=True), now, why)
    promised = _promised_gap(frequency)
    if promised is not None:
        wanted = max(wanted, promised / _POLLS_PER_GAP)
        why.append(f"the publisher promises an episode every {_span(promised)}")
    for name, hint in (("ttl", hints.ttl), ("Cache-Control", max_age(cache_control))):
        if hint and hint > wanted:
            wanted = hint
            why.append(f"{name} asks for {_span(hint)}")
    if frequency is not None and frequency.complete:
        wanted = settings.max_interval
        why.append("the show is complete")
    return _planned(feed_id, now, settings, wanted, hints, why)


def plan_unchanged(
    feed_id: str,
    now: datetime,
    settings: ScanSettings,
    *,
    interval: float | None,
    hints: PollHints | None = None,
    cache_control: str | None = None,
) -> Plan:
    """The next poll after one that found nothing: the `interval` before, longer by a twentieth, because silence tells too."""
    wanted = settings.max_interval / _POLLS_PER_SILENCE if interval is None else interval * 1.05
    fresh = max_age(cache_control)
    return _planned(feed_id, now, settings, max(wanted, fresh or 0.0), hints or _NO_HINTS, ["nothing new"])


def _planned(feed_id: str, now: datetime, settings: ScanSettings, wanted: float, hints: PollHints, why: list[str]) -> Plan:
    interval = min(max(wanted, settings.min_interval), max(settings.max_interval, settings.min_interval))
    if interval != wanted:
        why.append(f"kept within {_span(settings.min_interval)} and {_span(settings.max_interval)}")
    moment = now + timedelta(seconds=interval * (1 - _JITTER * _share(feed_id, now)))
    allowed = _after_skipped(moment, hints)
    if allowed != moment:
        why.append("the feed asks to be left alone at that hour")
    return Plan(allowed, interval, tuple(why))


def plan_retry(feed_id: str, now: datetime, settings: ScanSettings, *, reason: str, failures: int, wait: float | None) -> Plan:
    """The next poll after the `failures`-th failure in a row: an hour, doubled each time, up to a cap; never before `wait` seconds."""
    cap = max(settings.max_backoff, settings.max_interval) if reason in REFUSALS else settings.max_interval
    interval = min(_FIRST_WAIT * 2.0 ** min(max(failures - 1, 0), 20), cap)
    why = [f"failure {failures} in a row ({reason}): {_span(interval)}"]
    delay = interval * (1 - _JITTER * _share(feed_id, now))
    if wait is not None and wait > delay:
        delay = interval = wait
        why.append(f"the server asks for {_span(wait)}")
    return Plan(now + timedelta(seconds=delay), interval, tuple(why))


def host_wait(reason: str, retry_after: float | None) -> float | None:
    """Seconds for which a whole host is left alone after a failure (RFC 9110, 10.2.3; RFC 6585, 4); None where it is not."""
    if reason == "rate_limited":
        return _HOST_WAIT if retry_after is None else retry_after
    return retry_after if reason == "server_error" else None


def max_age(cache_control: str | None) -> float | None:
    """Seconds for which an answer stays fresh by its Cache-Control header (RFC 9111, 5.2.2), or None."""
    if not cache_control:
        return None
    match = _MAX_AGE.search(cache_control)
    return float(match[1]) if match and not _NO_STORE.search(cache_control) else None


def start_delay(feed_id: str, now: datetime, jitter: float) -> float:
    """Seconds, 0 to `jitter`, that the first request to a host waits; the same for the same feed and moment."""
    return jitter * _share(feed_id, now)


def _rhythm(dates: Sequence[datetime], now: datetime, why: list[str]) -> float:
    if not dates:
        why.append("no dates to tell a rhythm")
        return _DATELESS
    silence = (now - dates[0]).total_seconds()
    gaps = [(later - earlier).total_seconds() for later, earlier in pairwise(dates)]
    gap = median(gaps) if gaps else silence
    if silence > 3 * gap:
        why.append(f"silent for {_span(silence)}")
        return silence / _POLLS_PER_SILENCE
    why.append(f"an episode every {_span(gap)}")
    return gap / _POLLS_PER_GAP


def _promised_gap(frequency: UpdateFrequency | None) -> float | None:
    """Seconds between episodes by an RFC 5545 rule's FREQ, INTERVAL and number of BYDAYs."""
    if frequency is None or not frequency.rrule:
        return None
    parts = dict(part.split("=", 1) for part in frequency.rrule.upper().replace("RRULE:", "").split(";") if "=" in part)
    period = _PERIODS.get(parts.get("FREQ", ""))
    interval = parts.get("INTERVAL", "1")
    if period is None or not (interval.isascii() and interval.isdigit() and len(interval) < 5 and int(interval)):
        return None
    days = len([day for day in parts.get("BYDAY", "").split(",") if day]) or 1
    return period * int(interval) / days


def _after_skipped(moment: datetime, hints: PollHints) -> datetime:
    """The first moment from `moment` on that lies in no skipped hour or day (RSS 2.0: GMT); a feed that skips all skips none."""
    if not (hints.skip_hours or hints.skip_days):
        return moment
    if len(hints.skip_hours) >= 24 or len(hints.skip_days) >= 7:
        return moment
    for _ in range(24 * 7):
        if moment.hour not in hints.skip_hours and moment.weekday() not in hints.skip_days:
            return moment
        moment = moment.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return moment


def _share(feed_id: str, now: datetime) -> float:
    digest = hashlib.blake2b(f"{feed_id} {now.isoformat()}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") / 2**32


def _span(seconds: float) -> str:
    for size, unit in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:.0f} seconds"
