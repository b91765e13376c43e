"""What works on this machine, what is missing or broken, and what to do about it.

Belongs here: looking, never changing anything. What is mended, and how, is in `top5.operate.repair`.
"""

import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from top5.catalog.store import Catalog
from top5.errors import Top5Error
from top5.operate.repair import Damage, find_damage
from top5.settings import Settings
from top5.weights import ModelFiles, find_embedding_model, find_speech_model, verify

LOW_DISK_BYTES = 2_000_000_000
ORIGINS = {"settings": "the path in the settings", "hub": "the model hub's cache", "package": "the package index's copy"}


class Finding(BaseModel):
    """One thing looked at. `problem` must be mended, `note` is a choice or a limit."""

    model_config = ConfigDict(frozen=True)

    subject: str
    level: Literal["ok", "note", "problem"]
    message: str


DamageSearch = Callable[[Settings, datetime], Iterable[Damage]]


def broken(settings: Settings, now: datetime, *, fix: bool = False, also: Iterable[DamageSearch] = ()) -> list[Finding]:
    """What a crash, a full disk or a bad sector has left behind, mended first where `fix` says so and it can be.

    `also` looks at stores of which only the caller knows.
    """
    findings: list[Finding] = []
    for damage in [damage for search in (find_damage, *also) for damage in search(settings, now)]:
        if fix and damage.mend is not None:
            try:
                findings.append(Finding(subject=damage.subject, level="note", message=f"Mended: {damage.mend()}"))
            except Top5Error as error:
                findings.append(Finding(subject=damage.subject, level="problem", message=error.message))
        else:
            hint = " `top5 doctor --fix` mends it." if damage.mend else ""
            findings.append(Finding(subject=damage.subject, level="problem", message=damage.message + hint))
    return findings


def examine(settings: Settings) -> list[Finding]:
    """Look at everything a run needs, in the order in which it needs it."""
    looks: list[Callable[[Settings], Finding]] = [_python, _home, _catalog, _embeddings, _speech, _engine, _delivery]
    return [look(settings) for look in looks]


def _python(_settings: Settings) -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Finding(
        subject="Python",
        level="ok" if good else "problem",
        message=version if good else f"{version}; use Python 3.11, 3.12 or 3.13.",
    )


def _home(settings: Settings) -> Finding:
    home = settings.home.resolve()
    existing = next(path for path in (home, *home.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < LOW_DISK_BYTES:
        return Finding(
            subject="Disk", level="problem", message=f"{free / 1e9:.1f} GB free at {home}; make room for at least 2 GB."
        )
    return Finding(subject="Disk", level="ok", message=f"{free / 1e9:.0f} GB free at {home}.")


def _catalog(settings: Settings) -> Finding:
    if settings.catalog_url is None and not (settings.home / "catalog.db").exists():
        return Finding(subject="Catalog", level="note", message="empty; the first `top5 scan` or `make demo` makes it.")
    try:
        # Opening it brings its schema up to date.
        catalog = Catalog.of(settings)
    except Top5Error as error:
        return Finding(subject="Catalog", level="problem", message=error.message)
    damage = catalog.damage()
    feeds = [] if damage else catalog.feeds()
    catalog.close()
    if damage:
        message = f"damaged ({damage}); `top5 restore` brings a backup back."
        return Finding(subject="Catalog", level="problem", message=message)
    failing = [feed for feed in feeds if feed.failures]
    level = "note" if failing else "ok"
    return Finding(subject="Catalog", level=level, message=f"{len(feeds)} feeds followed, {len(failing)} of them failing.")


def _embeddings(settings: Settings) -> Finding:
    try:
        files = find_embedding_model(settings.insights.embedding_model_path)
    except Top5Error as error:
        return Finding(subject="Embedding model", level="problem", message=error.message)
    if files is None:
        message = "none; likeness is judged by words. Install the extra `models` for better choices."
        return Finding(subject="Embedding model", level="note", message=message)
    return _model("Embedding model", files)


def _speech(settings: Settings) -> Finding:
    wanted = settings.transcripts
    if wanted.speech == "off":
        return Finding(
            subject="Speech model", level="note", message="speech to text is off; only published transcripts are read."
        )
    try:
        cache: Path = settings.home.resolve() / "models"
        files = find_speech_model(wanted.model, path=wanted.model_path, cache_dir=cache, allow_download=False)
    except Top5Error as error:
        return Finding(subject="Speech model", level="note", message=error.message)
    finding = _model("Speech model", files)
    if files.name != wanted.model:
        return finding.model_copy(update={"message": f"{finding.message} `{wanted.model}` is wanted and not here."})
    return finding


def _model(subject: str, files: ModelFiles) -> Finding:
    where = f"{files.name}, from {ORIGINS[files.origin]} ({files.path})"
    if files.official is None:
        return Finding(subject=subject, level="note", message=f"{where}; not a file whose hash is known here.")
    if verify(files):
        return Finding(subject=subject, level="ok", message=f"{where}; SHA-256 is the official one.")
    return Finding(
        subject=subject, level="problem", message=f"{where}; SHA-256 is NOT the official one: delete it and install again."
    )


def _engine(settings: Settings) -> Finding:
    wanted, openai = settings.insights.engine, settings.openai
    has_key = openai.api_key is not None or openai.base_url is not None
    if wanted == "openai" and not has_key:
        return Finding(
            subject="Insight engine",
            level="problem",
            message="openai is set but there is no key; set OPENAI_API_KEY or base_url.",
        )
    if wanted == "local" or not has_key:
        return Finding(subject="Insight engine", level="ok", message="embedded (no key needed).")
    return Finding(subject="Insight engine", level="ok", message=f"OpenAI API, model {openai.model}.")


def _delivery(settings: Settings) -> Finding:
    delivery = settings.delivery
    people = f"{len(delivery.recipients)} recipient{'s' if len(delivery.recipients) != 1 else ''}"
    if delivery.smtp_host is None:
        return Finding(
            subject="Delivery", level="note", message=f"{people}; no smtp_host, so mails go to {settings.home / 'outbox'}."
        )
    return Finding(subject="Delivery", level="ok", message=f"{people} by {delivery.smtp_host}:{delivery.smtp_port}.")
