"""The site's index: one SQLite file under the home, derived from frozen digests and the lake, thrown away at will.

Belongs here: its tables, and bringing it up to date. A day is read again only where its digest, the revision that went out or what
the lake knows of it changed. Any number of processes may do so at once: each works in one write transaction, and who comes second
finds nothing left to do. Questions to the index are `archive` and `search`.
"""

import hashlib
import json
import re
import sqlite3
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
from pydantic import ValidationError

from top5.catalog.publication import is_private
from top5.digests.compose import harmless, visible_text, web_link
from top5.digests.model import ClaimRef, Digest, DigestInsight
from top5.digests.render import DigestView, InsightView, digest_view
from top5.errors import PermanentError, TransientError
from top5.insights.embed import HashedEmbedder
from top5.site.names import slug, stands_as_name
from top5.tables import table_path

_TABLES: Final = """
create table state (only integer primary key check (only = 1), version integer not null);
insert into state values (1, 0);
create table days (
    day text primary key, signature text not null, revision integer not null, insights integer not null, headline text not null,
    shows text not null, digest text not null, view text not null
) without rowid;
create table insights (
    id integer primary key, insight_id text not null, day text not null, rank integer not null, headline text not null,
    body text not null, show text not null, show_slug text not null, show_url text, episode text not null, speaker text,
    speaker_slug text, seconds real, ends real, audio_url text, published text, late integer not null, words text not null,
    unique (day, insight_id)
);
create index insights_by_insight_id on insights (insight_id);
create index insights_by_show on insights (show_slug, day desc, rank);
create table vectors (id integer primary key, model text not null, vector blob not null);
create table names (
    id integer not null, slug text not null, name text not null, person integer not null, certain integer not null, day text not null,
    primary key (id, slug)
) without rowid;
create index names_by_slug on names (slug, day desc, id, name, person, certain);
create virtual table words using fts5 (
    headline, body, quotes, show, episode, people, tokenize = 'porter unicode61 remove_diacritics 2', prefix = '2 3'
);
create table quality (day text primary key, facts text not null) without rowid;
create table quality_read (only integer primary key check (only = 1), signature text not null);
"""

_VERSION: Final = zlib.crc32(_TABLES.encode()) & 0x7FFFFFFF
"""Changes with the tables: an index of another version is made anew."""

_DIGEST_FILE: Final = re.compile(r"(\d{4}-\d{2}-\d{2})\.r(\d{3,})\.json")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")

OnDay = Callable[[int, int], None]


@dataclass(frozen=True)
class Publication:
    """What may be shown.

    A day is shown in the newest revision that went out, as `revisions_out` tells for those asked about; where nothing went out, in its newest
    one, or with `only_out` not at all. `audio` says whether links to audio and episodes are shown: `auto` leaves out those that may carry a
    subscriber's token, which is to say all that look like it and come by one of `private_feeds` (ids) or by a feed that is not known.
    """

    revisions_out: Callable[[list[date]], Mapping[date, int]]
    private_feeds: frozenset[str] = frozenset()
    only_out: bool = False
    audio: Literal["auto", "all", "none"] = "auto"

    def shows_link(self, url: str | None, feed_id: str | None) -> bool:
        """Whether a link of an episode may be shown."""
        if url is None or self.audio == "none":
            return False
        known_public = feed_id is not None and feed_id not in self.private_feeds
        return self.audio == "all" or known_public or not is_private(url)


@dataclass(frozen=True)
class Synced:
    """What one synchronisation did: days that were read, days that went, and digests that could not be read, one sentence each."""

    read: int
    removed: int
    problems: tuple[str, ...]


def index_path(home: Path) -> Path:
    """Where the index of `home` lies."""
    return home / "site.db"


def connect(path: Path) -> sqlite3.Connection:
    """A connection in autocommit mode that waits up to 60 s for another writer. Raises PermanentError `home` where it cannot be opened."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=60.0, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = normal")
        connection.execute("pragma cache_size = -8000")
    except (sqlite3.OperationalError, OSError) as error:
        raise PermanentError(
            "home", f"{path} cannot be opened ({error}); set TOP5_HOME to a folder that you may write to."
        ) from error
    return connection


def synchronise(home: Path, lake: Path, publication: Publication, *, on_day: OnDay | None = None) -> Synced:
    """Bring the index of `home` up to date with its digests.

    `on_day` is called with how many days were read and how many there are to read.
    Raises TransientError `index_busy` where another process writes for more than a minute.
    """
    path = index_path(home)
    try:
        return _synchronise(path, home, lake, publication, on_day)
    except sqlite3.OperationalError as error:
        raise TransientError("index_busy", f"{path} could not be written ({error}); check the disk, or try again.") from error
    except sqlite3.DatabaseError as error:
        # Derived data: what is broken is made again.
        for file in (path, path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            file.unlink(missing_ok=True)
        try:
            return _synchronise(path, home, lake, publication, on_day)
        except sqlite3.DatabaseError:
            raise PermanentError("broken_index", f"{path} is no database ({error}) and cannot be replaced; delete it.") from error


def _synchronise(path: Path, home: Path, lake: Path, publication: Publication, on_day: OnDay | None) -> Synced:
    connection = connect(path)
    try:
        _prepare(connection)
        wanted = _wanted(home, lake, publication)
        if _known(connection) == {day: item.signature for day, item in wanted.items()}:
            return Synced(0, 0, ())
        connection.execute("begin immediate")
        try:
            synced = _apply(connection, wanted, lake, publication, on_day)
            if synced.read or synced.removed:
                connection.execute("update state set version = version + 1")
            connection.execute("commit")
        except BaseException:
            connection.execute("rollback")
            raise
        return synced
    finally:
        connection.close()


def _prepare(connection: sqlite3.Connection) -> None:
    if connection.execute("pragma user_version").fetchone()[0] == _VERSION:
        return
    connection.execute("begin immediate")
    try:
        if connection.execute("pragma user_version").fetchone()[0] != _VERSION:
            tables = connection.execute(
                "select name from sqlite_master where type = 'table' and name not like 'words_%'"
            ).fetchall()
            for (name,) in tables:
                connection.execute(f'drop table if exists "{name}"')
            for statement in _TABLES.strip().split(";\n"):
                connection.execute(statement)
            connection.execute(f"pragma user_version = {_VERSION}")
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


@cache
def _words_mark() -> str:
    """Changes with the code that puts digests into words: an index made by another release is made again."""
    parts = [(files("top5.digests") / name).read_bytes() for name in ("compose.py", "render.py")]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:8]


@dataclass(frozen=True)
class _Wanted:
    path: Path
    revision: int
    signature: str


def _wanted(home: Path, lake: Path, publication: Publication) -> dict[str, _Wanted]:
    kept = _kept_digests(home, lake)
    only_out = publication.only_out
    doubtful = [date.fromisoformat(day) for day, revisions in kept.items() if only_out or len(revisions) > 1]
    told = publication.revisions_out(doubtful) if doubtful else None
    out = {day.isoformat(): revision for day, revision in told.items()} if told else dict[str, int]()
    shown = f"{_words_mark()} {publication.audio} {sorted(publication.private_feeds)}"
    mark = hashlib.sha256(shown.encode()).hexdigest()[:8]
    wanted: dict[str, _Wanted] = {}
    for day, revisions in kept.items():
        if only_out and day not in out:
            continue
        revision = out.get(day, max(revisions))
        path = revisions.get(revision) or revisions[max(revisions)]
        facts = table_path(lake, "insights", date.fromisoformat(day))
        wanted[day] = _Wanted(path, revision, f"{revision} {_stamp(path)} {_stamp(facts)} {mark}")
    return wanted


def _kept_digests(home: Path, lake: Path) -> dict[str, dict[int, Path]]:
    """Paths by day and revision: the lake keeps every one, the home's folder of a day the newest (revision 0 where the lake is not there)."""
    kept: dict[str, dict[int, Path]] = {}
    if (folder := lake / "digests").is_dir():
        for path in folder.iterdir():
            if (match := _DIGEST_FILE.fullmatch(path.name)) and _is_day(match[1]):
                kept.setdefault(match[1], {})[int(match[2])] = path
    if (folder := home / "digests").is_dir():
        for path in folder.iterdir():
            if path.name not in kept and _is_day(path.name) and (path / "digest.json").is_file():
                kept[path.name] = {0: path / "digest.json"}
    return kept


def _is_day(text: str) -> bool:
    if not _DAY.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _stamp(path: Path) -> str:
    try:
        found = path.stat()
    except FileNotFoundError:
        return "-"
    return f"{found.st_size}:{found.st_mtime_ns}"


def _known(connection: sqlite3.Connection) -> dict[str, str]:
    return dict(connection.execute("select day, signature from days").fetchall())


def _apply(
    connection: sqlite3.Connection, wanted: Mapping[str, _Wanted], lake: Path, publication: Publication, on_day: OnDay | None
) -> Synced:
    known = _known(connection)
    stale = [day for day in sorted(wanted) if known.get(day) != wanted[day].signature]
    gone = sorted(set(known) - set(wanted))
    for day in [*gone, *stale]:
        _forget(connection, day)
    problems: list[str] = []
    for number, day in enumerate(stale, start=1):
        item = wanted[day]
        try:
            digest = harmless(Digest.model_validate_json(item.path.read_bytes()))
        except (ValidationError, OSError) as error:
            first = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error.strerror)
            problems.append(f"{item.path} is no readable digest ({first}); materialize the digest of {day} again.")
            continue
        facts = _lake_facts(lake, digest)
        _remember(connection, _for_everybody(digest, facts, publication), item.signature, facts)
        if on_day is not None:
            on_day(number, len(stale))
    return Synced(len(stale) - len(problems), len(gone), tuple(problems))


def _for_everybody(digest: Digest, facts: Mapping[str, "_Facts"], publication: Publication) -> Digest:
    """`digest` without the links that are not for everybody."""

    def cleaned(insight: DigestInsight) -> DigestInsight:
        feed_id = facts[insight.insight_id].feed_id if insight.insight_id in facts else None
        hidden: dict[str, object] = {
            name: None for name in ("audio_url", "episode_url") if not publication.shows_link(getattr(insight, name), feed_id)
        }
        return insight.model_copy(
            update={**hidden, "memory_links": public(insight.memory_links), "related": public(insight.related)}
        )

    def public(links: tuple[ClaimRef, ...]) -> tuple[ClaimRef, ...]:
        # By which feed these came is not known here.
        return tuple(link if publication.shows_link(link.url, None) else link.model_copy(update={"url": None}) for link in links)

    again = tuple(item.model_copy(update={"also": public(item.also)}) for item in digest.heard_again)
    return digest.model_copy(update={"insights": tuple(cleaned(insight) for insight in digest.insights), "heard_again": again})


def _forget(connection: sqlite3.Connection, day: str) -> None:
    ids = [(row[0],) for row in connection.execute("select id from insights where day = ?", (day,))]
    connection.executemany("delete from words where rowid = ?", ids)
    connection.executemany("delete from names where id = ?", ids)
    connection.executemany("delete from vectors where id = ?", ids)
    connection.execute("delete from insights where day = ?", (day,))
    connection.execute("delete from days where day = ?", (day,))


@dataclass(frozen=True)
class _Facts:
    """What the lake knows of one insight beyond the digest."""

    entities: tuple[str, ...] = ()
    vector_model: str | None = None
    vector: tuple[float, ...] = ()
    feed_id: str | None = None
    show_url: str | None = None
    episode_texts: tuple[str, ...] = ()


def _lake_facts(lake: Path, digest: Digest) -> dict[str, _Facts]:
    """By insight id. A lake that is not there, or a table of an older layout, knows nothing."""
    ids = [insight.insight_id for insight in digest.insights]
    columns = ("insight_id", "episode_id", "entities", "embedding", "embedding_model")
    rows = _lake_rows(lake, "insights", digest.day, columns, "insight_id", ids)
    episodes = sorted({str(row["episode_id"]) for row in rows})
    found = _lake_rows(lake, "episodes", digest.day, ("episode_id", "feed_id", "show_url"), "episode_id", episodes)
    origin = {row["episode_id"]: (row["feed_id"], web_link(row["show_url"])) for row in found}
    texts: dict[str, list[str]] = {}
    for row in _lake_rows(lake, "insights", digest.day, ("episode_id", "body"), "episode_id", episodes):
        texts.setdefault(row["episode_id"], []).append(row["body"])
    return {
        row["insight_id"]: _Facts(
            entities=tuple(name for name in map(visible_text, row["entities"] or ()) if 1 < len(name) <= 100),
            vector_model=row["embedding_model"],
            vector=tuple(row["embedding"] or ()),
            feed_id=origin.get(row["episode_id"], (None, None))[0],
            show_url=origin.get(row["episode_id"], (None, None))[1],
            episode_texts=tuple(texts.get(row["episode_id"], ())),
        )
        for row in rows
    }


def _lake_rows(lake: Path, table: str, day: date, columns: Iterable[str], key: str, values: list[str]) -> list[dict[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = table_path(lake, table, day)
    if not values or not path.is_file():
        return []
    try:
        file: Any = pq.ParquetFile(path)
        rows: Any = file.read(columns=[*columns])
        # Picked by position: the vectors of all candidates as Python lists would take a hundred times as long.
        positions = [position for position, value in enumerate(rows[key].to_pylist()) if value in values]
        return cast("list[dict[str, Any]]", rows.take(positions).to_pylist())
    except (pa.ArrowInvalid, KeyError, OSError):
        return []


_hashed = HashedEmbedder()


def _remember(connection: sqlite3.Connection, digest: Digest, signature: str, facts: Mapping[str, _Facts]) -> None:
    day = digest.day.isoformat()
    shows = list(dict.fromkeys(insight.show for insight in digest.insights))
    first = digest.insights[0].headline if digest.insights else ""
    # Finding the words takes longer than anything else on a page: once is enough.
    view = digest_view(digest)
    connection.execute(
        "insert into days values (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            day,
            signature,
            digest.revision,
            len(digest.insights),
            first,
            json.dumps(shows, ensure_ascii=False),
            digest.model_dump_json(),
            _json(replace(view, insights=())),
        ),
    )
    for insight, words in zip(digest.insights, view.insights, strict=True):
        _remember_insight(connection, day, insight, words, facts.get(insight.insight_id, _Facts()))


def _json(view: DigestView | InsightView) -> str:
    return json.dumps(asdict(view), ensure_ascii=False, separators=(",", ":"))


def _remember_insight(
    connection: sqlite3.Connection, day: str, insight: DigestInsight, words: InsightView, facts: _Facts
) -> None:
    model, vector = facts.vector_model, np.asarray(facts.vector, dtype=np.float32)
    if model is None or not vector.size:
        # Where no model was at hand nearness is told by shared words, as the ranking does.
        model, vector = _hashed.name, _hashed.embed([f"{insight.headline} {insight.body}"])[0]
    columns: dict[str, object] = {
        "insight_id": insight.insight_id,
        "day": day,
        "rank": insight.rank,
        "headline": insight.headline,
        "body": insight.body,
        "show": insight.show,
        "show_slug": slug(insight.show),
        "show_url": facts.show_url,
        "episode": insight.episode_title,
        "speaker": insight.speaker,
        "speaker_slug": slug(insight.speaker) if insight.speaker else None,
        "seconds": insight.start,
        "ends": max((quote.end for quote in insight.quotes if quote.end is not None), default=None),
        "audio_url": insight.audio_url,
        "published": insight.published.isoformat() if insight.published else None,
        "late": insight.late,
        "words": _json(words),
    }
    names, marks = ", ".join(columns), ", ".join("?" * len(columns))
    sql = f"insert into insights ({names}) values ({marks}) returning id"  # noqa: S608
    row = connection.execute(sql, tuple(columns.values())).fetchone()[0]
    connection.execute("insert into vectors values (?, ?, ?)", (row, model, vector.tobytes()))
    people = list(dict.fromkeys(name for name in (insight.speaker, *(quote.speaker for quote in insight.quotes)) if name))
    texts = (insight.body, *(quote.text for quote in insight.quotes), *facts.episode_texts)
    named = {slug(name): (row, slug(name), name, True, True, day) for name in people}
    for name in facts.entities:
        named.setdefault(slug(name), (row, slug(name), name, False, stands_as_name(name, texts), day))
    connection.executemany("insert into names values (?, ?, ?, ?, ?, ?)", named.values())
    quotes = " ".join(quote.text for quote in insight.quotes)
    spoken_of = " ".join([*people, *facts.entities])
    connection.execute(
        "insert into words (rowid, headline, body, quotes, show, episode, people) values (?, ?, ?, ?, ?, ?, ?)",
        (row, insight.headline, insight.body, quotes, insight.show, insight.episode_title, spoken_of),
    )
