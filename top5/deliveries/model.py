"""What the parts of sending hand to each other. Nothing here reads, writes or sends."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import TracebackType
from typing import Protocol

from top5.errors import Top5Error


class DeliveryState(StrEnum):
    """Where one mail stands. planned -> sending -> sent, failed or unknown; failed -> sending where it is tried again."""

    PLANNED = "planned"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNKNOWN = "unknown"


class DeliveryUnknown(Top5Error):
    """The message was handed over and the answer never came: it may have been delivered."""


class LaneClosed(Top5Error):
    """The channel as a whole does not work now, whoever the mail is for: nothing was sent. `cause` says what to do."""

    def __init__(self, cause: Top5Error) -> None:
        super().__init__(cause.reason, cause.message)
        self.cause = cause


class NoSuchMailbox(Top5Error):
    """The server says that the address does not exist or takes no mail any more: it is suppressed."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message for one recipient, ready for the wire.

    `recipient` and `sender` are the envelope's addresses in ASCII; `data` has CRLF line ends. Channels that take no mail get `title` and
    `text` in place of `data`.
    """

    day: date
    recipient: str
    sender: str
    message_id: str
    data: bytes = b""
    title: str = ""
    text: str = ""


class Lane(Protocol):
    """One way to the readers that carries one message after the other."""

    async def send(self, mail: Mail, then: Mail | None = None) -> None:
        """Carry one message; returns when it was accepted. `then` is the next one, if it is known: it may be prepared for, not sent.

        Raises PermanentError or NoSuchMailbox (refused), TransientError (put off, or never handed over), DeliveryUnknown (it may have been
        accepted), or LaneClosed (the way is shut; nothing was sent).
        """
        ...

    async def close(self) -> None:
        """Say goodbye; never raises."""
        ...


class Channel(Protocol):
    """A way to the readers."""

    @property
    def name(self) -> str:
        """Its name in the ledger."""
        ...

    @property
    def lanes(self) -> int:
        """How many messages it may carry at once."""
        ...

    @property
    def repeats_safely(self) -> bool:
        """Whether a message that was carried twice is there once, so that an `unknown` one can be repeated without asking."""
        ...

    def lane(self) -> Lane:
        """A new way; it connects at its first message."""
        ...

    async def __aenter__(self) -> "Channel": ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one recipient in a run. `recipient` is masked; `retried_at` of a put-off one is in the ledger."""

    recipient: str
    channel: str
    state: DeliveryState
    attempted: bool
    reason: str | None = None
    message: str | None = None


@dataclass(slots=True)
class Report:
    """What a run did for one day: counts, and single outcomes for what went wrong (at most 50).

    `states` counts the day's rows of the ledger afterwards, `attempted` the mails sent or tried now, `held` says why nothing was sent
    (`approval`, `old`, `backfill`), `stopped` is what shut the channel, `nothing_for` how many wanted nothing of this day, `unknown` how many rows
    an operator should look at.
    """

    day: date
    states: Mapping[str, int] = field(default_factory=dict[str, int])
    reasons: Mapping[str, int] = field(default_factory=dict[str, int])
    sent: int = 0
    attempted: int = 0
    held: str | None = None
    stopped: Top5Error | None = None
    nothing_for: int = 0
    unknown: int = 0
    troubles: list[Outcome] = field(default_factory=list[Outcome])
