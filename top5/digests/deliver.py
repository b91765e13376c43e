"""A digest to its recipients, exactly once as far as a network lets anybody know, each attempt in a ledger before it is made.

Belongs here: the mail as bytes, the channels that carry it, and the order of ledger entries around an attempt.
Does not belong here: how the digest looks (`render`), who subscribes, the ledger's store (a `Ledger` is handed in).

A mail server may take a message and lose the connection before it says so. Then nobody knows, and `unknown` is the honest
state: such a mail is repeated only when told. The repetition carries the same Message-ID, so that most mail programs show one.
"""

import hashlib
import os
import re
import ssl
import tempfile
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol
from urllib.parse import quote

import aiosmtplib

from top5.digests.compose import visible_text
from top5.digests.model import Digest
from top5.digests.render import render_html, render_text, subject
from top5.errors import PermanentError, Top5Error, TransientError
from top5.settings import DeliverySettings

DAY_HEADER: Final = "X-Top5-Day"
"""Which day's digest a message carries; the outbox names its files by it."""


class DeliveryState(StrEnum):
    """Where one mail stands. planned -> sending -> sent, failed or unknown."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class DeliveryUnknown(Top5Error):
    """The message was handed over and the answer never came: it may have been delivered."""


@dataclass(frozen=True)
class DeliveryOutcome:
    """What became of one recipient. `attempted` is False where nothing was sent now because of an earlier state or a bad address."""

    recipient: str
    channel: str
    state: DeliveryState
    attempted: bool
    message_id: str | None = None
    reason: str | None = None
    message: str | None = None


class Ledger(Protocol):
    """The deliveries' store. Grain: one day, recipient and channel. Each call is durable when it returns."""

    def plan(self, day: date, revision: int, recipient: str, channel: str, message_id: str) -> DeliveryState:
        """The row's state; a row `planned` is inserted where there is none. An existing row is left as it is."""
        ...

    def mark(self, day: date, recipient: str, channel: str, state: DeliveryState, reason: str | None) -> None:
        """Set the state of a planned row; `reason` is a slug for failed and unknown, None otherwise."""
        ...


class Channel(Protocol):
    """A way to a reader."""

    @property
    def name(self) -> str:
        """The channel's name in the ledger."""
        ...

    async def send(self, message: EmailMessage) -> None:
        """Carry one message to the one address in its To. Returns when it was accepted.

        Raises PermanentError, TransientError, or DeliveryUnknown where it may have been accepted.
        """
        ...


def parse_address(text: str) -> Address:
    """One mailbox, `Name <user@host>` or `user@host`, with its host in ASCII.

    Raises PermanentError `bad_address` for anything else: several addresses, control characters, no host, a local part that is
    not ASCII (that needs SMTPUTF8, which many servers lack), too long.
    """
    problem = PermanentError("bad_address", f"{visible_text(text)[:80]!r} is no mail address; write it as name@example.com.")
    if len(text) > 500 or any(unicodedata.category(character) in ("Cc", "Cs", "Cf", "Zl", "Zp") for character in text):
        raise problem
    named = re.fullmatch(r"\s*(.*?)\s*<([^<>]*)>\s*", text)
    name, spec = (named[1], named[2]) if named else ("", text.strip())
    local, at, host = spec.rpartition("@")
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise problem from None
    # An encoded word in a name would be decoded into characters that were never checked.
    if ("=?" in name) or (not name.startswith('"') and set(name) & set("<>@,;:")):
        raise problem
    if not at or not _LOCAL.fullmatch(local) or not _HOST.fullmatch(host) or len(local) > 64 or len(spec) > 254:
        raise problem
    return Address(display_name=name.strip('"').strip(), username=local, domain=host)


# RFC 5322 dot-atom: quoted local parts are legal, unheard of, and a way to smuggle.
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_HOST = re.compile(r"(?=.{1,253}\Z)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*")


def message_id(day: date, recipient: str, sender: str, *, resent_revision: int | None = None) -> str:
    """The Message-ID of a day's mail to a recipient: the same for each attempt, so that a repetition is recognised as one.

    A mail that is sent again on purpose carries its revision, or mail programs would hide it as known.
    """
    key = f"{day.isoformat()}\n{recipient.lower()}" + ("" if resent_revision is None else f"\n{resent_revision}")
    token = hashlib.sha256(key.encode()).hexdigest()[:32]
    return f"<top5.{day.isoformat()}.{token}@{_author(sender).domain}>"


def _author(sender: str) -> Address:
    try:
        return parse_address(sender)
    except PermanentError as error:
        problem = (
            f"{visible_text(sender)[:80]!r} is no mail address; set `delivery.sender` to one such as 'top5 <top5@example.com>'."
        )
        raise PermanentError("bad_sender", problem) from error


def build_message(
    digest: Digest, recipient: str, sender: str, *, now: datetime, unsubscribe: str | None = None, resend: bool = False
) -> EmailMessage:
    """The mail for one recipient: text and HTML, the same bytes for the same arguments.

    `now` is timezone-aware and becomes the Date; `unsubscribe` is an http, https or mailto URL, and where it is None a mailto to
    the sender stands in for it. Raises PermanentError `bad_address` for a bad recipient, `bad_sender` for a bad sender.
    """
    to = parse_address(recipient)
    author = _author(sender)
    by_mail = f"mailto:{quote(author.addr_spec, safe='@')}?subject=unsubscribe"
    leave = unsubscribe if unsubscribe and _HEADER_URL.fullmatch(unsubscribe) else by_mail
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = author
    message["To"] = to
    message["Subject"] = subject(digest)
    message["Date"] = format_datetime(now)
    message["Message-ID"] = message_id(digest.day, to.addr_spec, sender, resent_revision=digest.revision if resend else None)
    if resend:
        message["References"] = message_id(digest.day, to.addr_spec, sender)
    message["List-Id"] = f"<daily.{author.domain}>"
    message["List-Unsubscribe"] = f"<{leave}>" if leave == by_mail else f"<{leave}>, <{by_mail}>"
    message["Auto-Submitted"] = "auto-generated"
    message[DAY_HEADER] = digest.day.isoformat()
    message.set_content(render_text(digest, unsubscribe_url=leave), cte="quoted-printable")
    message.add_alternative(render_html(digest, unsubscribe_url=leave), subtype="html", cte="quoted-printable")
    # The library draws boundaries at random; quoted-printable never holds "=_", so this one cannot stand in a part.
    message.set_boundary(f"=_{hashlib.sha256(message['Message-ID'].encode()).hexdigest()[:32]}")
    return message


_HEADER_URL = re.compile(r"(?:https?://|mailto:)[!-;=?-~]{1,900}")


async def deliver(
    digest: Digest,
    recipients: Sequence[str],
    channel: Channel,
    ledger: Ledger,
    *,
    now: datetime,
    sender: str,
    resend: bool = False,
    resend_unknown: bool = False,
    unsubscribe: Callable[[str], str | None] | None = None,
) -> list[DeliveryOutcome]:
    """Send `digest` to each recipient who has not got the day's mail yet; one outcome per distinct recipient, in their order.

    `sent` is repeated only with `resend`, `unknown` only with `resend_unknown`, `failed` always. A row found `sending` is from
    an attempt that never came to its end and becomes `unknown`. `unsubscribe` gives a recipient's own URL. A failure of one
    recipient is an outcome with a reason; only failures of the ledger, and those nobody foresaw, end the loop.
    A bad sender raises PermanentError `bad_sender` before anything is written. Not for two runs at once over one ledger: `plan` claims nothing.
    """
    _author(sender)
    outcomes: list[DeliveryOutcome] = []
    seen: set[str] = set()
    for recipient in recipients:
        try:
            address = parse_address(recipient).addr_spec
        except PermanentError as error:
            key = visible_text(recipient)[:320]
            if key not in seen:
                seen.add(key)
                ledger.plan(digest.day, digest.revision, key, channel.name, "")
                outcomes.append(_settle(ledger, digest, DeliveryOutcome(key, channel.name, DeliveryState.FAILED, False), error))
            continue
        key = address.lower()
        if key in seen:
            continue
        seen.add(key)
        identity = message_id(digest.day, address, sender)
        state = ledger.plan(digest.day, digest.revision, key, channel.name, identity)
        again = resend and state == DeliveryState.SENT
        outcome = DeliveryOutcome(key, channel.name, state, False, identity)
        if state == DeliveryState.SENDING:
            interrupted = DeliveryUnknown(
                "interrupted", f"An earlier run ended while it sent to {key}; look whether the mail came."
            )
            outcome = _settle(ledger, digest, outcome, interrupted)
            state = outcome.state
        if (state == DeliveryState.SENT and not resend) or (state == DeliveryState.UNKNOWN and not resend_unknown):
            outcomes.append(outcome)
            continue
        link = unsubscribe(key) if unsubscribe is not None else None
        outcomes.append(await _attempt(digest, recipient, key, channel, ledger, now, sender, link, again))
    return outcomes


async def _attempt(
    digest: Digest,
    recipient: str,
    key: str,
    channel: Channel,
    ledger: Ledger,
    now: datetime,
    sender: str,
    link: str | None,
    again: bool,
) -> DeliveryOutcome:
    message = build_message(digest, recipient, sender, now=now, unsubscribe=link, resend=again)
    outcome = DeliveryOutcome(key, channel.name, DeliveryState.SENT, True, str(message["Message-ID"]))
    ledger.mark(digest.day, key, channel.name, DeliveryState.SENDING, None)
    try:
        await channel.send(message)
    except Top5Error as error:
        return _settle(ledger, digest, outcome, error)
    ledger.mark(digest.day, key, channel.name, DeliveryState.SENT, None)
    return outcome


def _settle(ledger: Ledger, digest: Digest, outcome: DeliveryOutcome, error: Top5Error) -> DeliveryOutcome:
    state = DeliveryState.UNKNOWN if isinstance(error, DeliveryUnknown) else DeliveryState.FAILED
    ledger.mark(digest.day, outcome.recipient, outcome.channel, state, error.reason)
    return replace(outcome, state=state, reason=error.reason, message=error.message)


class OutboxChannel:
    """Mails as `.eml` files in a folder, one a day and recipient: for trying out, and for machines without a mail server."""

    name: str = "outbox"

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def send(self, message: EmailMessage) -> None:
        """Write the file whole or not at all (temporary name, then rename); a repetition replaces it.

        Raises PermanentError where the folder may not be written, TransientError where the disk fails (full, gone).
        """
        path = self.folder / outbox_name(str(message[DAY_HEADER]), _only(message, "To"))
        temporary: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self.folder, prefix=".", suffix=".tmp", delete=False) as file:
                temporary = Path(file.name)
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except (PermissionError, FileExistsError, NotADirectoryError) as error:
            raise PermanentError(
                "outbox_refused", f"{self.folder} cannot be written ({error.strerror}); make it writable."
            ) from error
        except OSError as error:
            raise TransientError("outbox_failed", f"{path} could not be written ({error.strerror}); check the disk.") from error
        finally:
            if temporary is not None:
                temporary.unlink(missing_ok=True)


def outbox_name(day: str, recipient: str) -> str:
    """`2026-05-04-reader@example.com.eml`; what is not plain in an address becomes `_`, told apart by a few digits of its hash."""
    plain = re.sub(r"[^A-Za-z0-9@._+-]", "_", recipient)[:100].strip(".")
    if plain != recipient or not plain:
        plain = f"{plain}-{hashlib.sha256(recipient.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
    safe_day = re.sub(r"[^0-9-]", "_", day)[:10]
    return f"{safe_day}-{plain}.eml"


class SmtpChannel:
    """Mails by SMTP over one connection, opened at the first message. Use it as `async with SmtpChannel(settings) as channel`.

    A server that cannot be reached twice in a row is not tried again for the rest of the channel's life: the wait is the same
    for each recipient, and so is the answer.
    """

    name: str = "smtp"

    def __init__(self, settings: DeliverySettings, *, tls_context: ssl.SSLContext | None = None) -> None:
        if settings.smtp_host is None:
            raise PermanentError("bad_settings", "delivery.smtp_host is not set; set it, or leave mails to the outbox.")
        self._where = f"{settings.smtp_host}:{settings.smtp_port}"
        self._settings = settings
        self._tls_context = tls_context
        self._client: aiosmtplib.SMTP | None = None
        self._refusals = 0
        self._refused: Top5Error | None = None

    async def __aenter__(self) -> "SmtpChannel":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Say goodbye and close. A server that is gone already is no failure: all that was sent was answered."""
        client, self._client = self._client, None
        if client is not None and client.is_connected:
            with suppress(aiosmtplib.SMTPException, OSError):
                await client.quit()
            client.close()

    async def send(self, message: EmailMessage) -> None:
        """Send to the one address in To. 4xx and a lost connection before the text raise TransientError, 5xx PermanentError.

        A connection lost (or an answer not given in time) from DATA on raises DeliveryUnknown.
        """
        recipient, author = _only(message, "To"), _only(message, "From")
        client, reused = await self._connected()
        try:
            try:
                await client.mail(author)
            except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPSenderRefused) as error:
                # Servers close a connection that was idle or has carried enough: nothing was sent, a fresh one is tried once.
                if not reused or (isinstance(error, aiosmtplib.SMTPSenderRefused) and error.code != 421):
                    raise
                self._drop()
                client, _ = await self._connected()
                await client.mail(author)
            await client.rcpt(recipient)
        except aiosmtplib.SMTPResponseException as error:
            await self._reset()
            raise self._refusal(error, recipient) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            self._drop()
            problem = f"The connection to {self._where} broke before the mail to {recipient} was sent; run the delivery again."
            raise TransientError("smtp_disconnected", problem) from error
        await self._transfer(client, message, recipient)

    async def _transfer(self, client: aiosmtplib.SMTP, message: EmailMessage, recipient: str) -> None:
        try:
            await client.data(message.as_bytes())
        except (aiosmtplib.SMTPException, OSError) as error:
            if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code < 600:
                await self._reset()
                raise self._refusal(error, recipient) from error
            self._drop()
            problem = (
                f"{self._where} took the mail to {recipient} and did not answer; look whether it came, then resend unknown ones."
            )
            raise DeliveryUnknown("no_answer", problem) from error

    async def _connected(self) -> tuple[aiosmtplib.SMTP, bool]:
        if self._client is not None and self._client.is_connected:
            return self._client, True
        if self._refused is not None and (self._refusals >= 2 or isinstance(self._refused, PermanentError)):
            raise self._refused
        try:
            self._client = await self._connect()
        except Top5Error as error:
            self._refused, self._refusals = error, self._refusals + 1
            raise
        self._refused, self._refusals = None, 0
        return self._client, False

    async def _connect(self) -> aiosmtplib.SMTP:
        settings = self._settings
        password = settings.smtp_password.get_secret_value() if settings.smtp_password is not None else None
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_user,
            password=password,
            # The host name of this machine is nobody's business, and looking it up can take seconds.
            local_hostname="localhost",
            timeout=settings.timeout,
            use_tls=settings.smtp_security == "tls",
            start_tls=settings.smtp_security == "starttls",
            tls_context=self._tls_context if settings.smtp_security != "none" else None,
        )
        try:
            await client.connect()
        except aiosmtplib.SMTPAuthenticationError as error:
            client.close()
            if error.code < 500:
                problem = f"{self._where} cannot check the password now ({_answer(error)}); run the delivery again later."
                raise TransientError("smtp_auth", problem) from error
            problem = f"{self._where} refused user and password ({_answer(error)}); check delivery.smtp_user and smtp_password."
            raise PermanentError("smtp_auth", problem) from error
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise self._refusal(error, None) from error
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
            client.close()
            raise self._unreachable(error) from error
        return client

    def _unreachable(self, error: Exception) -> Top5Error:
        cause: BaseException = error.__cause__ or error
        if isinstance(cause, ssl.SSLError):
            problem = f"{self._where} offers no TLS that can be trusted; check delivery.smtp_host, smtp_port and smtp_security."
            return PermanentError("smtp_tls", problem)
        if isinstance(
            error, aiosmtplib.SMTPTimeoutError | aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError
        ):
            problem = f"{self._where} cannot be reached ({type(cause).__name__}); check delivery.smtp_host and smtp_port."
            return TransientError("smtp_unreachable", problem)
        problem = f"{self._where} lacks what delivery.smtp_security or smtp_user asks for ({visible_text(str(error))[:120]})."
        return PermanentError("smtp_unsupported", problem)

    def _refusal(self, error: aiosmtplib.SMTPResponseException, recipient: str | None) -> Top5Error:
        what = "the connection" if recipient is None else f"the mail to {recipient}"
        if not 400 <= error.code < 600:
            problem = f"{self._where} answered {what} with nonsense ({_answer(error)}); check delivery.smtp_host and smtp_port."
            return TransientError("smtp_protocol", problem)
        if error.code < 500:
            return TransientError(
                f"smtp_{error.code}", f"{self._where} put off {what} ({_answer(error)}); run the delivery again later."
            )
        return PermanentError(
            f"smtp_{error.code}", f"{self._where} refused {what} ({_answer(error)}); correct the address or the server."
        )

    async def _reset(self) -> None:
        """Ready the connection for the next recipient, or drop it."""
        if self._client is None:
            return
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._drop()

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _answer(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {visible_text(error.message)[:160]}".strip()


def _only(message: EmailMessage, header: str) -> str:
    return parse_address(str(message[header])).addr_spec
