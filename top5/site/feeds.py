"""Atom (RFC 4287), RSS 2.0 and JSON Feed 1.1, and the sitemap: what programs read of the archive.

Belongs here: the three formats from one list of entries, so they cannot disagree. Which entries a feed has is decided here too; what they
say is a card of `pages`.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from email.utils import format_datetime
from typing import Final
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from top5.site.pages import Card, Page, Pages, SiteFacts, fragment

DAYS: Final = 14
"""Days in the feed of all digests."""
INSIGHTS: Final = 30
"""Insights in the feed of one show, topic or person."""

_ATOM: Final = "http://www.w3.org/2005/Atom"
_CONTENT: Final = "http://purl.org/rss/1.0/modules/content/"
_SITEMAP: Final = "http://www.sitemaps.org/schemas/sitemap/0.9"
_MAX_SITEMAP: Final = 50_000
# What XML 1.0 cannot say, escaped or not.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Entry:
    """One entry of a feed. `id` stays the same whatever is revised; times are aware."""

    id: str
    url: str
    title: str
    summary: str
    html: str
    published: datetime
    updated: datetime
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Feed:
    """A feed before it has a format; `path` is the folder of the page that it belongs to."""

    path: str
    title: str
    description: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class Morning:
    """When a day's digest goes out: on the next morning."""

    tz: ZoneInfo
    hour: int
    minute: int

    def of(self, day: date) -> datetime:
        """The moment in UTC."""
        return datetime.combine(day + timedelta(days=1), time(self.hour, self.minute), self.tz).astimezone(UTC)


def feed(pages: Pages, path: str, morning: Morning) -> Feed | None:
    """The feed of a folder: `/` for all digests, one entry a day; a show, topic or person: one entry an insight. None where there is none."""
    facts, archive = pages.facts, pages.archive
    if path == "/":
        entries = [_day_entry(pages, item.day, morning) for item in archive.days(limit=DAYS)]
        return Feed("/", facts.title, facts.description, tuple(entry for entry in entries if entry is not None))
    page = pages.page(path)
    match path.strip("/").split("/"):
        case ["shows", slug]:
            insights = archive.insights_of_show(slug, limit=INSIGHTS)
        case ["topics" | "people", slug]:
            insights = archive.insights_of_name(slug, limit=INSIGHTS)
        case _:
            return None
    if page is None:
        return None
    cards = pages.cards(insights)
    return Feed(
        path, f"{page.title} · {facts.title}", page.description, tuple(_insight_entry(pages, card, morning) for card in cards)
    )


def write(facts: SiteFacts, made: Feed, name: str) -> bytes:
    """`made` as the file `feed.atom`, `feed.rss` or `feed.json`. Raises KeyError for another name."""
    return {"feed.atom": _atom, "feed.rss": _rss, "feed.json": _json}[name](facts, made)


def sitemap(facts: SiteFacts, paths: Iterable[tuple[str, date | None]]) -> bytes:
    """Every page with the day of its last change, newest first as given; at most the 50,000 that one file may name."""
    root = ET.Element("urlset", {"xmlns": _SITEMAP})
    for number, (path, day) in enumerate(paths):
        if number >= _MAX_SITEMAP:
            break
        url = ET.SubElement(root, "url")
        ET.SubElement(url, "loc").text = facts.absolute(path)
        if day is not None:
            ET.SubElement(url, "lastmod").text = day.isoformat()
    return _document(root)


def robots(facts: SiteFacts) -> bytes:
    """Everything may be read but the pages of subscribers, which are not linked from anywhere anyway."""
    closed = "".join(f"Disallow: {facts.prefix}/{name}/\n" for name in ("confirm", "manage", "data", "unsubscribe", "search"))
    return f"User-agent: *\n{closed}\nSitemap: {facts.absolute('/sitemap.xml')}\n".encode()


def _day_entry(pages: Pages, day: date, morning: Morning) -> Entry | None:
    found = pages.archive.digest(day)
    if found is None:
        return None
    digest, view = found
    cards = pages.cards(pages.archive.insights(day=day))
    published = morning.of(day)
    title = cards[0].words.headline if cards else f"No insight on {view.date}"
    more = f" (+{len(cards) - 1} more)" if len(cards) > 1 else ""
    return Entry(
        id=_tag(pages.facts, day, "digest"),
        url=pages.facts.absolute(f"/days/{day}/"),
        title=title + more,
        summary=view.preheader or view.short or "",
        html=_html(pages.facts, cards, view.short),
        published=published,
        updated=published + timedelta(minutes=max(digest.revision - 1, 0)),
        tags=tuple(dict.fromkeys(card.words.show for card in cards)),
    )


def _insight_entry(pages: Pages, card: Card, morning: Morning) -> Entry:
    published = morning.of(card.day)
    return Entry(
        id=_tag(pages.facts, card.day, f"insight/{card.insight.insight_id}"),
        url=pages.facts.absolute(card.path),
        title=card.words.headline,
        summary=card.words.body,
        html=_html(pages.facts, [card], None),
        published=published,
        updated=published,
        tags=(card.words.show,),
    )


def _html(facts: SiteFacts, cards: Sequence[Card], short: str | None) -> str:
    return fragment(Page("_entry.html", "", "", values={"cards": cards, "short": short}), facts)


def _tag(facts: SiteFacts, day: date, what: str) -> str:
    # RFC 4151: a name that stays when pages move; the host is that of the site when it was named.
    return f"tag:{urlsplit(facts.url).hostname},{day}:{what}"


def _xml(text: str) -> str:
    return _NOT_XML.sub("", text)


def _updated(made: Feed) -> datetime:
    return max((entry.updated for entry in made.entries), default=datetime(2000, 1, 1, tzinfo=UTC))


def _atom(facts: SiteFacts, made: Feed) -> bytes:
    root = ET.Element("feed", {"xmlns": _ATOM})

    def add(parent: ET.Element, name: str, text: str | None = None, **attributes: str) -> ET.Element:
        element = ET.SubElement(parent, name, {key: _xml(value) for key, value in attributes.items()})
        element.text = _xml(text) if text is not None else None
        return element

    add(root, "id", facts.absolute(made.path))
    add(root, "title", made.title)
    if made.description:
        add(root, "subtitle", made.description)
    add(root, "updated", _updated(made).isoformat())
    add(root, "link", rel="self", type="application/atom+xml", href=facts.absolute(f"{made.path}feed.atom"))
    add(root, "link", rel="alternate", type="text/html", href=facts.absolute(made.path))
    add(add(root, "author"), "name", facts.title)
    add(root, "icon", facts.absolute("/static/icon.svg"))
    for entry in made.entries:
        item = add(root, "entry")
        add(item, "id", entry.id)
        add(item, "title", entry.title)
        add(item, "link", rel="alternate", type="text/html", href=entry.url)
        add(item, "published", entry.published.isoformat())
        add(item, "updated", entry.updated.isoformat())
        for tag in entry.tags:
            add(item, "category", term=tag)
        add(item, "summary", entry.summary)
        add(item, "content", entry.html, type="html")
    return _document(root)


def _rss(facts: SiteFacts, made: Feed) -> bytes:
    root = ET.Element("rss", {"version": "2.0", "xmlns:atom": _ATOM, "xmlns:content": _CONTENT})
    channel = ET.SubElement(root, "channel")

    def add(parent: ET.Element, name: str, text: str, **attributes: str) -> None:
        ET.SubElement(parent, name, attributes).text = _xml(text)

    add(channel, "title", made.title)
    add(channel, "link", facts.absolute(made.path))
    add(channel, "description", made.description or made.title)
    add(channel, "language", "en")
    add(channel, "lastBuildDate", format_datetime(_updated(made)))
    own = {"rel": "self", "type": "application/rss+xml", "href": facts.absolute(f"{made.path}feed.rss")}
    ET.SubElement(channel, "atom:link", own)
    for entry in made.entries:
        item = ET.SubElement(channel, "item")
        add(item, "title", entry.title)
        add(item, "link", entry.url)
        add(item, "guid", entry.id, isPermaLink="false")
        add(item, "pubDate", format_datetime(entry.published))
        for tag in entry.tags:
            add(item, "category", tag)
        add(item, "description", entry.summary)
        add(item, "content:encoded", entry.html)
    return _document(root)


def _json(facts: SiteFacts, made: Feed) -> bytes:
    document = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": made.title,
        "description": made.description,
        "home_page_url": facts.absolute(made.path),
        "feed_url": facts.absolute(f"{made.path}feed.json"),
        "language": "en",
        "authors": [{"name": facts.title, "url": facts.absolute("/")}],
        "items": [
            {
                "id": entry.id,
                "url": entry.url,
                "title": entry.title,
                "summary": entry.summary,
                "content_html": entry.html,
                "date_published": entry.published.isoformat(),
                "date_modified": entry.updated.isoformat(),
                "tags": list(entry.tags),
            }
            for entry in made.entries
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=1) + "\n").encode("utf-8", "replace")


def _document(root: ET.Element) -> bytes:
    ET.indent(root, " ")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="utf-8") + b"\n"
