"""Which feeds are followed: taking them from OPML files and giving them back.

Belongs here: moving subscriptions in and out of the catalog. The format itself is in `top5.feeds.opml`.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from top5.catalog.model import SuggestedShow
from top5.catalog.store import Catalog
from top5.errors import PermanentError
from top5.feeds.check import explain
from top5.feeds.discover import FoundFeed, find_feed, suggest
from top5.feeds.fetch import Fetcher
from top5.feeds.opml import OpmlFeed, read_opml, write_opml
from top5.settings import Settings


def import_opml(catalog: Catalog, path: Path, now: datetime) -> tuple[int, int]:
    """Follow every feed of an OPML file; returns (added, already followed). Raises PermanentError where it cannot be read."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise PermanentError("no_file", f"{path} cannot be read ({error.strerror}); give the path of an OPML file.") from error
    added = known = 0
    for feed in read_opml(body):
        _, changed = catalog.add_feed(feed.url, now, title=feed.title or "", network=None)
        added, known = added + changed, known + (not changed)
    return added, known


def import_defaults(catalog: Catalog, path: Path, now: datetime) -> int:
    """Follow the feeds of the settings' `feeds_file` where nothing was ever followed; returns how many were added."""
    if catalog.feeds("active", "gone", "removed"):
        return 0
    if not path.exists():
        raise PermanentError("no_feeds", f"Nothing is followed and {path} does not exist; run `top5 feeds add URL`.")
    return import_opml(catalog, path, now)[0]


def export_opml(catalog: Catalog, now: datetime) -> bytes:
    """The followed feeds as OPML. Their URLs are whole: whoever reads the file can read private feeds."""
    return write_opml([OpmlFeed(title=feed.title, url=feed.url) for feed in catalog.feeds("active")], "top5 subscriptions", now)


async def look_at(url: str, settings: Settings) -> FoundFeed:
    """The feed behind an address, a site or an Apple Podcasts link, not followed yet. Raises PermanentError or TransientError."""
    async with Fetcher(settings.scan) as fetcher:
        return await find_feed(fetcher, url, settings.discover)


async def check(catalog: Catalog, url_or_id: str, settings: Settings, now: datetime) -> list[str]:
    """One poll of a followed or any other feed explained, one line a step; nothing is written."""
    feed = next((feed for feed in catalog.feeds("active", "gone") if url_or_id in (feed.url, feed.feed_id)), None)
    known = catalog.known_items(feed.feed_id) if feed else {}
    async with Fetcher(settings.scan, now=lambda: now) as fetcher:
        return await explain(fetcher, feed.url if feed else url_or_id, feed, known, settings.scan, now)


async def find_shows(
    catalog: Catalog, topics: Sequence[str], settings: Settings, now: datetime
) -> tuple[list[SuggestedShow], list[str], int]:
    """Search the topics and keep the suggestions; returns them ranked, sentences about failures, and how many are new."""
    async with Fetcher(settings.scan, now=lambda: now) as fetcher:
        shows, troubles = await suggest(fetcher, topics, catalog.feeds("active"), settings.discover, now)
    return shows, troubles, catalog.suggest(shows, now)


def accept(catalog: Catalog, feed_id: str, now: datetime) -> SuggestedShow:
    """Follow a suggested show. Raises PermanentError (`unknown_suggestion`)."""
    show = catalog.decide_suggestion(feed_id, "accepted", now)
    catalog.add_feed(show.url, now, title=show.title)
    return show


def accept_best(catalog: Catalog, shows: Sequence[SuggestedShow], cap: int, now: datetime) -> list[SuggestedShow]:
    """Follow the best of `shows` that are still only proposed, at most `cap`."""
    proposed = {show.feed_id for show in catalog.suggestions("proposed")}
    waiting = [show.feed_id for show in shows if show.feed_id in proposed]
    return [accept(catalog, feed_id, now) for feed_id in waiting[: max(cap, 0)]]
