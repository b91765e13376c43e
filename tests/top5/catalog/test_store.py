import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from multiprocessing import get_context
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from top5.catalog.migrate import MIGRATIONS
from top5.catalog.model import ScanUpdate, SuggestedShow
from top5.catalog.store import Catalog
from top5.catalog.tables import Base
from top5.errors import PermanentError, TransientError
from top5.feeds.changes import changes_of
from top5.feeds.model import Enclosure, ParsedEpisode, ParsedFeed, Podcast, TranscriptLink

UTC_ZONE = ZoneInfo("UTC")
DAY = date(2026, 9, 16)
NOW = datetime(2026, 9, 16, 20, tzinfo=UTC)


def episode(guid: str, *, published: datetime | None = NOW, **values: object) -> ParsedEpisode:
    return ParsedEpisode.model_validate({"guid": guid, "title": f"Title of {guid}", "published": published, **values})


def scan(
    catalog: Catalog, feed_id: str, *episodes: ParsedEpisode, now: datetime = NOW, etag: str | None = None
) -> tuple[int, int]:
    parsed = ParsedFeed(podcast=Podcast(title="A show"), episodes=episodes)
    update = ScanUpdate(feed_id=feed_id, now=now, ok=True, reason="ok", etag=etag, changes=changes_of(parsed, {}))
    return catalog.apply_scan(update, tz=UTC_ZONE, look_back_days=30)


def guids(catalog: Catalog, day: date, late_days: int = 3) -> dict[str, bool]:
    return {entry.facts.guid: entry.late for entry in catalog.assign_day(day, late_days)}


def freeze(catalog: Catalog, day: date) -> None:
    catalog.add_digest_revision(day, 1, "hash", NOW, [])


def test_migrations_give_the_tables_of_the_code(tmp_path: Path):
    Catalog.at_home(tmp_path).close()
    engine = create_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def _open(home: str) -> None:
    Catalog.at_home(Path(home)).close()


def test_two_processes_may_open_a_new_catalog_at_once(tmp_path: Path):
    context = get_context("spawn")
    processes = [context.Process(target=_open, args=(str(tmp_path),)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_a_home_that_cannot_be_made_says_so(tmp_path: Path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(PermanentError, match="set TOP5_HOME to a writable folder"):
        Catalog.at_home(tmp_path / "file" / "home")


def test_a_feed_is_followed_once(catalog: Catalog):
    first, added = catalog.add_feed("https://a.example/feed", NOW)
    again, changed = catalog.add_feed("https://a.example/feed", NOW)
    assert (first == again, added, changed) == (True, True, False)
    catalog.remove_feed("https://a.example/feed")
    assert catalog.feeds() == []
    assert catalog.add_feed("https://a.example/feed", NOW) == (first, True)
    with pytest.raises(PermanentError, match="not followed"):
        catalog.remove_feed("https://b.example/feed")


def test_the_first_scan_spreads_episodes_over_their_days_and_later_ones_arrive_when_seen(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed, episode("old", published=NOW - timedelta(days=1)), episode("undated", published=None))
    scan(catalog, feed, episode("slow", published=NOW - timedelta(days=9)), now=NOW + timedelta(days=1))
    assert guids(catalog, DAY - timedelta(days=1)) == {"old": False}
    assert guids(catalog, DAY) == {"undated": False}
    assert guids(catalog, DAY + timedelta(days=1)) == {"slow": False}


def test_the_day_is_the_local_one(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    parsed = ParsedFeed(
        podcast=Podcast(title="A show"), episodes=(episode("late evening", published=datetime(2026, 9, 16, 23, tzinfo=UTC)),)
    )
    update = ScanUpdate(feed_id=feed, now=NOW + timedelta(hours=6), ok=True, reason="ok", changes=changes_of(parsed, {}))
    catalog.apply_scan(update, tz=ZoneInfo("Asia/Tokyo"), look_back_days=30)
    assert guids(catalog, DAY) == {}
    assert guids(catalog, DAY + timedelta(days=1)) == {"late evening": False}


def test_a_known_guid_is_never_new_again_and_keeps_the_facts_of_its_day(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    assert scan(catalog, feed, episode("one")) == (1, 0)
    assert guids(catalog, DAY) == {"one": False}
    freeze(catalog, DAY)
    renamed = episode("one").model_copy(update={"title": "Best of: one"})
    assert scan(catalog, feed, renamed, now=NOW + timedelta(days=2)) == (0, 1)
    assert guids(catalog, DAY + timedelta(days=2)) == {}
    assert [entry.facts.title for entry in catalog.assign_day(DAY, 3)] == ["Title of one"]


def test_the_same_audio_in_two_feeds_is_one_episode_told_by_the_richer_feed(catalog: Catalog):
    network, _ = catalog.add_feed("https://network.example/feed", NOW)
    show, _ = catalog.add_feed("https://show.example/feed", NOW + timedelta(seconds=1))
    tracked = Enclosure(url="https://dts.podtrac.com/redirect.mp3/show.example/1.mp3")
    own = Enclosure(url="https://show.example/1.mp3")
    link = TranscriptLink(url="https://show.example/1.vtt")
    assert scan(catalog, network, episode("network-1", enclosure=tracked)) == (1, 0)
    assert scan(catalog, show, episode("show-1", enclosure=own, transcripts=(link,))) == (1, 0)
    assert catalog.settle_twins() == {network: 1}
    (only,) = catalog.assign_day(DAY, 3)
    assert (only.feed_id, only.facts.guid) == (show, "show-1")


def test_a_waiting_episode_joins_the_next_days_and_its_first_day_is_final(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed, episode("one"))
    (one,) = catalog.assign_day(DAY, 3)
    catalog.set_states(DAY, {one.episode_id: ("pending", "transcript_not_found")})
    freeze(catalog, DAY)
    assert guids(catalog, DAY + timedelta(days=1)) == {"one": True}
    (again,) = catalog.assign_day(DAY, 3)
    assert (again.carried_over, again.state) == (True, "pending")
    catalog.set_states(DAY + timedelta(days=1), {one.episode_id: ("considered", "")})
    assert guids(catalog, DAY + timedelta(days=2)) == {}


def test_nobody_waits_longer_than_the_late_days(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed, episode("one"))
    (one,) = catalog.assign_day(DAY, 3)
    catalog.set_states(DAY, {one.episode_id: ("deferred", "budget_spent")})
    assert guids(catalog, DAY + timedelta(days=4)) == {}


def test_an_episode_that_missed_its_days_digest_is_late_not_lost(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed)
    assert guids(catalog, DAY) == {}
    freeze(catalog, DAY)
    scan(catalog, feed, episode("after the mail"), now=NOW + timedelta(hours=2))
    assert guids(catalog, DAY + timedelta(days=1)) == {"after the mail": True}


def test_a_day_that_was_never_built_keeps_its_episodes_for_a_backfill(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed, episode("yesterday", published=NOW - timedelta(days=1)), episode("today"))
    assert guids(catalog, DAY) == {"today": False}
    assert guids(catalog, DAY - timedelta(days=1)) == {"yesterday": False}


def test_failures_are_counted_and_a_410_retires(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    for reason in ("timeout", "gone"):
        update = ScanUpdate(feed_id=feed, now=NOW, ok=False, reason=reason, message="why", retired=reason == "gone")
        catalog.apply_scan(update, tz=UTC_ZONE, look_back_days=30)
    (state,) = catalog.feeds()
    assert (state.failures, state.status, state.reason) == (2, "gone", "gone")


def test_a_confirmed_move_is_stored_unless_the_target_is_followed_already(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/old", NOW)
    catalog.add_feed("https://a.example/taken", NOW)
    for target, expected in (
        ("https://a.example/taken", "https://a.example/old"),
        ("https://a.example/new", "https://a.example/new"),
    ):
        update = ScanUpdate(feed_id=feed, now=NOW, ok=True, reason="not_modified", redirect_seen=target, moved_to=target)
        catalog.apply_scan(update, tz=UTC_ZONE, look_back_days=30)
        assert next(state.url for state in catalog.feeds() if state.feed_id == feed) == expected


def test_deliveries_and_spend_are_remembered(catalog: Catalog):
    assert catalog.plan_delivery(DAY, 1, "a@b.example", "smtp", "<id>", NOW) == "planned"
    catalog.mark_delivery(DAY, "a@b.example", "smtp", "sent", None, NOW)
    assert catalog.plan_delivery(DAY, 2, "a@b.example", "smtp", "<id>", NOW) == "sent"
    assert catalog.deliveries(DAY) == [("a@b.example", "smtp", "sent", None)]
    catalog.add_spend(DAY, "insights", 0.25, 2)
    catalog.add_spend(DAY, "insights", 0.5, 1)
    assert catalog.spent(DAY) == 0.75
    assert catalog.spent(DAY + timedelta(days=1)) == 0.0


def audio(name: str) -> Enclosure:
    return Enclosure(url=f"https://cdn.example/{name}.mp3")


def test_an_episode_under_a_new_guid_stays_the_same_episode(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed, episode("1", enclosure=audio("one")), episode("2", enclosure=audio("two")))
    before = {entry.facts.title: entry.episode_id for entry in catalog.assign_day(DAY, 3)}
    renamed = [
        episode("urn:1", enclosure=audio("one")),
        episode("2", enclosure=audio("two")),
        # The audio of an item that is still there: another episode.
        episode("urn:3", enclosure=audio("two")),
    ]
    assert scan(catalog, feed, *renamed, now=NOW + timedelta(days=1)) == (1, 1)
    assert len(before) == 2
    assert set(guids(catalog, DAY + timedelta(days=1))) == {"urn:3"}


def test_a_long_title_and_its_day_tell_an_episode_whose_guid_and_host_changed(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    scan(catalog, feed, episode("old", enclosure=audio("old")))
    moved = episode("new", enclosure=audio("new")).model_copy(update={"title": "Title of: OLD"})
    assert scan(catalog, feed, moved, now=NOW + timedelta(days=1)) == (0, 1)


def test_two_items_with_one_audio_file_in_one_feed_are_two_episodes(catalog: Catalog):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    assert scan(catalog, feed, episode("1", enclosure=audio("stub")), episode("2", enclosure=audio("stub"))) == (2, 0)
    assert catalog.settle_twins() == {}
    assert set(guids(catalog, DAY)) == {"1", "2"}


def test_members_hear_it_early_and_it_is_one_episode(catalog: Catalog):
    members, _ = catalog.add_feed("https://members.example/feed", NOW)
    public, _ = catalog.add_feed("https://public.example/feed", NOW + timedelta(seconds=1))
    early = episode("m-1", enclosure=audio("private"), duration=3500.0)
    late = episode("p-1", enclosure=audio("public"), duration=3700.0, published=NOW + timedelta(days=7))
    late = late.model_copy(update={"title": early.title})
    for feed, title, one, now in (
        (members, "The Show (Ad-Free)", early, NOW),
        (public, "The Show", late, NOW + timedelta(days=7)),
    ):
        parsed = ParsedFeed(podcast=Podcast(title=title), episodes=(one,))
        catalog.apply_scan(
            ScanUpdate(feed_id=feed, now=now, ok=True, reason="ok", changes=changes_of(parsed, {})),
            tz=UTC_ZONE,
            look_back_days=30,
        )
    assert catalog.settle_twins() == {public: 1}
    assert guids(catalog, DAY) == {"m-1": False}
    assert guids(catalog, DAY + timedelta(days=7)) == {}
    assert catalog.settle_twins() == {}


@pytest.mark.parametrize(
    ("published", "raw", "flag"),
    [
        (None, None, "missing"),
        (None, "31 Feb", "unreadable"),
        (datetime(1970, 1, 1, tzinfo=UTC), "0", "impossible"),
        (NOW + timedelta(days=400), "next year", "future"),
    ],
)
def test_an_unusable_date_is_kept_flagged_and_replaced_by_first_sight(
    catalog: Catalog, published: datetime | None, raw: str | None, flag: str
):
    feed, _ = catalog.add_feed("https://a.example/feed", NOW)
    one = episode("one", published=published, published_raw=raw)
    assert scan(catalog, feed, one) == (1, 0)
    assert scan(catalog, feed, one, now=NOW + timedelta(days=1)) == (0, 0)
    (seen,) = catalog.assign_day(DAY, 3)
    assert (seen.facts.date_flag, seen.facts.published, seen.facts.published_raw) == (flag, NOW, raw)


def test_suggestions_are_kept_accepted_and_dismissed(catalog: Catalog):
    def show(name: str, score: float) -> SuggestedShow:
        return SuggestedShow(
            feed_id=name, url=f"https://{name}.example/", title=name, topics=("t",), score=score, reasons=(), state="proposed",
            first_found=NOW,
        )  # fmt: skip

    assert catalog.suggest([show("a", 1.0), show("b", 2.0)], NOW) == 2
    catalog.decide_suggestion("b", "dismissed", NOW)
    assert catalog.suggest([show("a", 3.0), show("b", 9.0)], NOW) == 0
    assert [(found.feed_id, found.score) for found in catalog.suggestions()] == [("a", 3.0)]
    with pytest.raises(PermanentError, match="is no suggestion"):
        catalog.decide_suggestion("c", "accepted", NOW)


def test_a_catalog_that_another_process_keeps_locked_is_a_failure_that_may_pass(tmp_path: Path):
    catalog = Catalog.at_home(tmp_path)
    with closing(sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(TransientError, match="locked"), catalog.transaction() as session:
            session.execute(text("PRAGMA busy_timeout=10"))  # instead of half a minute
            session.execute(text("delete from alerts"))
        other.execute("rollback")
    catalog.add_feed("https://a.example/feed", NOW)
    assert len(catalog.feeds()) == 1
    catalog.close()


@pytest.mark.parametrize(
    ("polled", "planned", "due"),
    [
        (timedelta(hours=-2), timedelta(hours=-1), True),
        (timedelta(hours=-2), timedelta(hours=1), False),
        (timedelta(minutes=5), timedelta(hours=1), False),  # a clock that was set back by little polls nothing twice
        (timedelta(days=300), timedelta(days=301), True),  # one that was far ahead silences nothing
    ],
)
def test_feeds_are_due_by_their_plan_unless_a_wrong_clock_made_it(
    catalog: Catalog, polled: timedelta, planned: timedelta, due: bool
):
    feed_id, _ = catalog.add_feed("https://a.example/feed", NOW)
    update = ScanUpdate(feed_id=feed_id, now=NOW + polled, ok=True, reason="not_modified", next_poll=NOW + planned)
    catalog.apply_scan(update, tz=UTC_ZONE, look_back_days=30)
    assert bool(catalog.due_feeds(NOW)) is due


def test_a_catalog_of_the_first_revision_is_brought_up_to_date_with_its_rows(tmp_path: Path):
    engine = create_engine(f"sqlite:///{tmp_path / 'catalog.db'}")
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(
            "insert into feeds (feed_id, url, title, weight, status, added_at, failures)"
            " values ('f', 'https://a.example/feed', 'Old', 1.0, 'active', '2026-01-01 00:00:00', 0)"
        )
    catalog = Catalog.at_home(tmp_path)
    assert [(feed.title, feed.next_poll) for feed in catalog.due_feeds(NOW)] == [("Old", None)]
    catalog.close()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert connection.exec_driver_sql("select title from feeds").scalar() == "Old"
    engine.dispose()


def test_what_is_written_survives_a_power_cut(tmp_path: Path):
    catalog = Catalog.at_home(tmp_path)
    with catalog.statements() as connection:
        level = connection.exec_driver_sql("PRAGMA synchronous").scalar()
    catalog.close()
    assert level == 2, "FULL: the log is synced before a transaction is said to be done"
