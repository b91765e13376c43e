"""The form of a backup: one tar file with a head, the files, and their hashes.

Belongs here: what an archive must hold to be ours, and refusing every other. What is copied into it is in `backup`, what becomes of it
in `restore`.

    top5-backup.json   `Head`: who wrote it, when, which schema
    catalog.db, warehouse.duckdb, lake/..., digests/..., outbox/..., secret_keys
    top5-files.json    `Contents`: bytes and SHA-256 of each file, and what was left out with the reason
"""

import hashlib
import io
import tarfile
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import BaseModel, ConfigDict, ValidationError

from top5.errors import PermanentError

FORMAT = 1
HEAD = "top5-backup.json"
CONTENTS = "top5-files.json"
CATALOG = "catalog.db"
WAREHOUSE = "warehouse.duckdb"
FOLDERS = ("lake", "digests", "outbox")
FILES = (CATALOG, WAREHOUSE, f"{WAREHOUSE}.wal", "secret_keys")
_CHUNK = 1 << 20


class Head(BaseModel):
    """First member of an archive. `made_at` is UTC."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    format: int
    version: str
    made_at: datetime
    catalog_revision: str


class StoredFile(BaseModel):
    """Bytes and SHA-256 of one file."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Contents(BaseModel):
    """Last member of an archive: every file by its path, and what could not be copied with the reason."""

    model_config = ConfigDict(frozen=True)

    files: dict[str, StoredFile]
    left_out: dict[str, str] = {}


class ArchiveWriter:
    """Adds files to an open tar file and remembers their hashes."""

    def __init__(self, tar: tarfile.TarFile) -> None:
        self.tar = tar
        self.files: dict[str, StoredFile] = {}

    def add(self, path: Path, name: str) -> None:
        """Copy a file as it is when it is opened; a file that has gone since it was listed is left out."""
        try:
            source = path.open("rb")
        except FileNotFoundError:
            return
        with source:
            info = self.tar.gettarinfo(arcname=name, fileobj=source)
            info.mode, info.uid, info.gid, info.uname, info.gname = 0o600, 0, 0, "", ""
            reader = _Hashing(source, info.size)
            self.tar.addfile(info, reader)
        self.files[name] = StoredFile(bytes=info.size, sha256=reader.hash.hexdigest())

    def add_json(self, model: BaseModel, name: str) -> None:
        """Add a description of the archive itself."""
        data = model.model_dump_json(indent=1).encode()
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(data), 0o600
        self.tar.addfile(info, io.BytesIO(data))


class _Hashing(io.RawIOBase):
    def __init__(self, source: IO[bytes], size: int) -> None:
        self.source, self.left, self.hash = source, size, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self.source.read(self.left if size < 0 else min(size, self.left))
        self.left -= len(data)
        self.hash.update(data)
        return data


def unpack(archive: Path, target: Path) -> tuple[Head, Contents]:
    """Unpack an archive into an empty folder, each file checked against its hash.

    Raises PermanentError `foreign_archive`, `newer_archive` or `broken_archive`; nothing outside `target` is ever written.
    """
    found: dict[str, StoredFile] = {}
    contents: Contents | None = None
    head: Head | None = None
    with _named(archive), tarfile.open(archive, "r|*") as tar:
        for member in tar:
            name = member.name
            source = tar.extractfile(member) if member.isreg() else None
            if source is None or not (name in (HEAD, CONTENTS) or _is_ours(name)) or name in found:
                raise PermanentError("foreign_archive", f"{archive} holds {name[:80]!r}, which no backup of top5 has.")
            if head is None and name != HEAD:
                raise PermanentError("foreign_archive", f"{archive} is no backup of top5; give a file that `top5 backup` wrote.")
            if name == HEAD:
                head = _check_head(archive, Head.model_validate_json(source.read(_CHUNK)))
            elif name == CONTENTS:
                contents = Contents.model_validate_json(source.read())
            else:
                found[name] = _copy(source, target / name)
    if head is None:
        raise PermanentError("foreign_archive", f"{archive} is no backup of top5; give a file that `top5 backup` wrote.")
    if contents is None or found != contents.files or CATALOG not in found:
        raise PermanentError("broken_archive", f"{archive} is not as it was written (cut off or changed); use another backup.")
    return head, contents


@contextmanager
def _named(archive: Path) -> Generator[None, None, None]:
    try:
        yield
    except FileNotFoundError as error:
        raise PermanentError("no_archive", f"{archive} does not exist; name a file that `top5 backup` wrote.") from error
    except tarfile.ReadError as error:
        if "not a gzip file" in str(error) or "could not be opened" in str(error):
            raise PermanentError("foreign_archive", f"{archive} is no backup of top5 ({error}).") from error
        raise PermanentError("broken_archive", f"{archive} is not as it was written ({error}); use another backup.") from error
    except (EOFError, ValidationError, tarfile.TarError, OSError, ValueError) as error:
        told = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PermanentError("broken_archive", f"{archive} is not as it was written ({told}); use another backup.") from error


def _check_head(archive: Path, head: Head) -> Head:
    from top5.catalog.migrate import known_revisions

    if head.format > FORMAT or head.catalog_revision not in known_revisions():
        raise PermanentError(
            "newer_archive", f"{archive} was written by top5 {head.version}; install that version or a later one."
        )
    return head


def _is_ours(name: str) -> bool:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or str(path) != name:
        return False
    return name in FILES or (path.parts[0] in FOLDERS and len(path.parts) > 1)


def _copy(source: IO[bytes], target: Path) -> StoredFile:
    digest, size = hashlib.sha256(), 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("xb") as file:
        while data := source.read(_CHUNK):
            file.write(data)
            digest.update(data)
            size += len(data)
    return StoredFile(bytes=size, sha256=digest.hexdigest())
