"""An alert as it is raised, and as it is kept.

Belongs here: frozen values that cross the package's border.
"""

from datetime import datetime
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

Kind = Literal[
    "run-failed",
    "run-stuck",
    "check-failed",
    "digest-missing",
    "digest-short",
    "feed-failing",
    "feed-silent",
    "feeds-unreachable",
    "budget-spent",
    "budget-forecast",
    "deliveries-failed",
    "disk-low",
    "daemon-silent",
    "watch-failed",
]
"""What can be wrong; each is a heading of docs/runbook.md."""

KINDS: tuple[Kind, ...] = get_args(Kind)


class Alert(BaseModel):
    """One cause of trouble: what, why, and what to do, one sentence or a few each.

    `cause` names it for ever: the same trouble seen again has the same one. `link` leads to the run.
    """

    model_config = ConfigDict(frozen=True, from_attributes=True)

    kind: Kind
    cause: str
    what: str
    why: str
    todo: str
    link: str | None = None


class KeptAlert(Alert):
    """An alert with its history, times in UTC. `told_at` is the last message about it, `recovery_told_at` the one that it is over."""

    opened_at: datetime
    seen_at: datetime
    told_at: datetime | None
    closed_at: datetime | None
    recovery_told_at: datetime | None
