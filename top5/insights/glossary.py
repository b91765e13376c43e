"""The reader's own list of names that speech to text gets wrong: `glossary.toml`.

Belongs here: reading and checking the file. When an entry applies to a text is decided in `names`.

    ["Groq"]                             # the right spelling, in quotes
    heard = ["Grok", "Grock"]            # what transcripts write instead
    when = ["chip", "inference"]         # optional: only where one of these words is near
    unless = ["xAI", "Musk"]             # optional: never where one of these is
"""

import difflib
import hashlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from top5.errors import PermanentError
from top5.insights.words import tidy

_LONGEST = 80
_SHORTEST_HEARD = 2


class GlossaryEntry(BaseModel):
    """One right spelling. Words of `when` and `unless` match whole words whatever their case."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    written: str = Field(min_length=1, max_length=_LONGEST)
    heard: tuple[str, ...] = Field(min_length=1)
    when: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()

    @field_validator("heard", "when", "unless")
    @classmethod
    def _plain_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        found = tuple(tidy(text) for text in value)
        for text in found:
            if not any(character.isalnum() for character in text) or len(text) > _LONGEST:
                raise ValueError(f"{text!r} is no word; write 1 to {_LONGEST} characters with a letter or a digit")
        return found

    @field_validator("heard")
    @classmethod
    def _not_too_short(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            if len(text) < _SHORTEST_HEARD:
                raise ValueError(f"{text!r} stands in too many words; write at least {_SHORTEST_HEARD} characters")
        return value


class Glossary(BaseModel):
    """All entries of a file, in its order. An empty one changes nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    entries: tuple[GlossaryEntry, ...] = ()

    @property
    def fingerprint(self) -> str:
        """A short hash of the content, for cache keys; `-` for an empty glossary."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:8] if self.entries else "-"


def read_glossary(path: Path | None) -> Glossary:
    """The glossary in `path`; None gives an empty one.

    Raises PermanentError `bad_glossary` with the file, the entry and what to write instead.
    """
    if path is None:
        return Glossary()
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise _bad(path, f"cannot be read ({why}); correct insights.glossary_file in top5.toml or create the file") from error
    try:
        tables: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise _bad(path, f"is no valid TOML ({error}); fix that line") from error
    entries = tuple(_entry(path, written, values) for written, values in tables.items())
    _refuse_clashes(path, entries)
    return Glossary(entries=entries)


def _entry(path: Path, written: str, values: object) -> GlossaryEntry:
    if not isinstance(values, dict):
        raise _bad(path, f'{written!r} is no name with its mishearings; write ["{written}"] and below it heard = ["..."]')
    given = cast("dict[str, Any]", values)
    for key in given:
        if key not in ("heard", "when", "unless"):
            near = difflib.get_close_matches(key, ("heard", "when", "unless"), n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else "the keys are heard, when and unless"
            raise _bad(path, f"[{written!r}] has an unknown key {key!r}; {hint}")
    if "heard" not in given:
        raise _bad(path, f'[{written!r}] does not say what is heard; add heard = ["..."]')
    try:
        entry = GlossaryEntry.model_validate({"written": tidy(written), **given})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        raise _bad(path, f"[{written!r}] has an unusable {where} ({said}); write a list of words in quotes") from error
    if entry.written in entry.heard:
        raise _bad(path, f"[{written!r}] is heard as itself; take {entry.written!r} out of heard")
    return entry


def _refuse_clashes(path: Path, entries: Iterable[GlossaryEntry]) -> None:
    """One mishearing may stand for two names only where each says when."""
    owners: dict[str, GlossaryEntry] = {}
    for entry in entries:
        for heard in entry.heard:
            other = owners.setdefault(heard.lower(), entry)
            if other is not entry and not (entry.when and other.when):
                raise _bad(path, f"{heard!r} stands for {other.written!r} and for {entry.written!r}; give both a `when`")


def _bad(path: Path, what: str) -> PermanentError:
    return PermanentError("bad_glossary", f"The glossary {path} {what}.")
