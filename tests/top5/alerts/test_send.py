"""Messages over a real HTTP server and a real SMTP server."""

import asyncio
from collections.abc import Iterator
from email import message_from_bytes, policy
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.fakes.inbox import Inbox, open_inbox
from tests.fakes.smtp_server import SmtpServer
from tests.top5.alerts.conftest import NOON, with_alerts
from top5.alerts.causes import disk_low, run_failed
from top5.alerts.ping import ping
from top5.alerts.send import recovery_message, scrub, trouble_message, ways
from top5.errors import PermanentError, TransientError
from top5.settings import DeliverySettings, OpenAISettings, Settings

FULL = disk_low(1.0, 2.0, "/srv/top5")


@pytest.fixture
def inbox() -> Iterator[Inbox]:
    with open_inbox() as server:
        yield server


def test_mail_is_the_default_way(settings: Settings):
    async def mailed(*chosen: Settings) -> SmtpServer:
        async with SmtpServer() as server:
            for each in chosen:
                delivery = each.delivery.model_copy(update={"smtp_port": server.port})
                mailing = each.model_copy(update={"delivery": delivery})
                (way,) = ways(mailing)
                await asyncio.to_thread(way.send, trouble_message([FULL], mailing), NOON)
            return server

    delivery = DeliverySettings(
        smtp_host="127.0.0.1",
        smtp_security="none",
        sender="top5 <top5@a.example>",
        recipients=("owner@a.example", "reader@b.example"),
    )
    mailing = settings.model_copy(update={"delivery": delivery})
    server = asyncio.run(mailed(mailing, with_alerts(mailing, mail_to=("admin@c.example",))))
    assert server.recipients == ["owner@a.example", "admin@c.example"]
    mail = server.messages[0]
    assert mail["Subject"] == "top5: 1.0 GB are free."
    assert "top5@a.example" in mail["From"]
    text = mail.get_body(("plain",))
    assert text is not None
    assert "What to do: `top5 prune --dry-run`" in text.get_content()


def test_a_mail_server_that_is_down_is_one_sentence(settings: Settings):
    down = DeliverySettings(smtp_host="127.0.0.1", smtp_port=1, smtp_security="none")
    (way,) = ways(settings.model_copy(update={"delivery": down}))
    with pytest.raises(TransientError, match=r"could not be sent by mail; check \[alerts\]"):
        way.send(trouble_message([FULL], settings), NOON)


def test_without_a_mail_server_messages_are_files(settings: Settings, tmp_path: Path):
    (way,) = ways(settings)
    for _ in range(2):
        way.send(trouble_message([FULL], settings), NOON)
    (file,) = (tmp_path / "outbox" / "alerts").iterdir()
    mail = message_from_bytes(file.read_bytes(), policy=policy.default)
    assert (mail["Subject"], mail["To"]) == ("top5: 1.0 GB are free.", "reader@localhost")


def test_any_apprise_url_is_a_way(settings: Settings, inbox: Inbox):
    chosen = with_alerts(settings, mail=False, urls=(SecretStr(f"json://127.0.0.1:{inbox.server_port}/hook?token=hidden1"),))
    (way,) = ways(chosen)
    way.send(trouble_message([FULL], chosen), NOON)
    (posted,) = inbox.messages
    assert posted["title"] == "top5: 1.0 GB are free."
    assert "docs/runbook.md#disk-low" in posted["message"]
    inbox.status = 500
    with pytest.raises(TransientError) as refused:
        way.send(recovery_message([FULL], chosen), NOON)
    assert "hidden1" not in refused.value.message


def test_what_apprise_does_not_know_is_named_without_its_secret(settings: Settings):
    with pytest.raises(PermanentError) as refused:
        ways(with_alerts(settings, urls=(SecretStr("nosuch://user:hunter2@a.example/?key=abc"),)))
    assert "hunter2" not in refused.value.message
    assert "abc" not in refused.value.message


def test_no_secret_leaves(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-canary-environment")
    secret = settings.model_copy(update={"openai": OpenAISettings(api_key=SecretStr("sk-canary-settings"))})
    secret = with_alerts(secret, ping_url=SecretStr("https://ping.example/canary-0123456789abcdef"))
    trouble = "Key sk-canary-settings or sk-canary-environment refused by https://me:pw@api.example/v1?token=t0k3n, ftp://a:b@c.example/"
    alert = run_failed(
        "daily_digest", "2026-09-16", trouble, run_id="r1", link="http://ui.example:3000/runs/0d1e2f3a4b5c6d7e8f90"
    )
    message = trouble_message([alert], secret)
    for leaked in ("canary", "t0k3n", "me:pw", "a:b@"):
        assert leaked not in message.title + message.body
    assert "https://***@api.example/v1?token=***" in message.body
    assert "Run: http://ui.example:3000/runs/0d1e2f3a4b5c6d7e8f90" in message.body


def test_a_title_is_one_line(settings: Settings):
    alert = FULL.model_copy(update={"what": "Bad\r\nBcc: everybody@a.example\x00 " + "long " * 100})
    title = trouble_message([alert], settings).title
    assert title.isprintable()
    assert len(title) <= 200


def test_scrubbing_leaves_plain_words_alone(settings: Settings):
    assert scrub("Nothing secret: 5 of 7, see docs/runbook.md", settings) == "Nothing secret: 5 of 7, see docs/runbook.md"


def test_the_ping_is_asked_once_and_masked_where_it_fails(settings: Settings, inbox: Inbox):
    url = f"http://127.0.0.1:{inbox.server_port}/0123456789abcdef0123"
    ping(settings)
    ping(with_alerts(settings, ping_url=SecretStr(url)))
    assert inbox.asked == ["/0123456789abcdef0123"]
    inbox.status = 503
    for bad in (url, "file:///etc/passwd", "http://127.0.0.1:1/0123456789abcdef0123"):
        with pytest.raises(TransientError) as failed:
            ping(with_alerts(settings, ping_url=SecretStr(bad)))
        assert "0123456789abcdef" not in failed.value.message
