"""What the index answers: days, insights, shows, names, and what lies near.

Belongs here: SQL on the index, and the rows it gives. Words for readers and layout are `pages`; ranking of a search is `search`.
"""

import json
import sqlite3
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np

from top5.digests.model import Digest
from top5.digests.render import DigestView, InsightView, Line, Words
from top5.site.index import connect, index_path
from top5.site.nearness import Nearness

PER_PAGE: Final = 20
"""Insights on one page of a list."""


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """One day with a digest. `headline` is the first insight's, empty where there is none."""

    day: date
    revision: int
    insights: int
    headline: str
    shows: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ArchivedInsight:
    """One insight of a shown digest. `seconds` and `ends` are where its first quote begins and ends in the audio."""

    id: int
    insight_id: str
    day: date
    rank: int
    headline: str
    body: str
    show: str
    show_slug: str
    show_url: str | None
    episode: str
    speaker: str | None
    speaker_slug: str | None
    seconds: float | None
    ends: float | None
    audio_url: str | None
    published: datetime | None
    late: bool
    words: InsightView


@dataclass(frozen=True, slots=True)
class ArchivedName:
    """A show, a topic or a person, with how many insights it has and the last day of one."""

    slug: str
    name: str
    insights: int
    last_day: date
    link: str | None = None


@dataclass(frozen=True, slots=True)
class ArchivedMonth:
    """One month that has digests; `month` is `2026-09`."""

    month: str
    days: int


_INSIGHT: Final = """
    insights.id, insight_id, day, rank, headline, body, show, show_slug, show_url, episode, speaker, speaker_slug, seconds, ends,
    audio_url, published, late, words
"""


class Archive:
    """Questions to the index of one home. Usable from several threads; each has a connection of its own."""

    def __init__(self, home: Path) -> None:
        self._path = index_path(home)
        self._local = threading.local()
        self._connections: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._near: tuple[int, dict[str, Nearness]] | None = None

    def close(self) -> None:
        """Close every thread's connection; the archive cannot be used afterwards."""
        with self._lock:
            for connection in self._connections:
                connection.close()
            self._connections.clear()

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        """Rows of one query; for the modules of this package."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = connect(self._path)
            self._local.connection = connection
            with self._lock:
                self._connections.append(connection)
        return connection.execute(sql, values).fetchall()

    def version(self) -> int:
        """Grows with every change of what is shown."""
        return int(self.rows("select version from state")[0][0])

    def counts(self) -> tuple[int, int, int]:
        """How many days, insights and shows there are."""
        row = self.rows("select (select count(*) from days), count(*), count(distinct show_slug) from insights")[0]
        return row[0], row[1], row[2]

    # Days

    def latest(self) -> date | None:
        """The newest day."""
        found = self.rows("select max(day) from days")[0][0]
        return date.fromisoformat(found) if found else None

    def digest(self, day: date) -> tuple[Digest, DigestView] | None:
        """The digest of a day as it is shown, and its words; those of its insights are with the insights."""
        found = self.rows("select digest, view from days where day = ?", day.isoformat())
        if not found:
            return None
        words = _known(DigestView, found[0][1])
        words |= {name: tuple(words[name]) for name in ("insights", "left_out", "notes")}
        words["heard_again"] = tuple(_line(line) for line in words["heard_again"])
        return Digest.model_validate_json(found[0][0]), DigestView(**words)

    def neighbours(self, day: date) -> tuple[date | None, date | None]:
        """The days with a digest before and after."""
        text = day.isoformat()
        row = self.rows(
            "select (select max(day) from days where day < ?), (select min(day) from days where day > ?)", text, text
        )[0]
        before, after = (date.fromisoformat(found) if found else None for found in row)
        return before, after

    def days(self, *, month: str | None = None, limit: int = 10_000) -> list[ArchivedDay]:
        """Days, newest first; of one month where `month` is given (`2026-09`)."""
        rows = self.rows(
            "select day, revision, insights, headline, shows from days where day >= ? and day < ? order by day desc limit ?",
            month or "",
            f"{month}-99" if month else "9",
            limit,
        )
        return [ArchivedDay(date.fromisoformat(row[0]), row[1], row[2], row[3], tuple(json.loads(row[4]))) for row in rows]

    def months(self) -> list[ArchivedMonth]:
        """Months with a digest, newest first."""
        rows = self.rows("select substr(day, 1, 7) as month, count(*) from days group by month order by month desc")
        return [ArchivedMonth(row[0], row[1]) for row in rows]

    # Insights

    def insight(self, insight_id: str) -> ArchivedInsight | None:
        """An insight by its id; where two days told it, as the first of them did."""
        found = self.rows(f"select {_INSIGHT} from insights where insight_id = ? order by day limit 1", insight_id)  # noqa: S608
        return _insight(found[0]) if found else None

    def insights(self, *, day: date | None = None, limit: int = 10_000) -> list[ArchivedInsight]:
        """Insights in the order of a reader: newest day first, then by rank."""
        where, values = ("where day = ?", (day.isoformat(),)) if day else ("", ())
        sql = f"select {_INSIGHT} from insights {where} order by day desc, rank limit ?"  # noqa: S608
        return [_insight(row) for row in self.rows(sql, *values, limit)]

    def insights_by_id(self, ids: Sequence[int]) -> dict[int, ArchivedInsight]:
        """By row of the index."""
        marks = ", ".join("?" * len(ids))
        return {row[0]: _insight(row) for row in self.rows(f"select {_INSIGHT} from insights where id in ({marks})", *ids)}  # noqa: S608

    def related(self, insight: ArchivedInsight, limit: int = 5) -> list[ArchivedInsight]:
        """What lies nearest in meaning, nearest first: of other episodes, whatever the show and the time, and of one episode once."""
        for near in self.nearness().values():
            # More are asked for than are shown: neighbours of the same episode fall away.
            found = near.around(insight.id, limit * 4)
            if found:
                rows = self.insights_by_id([item.id for item in found])
                seen = {(insight.show_slug, insight.episode)}
                chosen: list[ArchivedInsight] = []
                for row in (rows[item.id] for item in found if item.id in rows):
                    if (row.show_slug, row.episode) not in seen and row.insight_id != insight.insight_id:
                        seen.add((row.show_slug, row.episode))
                        chosen.append(row)
                return chosen[:limit]
        return []

    def prepare_related(self, limit: int = 5) -> None:
        """Find what is related to every insight at once, for those who are about to ask for all."""
        for near in self.nearness().values():
            near.prepare(limit * 4)

    def nearness(self) -> dict[str, Nearness]:
        """Vectors by model, read again when the index changed."""
        version = self.version()
        kept = self._near
        if kept is not None and kept[0] == version:
            return kept[1]
        with self._lock:
            kept = self._near
        if kept is not None and kept[0] == version:
            return kept[1]
        by_model: dict[str, tuple[list[int], list[bytes]]] = {}
        for number, model, blob in self.rows("select id, model, vector from vectors order by id"):
            ids, blobs = by_model.setdefault(model, ([], []))
            if not blobs or len(blobs[0]) == len(blob):
                ids.append(number)
                blobs.append(blob)
        near = {
            model: Nearness(model, ids, np.frombuffer(b"".join(blobs), dtype=np.float32).reshape(len(ids), -1))
            for model, (ids, blobs) in by_model.items()
        }
        with self._lock:
            self._near = version, near
        return near

    # Shows, topics, people

    def shows(self) -> list[ArchivedName]:
        """Every show with an insight, by name."""
        rows = self.rows("""
            select show_slug, show, count(*), max(day), max(show_url) from insights group by show_slug order by show collate nocase, show_slug
        """)
        return [_name(row) for row in rows]

    def show(self, slug: str) -> ArchivedName | None:
        """A show by its slug, under its latest name."""
        rows = self.rows(
            "select show_slug, show, count(*), max(day), max(show_url) from insights where show_slug = ? group by show_slug", slug
        )
        return _name(rows[0]) if rows else None

    def insights_of_show(self, slug: str, *, offset: int = 0, limit: int = PER_PAGE) -> list[ArchivedInsight]:
        """A show's insights, newest first."""
        sql = f"select {_INSIGHT} from insights where show_slug = ? order by day desc, rank limit ? offset ?"  # noqa: S608
        return [_insight(row) for row in self.rows(sql, slug, limit, offset)]

    def names(self, *, person: bool, least: int = 1, by_name: bool = False) -> list[ArchivedName]:
        """People who speak, or topics: what insights speak of by name. Those with most insights first, or by name."""
        order = "name collate nocase, slug" if by_name else "n desc, last desc, slug"
        rows = self.rows(
            f"""
            select slug, name, count(*) as n, max(day) as last, null from names
            group by slug having max(person) = ? and max(certain) and n >= ? order by {order}
            """,  # noqa: S608
            int(person),
            least,
        )
        return [_name(row) for row in rows]

    def name(self, slug: str) -> tuple[ArchivedName, bool] | None:
        """A topic or a person by slug, and whether it is a person; None where it is no certain name."""
        rows = self.rows(
            """
            select slug, name, count(*), max(day), null, max(person) from names
            where slug = ? group by slug having max(certain)
            """,
            slug,
        )
        return (_name(rows[0]), bool(rows[0][5])) if rows else None

    def insights_of_name(self, slug: str, *, offset: int = 0, limit: int = PER_PAGE) -> list[ArchivedInsight]:
        """What a person says or what is said of a name, newest first."""
        # Ids grow with the rank within a day.
        sql = f"""
            select {_INSIGHT} from (select id from names where slug = ? order by day desc, id limit ? offset ?) join insights using (id)
            order by insights.day desc, insights.id
        """  # noqa: S608
        return [_insight(row) for row in self.rows(sql, slug, limit, offset)]

    def names_of(self, insight: ArchivedInsight) -> list[tuple[ArchivedName, bool]]:
        """The names of an insight that have a page, people first."""
        slugs = [row[0] for row in self.rows("select slug from names where id = ? order by person desc, name", insight.id)]
        return [found for found in map(self.name, slugs) if found is not None]

    # The state of the pipeline

    def quality(self) -> list[dict[str, Any]]:
        """Rows of the mart `daily_quality` as last read, oldest first; empty where it is not known."""
        return [json.loads(row[0]) for row in self.rows("select facts from quality order by day")]


def _known(view: type[DigestView] | type[InsightView], text: str) -> dict[str, Any]:
    """The fields of `view` in JSON; a process of a newer release may have written more."""
    given: dict[str, Any] = json.loads(text)
    return {item.name: given[item.name] for item in fields(view) if item.name in given}


def _line(parts: Sequence[Mapping[str, str | None]]) -> Line:
    return tuple(Words(text=part["text"] or "", href=part["href"]) for part in parts)


def _insight(row: sqlite3.Row) -> ArchivedInsight:
    words = _known(InsightView, row["words"])
    words |= {"memory": _line(words["memory"]), "related": tuple(_line(line) for line in words["related"])}
    published = datetime.fromisoformat(row["published"]) if row["published"] else None
    return ArchivedInsight(
        *(row["id"], row["insight_id"], date.fromisoformat(row["day"]), row["rank"], row["headline"], row["body"], row["show"]),
        *(row["show_slug"], row["show_url"], row["episode"], row["speaker"], row["speaker_slug"], row["seconds"], row["ends"]),
        *(row["audio_url"], published, bool(row["late"]), InsightView(**words)),
    )


def _name(row: sqlite3.Row) -> ArchivedName:
    return ArchivedName(row[0], row[1], row[2], date.fromisoformat(row[3]), row[4])


def by_initial(
    names: Iterable[ArchivedName], key: Callable[[ArchivedName], str] = lambda name: name.name
) -> dict[str, list[ArchivedName]]:
    """Names under their first letter, `#` for everything that begins with none."""
    groups: dict[str, list[ArchivedName]] = {}
    for name in names:
        first = key(name)[:1].upper()
        groups.setdefault(first if first.isalpha() else "#", []).append(name)
    return groups
