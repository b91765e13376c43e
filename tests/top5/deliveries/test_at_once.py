"""Runs in processes of their own: two at once send nothing twice, and a killed one leaves at most what it was sending."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path

import pytest

from tests.fakes.smtp_server import SmtpServer
from tests.top5.deliveries.helpers import DAY, NOW, Clock, Home
from tests.top5.deliveries.test_day import send
from top5.catalog.deliveries import DeliveryLedger, Mark, PlannedDelivery, begin_run, end_dead_runs, entries
from top5.catalog.store import Catalog
from top5.deliveries.day import deliver_day

READERS = [f"r{number:03}@example.com" for number in range(150)]
SPAWN = get_context("spawn")


def _deliver(path: str, url: str, port: int) -> None:
    catalog = Catalog(url)
    home = Home(Path(path), catalog, recipients=READERS)
    settings = home.settings(smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", connections=3)
    asyncio.run(deliver_day(DAY, settings, catalog, home.lake, now=NOW))
    catalog.close()


async def _ended(process: object) -> None:
    while process.is_alive():  # type: ignore[attr-defined]
        await asyncio.sleep(0.01)


def test_two_runs_at_once_send_each_mail_once(home: Home, catalog_url: str):
    async def both() -> SmtpServer:
        async with SmtpServer(pipelining=True) as server:
            runs = [SPAWN.Process(target=_deliver, args=(str(home.path), catalog_url, server.port)) for _ in range(2)]
            for run in runs:
                run.start()
            for run in runs:
                await _ended(run)
            assert [run.exitcode for run in runs] == [0, 0]
            return server

    server = asyncio.run(both())
    assert Counter(server.recipients) == Counter(READERS)
    assert {entry.state for entry in entries(home.catalog, DAY)} == {"sent"}


def test_what_a_killed_run_was_sending_is_unknown_and_nothing_else_is_lost_or_repeated(
    home: Home, catalog_url: str, clock: Clock
):
    async def killed() -> SmtpServer:
        async with SmtpServer() as server:
            run = SPAWN.Process(target=_deliver, args=(str(home.path), catalog_url, server.port))
            run.start()
            while len(server.recipients) < 40:
                assert run.is_alive() or run.exitcode == 0
                await asyncio.sleep(0.001)
            assert run.pid is not None
            os.kill(run.pid, signal.SIGKILL)
            await _ended(run)
            return server

    first, second = asyncio.run(killed()), SmtpServer()
    home.recipients = READERS
    report = send(home, clock, second)
    unknown = {entry.recipient for entry in entries(home.catalog, DAY) if entry.state == "unknown"}
    assert len(unknown) == report.unknown <= 3
    counted = Counter(first.recipients + second.recipients)
    assert max(counted.values()) == 1
    assert set(READERS) - set(counted) <= unknown


@pytest.fixture
def ledger(catalog: Catalog) -> Iterator[DeliveryLedger]:
    made = DeliveryLedger(catalog, DAY, "smtp")
    made.plan([PlannedDelivery(f"r{number}@example.com", None, f"<{number}@x>") for number in range(5)], 1, NOW)
    yield made


def test_a_row_goes_to_one_of_two_runs(ledger: DeliveryLedger):
    first, second = ledger.claim("one", 3, NOW), ledger.claim("two", 9, NOW)
    assert [len(first), len(second)] == [3, 2]
    assert not {row.recipient for row in first} & {row.recipient for row in second}
    assert ledger.claim("three", 9, NOW) == []


def test_a_run_on_another_machine_is_dead_when_its_lease_is_over(catalog: Catalog, ledger: DeliveryLedger):
    begin_run(catalog, "far", NOW, timedelta(seconds=90))
    ledger.claim("far", 2, NOW)
    ledger.mark("far", [Mark("r0@example.com", "sending")], NOW)

    def dead(at: int) -> int:
        moment = NOW + timedelta(seconds=at)
        return end_dead_runs(catalog, lambda owner, lease_until: lease_until < moment, moment)

    assert dead(90) == 0 and len(ledger.claim("near", 9, NOW)) == 3
    ledger.release("near")
    assert dead(91) == 1
    assert ledger.states() == {"planned": 4, "unknown": 1}
    assert len(ledger.claim("near", 9, NOW)) == 4


def test_a_run_that_slept_through_its_lease_sends_nothing_more_but_may_say_what_arrived(catalog: Catalog, ledger: DeliveryLedger):
    begin_run(catalog, "sleeper", NOW, timedelta(0))
    ledger.claim("sleeper", 2, NOW)
    ledger.mark("sleeper", [Mark("r0@example.com", "sending")], NOW)
    end_dead_runs(catalog, lambda owner, lease_until: True, NOW)
    assert ledger.mark("sleeper", [Mark("r1@example.com", "sending")], NOW) == set()
    assert ledger.mark("sleeper", [Mark("r0@example.com", "sent")], NOW) == {"r0@example.com"}
    assert ledger.states() == {"planned": 4, "sent": 1}


def test_rows_of_before_runs_were_recorded_are_unknown(catalog: Catalog, ledger: DeliveryLedger):
    catalog.mark_delivery(DAY, "r0@example.com", "smtp", "sending", None, NOW)
    assert end_dead_runs(catalog, lambda owner, lease_until: False, NOW) == 1
    assert ledger.states() == {"planned": 4, "unknown": 1}
