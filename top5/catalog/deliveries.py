"""The delivery ledger: one row per day, recipient and channel, held by one run at a time.

Belongs here: transactions over `deliveries`, `delivery_runs` and `approvals`. When a row moves, and why, is `top5.deliveries.sending`.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import date, datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Table, bindparam, func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from top5.catalog.batches import batched
from top5.catalog.store import Catalog
from top5.catalog.tables import Approval, Delivery, DeliveryRun

_DELIVERIES = cast(Table, Delivery.__table__)
_OPEN = ("planned", "failed")


_HELD = (
    _DELIVERIES.update()
    .where(
        _DELIVERIES.c.day == bindparam("of_day"),
        _DELIVERIES.c.channel == bindparam("by"),
        # So that the rows are found by their key: by the index on the owner all that the run holds would be looked at for each mark.
        func.coalesce(_DELIVERIES.c.owner, "") == bindparam("mine"),
        _DELIVERIES.c.recipient.in_(bindparam("who", expanding=True)),
    )
    .values(changed_at=bindparam("moment"))
    .returning(_DELIVERIES.c.recipient)
)
# Made once: there are two of them for each mail.
_BEGIN = _HELD.where(_DELIVERIES.c.state.in_(_OPEN)).values(state="sending", reason=None, next_attempt=None)
_SETTLE = _HELD.where(_DELIVERIES.c.state.in_(("sending", "unknown", *_OPEN))).values(
    state=bindparam("new"),
    reason=bindparam("why"),
    next_attempt=bindparam("again"),
    owner=bindparam("holder"),
    attempts=_DELIVERIES.c.attempts + bindparam("tried"),
)


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A row to be there before anything is tried."""

    recipient: str
    subscriber_id: str | None
    message_id: str


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A row that is ours: `attempts` counts the tries before."""

    recipient: str
    message_id: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Mark:
    """What became of a row. `next_attempt` is set where a failed one is tried again, `tried` adds to its attempts."""

    recipient: str
    state: str
    reason: str | None = None
    next_attempt: datetime | None = None
    tried: bool = False


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row as it is shown."""

    day: date
    recipient: str
    channel: str
    state: str
    reason: str | None
    changed_at: datetime
    subscriber_id: str | None
    attempts: int
    next_attempt: datetime | None
    revision: int


class DeliveryLedger:
    """The ledger of one day and channel. Each method is one transaction, durable when it returns."""

    def __init__(self, catalog: Catalog, day: date, channel: str) -> None:
        self._catalog, self._day, self._channel = catalog, day, channel
        self._mine = (Delivery.day == day) & (Delivery.channel == channel)
        self.is_file = catalog.is_file
        """Whether a transaction takes less time than handing it to a thread."""

    # Rows

    def plan(self, rows: Sequence[PlannedDelivery], revision: int, now: datetime) -> int:
        """Insert what is missing as `planned`; returns how many that were. Rows that are there stay as they are."""
        inserted = 0
        with self._catalog.transaction() as session:
            there: set[str] = set(session.scalars(select(Delivery.recipient).where(self._mine)))
            missing = [row for row in rows if row.recipient not in there]
            for part in batched(missing, 1000):
                values = [
                    {
                        "day": self._day,
                        "recipient": row.recipient,
                        "channel": self._channel,
                        "revision": revision,
                        "message_id": row.message_id,
                        "state": "planned",
                        "changed_at": now,
                        "subscriber_id": row.subscriber_id,
                        "attempts": 0,
                    }
                    for row in part
                ]
                dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
                # Another run may have planned them since we looked.
                session.connection().execute(dialect.insert(_DELIVERIES).on_conflict_do_nothing(), values)
                inserted += len(part)
        return inserted

    def reopen(self, states: Iterable[str], now: datetime) -> int:
        """Make rows of these states (`unknown`, `failed`) `planned` again, as an operator asked; returns how many."""
        with self._catalog.transaction() as session:
            values = {"state": "planned", "owner": None, "next_attempt": None, "changed_at": now}
            changed = session.execute(update(Delivery).where(self._mine, Delivery.state.in_(list(states))).values(values))
            return cast("CursorResult[Any]", changed).rowcount

    def repeat(self, rows: Sequence[PlannedDelivery], revision: int, now: datetime) -> int:
        """Make `sent` rows `planned` again under a new Message-ID; those that carry that id already stay sent. Returns how many."""
        changed = 0
        again = (
            _DELIVERIES.update()
            .where(
                _DELIVERIES.c.day == self._day,
                _DELIVERIES.c.channel == self._channel,
                _DELIVERIES.c.state == "sent",
                _DELIVERIES.c.recipient == bindparam("who"),
                _DELIVERIES.c.message_id != bindparam("identity"),
            )
            .values(message_id=bindparam("identity"), state="planned", owner=None, revision=revision, changed_at=now)
        )
        with self._catalog.transaction() as session:
            for part in batched(rows, 500):
                result = session.connection().execute(again, [{"who": row.recipient, "identity": row.message_id} for row in part])
                changed += result.rowcount
        return changed

    # Claims

    def claim(self, owner: str, limit: int, now: datetime, *, after: str = "") -> list[ClaimedDelivery]:
        """Take up to `limit` rows that may be tried now and that nobody holds, in order of recipient. Of two runs at once each row goes to one.

        `after` is the last recipient that was claimed: who goes on from there does not walk over what is sent already.
        """
        free = (
            select(Delivery.recipient)
            .where(
                self._mine,
                Delivery.owner.is_(None),
                Delivery.recipient > after,
                ((Delivery.state == "planned") & (Delivery.next_attempt.is_(None) | (Delivery.next_attempt <= now)))
                | ((Delivery.state == "failed") & (Delivery.next_attempt <= now)),
            )
            .order_by(Delivery.recipient)
            .limit(limit)
            # Postgres: rows that another run is about to take are passed over. SQLite has one writer at a time.
            .with_for_update(skip_locked=True)
            # As a subquery it may be evaluated more than once there, and its limit with it.
            .cte("free")
        )
        with self._catalog.transaction() as session:
            taken = session.execute(
                update(Delivery)
                .where(self._mine, Delivery.recipient.in_(select(free.c.recipient)), Delivery.owner.is_(None))
                .values(owner=owner)
                .returning(Delivery.recipient, Delivery.message_id, Delivery.attempts)
                .execution_options(synchronize_session=False)
            )
            return sorted((ClaimedDelivery(*row) for row in taken), key=lambda row: row.recipient)

    def release(self, owner: str, recipients: Iterable[str] | None = None, *, not_before: datetime | None = None) -> None:
        """Give claimed rows back (all of the run's by default) that were not begun; they are not taken again before `not_before`."""
        values: dict[str, Any] = {"owner": None}
        if not_before is not None:
            values["next_attempt"] = not_before
        with self._catalog.transaction() as session:
            held = update(Delivery).where(self._mine, Delivery.owner == owner, Delivery.state.in_(_OPEN))
            if recipients is None:
                session.execute(held.values(values))
                return
            for part in batched(recipients, 500):
                session.execute(held.where(Delivery.recipient.in_(part)).values(values))

    def mark(self, owner: str, marks: Sequence[Mark], now: datetime) -> set[str]:
        """Write what became of rows that this run holds; returns the recipients whose row was still ours.

        A row that was taken away since (our lease was over) is left as it is, but that `unknown` may still become `sent`.
        """
        kept: set[str] = set()
        groups: dict[Mark, list[str]] = {}
        for mark in marks:
            groups.setdefault(replace(mark, recipient=""), []).append(mark.recipient)
        which = {"of_day": self._day, "by": self._channel, "mine": owner, "moment": now}
        with self._catalog.statements() as connection:
            for mark, recipients in groups.items():
                if mark.state == "sending":
                    kept.update(connection.execute(_BEGIN, {**which, "who": recipients}).scalars())
                    continue
                settled = {
                    "new": mark.state,
                    "why": mark.reason,
                    "again": mark.next_attempt,
                    # An unknown row remembers who held it: the answer may still come.
                    "holder": owner if mark.state == "unknown" else None,
                    "tried": int(mark.tried),
                }
                kept.update(connection.execute(_SETTLE, {**which, **settled, "who": recipients}).scalars())
        return kept

    # Questions

    def states(self) -> dict[str, int]:
        """How many rows there are, by state."""
        with self._catalog.transaction() as session:
            counted = select(Delivery.state, func.count().label("number")).where(self._mine).group_by(Delivery.state)
            return {row.state: row.number for row in session.execute(counted)}

    def next_attempt(self, now: datetime) -> datetime | None:
        """The earliest moment at which a put-off row may be tried."""
        with self._catalog.transaction() as session:
            waiting = select(func.min(Delivery.next_attempt)).where(
                self._mine, Delivery.state.in_(_OPEN), Delivery.owner.is_(None), Delivery.next_attempt > now
            )
            return session.scalar(waiting)

    def recipients(self) -> set[str]:
        """Whoever has a row, in whatever state."""
        with self._catalog.transaction() as session:
            return set(session.scalars(select(Delivery.recipient).where(self._mine)))


# Runs


def begin_run(catalog: Catalog, owner: str, now: datetime, lease: timedelta) -> None:
    """Register a run under its owner's name."""
    with catalog.transaction() as session:
        session.add(DeliveryRun(owner=owner, started_at=now, lease_until=now + lease))


def renew_run(catalog: Catalog, owner: str, now: datetime, lease: timedelta) -> None:
    """Say that the run is alive."""
    with catalog.transaction() as session:
        session.execute(update(DeliveryRun).where(DeliveryRun.owner == owner).values(lease_until=now + lease))


def end_run(catalog: Catalog, owner: str, now: datetime) -> int:
    """Free what the run still holds and forget it; what it was sending becomes `unknown`. Returns how many became so."""
    with catalog.transaction() as session:
        return _end(session, owner, now)


def end_dead_runs(catalog: Catalog, is_dead: Callable[[str, datetime], bool], now: datetime) -> int:
    """As `end_run` for every run of which `is_dead(owner, lease_until)` is true; returns how many rows became `unknown`.

    Rows that are `sending` or claimed without a run that is known (from before runs were recorded) are ended too.
    """
    with catalog.transaction() as session:
        # Read before the runs: a run registers before it claims, so that none of these can be a newcomer's.
        holders = set(session.scalars(select(Delivery.owner).where(Delivery.owner.is_not(None), Delivery.state != "unknown")))
        runs = {run.owner: run.lease_until for run in session.scalars(select(DeliveryRun))}
        dead = {owner for owner, lease_until in runs.items() if is_dead(owner, lease_until)} | {
            str(it) for it in holders - set(runs)
        }
        unknown = sum(_end(session, owner, now) for owner in sorted(dead))
        lost = update(Delivery).where(Delivery.owner.is_(None), Delivery.state == "sending")
        result = session.execute(lost.values(state="unknown", reason="interrupted", changed_at=now))
        return unknown + cast("CursorResult[Any]", result).rowcount


def _end(session: Session, owner: str, now: datetime) -> int:
    held = update(Delivery).where(Delivery.owner == owner).execution_options(synchronize_session=False)
    session.execute(held.where(Delivery.state.in_(_OPEN)).values(owner=None))
    lost = session.execute(held.where(Delivery.state == "sending").values(state="unknown", reason="interrupted", changed_at=now))
    run = session.get(DeliveryRun, owner)
    if run is not None:
        session.delete(run)
    return cast("CursorResult[Any]", lost).rowcount


# Days


def entries(catalog: Catalog, day: date, *states: str) -> list[LedgerEntry]:
    """The rows of a day, in order of recipient and channel; of these states only where some are given."""
    columns = [getattr(Delivery, field.name) for field in fields(LedgerEntry)]
    wanted = select(*columns).where(Delivery.day == day).order_by(Delivery.recipient, Delivery.channel)
    if states:
        wanted = wanted.where(Delivery.state.in_(states))
    with catalog.transaction() as session:
        return [LedgerEntry(*row) for row in session.execute(wanted)]


def day_states(catalog: Catalog, day: date) -> dict[str, int]:
    """How many rows of a day there are in all channels, by state."""
    with catalog.transaction() as session:
        counted = select(Delivery.state, func.count().label("number")).where(Delivery.day == day).group_by(Delivery.state)
        return {row.state: row.number for row in session.execute(counted.order_by(Delivery.state))}


def resolve(catalog: Catalog, day: date, state: str, now: datetime, recipient: str | None = None) -> int:
    """Decide `unknown` rows of a day: `sent` (it came) or `planned` (send it again). Returns how many; nothing else is touched."""
    with catalog.transaction() as session:
        wanted = update(Delivery).where(Delivery.day == day, Delivery.state == "unknown")
        if recipient is not None:
            wanted = wanted.where(Delivery.recipient == recipient)
        values = {"state": state, "reason": None, "owner": None, "next_attempt": None, "changed_at": now}
        return cast("CursorResult[Any]", session.execute(wanted.values(values))).rowcount


def waiting_days(catalog: Catalog, first: date, now: datetime) -> list[date]:
    """Days from `first` on with rows that nobody holds and that may be tried now, oldest first."""
    with catalog.transaction() as session:
        rows = session.scalars(
            select(Delivery.day)
            .where(
                Delivery.day >= first,
                Delivery.owner.is_(None),
                Delivery.state.in_(_OPEN),
                (Delivery.next_attempt <= now) | ((Delivery.state == "planned") & Delivery.next_attempt.is_(None)),
            )
            .distinct()
            .order_by(Delivery.day)
        )
        return list(rows)


def approve(catalog: Catalog, day: date, revision: int, now: datetime) -> None:
    """Let a day's digest go to the list."""
    with catalog.transaction() as session:
        session.merge(Approval(day=day, revision=revision, approved_at=now))


def approved(catalog: Catalog, day: date) -> int | None:
    """The revision that an operator approved, or None."""
    with catalog.transaction() as session:
        row = session.get(Approval, day)
        return row.revision if row is not None else None
