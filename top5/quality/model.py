"""The outcome of a suite.

Belongs here: frozen values that cross the package's border.
"""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

Severity = Literal["warn", "block"]


class Failure(BaseModel):
    """One expectation that did not hold: how many rows broke it, up to three of the values, and what was expected of them.

    `severity` says whether what comes after is stopped.
    """

    model_config = ConfigDict(frozen=True)

    expectation: str
    column: str
    rows: int
    examples: tuple[str, ...]
    expected: str = ""
    severity: Severity = "block"

    @property
    def sentence(self) -> str:
        """The failure for people."""
        if self.rows:
            return f"{self.column}: {self.expectation} broken by {self.rows} rows"
        return f"{self.column} is {', '.join(self.examples) or 'missing'}, usual is {self.expected}"


class Validation(BaseModel):
    """The outcome of one suite on the rows of one table; `page` is its Data Docs page, where one was asked for."""

    model_config = ConfigDict(frozen=True)

    table: str
    rows: int
    expectations: int
    failures: tuple[Failure, ...]
    page: Path | None = None

    @property
    def passed(self) -> bool:
        """Whether every expectation held."""
        return not self.failures

    @property
    def blocks(self) -> bool:
        """Whether one that did not hold is to stop what comes after."""
        return any(failure.severity == "block" for failure in self.failures)
