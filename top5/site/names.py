"""Names as parts of addresses: which of an insight's entities are names at all, and how a name is written in a URL.

Belongs here: pure functions on text. Which pages there are is decided by `archive`.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from typing import Final

_MAX_SLUG: Final = 60
_SENTENCE_START: Final = re.compile(r"(?:^|[.!?:;][”\"')\]]*\s+[“\"'(\[]*|^[“\"'(\[]+)$")


def slug(name: str) -> str:
    """`name` as a path segment: `the-load-curve`. Two names share one only where they differ in case, spaces, hyphens or accents.

    Where other signs are lost (`C++`, 東京) the first of the name's SHA-256 is put behind it. Never empty, at most 66 characters of
    `a-z`, `0-9` and `-`.
    """
    folded = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(sign for sign in folded if not unicodedata.combining(sign))
    spaced = re.sub(r"[\s\-‐-―]+", " ", plain).strip()
    kept = re.sub(r"[^a-z0-9]+", "-", spaced).strip("-")
    short = kept[:_MAX_SLUG].rstrip("-")
    if short.replace("-", " ") == spaced and short:
        return short
    mark = hashlib.sha256(spaced.encode("utf-8", "surrogatepass")).hexdigest()[:5]
    return f"{short}-{mark}" if short else f"n-{mark}"


def stands_as_name(entity: str, texts: Iterable[str]) -> bool:
    """Whether `entity` can be told to be a name: it has several words, a digit or an inner capital, or is capitalised within a sentence.

    A single word that only ever opens a sentence ("Retries alone sustained...") is capitalised for that reason alone.
    """
    if len(entity.split()) > 1 or any(sign.isdigit() or sign.isupper() for sign in entity[1:]):
        return True
    pattern = re.compile(rf"(?<!\w){re.escape(entity)}(?!\w)")
    return any(not _SENTENCE_START.search(text[: match.start()]) for text in texts for match in pattern.finditer(text))
