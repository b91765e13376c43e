"""What a feed says, as data that crosses borders. Frozen; times are timezone-aware UTC, durations are seconds."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Enclosure(_Frozen):
    """The audio file of an episode. `length` is in bytes, as the publisher states it."""

    url: str
    type: str | None = None
    length: int | None = None


class TranscriptLink(_Frozen):
    """One `podcast:transcript` element. `rel` is `captions` where the publisher says so."""

    url: str
    type: str | None = None
    language: str | None = None
    rel: str | None = None


class Person(_Frozen):
    """One `podcast:person` element, or an `itunes:author` taken as host."""

    name: str
    role: str | None = None


class Soundbite(_Frozen):
    """One `podcast:soundbite`: a stretch the publisher is proud of; `start` and `duration` in seconds."""

    start: float
    duration: float
    title: str = ""


class TxtRecord(_Frozen):
    """One `podcast:txt`: free text for machines; `purpose` says for which."""

    text: str
    purpose: str | None = None


class UpdateFrequency(_Frozen):
    """`podcast:updateFrequency`: what the publisher promises; `rrule` is an RFC 5545 recurrence rule."""

    text: str = ""
    rrule: str | None = None
    complete: bool = False


class LiveItem(_Frozen):
    """One `podcast:liveItem`: a stream, not an episode; `status` is `pending`, `live` or `ended`."""

    title: str
    status: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    guid: str | None = None
    link: str | None = None
    url: str | None = None


class PollHints(_Frozen):
    """What a feed asks of those who poll it. `ttl` is in seconds; hours are 0-23 GMT, days 0-6 from Monday."""

    ttl: float | None = None
    skip_hours: tuple[int, ...] = ()
    skip_days: tuple[int, ...] = ()


DateFlag = Literal["missing", "unreadable", "impossible", "future"]


class Podcast(_Frozen):
    """Feed-level facts. `locked` (may others import the feed?) is None where the feed does not say."""

    title: str
    link: str | None = None
    description: str = ""
    language: str | None = None
    author: str | None = None
    guid: str | None = None
    image: str | None = None
    people: tuple[Person, ...] = ()
    medium: str | None = None
    locked: bool | None = None
    update_frequency: UpdateFrequency | None = None
    txt: tuple[TxtRecord, ...] = ()


class ParsedEpisode(_Frozen):
    """One item of a feed. `guid` is always filled (see `top5.feeds.identity.episode_guid`).

    `published` is None where the feed gives no readable date; `published_raw` keeps what it said. The catalog replaces a date
    that is None, impossible or in the future by the moment of first sight and says why in `date_flag`.
    `description` is the show notes as HTML, as untrusted as everything here.
    """

    guid: str
    title: str
    link: str | None = None
    published: datetime | None = None
    published_raw: str | None = None
    duration: float | None = None
    description: str = ""
    enclosure: Enclosure | None = None
    transcripts: tuple[TranscriptLink, ...] = ()
    people: tuple[Person, ...] = ()
    chapters_url: str | None = None
    soundbites: tuple[Soundbite, ...] = ()
    txt: tuple[TxtRecord, ...] = ()
    date_flag: DateFlag | None = None


class ParsedFeed(_Frozen):
    """What `top5.feeds.parse.parse_feed` gives; `episodes` in feed order, GUIDs unique."""

    podcast: Podcast
    episodes: tuple[ParsedEpisode, ...] = ()
    warnings: tuple[str, ...] = ()
    live_items: tuple[LiveItem, ...] = ()
    hints: PollHints = PollHints()


class FeedChanges(_Frozen):
    """What a body says beyond what is known (see `top5.feeds.changes`).

    `podcast` is None where nothing changed at feed level. `episodes` are the new and changed ones in feed order, `fingerprints`
    their items' hashes in the same order; `present` are the names of all items, `dates` those of the newest twenty or so.
    `partial`: the body holds new items only (RFC 3229), so what is absent says nothing. `whole` tells that the feed was too
    malformed to be cut down.
    """

    podcast: Podcast | None
    channel_fingerprint: str
    episodes: tuple[ParsedEpisode, ...] = ()
    fingerprints: tuple[str, ...] = ()
    present: frozenset[str] = frozenset()
    items: int = 0
    dates: tuple[datetime, ...] = ()
    hints: PollHints = PollHints()
    update_frequency: UpdateFrequency | None = None
    live_items: tuple[LiveItem, ...] = ()
    warnings: tuple[str, ...] = ()
    partial: bool = False
    whole: bool = False
