from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.feeds.model import PollHints, UpdateFrequency
from top5.feeds.politeness import host_wait, max_age, plan_next, plan_retry, plan_unchanged
from top5.settings import ScanSettings

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SETTINGS = ScanSettings(min_interval=1800, max_interval=86_400, max_backoff=604_800)
HOUR = 3600.0


def every(gap: timedelta, count: int = 8) -> list[datetime]:
    return [NOW - gap * number for number in range(count)]


@pytest.mark.parametrize(
    ("dates", "interval"),
    [
        (every(timedelta(hours=8)), 2 * HOUR),
        (every(timedelta(minutes=10)), 0.5 * HOUR),
        (every(timedelta(days=30)), 24 * HOUR),
        ([NOW - timedelta(days=4)] + [NOW - timedelta(days=4, hours=number) for number in range(1, 8)], 12 * HOUR),
        ([], 6 * HOUR),
    ],
    ids=["its own rhythm", "not below the least", "not above the most", "silent for long", "no dates"],
)
def test_the_feeds_rhythm_decides(dates: list[datetime], interval: float) -> None:
    assert plan_next("f", NOW, SETTINGS, dates=dates).interval == pytest.approx(interval)


@pytest.mark.parametrize(
    ("hints", "frequency", "cache", "interval"),
    [
        (PollHints(ttl=3 * HOUR), None, None, 3 * HOUR),
        (PollHints(ttl=60.0), None, None, 2 * HOUR),
        (PollHints(ttl=90 * 24 * HOUR), None, None, 24 * HOUR),
        (None, None, "public, max-age=14400", 4 * HOUR),
        (None, None, "no-cache, max-age=14400", 2 * HOUR),
        (None, UpdateFrequency(rrule="FREQ=DAILY"), None, 6 * HOUR),
        (None, UpdateFrequency(rrule="FREQ=WEEKLY;BYDAY=MO,FR"), None, 21 * HOUR),
        (None, UpdateFrequency(rrule="FREQ=NEVER;INTERVAL=x"), None, 2 * HOUR),
        (None, UpdateFrequency(complete=True), None, 24 * HOUR),
    ],
)
def test_hints_only_lengthen_and_never_beyond_the_most(
    hints: PollHints | None, frequency: UpdateFrequency | None, cache: str | None, interval: float
) -> None:
    plan = plan_next("f", NOW, SETTINGS, dates=every(timedelta(hours=8)), hints=hints, frequency=frequency, cache_control=cache)
    assert plan.interval == pytest.approx(interval)


def test_skipped_hours_and_days_are_left_alone() -> None:
    hints = PollHints(skip_hours=tuple(range(12, 20)), skip_days=(3,))
    plan = plan_next("f", NOW, SETTINGS, dates=every(timedelta(hours=8)), hints=hints)
    assert plan.next_poll == datetime(2026, 1, 16, 0, tzinfo=UTC)
    nonsense = PollHints(skip_hours=tuple(range(24)), skip_days=tuple(range(7)))
    assert plan_next("f", NOW, SETTINGS, hints=nonsense).next_poll < NOW + timedelta(days=1)


def test_feeds_added_together_drift_apart_and_each_plan_can_be_repeated() -> None:
    plans = [plan_next(f"feed {number}", NOW, SETTINGS).next_poll for number in range(50)]
    assert len(set(plans)) == 50
    assert plans[0] == plan_next("feed 0", NOW, SETTINGS).next_poll


def test_failures_wait_longer_each_time_up_to_a_cap_by_their_kind() -> None:
    def waits(reason: str) -> list[float]:
        return [plan_retry("f", NOW, SETTINGS, reason=reason, failures=n, wait=None).interval / HOUR for n in range(1, 12)]

    assert waits("timeout")[:6] == [1, 2, 4, 8, 16, 24]
    assert waits("not_found")[:6] == [1, 2, 4, 8, 16, 32]
    assert (waits("timeout")[-1], waits("forbidden")[-1]) == (24, 168)


def test_a_server_that_asks_for_more_gets_it() -> None:
    plan = plan_retry("f", NOW, SETTINGS, reason="rate_limited", failures=1, wait=3 * 24 * HOUR)
    assert plan.next_poll == NOW + timedelta(days=3)


@pytest.mark.parametrize(
    ("reason", "asked", "wait"),
    [
        ("rate_limited", None, 900.0),
        ("rate_limited", 60.0, 60.0),
        ("server_error", 120.0, 120.0),
        ("server_error", None, None),
        ("timeout", 60.0, None),
    ],
)
def test_hosts_that_are_left_alone(reason: str, asked: float | None, wait: float | None) -> None:
    assert host_wait(reason, asked) == wait


@given(st.text(max_size=60) | st.none(), st.floats(0, 1e9), st.integers(0, 10**9))
def test_plans_stay_within_bounds(cache: str | None, ttl: float, interval: int) -> None:
    assert (max_age(cache) or 0) >= 0
    for plan in (
        plan_next("f", NOW, SETTINGS, hints=PollHints(ttl=ttl), cache_control=cache),
        plan_unchanged("f", NOW, SETTINGS, interval=float(interval), cache_control=cache),
        plan_retry("f", NOW, SETTINGS, reason="timeout", failures=interval, wait=None),
    ):
        assert timedelta(seconds=0.9 * 1800 - 1) <= plan.next_poll - NOW <= timedelta(days=1, seconds=1)
        assert plan.why
