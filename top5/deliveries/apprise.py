"""Digests to chat rooms and phones: anything that Apprise has a URL for (Slack, Discord, Telegram, ntfy, Matrix, ...).

Belongs here: handing a text over. Such services answer yes or no, and none knows a message again: one that was sent twice is there twice.
"""

import asyncio
import hashlib
import warnings
from collections.abc import Mapping
from functools import cache
from types import TracebackType
from typing import Any, Final, cast

from top5.deliveries.model import Mail
from top5.errors import PermanentError, TransientError
from top5.urls import mask_url

TIMEOUT: Final = 60.0
"""Seconds for one notification, all its parts included."""


class AppriseChannel:
    """Notifications by Apprise. `urls` gives the URL of a ledger row's recipient (see `recipient_of`)."""

    name: str = "apprise"
    lanes: int = 2
    repeats_safely: bool = False

    def __init__(self, urls: Mapping[str, str]) -> None:
        self._urls = urls

    async def __aenter__(self) -> "AppriseChannel":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def lane(self) -> "AppriseChannel":
        """Itself: nothing is kept open."""
        return self

    async def close(self) -> None:
        """Nothing is open."""

    async def send(self, mail: Mail, then: Mail | None = None) -> None:
        """Notify one URL. Raises PermanentError `bad_channel` for a URL that Apprise does not know, TransientError for a service that says no."""
        url = self._urls[mail.recipient]
        try:
            done = await asyncio.wait_for(asyncio.to_thread(_notify, url, mail.title, mail.text), TIMEOUT)
        except TimeoutError:
            done = False
        if not done:
            problem = f"{shown(url)} did not take the notification; it is tried again later, check the URL if that goes on."
            raise TransientError("channel_refused", problem)


@cache
def _library() -> Any:
    with warnings.catch_warnings():
        # It asks for modules that newer Pythons lack, and does without where they are gone; the first URL makes it load all its services.
        warnings.simplefilter("ignore", DeprecationWarning)
        import apprise

        library: Any = apprise
        library.Apprise.instantiate("json://localhost")
    return library


def _notify(url: str, title: str, body: str) -> bool:
    apprise = _library()
    # The library's own log lines would carry URLs with their secrets.
    asset = apprise.AppriseAsset(app_id="top5", app_desc="top5", app_url="", secure_logging=True, async_mode=False)
    target = apprise.Apprise(asset=asset)
    if not target.add(url):
        raise PermanentError("bad_channel", f"{shown(url)} is no Apprise URL; see delivery.channels in docs/delivery.md.")
    said = target.notify(title=title, body=body, body_format=apprise.NotifyFormat.TEXT)
    return bool(cast("bool | None", said))


def check_url(url: str) -> None:
    """Raise PermanentError `bad_channel` where Apprise knows no such URL. Connects to nothing."""
    if not _library().Apprise.instantiate(url, suppress_exceptions=True):
        raise PermanentError("bad_channel", f"{shown(url)} is no Apprise URL; see delivery.channels in docs/delivery.md.")


def shown(url: str) -> str:
    """A URL as it may be shown: its scheme, and nothing of what follows, which is a secret in most of them."""
    return f"{url.partition('://')[0][:20]}://…" if "://" in url else mask_url(url)


def recipient_of(url: str) -> str:
    """The URL's name in the ledger: its scheme and a hash."""
    return f"{url.partition('://')[0].lower()[:20]}:{hashlib.sha256(url.encode()).hexdigest()[:16]}"
