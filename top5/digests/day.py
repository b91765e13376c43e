"""One day of the stage: the day's choice becomes a frozen digest in files.

Belongs here: revisions and files. Layout is in `render`; who gets it is `top5.deliveries`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import BaseModel, ConfigDict

from top5 import warehouse
from top5.catalog.store import Catalog
from top5.digests.compose import compose, diff
from top5.digests.inputs import gather, inputs_path, read_inputs, reasons
from top5.digests.model import Digest, DigestInputs
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
    inputs = gather(day, settings, lake, settings.warehouse_path)
    revision = known[-1][0] if known else 1
    digest = composed(day, settings, lake, settings.warehouse_path, inputs=inputs.hashes(), revision=revision)
    changes: tuple[str, ...] = ()
    if previous is not None and previous.inputs_hash == digest.inputs_hash:
        digest = previous
    elif previous is not None:
        digest = digest.model_copy(update={"revision": previous.revision + 1})
        changes = tuple(diff(previous, digest))
    # Kept before it is recorded: a kill between the two leaves a file that the next run writes again, not a revision without one.
    if previous is None or digest is not previous:
        write_atomically(inputs_path(lake, day, digest.revision), inputs.model_dump_json().encode())
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


def kept_digest(lake: Lake, day: date, revision: int) -> Digest:
    """One revision of a day's digest as it was frozen. Raises PermanentError `not_built`."""
    digest = _read(lake, day, revision)
    if digest is None:
        raise PermanentError("not_built", f"Revision {revision} of {day} is not there any more; approve the latest one.")
    return digest


def _kept_at(lake: Lake, day: date, revision: int) -> Path:
    return lake.root / TABLE / f"{day}.r{revision:03}.json"


def _read(lake: Lake, day: date, revision: int) -> Digest | None:
    path = _kept_at(lake, day, revision)
    return Digest.model_validate_json(path.read_bytes()) if path.exists() else None


def composed(
    day: date, settings: Settings, lake: Lake, database: Path, *, inputs: DigestInputs | None = None, revision: int = 1
) -> Digest:
    """The digest that the warehouse `database` and the lake give for `day`; nothing is kept. Raises PermanentError `not_built`."""
    summary = warehouse.read_summary(database, day)
    if summary is None:
        raise PermanentError("not_built", f"{day} is not ranked yet; materialize the dbt models of that day first.")
    candidates = warehouse.read_candidates(database, day)
    return compose(
        day,
        warehouse.read_picks(database, day),
        summary.left_out,
        summary,
        revision=revision,
        size=settings.digest.size,
        title=settings.digest.title,
        repeats=[row for row in candidates if row.fate == "already_told" and not row.is_told_by_same_publisher],
        notes=_notes(lake.read_table("extractions", day)),
        inputs=inputs,
    )


@dataclass(frozen=True)
class Comparison:
    """A frozen revision beside what a re-materialization would give now: `changes` a reader would see, and `reasons` for them."""

    day: date
    revision: int
    changes: tuple[str, ...]
    reasons: tuple[str, ...]


def compare(day: date, settings: Settings, lake: Lake) -> Comparison:
    """What ranking and composing `day` again would change, and why; decided on a copy of the warehouse, so that nothing is changed.

    Raises PermanentError `not_built` where the day has no digest, and what `top5.warehouse.build` raises.
    """
    frozen = latest_digest(lake, day)
    with TemporaryDirectory(prefix="top5-diff-") as folder:
        database = warehouse.copy_for_trial(settings.warehouse_path, Path(folder))
        warehouse.build(
            day,
            project_dir=warehouse.PROJECT_DIR,
            lake=settings.lake_path,
            warehouse=database,
            target_path=Path(folder) / "dbt",
            variables=warehouse.ranking_variables(settings),
        )
        now = gather(day, settings, lake, database)
        digest = composed(day, settings, lake, database, inputs=now.hashes(), revision=frozen.revision)
    before = read_inputs(lake, day, frozen.revision)
    why = reasons(before, now) if before else ["This revision was frozen before its inputs were kept, so the cause is not known."]
    return Comparison(day=day, revision=frozen.revision, changes=tuple(diff(frozen, digest)), reasons=tuple(why))


def _notes(extractions: Sequence[dict[str, object]]) -> list[str]:
    """What a reader should know about how the day was read, once each."""
    return sorted({str(row["detail"]) for row in extractions if row["state"] == "considered" and row["detail"]})
