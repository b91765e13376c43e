from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.errors import PermanentError
from top5.feeds.opml import OpmlFeed, feed_url, read_opml, write_opml

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def opml(body: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><opml version="2.0"><head/><body>{body}</body></opml>'.encode()


def test_nested_groups_become_categories() -> None:
    body = opml(
        '<outline text="Tech"><outline title="AI &amp; more">'
        '<outline type="rss" text="Shown" title="Titled" xmlUrl="https://a.example/feed"/></outline></outline>'
        '<outline text="Top" xmlUrl="http://b.example/feed" category="/News/World,/Other"/>'
    )
    assert read_opml(body) == [
        OpmlFeed(title="Titled", url="https://a.example/feed", category="Tech / AI & more"),
        OpmlFeed(title="Top", url="http://b.example/feed", category="News/World"),
    ]


def test_duplicates_and_unusable_addresses_are_left_out() -> None:
    body = opml(
        '<outline text="One" xmlUrl="https://a.example/feed"/><outline text="Again" xmlUrl="feed:https://a.example/feed"/>'
        '<outline text="Bad" xmlUrl="javascript:alert(1)"/><outline text="File" xmlUrl="file:///etc/passwd"/>'
        '<outline text="None"/><outline xmlurl="HTTPS://c.example/feed"/>'
    )
    assert read_opml(body) == [
        OpmlFeed(title="One", url="https://a.example/feed"),
        OpmlFeed(title="c.example", url="https://c.example/feed"),
    ]


def test_a_broken_list_gives_what_can_be_read() -> None:
    body = (
        b'<opml><body><outline text="A & B" xmlUrl="https://a.example/?x=1&y=2"><outline text="B" xmlUrl="https://b.example/f"/>'
    )
    assert [feed.url for feed in read_opml(body)] == ["https://a.example/?x=1&y=2", "https://b.example/f"]


def test_an_empty_list_is_no_error() -> None:
    assert read_opml(opml("")) == []


def test_entities_are_neither_expanded_nor_fetched(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2", "utf-8")
    bomb = "".join(f'<!ENTITY b{level} "{f"&b{level - 1};" * 10}">' for level in range(1, 12))
    body = (
        f'<!DOCTYPE opml [<!ENTITY secret SYSTEM "{secret.as_uri()}"><!ENTITY b0 "laugh">{bomb}]>'
        '<opml><body><outline text="&secret;" xmlUrl="https://a.example/f"/><outline text="&b11;" xmlUrl="https://b.example/f"/></body></opml>'
    ).encode()
    try:
        feeds = read_opml(body)
    except PermanentError as error:
        assert error.reason == "not_opml"
    else:
        assert all("hunter2" not in feed.title and len(feed.title) <= 500 for feed in feeds)


@pytest.mark.parametrize(
    "body", [b"", b"   ", b"hello", b"{}", b"<html><body>no</body></html>", b"\x00\x01\x02", b"<rss><channel/></rss>"]
)
def test_what_is_no_list_is_refused(body: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        read_opml(body)
    assert caught.value.reason == "not_opml"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("feed://example.com/rss", "https://example.com/rss"),
        ("feed:http://example.com/rss", "http://example.com/rss"),
        ("pcast://example.com/rss", "https://example.com/rss"),
        (" https://example.com/a b ", "https://example.com/a%20b"),
        ("example.com/rss", "https://example.com/rss"),
        ("example.com:8080/rss", "https://example.com:8080/rss"),
        ("//example.com/rss", "https://example.com/rss"),
        ("mailto:a@example.com", None),
        ("data:text/xml,<rss/>", None),
        ("rss", None),
        ("", None),
        ("http://[bad/", None),
    ],
)
def test_feed_addresses(raw: str, expected: str | None) -> None:
    assert feed_url(raw) == expected


titles = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zs", "Zl", "Zp", "Cn", "Co")), min_size=1, max_size=40)
urls = st.from_regex(r"https?://[a-z]{1,10}\.example/[a-z0-9/?=&;%+]{0,30}", fullmatch=True)
lists = st.lists(
    st.builds(OpmlFeed, title=titles, url=urls, category=st.none() | titles), unique_by=lambda feed: feed.url, max_size=8
)


@given(lists, titles)
def test_writing_and_reading_round_trips(feeds: list[OpmlFeed], title: str) -> None:
    written = write_opml(feeds, title, CREATED)
    assert sorted(read_opml(written), key=lambda feed: feed.url) == sorted(feeds, key=lambda feed: feed.url)
    assert written == write_opml(feeds, title, CREATED)


@given(st.text(), st.text())
def test_any_title_can_be_written(title: str, category: str) -> None:
    written = write_opml([OpmlFeed(title=title, url="https://a.example/f", category=category)], title, CREATED)
    assert [feed.url for feed in read_opml(written)] == ["https://a.example/f"]


@given(st.binary() | st.text().map(lambda text: opml(text)))
def test_reading_raises_nothing_else(body: bytes) -> None:
    try:
        read_opml(body)
    except PermanentError as error:
        assert error.reason == "not_opml"


def test_golden() -> None:
    feed = OpmlFeed(title='A "show" & more', url="https://a.example/f?x=1&y=2", category="Tech")
    assert write_opml([feed], "Mine", CREATED).decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<opml version="2.0">\n  <head>\n    <title>Mine</title>\n    <dateCreated>Fri, 02 Jan 2026 03:04:05 GMT</dateCreated>\n'
        '  </head>\n  <body>\n    <outline text="Tech" title="Tech">\n'
        '      <outline type="rss" text="A &quot;show&quot; &amp; more" title="A &quot;show&quot; &amp; more"'
        ' xmlUrl="https://a.example/f?x=1&amp;y=2"/>\n'
        "    </outline>\n  </body>\n</opml>\n"
    )


@pytest.mark.corpus
def test_real_lists(corpus: Path) -> None:
    counts: dict[str, int] = {}
    for path in sorted((corpus / "opml" / "samples").iterdir()):
        try:
            counts[path.name] = len(read_opml(path.read_bytes()))
        except PermanentError as error:
            assert error.reason == "not_opml"
    assert counts["feedvalidator__subscriptionList.opml"] == 13
    assert sum(counts.values()) > 100
