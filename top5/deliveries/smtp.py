"""Mails by SMTP: connections that are kept, and a transaction whose every step says what a failure at it means.

Belongs here: the wire. aiosmtplib connects, starts TLS and logs in; the transaction is driven here, because it sends the envelope
as one group, behind the text of the mail before, where the server offers PIPELINING (RFC 2920) and aiosmtplib answers one command at a time.
Does not belong here: when to try again, the ledger.
"""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Final, cast

import aiosmtplib

from top5.deliveries.model import DeliveryUnknown, LaneClosed, Mail, NoSuchMailbox
from top5.digests.compose import visible_text
from top5.errors import PermanentError, Top5Error, TransientError
from top5.settings import DeliverySettings
from top5.subscribers.address import mask_address

CONNECT_PAUSE: Final = 1.0
"""Seconds between the first failure to connect and the second try."""

MAX_REPLY: Final = 64 * 1024
"""Bytes that a server may say without ending a reply."""

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer of the server: its code and its lines as one."""

    code: int
    text: str

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463) such as `5.1.1`, where the text begins with one."""
        found = re.match(r"([245]\.\d{1,3}\.\d{1,3})\b", self.text)
        return found[1] if found else None

    def __str__(self) -> str:
        # A server repeats the address that it was given.
        said = re.sub(r"<[^<>]*>|[^\s<>]+@[^\s<>]+", "<…>", self.text)
        return f"{self.code} {visible_text(said)[:160]}".strip()


class _Lost(Exception):
    """The connection is gone, or what came is no SMTP."""


class _Wire(asyncio.Protocol):
    """Reads replies in their order, however many come in one packet."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._buffer = b""
        self._lines: list[str] = []
        self._replies: deque[Reply] = deque()
        self._waiter: asyncio.Future[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._lost: str | None = None
        transport.set_protocol(self)

    @property
    def open(self) -> bool:
        """Whether something can still be said."""
        return self._lost is None and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether a reply lies there that nobody has read."""
        return bool(self._replies)

    async def write(self, data: bytes) -> None:
        """Send bytes; waits while the server reads slower than we write."""
        if self._lost is not None or self._transport.is_closing():
            raise _Lost(self._lost or "closed")
        self._transport.write(data)
        await self._writable.wait()

    async def reply(self) -> Reply:
        """The next reply. Raises _Lost where none comes any more."""
        while not self._replies:
            if self._lost is not None:
                raise _Lost(self._lost)
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        return self._replies.popleft()

    def abort(self) -> None:
        """Close without a word."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            if not re.match(rb"[2-5][0-9]{2}(?:[ -]|\r?$)", line):
                self._end("it spoke no SMTP")
                return
            self._lines.append(line[4:].strip().decode("utf-8", "replace"))
            if line[3:4] != b"-":
                self._replies.append(Reply(int(line[:3]), " ".join(self._lines)))
                self._lines = []
        if len(self._buffer) + sum(map(len, self._lines)) > MAX_REPLY:
            self._end("its reply had no end")
        self._wake()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def eof_received(self) -> None:
        self._end("it closed the connection")

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(type(exc).__name__ if exc is not None else "it closed the connection")

    def _end(self, why: str) -> None:
        self._lost = self._lost or why
        self._transport.close()
        self._writable.set()
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class SmtpChannel:
    """Mails by SMTP. Each lane is one connection, opened at its first message and kept."""

    name: str = "smtp"
    repeats_safely: bool = False

    def __init__(
        self, settings: DeliverySettings, *, tls_context: ssl.SSLContext | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        if settings.smtp_host is None:
            raise PermanentError("bad_settings", "delivery.smtp_host is not set; set it, or leave mails to the outbox.")
        self.lanes = settings.connections
        self._settings = settings
        self._tls_context = tls_context
        self._sleep = sleep

    async def __aenter__(self) -> "SmtpChannel":
        if self._tls_context is None and self._settings.smtp_security != "none":
            # Made once: each would read the machine's store of certificates again.
            self._tls_context = ssl.create_default_context()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def lane(self) -> "SmtpLane":
        """A connection that is not open yet."""
        return SmtpLane(self._settings, self._tls_context, self._sleep)


class SmtpLane:
    """One connection and what is said on it."""

    def __init__(self, settings: DeliverySettings, tls_context: ssl.SSLContext | None, sleep: Sleep) -> None:
        self._settings, self._tls_context, self._sleep = settings, tls_context, sleep
        self._where = f"{settings.smtp_host}:{settings.smtp_port}"
        self._wire: _Wire | None = None
        self._pipelining = False
        self._max_size = 0
        self._announced: Mail | None = None

    async def send(self, mail: Mail, then: Mail | None = None) -> None:
        """As `Lane.send`. What breaks before the text is handed over raises TransientError `smtp_disconnected`; from then on DeliveryUnknown.

        Where the server offers PIPELINING, the envelope of `then` travels behind the text: a mail costs one turn in place of two.
        """
        wire, reused = await self._connected(mail)
        if not self._fits(mail):
            problem = f"The mail has {len(mail.data)} bytes and {self._where} takes {self._max_size}; use the format text."
            raise PermanentError("too_large", problem)
        for attempt in range(2):
            try:
                refusal = await self._envelope(wire, mail)
            except (_Lost, TimeoutError, OSError) as error:
                self._drop()
                # Servers close a connection that was idle or has carried enough: nothing was sent, a fresh one is tried once.
                if not reused or attempt:
                    raise self._lost_before(error) from error
            else:
                if refusal is None:
                    break
                if refusal.code != 421:
                    raise self._refused(refusal, mail)
                if not reused or attempt:
                    raise LaneClosed(self._turned_away(refusal))
            wire, reused = await self._connected(mail)
        await self._text(wire, mail, then)

    async def close(self) -> None:
        """Say QUIT and close. A server that is gone already is no failure: all that was sent was answered."""
        wire, self._wire = self._wire, None
        if wire is not None:
            with suppress(_Lost, TimeoutError, OSError):
                async with asyncio.timeout(2):
                    await wire.write(b"QUIT\r\n")
                    await wire.reply()
            wire.abort()

    async def _envelope(self, wire: _Wire, mail: Mail) -> Reply | None:
        """MAIL, RCPT and DATA; the refusal where there is one, and the connection is ready for the next mail then, or dropped."""
        commands = _envelope(mail)
        async with asyncio.timeout(self._settings.timeout):
            if self._pipelining:
                if self._announced is not mail:
                    await wire.write(b"".join(commands))
                self._announced = None
                replies = [await wire.reply() for _ in commands]
            else:
                replies = list[Reply]()
                for command in commands:
                    await wire.write(command)
                    replies.append(await wire.reply())
                    if replies[-1].code // 100 not in (2, 3):
                        break
        # MAIL and RCPT are answered by 2xx, DATA by 354.
        refusal = next((reply for reply, kind in zip(replies, (2, 2, 3), strict=False) if reply.code // 100 != kind), None)
        if refusal is None:
            return None
        if replies[-1].code == 354 or refusal.code == 421:
            # After a 354 a lone dot would be an empty mail to somebody.
            self._drop()
        else:
            await self._reset(wire)
        return refusal

    async def _text(self, wire: _Wire, mail: Mail, then: Mail | None) -> None:
        data = mail.data.replace(b"\r\n.", b"\r\n..")
        parts = [b"." if data.startswith(b".") else b"", data, b".\r\n" if data.endswith(b"\r\n") else b"\r\n.\r\n"]
        if then is not None and self._pipelining and self._fits(then):
            self._announced = then
            parts += _envelope(then)
        try:
            async with asyncio.timeout(self._settings.timeout):
                await wire.write(b"".join(parts))
                reply = await wire.reply()
        except (_Lost, TimeoutError, OSError) as error:
            self._drop()
            raise self._never_answered(mail) from error
        except asyncio.CancelledError:
            self._drop()
            raise
        if 200 <= reply.code < 300:
            return
        if reply.code < 400:
            self._drop()
            raise self._never_answered(mail)
        if reply.code == 421:
            self._drop()
        raise self._refused(reply, mail)

    async def _reset(self, wire: _Wire) -> None:
        try:
            async with asyncio.timeout(self._settings.timeout):
                await wire.write(b"RSET\r\n")
                if (await wire.reply()).code != 250:
                    self._drop()
        except (_Lost, TimeoutError, OSError):
            self._drop()

    def _drop(self) -> None:
        if self._wire is not None:
            self._wire.abort()
            self._wire = None
        self._announced = None

    def _fits(self, mail: Mail) -> bool:
        return not 0 < self._max_size < len(mail.data)

    async def _connected(self, mail: Mail) -> tuple[_Wire, bool]:
        # What was said unasked is a goodbye; and with another mail announced the server waits for a text that does not come.
        expected = self._announced is mail or (self._announced is None and not (self._wire and self._wire.answered))
        if self._wire is not None and self._wire.open and expected:
            return self._wire, True
        self._drop()
        try:
            self._wire = await self._connect()
        except TransientError:
            await self._sleep(CONNECT_PAUSE)
            try:
                self._wire = await self._connect()
            except Top5Error as error:
                raise LaneClosed(error) from error
        except Top5Error as error:
            raise LaneClosed(error) from error
        return self._wire, False

    async def _connect(self) -> _Wire:
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
            if client.is_ehlo_or_helo_needed:
                try:
                    await client.ehlo()
                except aiosmtplib.SMTPHeloError:
                    await client.helo()
        except aiosmtplib.SMTPAuthenticationError as error:
            client.close()
            if error.code < 500:
                problem = f"{self._where} cannot check the password now ({_said(error)}); run the delivery again later."
                raise TransientError("smtp_auth", problem) from error
            problem = f"{self._where} refused user and password ({_said(error)}); check delivery.smtp_user and smtp_password."
            raise PermanentError("smtp_auth", problem) from error
        except aiosmtplib.SMTPResponseException as error:
            client.close()
            raise self._turned_away(Reply(error.code, error.message)) from error
        except (aiosmtplib.SMTPException, ssl.SSLError, OSError) as error:
            client.close()
            raise self._unreachable(error) from error
        self._pipelining = client.supports_extension("pipelining")
        limit = client.esmtp_extensions.get("size", "")
        self._max_size = int(limit) if limit.isdecimal() else 0
        protocol = client.protocol
        if protocol is None or protocol.transport is None:
            raise self._unreachable(aiosmtplib.SMTPServerDisconnected("closed"))
        return _Wire(cast("asyncio.Transport", protocol.transport))

    def _unreachable(self, error: Exception) -> Top5Error:
        cause: BaseException = error.__cause__ or error
        if isinstance(cause, ssl.SSLError):
            problem = f"{self._where} offers no TLS that can be trusted; check delivery.smtp_host, smtp_port and smtp_security."
            return PermanentError("smtp_tls", problem)
        gone = aiosmtplib.SMTPTimeoutError | aiosmtplib.SMTPServerDisconnected | aiosmtplib.SMTPConnectError | OSError
        if isinstance(error, gone):
            problem = f"{self._where} cannot be reached ({type(cause).__name__}); check delivery.smtp_host and smtp_port."
            return TransientError("smtp_unreachable", problem)
        problem = f"{self._where} lacks what delivery.smtp_security or smtp_user asks for ({visible_text(str(error))[:120]})."
        return PermanentError("smtp_unsupported", problem)

    def _turned_away(self, reply: Reply) -> Top5Error:
        if 400 <= reply.code < 500:
            problem = f"{self._where} put off the connection ({reply}); run the delivery again later."
            return TransientError(f"smtp_{reply.code}", problem)
        if 500 <= reply.code < 600:
            problem = f"{self._where} refused the connection ({reply}); ask who runs it."
            return PermanentError(f"smtp_{reply.code}", problem)
        problem = f"{self._where} answered with nonsense ({reply}); check delivery.smtp_host and smtp_port."
        return TransientError("smtp_protocol", problem)

    def _refused(self, reply: Reply, mail: Mail) -> Top5Error:
        whose = f"the mail to {mask_address(mail.recipient)}"
        if reply.code < 400:
            return TransientError("smtp_protocol", f"{self._where} answered {whose} out of turn ({reply}); check the server.")
        if reply.code < 500:
            return TransientError(f"smtp_{reply.code}", f"{self._where} put off {whose} ({reply}); it is tried again later.")
        problem = f"{self._where} refused {whose} ({reply}); correct the address or the server."
        if _no_mailbox(reply):
            return NoSuchMailbox(f"smtp_{reply.code}", problem)
        return PermanentError(f"smtp_{reply.code}", problem)

    def _lost_before(self, error: Exception) -> Top5Error:
        why = str(error) if isinstance(error, _Lost) else "it did not answer in time"
        problem = f"The connection to {self._where} broke before a mail was handed over ({why}); it is tried again later."
        return TransientError("smtp_disconnected", problem)

    def _never_answered(self, mail: Mail) -> Top5Error:
        whose = f"the mail to {mask_address(mail.recipient)}"
        problem = f"{self._where} took {whose} and did not answer; look whether it came, then `top5 deliveries resolve`."
        return DeliveryUnknown("no_answer", problem)


def _envelope(mail: Mail) -> list[bytes]:
    return [f"MAIL FROM:<{mail.sender}>\r\n".encode(), f"RCPT TO:<{mail.recipient}>\r\n".encode(), b"DATA\r\n"]


def _no_mailbox(reply: Reply) -> bool:
    """Whether a refusal is about the mailbox and not about us: 5.1.1 bad mailbox, 5.1.10 no mail host, 5.2.1 disabled (RFC 3463, 7505)."""
    return reply.code in (550, 551, 553, 556) and reply.enhanced in ("5.1.1", "5.1.6", "5.1.10", "5.2.1")


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return str(Reply(error.code, error.message))
