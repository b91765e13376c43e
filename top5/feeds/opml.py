"""Subscription lists in OPML 2.0, read leniently and written strictly.

Belongs here: bytes to a list of feeds and back. Whether a feed exists and answers is found out by `top5.feeds.fetch`.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict

from top5.errors import PermanentError
from top5.feeds.xmltree import XmlElement, name_of, new_element, parse_tree, serialise

MAX_FEEDS = 50_000
_MAX_TITLE = 500
_MAX_URL = 4_096
_SPACES = re.compile(r"\s+")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")
# What podcast programs put before or in place of http: feed://host, feed:https://host, pcast://host.
_FEED_SCHEME = re.compile(r"(?:feed|pcast|itpc|podcast|rss):(?://)?(?=\S)", re.IGNORECASE)


class OpmlFeed(BaseModel):
    """One subscription. `category` is the path of the groups around it, joined by ` / `."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str
    url: str
    category: str | None = None


def read_opml(body: bytes) -> list[OpmlFeed]:
    """The feeds in `body`, in document order, each URL once; entries without a usable http(s) address are left out.

    Outlines may be nested, attributes written in any case, the XML broken. A list without feeds is an empty list. Raises
    PermanentError("not_opml") for what is no OPML.
    """
    root = parse_tree(body.lstrip(), repair=True)
    outlines = [element for element in root.iter() if name_of(element)[1].lower() == "outline"] if root is not None else []
    if root is None or (name_of(root)[1].lower() != "opml" and not any("xmlurl" in _attributes(outline) for outline in outlines)):
        raise PermanentError(
            "not_opml", "The file is no OPML list of feeds; export your subscriptions as OPML and import that file."
        )
    feeds: dict[str, OpmlFeed] = {}
    for outline in outlines:
        attributes = _attributes(outline)
        url = feed_url(
            attributes.get("xmlurl") or (attributes.get("url", "") if attributes.get("type", "").lower() == "rss" else "")
        )
        if url is None or url in feeds:
            continue
        title = _line(attributes.get("title") or "") or _line(attributes.get("text") or "") or (urlsplit(url).hostname or url)
        feeds[url] = OpmlFeed(title=title, url=url, category=_category(outline, attributes))
        if len(feeds) > MAX_FEEDS:
            raise PermanentError("not_opml", f"The file lists more than {MAX_FEEDS} feeds; split it.")
    return list(feeds.values())


def write_opml(feeds: Iterable[OpmlFeed], title: str, created: datetime) -> bytes:
    """An OPML 2.0 document (UTF-8) with one group per category, in the order of first appearance; `created` is timezone-aware."""
    root = new_element("opml", {"version": "2.0"})
    head = new_element("head", parent=root)
    new_element("title", parent=head, text=title)
    new_element("dateCreated", parent=head, text=format_datetime(created.astimezone(UTC), usegmt=True))
    body = new_element("body", parent=root)
    groups: dict[str, XmlElement] = {}
    for feed in feeds:
        parent = body
        if feed.category:
            if feed.category not in groups:
                groups[feed.category] = new_element("outline", {"text": feed.category, "title": feed.category}, parent=body)
            parent = groups[feed.category]
        new_element("outline", {"type": "rss", "text": feed.title, "title": feed.title, "xmlUrl": feed.url}, parent=parent)
    return serialise(root, pretty=True)


def feed_url(raw: str) -> str | None:
    """An http(s) address from what people and programs write for a feed (`feed:`, `pcast:`, no scheme at all), or None."""
    text = _UNPRINTABLE.sub("", raw).strip()
    text = _FEED_SCHEME.sub("", text, count=1)
    if not re.match(r"[A-Za-z][A-Za-z0-9+.\-]*:", text) or re.match(r"[^/:]+\.[^/:]+:\d", text):
        text = f"https://{text.removeprefix('//')}" if "." in text.partition("/")[0] or text.startswith("//") else text
    text = text.replace(" ", "%20")
    try:
        parts = urlsplit(text)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    if not usable or len(text) > _MAX_URL or _SPACES.search(text):
        return None
    return f"{parts.scheme.lower()}{text[len(parts.scheme) :]}"


def _attributes(element: XmlElement) -> dict[str, str]:
    return {key.lower(): value for key, value in element.items()}


def _category(outline: XmlElement, attributes: dict[str, str]) -> str | None:
    path: list[str] = []
    parent = outline.getparent()
    while parent is not None and len(path) < 10:
        around = _attributes(parent)
        if name_of(parent)[1].lower() == "outline":
            label = _line(around.get("title") or "") or _line(around.get("text") or "")
            if label:
                path.insert(0, label)
        parent = parent.getparent()
    if path:
        return " / ".join(path)[:_MAX_TITLE]
    return _line(attributes.get("category", "").split(",")[0].strip("/")) or None


def _line(text: str) -> str:
    return _SPACES.sub(" ", _UNPRINTABLE.sub(" ", text)).strip()[:_MAX_TITLE]
