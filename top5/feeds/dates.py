"""Dates as feeds write them, read as UTC.

Belongs here: one string to one moment, and whether that moment can be true. What to do with an episode that has no usable date is
decided by the caller. The clock is never read: whoever judges the future hands `now` in.

Own code where a library would be welcome, because each one at hand errs silently on what feeds contain: `email.utils` and
feedparser read CET as UTC, feedparser takes an epoch number for a year and knows no 24:00.
"""

import re
import unicodedata
from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache

from top5.feeds.model import DateFlag

FUTURE_TOLERANCE = timedelta(days=2)
"""A date may lie this far ahead: publishers schedule in their own zone, and clocks are wrong."""

_LONGEST = 100
_FIRST_YEAR = 1900
_LAST_YEAR = 2200
_FIRST_PODCAST_YEAR = 1995

# Hours from UTC. Where an abbreviation means several zones, the one that e-mail and feeds use most (RFC 822 section 5, then the
# tz database).
_ZONE_HOURS: dict[str, float] = {
    "Z": 0, "UT": 0, "UTC": 0, "GMT": 0, "WET": 0, "NONE": 0,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "ET": -5, "CT": -6, "MT": -7,
    "PT": -8,
    "AKST": -9, "AKDT": -8, "HST": -10, "AST": -4, "ADT": -3, "NST": -3.5, "NDT": -2.5,
    "BST": 1, "WEST": 1, "CET": 1, "MET": 1, "MEZ": 1, "CEST": 2, "MEST": 2, "MESZ": 2, "EET": 2, "EEST": 3, "MSK": 3, "TRT": 3,
    "SAST": 2, "CAT": 2, "EAT": 3, "WAT": 1, "IST": 5.5, "PKT": 5, "ICT": 7, "WIB": 7, "SGT": 8, "HKT": 8, "AWST": 8, "JST": 9,
    "KST": 9,
    "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "BRT": -3, "ART": -3, "CLT": -4, "CLST": -3,
}  # fmt: skip

# English first; then the German, French, Spanish, Italian, Dutch and Portuguese beginnings that differ from it, without accents.
_MONTHS: dict[str, int] = {
    name: number
    for number, names in enumerate(
        (
            "jan ene gen", "feb fev", "mar mrt mae", "apr avr abr", "may mai mag mei", "jun juin giu",
            "jul juil lug", "aug aou ago", "sep set", "oct okt ott out", "nov", "dec dez dic",
        ),
        start=1,
    )
    for name in names.split()
}  # fmt: skip

_TIME = r"(?P<hour>\d{1,2})[:.h](?P<minute>\d{1,2})(?:[:.](?P<second>\d{1,2})(?:[.,]\d+)?)?"
_MERIDIEM = r"(?:\s*(?P<meridiem>[ap])\.?m\.?(?![a-z]))?"
_ZONE = r"\s*(?P<zone>.*)"
_SHAPES = tuple(
    re.compile(shape, re.IGNORECASE)
    for shape in (
        # 2024-01-31T12:30:00+01:00, 2024/1/31 12:30, 2024-01
        rf"(?P<year>\d{{4}})(?P<sep>[-/.])(?P<month>\d{{1,2}})(?:(?P=sep)(?P<day>\d{{1,2}}))?(?:[T\s,]\s*{_TIME}{_MERIDIEM}{_ZONE})?",
        # 20240131T123000Z
        r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?:T?(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,]\d+)?)?"
        rf"{_ZONE})?",
        # Wed, 31 Jan 2024 12:30:00 +0100; 31. Januar 2024; 31-Jan-24
        rf"(?P<day>\d{{1,2}})(?:st|nd|rd|th|\.|º)?[\s\-/]*(?:de\s+)?(?P<name>[a-z]{{3,}})\.?,?[\s\-/]*(?:de\s+)?(?P<year>\d{{4}}|\d{{2}})"
        rf"(?:,?\s*(?:T|at\s|um\s)?\s*{_TIME}{_MERIDIEM}{_ZONE})?",
        # January 31, 2024 12:30 PM
        rf"(?P<name>[a-z]{{3,}})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<year>\d{{4}})(?:,?\s*(?:at\s)?\s*{_TIME}{_MERIDIEM}{_ZONE})?",
        # Wed Jan 31 12:30:00 CET 2024
        rf"(?P<name>[a-z]{{3,}})\.?\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+(?:(?P<zone>\S+)\s+)?(?P<year>\d{{4}})",
        # 31.01.2024, 01/31/2024
        rf"(?P<first>\d{{1,2}})(?P<sep>[./\-])(?P<second_number>\d{{1,2}})(?P=sep)(?P<year>\d{{4}})(?:,?\s*{_TIME}{_MERIDIEM}{_ZONE})?",
    )
)
# What nearly every feed writes, read without trying the other shapes.
_USUAL = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d{1,2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) (?:([+-])(\d{2})(\d{2})|GMT|UTC|Z)",
    re.ASCII,
)
_WEEKDAY = re.compile(r"^(?:[a-z]{2,10}[.,]+\s*|(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\s+)", re.IGNORECASE)
_EPOCH = re.compile(r"(\d{9,11})(?:\.\d+)?|(\d{12,14})")
_OFFSET = re.compile(r"(?:GMT|UTC|Z)?\s*([+-])\s*(\d{1,2})(?::?(\d{2}))?(?!\d)", re.IGNORECASE)
_ZONE_NAME = re.compile(r"\(?([A-Za-z]+)")
_SPACES = re.compile(r"\s+")


@lru_cache(maxsize=4096)
def parse_date(raw: str) -> datetime | None:
    """The moment that `raw` names, in UTC and whole seconds, or None where it names none; never raises.

    Reads RFC 822/2822 (pubDate), ISO 8601/RFC 3339 (Atom, Dublin Core), asctime, written-out dates in the larger western
    languages, and epoch seconds or milliseconds. Zone abbreviations count; without a zone, or with an unknown one, the time is
    taken as UTC (RFC 2822, 4.3). 24:00 is the next day's 00:00 (ISO 8601) and second 60 the last of its minute; a day that the
    month does not have, or a numeric date whose day and month cannot be told apart, is None.
    """
    usual = _USUAL.fullmatch(raw)
    if usual:
        day, name, year, hour, minute, second, sign, hours, minutes = usual.groups()
        month = _MONTHS.get(name.lower())
        if month and int(hour) < 24 and int(second) < 60 and int(hours or 0) <= 14 and int(minutes or 0) < 60:
            try:
                local = datetime(int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
            except ValueError:
                return None
            if _FIRST_YEAR < local.year < _LAST_YEAR:
                offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
                return local + offset if sign == "-" else local - offset
    text = _SPACES.sub(" ", _unaccented(raw[: _LONGEST * 4])).strip()[:_LONGEST]
    epoch = _EPOCH.fullmatch(text)
    if epoch:
        compact = _from_fields(re.fullmatch(_SHAPES[1], text)) if epoch[2] else None
        return compact or _from_epoch(float(epoch[1]) if epoch[1] else float(epoch[2]) / 1000)
    bare = _WEEKDAY.sub("", text, count=1)
    for shape in _SHAPES:
        moment = _from_fields(shape.fullmatch(bare))
        if moment is not None:
            return moment
    return None


def plausible_date(published: datetime | None, *, now: datetime) -> datetime | None:
    """`published` unless it lies more than FUTURE_TOLERANCE after `now`: such a date orders nothing. Both timezone-aware."""
    if published is None or published > now + FUTURE_TOLERANCE:
        return None
    return published


def date_flag(published: datetime | None, published_raw: str | None, *, now: datetime) -> DateFlag | None:
    """Why a date cannot be used, or None. `impossible` lies before there was anything to subscribe to."""
    if published is None:
        return "unreadable" if published_raw else "missing"
    if published.year < _FIRST_PODCAST_YEAR:
        return "impossible"
    return None if plausible_date(published, now=now) else "future"


def _unaccented(text: str) -> str:
    return "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))


def _from_epoch(seconds: float) -> datetime | None:
    moment = datetime.fromtimestamp(seconds, tz=UTC).replace(microsecond=0)
    # Smaller numbers are no moments of publication but counters and zeros.
    return moment if 1990 <= moment.year <= _LAST_YEAR else None


def _from_fields(match: re.Match[str] | None) -> datetime | None:
    if match is None:
        return None
    fields = match.groupdict()
    month, day = _month_and_day(fields)
    if month is None:
        return None
    hour = int(fields["hour"] or 0)
    minute, second = int(fields["minute"] or 0), min(int(fields["second"] or 0), 60)
    meridiem = (fields.get("meridiem") or "").lower()
    if meridiem and 1 <= hour <= 12:
        hour = hour % 12 + (12 if meridiem == "p" else 0)
    next_day = hour == 24 and minute == 0 and second == 0
    year = int(fields["year"])
    if len(fields["year"]) == 2:
        # RFC 2822, 4.3.
        year += 2000 if year < 50 else 1900
    if not _FIRST_YEAR <= year <= _LAST_YEAR:
        return None
    try:
        local = datetime(
            year, month, day, 0 if next_day else hour, minute, min(second, 59), tzinfo=_zone(fields.get("zone") or "")
        )
    except ValueError:
        return None
    return (local + timedelta(days=1 if next_day else 0)).astimezone(UTC)


def _month_and_day(fields: dict[str, str | None]) -> tuple[int | None, int]:
    name = fields.get("name")
    if name:
        lowered = name.lower()
        return _MONTHS.get(lowered[:4]) or _MONTHS.get(lowered[:3]), int(fields["day"] or 1)
    if fields.get("first"):
        first, second = int(fields["first"] or 0), int(fields["second_number"] or 0)
        # Dots are written by those who put the day first; slashes and dashes by both, so only a number above 12 tells.
        if fields["sep"] == "." or first > 12 or first == second:
            return second, first
        return (first, second) if second > 12 else (None, 1)
    return int(fields["month"] or 0), int(fields["day"] or 1)


def _zone(raw: str) -> timezone:
    text = raw.strip()
    offset = _OFFSET.match(text)
    if offset:
        hours, minutes = int(offset[2]), int(offset[3] or 0)
        if hours <= 14 and minutes < 60:
            return timezone((1 if offset[1] == "+" else -1) * timedelta(hours=hours, minutes=minutes))
        return UTC
    name = _ZONE_NAME.match(text)
    return timezone(timedelta(hours=_ZONE_HOURS.get(name[1].upper(), 0))) if name else UTC
