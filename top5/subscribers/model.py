"""Subscribers as data that crosses borders. Nothing here reads or writes a store."""

import difflib
from datetime import datetime
from enum import StrEnum
from functools import cache, lru_cache
from typing import Annotated, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from top5.digests.compose import visible_text

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of the days, Monday first: their index is `datetime.weekday()`."""

MAX_FILTERS = 50
"""How many topics or shows one list may hold."""


class SubscriberState(StrEnum):
    """pending -> active -> unsubscribed or suppressed; signing up again leads from unsubscribed to active.

    `suppressed` means that mails to the address bounced or were complained about: only the operator leads out of it.
    """

    PENDING = "pending"
    ACTIVE = "active"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"


@cache
def time_zones() -> frozenset[str]:
    """Every IANA time zone that this machine knows. Kept: finding them walks through hundreds of files."""
    return frozenset(available_timezones())


def _zone(value: str) -> str:
    if value not in time_zones():
        near = difflib.get_close_matches(value, sorted(time_zones()), n=1)
        raise ValueError(f"{visible_text(value)[:60]!r} is no IANA time zone" + (f"; did you mean {near[0]!r}?" if near else ""))
    return value


def _days(value: tuple[int, ...]) -> tuple[int, ...]:
    if not value or not set(value) <= set(range(7)):
        raise ValueError("weekdays are numbers from 0 (Monday) to 6, at least one")
    return tuple(sorted(set(value)))


@lru_cache(maxsize=1000)
def _names(value: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for name in (visible_text(item)[:100].strip() for item in value) if name))
    if len(names) > MAX_FILTERS:
        raise ValueError(f"at most {MAX_FILTERS} entries")
    return names


Names = Annotated[tuple[str, ...], AfterValidator(_names)]


class Preferences(BaseModel):
    """What a subscriber wants.

    - `timezone` is an IANA name, `hour` the local hour from which the digest may arrive; None: as soon as it is there.
    - `weekdays` are the local days on which a digest may arrive, 0 is Monday.
    - `topics`: only insights that speak of one of them (words of the text, the people and companies in it, or the titles of episode and
      show, whatever the case); empty: all. `muted_topics`: never those.
    - `shows`, `muted_shows`: the same for shows, each by its feed id or its title.
    - `count` is how many insights at most; a narrow choice may give fewer.
    - `format` `text` is a mail without an HTML part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    timezone: Annotated[str, AfterValidator(_zone)] = "UTC"
    hour: int | None = Field(default=None, ge=0, le=23)
    weekdays: Annotated[tuple[int, ...], AfterValidator(_days)] = (0, 1, 2, 3, 4, 5, 6)
    topics: Names = ()
    muted_topics: Names = ()
    shows: Names = ()
    muted_shows: Names = ()
    count: int = Field(default=5, ge=1, le=10)
    format: Literal["html", "text"] = "html"


class Subscriber(Preferences):
    """One subscriber with all that is known of them. `address` is a mail address, or for the channel `apprise` a secret Apprise URL.

    `source` says who entered it: `site` (the reader), `operator`, `import`, or `settings` (`delivery.recipients`). Times are UTC.
    `confirmed_at` is when the reader, or for the other sources the operator, said yes.
    """

    subscriber_id: str
    address: str
    channel: Literal["mail", "apprise"] = "mail"
    state: SubscriberState
    source: Literal["site", "operator", "import", "settings"]
    created_at: datetime
    confirmed_at: datetime | None = None
    changed_at: datetime
    reason: str | None = None
    """Why it is suppressed, as a slug."""
    serial: int = 1
    """Rises when earlier links to the preferences shall end."""

    @property
    def preferences(self) -> Preferences:
        """The part that the subscriber may change."""
        return Preferences.model_validate({name: getattr(self, name) for name in Preferences.model_fields})
