"""The wire: a real SMTP server with and without TLS, login, and failures at each step; and a real Postfix where there is one."""

import asyncio
import ssl
from pathlib import Path

import pytest
import uvloop
from pydantic import SecretStr

from tests.fakes.certificate import make_certificate
from tests.fakes.smtp_server import Plant, SmtpServer
from tests.top5.deliveries.helpers import DAY, NOW, READER, SENDER, Clock
from tests.top5.digests import samples
from top5.deliveries.message import Letter, Ways, author, leave_by_mail, message_id
from top5.deliveries.model import DeliveryUnknown, LaneClosed, Mail, NoSuchMailbox
from top5.deliveries.smtp import Reply, SmtpChannel
from top5.errors import PermanentError, Top5Error, TransientError
from top5.settings import DeliverySettings


def mail(recipient: str = READER, size: int = 0) -> Mail:
    sender = author(SENDER)
    made = Letter(samples.short(), sender, now=NOW).to(
        recipient, message_id(DAY, recipient, sender, "key"), Ways(leave_by_mail("top5@example.org"))
    )
    return made if not size else Mail(DAY, recipient, made.sender, made.message_id, made.data + b"x" * size)


def settings(server: SmtpServer, **changes: object) -> DeliverySettings:
    facts: dict[str, object] = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none", "timeout": 10.0}
    return DeliverySettings.model_validate(facts | changes)


def outcome(server: SmtpServer, mails: list[Mail], *, trusting: ssl.SSLContext | None = None, **changes: object) -> list[object]:
    """What each mail on one lane came to: None or the error. Each is sent with the one behind it announced."""

    async def run() -> list[object]:
        clock, found = Clock(), list[object]()
        async with server, SmtpChannel(settings(server, **changes), tls_context=trusting, sleep=clock.sleep) as channel:
            lane = channel.lane()
            for one, then in zip(mails, [*mails[1:], None], strict=True):
                try:
                    found.append(await lane.send(one, then))
                except Top5Error as error:
                    found.append(error)
            await lane.close()
        return found

    return uvloop.run(run())


@pytest.mark.parametrize("pipelining", [False, True])
@pytest.mark.parametrize(
    ("plant", "kind", "reason"),
    [
        ("421", LaneClosed, "smtp_421"),
        ("450", TransientError, "smtp_450"),
        ("451", TransientError, "smtp_451"),
        ("550", NoSuchMailbox, "smtp_550"),
        ("550 policy", PermanentError, "smtp_550"),
        ("421 data", TransientError, "smtp_421"),
        ("452 data", TransientError, "smtp_452"),
        ("554 data", PermanentError, "smtp_554"),
        ("drop at rcpt", TransientError, "smtp_disconnected"),
        ("drop at data", DeliveryUnknown, "no_answer"),
        ("drop after data", DeliveryUnknown, "no_answer"),
        ("354 data", DeliveryUnknown, "no_answer"),
        ("nonsense data", DeliveryUnknown, "no_answer"),
    ],
)
def test_each_failure_has_its_name_and_the_next_mail_goes_through(
    plant: Plant, kind: type[Top5Error], reason: str, pipelining: bool
) -> None:
    server = SmtpServer(planted={"b@example.com": plant}, pipelining=pipelining)
    first, error, last = outcome(server, [mail(), mail("b@example.com"), mail("c@example.com")])
    assert (first, last) == (None, None)
    if plant == "421":
        assert isinstance(error, LaneClosed | TransientError) and error.reason == reason
    else:
        assert type(error) is kind and isinstance(error, Top5Error) and error.reason == reason
    assert server.recipients[-1] == "c@example.com"


@pytest.mark.parametrize(("plant", "kind"), [("silent at rcpt", TransientError), ("silent after data", DeliveryUnknown)])
def test_an_answer_that_never_comes(plant: Plant, kind: type[Top5Error]) -> None:
    (error,) = outcome(SmtpServer(planted={READER: plant}), [mail()], timeout=0.5)
    assert type(error) is kind


def test_mails_of_one_lane_share_its_connection() -> None:
    server = SmtpServer(pipelining=True)
    assert outcome(server, [mail(f"r{number}@example.com") for number in range(5)]) == [None] * 5
    assert server.connections == 1 and server.recipients == [f"r{number}@example.com" for number in range(5)]


def test_a_mail_that_was_announced_and_is_not_sent_reaches_nobody() -> None:
    async def run(server: SmtpServer) -> None:
        async with server, SmtpChannel(settings(server)) as channel:
            lane = channel.lane()
            await lane.send(mail("a@example.com"), mail("withdrawn@example.com"))
            await lane.send(mail("c@example.com"))
            await lane.close()

    server = SmtpServer(pipelining=True)
    asyncio.run(run(server))
    assert (server.recipients, server.connections) == (["a@example.com", "c@example.com"], 2)


def test_what_arrives_is_what_was_sent_dots_included() -> None:
    server, sent = SmtpServer(), mail()
    dotted = Mail(DAY, READER, sent.sender, sent.message_id, sent.data + b".\r\n..\r\n.x\r\n\r\n")
    assert outcome(server, [dotted]) == [None]
    assert server.messages[0].as_bytes().replace(b"\r\n", b"\n").endswith(b".\n..\n.x\n\n")


def test_login() -> None:
    server = SmtpServer(users={"top5": "secret-word"})
    assert outcome(server, [mail()], smtp_user="top5", smtp_password=SecretStr("secret-word")) == [None]
    assert server.logins == ["top5"]


def test_a_wrong_password_shuts_the_lane_and_is_not_printed() -> None:
    server = SmtpServer(users={"top5": "secret-word"})
    (error,) = outcome(server, [mail()], smtp_user="top5", smtp_password=SecretStr("wrong-word"))
    assert isinstance(error, LaneClosed) and isinstance(error.cause, PermanentError) and error.reason == "smtp_auth"
    assert "wrong-word" not in error.message and server.connections == 1


def test_starttls_is_never_given_up_for_plain_text() -> None:
    server = SmtpServer()
    (error,) = outcome(server, [mail()], smtp_security="starttls")
    assert isinstance(error, LaneClosed) and error.reason == "smtp_unsupported"
    assert server.messages == []


def test_a_mail_that_is_too_large_is_not_begun() -> None:
    server = SmtpServer()
    error, after = outcome(server, [mail(size=40_000_000), mail()])
    assert isinstance(error, PermanentError) and error.reason == "too_large"
    assert after is None and len(server.messages) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("certificate"))


@pytest.mark.parametrize(("security", "implicit"), [("starttls", False), ("tls", True)])
@pytest.mark.parametrize("pipelining", [False, True])
def test_tls_is_used_where_trusted_and_refused_where_not(
    certificate: tuple[Path, Path], security: str, implicit: bool, pipelining: bool
) -> None:
    chain, key = certificate
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(chain, key)
    trusting = ssl.create_default_context(cafile=str(chain))
    server = SmtpServer(tls=theirs, implicit_tls=implicit, pipelining=pipelining)
    assert outcome(server, [mail(), mail("b@example.com")], trusting=trusting, smtp_security=security) == [None, None]
    assert server.encrypted == [True, True] and server.connections == 1
    stranger = SmtpServer(tls=theirs, implicit_tls=implicit)
    (error,) = outcome(stranger, [mail()], smtp_security=security)
    assert isinstance(error, LaneClosed) and error.reason == "smtp_tls"
    assert stranger.messages == []


@pytest.mark.parametrize(
    "hello", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"", b"220 " + b"x" * 200_000]
)
def test_what_speaks_no_smtp_is_named(hello: bytes) -> None:
    async def run() -> Top5Error:
        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(hello)
            writer.close()

        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            chosen = DeliverySettings(smtp_host="127.0.0.1", smtp_port=port, smtp_security="none", timeout=5.0)
            lane = SmtpChannel(chosen, sleep=Clock().sleep).lane()
            with pytest.raises(Top5Error) as caught:
                await lane.send(mail())
            return caught.value

    error = asyncio.run(run())
    assert isinstance(error, LaneClosed) and error.message.isprintable()


def test_a_reply_shows_no_address_and_no_control_characters() -> None:
    reply = Reply(550, "5.1.1 <reader@example.com>: Recipient reader@example.com\x1b[31m unknown")
    assert str(reply) == "550 5.1.1 <…>: Recipient <…> unknown"
    assert reply.enhanced == "5.1.1"
