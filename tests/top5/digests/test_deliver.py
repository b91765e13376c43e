"""Sending: a real SMTP server with planted failures, a real folder, and a ledger in memory."""

import asyncio
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP, default
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import SecretStr

from tests.fakes.smtp_server import SmtpServer
from tests.top5.digests import samples
from top5.digests.deliver import (
    Channel,
    DeliveryOutcome,
    DeliveryState,
    DeliveryUnknown,
    OutboxChannel,
    SmtpChannel,
    build_message,
    deliver,
    message_id,
    outbox_name,
    parse_address,
)
from top5.digests.model import Digest
from top5.digests.render import subject
from top5.errors import PermanentError, Top5Error, TransientError
from top5.settings import DeliverySettings

NOW = datetime(2026, 5, 4, 6, 0, tzinfo=UTC)
SENDER = "The day's five <top5@example.org>"
READER = "reader@example.com"


@dataclass
class MemoryLedger:
    """The ledger as a dictionary; `history` is every state ever written, in order."""

    rows: dict[tuple[date, str, str], tuple[DeliveryState, str | None]] = field(default_factory=dict)
    history: list[tuple[str, str]] = field(default_factory=list)

    def plan(self, day: date, revision: int, recipient: str, channel: str, message_id: str) -> DeliveryState:
        key = (day, recipient, channel)
        if key not in self.rows:
            self.rows[key] = (DeliveryState.PLANNED, None)
            self.history.append((recipient, "planned"))
        return self.rows[key][0]

    def mark(self, day: date, recipient: str, channel: str, state: DeliveryState, reason: str | None) -> None:
        key = (day, recipient, channel)
        assert key in self.rows, "marked before planned"
        self.rows[key] = (state, reason)
        self.history.append((recipient, str(state)))


def smtp_settings(server: SmtpServer, **changes: object) -> DeliverySettings:
    facts: dict[str, object] = {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none", "timeout": 10.0}
    return DeliverySettings.model_validate(facts | changes)


def send_by_smtp(
    server: SmtpServer,
    recipients: Sequence[str],
    ledger: MemoryLedger | None = None,
    *,
    tls_context: ssl.SSLContext | None = None,
    digest: Digest | None = None,
    resend: bool = False,
    resend_unknown: bool = False,
    **changes: object,
) -> list[DeliveryOutcome]:
    async def run() -> list[DeliveryOutcome]:
        async with server, SmtpChannel(smtp_settings(server, **changes), tls_context=tls_context) as channel:
            return await deliver(
                digest or samples.short(),
                recipients,
                channel,
                ledger or MemoryLedger(),
                now=NOW,
                sender=SENDER,
                resend=resend,
                resend_unknown=resend_unknown,
            )

    return asyncio.run(run())


def parsed(message: EmailMessage) -> EmailMessage:
    again = message_from_bytes(message.as_bytes(), policy=default)
    assert isinstance(again, EmailMessage)
    return again


# The message


def test_a_message_carries_text_and_html_and_what_lists_owe() -> None:
    digest = samples.full()
    message = parsed(build_message(digest, "Rita Reader <reader@example.com>", SENDER, now=NOW))
    assert message["From"] == SENDER
    assert message["To"] == "Rita Reader <reader@example.com>"
    assert message["Subject"] == subject(digest)
    assert message["Date"] == "Mon, 04 May 2026 06:00:00 +0000"
    assert message["List-Id"] == "<daily.example.org>"
    assert message["List-Unsubscribe"] == "<mailto:top5@example.org?subject=unsubscribe>"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == message_id(digest.day, "reader@example.com", SENDER)
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert "Inés Rey on Volts & Amps" in plain.get_content()
    assert "<h2" in html.get_content() and "Volts &amp; Amps" in html.get_content()
    assert 'href="mailto:top5@example.org?subject=unsubscribe"' in html.get_content()


def test_a_message_is_the_same_bytes_again_and_fits_the_wire() -> None:
    first = build_message(samples.full(), READER, SENDER, now=NOW).as_bytes()
    assert first == build_message(samples.full(), READER, SENDER, now=NOW).as_bytes()
    assert first != build_message(samples.full(), "other@example.com", SENDER, now=NOW).as_bytes()
    assert max(len(line) for line in first.split(b"\r\n")) <= 998
    assert b"\n" not in first.replace(b"\r\n", b"")


def test_an_unsubscribe_url_comes_first_and_an_unsafe_one_not_at_all() -> None:
    message = build_message(samples.full(), READER, SENDER, now=NOW, unsubscribe="https://top5.example/u/abc?t=1")
    assert message["List-Unsubscribe"] == (
        "<https://top5.example/u/abc?t=1>, <mailto:top5@example.org?subject=unsubscribe>"
    )  # fmt: skip
    for hostile in ("https://x.example/>\r\nBcc: all@example.com", "javascript:alert(1)", "https://x.example/ü"):
        message = build_message(samples.full(), READER, SENDER, now=NOW, unsubscribe=hostile)
        assert message["List-Unsubscribe"] == "<mailto:top5@example.org?subject=unsubscribe>"
        assert hostile not in message.as_string()


def test_hostile_texts_add_no_header() -> None:
    plain = parsed(build_message(samples.full(), READER, SENDER, now=NOW))
    hostile = parsed(build_message(samples.hostile(), READER, SENDER, now=NOW))
    assert hostile.keys() == plain.keys()
    assert hostile["Bcc"] is None


@given(st.text(max_size=300))
@example("=?utf-8?q?x=0d=0aBcc=3A_everyone=40example=2Ecom?=")
@example("Grüße " * 30)
def test_any_headline_survives_as_the_subject_and_adds_no_header(headline: str) -> None:
    digest = samples.short()
    insight = digest.insights[0].model_copy(update={"headline": headline})
    digest = digest.model_copy(update={"insights": (insight,)})
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject(digest)
    message["List-Id"] = "<daily.example.org>"
    again = parsed(message)
    assert again.keys() == ["Subject", "List-Id"]
    assert again["Subject"] == subject(digest)


def test_a_mail_resent_on_purpose_is_a_new_one_that_refers_to_the_first() -> None:
    digest = samples.short()
    first = build_message(digest, READER, SENDER, now=NOW)
    second = build_message(digest, READER, SENDER, now=NOW, resend=True)
    assert first["Message-ID"] != second["Message-ID"]
    assert second["References"] == first["Message-ID"]


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("reader@example.com", "reader@example.com"),
        (" Rita <reader+five@Example.COM> ", "reader+five@example.com"),
        ('"Reader, Rita" <reader@localhost>', "reader@localhost"),
        ("reader@bücher.example", "reader@xn--bcher-kva.example"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert parse_address(text).addr_spec == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "reader",
        "reader@",
        "@example.com",
        "a@b@example.com",
        "a@example.com, b@example.com",
        "a@example.com <b@example.com>",
        "reader@example.com\r\nBcc: all@example.com",
        "Rita\n <reader@example.com>",
        "re ader@example.com",
        "réader@example.com",
        '"re ader"@example.com',
        "reader@exa mple.com",
        "reader@-example.com",
        "reader@example..com",
        "x" * 65 + "@example.com",
        "reader@" + "x" * 64 + ".com",
        "=?utf-8?q?x=0d=0aBcc=3A?= <reader@example.com>",
        "\u202ereader@example.com",
    ],
)
def test_what_is_no_address_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(PermanentError, match="is no mail address; write it as") as caught:
        parse_address(text)
    assert caught.value.reason == "bad_address"
    assert caught.value.message.isprintable()


@given(st.text(max_size=80))
def test_an_address_is_refused_or_safe(text: str) -> None:
    try:
        address = parse_address(text)
    except PermanentError:
        return
    message = EmailMessage()
    message["To"] = address
    assert parsed(message).keys() == ["To"]
    assert address.addr_spec.isascii() and " " not in address.addr_spec


# The outbox


def test_the_outbox_holds_one_file_a_recipient_and_a_repetition_replaces_it(tmp_path: Path) -> None:
    channel = OutboxChannel(tmp_path / "out" / "box")
    message = build_message(samples.full(), READER, SENDER, now=NOW)
    asyncio.run(channel.send(message))
    asyncio.run(channel.send(message))
    files = list((tmp_path / "out" / "box").iterdir())
    assert [file.name for file in files] == ["2026-05-04-reader@example.com.eml"]
    assert files[0].read_bytes() == message.as_bytes()


@pytest.mark.parametrize(
    "recipient", ["../../etc/passwd@x", "a/b@example.com", "..", "", "x" * 400, "a\x00b", "ü@example.com", "a b"]
)
def test_outbox_names_stay_in_the_folder(recipient: str) -> None:
    name = outbox_name("2026-05-04", recipient)
    assert name == Path(name).name and name.isascii() and len(name) < 140
    assert name.startswith("2026-05-04-") and name.endswith(".eml")


def test_outbox_names_tell_addresses_apart() -> None:
    names = {outbox_name("2026-05-04", recipient) for recipient in ("a/b@x.example", "a_b@x.example", "a|b@x.example")}
    assert len(names) == 3


def test_an_outbox_that_is_no_folder_is_a_row_with_a_reason(tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("in the way")
    outcomes = asyncio.run(
        deliver(samples.full(), [READER], OutboxChannel(tmp_path / "outbox"), MemoryLedger(), now=NOW, sender=SENDER)
    )
    assert [(outcome.state, outcome.reason) for outcome in outcomes] == [(DeliveryState.FAILED, "outbox_refused")]
    assert outcomes[0].message is not None and str(tmp_path / "outbox") in outcomes[0].message


# The ledger


def deliver_to(channel: Channel, ledger: MemoryLedger, recipients: Sequence[str], **options: bool) -> list[DeliveryOutcome]:
    return asyncio.run(deliver(samples.short(), recipients, channel, ledger, now=NOW, sender=SENDER, **options))


def test_what_was_sent_is_not_sent_again_unless_told(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    first = deliver_to(OutboxChannel(tmp_path), ledger, [READER])
    assert [(outcome.state, outcome.attempted) for outcome in first] == [("sent", True)]
    assert ledger.history == [(READER, "planned"), (READER, "sending"), (READER, "sent")]
    (tmp_path / "2026-05-04-reader@example.com.eml").unlink()

    second = deliver_to(OutboxChannel(tmp_path), ledger, [READER])
    assert [(outcome.state, outcome.attempted) for outcome in second] == [("sent", False)]
    assert list(tmp_path.iterdir()) == []

    third = deliver_to(OutboxChannel(tmp_path), ledger, [READER], resend=True)
    assert [(outcome.state, outcome.attempted) for outcome in third] == [("sent", True)]
    assert third[0].message_id != first[0].message_id
    assert len(list(tmp_path.iterdir())) == 1


def test_a_row_left_sending_becomes_unknown_and_waits_to_be_told(tmp_path: Path) -> None:
    ledger = MemoryLedger(rows={(samples.DAY, READER, "outbox"): (DeliveryState.SENDING, None)})
    for options in ({}, {"resend": True}):
        (outcome,) = deliver_to(OutboxChannel(tmp_path), ledger, [READER], **options)
        assert (outcome.state, outcome.attempted) == ("unknown", False)
        assert ledger.rows[samples.DAY, READER, "outbox"] == ("unknown", "interrupted")
        assert list(tmp_path.iterdir()) == []
    (outcome,) = deliver_to(OutboxChannel(tmp_path), ledger, [READER], resend_unknown=True)
    assert (outcome.state, outcome.attempted) == ("sent", True)
    assert outcome.message_id == message_id(samples.DAY, READER, SENDER), "a repetition must be recognised as one"


class _BrokenChannel:
    """A channel that dies of something nobody foresaw."""

    name = "outbox"

    async def send(self, message: EmailMessage) -> None:
        raise ZeroDivisionError


def test_a_crash_while_sending_leaves_the_row_sending(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    with pytest.raises(ZeroDivisionError):
        deliver_to(_BrokenChannel(), ledger, [READER])
    assert ledger.rows[samples.DAY, READER, "outbox"] == ("sending", None)


def test_bad_and_repeated_addresses_are_rows_not_the_end(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    recipients = ["nobody", "a@example.com", "A@Example.com", "nobody", "x@y\r\nBcc: z@z", "b@example.com"]
    outcomes = deliver_to(OutboxChannel(tmp_path), ledger, recipients)
    assert [(outcome.recipient, str(outcome.state), outcome.reason) for outcome in outcomes] == [
        ("nobody", "failed", "bad_address"),
        ("a@example.com", "sent", None),
        ("x@y Bcc: z@z", "failed", "bad_address"),
        ("b@example.com", "sent", None),
    ]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_bad_sender_is_said_before_anything_is_written(tmp_path: Path) -> None:
    ledger = MemoryLedger()
    with pytest.raises(PermanentError, match=r"delivery\.sender") as caught:
        asyncio.run(deliver(samples.short(), [READER], OutboxChannel(tmp_path), ledger, now=NOW, sender="top5"))
    assert caught.value.reason == "bad_sender"
    assert ledger.rows == {}


def test_each_recipient_gets_the_own_unsubscribe_link(tmp_path: Path) -> None:
    recipients = ["a@example.com", "b@example.com"]
    asyncio.run(
        deliver(
            samples.short(), recipients, OutboxChannel(tmp_path), MemoryLedger(),
            now=NOW, sender=SENDER, unsubscribe=lambda address: f"https://top5.example/u/{address[0]}",
        )
    )  # fmt: skip
    for letter in "ab":
        text = (tmp_path / f"2026-05-04-{letter}@example.com.eml").read_text()
        assert f"https://top5.example/u/{letter}" in text


# SMTP


def test_mails_arrive_over_one_connection() -> None:
    server = SmtpServer()
    outcomes = send_by_smtp(server, ["a@example.com", "b@example.com", "c@example.com"])
    assert [outcome.state for outcome in outcomes] == ["sent"] * 3
    assert server.recipients == ["a@example.com", "b@example.com", "c@example.com"]
    assert server.connections == 1
    assert server.messages[1]["To"] == "b@example.com"
    assert server.messages[1]["Subject"] == subject(samples.short())


@pytest.mark.parametrize(
    ("plant", "state", "reason"),
    [
        ("451", "failed", "smtp_451"),
        ("550", "failed", "smtp_550"),
        ("554 data", "failed", "smtp_554"),
        ("452 data", "failed", "smtp_452"),
        ("drop at rcpt", "failed", "smtp_disconnected"),
        ("drop after data", "unknown", "no_answer"),
        ("nonsense data", "unknown", "no_answer"),
    ],
)
def test_one_failure_is_one_row_and_the_others_get_their_mail(plant: str, state: str, reason: str) -> None:
    server = SmtpServer(planted={"b@example.com": plant})  # type: ignore[dict-item]
    ledger = MemoryLedger()
    outcomes = send_by_smtp(server, ["a@example.com", "b@example.com", "c@example.com"], ledger)
    assert [str(outcome.state) for outcome in outcomes] == ["sent", state, "sent"]
    assert outcomes[1].reason == reason
    assert ledger.rows[samples.DAY, "b@example.com", "smtp"] == (state, reason)
    assert outcomes[1].message is not None and "b@example.com" in outcomes[1].message and outcomes[1].message.endswith(".")


def test_an_answer_that_never_comes_is_unknown() -> None:
    server = SmtpServer(planted={READER: "silent after data"})
    (outcome,) = send_by_smtp(server, [READER], timeout=1.0)
    assert (outcome.state, outcome.reason) == ("unknown", "no_answer")
    assert len(server.messages) == 1


def test_the_next_run_repeats_failures_and_leaves_unknown_ones() -> None:
    ledger = MemoryLedger()
    recipients = ["a@example.com", "b@example.com", "c@example.com"]
    send_by_smtp(SmtpServer(planted={"b@example.com": "451", "c@example.com": "drop after data"}), recipients, ledger)
    healed = SmtpServer()
    outcomes = send_by_smtp(healed, recipients, ledger)
    assert [(str(outcome.state), outcome.attempted) for outcome in outcomes] == [
        ("sent", False),
        ("sent", True),
        ("unknown", False),
    ]
    assert healed.recipients == ["b@example.com"]
    told = SmtpServer()
    send_by_smtp(told, recipients, ledger, resend_unknown=True)
    assert told.recipients == ["c@example.com"]


@pytest.mark.parametrize("hang_up", [False, True])
def test_a_server_that_takes_few_mails_a_connection_gets_another_connection(hang_up: bool) -> None:
    server = SmtpServer(goodbye_after=2, hang_up=hang_up)
    outcomes = send_by_smtp(server, [f"r{number}@example.com" for number in range(5)])
    assert [outcome.state for outcome in outcomes] == ["sent"] * 5
    assert server.connections == 3


def test_the_channel_tells_kinds_of_failure_apart() -> None:
    async def failure(plant: str) -> Top5Error:
        async with SmtpServer(planted={READER: plant}) as server, SmtpChannel(smtp_settings(server)) as channel:  # type: ignore[dict-item]
            with pytest.raises(Top5Error) as caught:
                await channel.send(build_message(samples.short(), READER, SENDER, now=NOW))
            return caught.value

    assert isinstance(asyncio.run(failure("451")), TransientError)
    assert isinstance(asyncio.run(failure("550")), PermanentError)
    assert isinstance(asyncio.run(failure("drop at rcpt")), TransientError)
    assert isinstance(asyncio.run(failure("drop after data")), DeliveryUnknown)


def test_a_server_that_is_not_there_is_tried_twice_and_named() -> None:
    server = SmtpServer()

    async def closed_port() -> int:
        async with server:
            return server.port

    port = asyncio.run(closed_port())

    async def run() -> list[DeliveryOutcome]:
        settings = DeliverySettings(smtp_host="127.0.0.1", smtp_port=port, smtp_security="none")
        async with SmtpChannel(settings) as channel:
            recipients = [f"r{number}@example.com" for number in range(20)]
            return await deliver(samples.short(), recipients, channel, MemoryLedger(), now=NOW, sender=SENDER)

    outcomes = asyncio.run(run())
    assert {(outcome.state, outcome.reason) for outcome in outcomes} == {(DeliveryState.FAILED, "smtp_unreachable")}
    assert outcomes[0].message is not None and f"127.0.0.1:{port}" in outcomes[0].message


def test_login() -> None:
    server = SmtpServer(users={"top5": "secret-word"})
    (outcome,) = send_by_smtp(server, [READER], smtp_user="top5", smtp_password=SecretStr("secret-word"))
    assert outcome.state == "sent"
    assert server.logins == ["top5"]


def test_a_wrong_password_is_permanent_tried_once_and_not_printed() -> None:
    server = SmtpServer(users={"top5": "secret-word"})
    recipients = ["a@example.com", "b@example.com"]
    outcomes = send_by_smtp(server, recipients, smtp_user="top5", smtp_password=SecretStr("wrong-word"))
    assert [outcome.reason for outcome in outcomes] == ["smtp_auth"] * 2
    assert server.connections == 1
    assert all(outcome.message is not None and "wrong-word" not in outcome.message for outcome in outcomes)


def test_starttls_is_never_given_up_for_plain_text() -> None:
    server = SmtpServer()
    (outcome,) = send_by_smtp(server, [READER], smtp_security="starttls")
    assert (outcome.state, outcome.reason) == ("failed", "smtp_unsupported")
    assert server.messages == []


@pytest.mark.parametrize(("security", "implicit"), [("starttls", False), ("tls", True)])
def test_tls_is_used_where_trusted_and_refused_where_not(certificate: tuple[Path, Path], security: str, implicit: bool) -> None:
    chain, key = certificate
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(chain, key)
    trusting = ssl.create_default_context(cafile=str(chain))

    server = SmtpServer(tls=theirs, implicit_tls=implicit)
    (outcome,) = send_by_smtp(server, [READER], smtp_security=security, tls_context=trusting)
    assert outcome.state == "sent"
    assert server.encrypted == [True]

    stranger = SmtpServer(tls=theirs, implicit_tls=implicit)
    (outcome,) = send_by_smtp(stranger, [READER], smtp_security=security)
    assert (outcome.state, outcome.reason) == ("failed", "smtp_tls")
    assert stranger.messages == []


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, made for these tests only, and its key."""
    x509 = pytest.importorskip("cryptography.x509", reason="cryptography is not installed")
    import ipaddress

    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("certificate")
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return chain, secret
