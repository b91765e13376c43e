"""Whole scans against a local server: what each kind of server leads to, and that nothing is lost or seen twice."""

import asyncio
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.conftest import ROOT
from tests.top5.feeds.serving import Answer, FeedServer, Route, item, rss, with_etag
from top5.catalog.model import FeedState
from top5.catalog.store import Catalog
from top5.feeds.scan import ScanRow, scan
from top5.settings import ScanSettings

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
UTC_ZONE = ZoneInfo("UTC")
TWO = rss(item("one"), item("two"))


@pytest.fixture
def server() -> Iterator[FeedServer]:
    with FeedServer() as server:
        yield server


def poll(
    catalog: Catalog, server: FeedServer, now: datetime = NOW, *, everything: bool = True, **settings: object
) -> dict[str, ScanRow]:
    chosen = ScanSettings.model_validate(
        {"allow_private": (server.address,), "jitter": 0.0, "timeout": 2.0, "connect_timeout": 1.0, **settings}
    )
    feeds = catalog.feeds("active") if everything else None
    rows = asyncio.run(scan(catalog, chosen, now=now, tz=UTC_ZONE, feeds=feeds))
    return {row.url.removeprefix(f"http://{server.address}"): row for row in rows}


def follow(catalog: Catalog, server: FeedServer, path: str, route: Route, order: int = 0) -> str:
    server.routes[path] = route
    return catalog.add_feed(server.url(path), NOW + timedelta(seconds=order))[0]


def only(catalog: Catalog) -> FeedState:
    (feed,) = catalog.feeds()
    return feed


def titles(catalog: Catalog) -> list[str]:
    return sorted(episode.facts.title for episode in catalog.assign_day(NOW.date(), 3))


def test_a_feed_is_new_once_then_unmodified_then_new_again(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/feed", with_etag(TWO))
    first = poll(catalog, server)["/feed"]
    assert (first.reason, first.items, first.new, first.status) == ("ok", 2, 2, 200)
    again = poll(catalog, server, NOW + timedelta(hours=1))["/feed"]
    assert (again.reason, again.new, again.status) == ("not_modified", 0, 304)
    server.routes["/feed"] = with_etag(rss(item("three"), item("one"), item("two")), '"2"')
    third = poll(catalog, server, NOW + timedelta(hours=2))["/feed"]
    assert (third.reason, third.items, third.new, third.changed) == ("ok", 3, 1, 0)


def test_an_unchanged_body_without_validators_is_known_by_its_hash(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/feed", Answer(TWO))
    poll(catalog, server)
    assert poll(catalog, server, NOW + timedelta(hours=1))["/feed"].reason == "same_content"


def test_only_what_is_due_is_polled(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/feed", with_etag(TWO))
    assert set(poll(catalog, server, everything=False)) == {"/feed"}
    assert poll(catalog, server, NOW + timedelta(minutes=10), everything=False) == {}
    assert set(poll(catalog, server, NOW + timedelta(days=1), everything=False)) == {"/feed"}


def test_now_and_then_the_body_is_fetched_in_spite_of_validators(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/feed", with_etag(TWO))
    poll(catalog, server)
    # The server is broken: it says 304 although there is something new.
    server.routes["/feed"] = with_etag(rss(item("three"), item("one"), item("two")))
    assert poll(catalog, server, NOW + timedelta(days=1))["/feed"].new == 0
    assert poll(catalog, server, NOW + timedelta(days=8))["/feed"].new == 1


def test_new_items_only(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/feed", with_etag(TWO))
    poll(catalog, server)

    def delta(headers: Mapping[str, str]) -> Answer:
        assert (headers["If-None-Match"], headers["A-IM"]) == ('"1"', "feed")
        return Answer(rss(item("three")), 226, {"ETag": '"2"', "IM": "feed"})

    server.routes["/feed"] = delta
    row = poll(catalog, server, NOW + timedelta(hours=1))["/feed"]
    assert (row.reason, row.new, row.status) == ("ok", 1, 226)
    server.routes["/feed"] = Answer(TWO)
    assert poll(catalog, server, NOW + timedelta(hours=2))["/feed"].reason == "same_content"


def test_a_permanent_move_is_stored_when_it_is_seen_twice(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/old", Answer(status=301, headers={"Location": "/new"}))
    server.routes["/new"] = with_etag(TWO)
    poll(catalog, server)
    assert only(catalog).url == server.url("/old")
    poll(catalog, server, NOW + timedelta(hours=1))
    assert only(catalog).url == server.url("/new")
    assert poll(catalog, server, NOW + timedelta(hours=2))["/new"].new == 0


def test_a_temporary_move_is_not_stored(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/old", Answer(status=302, headers={"Location": "/new"}))
    server.routes["/new"] = with_etag(TWO)
    for hour in range(3):
        poll(catalog, server, NOW + timedelta(hours=hour))
    assert only(catalog).url == server.url("/old")


def test_gone_is_retired_and_refusals_back_off(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/gone", Answer(status=410))
    follow(catalog, server, "/missing", Answer(status=404), 1)
    poll(catalog, server)
    first = catalog.feeds("active")[0].next_poll
    poll(catalog, server, NOW)
    (missing,) = catalog.feeds("active")
    assert first is not None and missing.next_poll is not None and missing.next_poll > first
    assert [feed.reason for feed in catalog.feeds("gone")] == ["gone"]
    assert missing.failures == 2


def test_a_host_that_asks_for_quiet_gets_it_for_all_its_feeds(server: FeedServer, catalog: Catalog) -> None:
    follow(catalog, server, "/a", Answer(status=429, headers={"Retry-After": "7200"}))
    follow(catalog, server, "/b", with_etag(TWO), 1)
    rows = poll(catalog, server, max_connections=1)
    assert (rows["/a"].reason, rows["/b"].reason) == ("rate_limited", "host_waits")
    assert poll(catalog, server, NOW + timedelta(hours=1))["/b"].reason == "host_waits"
    assert len(server.requests) == 1
    server.routes["/a"] = with_etag(TWO)
    later = poll(catalog, server, NOW + timedelta(hours=3))
    assert {row.reason for row in later.values()} == {"ok"}


def test_the_order_of_answers_decides_nothing(server: FeedServer, tmp_path: Path) -> None:
    link = '<podcast:transcript url="https://cdn.example/same.vtt" type="text/vtt"/></item>'
    shared = "https://cdn.example/same.mp3"
    found: list[list[tuple[str, str, str]]] = []
    for turn in (0, 1):
        catalog = Catalog.at_home(tmp_path / str(turn))
        follow(catalog, server, "/network", Answer(rss(item("n1", title="The same", audio=shared), title="Network")), 0)
        follow(catalog, server, "/show", Answer(rss(item("s1", title="The same", audio=shared).replace("</item>", link))), 1)
        feeds = catalog.feeds("active")
        settings = ScanSettings(allow_private=(server.address,), jitter=0.0, max_connections=1)
        rows = asyncio.run(scan(catalog, settings, now=NOW, tz=UTC_ZONE, feeds=feeds[::-1] if turn else feeds))
        assert sum(row.new for row in rows) == 1
        found.append([(e.episode_id, e.facts.guid, e.feed_id) for e in catalog.assign_day(NOW.date(), 3)])
        catalog.close()
    assert found[0] == found[1]
    assert [guid for _, guid, _ in found[0]] == ["s1"]


def test_one_bad_feed_never_ends_a_scan(server: FeedServer, catalog: Catalog) -> None:
    """The stated outcome of each hostile body; the transport's are in test_fetch."""
    bomb = gzip.compress(bytes(3_000_000))
    latin = rss(item("latin", title="Zoë")).decode().encode("latin-1")
    hostile: dict[str, tuple[Route, str]] = {
        "/html": (Answer(b"<!DOCTYPE html><html><body>Sorry</body></html>"), "not_a_feed"),
        "/empty": (Answer(b""), "not_a_feed"),
        "/bomb": (Answer(bomb, headers={"Content-Encoding": "gzip"}), "too_large"),
        "/huge": (Answer(bytes(1_500_000)), "too_large"),
        "/loop": (Answer(status=302, headers={"Location": "/loop"}), "too_many_redirects"),
        "/inside": (Answer(status=302, headers={"Location": "http://169.254.169.254/"}), "private_address"),
        "/nul": (Answer(rss(item("nul")).replace(b"Notes", b"No\0tes")), "ok"),
        "/latin": (Answer(b'<?xml version="1.0" encoding="utf-8"?>' + latin), "ok"),
        "/utf16": (Answer(('<?xml version="1.0" encoding="utf-16"?>' + rss(item("utf16")).decode()).encode("utf-16-le")), "ok"),
        "/undeclared": (Answer(rss(item("utf16")).decode().encode("utf-16-le")), "not_a_feed"),
        "/cut": (Answer(rss(item("cut"))[:-40]), "ok"),
        "/billion": (Answer(b'<!DOCTYPE rss [<!ENTITY a "b">]>' + rss(item("dtd"))), "ok"),
        "/good": (with_etag(TWO), "ok"),
    }
    for order, (path, (route, _)) in enumerate(hostile.items()):
        follow(catalog, server, path, route, order)
    rows = poll(catalog, server, max_bytes=1_000_000, max_connections_per_host=4)
    assert {path: row.reason for path, row in rows.items()} == {path: reason for path, (_, reason) in hostile.items()}
    assert list(rows) == list(hostile)
    assert {"Title of one", "Title of two"} <= set(titles(catalog))
    unread = poll(catalog, server, NOW + timedelta(hours=1), max_bytes=1_000_000)["/html"]
    assert (unread.reason, "web page" in (unread.message or "")) == ("not_a_feed", True)


def test_a_name_that_resolves_to_the_loopback_address_is_not_asked(server: FeedServer, catalog: Catalog) -> None:
    port = server.address.rpartition(":")[2]
    catalog.add_feed(f"http://localhost:{port}/feed", NOW)
    rows = asyncio.run(scan(catalog, ScanSettings(jitter=0.0), now=NOW, tz=UTC_ZONE))
    assert [row.reason for row in rows] == ["private_address"]
    assert server.requests == []


SCAN = """
import asyncio, sys
from datetime import datetime
from zoneinfo import ZoneInfo
from top5.catalog.store import Catalog
from top5.feeds.scan import scan
from top5.settings import ScanSettings
url, address, now = sys.argv[1:]
catalog = Catalog(url)
settings = ScanSettings(allow_private=(address,), jitter=0.0, max_connections=4, timeout=20.0)
asyncio.run(scan(catalog, settings, now=datetime.fromisoformat(now), tz=ZoneInfo("UTC")))
"""


def start(catalog_url: str, server: FeedServer) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", SCAN, catalog_url, server.address, NOW.isoformat()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_a_killed_scan_loses_nothing_and_repeats_nothing(server: FeedServer, catalog: Catalog, catalog_url: str) -> None:
    killed: list[subprocess.Popen[str]] = []
    seen = 0

    def killing(headers: Mapping[str, str]) -> Answer:
        nonlocal seen
        seen += 1
        if seen == 1:
            os.kill(killed[0].pid, signal.SIGKILL)
        return Answer(rss(item("killer")))

    for number in range(12):
        follow(catalog, server, f"/{number}", with_etag(rss(item(f"e{number}"), title=f"Show {number}")), number)
    follow(catalog, server, "/killer", killing, 20)
    killed.append(start(catalog_url, server))
    killed[0].communicate()
    assert killed[0].returncode == -signal.SIGKILL
    rows = poll(catalog, server, everything=False)
    assert "/killer" in rows
    assert len(titles(catalog)) == 13
    assert sum(row.new for row in poll(catalog, server, NOW + timedelta(hours=1)).values()) == 0


def test_two_scans_at_once_find_each_episode_once(server: FeedServer, catalog: Catalog, catalog_url: str) -> None:
    for number in range(12):
        follow(catalog, server, f"/{number}", with_etag(rss(item(f"e{number}"), title=f"Show {number}")), number)

    def scan_beside(_: int) -> int:
        own = Catalog(catalog_url)
        rows = poll(own, server)
        own.close()
        return sum(row.new for row in rows.values())

    with ThreadPoolExecutor(2) as both:
        assert sum(both.map(scan_beside, range(2))) == 12
    assert len(titles(catalog)) == 12
