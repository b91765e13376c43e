from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.top5.alerts.conftest import NOON, Remembering, with_alerts
from top5.alerts.causes import disk_low, run_failed
from top5.alerts.desk import due, is_quiet, settle, tell
from top5.alerts.model import Alert, KeptAlert
from top5.catalog.alerts import forget_alerts, kept_alerts
from top5.catalog.store import Catalog
from top5.errors import TransientError
from top5.settings import AlertSettings, Settings

FULL = disk_low(1.0, 2.0, "/srv/top5")


def failed(day: str) -> Alert:
    return run_failed("daily_digest", day, "ranking: the warehouse is busy", run_id="r1", link=None)


def rounds(catalog: Catalog, settings: Settings, way: Remembering, *steps: tuple[datetime, list[Alert]]) -> list[int]:
    """How many messages each (moment, what is wrong then) brought."""
    brought = []
    for now, found in steps:
        before = len(way.messages)
        settle(catalog, found, ["disk-low"], now)
        tell(catalog, settings, now, [way])
        brought.append(len(way.messages) - before)
    return brought


def test_one_message_for_a_cause_and_one_when_it_is_over(catalog: Catalog, settings: Settings):
    way = Remembering()
    minutes = [NOON + timedelta(minutes=15 * step) for step in range(5)]
    steps = [(minutes[0], [FULL]), (minutes[1], [FULL]), (minutes[2], [FULL]), (minutes[3], []), (minutes[4], [])]
    assert rounds(catalog, settings, way, *steps) == [1, 0, 0, 1, 0]
    assert way.messages[0].title == "top5: 1.0 GB are free."
    assert way.messages[1].title == "top5: Over: 1.0 GB are free."


def test_trouble_that_comes_and_goes_is_told_once_a_day(catalog: Catalog, settings: Settings):
    way = Remembering()
    hours = [NOON + timedelta(hours=hour) for hour in (0, 1, 2, 3)]
    steps = [(hours[0], [FULL]), (hours[1], []), (hours[2], [FULL]), (hours[3], []), (NOON + timedelta(days=1), [FULL])]
    assert rounds(catalog, settings, way, *steps) == [1, 1, 0, 0, 1]


def test_what_stays_is_told_again_after_a_week(catalog: Catalog, settings: Settings):
    way = Remembering()
    assert rounds(catalog, settings, way, *[(NOON + timedelta(days=day), [FULL]) for day in range(9)]) == [
        1,
        0,
        0,
        0,
        0,
        0,
        0,
        1,
        0,
    ]


def test_nothing_is_said_at_night_and_everything_in_the_morning(catalog: Catalog, settings: Settings):
    way = Remembering()
    night = datetime(2026, 9, 17, 23, tzinfo=UTC)
    settle(catalog, [FULL, failed("2026-09-16")], (), night)
    held = tell(catalog, settings, night, [way])
    assert (held.messages, held.open, held.held) == ((), 2, 2)
    tell(catalog, settings, night + timedelta(hours=8), [way])
    assert len(way.messages) == 2


def test_trouble_of_the_night_that_is_over_by_morning_is_not_told(catalog: Catalog, settings: Settings):
    way = Remembering()
    night = datetime(2026, 9, 17, 23, tzinfo=UTC)
    assert (
        rounds(catalog, settings, way, (night, [FULL]), (night + timedelta(hours=1), []), (night + timedelta(hours=9), []))
        == [0] * 3
    )


def test_causes_of_one_kind_are_one_message(catalog: Catalog, settings: Settings):
    way = Remembering()
    settle(catalog, [failed(f"2026-09-{day}") for day in range(10, 40)], (), NOON)
    tell(catalog, settings, NOON, [way])
    (message,) = way.messages
    assert message.title.endswith("and 29 more")
    assert message.body.count("What to do:") == 20
    assert "And 10 more: `top5 alerts list`." in message.body


def test_a_message_that_nobody_took_is_tried_again(catalog: Catalog, settings: Settings):
    way = Remembering(works=False)
    settle(catalog, [FULL], (), NOON)
    with pytest.raises(TransientError, match="The server is down"):
        tell(catalog, settings, NOON, [way])
    way.works = True
    assert len(tell(catalog, settings, NOON + timedelta(minutes=15), [way]).messages) == 1


def test_one_way_that_works_is_enough(catalog: Catalog, settings: Settings):
    good = Remembering()
    settle(catalog, [FULL], (), NOON)
    tell(catalog, settings, NOON, [Remembering(works=False), good])
    tell(catalog, settings, NOON, [Remembering(works=False), good])
    assert len(good.messages) == 1


def test_only_the_judged_kinds_are_over(catalog: Catalog, settings: Settings):
    settle(catalog, [FULL, failed("2026-09-16")], (), NOON)
    settle(catalog, [], ["disk-low"], NOON)
    assert [alert.kind for alert in kept_alerts(catalog, open_only=True)] == ["run-failed"]


def test_what_happened_once_is_forgotten_without_a_word(catalog: Catalog, settings: Settings):
    way = Remembering()
    settle(catalog, [FULL, failed("2026-09-16")], (), NOON)
    tell(catalog, settings, NOON, [way])
    later = NOON + timedelta(days=15)
    forget_alerts(catalog, ["run-failed"], NOON - timedelta(days=1), later)
    assert len(kept_alerts(catalog, open_only=True)) == 2
    forget_alerts(catalog, ["run-failed"], NOON + timedelta(days=1), later)
    assert [alert.kind for alert in kept_alerts(catalog, open_only=True)] == ["disk-low"]
    assert not any("Over" in message.title for message in tell(catalog, settings, later, [way]).messages)


def test_the_state_outlives_the_process(tmp_path: Path, settings: Settings):
    way = Remembering()
    for _ in range(2):
        catalog = Catalog.at_home(tmp_path)
        settle(catalog, [FULL], (), NOON)
        tell(catalog, settings, NOON, [way])
        catalog.close()
    assert len(way.messages) == 1


@pytest.mark.parametrize(
    ("begin", "end", "hour", "quiet"),
    [
        (22, 6, 23, True),
        (22, 6, 3, True),
        (22, 6, 6, False),
        (22, 6, 21, False),
        (1, 5, 3, True),
        (1, 5, 6, False),
        (0, 0, 0, False),
    ],
)
def test_quiet_hours(settings: Settings, begin: int, end: int, hour: int, quiet: bool):
    wanted = with_alerts(settings, quiet_from=time(begin), quiet_until=time(end))
    assert is_quiet(datetime(2026, 9, 17, hour, tzinfo=UTC), wanted) is quiet


def test_quiet_hours_are_those_of_the_operators_clock(settings: Settings):
    berlin = settings.model_copy(update={"timezone": "Europe/Berlin"})
    assert is_quiet(datetime(2026, 7, 1, 20, 30, tzinfo=UTC), berlin)  # 22:30 in summer
    assert not is_quiet(datetime(2026, 12, 1, 20, 30, tzinfo=UTC), berlin)  # 21:30 in winter


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(
    opened=MOMENTS, told=MOMENTS, now=MOMENTS, zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"])
)
def test_never_two_messages_on_a_cause_in_a_day(opened: datetime, told: datetime, now: datetime, zone: str):
    kept = KeptAlert(**FULL.model_dump(), opened_at=opened, seen_at=now, told_at=told, closed_at=None, recovery_told_at=None)
    settings = Settings(timezone=zone, alerts=AlertSettings())
    same_day = told.astimezone(ZoneInfo(zone)).date() == now.astimezone(ZoneInfo(zone)).date()
    assert not (same_day and due(kept, now, settings))
