"""The lake: what is kept as files. Tables (one Parquet file per asset and day) and blobs (content-addressed bytes).

Belongs here: paths, atomic writes and reads under `$TOP5_HOME/lake`. What a table holds is in `top5.tables`; state that is
updated row by row is in `top5.catalog`.
"""

import hashlib
import os
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from top5.errors import PermanentError, TransientError


def content_key(*parts: str | bytes) -> str:
    """SHA-256 over the parts, each prefixed by its length so that no two lists of parts give the same bytes."""
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def write_atomically(path: Path, data: bytes) -> None:
    """Write `data` to a temp name beside `path` and rename it, so that a reader or a crash never meets half a file.

    Raises TransientError (`disk`) where the disk is full or read-only.
    """
    temp = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temp.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temp.replace(path)
    except OSError as error:
        with suppress(OSError):
            temp.unlink()
        raise TransientError(
            "disk", f"{path} could not be written ({error.strerror}); free some space or fix its permissions."
        ) from error


class Lake:
    """Files under one root: `<table>/<day>.parquet` and `blobs/<kind>/<k>/<key>`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def table_path(self, table: str, part: date | str) -> Path:
        """Where the rows of one asset and day lie."""
        return self.root / table / f"{part}.parquet"

    def write_table(self, table: str, part: date | str, rows: Sequence[Mapping[str, Any]]) -> int:
        """Replace the rows of one asset and day; returns the bytes written. An empty day is a file with no rows."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from top5.tables import SCHEMAS

        sink = pa.BufferOutputStream()
        write: Any = pq.write_table  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  (its arguments have no types)
        write(pa.Table.from_pylist([dict(row) for row in rows], schema=SCHEMAS[table]), sink, compression="zstd")
        data = sink.getvalue().to_pybytes()
        write_atomically(self.table_path(table, part), data)
        return len(data)

    def read_table(self, table: str, part: date | str) -> list[dict[str, Any]]:
        """The rows of one asset and day. Raises PermanentError (`not_built`, `broken_table`) with what to do."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.table_path(table, part)
        try:
            file: Any = pq.ParquetFile(path)
            return file.read().to_pylist()
        except FileNotFoundError as error:
            raise PermanentError("not_built", f"{table} of {part} is not built yet; materialize it first.") from error
        except (pa.ArrowInvalid, OSError) as error:
            raise PermanentError(
                "broken_table", f"{path} is no readable Parquet file; delete it and materialize {table} of {part} again."
            ) from error

    def blob_path(self, kind: str, key: str) -> Path:
        """Where the bytes of one key lie."""
        return self.root / "blobs" / kind / key[:2] / key

    def get(self, kind: str, key: str) -> bytes | None:
        """The kept bytes, or None."""
        try:
            return self.blob_path(kind, key).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, kind: str, key: str, data: bytes) -> None:
        """Keep bytes under their key."""
        write_atomically(self.blob_path(kind, key), data)
