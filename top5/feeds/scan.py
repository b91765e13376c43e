"""One scan: every feed that is due is polled once, what is new goes to the catalog, and each poll is a row.

Belongs here: the order of things (`scan`) and the pure decision what a poll means (`decide`). HTTP is in `fetch`, reading in
`changes`, when to poll again in `politeness`.

Outcomes are recorded as they come, in batches, and no body waits for another feed's: the catalog gives the same episodes in whichever
order servers answer (`Catalog.settle_twins`). Memory is bounded by `LargeBodies` and by one parser thread, which also keeps
the event loop free. A scan that is killed has recorded whole polls only; the rest is still due.
"""

import asyncio
import hashlib
import re
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from time import monotonic
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from aiohttp.abc import AbstractResolver

from top5.catalog.model import FeedState, ScanUpdate
from top5.catalog.store import Catalog
from top5.errors import PermanentError, Top5Error, TransientError
from top5.feeds.changes import read_changes
from top5.feeds.fetch import Fetcher, FetchResult, LargeBodies, Validators
from top5.feeds.model import PollHints
from top5.feeds.politeness import Plan, host_wait, plan_next, plan_retry, plan_unchanged, start_delay
from top5.settings import ScanSettings
from top5.urls import mask_url

_BATCH = 200
_HASHED_AT_ONCE = 1_000_000
_Got = tuple[int | None, int]
"""Status and size of an answer."""
_HOST = re.compile(r"https?://([A-Za-z0-9.\-:]+)(?=[/?#]|$)")
_NO_ANSWER: _Got = (None, 0)


@dataclass(frozen=True, slots=True)
class ScanRow:
    """One poll of one feed; a row of the lake table `scans`. `url` is masked, `seconds` is wall time."""

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


def validators_for(feed: FeedState, now: datetime, settings: ScanSettings) -> Validators | None:
    """What to send along; None now and then, for validators can be stale: some servers answer 304 for ever."""
    if feed.full_at is None or now - feed.full_at >= timedelta(days=settings.full_fetch_days):
        return None
    return Validators(etag=feed.etag, last_modified=feed.last_modified)


def decide(
    feed: FeedState,
    outcome: FetchResult | Top5Error,
    now: datetime,
    settings: ScanSettings,
    *,
    full: bool = True,
    content_hash: str | None = None,
    known: Callable[[], Mapping[str, str | None]] = dict,
) -> ScanUpdate:
    """What one poll means for a feed. Pure but for `known`, which is asked for the known items' fingerprints where there is a new body.

    `content_hash` is `hash_of` the body, where it has been computed already. Never raises: an unreadable body is an outcome like any
    other.
    """
    if isinstance(outcome, Top5Error):
        return _failed(feed, outcome, now, settings)
    if content_hash is None and outcome.body is not None:
        content_hash = hash_of(outcome.body)
    if content_hash is not None and content_hash == feed.content_hash and feed.reason == "not_a_feed":
        return _failed(feed, PermanentError("not_a_feed", feed.message or ""), now, settings, content_hash)
    moved = outcome.permanent_redirect
    hints = PollHints.model_validate(feed.hints) if feed.hints else None
    if outcome.body is None or (content_hash == feed.content_hash and not outcome.partial):
        plan = plan_unchanged(
            feed.feed_id, now, settings, interval=feed.interval, hints=hints, cache_control=outcome.cache_control
        )
        unchanged = not (full or feed.failures or feed.message) and (
            (outcome.etag, outcome.last_modified, moved, feed.redirect_seen) == (feed.etag, feed.last_modified, None, None)
        )
        return ScanUpdate(
            feed_id=feed.feed_id,
            now=now,
            ok=True,
            unchanged=unchanged,
            reason="not_modified" if outcome.not_modified else "same_content",
            etag=outcome.etag,
            last_modified=outcome.last_modified,
            content_hash=feed.content_hash,
            redirect_seen=moved,
            # A permanent redirect is believed when two scans in a row saw it: some are mistakes that live for an hour.
            moved_to=moved if moved and moved == feed.redirect_seen else None,
            next_poll=plan.next_poll,
            interval=plan.interval,
            full=full,
        )
    try:
        changes = read_changes(
            outcome.body,
            content_type=outcome.content_type,
            url=outcome.final_url,
            known=known(),
            channel_known=feed.channel_fingerprint,
            horizon=now - timedelta(days=settings.look_back_days),
            first=feed.succeeded_at is None,
            partial=outcome.partial,
        )
    except PermanentError as error:
        return _failed(feed, error, now, settings, content_hash)
    plan = plan_next(
        feed.feed_id,
        now,
        settings,
        dates=changes.dates,
        hints=changes.hints,
        frequency=changes.update_frequency,
        cache_control=outcome.cache_control,
    )
    return ScanUpdate(
        feed_id=feed.feed_id,
        now=now,
        ok=True,
        reason="ok",
        message="; ".join(changes.warnings) or None,
        etag=outcome.etag,
        last_modified=outcome.last_modified,
        content_hash=feed.content_hash if outcome.partial else content_hash,
        redirect_seen=moved,
        moved_to=moved if moved and moved == feed.redirect_seen else None,
        changes=changes,
        next_poll=plan.next_poll,
        interval=plan.interval,
        full=full,
    )


def _failed(
    feed: FeedState, error: Top5Error, now: datetime, settings: ScanSettings, content_hash: str | None = None
) -> ScanUpdate:
    asked = error.retry_after if isinstance(error, TransientError) else None
    wait = host_wait(error.reason, asked)
    plan: Plan = plan_retry(feed.feed_id, now, settings, reason=error.reason, failures=feed.failures + 1, wait=wait or asked)
    return ScanUpdate(
        feed_id=feed.feed_id,
        now=now,
        ok=False,
        reason=error.reason,
        message=error.message,
        content_hash=content_hash,
        retired=error.reason == "gone",
        next_poll=plan.next_poll,
        interval=plan.interval,
        host_wait=(host_of(feed.url), now + timedelta(seconds=wait)) if wait else None,
    )


def hash_of(body: bytes) -> str:
    """SHA-256 of a body, by which it is recognised where the server sends no validators."""
    return hashlib.sha256(body).hexdigest()


def host_of(url: str) -> str:
    """Host and port of a URL, in lower case; empty where it cannot be read."""
    usual = _HOST.match(url)
    if usual:
        return usual[1].lower()
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return ""


async def scan(
    catalog: Catalog,
    settings: ScanSettings,
    *,
    now: datetime,
    tz: ZoneInfo,
    feeds: Sequence[FeedState] | None = None,
    on_row: Callable[[ScanRow], None] = lambda _: None,
    resolver: AbstractResolver | None = None,
) -> list[ScanRow]:
    """Poll the feeds (those that are due by default) and record the outcome; one row a feed, in the order of subscription.

    `on_row` is called as outcomes are recorded, in any order; what it says is new may yet prove to be another feed's episode.
    """
    feeds = catalog.due_feeds(now) if feeds is None else feeds
    async with Fetcher(settings, resolver=resolver, now=lambda: now) as fetcher:
        with ThreadPoolExecutor(1, "parse") as parser:
            work = _Scan(catalog, settings, now, tz, fetcher, parser, on_row)
            await work.poll_all(feeds)
    merged = await asyncio.to_thread(catalog.settle_twins) if feeds else {}
    order = {feed.feed_id: number for number, feed in enumerate(feeds)}
    rows = sorted(work.rows, key=lambda row: order[row.feed_id])
    return [replace(row, new=max(row.new - merged[row.feed_id], 0)) if row.feed_id in merged else row for row in rows]


class _Scan:
    """The moving parts of one scan."""

    def __init__(
        self,
        catalog: Catalog,
        settings: ScanSettings,
        now: datetime,
        tz: ZoneInfo,
        fetcher: Fetcher,
        parser: ThreadPoolExecutor,
        on_row: Callable[[ScanRow], None],
    ) -> None:
        self.catalog, self.settings, self.now, self.tz = catalog, settings, now, tz
        self.fetcher, self.parser, self.on_row = fetcher, parser, on_row
        self.rows: list[ScanRow] = []
        self.large = LargeBodies()
        self.host_waits = catalog.host_waits(now)
        self.pending: list[tuple[FeedState, ScanUpdate, _Got, float]] = []
        self.weight = 0.0
        self.recording = asyncio.Lock()

    async def poll_all(self, feeds: Sequence[FeedState]) -> None:
        """Poll each feed once; whoever waits for a busy host keeps no place that another host's feed could use."""
        waiting: dict[str, deque[FeedState]] = {}
        for feed in feeds:
            waiting.setdefault(host_of(feed.url), deque()).append(feed)
        per_host = self.settings.max_connections_per_host
        turns = deque(host for turn in range(per_host) for host, queue in waiting.items() if turn < len(queue))

        async def work(first: FeedState) -> None:
            await asyncio.sleep(start_delay(first.feed_id, self.now, self.settings.jitter))
            while turns:
                host = turns.popleft()
                if waiting[host]:
                    await self.poll(host, waiting[host].popleft())
                if waiting[host]:
                    turns.append(host)

        try:
            async with asyncio.TaskGroup() as group:
                for feed in feeds[: min(self.settings.max_connections, len(turns))]:
                    group.create_task(work(feed))
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        await self.record()

    async def poll(self, host: str, feed: FeedState) -> None:
        """One feed: ask, decide, hand over for recording."""
        until = self.host_waits.get(host)
        if until is not None:
            self.add_row(feed, _host_waits(feed, self.now, until), _NO_ANSWER, 0.0, 0, 0)
            return
        started = monotonic()
        validators = validators_for(feed, self.now, self.settings)
        async with self.large.hold() as hold:
            try:
                outcome = await self.fetcher.fetch(feed.url, validators, hold=hold)
            except Top5Error as error:
                outcome = error
            update = await self.decide(feed, outcome, full=validators is None)
            got = (outcome.status, outcome.bytes_received) if isinstance(outcome, FetchResult) else _NO_ANSWER
            del outcome
            if update.host_wait:
                self.host_waits[host] = update.host_wait[1]
            self.pending.append((feed, update, got, monotonic() - started))
            self.weight += 1 + (len(update.changes.episodes) / 5 if update.changes else 0)
            if self.weight >= _BATCH:
                # Inside the hold: what was read of a large body is on its way out before the next one is let in.
                await self.record()

    async def decide(self, feed: FeedState, outcome: FetchResult | Top5Error, *, full: bool) -> ScanUpdate:
        """`decide`, in the parser's thread where there is something to parse or much to hash."""
        content_hash = None
        if isinstance(outcome, FetchResult) and outcome.body is not None:
            content_hash = hash_of(outcome.body) if len(outcome.body) <= _HASHED_AT_ONCE else None
            if content_hash is None or content_hash != feed.content_hash:
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(self.parser, self._read, feed, outcome, full, content_hash)
        return decide(feed, outcome, self.now, self.settings, full=full, content_hash=content_hash)

    def _read(self, feed: FeedState, outcome: FetchResult, full: bool, content_hash: str | None) -> ScanUpdate:
        def known() -> Mapping[str, str | None]:
            return self.catalog.known_items(feed.feed_id) if feed.succeeded_at is not None else {}

        return decide(feed, outcome, self.now, self.settings, full=full, content_hash=content_hash, known=known)

    async def record(self) -> None:
        """Write what has come in; only one batch at a time, so whoever fills the next one waits."""
        async with self.recording:
            batch, self.pending, self.weight = self.pending, [], 0.0
            if not batch:
                return
            counts = await asyncio.to_thread(
                self.catalog.apply_scans,
                [update for _, update, _, _ in batch],
                tz=self.tz,
                look_back_days=self.settings.look_back_days,
            )
            for (feed, update, got, seconds), (new, changed) in zip(batch, counts, strict=True):
                self.add_row(feed, update, got, seconds, new, changed)

    def add_row(self, feed: FeedState, update: ScanUpdate, got: _Got, seconds: float, new: int, changed: int) -> None:
        """One poll as it goes to the lake."""
        podcast = update.changes.podcast if update.changes else None
        shown = mask_url(feed.url)
        row = ScanRow(
            scanned_at=self.now,
            feed_id=feed.feed_id,
            title=(podcast.title if podcast else feed.title) or shown,
            url=shown,
            ok=update.ok,
            reason=update.reason,
            message=update.message,
            status=got[0],
            bytes=got[1],
            seconds=seconds,
            items=update.changes.items if update.changes else 0,
            new=new,
            changed=changed,
        )
        self.rows.append(row)
        self.on_row(row)


def _host_waits(feed: FeedState, now: datetime, until: datetime) -> ScanUpdate:
    message = f"{mask_url(feed.url)} was not asked: its host wants to be left alone until {until:%Y-%m-%d %H:%M} UTC."
    return ScanUpdate(feed_id=feed.feed_id, now=now, ok=False, reason="host_waits", message=message)
