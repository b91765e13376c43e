import asyncio
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

import pytest

from tests.top5.feeds.serving import Answer, FeedServer, item, rss, with_etag
from top5.catalog.store import Catalog
from top5.errors import PermanentError
from top5.feeds.discover import Show, feed_links, podcast_index_headers, rank
from top5.feeds.subscriptions import accept_best, check, find_shows, look_at
from top5.settings import DiscoverSettings, ScanSettings, Settings

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
TRANSCRIPT = '<podcast:transcript url="https://cdn.example/1.vtt" type="text/vtt"/></item>'


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def settings(server: FeedServer, **discover: object) -> Settings:
    urls = {
        "itunes_search_url": server.url("/search"),
        "itunes_lookup_url": server.url("/lookup"),
        "podcast_index_url": server.url("/index"),
    }
    return Settings(
        scan=ScanSettings(allow_private=(server.address,), jitter=0.0, timeout=5.0),
        discover=DiscoverSettings.model_validate(urls | discover),
    )


def answer(value: object) -> Answer:
    return Answer(json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def test_a_site_leads_to_its_feed_and_comments_come_last(server: FeedServer) -> None:
    page = """<html><head><link rel="alternate" type="application/rss+xml" title="Comments" href="/comments">
    <link rel="stylesheet" href="/style.css"><link rel="ALTERNATE" type="application/rss+xml; charset=utf-8" href="/feed?a=1">
    <link rel="alternate" type="application/rss+xml" href="javascript:alert(1)"></head></html>"""
    server.routes = {"/": Answer(page.encode()), "/feed": Answer(rss(item("one")))}
    found = asyncio.run(look_at(server.url("/"), settings(server)))
    assert (found.url, found.others) == (server.url("/feed?a=1"), (server.url("/comments"),))
    assert found.feed.podcast.title == "A Show"


def test_an_apple_link_is_looked_up(server: FeedServer) -> None:
    server.routes = {
        "/lookup": answer({"resultCount": 1, "results": [{"feedUrl": server.url("/feed")}]}),
        "/feed": Answer(rss(item("one"))),
    }
    found = asyncio.run(look_at("https://podcasts.apple.com/us/podcast/a-show/id1234567890?i=1", settings(server)))
    assert (found.url, found.how) == (server.url("/feed"), "Apple Podcasts")
    assert server.requests[0][0] == "/lookup?id=1234567890&entity=podcast"
    server.routes["/lookup"] = answer({"results": []})
    with pytest.raises(PermanentError, match="Apple names no feed"):
        asyncio.run(look_at("https://podcasts.apple.com/us/podcast/id7", settings(server)))


def test_a_page_that_names_no_feed_says_so(server: FeedServer) -> None:
    server.routes = {"/": Answer(b"<html><body>hello</body></html>")}
    with pytest.raises(PermanentError, match="web page, not a feed"):
        asyncio.run(look_at(server.url("/"), settings(server)))


@pytest.mark.parametrize("body", [b"", b"\0\xff", b"<link rel=alternate>", b"<link rel=alternate href='http://[bad/'>"])
def test_any_page_can_be_searched_for_feeds(body: bytes) -> None:
    assert feed_links(body, "https://a.example/") == []


def test_shows_are_ranked_with_reasons_and_kept(server: FeedServer, catalog: Catalog) -> None:
    fresh = rss(item("a").replace("</item>", TRANSCRIPT), title="Chips Weekly")
    stale = rss(item("b", date="Mon, 01 Jan 2024 00:00:00 GMT"), title="Chips of Old")
    followed = rss(item("c"), title="Chips Daily")
    server.routes = {
        "/search": answer(
            {
                "results": [
                    {"feedUrl": server.url("/stale"), "collectionName": "Chips of Old", "releaseDate": "2024-01-01T00:00:00Z"},
                    {"feedUrl": server.url("/fresh"), "collectionName": "Chips Weekly", "releaseDate": "2026-01-14T00:00:00Z"},
                    {"feedUrl": server.url("/followed"), "collectionName": "Chips Daily", "releaseDate": "nonsense"},
                    {"feedUrl": "file:///etc/passwd", "collectionName": "Evil"},
                    {"feedUrl": server.url("/broken"), "collectionName": "Broken"},
                    "nonsense",
                ]
            }
        ),
        "/fresh": Answer(fresh),
        "/stale": Answer(stale),
        "/followed": Answer(followed),
        "/broken": Answer(b"<html>"),
    }
    catalog.add_feed(server.url("/followed"), NOW, title="Chips Daily")
    shows, troubles, new = asyncio.run(find_shows(catalog, ["chips"], settings(server), NOW))
    assert [show.title for show in shows] == ["Chips Weekly", "Chips of Old"]
    assert (troubles, new) == ([], 2)
    assert "transcripts for 1 of its last 1 episodes" in shows[0].reasons
    assert "no episode in the last 60 days" in shows[1].reasons
    accepted = accept_best(catalog, shows, 1, NOW)
    assert [show.title for show in accepted] == ["Chips Weekly"]
    assert {feed.url for feed in catalog.feeds("active")} == {server.url("/followed"), server.url("/fresh")}
    assert accept_best(catalog, shows, 0, NOW) == []


def test_podcast_index_is_asked_with_a_key_and_its_failure_is_a_sentence(server: FeedServer, catalog: Catalog) -> None:
    asked = settings(server, podcast_index_key="KEY", podcast_index_secret="SECRET")
    expected = podcast_index_headers(asked.discover, NOW)
    assert len(expected["Authorization"]) == 40
    seen: list[Mapping[str, str]] = []

    def index(headers: Mapping[str, str]) -> Answer:
        seen.append({name: headers[name] for name in expected})
        return answer({"feeds": [{"url": server.url("/feed"), "title": "A Show", "newestItemPubdate": NOW.timestamp()}]})

    server.routes = {"/index/search/byterm": index, "/feed": Answer(rss(item("one"))), "/search": Answer(b"<html>")}
    shows, troubles, _ = asyncio.run(find_shows(catalog, ["show"], asked, NOW))
    assert [show.title for show in shows] == ["A Show"]
    assert seen == [expected]
    assert len(troubles) == 1 and "does not answer in JSON" in troubles[0]


def test_a_key_is_not_taken_to_another_host(server: FeedServer, catalog: Catalog) -> None:
    with FeedServer({"/": Answer(b"{}")}) as other:
        server.routes = {"/index/search/byterm": Answer(status=302, headers={"Location": other.url("/")}), "/search": answer({})}
        asked = settings(server, podcast_index_key="KEY")
        scan = asked.scan.model_copy(update={"allow_private": (server.address, other.address)})
        asyncio.run(find_shows(catalog, ["show"], asked.model_copy(update={"scan": scan}), NOW))
        assert [path for path, headers in other.requests if "X-Auth-Key" not in headers] == ["/"]


def test_ranking_leaves_out_what_is_followed_under_another_address(catalog: Catalog) -> None:
    catalog.add_feed("http://a.example/feed", NOW, title="The Show")
    shows = [
        Show(url="https://a.example/feed", title="Other", topic="t", directory="d"),
        Show(url="https://b.example/feed", title="The Show (Ad-Free)", topic="t", directory="d"),
        Show(url="https://c.example/feed", title="New Show", topic="t", directory="d", last_episode=NOW - timedelta(days=3)),
    ]
    ranked = rank(shows, catalog.feeds(), NOW)
    assert [show.title for show in ranked] == ["New Show"]
    assert "shares show with what you follow" in ranked[0].reasons


def test_check_explains_a_poll_and_stores_nothing(server: FeedServer, catalog: Catalog) -> None:
    server.routes = {"/old": Answer(status=301, headers={"Location": "/feed"}), "/feed": with_etag(rss(item("one")))}
    feed_id, _ = catalog.add_feed(server.url("/old"), NOW)
    before = catalog.feeds()
    for asked in (server.url("/old"), feed_id):
        text = "\n".join(asyncio.run(check(catalog, asked, settings(server), NOW)))
        for said in ("Redirected (301)", "stored when the next scan sees it", "Items: 1, 1 new", "Next poll: 2026-01-15"):
            assert said in text
    assert catalog.feeds() == before
    text = "\n".join(asyncio.run(check(catalog, server.url("/none"), settings(server), NOW)))
    assert "Failed (not_found)" in text and "Not followed" in text
