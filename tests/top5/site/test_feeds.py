import json
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

import feedparser
from lxml import etree

from tests.top5.site.conftest import EVERYTHING, FACTS
from tests.top5.site.samples import FIRST, HOSTILE, digest, hostile_digest, keep
from top5.site.archive import Archive
from top5.site.feeds import Feed, Morning, feed, robots, sitemap, write
from top5.site.index import synchronise
from top5.site.pages import FEEDS, Pages

MORNING = Morning(ZoneInfo("Europe/Berlin"), 6, 30)


def _feed(pages: Pages, path: str = "/") -> Feed:
    made = feed(pages, path, MORNING)
    assert made is not None
    return made


def test_three_formats_say_the_same(pages: Pages) -> None:
    made = _feed(pages)
    atom, rss = (feedparser.parse(write(FACTS, made, name)) for name in ("feed.atom", "feed.rss"))
    document = json.loads(write(FACTS, made, "feed.json"))
    assert not atom.bozo and not rss.bozo
    assert (atom.version, rss.version, document["version"]) == ("atom10", "rss20", "https://jsonfeed.org/version/1.1")
    ids = [item["id"] for item in document["items"]]
    assert ids == [entry.id for entry in atom.entries] == [entry.id for entry in rss.entries]
    assert ids[-1] == "tag:five.example,2026-09-14:digest"
    assert [entry.link for entry in atom.entries] == [item["url"] for item in document["items"]]
    # The digest of the 18th goes out on the next morning at half past six in Berlin.
    assert atom.entries[0].published == "2026-09-19T04:30:00+00:00"


def test_a_revision_is_an_update_of_the_same_entry(tmp_path: Path) -> None:
    def entry() -> tuple[str, str]:
        synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
        archive = Archive(tmp_path)
        made = feed(Pages(archive, FACTS), "/", MORNING)
        archive.close()
        assert made is not None
        return made.entries[0].id, made.entries[0].updated.isoformat()

    keep(tmp_path, digest(FIRST))
    first = entry()
    keep(tmp_path, digest(FIRST, revision=2))
    second = entry()
    assert first[0] == second[0] and first[1] < second[1]


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    keep(tmp_path, hostile_digest(FIRST))
    synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
    archive = Archive(tmp_path)
    pages = Pages(archive, FACTS)
    for path in ("/", *(f"/shows/{show.slug}/" for show in archive.shows())):
        made = _feed(pages, path)
        for name, _, _ in FEEDS:
            data = write(FACTS, made, name)
            assert b"<script" not in data.replace(b"\\u003c", b"<") or name == "feed.json"
            if name == "feed.json":
                document = json.loads(data)
                assert "<script" not in document["items"][0]["content_html"]
            else:
                parsed = feedparser.parse(data, sanitize_html=False, resolve_relative_uris=False)
                assert not parsed.bozo
                assert "<script" not in parsed.entries[0].content[0].value
                etree.fromstring(data)
    assert _feed(pages).entries[0].title == HOSTILE
    archive.close()


def test_lists_have_feeds_of_their_insights(pages: Pages) -> None:
    made = _feed(pages, "/shows/topsoil/")
    assert len(made.entries) == 5
    assert made.entries[0].id.startswith("tag:five.example,2026-09-18:insight/")
    assert feed(pages, "/people/sunniva-roe/", MORNING) is not None
    for path in ("/shows/", "/shows/none/", "/days/", "/topics/sunniva-roe/", "//", "/shows/topsoil/x/"):
        assert feed(pages, path, MORNING) is None


def test_an_empty_archive_has_a_valid_feed(tmp_path: Path) -> None:
    synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
    archive = Archive(tmp_path)
    parsed = feedparser.parse(write(FACTS, _feed(Pages(archive, FACTS)), "feed.atom"))
    archive.close()
    assert not parsed.bozo and parsed.entries == []


def test_the_sitemap_names_every_page_once(pages: Pages) -> None:
    root = etree.fromstring(sitemap(FACTS, pages.paths()))
    found = [str(item.text) for item in root.iter("{http://www.sitemaps.org/schemas/sitemap/0.9}loc")]
    assert len(found) == len(set(found)) > 40
    assert "https://five.example/days/2026-09-14/" in found
    assert all(pages.page(item.removeprefix("https://five.example")) for item in found)
    assert b"Sitemap: https://five.example/sitemap.xml" in robots(FACTS)


def test_a_morning_is_in_the_reader_s_zone_in_summer_and_winter() -> None:
    assert MORNING.of(date(2026, 7, 1)).hour == 4
    assert MORNING.of(date(2026, 12, 1)).hour == 5
