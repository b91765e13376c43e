"""Mails that came back, and mails that ask to leave: read from a maildir, by IMAP, or from a provider's webhook.

Belongs here: finding out which of our mails a report is about and what it says. What follows is `top5.catalog.subscribers`.

Anybody can write a report. So one counts only when it carries the Message-ID of a mail in the ledger, which a stranger cannot know, and it is
that mail's recipient who is meant, whatever address the report names.
"""

import hmac
import imaplib
import json
import mailbox
import re
import ssl
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email import message_from_bytes, policy
from email.message import Message
from typing import Any, Final, Literal, cast

from top5.catalog.store import Catalog
from top5.catalog.subscribers import SubscriberStore
from top5.errors import PermanentError, TransientError
from top5.settings import Settings
from top5.subscribers.service import open_subscribers
from top5.subscribers.tokens import MAX_TOKEN, TokenRefused

Kind = Literal["hard", "soft", "complaint"]

MAX_REPORT: Final = 5_000_000
"""Bytes of a report that are read; what is larger is left alone."""

MAX_BODY: Final = 1_000_000
"""Bytes of a webhook's body."""

_OUR_ID = re.compile(r"<top5\.\d{4}-\d{2}-\d{2}\.[0-9a-f]{32}@[A-Za-z0-9.-]{1,253}>")
_LEAVE = re.compile(rf"\s*unsubscribe\s+([A-Za-z0-9_.-]{{10,{MAX_TOKEN}}})\s*", re.IGNORECASE)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@dataclass(frozen=True, slots=True)
class Report:
    """What one report says about one of our mails. `status` is the enhanced code where it is given."""

    message_id: str
    kind: Kind
    status: str | None = None


def parse_report(data: bytes) -> list[Report]:
    """What a mail reports about mails of ours; empty where it is no report or speaks of none of ours.

    Delivery status notifications (RFC 3464), the many home-made kinds that flufl.bounce knows, and complaints (ARF, RFC 5965).
    """
    from flufl import bounce

    library: Any = bounce
    message = message_from_bytes(data[:MAX_REPORT], policy=policy.compat32)
    identities = list(dict.fromkeys(_OUR_ID.findall(data[:MAX_REPORT].decode("latin-1"))))
    if not identities:
        return []
    if _report_type(message) == "feedback-report":
        return [Report(identity, "complaint") for identity in identities[:1]]
    temporary, permanent = cast("tuple[frozenset[bytes], frozenset[bytes]]", library.all_failures(message))
    status = _status(message)
    if permanent and not (status or "5").startswith("4"):
        return [Report(identities[0], "hard", status)]
    if permanent or temporary:
        return [Report(identities[0], "soft", status)]
    return []


def _report_type(message: Message) -> str:
    if message.get_content_type() != "multipart/report":
        return ""
    return str(message.get_param("report-type", "")).lower()


def _status(message: Message) -> str | None:
    for part in message.walk():
        if part.get_content_type() == "message/delivery-status":
            for block in cast("list[Message]", part.get_payload()) if part.is_multipart() else []:
                found = _STATUS.search(str(block.get("Status", "")))
                if found:
                    return found[0]
    return None


def leave_token(data: bytes) -> str | None:
    """The token in the subject of a mail that asks to leave, as the mailto in List-Unsubscribe writes it."""
    message = message_from_bytes(data[:MAX_REPORT], policy=policy.compat32)
    asked = _LEAVE.fullmatch(str(message.get("Subject", "")))
    return asked[1] if asked else None


def take_in(settings: Settings, catalog: Catalog, data: bytes, *, now: datetime) -> str:
    """Act on one mail of the bounce mailbox; says what it was: `hard`, `soft`, `complaint`, `known`, `left`, or `ignored`."""
    token = leave_token(data)
    if token is not None:
        try:
            open_subscribers(settings, catalog).unsubscribe(token, now)
        except TokenRefused:
            return "ignored"
        return "left"
    return _record(catalog, parse_report(data), now)


def _record(catalog: Catalog, reports: Sequence[Report], now: datetime) -> str:
    said = "ignored"
    for report in reports:
        outcome = SubscriberStore(catalog).record_bounce(report.message_id, report.kind, report.status, now)
        if outcome == "known":
            said = "known"
        elif outcome != "unknown":
            said = report.kind
    return said


def read_bounces(settings: Settings, catalog: Catalog, *, now: datetime) -> list[str]:
    """Act on every new mail in the maildir or IMAP folder of the settings; returns what each was, as `take_in` does.

    A mail is marked as seen after it was acted on: a run that dies between the two reads it again, which changes nothing.
    Raises PermanentError `bounces` for a mailbox that cannot be opened, TransientError `bounces_unreachable`.
    """
    found: list[str] = []
    if settings.delivery.bounce_maildir is not None:
        found += _from_maildir(settings, catalog, now)
    if settings.delivery.bounce_imap_host is not None:
        found += _from_imap(settings, catalog, now)
    return found


def _from_maildir(settings: Settings, catalog: Catalog, now: datetime) -> list[str]:
    path = settings.delivery.bounce_maildir
    if path is None or not (path / "new").is_dir():
        raise PermanentError("bounces", f"delivery.bounce_maildir {path} is no maildir; correct it or create it.")
    folder, found = mailbox.Maildir(str(path), factory=None, create=False), list[str]()
    try:
        for key in sorted(folder.keys()):
            message = folder.get_message(key)
            if "S" in message.get_flags():
                continue
            data = folder.get_bytes(key)
            found.append(take_in(settings, catalog, data, now=now) if len(data) <= MAX_REPORT else "ignored")
            message.set_subdir("cur")
            message.add_flag("S")
            folder[key] = message
    except OSError as error:
        raise PermanentError("bounces", f"{path} cannot be read ({error.strerror}); check its permissions.") from error
    return found


def _from_imap(settings: Settings, catalog: Catalog, now: datetime) -> list[str]:
    found: list[str] = []
    with _imap(settings) as connection:
        _, listed = connection.uid("SEARCH", "UNSEEN")
        for uid in (listed[0] or b"").split():
            fetched: list[Any] = connection.uid("FETCH", uid.decode("ascii"), f"(BODY.PEEK[]<0.{MAX_REPORT}>)")[1]
            data = next((cast("tuple[bytes, bytes]", part)[1] for part in fetched if isinstance(part, tuple)), b"")
            found.append(take_in(settings, catalog, data, now=now))
            connection.uid("STORE", uid.decode("ascii"), "+FLAGS", "(\\Seen)")
    return found


@contextmanager
def _imap(settings: Settings) -> "Generator[Any, None, None]":
    chosen = settings.delivery
    where = f"{chosen.bounce_imap_host}:{chosen.bounce_imap_port}"
    password = chosen.bounce_imap_password
    try:
        connection = imaplib.IMAP4_SSL(
            chosen.bounce_imap_host or "",
            chosen.bounce_imap_port,
            ssl_context=ssl.create_default_context(),
            timeout=chosen.timeout,
        )
    except (OSError, imaplib.IMAP4.error) as error:
        raise TransientError("bounces_unreachable", f"{where} cannot be reached ({type(error).__name__}); check it.") from error
    try:
        connection.login(chosen.bounce_imap_user or "", password.get_secret_value() if password is not None else "")
        status, _ = connection.select(chosen.bounce_imap_folder)
        if status != "OK":
            raise PermanentError(
                "bounces", f"{where} has no folder {chosen.bounce_imap_folder!r}; correct delivery.bounce_imap_folder."
            )
        yield connection
    except imaplib.IMAP4.abort as error:
        raise TransientError("bounces_unreachable", f"{where} broke the connection; the next run goes on.") from error
    except imaplib.IMAP4.error as error:
        raise PermanentError("bounces", f"{where} refused user or password; check delivery.bounce_imap_user.") from error
    except OSError as error:
        raise TransientError("bounces_unreachable", f"{where} broke the connection; the next run goes on.") from error
    finally:
        try:
            connection.logout()
        except (imaplib.IMAP4.error, OSError):
            connection.shutdown()


# Webhooks


class WebhookRefused(PermanentError):
    """The secret is wrong or none is configured, or the body is not one that is known."""


def record_webhook(settings: Settings, catalog: Catalog, *, secret: str, body: bytes, now: datetime) -> dict[str, int]:
    """Act on what a mail provider posts; returns how many reports were `hard`, `soft`, `complaint`, `known`, `ignored`.

    `secret` is what the caller gave, compared with `delivery.bounce_webhook_secret`. `body` is JSON, one object or a list of them:
    `{"message_id": "<...>", "kind": "hard" | "soft" | "complaint", "status": "5.1.1"}`, or as Postmark, Mailgun, SendGrid or Amazon SES write
    theirs. Raises WebhookRefused `webhook_secret` or `webhook_body`.
    """
    expected = settings.delivery.bounce_webhook_secret
    if expected is None or not hmac.compare_digest(expected.get_secret_value().encode(), secret.encode("utf-8", "replace")):
        raise WebhookRefused("webhook_secret", "The secret of the bounce webhook is wrong; set delivery.bounce_webhook_secret.")
    try:
        given: Any = json.loads(body) if len(body) <= MAX_BODY else None
    except (ValueError, RecursionError):
        given = None
    items = cast("list[Any]", given) if isinstance(given, list) else [given]
    if not all(isinstance(item, dict) for item in items):
        raise WebhookRefused(
            "webhook_body", "The body of the bounce webhook is no JSON object, or too large; see docs/delivery.md."
        )
    counted: Counter[str] = Counter()
    for item in cast("list[dict[str, Any]]", items):
        report = webhook_report(item)
        counted[_record(catalog, [report], now) if report is not None else "ignored"] += 1
    return dict(counted)


_KINDS: Final[dict[str, Kind]] = {
    "hard": "hard", "soft": "soft", "complaint": "complaint",
    # Postmark's Type
    "hardbounce": "hard", "softbounce": "soft", "transient": "soft", "spamcomplaint": "complaint", "bademailaddress": "hard",
    # SendGrid's event, Mailgun's severity and event, SES' bounceType
    "bounce": "hard", "deferred": "soft", "blocked": "soft", "spamreport": "complaint", "permanent": "hard", "temporary": "soft",
    "complained": "complaint", "undetermined": "soft",
}  # fmt: skip


def webhook_report(item: dict[str, Any]) -> Report | None:
    """What one object of a webhook says, or None where it is no bounce of a mail of ours."""
    event: Any = item.get("event-data", item)
    if isinstance(item.get("Message"), str):
        # SNS wraps the notification of SES in a string.
        try:
            event = json.loads(item["Message"])
        except (ValueError, RecursionError):
            return None
    if not isinstance(event, dict):
        return None
    facts = cast("dict[str, Any]", event)
    kind: Kind | None = next((_KINDS[name] for name in _said(facts) if name in _KINDS), None)
    identity = _OUR_ID.search(json.dumps(facts, ensure_ascii=False).replace("\\u003c", "<").replace("\\u003e", ">"))
    bare = re.search(_OUR_ID.pattern[1:-1], json.dumps(facts)) if identity is None else None
    if kind is None or (identity is None and bare is None):
        return None
    status = next((str(facts[name]) for name in ("status", "Status") if _STATUS.fullmatch(str(facts.get(name, "")))), None)
    return Report(identity[0] if identity is not None else f"<{bare[0]}>" if bare is not None else "", kind, status)


def _said(facts: dict[str, Any]) -> Generator[str, None, None]:
    """The words by which providers tell kinds apart, the most exact first."""
    for part in (facts.get("bounce"), facts.get("complaint"), facts):
        if isinstance(part, dict):
            inner = cast("dict[str, Any]", part)
            for name in ("kind", "bounceType", "severity", "Type", "type", "event", "notificationType", "eventType"):
                yield str(inner.get(name, "")).lower()
