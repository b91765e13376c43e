"""A digest as data that crosses borders: frozen once sent, rebuilt byte for byte from the same rows."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from top5.insights.model import Quote


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ClaimRef(_Frozen):
    """Another insight that a digest names: who said it, on the day of which digest, and the page where it can be heard."""

    show: str
    day: date
    headline: str
    url: str | None


class HeardAgain(_Frozen):
    """A claim that an earlier digest brought, and the shows that said it too on this day: told once, corroborated since."""

    headline: str
    told_on: date
    told_by: str
    also: tuple[ClaimRef, ...]


class DigestInputs(_Frozen):
    """What a digest was made from, as SHA-256 (hex) by kind, so that a day can be compared with what it would be now.

    `transcripts` and `extractions` are the day's rows in the lake, `memory` what earlier days chose, `settings` the variables of the
    ranking, `rules` the dbt project. `engines` names each engine with its model and prompt version.
    """

    transcripts: str
    extractions: str
    memory: str
    settings: str
    rules: str
    engines: tuple[str, ...]


class DigestInsight(_Frozen):
    """One of the day's insights with all a reader needs to check it.

    `audio_url` carries no `#t=`; `start` is where the first quote begins, in seconds. `late` means that the episode came out on
    an earlier day and its transcript only now. `also_in` names other shows that said the same, oldest first.
    `why` is half a line on the choice, `memory` one line on who said it before or disagrees; `memory_links` are the shows it names, in
    order. `related` are earlier insights that this one continues. `times_may_drift`: the audio may be another cut than the one that
    the seconds were taken from.
    """

    rank: int
    insight_id: str
    headline: str
    body: str
    show: str
    episode_title: str
    episode_url: str | None
    audio_url: str | None
    speaker: str | None
    published: datetime | None
    start: float | None
    quotes: tuple[Quote, ...]
    score: float
    salience: float
    why: str
    memory: str | None = None
    memory_links: tuple[ClaimRef, ...] = ()
    also_in: tuple[str, ...] = ()
    related: tuple[ClaimRef, ...] = ()
    late: bool = False
    times_may_drift: bool = False
    engine: str


class LeftOut(_Frozen):
    """How many episodes ended in a state, and why: `pending` / `transcript_not_found` / 2."""

    state: str
    reason: str
    episodes: int


class Considered(_Frozen):
    """What the day's choice was made from."""

    episodes: int
    shows: int
    candidates: int


class Digest(_Frozen):
    """The five of one day; as JSON, `day` is called `date`. `short_because` is a sentence whenever there are fewer than `size` insights."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    day: date = Field(alias="date")
    revision: int
    title: str
    size: int
    insights: tuple[DigestInsight, ...]
    considered: Considered
    heard_again: tuple[HeardAgain, ...] = ()
    left_out: tuple[LeftOut, ...] = ()
    short_because: str | None = None
    notes: tuple[str, ...] = ()
    engine: str
    inputs: DigestInputs | None = None
    inputs_hash: str
