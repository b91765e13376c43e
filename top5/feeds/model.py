"""What a feed says, as data that crosses borders. Frozen; times are timezone-aware UTC, durations are seconds."""

from datetime import datetime

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


class Podcast(_Frozen):
    """Feed-level facts."""

    title: str
    link: str | None = None
    description: str = ""
    language: str | None = None
    author: str | None = None
    guid: str | None = None
    image: str | None = None
    people: tuple[Person, ...] = ()


class ParsedEpisode(_Frozen):
    """One item of a feed. `guid` is always filled (see `top5.feeds.identity.episode_guid`).

    `published` is None where the feed gives no usable date; `published_raw` keeps what it said.
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


class ParsedFeed(_Frozen):
    """What `top5.feeds.parse.parse_feed` gives; `episodes` in feed order, GUIDs unique."""

    podcast: Podcast
    episodes: tuple[ParsedEpisode, ...] = ()
    warnings: tuple[str, ...] = ()
