"""What comes back: genuine reports of several makers, forged ones, mails that ask to leave, webhooks."""

import json
import mailbox
from email.message import EmailMessage
from pathlib import Path

import pytest

from tests.fakes.imap_server import ImapServer
from tests.fakes.smtp_server import SmtpServer
from tests.top5.deliveries.helpers import DAY, KEY, NOW, READER, Clock, Home
from tests.top5.deliveries.test_day import send
from top5.catalog.subscribers import SOFT_BOUNCES, SubscriberStore
from top5.deliveries.bounces import WebhookRefused, parse_report, read_bounces, record_webhook, take_in, webhook_report
from top5.deliveries.message import author, message_id
from top5.errors import PermanentError, TransientError

IDENTITY = message_id(DAY, READER, author("top5@example.org"), KEY)


def dsn(identity: str = IDENTITY, *, action: str = "failed", status: str = "5.1.1", recipient: str = READER) -> bytes:
    """A delivery status notification as Postfix writes it."""
    return f"""From: MAILER-DAEMON@mail.test
To: top5@example.org
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="=_x"

--=_x
Content-Type: text/plain

I'm sorry to have to inform you that your message could not be delivered.

--=_x
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.test

Final-Recipient: rfc822; {recipient}
Original-Recipient: rfc822;{recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; said: {status} no such user

--=_x
Content-Type: text/rfc822-headers

From: top5@example.org
To: {recipient}
Message-ID: {identity}
Subject: five

--=_x--
""".encode()


def complaint(identity: str) -> bytes:
    return f"""From: fbl@mail.test
Subject: complaint
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report; boundary="=_x"

--=_x
Content-Type: text/plain

This is an abuse report.

--=_x
Content-Type: message/feedback-report

Feedback-Type: abuse
Version: 1

--=_x
Content-Type: message/rfc822

Message-ID: {identity}
Subject: five

text
--=_x--
""".encode()


@pytest.fixture
def mailed(home: Home, clock: Clock) -> Home:
    """A home whose one reader got the day's mail."""
    server = SmtpServer()
    assert send(home, clock, server).sent == 1
    assert str(server.messages[0]["Message-ID"]) == IDENTITY
    return home


def state(home: Home) -> str:
    found = SubscriberStore(home.catalog).find(READER)
    assert found is not None
    return found.state


def test_a_hard_bounce_suppresses_once(mailed: Home) -> None:
    settings = mailed.settings()
    assert take_in(settings, mailed.catalog, dsn(), now=NOW) == "hard"
    assert take_in(settings, mailed.catalog, dsn(), now=NOW) == "known"
    assert state(mailed) == "suppressed"


def test_a_report_without_our_mails_id_is_not_believed(mailed: Home) -> None:
    guessed = message_id(DAY, READER, author("top5@example.org"), "a guessed key")
    for forged in (dsn(guessed), dsn("<made-up@example.org>"), complaint(guessed), dsn("").replace(b"Message-ID: \n", b"")):
        assert take_in(mailed.settings(), mailed.catalog, forged, now=NOW) == "ignored"
    assert state(mailed) == "active"


def test_the_mail_counts_and_not_the_address_that_a_report_names(mailed: Home) -> None:
    SubscriberStore(mailed.catalog)
    assert take_in(mailed.settings(), mailed.catalog, dsn(recipient="forwarded@other.example"), now=NOW) == "hard"
    assert state(mailed) == "suppressed"


def test_a_complaint_suppresses(mailed: Home) -> None:
    assert take_in(mailed.settings(), mailed.catalog, complaint(IDENTITY), now=NOW) == "complaint"
    assert state(mailed) == "suppressed"


def test_passing_troubles_suppress_when_they_go_on(home: Home, clock: Clock) -> None:
    store = SubscriberStore(home.catalog)
    send(home, clock)
    from top5.catalog.deliveries import DeliveryLedger, PlannedDelivery

    for number in range(SOFT_BOUNCES):
        day = DAY.replace(day=number + 10)
        identity = message_id(day, READER, author("top5@example.org"), "k")
        DeliveryLedger(home.catalog, day, "smtp").plan([PlannedDelivery(READER, None, identity)], 1, NOW)
        assert state(home) == "active"
        said = take_in(home.settings(), home.catalog, dsn(identity, action="delayed", status="4.2.2"), now=NOW)
        assert said == "soft"
    assert state(home) == "suppressed" and store.suppressed([READER]) == {READER}


def test_a_mail_can_ask_to_leave(home: Home, clock: Clock) -> None:
    server = SmtpServer()
    send(home, clock, server)
    listed = str(server.messages[0]["List-Unsubscribe"])
    from urllib.parse import unquote

    request = EmailMessage()
    request["From"], request["To"] = "somebody@example.net", "top5@example.org"
    request["Subject"] = unquote(listed.partition("subject=")[2].rstrip(">"))
    assert take_in(home.settings(), home.catalog, request.as_bytes(), now=NOW) == "left"
    assert state(home) == "unsubscribed"
    del request["Subject"]
    request["Subject"] = "unsubscribe aaaaaaaaaaaaaaaaaaaa"
    assert take_in(home.settings(), home.catalog, request.as_bytes(), now=NOW) == "ignored"


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff\xfe\x00", b"Content-Type: multipart/report; boundary=x\n\n--x\n" * 50, dsn()[:400], b"Subject: hi\n\nhello"],
)
def test_whatever_else_comes_is_ignored(data: bytes) -> None:
    assert parse_report(data) == []


def test_a_maildir_is_read_once(mailed: Home, tmp_path: Path) -> None:
    box = mailbox.Maildir(str(tmp_path / "bounces"))
    box.add(dsn())
    box.add(b"Subject: lunch?\n\nhello")
    settings = mailed.settings(bounce_maildir=tmp_path / "bounces")
    assert sorted(read_bounces(settings, mailed.catalog, now=NOW)) == ["hard", "ignored"]
    assert read_bounces(settings, mailed.catalog, now=NOW) == []
    assert state(mailed) == "suppressed"


def test_a_maildir_that_is_none_is_named(home: Home, tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"bounce_maildir .* is no maildir"):
        read_bounces(home.settings(bounce_maildir=tmp_path / "nothing"), home.catalog, now=NOW)


def test_an_imap_folder_is_read_once(mailed: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ImapServer(tmp_path, "bounces", "secret-word", [dsn(), b"Subject: lunch?\r\n\r\nhello"]) as server:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "chain.pem"))
        facts = {"bounce_imap_host": "127.0.0.1", "bounce_imap_port": server.port, "bounce_imap_user": "bounces", "timeout": 5.0}
        settings = mailed.settings(bounce_imap_password="secret-word", **facts)
        assert sorted(read_bounces(settings, mailed.catalog, now=NOW)) == ["hard", "ignored"]
        assert read_bounces(settings, mailed.catalog, now=NOW) == []
        wrong = mailed.settings(bounce_imap_password="wrong-word", **facts)
        with pytest.raises(PermanentError, match="refused user or password") as caught:
            read_bounces(wrong, mailed.catalog, now=NOW)
        assert "wrong-word" not in caught.value.message
    with pytest.raises(TransientError, match="cannot be reached"):
        read_bounces(settings, mailed.catalog, now=NOW)


BARE = IDENTITY.strip("<>")


@pytest.mark.parametrize(
    ("item", "kind"),
    [
        ({"message_id": IDENTITY, "kind": "hard", "status": "5.1.1"}, "hard"),
        ({"RecordType": "Bounce", "Type": "HardBounce", "MessageID": "x", "Metadata": {"id": IDENTITY}}, "hard"),
        ({"RecordType": "SpamComplaint", "Type": "SpamComplaint", "Headers": IDENTITY}, "complaint"),
        ({"event-data": {"event": "failed", "severity": "permanent", "message": {"headers": {"message-id": BARE}}}}, "hard"),
        ({"event-data": {"event": "failed", "severity": "temporary", "message": {"headers": {"message-id": BARE}}}}, "soft"),
        ({"event": "bounce", "type": "blocked", "smtp-id": IDENTITY}, "soft"),
        ({"event": "bounce", "type": "bounce", "smtp-id": IDENTITY}, "hard"),
        ({"event": "spamreport", "smtp-id": IDENTITY}, "complaint"),
        (
            {
                "Type": "Notification",
                "Message": json.dumps(
                    {
                        "notificationType": "Bounce",
                        "bounce": {"bounceType": "Permanent"},
                        "mail": {"commonHeaders": {"messageId": IDENTITY}},
                    }
                ),
            },
            "hard",
        ),
        ({"notificationType": "Bounce", "bounce": {"bounceType": "Transient"}, "mail": {"messageId": IDENTITY}}, "soft"),
        ({"event": "delivered", "smtp-id": IDENTITY}, None),
        ({"kind": "hard", "message_id": "<x@y>"}, None),
    ],
)
def test_providers_say_it_in_their_own_words(item: dict[str, object], kind: str | None) -> None:
    report = webhook_report(item)
    assert (report.kind if report else None) == kind
    assert report is None or report.message_id == IDENTITY


def test_a_webhook_acts_only_with_its_secret(mailed: Home) -> None:
    body = json.dumps([{"message_id": IDENTITY, "kind": "hard"}, {"kind": "hard", "message_id": "<x@y>"}]).encode()
    for settings, secret in ((mailed.settings(), ""), (mailed.settings(bounce_webhook_secret="word"), "wörd")):
        with pytest.raises(WebhookRefused) as caught:
            record_webhook(settings, mailed.catalog, secret=secret, body=body, now=NOW)
        assert caught.value.reason == "webhook_secret"
    settings = mailed.settings(bounce_webhook_secret="word")
    for nonsense in (b"", b"[1]", b"[" * 100_000, b'"x"', b" " * 2_000_000):
        with pytest.raises(WebhookRefused):
            record_webhook(settings, mailed.catalog, secret="word", body=nonsense, now=NOW)
    assert state(mailed) == "active"
    assert record_webhook(settings, mailed.catalog, secret="word", body=body, now=NOW) == {"hard": 1, "ignored": 1}
    assert state(mailed) == "suppressed"
