"""What has been told: one message for each cause and day, one when it is over, none in quiet hours.

Belongs here: the decision to speak, over the kept state. What is wrong is judged in `causes`; how a message leaves is in `send`.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict

from top5.alerts.model import Alert, KeptAlert, Kind
from top5.alerts.send import Message, Way, recovery_message, trouble_message, ways
from top5.catalog.alerts import close_alerts, kept_alerts, mark_told, raise_alerts
from top5.catalog.store import Catalog
from top5.errors import TransientError
from top5.settings import Settings


class Told(BaseModel):
    """What a round came to: messages that left, how many alerts are open, how many wait for the end of the quiet hours."""

    model_config = ConfigDict(frozen=True)

    messages: tuple[Message, ...]
    open: int
    held: int


def settle(catalog: Catalog, found: Sequence[Alert], kinds: Iterable[Kind], now: datetime) -> None:
    """Open what was found; of these kinds, what is open and was not found is over."""
    raise_alerts(catalog, found, now)
    seen, judged = {alert.cause for alert in found}, set(kinds)
    close_alerts(
        catalog,
        [kept.cause for kept in kept_alerts(catalog, open_only=True) if kept.kind in judged and kept.cause not in seen],
        now,
    )


def is_quiet(now: datetime, settings: Settings) -> bool:
    """Whether `now` lies in the quiet hours, which may go over midnight."""
    begin, end = settings.alerts.quiet_from, settings.alerts.quiet_until
    local = now.astimezone(settings.tz).time()
    if begin <= end:
        return begin <= local < end
    return local >= begin or local < end


def due(alert: KeptAlert, now: datetime, settings: Settings) -> bool:
    """Whether a message on an alert is due: it is open, and was never told, opened anew on a later day, or has stayed for long."""
    if alert.closed_at is not None:
        return False
    if alert.told_at is None:
        return True
    if alert.told_at < alert.opened_at:
        return alert.told_at.astimezone(settings.tz).date() != now.astimezone(settings.tz).date()
    return now - alert.told_at >= timedelta(days=settings.alerts.remind_days)


def recovery_due(alert: KeptAlert) -> bool:
    """Whether a message that it is over is due: only where the trouble was told."""
    told = alert.told_at is not None and alert.told_at >= alert.opened_at
    return alert.closed_at is not None and told and alert.recovery_told_at is None


def tell(catalog: Catalog, settings: Settings, now: datetime, to: Sequence[Way] | None = None) -> Told:
    """Send what is due: one message for each kind, one for what is over. `to` stands in for the ways of the settings.

    Told is what at least one way has taken; where none did, the next round tries again. The daemon and a dead man's check may meet
    here: one waits for the other, so that nothing is said twice. Raises TransientError `not_told` where no way took a message.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(settings.home / "alerts.lock", timeout=60):
            return _tell(catalog, settings, now, to)
    except Timeout as error:
        raise TransientError(
            "not_told", "Another process is telling alerts and does not end; `top5 alerts list` shows them."
        ) from error


def _tell(catalog: Catalog, settings: Settings, now: datetime, to: Sequence[Way] | None) -> Told:
    alerts = kept_alerts(catalog)
    opened = [alert for alert in alerts if alert.closed_at is None]
    new = [alert for alert in alerts if due(alert, now, settings)]
    over = [alert for alert in alerts if recovery_due(alert)]
    if is_quiet(now, settings):
        return Told(messages=(), open=len(opened), held=len(new) + len(over))
    sent: list[Message] = []
    if new or over:
        to = ways(settings) if to is None else to
    for kind in dict.fromkeys(alert.kind for alert in new):
        group = [alert for alert in new if alert.kind == kind]
        sent.append(_send(trouble_message(group, settings), to or (), now))
        mark_told(catalog, [alert.cause for alert in group], now)
    if over:
        sent.append(_send(recovery_message(over, settings), to or (), now))
        mark_told(catalog, [alert.cause for alert in over], now, recovery=True)
    return Told(messages=tuple(sent), open=len(opened), held=0)


def _send(message: Message, to: Sequence[Way], now: datetime) -> Message:
    failures: list[TransientError] = []
    for way in to:
        try:
            way.send(message, now)
        except TransientError as error:
            failures.append(error)
    if to and len(failures) == len(to):
        raise failures[0]
    return message
