"""Mails at readers' own hours: the schedule's every tick on a real instance, and the runs that it asks for, over nights that change clocks."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from pathlib import Path

import pytest
from dagster import AssetKey, DagsterInstance, DagsterRunStatus, RunRequest, build_schedule_context
from dagster._core.test_utils import freeze_time

from orchestration.definitions import defs
from orchestration.instance import prepare_home
from orchestration.schedules import build_schedules
from tests.top5.digests import samples
from top5.catalog.deliveries import approve
from top5.catalog.store import Catalog
from top5.catalog.subscribers import SubscriberStore
from top5.digests.render import render_json
from top5.settings import load_settings
from top5.subscribers.model import Preferences, SubscriberState

QUARTER = timedelta(minutes=15)


@dataclass
class Post:
    """A home with one digest and its list, and a hand on the clock. `sent` is who got a mail at which moment, in order."""

    home: Path
    instance: DagsterInstance
    day: date
    sent: list[tuple[str, datetime]] = field(default_factory=list)

    def freeze(self) -> None:
        digest = samples.full().model_copy(update={"day": self.day})
        path = self.home / "lake" / "digests" / f"{self.day}.r001.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_json(digest))
        with self.catalog() as catalog:
            catalog.add_digest_revision(self.day, 1, digest.inputs_hash, self.noon, [])

    @property
    def noon(self) -> datetime:
        return datetime(self.day.year, self.day.month, self.day.day, 12, tzinfo=UTC)

    def catalog(self) -> "closing[Catalog]":
        return closing(Catalog.at_home(self.home))

    def record(self, job: str = "daily_digest", *, status: DagsterRunStatus = DagsterRunStatus.SUCCESS, **tags: str) -> None:
        """A run of the day, as it stands in Dagster's history."""
        named = {f"dagster/{name}": value for name, value in tags.items()}
        run = defs.resolve_job_def(job)
        self.instance.create_run_for_job(run, tags={"dagster/partition": str(self.day), **named}, status=status)

    def subscribe(self, name: str, zone: str, hour: int | None, **preferences: object) -> None:
        wanted = Preferences.model_validate({"timezone": zone, "hour": hour, **preferences})
        with self.catalog() as catalog:
            SubscriberStore(catalog).add(
                f"{name}@example.com", wanted, state=SubscriberState.ACTIVE, source="operator", now=self.noon - timedelta(days=9)
            )

    def asked(self, moment: datetime) -> list[RunRequest]:
        """What the schedule asks for at a tick."""
        (schedule,) = (one for one in build_schedules(load_settings()) if one.name == "readers_hours")
        context = build_schedule_context(self.instance, repository_def=defs.get_repository_def(), scheduled_execution_time=moment)
        return list(schedule.evaluate_tick(context).run_requests or [])

    def tick(self, moment: datetime) -> None:
        """One tick, and the runs that it asks for."""
        with freeze_time(moment):  # or a day of next year would be no partition yet
            self._tick(moment)

    def _tick(self, moment: datetime) -> None:
        for request in self.asked(moment):
            assert request.partition_key == str(self.day)
            self.send(moment, **request.tags)

    def send(self, moment: datetime, **tags: str) -> None:
        """One run of `send_digests` at a moment; started by hand where no tag says who asked."""
        result = defs.resolve_job_def("send_digests").execute_in_process(
            instance=self.instance,
            partition_key=str(self.day),
            tags=tags,
            run_config={
                "resources": {"workspace": {"config": {"now": moment.isoformat()}}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
        )
        (made,) = result.get_asset_materialization_events()
        assert made.asset_key == AssetKey("deliveries"), "nothing is built"
        self.sent += [(name, moment) for name in self.arrived() - {name for name, _ in self.sent}]

    def pass_time(self, first: datetime, last: datetime) -> None:
        while first < last:
            self.tick(first)
            first += QUARTER

    def arrived(self) -> set[str]:
        mails = [message_from_bytes(path.read_bytes()) for path in (self.home / "outbox").glob("*.eml")]
        return {str(mail["To"]).partition("@")[0] for mail in mails}


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    monkeypatch.setenv("TOP5_HOME", str(tmp_path))
    monkeypatch.setenv("TOP5_DELIVERY__RECIPIENTS", "[]")
    prepare_home(tmp_path)
    with DagsterInstance.get() as instance:
        yield Post(tmp_path, instance, date(2026, 10, 24))


@pytest.mark.parametrize(
    ("day", "berlin_2", "berlin_3"),
    [
        # The clocks go back: 02:00 comes twice, and the mail with the first.
        (date(2026, 10, 24), datetime(2026, 10, 25, 0, tzinfo=UTC), datetime(2026, 10, 25, 2, tzinfo=UTC)),
        # The clocks go forward: there is no 02:00, and the mail comes right after the gap.
        (date(2027, 3, 27), datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 3, 28, 1, tzinfo=UTC)),
    ],
)
def test_each_gets_the_mail_at_their_own_hour_once_when_clocks_change(
    post: Post, day: date, berlin_2: datetime, berlin_3: datetime
):
    post.day = day
    post.freeze()
    post.record()
    post.subscribe("berlin-2", "Europe/Berlin", 2)
    post.subscribe("berlin-3", "Europe/Berlin", 3)
    post.subscribe("kathmandu", "Asia/Kathmandu", 7)  # 5:45 ahead
    post.subscribe("never-on-sundays", "Europe/Berlin", 2, weekdays=(0, 1, 2, 3, 4, 5))
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    post.pass_time(midnight - timedelta(hours=2), midnight + timedelta(hours=5))
    assert sorted(post.sent) == [
        ("berlin-2", berlin_2), ("berlin-3", berlin_3), ("kathmandu", midnight + timedelta(hours=1, minutes=15)),
    ]  # fmt: skip


def test_a_tick_builds_nothing_says_its_day_and_who_asked_and_is_asked_for_once(post: Post):
    post.freeze()
    post.record()
    post.subscribe("early", "UTC", 4)
    moment = datetime(2026, 10, 25, 4, tzinfo=UTC)
    (request,) = post.asked(moment)
    assert request.partition_key == "2026-10-24"
    assert {"day": "2026-10-24", "trigger": "schedule"}.items() <= request.tags.items()
    (again,) = post.asked(moment)
    assert again.run_key == request.run_key, "Dagster starts one run for a key"


def test_whoever_s_hour_was_slept_through_gets_the_mail_with_the_next_tick(post: Post):
    post.freeze()
    post.record()
    for hour in (1, 4, 9):
        post.subscribe(f"at-{hour}", "UTC", hour)
    woken = datetime(2026, 10, 25, 8, 30, tzinfo=UTC)
    post.tick(woken)
    assert sorted(post.sent) == [("at-1", woken), ("at-4", woken)]


def test_a_day_that_was_only_rebuilt_is_mailed_to_nobody_until_somebody_asks(post: Post):
    post.freeze()
    post.subscribe("early", "UTC", 4)
    moment = datetime(2026, 10, 25, 4, tzinfo=UTC)
    assert post.asked(moment) == [], "built by no run that mails"
    post.record(backfill="abc")
    post.record("rebuild_days")
    assert post.asked(moment) == []
    post.record("send_digests")
    assert len(post.asked(moment)) == 1


def test_after_a_failure_the_server_is_left_alone_for_an_hour(post: Post):
    failed = datetime.now(UTC)  # Dagster's storage has no other clock
    post.day = (failed + timedelta(hours=2)).date() - timedelta(days=1)
    post.freeze()
    post.subscribe("whenever", "UTC", None)
    post.record(status=DagsterRunStatus.FAILURE)
    assert [len(post.asked(failed + timedelta(minutes=later))) for later in (15, 55, 65, 110)] == [0, 0, 1, 1]


def test_no_second_run_sends_a_day_that_one_is_sending(post: Post):
    post.freeze()
    post.record(status=DagsterRunStatus.STARTED)
    post.subscribe("early", "UTC", 4)
    assert post.asked(datetime(2026, 10, 25, 4, tzinfo=UTC)) == []


@pytest.mark.parametrize("by_hand", [False, True])
def test_what_waits_for_approval_waits_at_every_hour(post: Post, monkeypatch: pytest.MonkeyPatch, by_hand: bool):
    monkeypatch.setenv("TOP5_DELIVERY__APPROVAL", "true")
    post.freeze()
    post.record()
    post.subscribe("early", "UTC", 4)
    post.subscribe("late", "UTC", 6)
    approved_at = datetime(2026, 10, 25, 5, tzinfo=UTC)
    post.pass_time(approved_at - 2 * QUARTER, approved_at)
    post.send(approved_at - QUARTER, **{"dagster/schedule_name": "readers_hours"})
    assert post.sent == [], "a run that a schedule started is no approval"
    if by_hand:
        post.send(approved_at)
    else:
        with post.catalog() as catalog:
            approve(catalog, post.day, 1, approved_at)
        post.tick(approved_at)
    assert post.sent == [("early", approved_at)], "the other's hour has not come"
