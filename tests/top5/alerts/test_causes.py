from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import ROOT
from tests.top5.alerts.conftest import NOON
from top5.alerts.causes import check_failed, feed_silent, feed_troubles
from top5.alerts.model import KINDS
from top5.catalog.alerts import FeedRhythm
from top5.catalog.model import FeedState
from top5.settings import Settings

TODAY = date(2026, 9, 17)


def rhythm(last: int, *gaps: int) -> FeedRhythm:
    """A feed whose last episode is `last` days old, with these gaps before it, newest first."""
    days = [TODAY - timedelta(days=last)]
    for gap in gaps:
        days.append(days[-1] - timedelta(days=gap))
    return FeedRhythm("f1", "The Load Curve", tuple(days))


@pytest.mark.parametrize(
    ("found", "silent"),
    [
        (rhythm(20, 7, 7, 7, 7, 7, 7), False),
        (rhythm(22, 7, 7, 7, 7, 7, 7), True),
        (rhythm(3, 1, 1, 1, 1, 1, 1), False),  # a long weekend of a daily show
        (rhythm(4, 1, 1, 1, 1, 1, 1), True),
        (rhythm(60, 7, 7, 45, 7, 7, 7), False),  # it had a season's break before
        (rhythm(68, 7, 7, 45, 7, 7, 7), True),
        (rhythm(300, 7, 7, 7, 7), False),  # too little history to know
        (rhythm(300), False),
    ],
)
def test_a_feed_is_silent_against_its_own_rhythm(found: FeedRhythm, silent: bool):
    assert (feed_silent(found, TODAY, 3.0) is not None) is silent


@given(last=st.integers(0, 1000), gaps=st.lists(st.integers(1, 400), max_size=12))
def test_no_feed_is_silent_within_its_longest_gap(last: int, gaps: list[int]):
    alert = feed_silent(rhythm(last, *gaps), TODAY, 3.0)
    assert alert is None or last > max(gaps)


FEED = FeedState(
    feed_id="f1", url="https://reader:hunter2@a.example/feed?token=abc123secret", title="", link=None, network=None, weight=1.0,
    status="active", etag=None, last_modified=None, content_hash=None, redirect_seen=None, added_at=NOON - timedelta(days=90),
    scanned_at=NOON, succeeded_at=NOON - timedelta(hours=1), failures=0, reason="ok", message=None,
)  # fmt: skip


def failing(number: int, since: datetime) -> FeedState:
    return replace(FEED, feed_id=f"f{number}", failures=9, reason="timeout", succeeded_at=since)


def test_a_feed_may_fail_for_some_days():
    settings = Settings()
    assert feed_troubles([FEED, failing(2, NOON - timedelta(days=2.9))], NOON, settings) == []
    (alert,) = feed_troubles([FEED, failing(2, NOON - timedelta(days=4))], NOON, settings)
    assert alert.what == "The feed https://***@a.example/feed?token=*** has failed for 4 days."
    assert "top5 feeds check f2" in alert.todo


def test_a_feed_that_is_gone_is_told_at_once():
    (alert,) = feed_troubles([replace(FEED, status="gone", title="Old Show", message="410: it ended.")], NOON, Settings())
    assert (alert.what, alert.why) == ("The feed Old Show is gone.", "410: it ended.")


def test_most_feeds_failing_at_once_is_one_trouble():
    feeds = [failing(number, NOON - timedelta(days=4)) for number in range(40)] + [FEED] * 10
    (alert,) = feed_troubles(feeds, NOON, Settings())
    assert (alert.kind, alert.what) == ("feeds-unreachable", "40 of 50 feeds fail.")


def test_a_failed_check_says_which_how_many_and_gives_examples():
    alert = check_failed(
        "insights", "insights_meet_expectations", "2026-09-16", blocking=True, sentence="salience: too large", rows=3,
        examples=["1.2", "1.3", "9", "10"], link=None,
    )  # fmt: skip
    assert alert.what == "The check insights_meet_expectations of insights failed on 2026-09-16."
    assert alert.why == "salience: too large. 3 rows. Examples: 1.2; 1.3; 9."
    assert "was not built" in alert.todo


def test_the_runbook_has_a_chapter_for_every_kind():
    headings = [
        line.removeprefix("## ").strip()
        for line in (ROOT / "docs" / "runbook.md").read_text("utf-8").splitlines()
        if line.startswith("## ")
    ]
    assert set(KINDS) <= set(headings)
