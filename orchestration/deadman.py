"""The dead man's check, from outside: for cron or a timer, because nothing inside Dagster can say that Dagster is down.

Belongs here: whether the daemon beats and the last digest is out, told by the same desk as all other trouble.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from sqlalchemy.exc import SQLAlchemyError

from orchestration.instance import prepare_home
from top5.alerts import causes
from top5.alerts.desk import settle, tell
from top5.alerts.model import Alert, Kind
from top5.alerts.ping import ping
from top5.alerts.send import trouble_message, ways
from top5.alerts.watch import overdue
from top5.cli import open_catalog
from top5.errors import PermanentError, Top5Error
from top5.settings import Settings

SILENCE = timedelta(minutes=10)
"""A daemon beats twice a minute; a long garbage collection or a machine that just woke is no trouble yet."""


def check(settings: Settings, now: datetime, *, daemon: bool = True) -> None:
    """Tell what is wrong, or ping where nothing is.

    Raises PermanentError `dead` with everything that is wrong in one sentence, so that cron's own mail and exit code say it too,
    and TransientError `not_told` where a message could not be sent.
    """
    kinds: list[Kind] = ["digest-missing", *(["daemon-silent"] if daemon else [])]
    beats = beating(settings, now) if daemon else []
    try:
        with open_catalog(settings) as catalog:
            found = [*beats, *overdue(settings, catalog, now)]
            settle(catalog, found, kinds, now)
            tell(catalog, settings, now)
    except Top5Error as error:
        if error.reason not in ("catalog", "home"):
            raise
        # Without a catalog nobody knows what was told before: better twice than never.
        found = [*beats, causes.watch_failed("the catalog", error.reason, error.message)]
        for way in ways(settings):
            way.send(trouble_message(found, settings), now)
    if found:
        raise PermanentError("dead", " ".join(f"{alert.what} {alert.why}" for alert in found))
    ping(settings)


def beating(settings: Settings, now: datetime) -> list[Alert]:
    """An alert where a part of Dagster's daemon has not beaten for ten minutes, or its storage cannot be read."""
    from dagster import DagsterInstance

    try:
        prepare_home(settings.home)
        with DagsterInstance.get() as instance:
            required = instance.get_required_daemon_types()
            beats = {kind: beat.timestamp for kind, beat in instance.get_daemon_heartbeats().items()}
    except (OSError, SQLAlchemyError, Top5Error) as error:
        return [causes.daemon_unknown(str(getattr(error, "orig", None) or error))]
    return _silent(required, beats, now)


def _silent(required: Sequence[str], beats: dict[str, float], now: datetime) -> list[Alert]:
    silent = sorted(kind for kind in required if beats.get(kind, 0.0) < (now - SILENCE).timestamp())
    if not silent:
        return []
    known = [beats[kind] for kind in silent if kind in beats]
    last = datetime.fromtimestamp(min(known), UTC) if known else None
    return [causes.daemon_silent(last, now, [kind.capitalize() for kind in silent])]
