"""Which feeds are followed: taking them from OPML files and giving them back.

Belongs here: moving subscriptions in and out of the catalog. The format itself is in `top5.feeds.opml`.
"""

from datetime import datetime
from pathlib import Path

from top5.catalog.store import Catalog
from top5.errors import PermanentError
from top5.feeds.fetch import Fetcher
from top5.feeds.model import ParsedFeed
from top5.feeds.opml import OpmlFeed, read_opml, write_opml
from top5.feeds.parse import parse_feed
from top5.settings import ScanSettings


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


async def look_at(url: str, settings: ScanSettings) -> ParsedFeed:
    """Fetch and read a feed that is not followed yet. Raises PermanentError or TransientError with what to do."""
    async with Fetcher(settings) as fetcher:
        result = await fetcher.fetch(url)
    return parse_feed(result.body or b"", content_type=result.content_type, url=result.final_url)
