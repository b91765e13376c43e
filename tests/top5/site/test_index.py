import multiprocessing
import sqlite3
from datetime import date, timedelta
from pathlib import Path

import pytest

from tests.top5.site.conftest import EVERYTHING
from tests.top5.site.samples import FIRST, archive_of, digest, insight, keep, keep_lake
from top5.lake import Lake
from top5.site.archive import Archive
from top5.site.index import Publication, index_path, synchronise


def _sync(home: Path, publication: Publication = EVERYTHING) -> tuple[int, int]:
    done = synchronise(home, home / "lake", publication)
    assert not done.problems
    return done.read, done.removed


def _bodies(home: Path) -> list[str]:
    archive = Archive(home)
    try:
        return [item.body for item in archive.insights()]
    finally:
        archive.close()


def test_only_days_that_changed_are_read_again(tmp_path: Path) -> None:
    archive_of(tmp_path)
    assert _sync(tmp_path) == (5, 0)
    assert _sync(tmp_path) == (0, 0)
    keep(tmp_path, digest(FIRST + timedelta(days=9)))
    assert _sync(tmp_path) == (1, 0)


def test_what_the_lake_learns_later_is_taken_up(tmp_path: Path) -> None:
    made = digest(FIRST)
    keep(tmp_path, made, lake=False)
    _sync(tmp_path)
    archive = Archive(tmp_path)
    assert archive.names(person=False) == []
    keep_lake(Lake(tmp_path / "lake"), made, ("Ferrowatt", "Meridian Cohort"))
    assert _sync(tmp_path) == (1, 0)
    assert [name.name for name in archive.names(person=False)] == ["Meridian Cohort"]
    archive.close()


def test_a_day_that_went_leaves_nothing(tmp_path: Path) -> None:
    archive_of(tmp_path, 2)
    _sync(tmp_path)
    (tmp_path / "lake" / "digests" / f"{FIRST}.r001.json").unlink()
    (tmp_path / "digests" / FIRST.isoformat() / "digest.json").unlink()
    assert _sync(tmp_path) == (0, 1)
    connection = sqlite3.connect(index_path(tmp_path))
    assert connection.execute("select count(*) from words").fetchone() == (5,)
    assert connection.execute("select count(distinct day) from insights").fetchone() == (1,)
    assert connection.execute("select count(*) from names where id not in (select id from insights)").fetchone() == (0,)
    connection.close()


def test_the_revision_that_went_out_is_shown_and_not_a_newer_one(tmp_path: Path) -> None:
    keep(tmp_path, digest(FIRST, [insight(FIRST, 1, body="The first wording stands.")]))
    keep(tmp_path, digest(FIRST, [insight(FIRST, 1, body="The second wording stands.")], revision=2))
    _sync(tmp_path, Publication(lambda days: dict.fromkeys(days, 1)))
    assert _bodies(tmp_path) == ["The first wording stands."]
    _sync(tmp_path, Publication(lambda days: dict.fromkeys(days, 2)))
    assert _bodies(tmp_path) == ["The second wording stands."]


def test_before_an_approval_nothing_is_shown(tmp_path: Path) -> None:
    archive_of(tmp_path, 3)
    asked: list[date] = []

    def out(days: list[date]) -> dict[date, int]:
        asked.extend(days)
        return {FIRST: 1}

    _sync(tmp_path, Publication(out, only_out=True))
    assert len(asked) == 3
    assert len(_bodies(tmp_path)) == 5
    _sync(tmp_path)
    assert len(_bodies(tmp_path)) == 15


def test_a_link_that_may_carry_a_token_is_not_for_everybody(tmp_path: Path) -> None:
    token = "https://cdn.example/a.mp3?token=abcdef0123456789"
    made = digest(FIRST, [insight(FIRST, 1, audio_url=token), insight(FIRST, 2)])
    keep(tmp_path, made)

    def audio(publication: Publication) -> list[str | None]:
        _sync(tmp_path, publication)
        archive = Archive(tmp_path)
        found = [item.audio_url for item in archive.insights()]
        archive.close()
        return found

    assert audio(Publication(lambda days: {}, private_feeds=frozenset({"feed"}))) == [None, made.insights[1].audio_url]
    # Of a public feed a query value is a campaign or a version, not a secret.
    assert audio(Publication(lambda days: {})) == [token, made.insights[1].audio_url]
    assert audio(Publication(lambda days: {}, audio="none")) == [None, None]
    assert audio(Publication(lambda days: {}, private_feeds=frozenset({"feed"}), audio="all")) == [
        token,
        made.insights[1].audio_url,
    ]


def test_a_digest_from_nowhere_shows_no_link_that_looks_like_a_token(tmp_path: Path) -> None:
    keep(tmp_path, digest(FIRST, [insight(FIRST, 1, audio_url="https://cdn.example/a.mp3?token=abcdef0123456789")]), lake=False)
    _sync(tmp_path)
    assert "abcdef0123456789" not in _everything(tmp_path)


def _everything(home: Path) -> str:
    connection = sqlite3.connect(index_path(home))
    text = "\n".join(connection.iterdump())
    connection.close()
    return text


def test_a_broken_index_is_made_anew(tmp_path: Path) -> None:
    archive_of(tmp_path, 2)
    index_path(tmp_path).write_bytes(b"not a database, but long enough to be looked at" * 50)
    assert _sync(tmp_path) == (2, 0)
    assert len(_bodies(tmp_path)) == 10


def test_an_index_of_another_version_is_made_anew(tmp_path: Path) -> None:
    archive_of(tmp_path, 2)
    _sync(tmp_path)
    connection = sqlite3.connect(index_path(tmp_path))
    connection.execute("pragma user_version = 99")
    connection.close()
    assert _sync(tmp_path) == (2, 0)


def test_an_unreadable_digest_is_named_and_does_not_hide_the_others(tmp_path: Path) -> None:
    archive_of(tmp_path, 2)
    (tmp_path / "lake" / "digests" / f"{FIRST}.r001.json").write_text('{"date": "2026-09-14"}')
    done = synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
    assert done.read == 1
    assert str(FIRST) in done.problems[0] and "materialize" in done.problems[0]
    version = Archive(tmp_path).version()
    synchronise(tmp_path, tmp_path / "lake", EVERYTHING)
    assert Archive(tmp_path).version() == version


def _synchronise_in_another_process(home: str) -> None:
    synchronise(Path(home), Path(home) / "lake", EVERYTHING)


@pytest.mark.slow
def test_processes_that_begin_together_make_one_index(tmp_path: Path) -> None:
    archive_of(tmp_path, 4)
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_synchronise_in_another_process, args=(str(tmp_path),)) for _ in range(3)]
    for other in others:
        other.start()
    for other in others:
        other.join(60)
    assert [other.exitcode for other in others] == [0, 0, 0]
    assert len(_bodies(tmp_path)) == 20
    assert _sync(tmp_path) == (0, 0)


def test_without_a_model_nearness_is_told_by_words(tmp_path: Path) -> None:
    for number in range(3):
        keep(tmp_path, digest(FIRST + timedelta(days=number)), vectors=False)
    _sync(tmp_path)
    archive = Archive(tmp_path)
    first = archive.insights()[0]
    related = archive.related(first)
    assert {item.body for item in related} == {first.body}
    assert first.insight_id not in {item.insight_id for item in related}
    archive.prepare_related()
    assert [item.insight_id for item in archive.related(first)] == [item.insight_id for item in related]
    archive.close()
