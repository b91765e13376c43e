"""Questions and answers about subscribers: entries, used tokens, counted requests, suppressed addresses, bounces.

Belongs here: transactions over those tables. What a request may change is decided by `top5.subscribers.service`.
"""

import hashlib
import secrets
from collections.abc import Generator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from top5.catalog.batches import batched
from top5.catalog.store import Catalog
from top5.catalog.tables import Bounce, Delivery, RequestCount, SubscriberEntry, Suppression, UsedToken
from top5.subscribers.address import address_key
from top5.subscribers.model import Preferences, Subscriber, SubscriberState

SOFT_BOUNCES = 5
"""So many mails that came back for a passing reason within `SOFT_DAYS` days make an address suppressed."""
SOFT_DAYS = 30

Source = Literal["site", "operator", "import", "settings"]
Channel = Literal["mail", "apprise"]


def address_hash(address: str) -> str:
    """SHA-256 in hex by which an address is known to the lists that outlive its subscriber."""
    return hashlib.sha256(f"top5 address\n{address_key(address)}".encode()).hexdigest()


_COLUMNS = tuple(getattr(SubscriberEntry, name) for name in Subscriber.model_fields)


class SubscriberStore:
    """Subscribers in a catalog. Each method is one transaction."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    # Entries

    def add(
        self,
        address: str,
        preferences: Preferences,
        *,
        state: SubscriberState,
        source: Source,
        channel: Channel = "mail",
        now: datetime,
    ) -> tuple[Subscriber, bool]:
        """The subscriber of that address, and whether it is new. One that is there already stays as it is."""
        (found,), new = self._add([(address, preferences)], state, source, channel, now)
        return found, bool(new)

    def add_many(
        self, entries: Sequence[tuple[str, Preferences]], *, state: SubscriberState, source: Source, now: datetime
    ) -> tuple[list[Subscriber], int]:
        """Mail subscribers of these addresses in their order, and how many are new; those known already stay as they are."""
        return self._add(entries, state, source, "mail", now)

    def _add(
        self, entries: Sequence[tuple[str, Preferences]], state: SubscriberState, source: Source, channel: Channel, now: datetime
    ) -> tuple[list[Subscriber], int]:
        rows: list[dict[str, Any]] = [
            {
                **preferences.model_dump(mode="json"),
                "subscriber_id": secrets.token_urlsafe(12),
                "address": address,
                "address_key": address_key(address),
                "channel": channel,
                "state": str(state),
                "source": source,
                "serial": 1,
                "created_at": now,
                "confirmed_at": now if state == SubscriberState.ACTIVE else None,
                "changed_at": now,
            }
            for address, preferences in entries
        ]
        new, found = 0, dict[str, Subscriber]()
        with self._catalog.transaction() as session:
            for part in batched(rows, 500):
                added = session.execute(_insert_new(session, SubscriberEntry).returning(SubscriberEntry.subscriber_id), part)
                new += len(added.all())
                keys = [row["address_key"] for row in part]
                there = select(SubscriberEntry).where(SubscriberEntry.address_key.in_(keys), SubscriberEntry.channel == channel)
                found |= {row.address_key: _subscriber(row) for row in session.scalars(there)}
        return [found[row["address_key"]] for row in rows], new

    def get(self, subscriber_id: str) -> Subscriber | None:
        """The subscriber of that id."""
        with self._catalog.transaction() as session:
            row = session.get(SubscriberEntry, subscriber_id)
            return _subscriber(row) if row is not None else None

    def find(self, address: str, channel: Channel | None = None) -> Subscriber | None:
        """The subscriber of that address, however it is spelled."""
        with self._catalog.transaction() as session:
            wanted = select(SubscriberEntry).where(SubscriberEntry.address_key == address_key(address))
            if channel is not None:
                wanted = wanted.where(SubscriberEntry.channel == channel)
            row = session.scalar(wanted.order_by(SubscriberEntry.channel.desc()).limit(1))
            return _subscriber(row) if row is not None else None

    def each(self, *states: SubscriberState, channel: Channel | None = None) -> Generator[Subscriber, None, None]:
        """Those in one of the states (any by default), in order of address, a thousand at a time in memory."""
        wanted = select(*_COLUMNS).order_by(SubscriberEntry.address_key, SubscriberEntry.channel)
        if states:
            wanted = wanted.where(SubscriberEntry.state.in_([str(state) for state in states]))
        if channel is not None:
            wanted = wanted.where(SubscriberEntry.channel == channel)
        with self._catalog.transaction() as session:
            for row in session.execute(wanted.execution_options(yield_per=1000)).mappings():
                yield Subscriber.model_validate(dict(row))

    def all(self, *states: SubscriberState, channel: Channel | None = None) -> list[Subscriber]:
        """As `each`, at once."""
        return list(self.each(*states, channel=channel))

    def count(self) -> dict[str, int]:
        """How many there are, by state."""
        with self._catalog.transaction() as session:
            rows = session.execute(select(SubscriberEntry.state, func.count().label("number")).group_by(SubscriberEntry.state))
            return {row.state: row.number for row in rows}

    def set_preferences(self, subscriber_id: str, preferences: Preferences, now: datetime) -> Subscriber | None:
        """Replace the preferences; None where there is no such subscriber."""
        return self._change(subscriber_id, {**preferences.model_dump(mode="json"), "changed_at": now})

    def set_state(
        self, subscriber_id: str, state: SubscriberState, now: datetime, *, reason: str | None = None, end_links: bool = False
    ) -> Subscriber | None:
        """Move to a state; `end_links` makes every earlier link to the preferences void. None where there is no such subscriber."""
        values: dict[str, Any] = {"state": str(state), "reason": reason, "changed_at": now}
        if state == SubscriberState.ACTIVE:
            values["confirmed_at"] = now
        if end_links:
            values["serial"] = SubscriberEntry.serial + 1
        return self._change(subscriber_id, values)

    def _change(self, subscriber_id: str, values: Mapping[str, Any]) -> Subscriber | None:
        with self._catalog.transaction() as session:
            session.execute(update(SubscriberEntry).where(SubscriberEntry.subscriber_id == subscriber_id).values(**values))
            row = session.get(SubscriberEntry, subscriber_id, populate_existing=True)
            return _subscriber(row) if row is not None else None

    def forget(self, subscriber_id: str) -> bool:
        """Delete a subscriber with their bounces; what the ledger holds of them stays under their id. False where there is none."""
        with self._catalog.transaction() as session:
            row = session.get(SubscriberEntry, subscriber_id)
            if row is None:
                return False
            mine = (Delivery.subscriber_id == subscriber_id) | (Delivery.recipient == row.address_key)
            session.execute(
                update(Delivery)
                .where(mine)
                .values(recipient=subscriber_id, message_id="", reason=None, subscriber_id=None, next_attempt=None)
                .execution_options(synchronize_session=False)
            )
            session.execute(delete(Bounce).where(Bounce.address_hash == address_hash(row.address)))
            session.delete(row)
            return True

    def history(self, subscriber: Subscriber) -> dict[str, list[dict[str, Any]]]:
        """What else is kept of a subscriber: `deliveries` and `bounces`, oldest first, JSON-ready."""
        with self._catalog.transaction() as session:
            mine = (Delivery.subscriber_id == subscriber.subscriber_id) | (Delivery.recipient == address_key(subscriber.address))
            sent = session.scalars(select(Delivery).where(mine).order_by(Delivery.day, Delivery.channel))
            came_back = select(Bounce).where(Bounce.address_hash == address_hash(subscriber.address)).order_by(Bounce.received_at)
            return {
                "deliveries": [
                    {
                        "day": row.day.isoformat(),
                        "channel": row.channel,
                        "state": row.state,
                        "reason": row.reason,
                        "at": row.changed_at.isoformat(),
                        "message_id": row.message_id,
                    }
                    for row in sent
                ],
                "bounces": [
                    {"kind": row.kind, "status": row.status, "at": row.received_at.isoformat()}
                    for row in session.scalars(came_back)
                ],
            }

    # Tokens and limits

    def use_token(self, token_hash: str, expires_at: datetime, now: datetime) -> bool:
        """Use up a token; False where it was used before. Of two at once one wins."""
        with self._catalog.transaction() as session:
            session.execute(delete(UsedToken).where(UsedToken.expires_at < now))
            row = {"token_hash": token_hash, "expires_at": expires_at}
            return bool(session.execute(_insert_new(session, UsedToken).returning(UsedToken.token_hash), [row]).all())

    def token_used(self, token_hash: str) -> bool:
        """Whether a token was used up."""
        with self._catalog.transaction() as session:
            return session.get(UsedToken, token_hash) is not None

    def count_request(self, key_hash: str, window: timedelta, now: datetime) -> int:
        """Count a request and say the how manieth of its stretch of time it is; stretches of two days ago are forgotten."""
        seconds = int(window.total_seconds())
        start = now - timedelta(seconds=now.timestamp() % seconds)
        start = start.replace(microsecond=0)
        with self._catalog.transaction() as session:
            session.execute(delete(RequestCount).where(RequestCount.window_start < now - timedelta(days=2)))
            fresh = {"key_hash": key_hash, "window_start": start, "requests": 1}
            dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
            counted = dialect.insert(RequestCount).values(fresh)
            counted = counted.on_conflict_do_update(
                index_elements=["key_hash", "window_start"], set_={"requests": RequestCount.requests + 1}
            )
            return session.scalars(counted.returning(RequestCount.requests)).one()

    # Suppressed addresses

    def suppress(self, address: str, reason: str, now: datetime) -> bool:
        """Never mail an address again; False where that was so already. A subscriber of that address becomes `suppressed`."""
        with self._catalog.transaction() as session:
            return _suppress(session, address, reason, now)

    def release(self, address: str) -> bool:
        """Allow an address again; False where it was not suppressed. Its subscriber stays as they are."""
        with self._catalog.transaction() as session:
            row = session.get(Suppression, address_hash(address))
            if row is not None:
                session.delete(row)
            return row is not None

    def suppressed(self, addresses: Iterable[str]) -> set[str]:
        """Which of the addresses are suppressed, as they were given."""
        hashes = {address_hash(address): address for address in addresses}
        with self._catalog.transaction() as session:
            found: set[str] = set()
            for part in batched(hashes, 500):
                found |= set(session.scalars(select(Suppression.address_hash).where(Suppression.address_hash.in_(part))))
            return {hashes[item] for item in found}

    # Bounces

    def record_bounce(
        self, message_id: str, kind: Literal["hard", "soft", "complaint"], status: str | None, now: datetime
    ) -> Literal["unknown", "known", "recorded", "suppressed"]:
        """Record that a mail came back, once, and suppress its address where that is due.

        `unknown`: no mail of the ledger has that Message-ID. `known`: recorded before. A hard bounce or a complaint suppresses at
        once, soft ones when `SOFT_BOUNCES` came within `SOFT_DAYS` days.
        """
        with self._catalog.transaction() as session:
            recipient = session.scalar(
                select(Delivery.recipient).where(Delivery.message_id == message_id, Delivery.message_id != "").limit(1)
            )
            if recipient is None:
                return "unknown"
            hashed = address_hash(recipient)
            row = {"message_id": message_id[:255], "kind": kind, "address_hash": hashed, "status": status, "received_at": now}
            if not session.execute(_insert_new(session, Bounce).returning(Bounce.message_id), [row]).all():
                return "known"
            if kind == "soft":
                recent = select(func.count()).where(
                    Bounce.address_hash == hashed, Bounce.kind == "soft", Bounce.received_at >= now - timedelta(days=SOFT_DAYS)
                )
                if (session.scalar(recent) or 0) < SOFT_BOUNCES:
                    return "recorded"
            reason = {"hard": "hard_bounce", "soft": "soft_bounces", "complaint": "complaint"}[kind]
            return "suppressed" if _suppress(session, recipient, reason, now) else "recorded"


def _suppress(session: Session, address: str, reason: str, now: datetime) -> bool:
    row = {"address_hash": address_hash(address), "reason": reason, "since": now}
    new = session.execute(_insert_new(session, Suppression).returning(Suppression.address_hash), [row]).all()
    session.execute(
        update(SubscriberEntry)
        .where(SubscriberEntry.address_key == address_key(address), SubscriberEntry.channel == "mail")
        .values(state="suppressed", reason=reason, changed_at=now)
    )
    return bool(new)


def _insert_new(session: Session, table: type[Any]) -> Any:
    """INSERT that leaves rows alone which are there already, in either dialect."""
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    return dialect.insert(table).on_conflict_do_nothing()


def _subscriber(row: SubscriberEntry) -> Subscriber:
    values = {name: getattr(row, name) for name in Subscriber.model_fields}
    return Subscriber.model_validate(values)
