"""Logs of the logger `top5`: one line an event, as text or JSON, with the ids of the run, stage, day and episode it belongs to.

Belongs here: the form of a line. Secrets of the settings never get into one: their values are replaced wherever they stand.
"""

import json
import logging
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, SecretStr

from top5.settings import Settings

LOGGER = logging.getLogger("top5")
_ids: ContextVar[dict[str, str]] = ContextVar("ids", default={})  # noqa: B039  (never changed in place)
_FIELDS = "fields"


@contextmanager
def bound(**ids: str) -> Generator[None, None, None]:
    """Every line inside the block carries these ids; threads and tasks started inside it, too, where they copy the context."""
    token = _ids.set({**_ids.get(), **ids})
    try:
        yield
    finally:
        _ids.reset(token)


def event(message: str, /, **fields: object) -> None:
    """Tell one event with its fields."""
    LOGGER.info("%s", message, extra={_FIELDS: {**_ids.get(), **fields}})


def failure(message: str, /, **fields: object) -> None:
    """Tell of something that went wrong."""
    LOGGER.error("%s", message, extra={_FIELDS: {**_ids.get(), **fields}})


def configure(settings: Settings) -> None:
    """Have the logger write as [observe] says. Doing it again changes nothing unless the settings did."""
    wanted = settings.observe
    for handler in LOGGER.handlers[:]:
        LOGGER.removeHandler(handler)
        handler.close()
    if wanted.log == "off":
        LOGGER.setLevel(logging.NOTSET)
        return
    if wanted.log_file is not None:
        wanted.log_file.parent.mkdir(parents=True, exist_ok=True)
    # A file that is reopened when something else has rotated it.
    handler = _file_handler(wanted.log_file) if wanted.log_file else logging.StreamHandler()
    handler.setFormatter(LineFormatter(wanted.log, secrets_of(settings)))
    LOGGER.addHandler(handler)
    LOGGER.setLevel(logging.INFO)
    LOGGER.propagate = False


def _file_handler(path: Path) -> logging.Handler:
    from logging.handlers import WatchedFileHandler

    return WatchedFileHandler(path, encoding="utf-8")


def secrets_of(settings: BaseModel) -> list[str]:
    """The values of all secrets that are set, longest first."""
    found: set[str] = set()

    def collect(value: object) -> None:
        if isinstance(value, SecretStr):
            found.add(value.get_secret_value())
        elif isinstance(value, BaseModel):
            for _, inner in value:
                collect(inner)
        elif isinstance(value, tuple):
            for inner in value:  # pyright: ignore[reportUnknownVariableType]
                collect(inner)  # pyright: ignore[reportUnknownArgumentType]

    collect(settings)
    return sorted((secret for secret in found if secret), key=len, reverse=True)


class LineFormatter(logging.Formatter):
    """`text`: time, level, message and fields as key=value. `json`: one object a line, times in UTC."""

    def __init__(self, form: Literal["text", "json"], secrets: Iterable[str] = ()) -> None:
        super().__init__()
        self._form, self._secrets = form, list(secrets)

    def format(self, record: logging.LogRecord) -> str:
        """One line, whatever is in the message."""
        fields: dict[str, object] = getattr(record, _FIELDS, {})
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        message = record.getMessage()
        if record.exc_info:
            message = f"{message}: {record.exc_info[1]!r}"
        if self._form == "json":
            told = {"time": at, "level": record.levelname.lower(), "logger": record.name, "message": message, **fields}
            line = json.dumps(told, ensure_ascii=False, default=str)
        else:
            pairs = "".join(f" {name}={value}" for name, value in fields.items())
            line = " ".join(f"{at} {record.levelname.lower()} {message}{pairs}".splitlines())
        for secret in self._secrets:
            line = line.replace(secret, "***")
        return line
