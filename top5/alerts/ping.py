"""The health-check ping: somebody outside notices when it stops coming.

Belongs here: the one request. Services such as healthchecks.io or Uptime Kuma give the URL.
"""

from urllib.error import URLError
from urllib.request import Request, urlopen

from top5.errors import TransientError
from top5.settings import Settings
from top5.urls import mask_url

_TIMEOUT = 10.0


def ping(settings: Settings) -> None:
    """Ask `alerts.ping_url`, where there is one. Raises TransientError `no_ping`; the URL is a secret and shown masked."""
    if settings.alerts.ping_url is None:
        return
    url = settings.alerts.ping_url.get_secret_value()
    try:
        if not url.startswith(("https://", "http://")):
            raise ValueError("no web address")
        with urlopen(Request(url, headers={"User-Agent": settings.scan.user_agent}), timeout=_TIMEOUT):  # noqa: S310
            return
    except (URLError, OSError, ValueError) as error:
        shown = getattr(error, "reason", None) or type(error).__name__
        raise TransientError(
            "no_ping", f"The health-check URL {mask_url(url)} did not answer ({shown}); check alerts.ping_url."
        ) from error
