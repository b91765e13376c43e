"""`top5 feeds check`: one poll explained step by step.

Belongs here: the words. Every decision is made by the same functions that a scan uses; nothing is written.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from top5.catalog.model import FeedState
from top5.errors import Top5Error
from top5.feeds.changes import read_changes
from top5.feeds.dates import date_flag
from top5.feeds.fetch import Fetcher
from top5.feeds.politeness import plan_next, plan_retry, plan_unchanged
from top5.feeds.scan import hash_of, validators_for
from top5.settings import ScanSettings
from top5.urls import mask_url


async def explain(
    fetcher: Fetcher,
    url: str,
    feed: FeedState | None,
    known: Mapping[str, str | None],
    settings: ScanSettings,
    now: datetime,
) -> list[str]:
    """One line a step. `feed` and `known` are the catalog's, where the feed is followed. Never raises for what the server does."""
    lines = [f"Address: {mask_url(url)}"]
    if feed is None:
        lines.append("Not followed, so it is asked without validators and everything is new.")
    else:
        lines.append(
            f"Followed as {feed.feed_id} ({feed.status}), last scan: {_when(feed.scanned_at)} {feed.reason or ''}".rstrip()
        )
        lines.append(f"Next poll planned: {_when(feed.next_poll)}; failures in a row: {feed.failures}.")
    validators = validators_for(feed, now, settings) if feed else None
    sent = [
        name
        for name, value in (("ETag", validators and validators.etag), ("Last-Modified", validators and validators.last_modified))
        if value
    ]
    lines.append(f"Asked with {' and '.join(sent)}." if sent else "Asked without validators: a full fetch.")
    try:
        result = await fetcher.fetch(url, validators)
    except Top5Error as error:
        plan = plan_retry(
            feed.feed_id if feed else "", now, settings, reason=error.reason,
            failures=(feed.failures if feed else 0) + 1, wait=getattr(error, "retry_after", None),
        )  # fmt: skip
        lines += [f"Failed ({error.reason}): {error.message}", _plan(plan.next_poll, plan.why)]
        if error.reason == "gone":
            lines[-1] = "A scan would retire this feed: it is not asked again."
        return lines
    for status, target in result.redirects:
        lines.append(f"Redirected ({status}) to {mask_url(target)}")
    if result.permanent_redirect:
        confirmed = feed is not None and feed.redirect_seen == result.permanent_redirect
        lines.append(
            "The move is permanent and confirmed: a scan would store it."
            if confirmed
            else "The move is permanent; it is stored when the next scan sees it too."
        )
    lines.append(
        f"Answer: HTTP {result.status}, {result.bytes_received} bytes in {result.seconds:.2f} s"
        f"{', ' + result.content_type if result.content_type else ''}; "
        f"ETag {'yes' if result.etag else 'no'}, Last-Modified {'yes' if result.last_modified else 'no'}"
        f"{', Cache-Control: ' + result.cache_control if result.cache_control else ''}."
    )
    if result.body is None or (feed is not None and hash_of(result.body) == feed.content_hash):
        lines.append("Not modified." if result.body is None else "Same content as last time, by its hash: not parsed.")
        plan = plan_unchanged(
            feed.feed_id if feed else "", now, settings, interval=feed.interval if feed else None,
            cache_control=result.cache_control,
        )  # fmt: skip
        return [*lines, _plan(plan.next_poll, plan.why)]
    try:
        changes = read_changes(
            result.body,
            content_type=result.content_type,
            url=result.final_url,
            known=known,
            horizon=now - timedelta(days=settings.look_back_days),
            first=feed is None or feed.succeeded_at is None,
            partial=result.partial,
        )
    except Top5Error as error:
        return [*lines, f"Unreadable ({error.reason}): {error.message}"]
    if changes.partial:
        lines.append("The server sent new items only (RFC 3229).")
    podcast = changes.podcast
    if podcast is not None:
        facts = [f"language {podcast.language}" if podcast.language else "", f"guid {podcast.guid}" if podcast.guid else ""]
        facts += [f"medium {podcast.medium}" if podcast.medium else "", "locked" if podcast.locked else ""]
        lines.append(", ".join([f"Show: {podcast.title}", *filter(None, facts)]))
    fresh = [episode for episode in changes.episodes if episode.guid not in known]
    how = "read whole by feedparser, because it is malformed or names items twice" if changes.whole else "read in two passes"
    lines.append(f"Items: {changes.items}, {len(fresh)} new, {len(changes.episodes) - len(fresh)} changed; {how}.")
    if changes.live_items:
        lines.append(f"Live items, kept apart: {len(changes.live_items)}.")
    lines += [f"Warning: {warning}" for warning in changes.warnings]
    for episode in changes.episodes[:3]:
        flag = date_flag(episode.published, episode.published_raw, now=now)
        dated = (
            f"{episode.published:%Y-%m-%d %H:%M}"
            if episode.published and flag is None
            else f"date {flag}: {episode.published_raw!r}"
        )
        lines.append(f"  {dated}  {episode.title} ({len(episode.transcripts)} transcript links)")
    plan = plan_next(
        feed.feed_id if feed else "", now, settings, dates=changes.dates, hints=changes.hints,
        frequency=changes.update_frequency, cache_control=result.cache_control,
    )  # fmt: skip
    return [*lines, _plan(plan.next_poll, plan.why)]


def _plan(moment: datetime, why: tuple[str, ...]) -> str:
    return f"Next poll: {_when(moment)}, because: {'; '.join(why)}."


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
