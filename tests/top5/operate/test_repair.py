import os
from datetime import timedelta

import pytest

from tests.top5.operate.conftest import DAYS, NOW, WORDS, Home
from top5.doctor import broken
from top5.errors import PermanentError
from top5.lake import content_key
from top5.operate.repair import find_damage
from top5.warehouse import read_days


def mend_all(home: Home) -> list[str]:
    return [damage.mend() for damage in find_damage(home.settings, NOW) if damage.mend]


def test_a_sound_home_has_no_damage(home: Home):
    assert find_damage(home.settings, NOW) == []


@pytest.mark.parametrize("data", [b"", b"PAR1 but not really", b"PAR1" + bytes(500)])
def test_a_broken_table_is_moved_away_and_its_day_can_be_built_again(home: Home, data: bytes):
    path = home.lake.table_path("insights", DAYS[0])
    path.write_bytes(data)
    (damage,) = find_damage(home.settings, NOW)
    assert str(path) in damage.message
    (told,) = mend_all(home)
    assert f"materialize insights of {DAYS[0]} again" in told
    with pytest.raises(PermanentError, match="not built yet"):
        home.lake.read_table("insights", DAYS[0])
    assert (home.settings.lake_path / "quarantine" / "lake" / "insights" / path.name).read_bytes() == data
    assert find_damage(home.settings, NOW) == []


def test_a_table_with_a_flipped_bit_in_its_rows_is_found(home: Home):
    path = home.lake.table_path("episodes", DAYS[0])
    data = bytearray(path.read_bytes())
    data[40:60] = bytes(20)
    path.write_bytes(data)
    assert [damage.subject for damage in find_damage(home.settings, NOW)] == ["Lake"]


def test_kept_words_that_changed_are_moved_away_and_made_again(home: Home):
    path = home.lake.blob_path("transcripts", content_key(WORDS))
    path.write_bytes(WORDS[:-3])
    mend_all(home)
    assert home.lake.get("transcripts", content_key(WORDS)) is None


def test_half_written_files_go_when_nobody_can_be_writing_them_any_more(home: Home):
    fresh, old = home.path / "digests" / ".a.tmp", home.path / "lake" / "episodes" / ".b.tmp"
    for path, age in ((fresh, timedelta(minutes=5)), (old, timedelta(hours=3))):
        path.write_bytes(b"half")
        os.utime(path, ((NOW - age).timestamp(),) * 2)
    assert mend_all(home) == ["1 half-written files were deleted."]
    assert fresh.exists()
    assert not old.exists()


@pytest.mark.parametrize("data", [None, b"", b"no database" * 1000])
def test_an_unreadable_warehouse_is_found(home: Home, data: bytes | None):
    home.settings.warehouse_path.unlink()
    if data is not None:
        home.settings.warehouse_path.write_bytes(data)
    assert [damage.subject for damage in find_damage(home.settings, NOW)] == ["Warehouse"]


@pytest.mark.slow
def test_an_unreadable_warehouse_is_built_again_with_the_same_digests(home: Home):
    digests = home.freeze()
    home.settings.warehouse_path.write_bytes(b"no database" * 1000)
    (told,) = mend_all(home)
    assert told.startswith("The warehouse was built again from 2 days")
    assert read_days(home.settings.warehouse_path) == DAYS[::-1]
    assert home.freeze() == digests


def test_doctor_finds_without_fix_and_mends_with_it(home: Home):
    home.lake.table_path("insights", DAYS[1]).write_bytes(b"broken")
    (found,) = broken(home.settings, NOW)
    assert (found.level, "top5 doctor --fix" in found.message) == ("problem", True)
    assert home.lake.table_path("insights", DAYS[1]).exists()
    (mended,) = broken(home.settings, NOW, fix=True)
    assert mended.message.startswith("Mended: ")
    assert broken(home.settings, NOW) == []
