"""Which runs are alive: a file that a living process keeps locked, and a lease for those on other machines.

Belongs here: telling a run that died from one that works. What happens to its rows is `top5.catalog.deliveries`.
"""

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from top5.catalog.deliveries import begin_run, end_dead_runs, end_run, renew_run
from top5.catalog.store import Catalog

LEASE: Final = timedelta(seconds=90)
"""After so long without a sign of life a run on another machine counts as dead."""

RENEWAL: Final = 20.0
"""Seconds between two signs of life."""


@asynccontextmanager
async def run_registered(catalog: Catalog, home: Path, clock: Callable[[], datetime]) -> AsyncGenerator[str, None]:
    """Register this process as a run for the length of the block; gives its name. Dead runs are ended first."""
    folder = home / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    owner = secrets.token_hex(8)
    path = _lock_path(folder, owner)
    lock = FileLock(path)
    # Before the run can be seen: a run without its lock would be taken for dead.
    lock.acquire(timeout=0)
    try:
        end_dead_runs(catalog, lambda other, lease_until: _is_dead(folder, other, lease_until, clock()), clock())
        begin_run(catalog, owner, clock(), LEASE)
        alive = asyncio.create_task(_stay_alive(catalog, owner, clock))
        try:
            yield owner
        finally:
            alive.cancel()
            with suppress(asyncio.CancelledError):
                await alive
            end_run(catalog, owner, clock())
    finally:
        lock.release()
        path.unlink(missing_ok=True)


async def _stay_alive(catalog: Catalog, owner: str, clock: Callable[[], datetime]) -> None:
    while True:
        await asyncio.sleep(RENEWAL)
        await asyncio.to_thread(renew_run, catalog, owner, clock(), LEASE)


def _is_dead(folder: Path, owner: str, lease_until: datetime, now: datetime) -> bool:
    path = _lock_path(folder, owner)
    if not path.exists():
        # On another machine, or ended between its last two steps.
        return lease_until < now
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return False
    lock.release()
    path.unlink(missing_ok=True)
    return True


def _lock_path(folder: Path, owner: str) -> Path:
    return folder / f"delivery-{owner}.lock"
