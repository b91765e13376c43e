"""Signed links instead of passwords: who may do what, proven by a token that was mailed to the address.

Belongs here: making and checking tokens and the keys they are signed with. What a token allows is in `service`.

A token is `<subscriber id>.<serial>.<time>.<signature>`, signed with itsdangerous under a salt of its own per purpose: one for leaving
opens nothing else. Nothing of it is stored, but for the SHA-256 of those that were used where once is enough.
"""

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Final

from itsdangerous import BadSignature, SignatureExpired, TimestampSigner
from itsdangerous.signer import SigningAlgorithm

from top5.errors import PermanentError, TransientError
from top5.settings import Settings


class Purpose(StrEnum):
    """What a token is for."""

    CONFIRM = "confirm"
    """Says yes to the subscription. Expires, works once."""
    MANAGE = "manage"
    """Shows and changes preferences; stands in every mail. Expires, and all of a subscriber's end with a rotation of their serial."""
    DATA = "data"
    """Shows all that is kept and deletes it; mailed on request only, because digests get forwarded. Expires within the hour."""
    UNSUBSCRIBE = "unsubscribe"
    """Ends the subscription. Never expires: a link in an old mail must work too."""


@dataclass(frozen=True)
class Claim:
    """What a genuine token says. `token_hash` is SHA-256 in hex, for those that work once."""

    subscriber_id: str
    serial: int
    purpose: Purpose
    issued_at: datetime
    token_hash: str


class TokenRefused(PermanentError):
    """`reason` is `bad_token` (forged, cut off, of another purpose), `expired_token`, `used_token`, or `old_token` (revoked)."""


_SENTENCES: Final = {
    "bad_token": "This link is not complete or not genuine; open it again from the mail, or ask for a new one.",
    "expired_token": "This link has expired; ask for a new one.",
    "used_token": "This link was used already; nothing more is to do.",
    "old_token": "This link was replaced by a newer one; open the one in your latest mail.",
}


def refused(reason: str) -> TokenRefused:
    """The refusal with its sentence, the same whoever the token names."""
    return TokenRefused(reason, _SENTENCES[reason])


MAX_TOKEN: Final = 200
"""Longer ones are refused unread."""

_PAYLOAD = re.compile(r"([A-Za-z0-9_-]{8,32})\.([0-9]{1,9})")


class _Hmac(SigningAlgorithm):
    """HMAC-SHA256 in one call: there are thousands of signatures in a run."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        return hmac.digest(key, value, "sha256")


class _Signer(TimestampSigner):
    """The library's signer with the moment handed in, and with keys that are derived once."""

    moment: datetime

    def __init__(self, keys: Sequence[str], purpose: Purpose) -> None:
        super().__init__(
            list(keys), salt=f"top5.{purpose}", key_derivation="hmac", digest_method=hashlib.sha256, algorithm=_Hmac()
        )
        self._derived: dict[str | bytes | None, bytes] = {}

    def derive_key(self, secret_key: str | bytes | None = None) -> bytes:
        if secret_key not in self._derived:
            self._derived[secret_key] = super().derive_key(secret_key)
        return self._derived[secret_key]

    def get_timestamp(self) -> int:
        return int(self.moment.timestamp())


class Tokens:
    """Makes tokens with the newest of `keys` and accepts those of any; drop an old key and its tokens are void."""

    def __init__(self, keys: Sequence[str], lifetimes: dict[Purpose, timedelta | None]) -> None:
        if not keys:
            raise PermanentError(
                "no_key", "There is no key to sign links with; set subscribers.secret_keys or delete the empty file."
            )
        self.newest = keys[-1]
        """The key that signs; Message-IDs are made with it too."""
        self._lifetimes = lifetimes
        self._signers = {purpose: _Signer(keys, purpose) for purpose in Purpose}

    def make(self, purpose: Purpose, subscriber_id: str, serial: int, now: datetime) -> str:
        """A token of letters, digits, `-`, `_` and `.`, 70 to 90 characters; the same for the same arguments and second."""
        signer = self._signers[purpose]
        signer.moment = now
        return signer.sign(f"{subscriber_id}.{serial}").decode("ascii")

    def read(self, token: str, purpose: Purpose, now: datetime) -> Claim:
        """What a genuine, unexpired token says. Raises TokenRefused."""
        if len(token) > MAX_TOKEN or not token.isascii():
            raise refused("bad_token")
        signer, lifetime = self._signers[purpose], self._lifetimes[purpose]
        signer.moment = now
        age = int(lifetime.total_seconds()) if lifetime is not None else None
        try:
            value, issued_at = signer.unsign(token, max_age=age, return_timestamp=True)
        except SignatureExpired:
            raise refused("expired_token") from None
        except BadSignature:
            raise refused("bad_token") from None
        match = _PAYLOAD.fullmatch(value.decode("ascii"))
        if match is None:
            raise refused("bad_token")
        return Claim(match[1], int(match[2]), purpose, issued_at, hashlib.sha256(token.encode()).hexdigest())

    def expires_at(self, claim: Claim) -> datetime | None:
        """When the token of `claim` expires; None: never."""
        lifetime = self._lifetimes[claim.purpose]
        return claim.issued_at + lifetime if lifetime is not None else None


def open_tokens(settings: Settings) -> Tokens:
    """Tokens with the keys of `subscribers.secret_keys`, else those of `<home>/secret_keys`, made on first use and readable by its owner only."""
    chosen = settings.subscribers
    given = chosen.secret_keys.get_secret_value().replace(",", " ").split()
    lifetimes: dict[Purpose, timedelta | None] = {
        Purpose.CONFIRM: timedelta(days=chosen.confirm_days),
        Purpose.MANAGE: timedelta(days=chosen.manage_days),
        Purpose.DATA: timedelta(hours=1),
        Purpose.UNSUBSCRIBE: None,
    }
    return Tokens(given or _kept_keys(keys_path(settings)), lifetimes)


def keys_path(settings: Settings) -> Path:
    """Where the keys lie: one a line, oldest first."""
    return settings.home / "secret_keys"


def rotate_keys(settings: Settings, *, keep: int = 2) -> int:
    """Sign with a new key from now on; of the old ones the newest `keep` stay valid. Returns how many keys there are now.

    Raises PermanentError `keys_in_settings` where the keys are not ours to change.
    """
    if settings.subscribers.secret_keys.get_secret_value().split():
        raise PermanentError(
            "keys_in_settings", "The keys stand in subscribers.secret_keys; put a new one at the end of that list."
        )
    path = keys_path(settings)
    kept = _kept_keys(path)
    keys = [*kept[-keep:], secrets.token_urlsafe(32)] if keep else [secrets.token_urlsafe(32)]
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    _write_secret(temporary, keys)
    temporary.replace(path)
    return len(keys)


def _kept_keys(path: Path) -> list[str]:
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            _write_secret(temporary, [secrets.token_urlsafe(32)])
            try:
                # A link fails where the name is taken: of two processes that start at once one key stays, whole from the start.
                with suppress(FileExistsError):
                    os.link(temporary, path)
            finally:
                temporary.unlink()
        return path.read_text("ascii").split()
    except PermissionError as error:
        raise PermanentError("no_key", f"{path} cannot be read ({error.strerror}); make it yours, mode 0600.") from error
    except OSError as error:
        raise TransientError("disk", f"{path} cannot be written ({error.strerror}); check the disk.") from error


def _write_secret(path: Path, keys: Sequence[str]) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(file.fileno())
