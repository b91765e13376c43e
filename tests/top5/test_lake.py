from datetime import date
from pathlib import Path

import pytest

from top5.errors import PermanentError, TransientError
from top5.lake import Lake, content_key, write_atomically
from top5.tables import SCHEMAS

DAY = date(2026, 9, 14)


def test_an_empty_day_is_a_file_with_the_schema(tmp_path: Path):
    lake = Lake(tmp_path)
    for table in SCHEMAS:
        lake.write_table(table, DAY, [])
        assert lake.read_table(table, DAY) == []


def test_a_missing_and_a_broken_table_say_what_to_do(tmp_path: Path):
    lake = Lake(tmp_path)
    with pytest.raises(PermanentError, match="materialize it first"):
        lake.read_table("episodes", DAY)
    lake.write_table("episodes", DAY, [])
    lake.table_path("episodes", DAY).write_bytes(b"PAR1 but not really")
    with pytest.raises(PermanentError, match="delete it and materialize episodes"):
        lake.read_table("episodes", DAY)


def test_blobs_come_back(tmp_path: Path):
    lake = Lake(tmp_path)
    assert lake.get("replies", "ab12") is None
    lake.put("replies", "ab12", b"words")
    assert lake.get("replies", "ab12") == b"words"


def test_keys_tell_lists_of_parts_apart():
    assert content_key("ab", "c") != content_key("a", "bc")
    assert content_key("ab") == content_key(b"ab")


def test_a_write_that_fails_leaves_the_old_file_and_no_litter(tmp_path: Path):
    target = tmp_path / "digest.json"
    write_atomically(target, b"old")
    (tmp_path / "blocked").write_bytes(b"")
    with pytest.raises(TransientError, match="free some space"):
        write_atomically(tmp_path / "blocked" / "file", b"new")
    assert target.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["blocked", "digest.json"]
