from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.top5.feeds.serving import item, rss
from top5.errors import PermanentError
from top5.feeds.changes import read_changes
from top5.feeds.model import FeedChanges, ParsedEpisode, UpdateFrequency
from top5.feeds.parse import parse_feed

URL = "https://feeds.example/show/feed.xml"
HORIZON = datetime(2025, 12, 16, tzinfo=UTC)
OLD = "Mon, 01 Jan 2024 00:00:00 GMT"


def known(changes: FeedChanges) -> dict[str, str | None]:
    return dict(zip((episode.guid for episode in changes.episodes), changes.fingerprints, strict=True))


def guids(changes: FeedChanges) -> list[str]:
    return [episode.guid for episode in changes.episodes]


def test_the_first_reading_gives_everything_and_old_episodes_without_notes() -> None:
    changes = read_changes(rss(item("new"), item("old", date=OLD)), url=URL, horizon=HORIZON)
    assert [(e.guid, e.description) for e in changes.episodes] == [("new", "Notes of new"), ("old", "")]
    assert changes.podcast is not None and changes.podcast.title == "A Show"
    assert changes.present == {"new", "old"}
    assert not changes.whole


def test_later_readings_give_what_is_new_or_changed() -> None:
    before = read_changes(rss(item("a"), item("b")), url=URL)
    after = read_changes(
        rss(item("c"), item("a", title="Another title"), item("b")),
        url=URL,
        known=known(before),
        channel_known=before.channel_fingerprint,
        first=False,
        horizon=HORIZON,
    )
    assert guids(after) == ["c", "a"]
    assert after.podcast is None
    assert after.present == {"a", "b", "c"}


def test_an_old_episode_that_appears_later_is_read_in_full() -> None:
    before = read_changes(rss(item("a")), url=URL)
    after = read_changes(rss(item("a"), item("late", date=OLD)), url=URL, known=known(before), first=False, horizon=HORIZON)
    assert [(e.guid, e.description) for e in after.episodes] == [("late", "Notes of late")]


def test_a_new_build_date_is_no_change() -> None:
    before = read_changes(rss(item("a"), channel="<lastBuildDate>today</lastBuildDate>"), url=URL)
    after = read_changes(
        rss(item("a"), channel="<lastBuildDate>tomorrow</lastBuildDate>"),
        url=URL,
        known=known(before),
        channel_known=before.channel_fingerprint,
        first=False,
    )
    assert (after.podcast, after.episodes) == (None, ())


@pytest.mark.parametrize(
    ("body", "whole"),
    [
        (rss(item("a"), item("a", audio="https://cdn.example/other.mp3")), False),
        (rss(item("a"), item("b"), item("a")), False),
        (rss(item("a"), "<!--", item("b"), "-->", item("c")), True),
        (rss(item("a"), item("b").replace("Notes", "<![CDATA[</item>]]>")), True),
        (rss(item("a")).replace(b"item>", b"r:item>").replace(b"<rss", b'<rss xmlns:r="http://purl.org/rss/1.0/"'), True),
        (rss(item("a") + "<item><title>cut off"), True),
        (b"<!DOCTYPE rss>" + rss(item("a")), True),
        (rss(item("a").replace("Notes", "&nbsp;Notes")), True),
        (rss(item("a") + "<item><item><guid>inner</guid></item></item>"), True),
        (rss(item("a")).decode().replace("<rss", '<?xml version="1.0" encoding="utf-16"?><rss').encode("utf-16"), True),
    ],
    ids=[
        "one name twice", "one item twice", "an item commented out", "an end tag in text", "items under a prefix",
        "cut off", "document type", "unknown entity", "nested", "UTF-16",
    ],
)  # fmt: skip
def test_odd_feeds_are_read_as_feedparser_reads_them_and_remembered_all_the_same(body: bytes, whole: bool) -> None:
    first = read_changes(body, url=URL)
    assert first.whole == whole
    assert first.episodes == parse_feed(body, url=URL).episodes
    again = read_changes(body, url=URL, known=known(first), channel_known=first.channel_fingerprint, first=False)
    assert (again.podcast, again.episodes, again.present) == (None, (), first.present)


def test_of_several_items_under_one_name_the_known_ones_are_read_again_with_a_new_one() -> None:
    first, second = item("a", audio="https://cdn.example/1.mp3"), item("a", audio="https://cdn.example/2.mp3")
    before = read_changes(rss(item("z"), first, second), url=URL)
    body = rss(item("a", audio="https://cdn.example/3.mp3"), item("z"), first, second)
    after = read_changes(body, url=URL, known=known(before), channel_known=before.channel_fingerprint, first=False)
    assert guids(after) == ["https://cdn.example/3.mp3"]
    assert after.present == {episode.guid for episode in parse_feed(body, url=URL).episodes}


def test_of_a_malformed_feed_old_items_that_are_not_come_without_notes() -> None:
    body = rss(
        item("new").replace("Notes", "&nbsp;Notes"), item("bad", date=OLD).replace("Notes", "&nbsp;Notes"), item("old", date=OLD)
    )
    changes = read_changes(body, url=URL, horizon=HORIZON)
    assert changes.whole
    assert [(e.guid, bool(e.description)) for e in changes.episodes] == [("new", True), ("bad", True), ("old", False)]
    assert changes.episodes[:2] == parse_feed(body, url=URL).episodes[:2]
    assert changes.present == {"new", "bad", "old"}
    again = read_changes(body, url=URL, known=known(changes), channel_known=changes.channel_fingerprint, first=False)
    assert (again.podcast, again.episodes, again.present) == (None, (), changes.present)


def test_a_change_behind_what_looks_like_an_end_tag_is_seen() -> None:
    one = item("a").replace("Notes", "<![CDATA[</item>]]> Notes")
    before = read_changes(rss(one), url=URL)
    after = read_changes(rss(one.replace("Notes", "Other notes")), url=URL, known=known(before), first=False)
    assert [(e.guid, e.description) for e in after.episodes] == [("a", "</item> Other notes of a")]


def test_of_a_malformed_feed_only_the_bytes_of_unknown_items_are_read() -> None:
    broken = item("a").replace("Notes", "&nbsp;Notes")
    before = read_changes(rss(broken), url=URL)
    body = rss(item("b") + broken)
    after = read_changes(body, url=URL, known=known(before), channel_known=before.channel_fingerprint, first=False)
    assert [episode.guid for episode in after.episodes] == ["b"]
    assert (after.present, after.items, len(after.dates)) == ({"a", "b"}, 2, 1)
    twice = rss(item("a", audio="https://cdn.example/other.mp3") + broken)
    after = read_changes(twice, url=URL, known=known(before), channel_known=before.channel_fingerprint, first=False)
    assert after.present == {episode.guid for episode in parse_feed(twice, url=URL).episodes}


def test_what_the_podcast_namespace_says_of_a_feed_and_its_items() -> None:
    channel = """<podcast:locked owner="a@b.example">yes</podcast:locked><podcast:medium>Podcast</podcast:medium>
    <podcast:guid>917393e3</podcast:guid><podcast:txt purpose="verify">S6lpp-7ZCn8</podcast:txt><ttl>90</ttl>
    <podcast:updateFrequency rrule="FREQ=WEEKLY;BYDAY=MO,FR" complete="false">Twice a week</podcast:updateFrequency>
    <skipHours><hour>0</hour><hour>24</hour><hour>3</hour></skipHours><skipDays><day>Sunday</day></skipDays>
    <podcast:liveItem status="LIVE" start="2026-01-15T10:00:00Z"><title>Now</title><guid>live</guid>
    <enclosure url="https://live.example/s.mp3"/></podcast:liveItem>"""
    one = item("a").replace(
        "</item>",
        '<podcast:soundbite startTime="73.0" duration="60.0">Listen</podcast:soundbite>'
        '<podcast:soundbite startTime="x" duration="60"/><podcast:chapters url="c.json"/></item>',
    )
    body = rss(one, channel=channel)
    changes = read_changes(body, url=URL)
    assert changes.podcast is not None
    assert (changes.podcast.locked, changes.podcast.medium, changes.podcast.guid) == (True, "podcast", "917393e3")
    assert [(txt.purpose, txt.text) for txt in changes.podcast.txt] == [("verify", "S6lpp-7ZCn8")]
    assert changes.update_frequency == UpdateFrequency(text="Twice a week", rrule="FREQ=WEEKLY;BYDAY=MO,FR")
    assert (changes.hints.ttl, changes.hints.skip_hours, changes.hints.skip_days) == (5400.0, (0, 3), (6,))
    assert [(live.title, live.status, live.url) for live in changes.live_items] == [("Now", "live", "https://live.example/s.mp3")]
    (episode,) = changes.episodes
    assert [(bite.start, bite.duration, bite.title) for bite in episode.soundbites] == [(73.0, 60.0, "Listen")]
    assert episode.chapters_url == "https://feeds.example/show/c.json"
    whole = parse_feed(body, url=URL)
    assert (whole.podcast, whole.episodes, whole.live_items) == (changes.podcast, changes.episodes, changes.live_items)


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: rss(item("a"), text)))
def test_any_bytes_give_what_reading_them_whole_gives(body: bytes) -> None:
    try:
        expected = parse_feed(body, url=URL)
    except PermanentError:
        with pytest.raises(PermanentError):
            read_changes(body, url=URL)
        return
    changes = read_changes(body, url=URL)
    assert (changes.podcast, changes.episodes) == (expected.podcast, expected.episodes)


ITEMS = st.tuples(
    st.sampled_from("abc"), st.sampled_from("12"), st.sampled_from(["", "&nbsp;", "<![CDATA[</item>]]>", "<!-- -->"])
)


@given(st.lists(st.lists(ITEMS, max_size=5), min_size=2, max_size=4))
def test_version_after_version_nothing_is_missed_and_nothing_told_twice(versions: list[list[tuple[str, str, str]]]) -> None:
    marks: dict[str, str | None] = {}
    told: dict[str, ParsedEpisode] = {}
    channel = None
    for version in versions:
        items = (
            item(guid, title=f"{guid} {title}", audio=f"https://cdn.example/{guid}.mp3").replace("Notes", f"Notes{odd}")
            for guid, title, odd in version
        )
        body = rss(*items)
        expected = {episode.guid: episode for episode in parse_feed(body, url=URL).episodes}
        changes = read_changes(body, url=URL, known=marks, channel_known=channel, first=channel is None)
        assert changes.present == expected.keys()
        told |= {episode.guid: episode for episode in changes.episodes}
        assert {guid: told[guid] for guid in expected} == expected
        marks |= known(changes)
        channel = changes.channel_fingerprint
        again = read_changes(body, url=URL, known=marks, channel_known=channel, first=False)
        assert (again.episodes, again.present) == ((), changes.present)


# Fields in which an old item, read by lxml alone, differs from feedparser; everything else must be equal. In two Atom feeds that
# name several addresses feedparser takes another one for the episode's page.
SKETCH_DIFFERENCES = {("OneFootTsunami.atom", "link"): 3, ("pappacoda.atom", "link"): 1}


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_on_real_feeds_every_field_is_feedparsers(corpus: Path) -> None:
    read = whole = 0
    differences: dict[tuple[str, str], int] = {}
    for path in sorted((corpus / "feeds").glob("*/*")):
        body = path.read_bytes()
        try:
            expected = parse_feed(body, url=URL)
        except PermanentError:
            with pytest.raises(PermanentError):
                read_changes(body, url=URL)
            continue
        changes = read_changes(body, url=URL)
        read += 1
        assert (changes.podcast, changes.episodes) == (expected.podcast, expected.episodes), path
        assert (changes.live_items, changes.hints) == (expected.live_items, expected.hints), path
        for one in {0, len(changes.episodes) // 2, len(changes.episodes) - 1} if changes.episodes else ():
            others = known(changes)
            del others[changes.episodes[one].guid]
            alone = read_changes(body, url=URL, known=others, channel_known=changes.channel_fingerprint, first=False)
            assert alone.episodes == (expected.episodes[one],), path
            assert (alone.present, alone.items) == (changes.present, changes.items), path
        whole += changes.whole
        sketched = read_changes(body, url=URL, horizon=datetime(2200, 1, 1, tzinfo=UTC))
        for ours, theirs in zip(sketched.episodes, expected.episodes, strict=True):
            for field in type(ours).model_fields:
                if field != "description" and getattr(ours, field) != getattr(theirs, field):
                    differences[path.name, field] = differences.get((path.name, field), 0) + 1
    assert differences == SKETCH_DIFFERENCES
    assert read > 250
    assert whole <= 40
