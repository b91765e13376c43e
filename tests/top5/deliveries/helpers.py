"""What tests of sending share: a clock that is set, waits that take no time, a home with a frozen digest."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from pydantic import SecretStr

from tests.fakes.smtp_server import SmtpServer
from tests.top5.digests import samples
from top5.catalog.store import Catalog
from top5.deliveries.sending import Timing
from top5.digests.model import Digest
from top5.digests.render import render_json
from top5.lake import Lake
from top5.settings import DeliverySettings, Settings, SiteSettings, SubscriberSettings

DAY = samples.DAY
NOW = datetime(2026, 5, 5, 6, 0, tzinfo=UTC)
SENDER = "The day's five <top5@example.org>"
READER = "reader@example.com"
KEY = "a-key-for-tests-only"


@dataclass
class Clock:
    """Time that passes only where somebody waits; `waits` are the waits."""

    now: datetime = NOW
    waits: list[float] = field(default_factory=list)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += timedelta(seconds=seconds)

    @property
    def timing(self) -> Timing:
        return Timing(clock=lambda: self.now, ticks=lambda: self.now.timestamp(), sleep=self.sleep)


@dataclass
class Home:
    """Settings, catalog and lake of a test, with one frozen digest."""

    path: Path
    catalog: Catalog
    delivery: dict[str, object] = field(default_factory=dict)
    recipients: Sequence[str] = (READER,)
    site: str | None = None

    def settings(self, server: SmtpServer | None = None, **changes: object) -> Settings:
        facts: dict[str, object] = {"sender": SENDER, "recipients": tuple(self.recipients), "patience": 0.0} | self.delivery
        if server is not None:
            facts |= {"smtp_host": "127.0.0.1", "smtp_port": server.port, "smtp_security": "none", "timeout": 10.0}
        chosen = Settings(
            delivery=DeliverySettings.model_validate(facts | changes),
            site=SiteSettings(url=self.site),
            subscribers=SubscriberSettings(secret_keys=SecretStr(KEY)),
        )
        return chosen.model_copy(update={"home": self.path})  # the environment of the tests wins over an argument

    @property
    def lake(self) -> Lake:
        return Lake(self.path / "lake")

    def freeze(self, digest: Digest | None = None, day: date = DAY) -> Digest:
        digest = (digest or samples.full()).model_copy(update={"day": day})
        path = self.path / "lake" / "digests" / f"{day}.r{digest.revision:03}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(render_json(digest))
        self.catalog.add_digest_revision(day, digest.revision, digest.inputs_hash, NOW, [])
        return digest


def parsed(data: bytes) -> EmailMessage:
    message = message_from_bytes(data, policy=default)
    assert isinstance(message, EmailMessage)
    return message
