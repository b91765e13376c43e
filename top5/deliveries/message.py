"""A digest as a mail: rendered and encoded once, addressed to many.

Belongs here: headers and MIME. How the digest looks is `top5.digests.render`, the wire is `smtp`.

Only a few lines of a mail differ between two readers of one digest: `Letter` keeps the encoded rest.
"""

import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from typing import Final, Literal
from urllib.parse import quote

from top5.deliveries.model import Mail
from top5.digests.compose import visible_text
from top5.digests.model import Digest
from top5.digests.render import render_html, render_text, subject
from top5.errors import PermanentError
from top5.subscribers.address import address_key, parse_address

DAY_HEADER: Final = "X-Top5-Day"
"""Which day's digest a message carries."""

PREVIEW_PREFIX: Final = "[preview] "

_LEAVE: Final = "https://link.invalid/unsubscribe-9d5e0f3a7c1b"
_MANAGE: Final = "https://link.invalid/preferences-4b8d2e6f1a05"
"""What stands in the rendering for the links of whoever gets it."""
_HEADER_URL = re.compile(r"(?:https?://|mailto:)[!-;=?-~]{1,900}")
_ADDRESS = re.compile(r"[!-;=?A-~]+@[A-Za-z0-9.-]+")
_ID = re.compile(r"<[!-;=?-~]{3,250}>")


def author(sender: str) -> Address:
    """The mailbox in `delivery.sender`. Raises PermanentError `bad_sender`."""
    try:
        return parse_address(sender)
    except PermanentError as error:
        shown = visible_text(sender)[:80]
        problem = f"{shown!r} is no mail address; set `delivery.sender` to one such as 'top5 <top5@example.com>'."
        raise PermanentError("bad_sender", problem) from error


def message_id(day: date, recipient: str, sender: Address, key: str, *, again: str = "") -> str:
    """The Message-ID of a day's mail to a recipient: the same for each attempt, so that a repetition is recognised as one.

    HMAC-SHA256 under `key`, so that who knows the address cannot name the mail. `again` tells a mail that is repeated on purpose
    from the first: mail programs would hide it as known.
    """
    text = f"{day.isoformat()}\n{address_key(recipient)}\n{again}"
    token = hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()[:32]
    return f"<top5.{day.isoformat()}.{token}@{sender.domain}>"


@dataclass(frozen=True, slots=True)
class Ways:
    """One reader's links: `page` leaves, by the site that also takes RFC 8058's POST, `mailto` by a mail; `preferences` changes."""

    mailto: str
    page: str | None = None
    preferences: str | None = None


def leave_by_mail(address: str, token: str | None = None) -> str:
    """The mailto URL of a request to leave; with a token in its subject it is honoured without a person."""
    return f"mailto:{_quoted(address)}?subject=unsubscribe" + (f"%20{quote(token)}" if token is not None else "")


@lru_cache(maxsize=8)
def _quoted(address: str) -> str:
    return quote(address, safe="@")


class Letter:
    """One digest for any number of readers: `letter.to(...)` is one reader's mail, the same bytes for the same arguments.

    `digest` is what is rendered, `day` the day whose mail it is. With the format `text` there is no HTML part. `envelope_sender` is where
    bounces go. `with_preferences` promises that each reader's ways name a page for them.
    `sign` gets the finished message and returns the header lines to put before it (DKIM).
    """

    def __init__(
        self,
        digest: Digest,
        sender: Address,
        *,
        now: datetime,
        format: Literal["html", "text"] = "html",
        envelope_sender: str | None = None,
        subject_prefix: str = "",
        with_preferences: bool = False,
        sign: Callable[[bytes], bytes] | None = None,
    ) -> None:
        manage = _MANAGE if with_preferences else None
        self._day, self._sign = digest.day, sign
        self._envelope_sender = envelope_sender or sender.addr_spec
        parts = [("plain", render_text(digest, unsubscribe_url=_LEAVE, preferences_url=manage))]
        if format == "html":
            parts.append(("html", render_html(digest, unsubscribe_url=_LEAVE, preferences_url=manage)))
        # quoted-printable never holds "=_", so this boundary cannot stand in a part, whatever is in it.
        boundary = f"=_{hashlib.sha256(f'{digest.inputs_hash}.{digest.revision}'.encode()).hexdigest()[:32]}"
        self._head = _list_head(sender.display_name, sender.addr_spec, digest.day, now) + _subject_line(
            subject_prefix + subject(digest)
        )
        if len(parts) > 1:
            self._head += f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode()
        self._pieces = _pieces(parts, boundary if len(parts) > 1 else None)

    def to(self, recipient: str, identity: str, ways: Ways) -> Mail:
        """The mail to one address (ASCII, as `parse_address` gives it) under a Message-ID.

        Raises PermanentError `bad_address` where an address, id or URL would not be one header line.
        """
        leave = ways.page or ways.mailto
        listed = [ways.page, ways.mailto] if ways.page else [ways.mailto]
        manage = ways.preferences or leave
        fields = [recipient, identity, *listed, manage]
        shapes = [_ADDRESS, _ID, *(_HEADER_URL for _ in listed), _HEADER_URL]
        if not all(shape.fullmatch(text) for shape, text in zip(shapes, fields, strict=True)) or len(recipient) > 254:
            raise PermanentError(
                "bad_address", "An address or link cannot stand in a header; remove the subscriber and add it again."
            )
        lines = [f"To: {recipient}", f"Message-ID: {identity}"]
        lines.append("List-Unsubscribe: " + ",\r\n ".join(f"<{url}>" for url in listed))
        if ways.page and ways.page.startswith("https:"):
            lines.append("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
        head = "\r\n".join(lines).encode("ascii") + b"\r\n"

        def filled(text: str) -> str:
            return text.replace(_LEAVE, leave).replace(_MANAGE, manage)

        body = b"".join(piece if isinstance(piece, bytes) else _encoded(filled(piece)) for piece in self._pieces)
        data = head + self._head + body
        if self._sign is not None:
            data = self._sign(data) + data
        return Mail(
            day=self._day,
            recipient=recipient,
            sender=self._envelope_sender,
            message_id=identity,
            data=data,
        )


@lru_cache(maxsize=8)
def _list_head(name: str, address: str, day: date, now: datetime) -> bytes:
    """The headers that all letters of a day share."""
    sender, message = Address(name, addr_spec=address), EmailMessage(policy=SMTP)
    message["From"] = sender
    message["Date"] = format_datetime(now)
    message["List-Id"] = f"<daily.{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["Precedence"] = "list"
    message[DAY_HEADER] = day.isoformat()
    message["MIME-Version"] = "1.0"
    return _lines(message)


def _subject_line(said: str) -> bytes:
    message = EmailMessage(policy=SMTP)
    message["Subject"] = said
    return _lines(message)


def _lines(message: EmailMessage) -> bytes:
    head = message.as_bytes()
    return head[: head.index(b"\r\n\r\n") + 2]


def _pieces(parts: list[tuple[str, str]], boundary: str | None) -> list[bytes | str]:
    """The body as encoded bytes, but for the lines with a placeholder, which stay text."""
    pieces: list[bytes | str] = []
    opening = f"\r\n--{boundary}\r\n".encode() if boundary is not None else b""
    for subtype, text in parts:
        kind = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        pieces.append(opening + kind.encode())
        lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
        fixed: list[str] = []
        for line in lines:
            if _LEAVE in line or _MANAGE in line:
                pieces += [_encoded("\n".join([*fixed, ""])), line, b"\r\n"]
                fixed = []
            else:
                fixed.append(line)
        pieces.append(_encoded("\n".join([*fixed, ""])))
    if boundary is not None:
        pieces.append(f"\r\n--{boundary}--\r\n".encode())
    return [piece for piece in pieces if piece]


def _encoded(text: str) -> bytes:
    encoded = binascii.b2a_qp(text.encode("utf-8", "replace"), istext=True)
    return encoded.replace(b"\n", b"\r\n")
