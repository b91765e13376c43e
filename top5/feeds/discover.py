"""Finding feeds: behind the address that somebody pasted, and for a topic.

Belongs here: a site's or an Apple Podcasts link's feed (`find_feed`), searching directories (`search`), and judging what was found (`rank`,
pure). Following a feed is the catalog's. Directories say what publishers say: all of it is untrusted.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import urlencode, urljoin

from pydantic import BaseModel, ConfigDict
from selectolax.lexbor import LexborHTMLParser

from top5.catalog.model import FeedState, SuggestedShow
from top5.errors import PermanentError, Top5Error
from top5.feeds.fetch import Fetcher
from top5.feeds.identity import show_key
from top5.feeds.model import ParsedFeed
from top5.feeds.opml import feed_url
from top5.feeds.parse import one_line, parse_feed
from top5.lake import content_key
from top5.settings import DiscoverSettings
from top5.urls import mask_url

_APPLE = re.compile(r"https?://(?:podcasts|itunes)\.apple\.com/(?:[^?#]*/)?id(\d{1,15})(?:[/?#]|$)", re.IGNORECASE)
_FEED_TYPES = frozenset({"application/rss+xml", "application/atom+xml", "application/xml", "text/xml"})
_MOST_LINKS = 20
_MOST_RESULTS = 200
_MAX_ANSWER = 5_000_000
_RECENT = 10
_WORD = re.compile(r"\w{3,}")


class FoundFeed(BaseModel):
    """A feed and how it was found; `others` are further feeds that the site names."""

    model_config = ConfigDict(frozen=True)

    url: str
    how: str
    feed: ParsedFeed
    others: tuple[str, ...] = ()


class Show(BaseModel):
    """One directory entry. `last_episode` is UTC; of the `recent` newest episodes `transcripts` offer one."""

    model_config = ConfigDict(frozen=True)

    url: str
    title: str
    topic: str
    directory: str
    last_episode: datetime | None = None
    categories: tuple[str, ...] = ()
    transcripts: int | None = None
    recent: int = 0


async def find_feed(fetcher: Fetcher, url: str, settings: DiscoverSettings) -> FoundFeed:
    """The feed behind a feed's, a site's or an Apple Podcasts address. Raises PermanentError (`no_feed` and what fetching raises)."""
    address = feed_url(url)
    if address is None:
        raise PermanentError("bad_url", f"{mask_url(url)[:200]!r} is no web address; give that of a feed or of a show's site.")
    apple = _APPLE.match(address)
    if apple:
        found = await _json(fetcher, f"{settings.itunes_lookup_url}?{urlencode({'id': apple[1], 'entity': 'podcast'})}")
        feeds = [text for entry in _entries(found, "results") if (text := feed_url(_text(entry, "feedUrl")))]
        if not feeds:
            raise PermanentError("no_feed", f"Apple names no feed for {mask_url(address)}; look for the show's RSS address.")
        return await _read(fetcher, feeds[0], "Apple Podcasts")
    result = await fetcher.fetch(address)
    body = result.body or b""
    try:
        return FoundFeed(
            url=result.permanent_redirect or address,
            how="the address itself",
            feed=parse_feed(body, content_type=result.content_type, url=result.final_url),
        )
    except PermanentError:
        links = feed_links(body, result.final_url)
        if not links:
            raise
    failure: Top5Error | None = None
    for link in links[:3]:
        try:
            found_there = await _read(fetcher, link, f"a link on {mask_url(result.final_url)}")
        except Top5Error as error:
            failure = failure or error
            continue
        return found_there.model_copy(update={"others": tuple(other for other in links if other != link)})
    raise failure or PermanentError("no_feed", f"{mask_url(address)} names no feed; look for the show's RSS address.")


def feed_links(body: bytes, url: str) -> list[str]:
    """The feeds that a web page names by `<link rel=alternate>`, in its order, comments' feeds last; http(s) only."""
    links: dict[str, bool] = {}
    for node in LexborHTMLParser(body).css("link[href]"):
        attributes = node.attributes
        rel = (attributes.get("rel") or "").lower().split()
        if "alternate" in rel and (attributes.get("type") or "").split(";")[0].strip().lower() in _FEED_TYPES:
            try:
                address = feed_url(urljoin(url, (attributes.get("href") or "").strip()))
            except ValueError:
                continue
            if address:
                links.setdefault(address, "comment" in f"{attributes.get('title')} {address}".lower())
    return sorted(links, key=lambda link: links[link])[:_MOST_LINKS]


async def search(fetcher: Fetcher, topic: str, settings: DiscoverSettings, now: datetime) -> tuple[list[Show], list[str]]:
    """What the directories have for a topic, each feed once, and a sentence for each directory that could not be asked."""
    shows: dict[str, Show] = {}
    troubles: list[str] = []
    query = urlencode({"media": "podcast", "term": topic, "limit": 50, "country": settings.country})
    asked: list[tuple[str, str, str, dict[str, str]]] = [("Apple", f"{settings.itunes_search_url}?{query}", "results", {})]
    if settings.podcast_index_key:
        by_term = f"{settings.podcast_index_url}/search/byterm?{urlencode({'q': topic, 'max': 50})}"
        asked.append(("Podcast Index", by_term, "feeds", podcast_index_headers(settings, now)))
    for directory, url, key, headers in asked:
        try:
            found = await _json(fetcher, url, headers)
        except Top5Error as error:
            troubles.append(error.message)
            continue
        for entry in _entries(found, key):
            show = _show(entry, topic, directory)
            if show is not None:
                shows.setdefault(show.url, show)
    return list(shows.values()), troubles


def podcast_index_headers(settings: DiscoverSettings, now: datetime) -> dict[str, str]:
    """Podcast Index's authentication: SHA-1 over key, secret and the second (its API's own rule)."""
    second = str(int(now.timestamp()))
    secret = settings.podcast_index_secret.get_secret_value()
    digest = hashlib.sha1(f"{settings.podcast_index_key}{secret}{second}".encode(), usedforsecurity=False).hexdigest()
    return {"X-Auth-Key": settings.podcast_index_key, "X-Auth-Date": second, "Authorization": digest}


async def look_closer(fetcher: Fetcher, show: Show) -> Show | None:
    """The show with what its own feed says of activity and transcripts; None where the feed cannot be read."""
    try:
        feed = (await _read(fetcher, show.url, show.directory)).feed
    except Top5Error:
        return None
    dates = sorted((episode.published for episode in feed.episodes if episode.published), reverse=True)
    newest = sorted(feed.episodes, key=lambda e: e.published or datetime(1, 1, 1, tzinfo=UTC), reverse=True)[:_RECENT]
    return show.model_copy(
        update={
            "title": feed.podcast.title,
            "last_episode": dates[0] if dates else show.last_episode,
            "transcripts": sum(bool(episode.transcripts) for episode in newest),
            "recent": len(newest),
        }
    )


def rank(shows: Sequence[Show], followed: Sequence[FeedState], now: datetime) -> list[SuggestedShow]:
    """Shows that are not followed, best first, with reasons: activity (0 to 3), transcripts (0 to 3), the topic in the title (0 to 1), and
    words shared with what is followed (0 to 1)."""
    urls = {feed.url.split("://", 1)[-1] for feed in followed}
    titles = {key for feed in followed if (key := show_key(feed.title))}
    words = {word for feed in followed for word in _WORD.findall(feed.title.casefold())}
    ranked: dict[str, SuggestedShow] = {}
    for show in shows:
        if show.url.split("://", 1)[-1] in urls or show_key(show.title) in titles:
            continue
        score, reasons = 0.0, [f"found for {show.topic!r} by {show.directory}"]
        age = now - show.last_episode if show.last_episode else None
        if age is not None and age <= timedelta(days=60):
            score += 3.0 if age <= timedelta(days=14) else 1.5
            reasons.append(f"last episode {max(age.days, 0)} days ago")
        else:
            reasons.append("no episode in the last 60 days" if age is not None else "no date of its last episode")
        if show.transcripts is not None and show.recent:
            score += 3.0 * show.transcripts / show.recent
            reasons.append(f"transcripts for {show.transcripts} of its last {show.recent} episodes")
        if show.topic.casefold() in show.title.casefold():
            score += 1.0
            reasons.append("the topic is in its title")
        shared = sorted(words & {word for text in (show.title, *show.categories) for word in _WORD.findall(text.casefold())})
        if shared:
            score += min(len(shared) / 3, 1.0)
            reasons.append(f"shares {', '.join(shared[:3])} with what you follow")
        found = SuggestedShow(
            feed_id=content_key("feed", show.url)[:16],
            url=show.url,
            title=show.title,
            topics=(show.topic,),
            score=round(score, 2),
            reasons=tuple(reasons),
            state="proposed",
            first_found=now,
        )
        best = ranked.get(found.feed_id)
        if best is None or best.score < found.score:
            ranked[found.feed_id] = found
    return sorted(ranked.values(), key=lambda show: (-show.score, show.title, show.url))


async def suggest(
    fetcher: Fetcher, topics: Sequence[str], followed: Sequence[FeedState], settings: DiscoverSettings, now: datetime
) -> tuple[list[SuggestedShow], list[str]]:
    """Ranked suggestions for the topics, and sentences about what could not be asked. At most `candidates` feeds a topic are opened."""
    troubles: list[str] = []
    looked: list[Show] = []
    for topic in topics:
        shows, trouble = await search(fetcher, topic, settings, now)
        troubles += trouble
        order = {show.feed_id: place for place, show in enumerate(rank(shows, followed, now))}
        candidates = [show for show in shows if content_key("feed", show.url)[:16] in order]
        candidates.sort(key=lambda show: order[content_key("feed", show.url)[:16]])
        for show in candidates[: settings.candidates]:
            closer = await look_closer(fetcher, show)
            if closer is not None:
                looked.append(closer)
    return rank(looked, followed, now), troubles


async def _read(fetcher: Fetcher, url: str, how: str) -> FoundFeed:
    result = await fetcher.fetch(url)
    feed = parse_feed(result.body or b"", content_type=result.content_type, url=result.final_url)
    return FoundFeed(url=result.permanent_redirect or url, how=how, feed=feed)


async def _json(fetcher: Fetcher, url: str, headers: Mapping[str, str] | None = None) -> Mapping[str, Any]:
    result = await fetcher.fetch(url, max_bytes=_MAX_ANSWER, accept="application/json", headers=headers)
    try:
        answer: Any = json.loads(result.body or b"")
    except (ValueError, RecursionError) as error:
        raise PermanentError("not_json", f"{mask_url(url)} does not answer in JSON; check its address in [discover].") from error
    return cast("Mapping[str, Any]", answer) if isinstance(answer, dict) else {}


def _entries(answer: Mapping[str, Any], key: str) -> list[Mapping[str, Any]]:
    entries: Any = answer.get(key)
    if not isinstance(entries, list):
        return []
    return [
        cast("Mapping[str, Any]", entry) for entry in cast("list[object]", entries)[:_MOST_RESULTS] if isinstance(entry, dict)
    ]


def _text(entry: Mapping[str, Any], *keys: str) -> str:
    return next((value for key in keys if isinstance(value := entry.get(key), str) and value), "")


def _show(entry: Mapping[str, Any], topic: str, directory: str) -> Show | None:
    """Apple's and Podcast Index's entries name the same things differently."""
    url = feed_url(_text(entry, "feedUrl", "url"))
    title = one_line(_text(entry, "collectionName", "title"), 200)
    if url is None or not title:
        return None
    last: datetime | None = None
    said: Any = entry.get("newestItemPubdate") or entry.get("lastUpdateTime")
    try:
        if isinstance(said, int | float):
            last = datetime.fromtimestamp(said, UTC)
        elif _text(entry, "releaseDate"):
            last = datetime.fromisoformat(_text(entry, "releaseDate"))
            last = last.astimezone(UTC) if last.tzinfo else last.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError):
        last = None
    categories: Any = entry.get("genres") or entry.get("categories") or []
    if isinstance(categories, dict):
        categories = list(cast("dict[str, object]", categories).values())
    names = [one_line(name, 60) for name in cast("list[object]", categories) if isinstance(name, str)]
    return Show(url=url, title=title, topic=topic, directory=directory, last_episode=last, categories=tuple(names[:10]))
