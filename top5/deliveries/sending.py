"""The order of ledger and wire: claim, mark, carry, mark; several at once, no faster than allowed, again where put off.

Belongs here: what happens to planned rows until each is settled. Who is planned for is `day`, the wire is a `Channel`, rows are
`top5.catalog.deliveries`. Time comes in as a `Timing`.

A mail server may take a message and lose the connection before it says so. Then nobody knows, and `unknown` is the honest state.
"""

import asyncio
import heapq
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Container
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from time import monotonic
from typing import Final

from top5.catalog.deliveries import ClaimedDelivery, DeliveryLedger, Mark
from top5.deliveries.model import Channel, DeliveryState, DeliveryUnknown, Lane, LaneClosed, Mail, NoSuchMailbox, Outcome
from top5.errors import PermanentError, Top5Error, TransientError
from top5.subscribers.address import mask_address

BACK_OFF: Final = (30.0, 300.0, 1800.0, 3600.0, 7200.0, 14_400.0)
"""Seconds until a mail that was put off is tried again, by how often it was tried; the last one stands for all later ones."""

BATCH: Final = 100
"""Rows that a run claims at once: two runs at once share a day's rows by batches."""

MAX_PARKED: Final = 500
MAX_TROUBLES: Final = 50


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Timing:
    """The machine's clocks: `clock` is UTC, `ticks` are seconds that never go back, `sleep` waits."""

    clock: Callable[[], datetime] = _now
    ticks: Callable[[], float] = monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True)
class Limits:
    """How fast and how often: mails a minute in all and to one domain (0: no limit), tries of one mail, seconds to wait for retries."""

    per_minute: int = 0
    domain_per_minute: int = 0
    attempts: int = 8
    patience: float = 0.0


@dataclass
class Tally:
    """What a run did: `stopped` is set where the channel was shut and rows are left."""

    sent: int = 0
    attempted: int = 0
    reasons: Counter[str] = field(default_factory=Counter[str])
    troubles: list[Outcome] = field(default_factory=list[Outcome])
    stopped: Top5Error | None = None


class Sending:
    """One run over the planned rows of a day and channel.

    `make` gives a claimed row's mail (it may raise PermanentError: that row fails); rows of recipients that are not in `wanted` are left
    for another run. `no_mailbox` is told of addresses that do not exist.
    """

    def __init__(
        self,
        ledger: DeliveryLedger,
        owner: str,
        channel: Channel,
        wanted: Container[str],
        make: Callable[[ClaimedDelivery], Mail],
        *,
        limits: Limits,
        timing: Timing,
        no_mailbox: Callable[[str], object] = lambda _recipient: None,
    ) -> None:
        self._ledger, self._owner, self._channel, self._wanted, self._make = ledger, owner, channel, wanted, make
        self._limits, self._timing, self._no_mailbox = limits, timing, no_mailbox
        self._tally = Tally()

    async def run(self) -> Tally:
        """Send until nothing is left that may be tried within the limits. Raises only what the ledger raises, and what nobody foresaw."""
        waited = 0.0
        with ThreadPoolExecutor(1, "ledger") as thread:
            while True:
                before = self._tally.attempted
                shut = await self._round(thread)
                progress = self._tally.attempted > before
                if shut == self._channel.lanes or (shut and not progress):
                    break
                # A server that takes fewer connections than we open is no trouble while others go on.
                self._tally.stopped = None
                if progress:
                    continue
                now = self._timing.clock()
                soonest = self._ledger.next_attempt(now)
                pause = (soonest - now).total_seconds() if soonest is not None else float("inf")
                if waited + pause > self._limits.patience:
                    break
                waited += pause
                await self._timing.sleep(pause)
        return self._tally

    async def _round(self, thread: ThreadPoolExecutor) -> int:
        marks = _Marks(self._ledger, self._owner, self._timing, thread)
        backlog = _Backlog(self._ledger, self._owner, self._wanted, self._limits, self._timing, thread)
        try:
            async with asyncio.TaskGroup() as tasks:
                workers = [tasks.create_task(self._work(backlog, marks)) for _ in range(self._channel.lanes)]
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from several
        self._ledger.release(self._owner)
        return sum(not worker.result() for worker in workers)

    async def _work(self, backlog: "_Backlog", marks: "_Marks") -> bool:
        """One lane's mails; False where the lane was shut."""
        lane, last, coming = self._channel.lane(), list[Mark](), list[tuple[ClaimedDelivery, Mail]]()
        try:
            while True:
                if not coming and not self._take(backlog.at_once(), coming, last):
                    # What is known is written before anything is waited for.
                    if last:
                        await marks.put(*last)
                        last = []
                    row = await backlog.next()
                    if row is None:
                        return True
                    if not self._take(row, coming, last):
                        continue
                row, mail = coming.pop()
                self._take(backlog.at_once(), coming, last)
                # The end of one mail and the beginning of the next are one transaction.
                kept = await marks.put(*last, Mark(row.recipient, DeliveryState.SENDING))
                last = []
                if row.recipient not in kept:
                    continue
                try:
                    last = [await self._carry(lane, mail, row, coming[0][1] if coming else None)]
                except LaneClosed as error:
                    self._tally.stopped = error.cause
                    await marks.put(Mark(row.recipient, DeliveryState.PLANNED, error.reason))
                    return False
        finally:
            if last:
                await marks.put(*last)
            await lane.close()

    def _take(self, row: ClaimedDelivery | None, coming: list[tuple[ClaimedDelivery, Mail]], marks: list[Mark]) -> bool:
        """Make a row's mail, or the mark that says why there is none."""
        try:
            coming.extend([(row, self._make(row))] if row is not None else [])
        except PermanentError as error:
            assert row is not None
            marks.append(self._failed(row, error))
        return bool(coming)

    async def _carry(self, lane: Lane, mail: Mail, row: ClaimedDelivery, then: Mail | None) -> Mark:
        self._tally.attempted += 1
        try:
            await lane.send(mail, then)
        except LaneClosed:
            self._tally.attempted -= 1
            raise
        except DeliveryUnknown as error:
            self._note(row, DeliveryState.UNKNOWN, error)
            return Mark(row.recipient, DeliveryState.UNKNOWN, error.reason, tried=True)
        except TransientError as error:
            return self._put_off(row, error)
        except NoSuchMailbox as error:
            self._no_mailbox(row.recipient)
            return self._failed(row, error)
        except PermanentError as error:
            return self._failed(row, error)
        self._tally.sent += 1
        return Mark(row.recipient, DeliveryState.SENT, tried=True)

    def _put_off(self, row: ClaimedDelivery, error: TransientError) -> Mark:
        self._note(row, DeliveryState.FAILED, error)
        if row.attempts + 1 >= self._limits.attempts:
            return Mark(row.recipient, DeliveryState.FAILED, error.reason, tried=True)
        wait = max(BACK_OFF[min(row.attempts, len(BACK_OFF) - 1)], error.retry_after or 0.0)
        again = self._timing.clock() + timedelta(seconds=wait)
        return Mark(row.recipient, DeliveryState.FAILED, error.reason, again, tried=True)

    def _failed(self, row: ClaimedDelivery, error: Top5Error) -> Mark:
        self._note(row, DeliveryState.FAILED, error)
        return Mark(row.recipient, DeliveryState.FAILED, error.reason, tried=True)

    def _note(self, row: ClaimedDelivery, state: DeliveryState, error: Top5Error) -> None:
        self._tally.reasons[error.reason] += 1
        if len(self._tally.troubles) < MAX_TROUBLES:
            shown = mask_address(row.recipient)
            self._tally.troubles.append(Outcome(shown, self._channel.name, state, True, error.reason, error.message))


class _Marks:
    """Marks of several lanes in as few transactions as come together; each caller goes on when its own is durable."""

    def __init__(self, ledger: DeliveryLedger, owner: str, timing: Timing, thread: ThreadPoolExecutor) -> None:
        self._ledger, self._owner, self._timing, self._thread = ledger, owner, timing, thread
        self._waiting: list[tuple[tuple[Mark, ...], asyncio.Future[set[str]]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def put(self, *marks: Mark) -> set[str]:
        """Write marks; returns the recipients whose row was still ours."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((marks, written))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write())
        # A worker that is cancelled must not take the others' marks with it.
        return await asyncio.shield(written)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            if self._ledger.is_file:
                # Whoever else comes meanwhile goes into the same transaction.
                known = 0
                while known < len(self._waiting):
                    known = len(self._waiting)
                    await asyncio.sleep(0)
            batch, self._waiting = self._waiting, []
            flat = [mark for marks, _ in batch for mark in marks]
            try:
                if self._ledger.is_file:
                    kept = self._ledger.mark(self._owner, flat, self._timing.clock())
                else:
                    kept = await loop.run_in_executor(self._thread, self._ledger.mark, self._owner, flat, self._timing.clock())
            except Top5Error as error:
                for _, written in batch:
                    written.set_exception(error)
            else:
                for _, written in batch:
                    written.set_result(kept)
        self._writer = None


class _Backlog:
    """Claimed rows in the order in which they may go: no more a minute than allowed, and none waits behind a slow domain."""

    def __init__(
        self,
        ledger: DeliveryLedger,
        owner: str,
        wanted: Container[str],
        limits: Limits,
        timing: Timing,
        thread: ThreadPoolExecutor,
    ) -> None:
        self._ledger, self._owner, self._wanted, self._timing, self._thread = ledger, owner, wanted, timing, thread
        self._gap = 60.0 / limits.per_minute if limits.per_minute else 0.0
        self._domain_gap = 60.0 / limits.domain_per_minute if limits.domain_per_minute else 0.0
        self._ready: deque[ClaimedDelivery] = deque()
        self._parked: list[tuple[float, int, ClaimedDelivery]] = []
        self._numbers = count()
        self._domain_free: dict[str, float] = {}
        self._free = 0.0
        self._after = ""
        self._exhausted = False
        self._lock = asyncio.Lock()

    def at_once(self) -> ClaimedDelivery | None:
        """A row that may go now, if one is at hand."""
        return None if self._lock.locked() else self._pick()

    async def next(self) -> ClaimedDelivery | None:
        """The next row; waits for its turn. None: there is no more."""
        async with self._lock:
            while (row := self._pick()) is None:
                now = self._timing.ticks()
                if now < self._free and (self._ready or self._parked):
                    await self._timing.sleep(self._free - now)
                elif not self._ready and not self._exhausted and len(self._parked) < MAX_PARKED:
                    await self._claim()
                elif self._parked:
                    await self._timing.sleep(max(0.0, self._parked[0][0] - now))
                else:
                    return None
            return row

    def _pick(self) -> ClaimedDelivery | None:
        now = self._timing.ticks()
        if now < self._free:
            return None
        row = heapq.heappop(self._parked)[2] if self._parked and self._parked[0][0] <= now else None
        while row is None and self._ready:
            row = self._ready.popleft()
            if self._domain_gap:
                domain = row.recipient.rpartition("@")[2]
                moment = max(now, self._domain_free.get(domain, 0.0))
                self._domain_free[domain] = moment + self._domain_gap
                if moment > now:
                    heapq.heappush(self._parked, (moment, next(self._numbers), row))
                    row = None
        if row is not None and self._gap:
            self._free = now + self._gap
        return row

    async def _claim(self) -> None:
        loop = asyncio.get_running_loop()
        claim = partial(self._ledger.claim, self._owner, BATCH, self._timing.clock(), after=self._after)
        rows = await loop.run_in_executor(self._thread, claim)
        # From the end once more to the beginning: something may have been put off or given back meanwhile.
        self._exhausted = not rows and not self._after
        self._after = rows[-1].recipient if rows else ""
        strangers = [row.recipient for row in rows if row.recipient not in self._wanted]
        if strangers:
            # They have left, or their hour has moved: not now, and not by the next claim either.
            later = self._timing.clock() + timedelta(hours=1)
            self._ledger.release(self._owner, strangers, not_before=later)
        self._ready.extend(row for row in rows if row.recipient in self._wanted)
