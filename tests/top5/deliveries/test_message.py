"""The mail as bytes: what lists owe, nothing smuggled in, and the same as one that is rendered for one reader alone."""

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.top5.deliveries.helpers import DAY, NOW, READER, SENDER, parsed
from tests.top5.digests import samples
from top5.deliveries.dkim import signer
from top5.deliveries.message import Letter, Ways, author, leave_by_mail, message_id
from top5.deliveries.model import Mail
from top5.digests.model import Digest
from top5.digests.render import render_html, render_text, subject
from top5.errors import PermanentError
from top5.settings import DeliverySettings

FROM = author(SENDER)
IDENTITY = message_id(DAY, READER, FROM, "key")
WAYS = Ways(leave_by_mail("top5@example.org", "token.1"), "https://top5.example/unsubscribe/token.1")


def mail(digest: Digest, recipient: str = READER, ways: Ways = WAYS, **options: object) -> Mail:
    return Letter(digest, FROM, now=NOW, **options).to(recipient, IDENTITY, ways)  # type: ignore[arg-type]


def test_a_message_carries_text_and_html_and_what_lists_owe() -> None:
    message = parsed(mail(samples.full()).data)
    assert message["From"] == SENDER and message["To"] == READER
    assert message["Subject"] == subject(samples.full())
    assert message["Date"] == "Tue, 05 May 2026 06:00:00 +0000"
    assert message["List-Id"] == "<daily.example.org>"
    assert message["List-Unsubscribe"] == (
        "<https://top5.example/unsubscribe/token.1>, <mailto:top5@example.org?subject=unsubscribe%20token.1>"
    )  # fmt: skip
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["Auto-Submitted"] == "auto-generated" and message["MIME-Version"] == "1.0"
    assert message["Message-ID"] == IDENTITY
    assert message.get_content_type() == "multipart/alternative"
    plain, html = message.iter_parts()
    assert (plain.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    assert not (message.defects or plain.defects or html.defects)


@pytest.mark.parametrize("digest", [samples.full(), samples.short(), samples.hostile()])
@pytest.mark.parametrize(
    "ways", [WAYS, Ways(leave_by_mail("top5@example.org")), Ways(WAYS.mailto, WAYS.page, "https://top5.example/m/x")]
)
def test_the_shared_rendering_is_what_one_reader_alone_would_get(digest: Digest, ways: Ways) -> None:
    leave, manage = ways.page or ways.mailto, ways.preferences
    message = parsed(mail(digest, ways=ways, with_preferences=manage is not None).data)
    plain, html = (part.get_content().replace("\r\n", "\n") for part in message.iter_parts())
    assert plain == render_text(digest, unsubscribe_url=leave, preferences_url=manage)
    assert html == render_html(digest, unsubscribe_url=leave, preferences_url=manage)
    assert ("Preferences" in plain, "Preferences" in html) == (manage is not None,) * 2


def test_a_mail_without_html_is_one_part() -> None:
    message = parsed(mail(samples.full(), format="text").data)
    assert message.get_content_type() == "text/plain"
    assert message.get_content().replace("\r\n", "\n") == render_text(samples.full(), unsubscribe_url=WAYS.page)


def test_a_message_is_the_same_bytes_again_and_fits_the_wire() -> None:
    first = mail(samples.full()).data
    assert first == mail(samples.full()).data
    assert first != mail(samples.full(), "other@example.com").data
    assert max(len(line) for line in first.split(b"\r\n")) <= 998
    assert b"\n" not in first.replace(b"\r\n", b"") and b"\r" not in first.replace(b"\r\n", b"")
    assert first.isascii() and first.endswith(b"\r\n")


def test_one_click_is_offered_by_https_only() -> None:
    plain = parsed(mail(samples.full(), ways=Ways(WAYS.mailto, "http://top5.example/u/x")).data)
    assert plain["List-Unsubscribe-Post"] is None
    alone = parsed(mail(samples.full(), ways=Ways(WAYS.mailto)).data)
    assert alone["List-Unsubscribe"] == f"<{WAYS.mailto}>" and alone["List-Unsubscribe-Post"] is None


@pytest.mark.parametrize(
    ("recipient", "identity", "page"),
    [
        ("r@example.com\r\nBcc: all@example.com", IDENTITY, None),
        ("r@example.com> SIZE=1", IDENTITY, None),
        (READER, "<a@b>\r\nBcc: all@example.com", None),
        (READER, IDENTITY, "https://x.example/>\r\nBcc: all@example.com"),
        (READER, IDENTITY, "javascript:alert(1)"),
        (READER, IDENTITY, "https://x.example/ü"),
    ],
)
def test_nothing_that_is_not_one_line_gets_into_a_header(recipient: str, identity: str, page: str | None) -> None:
    with pytest.raises(PermanentError):
        Letter(samples.short(), FROM, now=NOW).to(recipient, identity, Ways(WAYS.mailto, page))


def test_hostile_texts_add_no_header() -> None:
    plain, hostile = parsed(mail(samples.full()).data), parsed(mail(samples.hostile()).data)
    assert hostile.keys() == plain.keys() and hostile["Bcc"] is None


@given(st.text(max_size=300))
@example("=?utf-8?q?x=0d=0aBcc=3A_everyone=40example=2Ecom?=")
@example("Grüße " * 30)
@example(".\r\n.\r\nMAIL FROM:<x@y.example>\r\n")
def test_any_headline_survives_as_the_subject_and_adds_no_header(headline: str) -> None:
    digest = samples.short()
    insight = digest.insights[0].model_copy(update={"headline": headline})
    digest = digest.model_copy(update={"insights": (insight,)})
    again = parsed(mail(digest, format="text").data)
    assert again.keys() == parsed(mail(samples.short(), format="text").data).keys()
    assert again["Subject"] == subject(digest)


def test_the_id_is_the_readers_own_and_no_stranger_can_make_it() -> None:
    assert message_id(DAY, "READER@example.com", FROM, "key") == IDENTITY
    others = {
        message_id(DAY + timedelta(days=1), READER, FROM, "key"),
        message_id(DAY, "other@example.com", FROM, "key"),
        message_id(DAY, READER, FROM, "another key"),
        message_id(DAY, READER, FROM, "key", again="1"),
    }
    assert len(others | {IDENTITY}) == 5
    assert re.fullmatch(r"<top5\.2026-05-04\.[0-9a-f]{32}@example\.org>", IDENTITY)


@pytest.mark.parametrize("kind", ["rsa", "ed25519"])
def test_a_signature_holds_until_a_header_is_changed_or_added(tmp_path: Path, kind: str) -> None:
    dkim = pytest.importorskip("dkim", reason="dkimpy is not installed (extra `dkim`)")
    if kind == "ed25519":
        pytest.importorskip("nacl", reason="pynacl is not installed")
    from base64 import b64encode

    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

    path = tmp_path / "key.pem"
    if kind == "rsa":
        key = rsa.generate_private_key(65537, 2048)
        path.write_bytes(key.private_bytes(form.Encoding.PEM, form.PrivateFormat.TraditionalOpenSSL, form.NoEncryption()))
        public = key.public_key().public_bytes(form.Encoding.DER, form.PublicFormat.SubjectPublicKeyInfo)
    else:
        small = ed25519.Ed25519PrivateKey.generate()
        path.write_bytes(b64encode(small.private_bytes(form.Encoding.Raw, form.PrivateFormat.Raw, form.NoEncryption())))
        public = small.public_key().public_bytes(form.Encoding.Raw, form.PublicFormat.Raw)
    sign = signer(DeliverySettings(dkim_selector="top5", dkim_domain="example.org", dkim_key=path))
    data = mail(samples.full(), sign=sign).data

    def record(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"top5._domainkey.example.org."
        return b"v=DKIM1; k=" + kind.encode() + b"; p=" + b64encode(public)

    assert dkim.verify(data, dnsfunc=record)
    assert b"list-unsubscribe-post" in data.partition(b"\r\nTo:")[0].replace(b"\r\n ", b"").lower()
    assert not dkim.verify(data.replace(b"List-Id: <daily", b"List-Id: <nightly"), dnsfunc=record)
    assert not dkim.verify(b"Subject: another\r\n" + data, dnsfunc=record)


def test_half_a_signature_is_no_setting(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="set all three or none"):
        signer(DeliverySettings(dkim_selector="top5"))
    pytest.importorskip("dkim", reason="dkimpy is not installed (extra `dkim`)")
    with pytest.raises(PermanentError, match="cannot be read"):
        signer(DeliverySettings(dkim_selector="top5", dkim_domain="example.org", dkim_key=tmp_path / "none.pem"))
    (tmp_path / "key.pem").write_text("-----BEGIN nonsense-----\n")
    sign = signer(DeliverySettings(dkim_selector="top5", dkim_domain="example.org", dkim_key=tmp_path / "key.pem"))
    with pytest.raises(PermanentError, match="does not sign"):
        mail(samples.full(), sign=sign)
