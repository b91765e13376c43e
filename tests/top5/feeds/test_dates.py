from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.feeds.dates import parse_date, plausible_date

GOLDEN = [
    ("Wed, 31 Jan 2024 12:30:00 +0100", "2024-01-31T11:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 GMT", "2024-01-31T12:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 EST", "2024-01-31T17:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 CET", "2024-01-31T11:30:00"),
    ("Wed, 31 Jul 2024 12:30:00 CEST", "2024-07-31T10:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 +0100 (CET)", "2024-01-31T11:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 GMT+2", "2024-01-31T10:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 UTC+05:30", "2024-01-31T07:00:00"),
    ("Wed, 31 Jan 2024 12:30:00 -0000", "2024-01-31T12:30:00"),
    ("Wed, 31 Jan 2024 12:30:00 XYZ", "2024-01-31T12:30:00"),
    ("Wednesday, 31 January 2024 12:30", "2024-01-31T12:30:00"),
    ("Wed 31 Jan 2024 12:30:00", "2024-01-31T12:30:00"),
    ("31 Jan 24 12:30 PDT", "2024-01-31T19:30:00"),
    ("31-Jan-1999 12:30", "1999-01-31T12:30:00"),
    ("Mi, 31. Januar 2024", "2024-01-31T00:00:00"),
    ("sáb, 3 août 2024 08:00", "2024-08-03T00:00:00"),
    ("3 de mayo de 2024", "2024-05-03T00:00:00"),
    ("1 juil. 2024", "2024-07-01T00:00:00"),
    ("1 juin 2024", "2024-06-01T00:00:00"),
    ("January 31, 2024 12:30 PM", "2024-01-31T12:30:00"),
    ("Jan 31, 2024 12:05 AM EST", "2024-01-31T05:05:00"),
    ("Wed Jan 31 12:30:00 2024", "2024-01-31T12:30:00"),
    ("Wed Jan 31 12:30:00 CET 2024", "2024-01-31T11:30:00"),
    ("2024-01-31T12:30:00Z", "2024-01-31T12:30:00"),
    ("2024-01-31T12:30:00.123456+01:00", "2024-01-31T11:30:00"),
    ("2024-01-31 12:30:00", "2024-01-31T12:30:00"),
    ("2024-01-31T12:30", "2024-01-31T12:30:00"),
    ("2024-01-31", "2024-01-31T00:00:00"),
    ("2024-01", "2024-01-01T00:00:00"),
    ("20240131T123000Z", "2024-01-31T12:30:00"),
    ("20240131123000", "2024-01-31T12:30:00"),
    ("2024/1/31 9:05", "2024-01-31T09:05:00"),
    ("31.01.2024 12:30", "2024-01-31T12:30:00"),
    ("01/31/2024", "2024-01-31T00:00:00"),
    ("31/01/2024", "2024-01-31T00:00:00"),
    ("1706704200", "2024-01-31T12:30:00"),
    ("1706704200000", "2024-01-31T12:30:00"),
    ("Wed, 31 Jan 2024 24:00:00 GMT", "2024-02-01T00:00:00"),
    ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59"),
    ("  Wed,\n 31 Jan 2024\t12:30:00 +0000 ", "2024-01-31T12:30:00"),
]


@pytest.mark.parametrize(("raw", "expected"), [pair for pair in GOLDEN if pair[0] != "sáb, 3 août 2024 08:00"])
def test_reads_what_feeds_write(raw: str, expected: str) -> None:
    assert parse_date(raw) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_accents_do_not_matter() -> None:
    assert parse_date("sáb, 3 août 2024 08:00") == datetime(2024, 8, 3, 8, tzinfo=UTC)


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "yesterday",
        "Sat, 31 Feb 2024 10:00:00 GMT",
        "2024-02-31",
        "2024-13-01",
        "2024-01-31T25:00:00Z",
        "24:30",
        "0",
        "-1",
        "03/04/2024",
        "99999999999999",
        "Wed, 31 Foo 2024",
        "2024-01-31T24:01:00Z",
        "1 Jan 0001",
        "9999-12-31",
    ],
)
def test_what_names_no_moment_is_none(raw: str) -> None:
    assert parse_date(raw) is None


@given(st.text())
def test_never_raises(raw: str) -> None:
    moment = parse_date(raw)
    assert moment is None or moment.tzinfo is UTC


@given(
    st.from_regex(r"[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{2,5} \d{1,2}:\d\d(:\d\d)? ([+-]\d{1,5}|[A-Z]{1,5})", fullmatch=True)
)
def test_never_raises_on_near_misses(raw: str) -> None:
    parse_date(raw)


moments = st.datetimes(
    min_value=datetime.fromisoformat("1950-01-01"),
    max_value=datetime.fromisoformat("2049-12-31"),
    timezones=st.integers(-12 * 4, 14 * 4).map(lambda quarters: timezone(timedelta(minutes=15 * quarters))),
).map(lambda moment: moment.replace(microsecond=0))


@given(moments)
def test_round_trips(moment: datetime) -> None:
    assert parse_date(format_datetime(moment)) == moment
    assert parse_date(moment.isoformat()) == moment


def test_the_future_is_implausible_beyond_two_days() -> None:
    now = datetime(2024, 1, 31, tzinfo=UTC)
    assert plausible_date(now + timedelta(days=2), now=now) == now + timedelta(days=2)
    assert plausible_date(datetime(2121, 1, 1, tzinfo=UTC), now=now) is None
    assert plausible_date(None, now=now) is None
