"""Putting a backup in the place of a home's stores.

Belongs here: the order of steps that leaves either the old stores or the new ones. Reading and refusing archives is in `archive`.
"""

import shutil
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from top5.catalog.location import catalog_url
from top5.catalog.store import Catalog
from top5.errors import PermanentError, TransientError
from top5.operate import snapshot
from top5.operate.archive import CATALOG, FILES, FOLDERS, WAREHOUSE, unpack
from top5.operate.rebuild import rebuild_warehouse
from top5.settings import Settings

STORES = (*FILES, f"{CATALOG}-wal", f"{CATALOG}-shm", *FOLDERS)


class Restored(BaseModel):
    """What a restore did. `set_aside` is where the stores that were there lie now, None where there were none."""

    model_config = ConfigDict(frozen=True)

    made_at: datetime
    files: int
    set_aside: Path | None
    rebuilt_days: tuple[date, ...]


def restore(
    archive: Path, settings: Settings, *, now: datetime, replace: bool = False, on_day: Callable[[date], None] = lambda _day: None
) -> Restored:
    """Unpack and verify an archive beside the stores, then move it into their place; the catalog is brought to the newest schema.

    Stores that are there already are refused unless `replace`, and then set aside in the home, never deleted. A kill before the move leaves
    the old stores; one in its midst is mended by running it again, with another empty database where the catalog is on a server. The
    warehouse is built from the lake where the archive has none (`on_day` is told of each day). Mails that went out after the backup are
    unknown to the restored catalog.

    Raises PermanentError `busy`, `not_empty`, `foreign_archive`, `newer_archive`, `broken_archive`, `catalog_in_use`; TransientError `disk`.
    """
    home = settings.home
    try:
        home.mkdir(parents=True, exist_ok=True)
        with FileLock(home / "run.lock", timeout=0), tempfile.TemporaryDirectory(prefix=".restore-", dir=home) as made:
            staged = Path(made)
            occupied = [home / name for name in STORES if (home / name).exists()]
            if occupied and not replace:
                raise PermanentError(
                    "not_empty", f"{occupied[0]} exists; give an empty TOP5_HOME, or --replace to set aside what is there."
                )
            head, contents = unpack(archive, staged)
            snapshot.check(staged / CATALOG)
            if settings.catalog_url is not None:
                # First, because it may refuse; all rows come or none.
                snapshot.put_back(staged / CATALOG, catalog_url(settings))
                (staged / CATALOG).unlink()
            aside = home / f"before-restore-{now.astimezone(UTC):%Y%m%dT%H%M%S}" if occupied else None
            if aside is not None:
                aside.mkdir()
                for path in occupied:
                    path.replace(aside / path.name)
            # The catalog last: without it nobody takes the rest for a home that is complete.
            for path in sorted(staged.iterdir(), key=lambda path: path.name == CATALOG):
                path.replace(home / path.name)
    except Timeout as error:
        raise PermanentError("busy", f"A run is at work in {home}; stop the services, then restore.") from error
    except OSError as error:
        raise TransientError("disk", f"{home} could not be written ({error.strerror}); free some space and try again.") from error
    Catalog.of(settings).close()
    rebuilt = () if WAREHOUSE in contents.files else tuple(rebuild_warehouse(settings, on_day))
    shutil.rmtree(settings.dbt_path, ignore_errors=True)
    return Restored(made_at=head.made_at, files=len(contents.files), set_aside=aside, rebuilt_days=rebuilt)
