"""Feed bytes to a feed as data. Pure: no network, no clock; the same bytes give the same result.

Belongs here: reading RSS and Atom with their iTunes and Podcasting 2.0 elements, cleaning and capping fields, refusing what is no
feed. Fetching is `top5.feeds.fetch`; which episodes are new is the scanner's question.

feedparser reads the fields that every feed has. One lxml pass adds what feedparser loses: of several `podcast:transcript` or
`podcast:person` in one item it keeps the last, and a namespace under another prefix changes its keys. HTML is neither sanitised
nor rewritten here, for that is most of feedparser's cost: whoever shows it sanitises it.
"""

import html
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import import_module
from typing import Protocol, cast
from urllib.parse import urljoin, urlsplit

from top5.errors import PermanentError
from top5.feeds.dates import parse_date
from top5.feeds.identity import episode_guid, peel_enclosure
from top5.feeds.model import (
    Enclosure,
    LiveItem,
    ParsedEpisode,
    ParsedFeed,
    Person,
    Podcast,
    PollHints,
    Soundbite,
    TranscriptLink,
    TxtRecord,
    UpdateFrequency,
)
from top5.feeds.xmltree import (
    XmlElement,
    detach,
    has_more_attributes,
    name_of,
    parse_tree,
    serialise,
    split_tag,
    text_of,
)
from top5.urls import mask_url

MAX_EPISODES = 20_000
MAX_TITLE = 500
MAX_DESCRIPTION = 200_000
MAX_URL = 4_096
MAX_SHORT = 200
_MAX_TRANSCRIPTS = 20
_MAX_PEOPLE = 50
_MAX_SOUNDBITES = 50
_MAX_TXT = 20
_MAX_DURATION = 7 * 24 * 3600
MAX_LENGTH = 10**12
_SMALL = 20_000
MAX_ATTRIBUTES = 1_000
_MOST_ITEMS = 5 * MAX_EPISODES
"""More are read by nobody and cost feedparser 20 microseconds each."""
_NO_HINTS = PollHints()
_NUMBER = re.compile(r"\d{1,7}(?:\.\d{1,9})?")
_WEEKDAYS = {name: number for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))}
_LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)

_PODCAST_NAMESPACES = re.compile(
    r"podcast|https?://(?:www\.)?podcastindex\.org/namespace/1\.0/?"
    r"|https?://github\.com/podcastindex-org/podcast-namespace/blob/main/docs/1\.0\.md(?:#.*)?",
    re.IGNORECASE,
)
_ITUNES_NAMESPACES = re.compile(r"itunes|https?://www\.itunes\.com/dtds/podcast-1\.0\.dtd", re.IGNORECASE)
_AUDIO_ENDING = re.compile(r"\.(?:mp3|m4a|m4b|aac|ogg|oga|opus|wav|flac|mpga)$", re.IGNORECASE)
# Absolute, with a plain host, and of characters that need no care.
_USUAL_URL = re.compile(r"https?://[A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?(?:/[A-Za-z0-9\-._~:/?#@!$&'()*+,;=%]*)?")
_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_SPACES = re.compile(r"\s+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CLOCK = re.compile(r"(?:(?:(\d{1,4}):)?(\d{1,4}):)?(\d{1,7})(?:[.,]\d+)?")
_SPOKEN = re.compile(
    r"(?:pt)?\s*(?:(\d+(?:\.\d+)?)\s*h(?:ours?|rs?)?)?[\s,]*(?:(\d+(?:\.\d+)?)\s*m(?:in(?:ute)?s?)?)?[\s,]*"
    r"(?:(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?)?\.?",
    re.IGNORECASE,
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9_\-.:]{1,40})", re.IGNORECASE)
_DECLARES_ENCODING = re.compile(rb"^\s*<\?xml[^>]{0,200}encoding", re.IGNORECASE)

Fields = Mapping[str, object]
Children = Sequence[tuple[str, str, XmlElement]]


class _Feedparser(Protocol):
    def parse(
        self, source: io.BytesIO, *, response_headers: dict[str, str], sanitize_html: bool, resolve_relative_uris: bool
    ) -> Fields: ...


@dataclass(frozen=True)
class Extras:
    """What the lxml pass finds in one item, or in the channel."""

    guid: str | None = None
    title: str | None = None
    author: str | None = None
    podcast_guid: str | None = None
    transcripts: tuple[TranscriptLink, ...] = ()
    people: tuple[Person, ...] = ()
    chapters_url: str | None = None
    soundbites: tuple[Soundbite, ...] = ()
    txt: tuple[TxtRecord, ...] = ()
    medium: str | None = None
    locked: bool | None = None
    update_frequency: UpdateFrequency | None = None
    hints: PollHints = _NO_HINTS


def parse_feed(body: bytes, *, content_type: str | None = None, url: str | None = None) -> ParsedFeed:
    """The feed in `body`; `content_type` is the HTTP header, `url` the final address, against which relative URLs are resolved.

    Malformed but readable feeds give their items and a warning. Episodes keep the feed's order; of two items with one GUID and
    one audio file the first stays, while items that share a GUID but not the audio are told apart (see `unique_guids`). A
    `podcast:liveItem` is no episode. Raises PermanentError("not_a_feed") for everything else: web pages, JSON, binary, nothing at
    all.
    """
    return parse_items(body, content_type=content_type, url=url)[0]


def parse_items(
    body: bytes, *, content_type: str | None = None, url: str | None = None
) -> tuple[ParsedFeed, tuple[int, ...], int]:
    """As `parse_feed`, with the place of each episode among the feed's items, and how many items there are."""
    if body.count(b"<item") + body.count(b"<entry") > _MOST_ITEMS:
        raise exhausting(url)
    warnings: list[str] = []
    feed_bytes, live_items = _inspected(body.lstrip(b" \t\r\n"), url)
    parsed = read_fields(feed_bytes, None if live_items else charset_hint(body, content_type), url)
    entries = mappings(parsed.get("entries"))
    if not string(parsed.get("version")):
        raise _not_a_feed(body, url)
    if parsed.get("bozo"):
        warnings.append(
            f"The feed is malformed ({one_line(str(parsed.get('bozo_exception')), 150)}); what could be read was kept."
        )
    if len(entries) > MAX_EPISODES:
        warnings.append(f"Only the first {MAX_EPISODES} of {len(entries)} items were read.")

    text = _decoded(feed_bytes, string(parsed.get("encoding")))
    root = parse_tree(text, base_url=url, repair=bool(parsed.get("bozo")))
    channel_extras, found = _extras(root, url, entries, warnings)
    channel = mapping(parsed.get("feed"))
    episodes = [episode_of(entry, extras, url) for entry, extras in zip(entries[:MAX_EPISODES], found, strict=False)]
    told_apart = unique_guids(episodes, warnings)
    feed = ParsedFeed(
        podcast=podcast_of(channel, channel_extras, url),
        episodes=tuple(episode for _, episode in told_apart),
        warnings=tuple(warnings),
        live_items=live_items,
        hints=channel_extras.hints,
    )
    return feed, tuple(place for place, _ in told_apart), len(entries)


def parse_duration(raw: str) -> float | None:
    """Seconds from any spelling of `itunes:duration`, or None where it says nothing.

    Reads `3723`, `62:03`, `1:02:03`, `1:02:03.5`, `1h 2m 3s`, `62 min`, `PT1H2M3S`. Zero means that the publisher does not know;
    more than a week is a mistake (milliseconds, usually).
    """
    text = raw.strip()[:50]
    clock = _CLOCK.fullmatch(text)
    if clock:
        hours, minutes, seconds = (float(group or 0) for group in clock.groups())
    else:
        spoken = _SPOKEN.fullmatch(text)
        if spoken is None:
            return None
        hours, minutes, seconds = (float(group or 0) for group in spoken.groups())
    total = hours * 3600 + minutes * 60 + seconds
    return total if 0 < total <= _MAX_DURATION else None


# --- bytes ----------------------------------------------------------------------------------------


@cache
def _feedparser() -> _Feedparser:
    return cast(_Feedparser, import_module("feedparser"))


def read_fields(body: bytes, charset: str | None, url: str | None) -> Fields:
    """feedparser's result for these bytes; raises PermanentError("not_a_feed") where it cannot read them."""
    headers = {"content-type": f"application/xml; charset={charset}"} if charset else {}
    try:
        # A stream, because feedparser takes bytes for a file name. No base URL, because it would be glued to GUIDs that are no
        # URLs.
        return _feedparser().parse(io.BytesIO(body), response_headers=headers, sanitize_html=False, resolve_relative_uris=False)
    except Exception as error:
        # feedparser documents no errors, so any it raises means the same: these bytes cannot be read.
        message = f"{_shown(url)} cannot be read as a feed ({type(error).__name__}); check the address or tell the publisher."
        raise PermanentError("not_a_feed", message) from error


def _inspected(body: bytes, url: str | None) -> tuple[bytes, tuple[LiveItem, ...]]:
    """What feedparser may be given, and the live items taken out; with any, the bytes were rewritten as UTF-8.

    Without `podcast:liveItem`, whose title and links would overwrite the channel's; and not at all with an element of thousands of attributes,
    for which Python's SAX takes quadratic time (7 s for 200 kB).
    """
    has_live = b"liveItem" in body
    if not has_live and len(body) < _SMALL:
        return body, ()
    root = parse_tree(body, base_url=url)
    if root is None:
        return body, ()
    if has_more_attributes(root, MAX_ATTRIBUTES):
        raise exhausting(url)
    live = [element for element in root.iter("{*}liveItem") if is_podcast(name_of(element)[0])] if has_live else []
    # An element inside another goes with it.
    found = tuple(live_item(element, url) for element in live)
    for element in live:
        detach(element)
    return (serialise(root), found) if live else (body, ())


def charset_hint(body: bytes, content_type: str | None) -> str | None:
    """The header's charset where nothing better is known: servers send defaults that contradict what the publisher wrote."""
    match = _CHARSET.search(content_type or "")
    if match is None or _DECLARES_ENCODING.match(body[:400]) or body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return None
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        return match[1]
    return None


def _decoded(body: bytes, encoding: str) -> str:
    try:
        text = body.decode(encoding or "utf-8", "replace")
    except LookupError:
        text = body.decode("utf-8", "replace")
    return text.removeprefix("\ufeff").lstrip()


def exhausting(url: str | None) -> PermanentError:
    """The failure of a feed that is built to keep its reader busy."""
    return PermanentError("not_a_feed", f"{_shown(url)} is made to exhaust its reader; unsubscribe or tell the publisher.")


def _not_a_feed(body: bytes, url: str | None) -> PermanentError:
    head = body[:2000].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if not head:
        return PermanentError("not_a_feed", f"{_shown(url)} is empty; check the address or try it in a browser.")
    if head.startswith((b"{", b"[")):
        return PermanentError("not_a_feed", f"{_shown(url)} is JSON, not RSS or Atom; look for the show's RSS address.")
    if b"<html" in head or b"<!doctype html" in head:
        return PermanentError("not_a_feed", f"{_shown(url)} is a web page, not a feed; look for the show's RSS address on it.")
    if b"<opml" in head:
        return PermanentError("not_a_feed", f"{_shown(url)} is an OPML list of feeds, not a feed; import it as OPML.")
    if b"\0" in head or not head.startswith(b"<"):
        return PermanentError("not_a_feed", f"{_shown(url)} is neither RSS nor Atom; look for the show's RSS address.")
    return PermanentError("not_a_feed", f"{_shown(url)} is XML but neither RSS nor Atom; look for the show's RSS address.")


def _shown(url: str | None) -> str:
    return mask_url(url) if url else "The input"


# --- the lxml pass --------------------------------------------------------------------------------


def _extras(root: XmlElement | None, url: str | None, entries: list[Fields], warnings: list[str]) -> tuple[Extras, list[Extras]]:
    if root is None:
        return Extras(), [Extras()] * len(entries)
    items = [item_extras(kinds_of(element), url) for element in root.iter("{*}item", "{*}entry")]
    channel = next(root.iter("{*}channel"), root)
    if len(items) == len(entries):
        return item_extras(kinds_of(channel), url), items
    warnings.append(
        f"The two readers disagree on the number of items ({len(entries)} and {len(items)}); they were matched by GUID."
    )
    by_guid = {item.guid: item for item in items if item.guid}
    return item_extras(kinds_of(channel), url), [by_guid.get(string(entry.get("id")).strip(), Extras()) for entry in entries]


def item_extras(children: Children, url: str | None) -> Extras:
    """What feedparser loses of one item, or of the channel; relative addresses are resolved against `url`."""
    guid = title = author = podcast_guid = chapters = medium = locked = frequency = ttl = None
    transcripts: list[TranscriptLink] = []
    people: list[Person] = []
    soundbites: list[Soundbite] = []
    txt: list[TxtRecord] = []
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()
    for kind, name, child in children:
        if name in ("guid", "id") and guid is None and kind != "podcast":
            guid = text_of(child) or None
        elif kind == "itunes":
            if name == "author":
                author = author or one_line(text_of(child), MAX_SHORT) or None
            elif name == "title":
                title = title or text_of(child) or None
        elif kind == "":
            if name == "ttl":
                minutes = text_of(child)[:10]
                ttl = float(minutes) * 60 if minutes.isascii() and minutes.isdigit() else ttl
            elif name == "skipHours":
                # 24 is the older spelling of midnight.
                hours = (text_of(hour) for hour in child.iterchildren())
                skip_hours = tuple(
                    sorted({int(hour) % 24 for hour in hours if hour.isdecimal() and len(hour) < 3 and int(hour) < 25})
                )
            elif name == "skipDays":
                days = (text_of(day)[:3].lower() for day in child.iterchildren())
                skip_days = tuple(sorted({_WEEKDAYS[day] for day in days if day in _WEEKDAYS}))
        elif kind != "podcast":
            continue
        elif name == "transcript":
            address = web_url(child.get("url"), child.base or url)
            if address:
                transcripts.append(
                    TranscriptLink(
                        url=address,
                        type=short(child.get("type")),
                        language=short(child.get("language")),
                        rel=(short(child.get("rel")) or "").lower() or None,
                    )
                )
        elif name == "person":
            person = one_line(text_of(child), MAX_SHORT)
            # "If role is missing then host is assumed": the namespace's own rule.
            if person:
                people.append(Person(name=person, role=(short(child.get("role")) or "host").lower()))
        elif name == "chapters":
            chapters = chapters or web_url(child.get("url"), child.base or url)
        elif name == "soundbite":
            start, duration = _seconds(child.get("startTime")), _seconds(child.get("duration"))
            if start is not None and duration:
                soundbites.append(Soundbite(start=start, duration=duration, title=one_line(text_of(child), MAX_SHORT)))
        elif name == "txt":
            words = one_line(text_of(child), MAX_URL)
            if words:
                txt.append(TxtRecord(text=words, purpose=short(child.get("purpose"))))
        elif name == "guid":
            podcast_guid = podcast_guid or short(text_of(child))
        elif name == "medium":
            medium = medium or (short(text_of(child)) or "").lower() or None
        elif name == "locked":
            said = text_of(child).lower()
            locked = {"yes": True, "no": False}.get(said, locked)
        elif name == "updateFrequency":
            complete = (child.get("complete") or "").lower() == "true"
            frequency = UpdateFrequency(
                text=one_line(text_of(child), MAX_SHORT), rrule=short(child.get("rrule")), complete=complete
            )
    return Extras(
        guid=guid,
        title=title,
        author=author,
        podcast_guid=podcast_guid,
        transcripts=tuple(dict.fromkeys(transcripts))[:_MAX_TRANSCRIPTS],
        people=_with_author(people, author),
        chapters_url=chapters,
        soundbites=tuple(soundbites[:_MAX_SOUNDBITES]),
        txt=tuple(txt[:_MAX_TXT]),
        medium=medium,
        locked=locked,
        update_frequency=frequency,
        hints=PollHints(ttl=ttl, skip_hours=skip_hours, skip_days=skip_days) if ttl or skip_hours or skip_days else _NO_HINTS,
    )


def live_item(element: XmlElement, url: str | None) -> LiveItem:
    """A `podcast:liveItem`: kept apart, because it is a stream that ends and no episode."""
    texts: dict[str, str] = {}
    stream = None
    for child in element.iterchildren():
        kind, name = kind_of(child)
        if kind == "" and name in ("title", "guid", "link"):
            texts.setdefault(name, text_of(child))
        elif name == "enclosure":
            stream = stream or web_url(child.get("url"), child.base or url)
    return LiveItem(
        title=plain(texts.get("title", ""), MAX_TITLE) or "Untitled stream",
        status=(short(element.get("status")) or "").lower() or None,
        start=parse_date(element.get("start") or ""),
        end=parse_date(element.get("end") or ""),
        guid=short(texts.get("guid")),
        link=web_url(texts.get("link"), element.base or url),
        url=stream,
    )


def _with_author(people: list[Person], author: str | None) -> tuple[Person, ...]:
    if author and not people:
        people = [Person(name=author, role="host")]
    return tuple(dict.fromkeys(people))[:_MAX_PEOPLE]


def is_podcast(namespace: str) -> bool:
    """Whether a namespace URI (or undeclared prefix) is Podcasting 2.0's, in any of its spellings."""
    return _PODCAST_NAMESPACES.fullmatch(namespace) is not None


def kind_of(element: XmlElement) -> tuple[str, str]:
    """(`podcast`, `itunes`, the namespace itself or "" for RSS's own, local name)."""
    return _kind(element.tag)


def kinds_of(element: XmlElement) -> Children:
    """The children with what `kind_of` says of each."""
    return [(*_kind(child.tag), child) for child in element.iterchildren()]


@lru_cache(maxsize=4096)
def _kind(tag: object) -> tuple[str, str]:
    if not isinstance(tag, str):
        return "", ""
    namespace, name = split_tag(tag)
    if is_podcast(namespace):
        return "podcast", name
    return ("itunes" if _ITUNES_NAMESPACES.fullmatch(namespace) else namespace), name


def _seconds(raw: str | None) -> float | None:
    text = (raw or "").strip()[:20]
    return float(text) if _NUMBER.fullmatch(text) else parse_duration(text)


# --- fields ---------------------------------------------------------------------------------------


def podcast_of(channel: Fields, extras: Extras, url: str | None) -> Podcast:
    """Feed-level facts from feedparser's `feed` and what it loses."""
    title = plain(string(channel.get("title")), MAX_TITLE) or plain(extras.title or "", MAX_TITLE)
    description = string(channel.get("subtitle")) or string(channel.get("summary"))
    return Podcast(
        title=title or (urlsplit(url).hostname if url else None) or "Untitled podcast",
        link=web_url(channel.get("link"), url),
        description=clean(description)[:MAX_DESCRIPTION],
        language=short(channel.get("language")),
        author=short(extras.author or channel.get("author")),
        guid=extras.podcast_guid,
        image=web_url(mapping(channel.get("image")).get("href"), url),
        people=extras.people,
        medium=extras.medium,
        locked=extras.locked,
        update_frequency=extras.update_frequency,
        txt=extras.txt,
    )


def episode_of(entry: Fields, extras: Extras, url: str | None) -> ParsedEpisode:
    """An episode from one of feedparser's `entries` and what it loses."""
    title = plain(string(entry.get("title")), MAX_TITLE) or plain(extras.title or "", MAX_TITLE)
    enclosure = _enclosure(entry, url)
    link = web_url(entry.get("link"), url)
    published, published_raw = _published(entry)
    return ParsedEpisode(
        guid=episode_guid(
            guid=extras.guid or string(entry.get("id")),
            enclosure_url=enclosure.url if enclosure else None,
            link=link,
            title=title,
            published=published,
            published_raw=published_raw,
        ),
        title=title or "Untitled episode",
        link=link,
        published=published,
        published_raw=published_raw,
        duration=parse_duration(string(entry.get("itunes_duration"))),
        description=_show_notes(entry),
        enclosure=enclosure,
        transcripts=extras.transcripts,
        people=extras.people,
        chapters_url=extras.chapters_url,
        soundbites=extras.soundbites,
        txt=extras.txt,
    )


def _published(entry: Fields) -> tuple[datetime | None, str | None]:
    # Asked for by `in` first: feedparser answers for a missing `updated` with `published`, and warns.
    raws = (string(entry.get(key)) for key in ("published", "updated", "created") if key in entry)
    said = [text for raw in raws if (text := one_line(raw, MAX_SHORT))]
    for raw in said:
        moment = parse_date(raw)
        if moment is not None:
            return moment, raw
    return None, said[0] if said else None


def _show_notes(entry: Fields) -> str:
    """content:encoded (or Atom's content) over description and summary."""
    for content in mappings(entry.get("content")):
        value = clean(string(content.get("value"))).strip()
        if value:
            return value[:MAX_DESCRIPTION]
    return clean(string(entry.get("summary"))).strip()[:MAX_DESCRIPTION]


def _enclosure(entry: Fields, url: str | None) -> Enclosure | None:
    """The first audio, or the first at all; Media RSS where there is no enclosure."""
    found: list[Enclosure] = []
    for source, key in (("enclosures", "href"), ("media_content", "url")):
        for item in mappings(entry.get(source)):
            address = web_url(item.get(key) or item.get("url"), url)
            if address:
                length = string(item.get("length") or item.get("filesize")).strip()
                size = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else 0
                found.append(Enclosure(url=address, type=short(item.get("type")), length=size if 0 < size < MAX_LENGTH else None))
        if found:
            break
    return next((item for item in found if is_audio(item)), found[0] if found else None)


def is_audio(enclosure: Enclosure) -> bool:
    """By its type, else by the ending of its path."""
    if enclosure.type and enclosure.type.lower().startswith("audio/"):
        return True
    return not (enclosure.type or "").lower().startswith(("video/", "image/", "text/")) and bool(
        _AUDIO_ENDING.search(urlsplit(enclosure.url).path)
    )


def unique_guids(episodes: list[ParsedEpisode], warnings: list[str]) -> list[tuple[int, ParsedEpisode]]:
    """Episodes with their place in the list, GUIDs made unique.

    Of several episodes under one GUID the oldest keeps it: a new one on top must not rename those below.
    """
    by_guid: dict[str, list[int]] = {}
    for index, episode in enumerate(episodes):
        by_guid.setdefault(episode.guid, []).append(index)
    dropped: set[int] = set()
    renamed: dict[int, ParsedEpisode] = {}
    taken = set(by_guid)
    for guid, indexes in by_guid.items():
        if len(indexes) == 1:
            continue
        distinct: dict[tuple[str, ...], int] = {}
        for index in indexes:
            key = _content_key(episodes[index])
            if key in distinct:
                dropped.add(index)
            else:
                distinct[key] = index
        # Undated items are as old as their place in the feed says.
        oldest = min(distinct.values(), key=lambda index: (episodes[index].published or _LONG_AGO, -index))
        for index in distinct.values():
            if index == oldest:
                continue
            episode = episodes[index]
            candidates = (
                episode_guid(enclosure_url=episode.enclosure.url if episode.enclosure else None, title=guid + episode.title),
                episode_guid(title="\n".join((guid, *_content_key(episode)))),
            )
            fresh = next((candidate for candidate in candidates if candidate not in taken), None)
            if fresh is None:
                dropped.add(index)
                continue
            taken.add(fresh)
            renamed[index] = episode.model_copy(update={"guid": fresh})
    if dropped:
        warnings.append(f"{len(dropped)} repeated items were left out.")
    if renamed:
        warnings.append(f"{len(renamed)} items share the GUID of another episode; they are known by their audio instead.")
    return [(index, renamed.get(index, episode)) for index, episode in enumerate(episodes) if index not in dropped]


def _content_key(episode: ParsedEpisode) -> tuple[str, ...]:
    if episode.enclosure:
        return (peel_enclosure(episode.enclosure.url),)
    return (
        episode.link or "",
        episode.title,
        episode.published.isoformat() if episode.published else episode.published_raw or "",
    )


# --- text -----------------------------------------------------------------------------------------


def web_url(raw: object, base: str | None) -> str | None:
    """An absolute http(s) URL, or None: a feed can name `file:` and `javascript:` too, and a URL cut short is a wrong URL."""
    if isinstance(raw, str) and len(raw) <= MAX_URL and _USUAL_URL.fullmatch(raw):
        return raw
    text = _CONTROL.sub("", string(raw)).strip()
    if not text or len(text) > MAX_URL:
        return None
    try:
        absolute = urljoin(base, text) if base and not text.startswith(("https://", "http://")) else text
        parts = urlsplit(absolute)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    return _SPACES.sub("%20", absolute) if usable and len(absolute) <= MAX_URL else None


def plain(text: str, limit: int) -> str:
    """One line without markup: titles come escaped once, twice, or as HTML."""
    if "&" not in text and "<" not in text:
        return one_line(text, limit)
    return one_line(html.unescape(_TAG.sub("", html.unescape(text[: limit * 4]))), limit)


def one_line(text: str, limit: int) -> str:
    """Text without control characters, runs of white space as one space, cut at `limit`."""
    if text.isprintable() and "  " not in text:
        return text[: limit * 4].strip()[:limit]
    return _SPACES.sub(" ", clean(text[: limit * 4])).strip()[:limit]


def short(value: object) -> str | None:
    """A string of at most 200 characters on one line; None for nothing."""
    return one_line(string(value), MAX_SHORT) or None


def clean(text: str) -> str:
    """Text without control characters and lone surrogates."""
    return _CONTROL.sub("", text)


def string(value: object) -> str:
    """The value if it is a string, else an empty one."""
    return value if isinstance(value, str) else ""


def mapping(value: object) -> Fields:
    """The value if it is a mapping, else an empty one."""
    return cast(Fields, value) if isinstance(value, Mapping) else {}


def mappings(value: object) -> list[Fields]:
    """The mappings in a list; nothing for what is no list."""
    return [mapping(item) for item in cast(Iterable[object], value)] if isinstance(value, list) else []
