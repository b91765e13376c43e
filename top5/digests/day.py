"""One day of the stage: the day's choice becomes a frozen digest in files, and is sent once.

Belongs here: revisions, files, and the delivery ledger over the catalog. Layout is in `render`, mail in `deliver`.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import date, datetime, timedelta
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from top5 import warehouse
from top5.catalog.store import Catalog
from top5.digests.compose import compose, diff
from top5.digests.deliver import Channel, DeliveryOutcome, DeliveryState, OutboxChannel, SmtpChannel, deliver
from top5.digests.model import Digest
from top5.digests.render import render_html, render_json, render_text
from top5.errors import PermanentError
from top5.lake import Lake, write_atomically
from top5.settings import Settings

TABLE = "digests"


class Frozen(BaseModel):
    """A digest as it is kept, and what changed since the revision before (empty: nothing, or the first)."""

    model_config = ConfigDict(frozen=True)

    digest: Digest
    changes: tuple[str, ...]


def digest_folder(home: Path, day: date) -> Path:
    """Where the files of a day's latest revision lie."""
    return home / "digests" / day.isoformat()


def freeze(day: date, settings: Settings, catalog: Catalog, lake: Lake, *, now: datetime) -> Frozen:
    """Compose the digest of `day` from the warehouse and keep it.

    The same inputs give the revision that is there already; others give the next one, with what changed. Nothing is sent here.
    """
    known = catalog.digest_revisions(day)
    previous = _read(lake, day, known[-1][0]) if known else None
    digest = _compose(day, settings, lake, revision=known[-1][0] if known else 1)
    changes: tuple[str, ...] = ()
    if previous is not None and previous.inputs_hash == digest.inputs_hash:
        digest = previous
    elif previous is not None:
        digest = digest.model_copy(update={"revision": previous.revision + 1})
        changes = tuple(diff(previous, digest))
    # Kept before it is recorded: a kill between the two leaves a file that the next run writes again, not a revision without one.
    write_atomically(_kept_at(lake, day, digest.revision), render_json(digest).encode())
    if previous is None or digest.revision != previous.revision:
        catalog.add_digest_revision(day, digest.revision, digest.inputs_hash, now, changes)
    folder = digest_folder(settings.home, day)
    write_atomically(folder / "digest.html", render_html(digest, built_at=now).encode())
    write_atomically(folder / "digest.txt", render_text(digest).encode())
    write_atomically(folder / "digest.json", render_json(digest).encode())
    return Frozen(digest=digest, changes=changes)


def latest_digest(lake: Lake, day: date | None = None) -> Digest:
    """The newest revision of a day's digest, or of the latest day that has one. Raises PermanentError `not_built`."""
    found = sorted((lake.root / TABLE).glob(f"{day or '*'}.r*.json"))
    if not found:
        what = f"{day} has no digest" if day else "There is no digest"
        raise PermanentError("not_built", f"{what} yet; run `top5 run{f' --date {day}' if day else ''}`.")
    return Digest.model_validate_json(found[-1].read_bytes())


async def send(
    day: date, settings: Settings, catalog: Catalog, lake: Lake, *, now: datetime, resend: bool = False, send_old: bool = False
) -> list[DeliveryOutcome]:
    """Deliver the latest revision of a day to every recipient who has not got that day's mail.

    A digest older than yesterday is mailed only with `send_old`: a backfill must not fill inboxes.
    """
    today = now.astimezone(settings.tz).date()
    if day < today - timedelta(days=1) and not send_old:
        return []
    async with AsyncExitStack() as stack:
        channel: Channel
        if settings.delivery.smtp_host:
            channel = await stack.enter_async_context(SmtpChannel(settings.delivery))
        else:
            channel = OutboxChannel(settings.home / "outbox")
        return await deliver(
            latest_digest(lake, day),
            settings.delivery.recipients,
            channel,
            _CatalogLedger(catalog, now),
            now=now,
            sender=settings.delivery.sender,
            resend=resend,
            # Writing a file twice gives the same file; only a mail may arrive twice.
            resend_unknown=isinstance(channel, OutboxChannel),
        )


class _CatalogLedger:
    """The ledger that `deliver` asks for, over the catalog."""

    def __init__(self, catalog: Catalog, now: datetime) -> None:
        self._catalog = catalog
        self._now = now

    def plan(self, day: date, revision: int, recipient: str, channel: str, message_id: str) -> DeliveryState:
        return DeliveryState(self._catalog.plan_delivery(day, revision, recipient, channel, message_id, self._now))

    def mark(self, day: date, recipient: str, channel: str, state: DeliveryState, reason: str | None) -> None:
        self._catalog.mark_delivery(day, recipient, channel, state, reason, self._now)


def _kept_at(lake: Lake, day: date, revision: int) -> Path:
    return lake.root / TABLE / f"{day}.r{revision:03}.json"


def _read(lake: Lake, day: date, revision: int) -> Digest | None:
    path = _kept_at(lake, day, revision)
    return Digest.model_validate_json(path.read_bytes()) if path.exists() else None


def _compose(day: date, settings: Settings, lake: Lake, *, revision: int) -> Digest:
    database = settings.warehouse_path
    summary = warehouse.read_summary(database, day)
    if summary is None:
        raise PermanentError("not_built", f"{day} is not ranked yet; materialize the dbt models of that day first.")
    return compose(
        day,
        warehouse.read_picks(database, day),
        summary.left_out,
        summary,
        revision=revision,
        size=settings.digest.size,
        title=settings.digest.title,
        notes=_notes(lake.read_table("extractions", day)),
    )


def _notes(extractions: Sequence[dict[str, object]]) -> list[str]:
    """What a reader should know about how the day was read, once each."""
    return sorted({str(row["detail"]) for row in extractions if row["state"] == "considered" and row["detail"]})
