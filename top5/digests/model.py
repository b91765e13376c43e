"""A digest as data that crosses borders: frozen once sent, rebuilt byte for byte from the same rows."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from top5.insights.model import Quote


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DigestInsight(_Frozen):
    """One of the day's insights with all a reader needs to check it.

    `audio_url` carries no `#t=`; `start` is where the first quote begins, in seconds. `late` means that the episode came out on
    an earlier day and its transcript only now. `also_in` names other shows that said the same, oldest first.
    `why` is half a line on the choice.
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
    also_in: tuple[str, ...] = ()
    late: bool = False
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
    left_out: tuple[LeftOut, ...] = ()
    short_because: str | None = None
    notes: tuple[str, ...] = ()
    engine: str
    inputs_hash: str
