"""How a message leaves: Apprise, by mail unless told otherwise, or a file where there is no mail server.

Belongs here: addresses, the text of a message, and keeping secrets out of it. Whether it is time to speak is decided in `desk`.
"""

import os
import re
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr
from importlib import import_module
from typing import Any, Protocol

from pydantic import BaseModel, ConfigDict, SecretStr

from top5.alerts.model import Alert
from top5.deliveries.apprise import shown
from top5.errors import PermanentError, TransientError
from top5.lake import content_key, write_atomically
from top5.settings import Settings
from top5.urls import mask_url

RUNBOOK = "docs/runbook.md"
_URL = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s<>\"'`]+")
_LISTED = 20
"""A message names so many causes of one kind; the rest is a number."""


class Message(BaseModel):
    """One message in plain text."""

    model_config = ConfigDict(frozen=True)

    title: str
    body: str


class Way(Protocol):
    """A way to the operator."""

    def send(self, message: Message, now: datetime) -> None:
        """Returns when the message was taken. Raises TransientError `not_told`, PermanentError `bad_alert_url`."""
        ...


def trouble_message(alerts: Sequence[Alert], settings: Settings) -> Message:
    """One message on alerts of one kind: what, why, what to do, where to read on."""
    first, more = alerts[0], len(alerts) - 1
    title = first.what if not more else f"{first.what.rstrip('.')}, and {more} more"
    parts: list[str] = []
    for alert in alerts[:_LISTED]:
        lines = [alert.what, f"Why: {alert.why}", f"What to do: {alert.todo}"]
        parts.append("\n".join(lines) + (f"\nRun: {alert.link}" if alert.link else ""))
    if len(alerts) > _LISTED:
        parts.append(f"And {len(alerts) - _LISTED} more: `top5 alerts list`.")
    parts.append(f"More: {RUNBOOK}#{first.kind}")
    return _clean(title, parts, alerts, settings)


def recovery_message(alerts: Sequence[Alert], settings: Settings) -> Message:
    """One message that these are over."""
    title = f"Over: {alerts[0].what}" if len(alerts) == 1 else f"Over: {alerts[0].what.rstrip('.')}, and {len(alerts) - 1} more"
    parts = [f"Over: {alert.what}" for alert in alerts[:_LISTED]]
    if len(alerts) > _LISTED:
        parts.append(f"And {len(alerts) - _LISTED} more: `top5 alerts list --all`.")
    return _clean(title, parts, (), settings)


def trial_message(settings: Settings) -> Message:
    """What `top5 alerts test` sends."""
    return _clean(
        "a test, nothing is wrong",
        ["This is what a message looks like: what is wrong, why, and what to do.", f"More: {RUNBOOK}"],
        (),
        settings,
    )


def scrub(text: str, settings: Settings) -> str:
    """`text` without secrets: URLs are masked, and any secret of the settings or of OPENAI_API_KEY is three stars."""
    text = _URL.sub(lambda found: mask_url(found[0]), text)
    for secret in secrets_of(settings):
        text = text.replace(secret, "***")
    return text


def secrets_of(settings: BaseModel) -> set[str]:
    """Every secret value in the settings and the API key of the environment, longest first when replaced."""
    found = {secret.get_secret_value() for secret in _secrets(settings)} | {os.environ.get("OPENAI_API_KEY", "")}
    return {secret for secret in found if len(secret) >= 4}


def _secrets(value: object) -> Iterator[SecretStr]:
    if isinstance(value, SecretStr):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:  # pyright: ignore[reportUnknownVariableType]
            yield from _secrets(item)  # pyright: ignore[reportUnknownArgumentType]


def ways(settings: Settings) -> list[Way]:
    """The ways that the settings name: mail (or the outbox where there is no server), and each Apprise URL."""
    found: list[Way] = []
    if settings.alerts.mail:
        found.append(_AppriseWay(_mail_service(settings), "mail") if settings.delivery.smtp_host else _Outbox(settings))
    found += [_AppriseWay(_service(url.get_secret_value()), shown(url.get_secret_value())) for url in settings.alerts.urls]
    return found


def mail_to(settings: Settings) -> tuple[str, ...]:
    """Who is told by mail: `alerts.mail_to`, by default the first reader. Raises PermanentError `no_operator`."""
    chosen = settings.alerts.mail_to or settings.delivery.recipients[:1]
    if not chosen:
        raise PermanentError("no_operator", "Nobody is told of trouble: set mail_to in [alerts] of top5.toml, or mail = false.")
    return chosen


class _AppriseWay:
    """One Apprise service."""

    def __init__(self, service: Any, name: str) -> None:
        self._service = service
        self._name = name

    def send(self, message: Message, now: datetime) -> None:
        taken: bool = self._service.notify(title=message.title, body=message.body, body_format="text")
        if not taken:
            raise TransientError(
                "not_told",
                f"The message could not be sent by {self._name}; check [alerts] and [delivery] with `top5 alerts test`.",
            )


class _Outbox:
    """Files beside the digests' mails, for a machine without a mail server."""

    def __init__(self, settings: Settings) -> None:
        self._folder = settings.home / "outbox" / "alerts"
        self._sender, self._recipients = settings.delivery.sender, mail_to(settings)

    def send(self, message: Message, now: datetime) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"] = self._sender, ", ".join(self._recipients)
        mail["Subject"], mail["Date"] = message.title, format_datetime(now)
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.body)
        name = f"{now:%Y-%m-%dT%H%M%SZ}-{content_key(message.title, message.body)[:8]}.eml"
        write_atomically(self._folder / name, bytes(mail))


def _mail_service(settings: Settings) -> Any:
    delivery = settings.delivery
    name, address = parseaddr(delivery.sender)
    # Given as parts, not as a URL: nothing in a password or a name can then be read as something else.
    parts: dict[str, Any] = {
        "schema": "mailto",
        "host": delivery.smtp_host,
        "port": delivery.smtp_port,
        "user": delivery.smtp_user,
        "password": delivery.smtp_password.get_secret_value() if delivery.smtp_password else None,
        "smtp_host": delivery.smtp_host,
        "from_addr": f"{name or 'top5'} <{address}>",
        "targets": [parseaddr(recipient)[1] for recipient in mail_to(settings)],
        "secure_mode": {"starttls": "starttls", "tls": "ssl", "none": "insecure"}[delivery.smtp_security],
        "headers": {"Auto-Submitted": "auto-generated"},
        "format": "text",
    }
    return _made(parts, "[delivery] of top5.toml")


def _service(url: str) -> Any:
    return _made(url, f"The alert URL {shown(url)}")


def _made(description: object, name: str) -> Any:
    with warnings.catch_warnings():
        # Plugins are imported when they are first asked for, and warn of their own dependencies' deprecations.
        warnings.simplefilter("ignore", DeprecationWarning)
        # The library's types are incomplete, so it is taken as untyped, here and nowhere else.
        library: Any = import_module("apprise")
        # The library's own log lines would carry URLs with their secrets.
        asset = library.AppriseAsset(app_id="top5", app_desc="top5", app_url="", secure_logging=True, async_mode=False)
        service = library.Apprise.instantiate(description, asset=asset, suppress_exceptions=True)
    if service is None:
        raise PermanentError(
            "bad_alert_url", f"{name} is nothing that Apprise can send to; see `top5 alerts test` and docs/runbook.md."
        )
    return service


def _clean(title: str, parts: Sequence[str], alerts: Sequence[Alert], settings: Settings) -> Message:
    # Links to the operator's own UI are the one address that is shown whole.
    links = {mask_url(alert.link): alert.link for alert in alerts if alert.link and "://" in alert.link}
    body = scrub("\n\n".join(parts), settings)
    for masked, link in links.items():
        body = body.replace(masked, link)
    return Message(title=_one_line(f"top5: {scrub(title, settings)}"), body=body + "\n")


def _one_line(text: str) -> str:
    # A title becomes a header of a mail.
    return "".join(character if character.isprintable() else " " for character in text)[:200]
