"""An insight as data that crosses borders, and what an engine is given and gives back. Times are seconds."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

from top5.transcripts.model import Segment

ClaimType = Literal["mechanism", "prediction", "number", "contrarian", "how-to", "news"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class EpisodeText(_Frozen):
    """What an engine reads: the words, and what the publisher wrote about them.

    `description` is the show notes (HTML or text), `people` the known hosts and guests, `chapters` their titles: all are sources
    for right spelling.
    """

    title: str = ""
    show: str = ""
    description: str = ""
    people: tuple[str, ...] = ()
    chapters: tuple[str, ...] = Field(default=(), exclude_if=lambda value: not value)
    segments: tuple[Segment, ...]


class Quote(_Frozen):
    """Words found verbatim in the transcript. `start` and `end` are None only where the transcript has no times."""

    text: str
    start: float | None
    end: float | None
    speaker: str | None = None


class NameChange(_Frozen):
    """One spelling repaired in headline and body; quotes stay as spoken."""

    heard: str
    written: str
    reason: str


class Insight(_Frozen):
    """One candidate paragraph that passed every gate of its engine. `salience` is 0 to 1; `reasons` say why, largest first."""

    headline: str
    body: str
    speaker: str | None
    claim_type: ClaimType
    salience: float
    reasons: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    quotes: tuple[Quote, ...]
    names: tuple[NameChange, ...] = ()


class Rejection(_Frozen):
    """One candidate that did not pass, with the slug of the gate and what it was."""

    reason: str
    detail: str
    text: str


class RejectionCount(_Frozen):
    """How many candidates one gate stopped; counts all, while `Extraction.rejections` keeps examples."""

    reason: str
    count: int


def count_rejections(rejections: Iterable[Rejection]) -> tuple[RejectionCount, ...]:
    """How many of each reason, most first."""
    counts = Counter(rejection.reason for rejection in rejections)
    return tuple(RejectionCount(reason=reason, count=count) for reason, count in counts.most_common())


class Usage(_Frozen):
    """What an extraction cost. Tokens are 0 for the embedded engine; `cost` is US dollars."""

    input_tokens: int = 0
    output_tokens: int = 0
    requests: int = 0
    cost: float = 0.0


class Extraction(_Frozen):
    """All that an engine gives for one episode; `insights` best first. `warnings` are for the reader of the digest."""

    engine: str
    model: str
    prompt_version: str
    insights: tuple[Insight, ...]
    rejections: tuple[Rejection, ...] = ()
    rejection_counts: tuple[RejectionCount, ...] = ()
    usage: Usage = Usage()
    warnings: tuple[str, ...] = ()


class InsightEngine(Protocol):
    """What both engines are. `fingerprint` names engine, model and prompt version: with the hash of the input it is the cache key."""

    @property
    def fingerprint(self) -> str:
        """Engine, model, rules or prompts in one string."""
        ...

    def extract(self, episode: EpisodeText) -> Extraction:
        """Candidates of one episode. Raises PermanentError or TransientError; never returns an unproven insight."""
        ...
