"""Mails as files in a folder: for trying out, and for machines without a mail server.

Belongs here: names, whole files, and their removal. Nothing reads them back.
"""

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from top5.deliveries.model import LaneClosed, Mail
from top5.errors import PermanentError, TransientError
from top5.subscribers.address import address_key


class OutboxChannel:
    """Mails as `.eml` files in a folder, one a day and recipient. It is its own one lane."""

    name: str = "outbox"
    lanes: int = 1
    repeats_safely: bool = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __aenter__(self) -> "OutboxChannel":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def lane(self) -> "OutboxChannel":
        """Itself."""
        return self

    async def close(self) -> None:
        """Nothing is open."""

    async def send(self, mail: Mail, then: Mail | None = None) -> None:
        """Write the file whole or not at all (temporary name, then rename); a repetition replaces it.

        Raises LaneClosed: what keeps one file from being written (permissions, a full disk) keeps all.
        """
        path = self.folder / outbox_name(mail.day.isoformat(), mail.recipient)
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", suffix=".tmp", delete=False) as file:
                temporary = Path(file.name)
                file.write(mail.data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            problem = f"{self.folder} cannot be written ({error.strerror}); make it a folder that is writable."
            raise LaneClosed(PermanentError("outbox_refused", problem)) from error
        except OSError as error:
            problem = f"{self.folder} could not be written ({error.strerror}); check the disk."
            raise LaneClosed(TransientError("outbox_failed", problem)) from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def outbox_name(day: str, recipient: str) -> str:
    """`2026-05-04-reader@example.com.eml`; what is not plain in an address becomes `_`, told apart by a few digits of its hash."""
    safe_day = re.sub(r"[^0-9-]", "_", day)[:10]
    return f"{safe_day}-{_plain(recipient)}.eml"


def _plain(recipient: str) -> str:
    plain = re.sub(r"[^A-Za-z0-9@._+-]", "_", recipient)[:100].strip(".")
    if plain != recipient or not plain:
        plain = f"{plain}-{hashlib.sha256(recipient.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    return plain


_NAME = re.compile(r"[0-9_-]{10}-(.+)\.eml")


def erase(folder: Path, address: str) -> int:
    """Delete every mail to an address; returns how many there were."""
    key, gone = address_key(_plain(address)), 0
    # Names are compared and not matched by a pattern: an address may hold what a pattern means something by.
    for path in list(folder.iterdir()) if folder.is_dir() else []:
        name = _NAME.fullmatch(path.name)
        if name is not None and address_key(name[1]) in (key, address_key(_plain(address_key(address)))):
            with suppress(FileNotFoundError):
                path.unlink()
                gone += 1
    return gone
