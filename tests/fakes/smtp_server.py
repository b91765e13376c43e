"""A real SMTP server on a free local port, with failures planted by recipient.

Belongs here: speaking SMTP to clients under test. It runs in the test's own event loop, so that nothing has to be waited for.
"""

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from types import TracebackType
from typing import Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Plant = Literal[
    "421", "450", "451", "550", "550 policy", "421 data", "452 data", "554 data", "354 data",
    "drop at rcpt", "drop at data", "drop after data", "silent at rcpt", "silent after data", "nonsense data",
]  # fmt: skip
"""What happens to a recipient: a code at RCPT or after the text, a lost connection at RCPT, while the text comes or after it, no answer,
an answer that is none."""


@dataclass
class SmtpServer:
    """`async with SmtpServer({"b@example.com": "451"}) as server`: then `server.port`, `server.messages`, `server.connections`.

    `messages` holds what was taken, including texts whose answer was never given. `goodbye_after` closes each connection with
    421 after that many messages, or without a word where `hang_up`. With `pipelining` the extension is offered; beyond `max_connections`
    at once a connection is closed. `at_once` is the most connections there were.
    """

    planted: Mapping[str, Plant] = field(default_factory=dict[str, Plant])
    users: Mapping[str, str] | None = None
    tls: ssl.SSLContext | None = None
    implicit_tls: bool = False
    goodbye_after: int | None = None
    pipelining: bool = False
    max_connections: int | None = None
    hang_up: bool = False
    messages: list[EmailMessage] = field(default_factory=list[EmailMessage])
    recipients: list[str] = field(default_factory=list[str])
    logins: list[str] = field(default_factory=list[str])
    encrypted: list[bool] = field(default_factory=list[bool])
    connections: int = 0
    open_now: int = 0
    at_once: int = 0
    port: int = 0

    async def __aenter__(self) -> "SmtpServer":
        server = await asyncio.get_running_loop().create_server(
            self._protocol, "127.0.0.1", 0, ssl=self.tls if self.implicit_tls else None
        )
        self._server = server
        self._protocols: list[SMTP] = []
        self.port = server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.close()
        tasks = [protocol._handler_coroutine for protocol in self._protocols if protocol._handler_coroutine is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()

    def _protocol(self) -> SMTP:
        self.connections += 1
        handler = _Handler(self)
        protocol = _Protocol(
            self,
            handler,
            hostname="mail.test",
            tls_context=None if self.implicit_tls else self.tls,
            require_starttls=self.tls is not None and not self.implicit_tls,
            auth_require_tls=False,
            authenticator=handler.authenticate,
            auth_exclude_mechanism=None if self.users is not None else ["LOGIN", "PLAIN"],
            loop=asyncio.get_running_loop(),
        )
        self._protocols.append(protocol)
        return protocol


class _Protocol(SMTP):
    def __init__(self, server: SmtpServer, handler: "_Handler", **options: object) -> None:
        super().__init__(handler, **options)  # type: ignore[arg-type]
        self._of = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._of.open_now += 1
        self._of.at_once = max(self._of.at_once, self._of.open_now)
        super().connection_made(transport)
        if self._of.max_connections is not None and self._of.open_now > self._of.max_connections:
            cast(asyncio.Transport, transport).abort()

    def connection_lost(self, error: Exception | None) -> None:
        self._of.open_now -= 1
        super().connection_lost(error)


class _Handler:
    def __init__(self, server: SmtpServer) -> None:
        self.server = server
        self.taken = 0

    def authenticate(self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
        assert isinstance(data, LoginPassword)
        user = data.login.decode()
        self.server.logins.append(user)
        known = self.server.users or {}
        return AuthResult(success=known.get(user) == data.password.decode(), handled=False)

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        # The first line is the server's name, not an extension.
        return [responses[0], "250-PIPELINING", *responses[1:]] if self.server.pipelining else responses

    async def handle_MAIL(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        if self.server.goodbye_after is not None and self.taken >= self.server.goodbye_after:
            if self.server.hang_up:
                self._drop(server)
            return "421 4.7.0 too many messages on one connection"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        plant = self.server.planted.get(address)
        if plant == "drop at rcpt":
            self._drop(server)
        if plant == "silent at rcpt":
            await asyncio.get_running_loop().create_future()
        if plant == "421":
            return "421 4.3.2 closing"
        if plant == "450":
            return f"450 4.2.0 <{address}> try again later"
        if plant == "451":
            return "451 4.7.1 greylisted, come back later"
        if plant == "550 policy":
            return "550 5.7.1 we do not like you"
        if plant == "550":
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        plant = self.server.planted.get(envelope.rcpt_tos[0])
        if plant == "554 data":
            return "554 5.7.1 looks like spam"
        if plant == "421 data":
            return "421 4.3.2 closing, nothing was taken"
        if plant == "354 data":
            return "354 more please"
        if plant == "drop at data":
            self._drop(server)
        if plant == "452 data":
            return "452 4.3.1 disk full"
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, policy=default)
        assert isinstance(message, EmailMessage)
        self.server.messages.append(message)
        self.server.recipients.append(envelope.rcpt_tos[0])
        self.server.encrypted.append(session.ssl is not None or self.server.implicit_tls)
        self.taken += 1
        if plant == "drop after data":
            self._drop(server)
        if plant == "silent after data":
            await asyncio.get_running_loop().create_future()
        if plant == "nonsense data":
            return "hello there"
        return "250 OK"

    def _drop(self, server: SMTP) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        cast(asyncio.Transport, server.transport).abort()
