"""A day's digest to the list: who gets what now, planned, sent and accounted for.

Belongs here: putting the parts together for one day. The order of ledger and wire is `sending`, hours are `schedule`, choices `personal`.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

from top5.catalog import deliveries as ledger
from top5.catalog.deliveries import ClaimedDelivery, DeliveryLedger, PlannedDelivery
from top5.catalog.store import Catalog
from top5.catalog.subscribers import SubscriberStore
from top5.deliveries import apprise as chat
from top5.deliveries.dkim import signer
from top5.deliveries.message import PREVIEW_PREFIX, Letter, Ways, author, leave_by_mail, message_id
from top5.deliveries.model import Channel, DeliveryState, Mail, Outcome, Report
from top5.deliveries.personal import Wishes, personal_digests, wishes_of
from top5.deliveries.post import envelope_sender, mail_channel, post_mail
from top5.deliveries.runs import run_registered
from top5.deliveries.schedule import LOOK_BACK, due
from top5.deliveries.sending import Limits, Sending, Tally, Timing
from top5.digests.compose import visible_text
from top5.digests.day import kept_digest, latest_digest
from top5.digests.model import Digest
from top5.digests.render import render_text
from top5.errors import PermanentError
from top5.lake import Lake
from top5.settings import Settings
from top5.subscribers.address import address_key, parse_address
from top5.subscribers.model import Preferences, Subscriber, SubscriberState
from top5.subscribers.service import parse_or_keep
from top5.subscribers.tokens import Purpose, Tokens, open_tokens

LETTERS: int = 1000
"""Rendered digests that are kept while a run goes on, of about 30 kB each."""


@dataclass(frozen=True)
class Wanted:
    """What a person asked of a run; by default nothing is repeated and no old day is mailed.

    `resend` is a name for the repetition (a run's id): who got the day's mail gets it again, once per name. `retry_failed` tries what was refused,
    `resend_unknown` what may have arrived. `approve` lets the digest go where `delivery.approval` holds it; `backfill` says that the run
    rebuilds the past.
    """

    resend: str | None = None
    resend_unknown: bool = False
    retry_failed: bool = False
    send_old: bool = False
    approve: bool = False
    backfill: bool = False


NOTHING_SPECIAL = Wanted()


@dataclass(frozen=True, slots=True)
class _Reader:
    """One recipient of the day, as little as is needed: there may be many."""

    address: str
    subscriber_id: str
    serial: int
    wishes: Wishes
    format: Literal["html", "text"]


async def deliver_day(
    day: date,
    settings: Settings,
    catalog: Catalog,
    lake: Lake,
    *,
    now: datetime,
    wanted: Wanted = NOTHING_SPECIAL,
    channel: Channel | None = None,
    timing: Timing | None = None,
) -> Report:
    """Send the digest of `day` to everybody whose hour has come and who has not got it; whatever state an earlier run left.

    `now` decides who is due; leases and retries go by `timing`. `channel` stands in for the configured way of mails.
    Raises PermanentError `not_built`, `bad_sender`, `bad_settings`; a channel that is shut is `Report.stopped`.
    """
    report, timing = Report(day), timing or Timing()
    sender = author(settings.delivery.sender)
    digest = latest_digest(lake, day)
    if wanted.approve:
        ledger.approve(catalog, day, digest.revision, now)
    report.held = _held(settings, catalog, day, now, wanted)
    if report.held is not None:
        report.states = ledger.day_states(catalog, day)
        return report
    if settings.delivery.approval and (revision := ledger.approved(catalog, day)) is not None:
        digest = kept_digest(lake, day, revision)
    store, tokens = SubscriberStore(catalog), open_tokens(settings)
    bad = _add_own(settings, store, now)
    readers = _due_readers(settings, store, day, now, wanted)
    digests = personal_digests(
        digest, [reader.wishes for reader in readers.values()], settings.warehouse_path, lake.table_path("insights", day)
    )
    nothing = [key for key, reader in readers.items() if digests[reader.wishes] is None]
    for key in nothing:
        del readers[key]
    report.nothing_for = len(nothing)
    limits = Limits(
        settings.delivery.per_minute, settings.delivery.domain_per_minute, settings.delivery.attempts, settings.delivery.patience
    )
    tallies: list[Tally] = []
    async with run_registered(catalog, settings.home, timing.clock) as owner:
        async with channel or mail_channel(settings) as way:
            rows = [
                PlannedDelivery(key, reader.subscriber_id, message_id(day, key, sender, tokens.newest))
                for key, reader in readers.items()
            ]
            book = DeliveryLedger(catalog, day, way.name)
            _refuse(book, bad, digest.revision, owner, now, report, way.name)
            _prepare(book, rows, digest.revision, way, settings, wanted, now, lambda again: [
                PlannedDelivery(row.recipient, row.subscriber_id, message_id(day, row.recipient, sender, tokens.newest, again=again))
                for row in rows
            ])  # fmt: skip
            make = _mail_maker(settings, digests, readers, tokens, now)
            sending = Sending(
                book, owner, way, readers, make, limits=limits, timing=timing,
                no_mailbox=lambda key: store.suppress(key, "no_mailbox", timing.clock()),
            )  # fmt: skip
            tallies.append(await sending.run())
        tallies += await _to_chats(day, digest, settings, catalog, store, owner, wanted, limits, timing, now)
    for tally in tallies:
        report.sent += tally.sent
        report.attempted += tally.attempted
        report.troubles += tally.troubles
        report.reasons = dict(Counter(report.reasons) + tally.reasons)
        report.stopped = report.stopped or tally.stopped
    report.states = ledger.day_states(catalog, day)
    report.unknown = report.states.get(DeliveryState.UNKNOWN, 0)
    return report


def deliver(
    days: Sequence[date], settings: Settings, catalog: Catalog, lake: Lake, *, now: datetime, wanted: Wanted = NOTHING_SPECIAL
) -> list[Report]:
    """`deliver_day` for one day after the other, on an event loop of its own: libuv's, which takes a quarter less of a run's time."""
    import uvloop

    async def every() -> list[Report]:
        return [await deliver_day(day, settings, catalog, lake, now=now, wanted=wanted) for day in days]

    return uvloop.run(every())


def days_due(settings: Settings, catalog: Catalog, *, now: datetime) -> list[date]:
    """Days whose digest is there and that somebody should get now, oldest first: for a tick that starts no run in vain."""
    today = now.astimezone(settings.tz).date()
    store = SubscriberStore(catalog)
    retried = set(ledger.waiting_days(catalog, today - timedelta(days=LOOK_BACK), now))
    days: list[date] = []
    for day in (today - timedelta(days=age) for age in range(LOOK_BACK, -1, -1)):
        if not catalog.digest_revisions(day) or _held(settings, catalog, day, now, NOTHING_SPECIAL) is not None:
            continue
        if day in retried:
            days.append(day)
            continue
        has_row = {entry.recipient for entry in ledger.entries(catalog, day)}
        if set(_due_readers(settings, store, day, now, NOTHING_SPECIAL)) - has_row:
            days.append(day)
    return days


async def preview(
    digest: Digest, settings: Settings, *, to: str, now: datetime, format: Literal["html", "text"] = "html"
) -> None:
    """Send a digest to one address ahead of the list, marked as a preview and outside the ledger. Raises as `post`."""
    sender, recipient = author(settings.delivery.sender), parse_address(to).addr_spec
    letter = Letter(
        digest,
        sender,
        now=now,
        format=format,
        envelope_sender=envelope_sender(settings),
        subject_prefix=PREVIEW_PREFIX,
        sign=signer(settings.delivery),
    )
    token = hashlib.sha256(f"{now.isoformat()}\n{recipient}\n{digest.inputs_hash}".encode()).hexdigest()[:32]
    identity = f"<top5.preview.{digest.day}.{token}@{sender.domain}>"
    await post_mail(settings, letter.to(recipient, identity, Ways(leave_by_mail(sender.addr_spec))))


def _held(settings: Settings, catalog: Catalog, day: date, now: datetime, wanted: Wanted) -> str | None:
    if wanted.backfill and not wanted.send_old:
        return "backfill"
    if day < now.astimezone(settings.tz).date() - timedelta(days=LOOK_BACK) and not wanted.send_old:
        return "old"
    if settings.delivery.approval and ledger.approved(catalog, day) is None:
        return "approval"
    return None


def _add_own(settings: Settings, store: SubscriberStore, now: datetime) -> list[str]:
    """The operator's recipients become subscribers; returns what is no address."""
    bad: list[str] = []
    own: dict[str, str] = {}
    for recipient in settings.delivery.recipients:
        try:
            address = parse_address(recipient).addr_spec
        except PermanentError:
            bad.append(recipient)
        else:
            own.setdefault(address_key(address), address)
    entries = [(address, Preferences(count=settings.digest.size)) for address in own.values()]
    store.add_many(entries, state=SubscriberState.ACTIVE, source="settings", now=now)
    return bad


def _due_readers(settings: Settings, store: SubscriberStore, day: date, now: datetime, wanted: Wanted) -> dict[str, _Reader]:
    own = {address_key(parse_or_keep(recipient)) for recipient in settings.delivery.recipients}
    readers: dict[str, _Reader] = {}
    for subscriber in store.each(SubscriberState.ACTIVE, channel="mail"):
        if subscriber.source == "settings" and address_key(subscriber.address) not in own:
            continue
        if not _may_have(day, subscriber, settings, now, wanted):
            continue
        readers[address_key(subscriber.address)] = _Reader(
            subscriber.address,
            subscriber.subscriber_id,
            subscriber.serial,
            wishes_of(_with_own_size(subscriber, settings)),
            subscriber.format,
        )
    for address in store.suppressed(reader.address for reader in readers.values()):
        del readers[address_key(address)]
    return readers


def _with_own_size(subscriber: Subscriber, settings: Settings) -> Preferences:
    # The operator's own follow `digest.size` until they choose for themselves.
    if subscriber.source == "settings" and subscriber.changed_at == subscriber.created_at:
        return subscriber.model_copy(update={"count": settings.digest.size})
    return subscriber


def _may_have(day: date, subscriber: Subscriber, settings: Settings, now: datetime, wanted: Wanted) -> bool:
    state = due(day, subscriber, settings.tz, now)
    return state == "now" or (state == "old" and wanted.send_old)


def _prepare(
    book: DeliveryLedger,
    rows: Sequence[PlannedDelivery],
    revision: int,
    way: Channel,
    settings: Settings,
    wanted: Wanted,
    now: datetime,
    again: Callable[[str], Iterable[PlannedDelivery]],
) -> None:
    book.plan(rows, revision, now)
    if wanted.resend is not None:
        book.repeat(list(again(f"{revision}.{wanted.resend}")), revision, now)
    reopened: list[str] = []
    if wanted.resend_unknown or settings.delivery.unknown == "resend" or way.repeats_safely:
        reopened.append(DeliveryState.UNKNOWN)
    if wanted.retry_failed:
        reopened.append(DeliveryState.FAILED)
    if reopened:
        book.reopen(reopened, now)


def _refuse(
    book: DeliveryLedger, bad: Sequence[str], revision: int, owner: str, now: datetime, report: Report, channel: str
) -> None:
    """Rows for what stands in the settings and is no address: a mistake there must not look like success."""
    from top5.catalog.deliveries import Mark

    keys = list(dict.fromkeys(visible_text(text)[:320] for text in bad))
    if book.plan([PlannedDelivery(key, None, "") for key in keys], revision, now):
        claimed = [row.recipient for row in book.claim(owner, len(keys), now) if row.recipient in keys]
        book.mark(owner, [Mark(key, DeliveryState.FAILED, "bad_address") for key in claimed], now)
        book.release(owner)
    for key in keys:
        problem = f"{key[:80]!r} in delivery.recipients is no mail address; write it as name@example.com."
        report.troubles.append(Outcome("…", channel, DeliveryState.FAILED, False, "bad_address", problem))
    if keys:
        report.reasons = {"bad_address": len(keys)}


def _mail_maker(
    settings: Settings, digests: dict[Wishes, Digest | None], readers: dict[str, _Reader], tokens: Tokens, now: datetime
) -> Callable[[ClaimedDelivery], Mail]:
    sender, sign = author(settings.delivery.sender), signer(settings.delivery)
    bounces = envelope_sender(settings)

    @lru_cache(maxsize=LETTERS)
    def letter(wishes: Wishes, format: Literal["html", "text"]) -> Letter:
        digest = digests[wishes]
        assert digest is not None
        return Letter(
            digest,
            sender,
            now=now,
            format=format,
            envelope_sender=bounces,
            with_preferences=settings.site.url is not None,
            sign=sign,
        )

    def make(row: ClaimedDelivery) -> Mail:
        reader = readers[row.recipient]
        token = tokens.make(Purpose.UNSUBSCRIBE, reader.subscriber_id, reader.serial, now)
        page = f"{settings.site.url}/unsubscribe/{token}" if settings.site.url else None
        manage = tokens.make(Purpose.MANAGE, reader.subscriber_id, reader.serial, now) if settings.site.url else None
        preferences = f"{settings.site.url}/manage/{manage}" if manage else None
        ways = Ways(leave_by_mail(bounces, token), page, preferences)
        return letter(reader.wishes, reader.format).to(reader.address, row.message_id, ways)

    return make


async def _to_chats(
    day: date,
    digest: Digest,
    settings: Settings,
    catalog: Catalog,
    store: SubscriberStore,
    owner: str,
    wanted: Wanted,
    limits: Limits,
    timing: Timing,
    now: datetime,
) -> list[Tally]:
    """The digest to every Apprise URL of the settings, and to those the operator subscribed."""
    urls = {chat.recipient_of(url): (url, None) for url in (secret.get_secret_value() for secret in settings.delivery.channels)}
    subscribed: dict[str, tuple[str, Subscriber | None]] = {
        chat.recipient_of(subscriber.address): (subscriber.address, subscriber)
        for subscriber in store.each(SubscriberState.ACTIVE, channel="apprise")
        if _may_have(day, subscriber, settings, now, wanted)
    }
    everyone = {**urls, **subscribed}
    if not everyone:
        return []
    wishes = {
        key: wishes_of(subscriber) if subscriber is not None else Wishes(digest.size) for key, (_, subscriber) in everyone.items()
    }
    digests = personal_digests(
        digest, list(wishes.values()), settings.warehouse_path, settings.lake_path / "insights" / f"{day}.parquet"
    )
    texts = {key: chosen for key in everyone if (chosen := digests[wishes[key]]) is not None}
    way = chat.AppriseChannel({key: url for key, (url, _) in everyone.items()})
    book = DeliveryLedger(catalog, day, way.name)

    def row(key: str, again: str = "") -> PlannedDelivery:
        subscriber = everyone[key][1]
        return PlannedDelivery(
            key, subscriber.subscriber_id if subscriber else None, f"{day}.{key}" + (f".{again}" if again else "")
        )

    def make(claimed: ClaimedDelivery) -> Mail:
        chosen = texts[claimed.recipient]
        title, _, text = render_text(chosen).partition("\n")
        return Mail(day, claimed.recipient, "", claimed.message_id, title=title, text=text.strip())

    rows = [row(key) for key in texts]
    _prepare(book, rows, digest.revision, way, settings, wanted, now, lambda again: [row(key, again) for key in texts])
    return [await Sending(book, owner, way, texts, make, limits=limits, timing=timing).run()]
