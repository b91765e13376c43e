from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.top5.alerts.conftest import NOON, YESTERDAY, build, follow, with_alerts
from tests.top5.digests.samples import full
from top5.alerts.watch import last_due, look, missing_days
from top5.catalog.store import Catalog
from top5.catalog.tables import Episode, EpisodeDay
from top5.digests.render import render_json
from top5.lake import Lake, write_atomically
from top5.settings import OpenAISettings, Settings


def kinds(settings: Settings, catalog: Catalog, now: datetime = NOON) -> list[str]:
    return [alert.kind for alert in look(settings, catalog, now)]


def test_a_fresh_installation_is_silent(catalog: Catalog, settings: Settings):
    assert kinds(settings, catalog) == []
    follow(catalog, days_ago=0)
    assert kinds(settings, catalog) == []


def test_a_digest_is_missed_after_its_deadline_only(catalog: Catalog, settings: Settings):
    follow(catalog)
    build(catalog, YESTERDAY - timedelta(days=1))
    before, after = datetime(2026, 9, 17, 7, 59, tzinfo=UTC), datetime(2026, 9, 17, 8, 1, tzinfo=UTC)
    assert kinds(settings, catalog, before) == []
    assert kinds(settings, catalog, after) == ["digest-missing"]
    build(catalog, YESTERDAY)
    assert kinds(settings, catalog, after) == []


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
@pytest.mark.parametrize("night", [date(2026, 3, 8), date(2026, 3, 29), date(2026, 10, 25), date(2026, 11, 1)])
def test_the_deadline_is_two_hours_after_the_digests_hour_on_nights_that_change_clocks(
    settings: Settings, zone: str, night: date
):
    here = settings.model_copy(update={"timezone": zone, "schedule": settings.schedule.model_copy(update={"digest_hour": 1})})
    start = datetime(night.year, night.month, night.day, 1, tzinfo=here.tz).astimezone(UTC)
    assert last_due(here, start + timedelta(minutes=119))[0] == night - timedelta(days=2)
    assert last_due(here, start + timedelta(minutes=120))[0] == night - timedelta(days=1)


def test_a_digest_that_was_built_and_not_mailed_is_not_out(catalog: Catalog, settings: Settings):
    follow(catalog)
    build(catalog, YESTERDAY)
    catalog.plan_delivery(YESTERDAY, 1, "you@a.example", "smtp", "<id>", NOON)
    (alert,) = look(settings, catalog, NOON)
    assert alert.kind == "digest-missing"
    assert "was built" in alert.why
    catalog.mark_delivery(YESTERDAY, "you@a.example", "smtp", "sent", None, NOON)
    assert kinds(settings, catalog) == []


def test_many_failed_deliveries_are_told(catalog: Catalog, settings: Settings):
    follow(catalog)
    build(catalog, YESTERDAY)
    for number in range(20):
        catalog.plan_delivery(YESTERDAY, 1, f"{number}@a.example", "smtp", "<id>", NOON)
        catalog.mark_delivery(YESTERDAY, f"{number}@a.example", "smtp", "failed" if number < 2 else "sent", None, NOON)
    assert kinds(settings, catalog) == []
    catalog.mark_delivery(YESTERDAY, "9@a.example", "smtp", "unknown", None, NOON)
    (alert,) = look(settings, catalog, NOON)
    assert alert.what == f"3 of 20 mails of {YESTERDAY} did not get through."


def test_a_short_digest_is_told_with_its_reason(catalog: Catalog, settings: Settings):
    follow(catalog)
    build(catalog, YESTERDAY)
    short = full().model_copy(update={"day": YESTERDAY, "short_because": "Only one show had anything."})
    short = short.model_copy(update={"insights": short.insights[:1]})
    write_atomically(Lake(settings.lake_path).root / "digests" / f"{YESTERDAY}.r001.json", render_json(short).encode())
    (alert,) = look(settings, catalog, NOON)
    assert (alert.what, alert.why) == (f"The digest of {YESTERDAY} has 1 insight.", "Only one show had anything.")
    assert kinds(with_alerts(settings, short_digest=0), catalog) == []


def test_a_silent_feed_is_told_unless_it_fails(catalog: Catalog, settings: Settings):
    feed_id = follow(catalog)
    build(catalog, YESTERDAY)
    with catalog.transaction() as session:
        for week in range(8):
            day = YESTERDAY - timedelta(days=40 + 7 * week)
            session.add(Episode(episode_id=f"e{week}", feed_id=feed_id, first_seen=NOON, available_on=day, facts={}))
    (alert,) = look(settings, catalog, NOON)
    assert alert.what == "The Load Curve has been silent for 41 days."
    assert "token" not in alert.model_dump_json()


def test_a_spent_budget_is_told_while_episodes_wait(catalog: Catalog, settings: Settings):
    feed_id = follow(catalog)
    build(catalog, YESTERDAY)
    catalog.add_spend(NOON.date(), "insights", 4.97, 12)
    with catalog.transaction() as session:
        session.add(Episode(episode_id="e1", feed_id=feed_id, first_seen=NOON, available_on=YESTERDAY, facts={}))
        session.flush()
        session.add(EpisodeDay(day=YESTERDAY, episode_id="e1", facts={}, state="deferred", reason="budget_spent"))
    (alert,) = look(settings, catalog, NOON)
    assert alert.what == "The day's budget is spent: $4.97."
    assert alert.why.startswith("1 episode wait")


def test_a_budget_that_will_not_do_is_told_before(catalog: Catalog, settings: Settings):
    feed_id = follow(catalog)
    build(catalog, YESTERDAY)
    facts = {"guid": "g", "title": "Long", "duration": 36000.0, "enclosure": {"url": "https://a.example/1.mp3"}}
    with catalog.transaction() as session:
        for number in range(30):
            session.add(Episode(episode_id=f"e{number}", feed_id=feed_id, first_seen=NOON, available_on=NOON.date(), facts=facts))
    dear = OpenAISettings(base_url="http://127.0.0.1:1/v1", usd_per_million_input_tokens=10.0, usd_per_million_output_tokens=40.0)
    paid = settings.model_copy(update={"openai": dear})
    assert kinds(settings, catalog) == []
    assert kinds(paid, catalog) == ["budget-forecast"]


def test_a_full_disk_is_told(catalog: Catalog, settings: Settings):
    assert kinds(with_alerts(settings, low_disk_gb=10_000_000.0), catalog) == ["disk-low"]


def test_what_cannot_be_looked_at_hides_nothing_else(catalog: Catalog, settings: Settings, tmp_path: Path):
    follow(catalog)
    no_room = with_alerts(settings, low_disk_gb=10_000_000.0)
    catalog.close()
    for file in tmp_path.glob("catalog.db*"):
        file.unlink()
    (tmp_path / "catalog.db").write_bytes(b"")
    assert set(kinds(no_room, catalog)) == {"disk-low", "watch-failed"}


def test_missed_days_are_those_since_the_first_feed_without_a_digest(catalog: Catalog, settings: Settings):
    assert missing_days(settings, catalog, YESTERDAY) == []
    follow(catalog, days_ago=5)
    build(catalog, date(2026, 9, 13), date(2026, 9, 15))
    assert missing_days(settings, catalog, YESTERDAY) == [date(2026, 9, 12), date(2026, 9, 14), YESTERDAY]
    few = settings.model_copy(update={"schedule": settings.schedule.model_copy(update={"catch_up_days": 2})})
    assert missing_days(few, catalog, YESTERDAY) == [YESTERDAY]
