"""Search: full text by SQLite FTS5, and meaning by the vectors that the insights already have.

Belongs here: reading a query, asking both, and putting their answers in one order. The index is made by `index`, pages by `pages`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from markupsafe import Markup, escape

from top5.insights.embed import Vectors
from top5.site.archive import PER_PAGE, Archive, ArchivedInsight
from top5.site.nearness import Nearness

MAX_QUERY: Final = 200
"""Characters of a query that are read."""
_MAX_TERMS: Final = 12
_DEEP: Final = 200
_NEAR: Final = 30
_OPEN, _CLOSE = "\x02", "\x03"
_TERM: Final = re.compile(r'"([^"]+)"?|([^\s"]+)')
_WORD: Final = re.compile(r"\w+")
# bm25 weights of the columns of `words`: headline, body, quotes, show, episode, people.
_RANK: Final = "bm25(4.0, 2.0, 1.0, 1.5, 1.5, 2.5)"


class QueryEmbedder(Protocol):
    """What turns a query into a unit vector; `name` says which of the stored vectors it may be compared with."""

    @property
    def name(self) -> str:
        """Names the model, as the index does."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row per text."""
        ...


@dataclass(frozen=True)
class Hit:
    """One insight found. `headline` and `body` are HTML with the words found in `<mark>`; `by_meaning` where no word was found."""

    insight: ArchivedInsight
    headline: Markup
    body: Markup
    by_meaning: bool


@dataclass(frozen=True)
class Found:
    """One page of a search. `total` counts what was found, at most some hundred; `loosened` where not all words stood together anywhere."""

    query: str
    hits: tuple[Hit, ...]
    total: int
    page: int
    loosened: bool
    with_meaning: bool

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PER_PAGE))


def search(archive: Archive, query: str, *, page: int = 1, embedder: QueryEmbedder | None = None) -> Found:
    """Insights for `query`, best first: words and "phrases", all of which must be there, the last of them as a beginning.

    The two orders, by words (BM25) and by meaning (cosine), are joined by reciprocal rank fusion (Cormack, Clarke and Buettcher 2009,
    k = 60). Meaning is asked where words alone do not fill a page; without `embedder`, or where no stored vector is of its model, words
    decide alone. No query can fail.
    """
    text = " ".join(query.replace(_OPEN, " ").replace(_CLOSE, " ").split())[:MAX_QUERY]
    terms = _terms(text)
    if not terms:
        return Found(text, (), 0, 1, False, False)
    loosened = False
    by_words = _by_words(archive, expression := " ".join(terms))
    if not by_words and len(terms) > 1:
        by_words = _by_words(archive, expression := " OR ".join(terms))
        loosened = bool(by_words)
    # A page full of insights that have every word needs no others; while somebody types this saves most of the work.
    enough = len(by_words) >= PER_PAGE and not loosened
    near = archive.nearness().get(embedder.name) if embedder else None
    by_meaning = _by_meaning(near, text, embedder) if near and embedder and not enough else []
    scores: dict[int, float] = {}
    for order in (by_words, by_meaning):
        for position, number in enumerate(order):
            scores[number] = scores.get(number, 0.0) + 1.0 / (60 + position)
    ranked = sorted(scores, key=lambda number: (-scores[number], -number))
    pages = max(1, -(-len(ranked) // PER_PAGE))
    page = min(max(page, 1), pages)
    shown = ranked[(page - 1) * PER_PAGE : page * PER_PAGE]
    return Found(text, _hits(archive, shown, expression, set(by_words)), len(ranked), page, loosened, near is not None)


def _terms(text: str) -> list[str]:
    """The query as FTS5 strings, each quoted: nothing in it is an operator."""
    terms: list[str] = []
    for match in _TERM.finditer(text):
        words = _WORD.findall(match[1] or match[2])
        if match[1]:
            terms.append(f'"{" ".join(words)}"' if words else "")
        else:
            terms += [f'"{word}"' for word in words]
    terms = [term for term in terms if term][:_MAX_TERMS]
    # While somebody types, the last word is the beginning of one.
    if terms and not text.endswith('"') and len(terms[-1]) > 3:
        terms[-1] += " *"
    return terms


def _by_words(archive: Archive, expression: str) -> list[int]:
    # By the hidden column `rank` the engine sorts for itself, twice as fast as by a function.
    sql = f"select rowid from words where words match ? and rank match '{_RANK}' order by rank limit ?"  # noqa: S608
    return [row[0] for row in archive.rows(sql, expression, _DEEP)]


def _by_meaning(near: Nearness, text: str, embedder: QueryEmbedder) -> list[int]:
    return [item.id for item in near.to(_embedded(embedder, text.casefold()), _NEAR)]


@lru_cache(maxsize=2048)
def _embedded(embedder: QueryEmbedder, text: str) -> Vectors:
    return embedder.embed([text])[0]


def _hits(archive: Archive, numbers: Sequence[int], expression: str, worded: set[int]) -> tuple[Hit, ...]:
    insights = archive.insights_by_id(numbers)
    marks = ", ".join("?" * len(numbers))
    marked = {
        row[0]: (row[1], row[2])
        for row in archive.rows(
            f"select rowid, highlight(words, 0, '{_OPEN}', '{_CLOSE}'), highlight(words, 1, '{_OPEN}', '{_CLOSE}') "  # noqa: S608
            f"from words where words match ? and rowid in ({marks})",
            expression,
            *numbers,
        )
    }
    hits: list[Hit] = []
    for number in numbers:
        insight = insights.get(number)
        if insight is not None:
            headline, body = marked.get(number, (insight.headline, insight.body))
            hits.append(Hit(insight, _marked(headline), _marked(body), number not in worded))
    return tuple(hits)


def _marked(text: str) -> Markup:
    return Markup(str(escape(text)).replace(_OPEN, "<mark>").replace(_CLOSE, "</mark>"))  # noqa: S704
