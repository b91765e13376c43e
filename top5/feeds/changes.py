"""What a body says that is not known yet: reading a feed in two passes.

Belongs here: taking items whose bytes are known out of a feed before it is parsed (`_pieces`), finding in one lxml pass the name and date
of the others, and giving feedparser, in a feed cut down to them, only those that are more than plain RSS (`_show_notes`); feedparser
costs some ninety times as much as lxml for the same bytes. What the fields mean is in `parse`; which episodes exist is the catalog's
affair. Pure: no network, no clock.

What is left is cut down further where it is well-formed only. libxml2 and feedparser repair broken feeds differently, so a malformed feed,
or one with a document type, is read as `parse.parse_feed` reads it.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import overload

from top5.feeds.dates import parse_date
from top5.feeds.identity import episode_guid
from top5.feeds.model import Enclosure, FeedChanges, LiveItem, ParsedEpisode, ParsedFeed
from top5.feeds.parse import (
    MAX_ATTRIBUTES,
    MAX_DESCRIPTION,
    MAX_EPISODES,
    MAX_LENGTH,
    MAX_SHORT,
    MAX_TITLE,
    Children,
    Extras,
    charset_hint,
    clean,
    episode_of,
    exhausting,
    is_audio,
    item_extras,
    kind_of,
    kinds_of,
    live_item,
    mapping,
    mappings,
    one_line,
    parse_duration,
    parse_items,
    plain,
    podcast_of,
    read_fields,
    short,
    string,
    unique_guids,
    web_url,
)
from top5.feeds.xmltree import XmlElement, detach, fingerprint, has_more_attributes, serialise, sift, text_of

_ATOM = "http://www.w3.org/2005/Atom"
_DC = "http://purl.org/dc/elements/1.1/"
_DCTERMS = "http://purl.org/dc/terms/"
_MEDIA = "http://search.yahoo.com/mrss/"
_RSS1 = "http://purl.org/rss/1.0/"
_ROOTS = frozenset({"rss", "rdf", "feed"})
_AROUND_ITEMS = frozenset({"channel", "rdf", "feed", "rss"})
# They change with every build of the feed and say nothing about the show.
_VOLATILE = frozenset({"lastBuildDate", "pubDate", "updated", "item", "entry", "liveItem", "date"})
_CONTENT = "http://purl.org/rss/1.0/modules/content/"
_NOTES = frozenset({("", "description"), ("", "summary"), ("itunes", "summary"), (_CONTENT, "encoded")})
_BARE_MEDIA = frozenset((_MEDIA, name) for name in ("credit", "rating", "thumbnail"))
_PLAIN_ONCE = frozenset({"title", "link", "guid", "pubDate", "duration"})
# Names by which other vocabularies give text, dates or files: rare in podcasts, and left to feedparser.
_RICH = frozenset({
    "abstract", "body", "content", "date", "description", "encoded", "entry", "fullitem", "group", "html", "info", "item", "modified",
    "published", "source", "summary", "tagline", "updated", "created", "issued", "div", "base",
})  # fmt: skip
_WINDOWS = {code: bytes([code]).decode("cp1252") for code in range(0x80, 0xA0) if code not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)}
_ITEMS = ("{*}item", "{*}entry", "{*}liveItem")
_HEAD = re.compile(rb"\s*(?:<\?xml[^>]{0,200}\?>\s*)?<(rss|feed|rdf:RDF)\b[^<>]{0,4000}>")
_ITEM_BEGINS = re.compile(rb"<(item|entry)[\s>]")
_ENCLOSING = ((b"<![CDATA[", b"]]>"), (b"<!--", b"-->"), (b"<?", b"?>"))
_RAW_DATE = re.compile(rb"<(?:pubDate|published|updated|dc:date)>\s*([^<]{6,60})")
_WHOLE = "w"
"""Begins the channel's fingerprint of a feed that was read whole, so that what is left of it later is read in the same way."""
_NEWEST = 12
_MAX_UNDATED = 100
_DATES: Mapping[tuple[str, str], int] = {
    ("", "pubDate"): 0, (_ATOM, "published"): 0, (_ATOM, "issued"): 0, (_DCTERMS, "issued"): 0,
    (_ATOM, "updated"): 1, (_ATOM, "modified"): 1, (_DC, "date"): 1, (_DCTERMS, "modified"): 1,
    (_ATOM, "created"): 2, (_DCTERMS, "created"): 2,
}  # fmt: skip


@dataclass(frozen=True)
class _Asked:
    """What `read_changes` was asked, but for the bytes."""

    content_type: str | None
    url: str | None
    known: Mapping[str, str | None]
    channel_known: str | None
    horizon: datetime | None
    first: bool
    partial: bool


@dataclass
class _Item:
    """One item on its way. `episode` is None until feedparser has read it, where it must."""

    fingerprint: str
    date: str
    extras: Extras | None = None
    episode: ParsedEpisode | None = None


@dataclass
class _Sieve:
    """Decides item by item what feedparser must see; `keep` is handed to `xmltree.sift`. `marks` are the items' fingerprints, in order."""

    asked: _Asked
    marks: Sequence[str]
    items: list[_Item] = field(default_factory=list[_Item])
    live: list[LiveItem] = field(default_factory=list[LiveItem])
    total: int = 0
    odd: bool = False

    def keep(self, element: XmlElement) -> bool:
        kind, name = kind_of(element)
        url = self.asked.url
        if name == "liveItem":
            if kind == "podcast":
                self.live.append(live_item(element, url))
            return kind != "podcast"
        parent = element.getparent()
        if parent is None or kind_of(parent)[1].lower() not in _AROUND_ITEMS:
            self.odd = True
            return True
        self.total += 1
        if self.total > min(MAX_EPISODES, len(self.marks)):
            return False
        children = kinds_of(element)
        extras = item_extras(children, url)
        sketch = _sketch(children, extras, url)
        item = _Item(self.marks[self.total - 1], sketch.published_raw or "")
        self.items.append(item)
        if self._must_be_read(sketch):
            notes = _show_notes(children) if element.tag == "item" else None
            if notes is None:
                item.extras = extras
                return True
            sketch = sketch.model_copy(update={"description": notes})
        item.episode = sketch
        return False

    def _must_be_read(self, sketch: ParsedEpisode) -> bool:
        """Items in the look-back window, and whatever appears later. An old episode's name, audio and date are all that is kept."""
        horizon = self.asked.horizon
        if horizon is None or (not self.asked.first and sketch.guid not in self.asked.known):
            return True
        if sketch.published is None:
            return self.total <= _MAX_UNDATED
        return sketch.published >= horizon


def read_changes(
    body: bytes,
    *,
    content_type: str | None = None,
    url: str | None = None,
    known: Mapping[str, str | None] | None = None,
    channel_known: str | None = None,
    horizon: datetime | None = None,
    first: bool = True,
    partial: bool = False,
) -> FeedChanges:
    """What is new or changed in `body` against `known` (fingerprint by episode name) and `channel_known`.

    On a feed's `first` reading, episodes published before `horizon` come without show notes and are read by lxml alone, as do
    known old ones that changed; all others equal what `parse_feed` gives for the whole body. Raises PermanentError("not_a_feed").
    """
    asked = _Asked(content_type, url, known or {}, channel_known, horizon, first, partial)
    pieces = _pieces(body)
    marks = [_digest(body[start:end]) for start, end in pieces]
    names = {mark: name for name, mark in asked.known.items() if mark}
    if any(mark in names for mark in marks):
        changes = _read_unknown(body, pieces, marks, names, asked)
        if changes is not None:
            return changes
    return _read_cut(body, marks, asked) or _read_window(body, pieces, marks, asked) or _read_whole(body, marks, asked)


def _pieces(body: bytes) -> list[tuple[int, int]]:
    """Where the bytes of each item begin and end; nothing where markup cannot be told from text without parsing."""
    found: list[tuple[int, int]] = []
    enclosing = [(begins, ends) for begins, ends in _ENCLOSING if begins in body]
    position = 0
    while match := _ITEM_BEGINS.search(body, position):
        start, name = match.start(), match[1]
        closing = body.find(b"</%s>" % name, start)
        if closing < 0 or body.find(b"<%s>" % name, start + 1, closing) >= 0:
            return []
        if any(body.rfind(begins, start, closing) > body.rfind(ends, start, closing) for begins, ends in enclosing):
            # What looks like an end tag is text.
            return []
        position = closing + len(name) + 3
        found.append((start, position))
    return found


def _read_unknown(
    body: bytes, pieces: Sequence[tuple[int, int]], marks: Sequence[str], names: Mapping[str, str], asked: _Asked
) -> FeedChanges | None:
    """A feed without the bytes of the items whose fingerprint is in `names`; None where the others cannot be read without them."""
    left, fresh = _without(body, pieces, marks, names)
    still = {names[mark] for mark in marks if mark in names}
    whole = (asked.channel_known or "").startswith(_WHOLE)
    changes = None if whole else _read_cut(left, fresh, asked)
    changes = changes or _read_whole(left, fresh, asked, exactly=True)
    # Which of several items keeps their name is told by all of them.
    if changes is None or changes.present & still:
        return None
    ends = pieces if len(pieces) <= 2 * _NEWEST else (*pieces[:_NEWEST], *pieces[-_NEWEST:])
    dates = [match[1].decode("latin-1").strip() for start, end in ends if (match := _RAW_DATE.search(body, start, end))]
    more = {
        "present": changes.present | still,
        "items": changes.items + len(still),
        "dates": _newest(dates),
        "warnings": (*changes.warnings, *_too_many(len(pieces))),
    }
    return changes.model_copy(update=more)


def _without(
    body: bytes, pieces: Sequence[tuple[int, int]], marks: Sequence[str], names: Mapping[str, str]
) -> tuple[bytes, list[str]]:
    """The body without known items, and the fingerprints of those that are left."""
    rest: list[bytes] = []
    fresh: list[str] = []
    position = 0
    for number, ((start, end), mark) in enumerate(zip(pieces, marks, strict=True)):
        if number < MAX_EPISODES and mark not in names:
            fresh.append(mark)
            continue
        # What is left out becomes nothing, so that what stands between items stays as it was.
        rest.append(body[position:start])
        position = end
    return b"".join((*rest, body[position:])), fresh


def _read_window(body: bytes, pieces: Sequence[tuple[int, int]], marks: Sequence[str], asked: _Asked) -> FeedChanges | None:
    """A malformed feed without the items before the horizon, as far as they are well-formed; None where that makes no difference."""
    head = _HEAD.match(body)
    if not (asked.first and asked.horizon and head and len(pieces) <= MAX_EPISODES) or charset_hint(body, asked.content_type):
        return None
    old: dict[str, ParsedEpisode] = {}
    for (start, end), mark in zip(pieces, marks, strict=True):
        sieve = _Sieve(asked, [mark])
        root = sift(b"%s%s</%s>" % (head[0].lstrip(), body[start:end], head[1]), _ITEMS, sieve.keep)
        episode = sieve.items[0].episode if root is not None and sieve.items and not sieve.odd else None
        if episode is not None and episode.published is not None and episode.published < asked.horizon:
            old[mark] = episode
    names = {episode.guid for episode in old.values()}
    left, fresh = _without(body, pieces, marks, dict.fromkeys(old, ""))
    changes = _read_whole(left, fresh, asked, exactly=True) if old else None
    if changes is None or len(names) < len(old) or changes.present & names:
        return None
    found = dict(zip(changes.fingerprints, changes.episodes, strict=True)) | old
    order = [mark for mark in dict.fromkeys(marks) if mark in found]
    more = {
        "episodes": tuple(found[mark] for mark in order),
        "fingerprints": tuple(order),
        "present": changes.present | names,
        "items": changes.items + len(names),
        "dates": _newest([found[mark].published_raw or "" for mark in order]),
    }
    return changes.model_copy(update=more)


def _read_cut(body: bytes, marks: Sequence[str], asked: _Asked) -> FeedChanges | None:
    """What lxml finds, and feedparser in a feed cut down to what it must see; None where the two would not agree."""
    if charset_hint(body, asked.content_type):
        return None
    feed_bytes, url = body.lstrip(b" \t\r\n"), asked.url
    sieve = _Sieve(asked, marks)
    root = sift(feed_bytes, _ITEMS, sieve.keep)
    # Items under another prefix, or commented out: their bytes are not what was found.
    if root is None or sieve.odd or sieve.total != len(marks) or kind_of(root)[1].lower() not in _ROOTS:
        return None
    if has_more_attributes(root, MAX_ATTRIBUTES):
        raise exhausting(url)
    channel = next(root.iter("{*}channel"), root)
    mark = _channel_fingerprint(channel)
    unread = [item for item in sieve.items if item.extras is not None]
    podcast = None
    extras = item_extras(kinds_of(channel), url)
    if unread or mark != asked.channel_known:
        if mark == asked.channel_known and channel is not root:
            # Feedparser need not read again what the show says of itself.
            for child in list(channel.iterchildren()):
                if kind_of(child)[1] not in ("item", "entry"):
                    detach(child)
        parsed = read_fields(serialise(root), None, url)
        entries = mappings(parsed.get("entries"))
        if len(entries) != len(unread) or parsed.get("bozo") or not string(parsed.get("version")):
            return None
        podcast = podcast_of(mapping(parsed.get("feed")), extras, url) if mark != asked.channel_known else None
        for item, entry in zip(unread, entries, strict=True):
            item.episode = episode_of(entry, item.extras or Extras(), url)
    warnings = _too_many(sieve.total)
    episodes = unique_guids([item.episode for item in sieve.items if item.episode is not None], warnings)
    read = [(episode, sieve.items[place].fingerprint) for place, episode in episodes]
    changed = [(episode, mark) for episode, mark in read if asked.known.get(episode.guid) != mark]
    return FeedChanges(
        podcast=podcast,
        channel_fingerprint=mark,
        episodes=tuple(episode for episode, _ in changed),
        fingerprints=tuple(mark for _, mark in changed),
        present=frozenset(episode.guid for episode, _ in read),
        items=len(read),
        dates=_newest([item.date for item in sieve.items]),
        hints=extras.hints,
        update_frequency=extras.update_frequency,
        live_items=tuple(sieve.live),
        warnings=tuple(warnings),
        partial=asked.partial,
    )


def _too_many(items: int) -> list[str]:
    return [f"Only the first {MAX_EPISODES} of {items} items were read."] if items > MAX_EPISODES else []


@overload
def _read_whole(body: bytes, marks: Sequence[str], asked: _Asked) -> FeedChanges: ...
@overload
def _read_whole(body: bytes, marks: Sequence[str], asked: _Asked, *, exactly: bool) -> FeedChanges | None: ...
def _read_whole(body: bytes, marks: Sequence[str], asked: _Asked, *, exactly: bool = False) -> FeedChanges | None:
    """As `parse_feed` reads it. Items are known by their bytes, or else by their fields; with `exactly`, None instead of the latter."""
    feed, places, total = parse_items(body, content_type=asked.content_type, url=asked.url)
    if exactly and total != len(marks):
        return None
    marks_of = [marks[place] for place in places] if total == len(marks) else None
    return changes_of(feed, asked.known, asked.channel_known, partial=asked.partial, marks=marks_of)


def changes_of(
    feed: ParsedFeed,
    known: Mapping[str, str | None],
    channel_known: str | None = None,
    *,
    partial: bool = False,
    marks: Sequence[str] | None = None,
) -> FeedChanges:
    """The same for a feed that was read whole; `marks` are its episodes' fingerprints, by default those of their fields."""
    if marks is None:
        marks = [_digest(episode.model_dump_json().encode()) for episode in feed.episodes]
    changed = [(e, mark) for e, mark in zip(feed.episodes, marks, strict=True) if known.get(e.guid) != mark]
    mark = _WHOLE + _digest(feed.podcast.model_dump_json().encode())[1:]
    return FeedChanges(
        podcast=feed.podcast if mark != channel_known else None,
        channel_fingerprint=mark,
        episodes=tuple(episode for episode, _ in changed),
        fingerprints=tuple(mark for _, mark in changed),
        present=frozenset(episode.guid for episode in feed.episodes),
        items=len(feed.episodes),
        dates=_newest([episode.published_raw or "" for episode in feed.episodes]),
        hints=feed.hints,
        update_frequency=feed.podcast.update_frequency,
        live_items=feed.live_items,
        warnings=feed.warnings,
        partial=partial,
        whole=True,
    )


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _channel_fingerprint(channel: XmlElement) -> str:
    marks = [fingerprint(child) for child in channel.iterchildren() if kind_of(child)[1] not in _VOLATILE]
    return _digest("\n".join(marks).encode())


def _newest(raws: list[str]) -> tuple[datetime, ...]:
    """Moments of both ends of the feed: some list the oldest episode first."""
    ends = raws if len(raws) <= 2 * _NEWEST else raws[:_NEWEST] + raws[-_NEWEST:]
    return tuple(sorted({moment for raw in ends if (moment := parse_date(raw))}, reverse=True)[:_NEWEST])


# --- one item without feedparser ------------------------------------------------------------------


def _sketch(children: Children, extras: Extras, url: str | None) -> ParsedEpisode:
    """An episode without show notes, as feedparser would read its other fields; see docs/feeds.md for the differences."""
    title = media_title = link = duration = guid = ""
    permalink = False
    raws = ["", "", ""]
    enclosures: list[Enclosure] = []
    media: list[Enclosure] = []
    for kind, name, child in children:
        when = _DATES.get((kind, name))
        if when is not None:
            raws[when] = text_of(child) or raws[when]
        elif name == "title" and kind in ("", _ATOM, _RSS1, _DC):
            title = title or text_of(child)
        elif name == "title" and kind == _MEDIA:
            media_title = media_title or text_of(child)
        elif name == "link" and kind in ("", _RSS1):
            link = text_of(child) or link
        elif name == "link" and kind == _ATOM:
            rel = (child.get("rel") or "alternate").lower()
            address = child.get("href") or ""
            if rel == "alternate" and not (link and "html" not in (child.get("type") or "html")):
                link = address or link
            elif rel == "enclosure":
                _add(enclosures, child, address, url)
        elif name == "enclosure" and kind == "":
            _add(enclosures, child, child.get("url") or child.get("href") or "", url)
        elif name == "content" and kind == _MEDIA:
            _add(media, child, child.get("url") or "", url)
        elif name == "duration" and kind == "itunes":
            duration = text_of(child) or duration
        elif name == "guid" and kind == "":
            guid = text_of(child)
            permalink = (child.get("isPermaLink") or "true").lower() == "true"
    said = [text for raw in raws if (text := one_line(raw, MAX_SHORT))]
    moments = [(moment, raw) for raw in said if (moment := parse_date(raw))]
    published, published_raw = moments[0] if moments else (None, said[0] if said else None)
    found = enclosures or media
    enclosure = next((item for item in found if is_audio(item)), found[0] if found else None)
    address = web_url(link or (guid if permalink else ""), url)
    text = plain(_as_feedparser(title or media_title), MAX_TITLE) or plain(extras.title or "", MAX_TITLE)
    return ParsedEpisode(
        guid=episode_guid(
            guid=extras.guid,
            enclosure_url=enclosure.url if enclosure else None,
            link=address,
            title=text,
            published=published,
            published_raw=published_raw,
        ),
        title=text or "Untitled episode",
        link=address,
        published=published,
        published_raw=published_raw,
        duration=parse_duration(duration),
        enclosure=enclosure,
        transcripts=extras.transcripts,
        people=extras.people,
        chapters_url=extras.chapters_url,
        soundbites=extras.soundbites,
        txt=extras.txt,
    )


def _show_notes(children: Children) -> str | None:
    """The show notes of a plain RSS item, as feedparser would give them; None where it must be asked.

    Plain is an item whose text elements hold text only, each at most once. Of `description` and `summary` feedparser takes the first
    as summary and the others as content, unless `content:encoded` came before; content goes before summary.
    """
    summary: str | None = None
    contents: list[str] = []
    seen: set[tuple[str, str]] = set()
    address = needs_address = False
    for kind, name, child in children:
        is_notes = (kind, name) in _NOTES
        if not is_notes and name not in _PLAIN_ONCE:
            if name in _RICH and kind not in ("podcast", "itunes") and not _is_bare(kind, name, child):
                return None
            continue
        if kind not in ("", "itunes", _CONTENT):
            if kind != "podcast":
                return None
            continue
        if len(child) or (kind, name) in seen or (is_notes and child.items()):
            return None
        seen.add((kind, name))
        if is_notes:
            text = _as_feedparser(text_of(child))
            if not text:
                return None
            if name == "encoded" or summary is not None:
                contents.append(text)
            else:
                summary = text
        elif name == "link":
            address = True
            if not _is_web(child):
                return None
        elif name == "guid" and (child.get("isPermaLink") or "").lower() != "false" and not _is_web(child):
            needs_address = True
    if needs_address and not address:
        # Feedparser takes the name for an address, and resolves it against more than the feed's own.
        return None
    for text in (*contents, summary or ""):
        cleaned = clean(text).strip()
        if cleaned:
            return cleaned[:MAX_DESCRIPTION]
    return ""


def _is_bare(kind: str, name: str, element: XmlElement) -> bool:
    """Whether an element by the name of a rich one says nothing that feedparser takes for text of the item."""
    if (kind, name) == (_MEDIA, "content"):
        return all(kind_of(child) in _BARE_MEDIA for child in element.iterchildren())
    return (kind, name) == ("", "source") and not len(element)


def _is_web(element: XmlElement) -> bool:
    return text_of(element).startswith(("https://", "http://"))


def _as_feedparser(text: str) -> str:
    """Undo UTF-8 that was taken for latin-1, and Windows' characters among the control characters, where feedparser would."""
    if text.isascii():
        return text
    with suppress(UnicodeError):
        text = text.encode("latin-1").decode("utf-8")
    return text.translate(_WINDOWS)


def _add(found: list[Enclosure], element: XmlElement, raw: str, url: str | None) -> None:
    address = web_url(raw, url)
    if address:
        length = (element.get("length") or element.get("fileSize") or "").strip()
        size = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
        found.append(Enclosure(url=address, type=short(element.get("type")), length=size if 0 < size < MAX_LENGTH else None))
