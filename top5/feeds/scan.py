"""One scan: every active feed is polled once, what is new goes to the catalog, and each poll is a row.

Belongs here: the order of things (`scan`) and the pure decision what a poll means (`decide`). HTTP is in `fetch`, reading in `parse`.
"""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from datetime import datetime
from time import monotonic
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from top5.catalog.store import Catalog, FeedState, ScanUpdate
from top5.errors import PermanentError, Top5Error
from top5.feeds.fetch import Fetcher, FetchResult, Validators
from top5.feeds.parse import parse_feed
from top5.settings import ScanSettings
from top5.urls import mask_url


class ScanRow(BaseModel):
    """One poll of one feed; a row of the lake table `scans`. `url` is masked, `seconds` is wall time."""

    model_config = ConfigDict(frozen=True)

    scanned_at: datetime
    feed_id: str
    title: str
    url: str
    ok: bool
    reason: str
    message: str | None
    status: int | None
    bytes: int
    seconds: float
    items: int
    new: int
    changed: int


def decide(feed: FeedState, outcome: FetchResult | Top5Error, now: datetime) -> ScanUpdate:
    """What one poll means for a feed. Pure; never raises: an unreadable body is an outcome like any other."""
    if isinstance(outcome, Top5Error):
        return ScanUpdate(
            feed_id=feed.feed_id,
            now=now,
            ok=False,
            reason=outcome.reason,
            message=outcome.message,
            retired=outcome.reason == "gone",
        )
    moved = outcome.permanent_redirect
    update = ScanUpdate(
        feed_id=feed.feed_id,
        now=now,
        ok=True,
        reason="not_modified" if outcome.not_modified else "ok",
        etag=outcome.etag,
        last_modified=outcome.last_modified,
        content_hash=feed.content_hash,
        redirect_seen=moved,
        # A permanent redirect is believed when two scans in a row saw it: some are mistakes that live for an hour.
        moved_to=moved if moved and moved == feed.redirect_seen else None,
    )
    if outcome.not_modified or outcome.body is None:
        return update
    content_hash = hashlib.sha256(outcome.body).hexdigest()
    if content_hash == feed.content_hash:
        return update.model_copy(update={"reason": "same_content"})
    try:
        parsed = parse_feed(outcome.body, content_type=outcome.content_type, url=outcome.final_url)
    except PermanentError as error:
        return ScanUpdate(feed_id=feed.feed_id, now=now, ok=False, reason=error.reason, message=error.message)
    warning = "; ".join(parsed.warnings) or None
    return update.model_copy(update={"parsed": parsed, "content_hash": content_hash, "message": warning})


async def scan(
    catalog: Catalog,
    settings: ScanSettings,
    *,
    now: datetime,
    tz: ZoneInfo,
    feeds: Sequence[FeedState] | None = None,
    on_row: Callable[[ScanRow], None] = lambda _: None,
) -> list[ScanRow]:
    """Poll the feeds (all active ones by default) and record the outcome; one row a feed, in the order of subscription.

    Outcomes are applied in that order, so that the same bodies give the same catalog however fast each server is.
    """
    feeds = catalog.feeds("active") if feeds is None else feeds
    rows: list[ScanRow] = []
    async with Fetcher(settings) as fetcher:
        polls = [asyncio.create_task(_poll(fetcher, feed)) for feed in feeds]
        for feed, poll in zip(feeds, polls, strict=True):
            outcome, seconds = await poll
            update = await asyncio.to_thread(decide, feed, outcome, now)
            new, changed = catalog.apply_scan(update, tz=tz, look_back_days=settings.look_back_days)
            got = outcome if isinstance(outcome, FetchResult) else None
            row = ScanRow(
                scanned_at=now,
                feed_id=feed.feed_id,
                title=(update.parsed.podcast.title if update.parsed else feed.title) or mask_url(feed.url),
                url=mask_url(feed.url),
                ok=update.ok,
                reason=update.reason,
                message=update.message,
                status=got.status if got else None,
                bytes=got.bytes_received if got else 0,
                seconds=seconds,
                items=len(update.parsed.episodes) if update.parsed else 0,
                new=new,
                changed=changed,
            )
            rows.append(row)
            on_row(row)
    return rows


async def _poll(fetcher: Fetcher, feed: FeedState) -> tuple[FetchResult | Top5Error, float]:
    started = monotonic()
    try:
        outcome = await fetcher.fetch(feed.url, Validators(etag=feed.etag, last_modified=feed.last_modified))
    except Top5Error as error:
        return error, monotonic() - started
    return outcome, monotonic() - started
