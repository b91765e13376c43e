"""The application over a home, with a clock that tests set and a mailbox instead of a mail server."""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr
from starlette.testclient import TestClient

from tests.top5.site.samples import NOW
from top5.catalog.store import Catalog
from top5.settings import DeliverySettings, Settings, SiteSettings, SubscriberSettings
from top5.site.app import create_app
from top5.subscribers.service import Subscribers
from top5.subscribers.tokens import open_tokens

URL = "https://five.example"


@dataclass
class Served:
    """One running application. `posted` is what was mailed; `now` may be set."""

    client: TestClient
    settings: Settings
    service: Subscribers
    catalog: Catalog
    posted: list[EmailMessage] = field(default_factory=list[EmailMessage])
    now: datetime = NOW

    def link(self, kind: str) -> str:
        """The path of a link in the latest mail."""
        text = self.posted[-1].get_content()
        found = re.search(rf"{re.escape(URL)}(/{kind}/\S+)", text)
        assert found, text
        return found[1]


@cache
def _empty_catalog() -> bytes:
    """A migrated catalog: making one takes a second, and every test wants its own."""
    with TemporaryDirectory() as folder:
        Catalog.at_home(Path(folder)).close()
        return (Path(folder) / "catalog.db").read_bytes()


@contextmanager
def served(home: Path, *, url: str = URL, sign_up: bool = True, **site: Any) -> Generator[Served, None, None]:
    """The application over `home`; further arguments are settings of `[site]`."""
    limits = {"posts_per_minute": 1000, "searches_per_minute": 1000, **site}
    # Over the environment, which otherwise wins.
    chosen: dict[str, Any] = {
        "home": home,
        "site": SiteSettings(url=url, **limits),
        "subscribers": SubscriberSettings(sign_up=sign_up),
    }
    chosen["delivery"] = DeliverySettings(sender="Five <five@example.com>", bounce_webhook_secret=SecretStr("s3cret"))
    settings = Settings().model_copy(update=chosen)
    if not (home / "catalog.db").exists():
        (home / "catalog.db").write_bytes(_empty_catalog())
    catalog = Catalog.at_home(home)
    posted: list[EmailMessage] = []

    async def post(message: EmailMessage) -> None:
        posted.append(message)

    service = Subscribers(settings, catalog, open_tokens(settings), post)
    made: list[Served] = []
    app = create_app(settings, catalog, subscribers=service, now=lambda: made[0].now if made else NOW, by_meaning=False)
    try:
        # Not the site's host: nothing may be made from what a client says of it.
        with TestClient(app, base_url="http://internal:8300", follow_redirects=False, raise_server_exceptions=False) as client:
            made.append(Served(client, settings, service, catalog, posted))
            yield made[0]
    finally:
        catalog.close()
