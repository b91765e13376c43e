"""Settings: every default in one place, overridden by `top5.toml`, overridden by `TOP5_*` variables.

Belongs here: names, types, defaults and bounds of settings. Secrets come from the environment or from files, never from run config.
`TOP5_SCAN__TIMEOUT=20` sets `timeout` of `[scan]`; `top5.toml` in the project lists every key with its meaning.
"""

import difflib
import os
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from top5.errors import PermanentError


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ScanSettings(_Section):
    """How feeds are polled."""

    user_agent: str = "top5/0.1 (podcast scanner)"
    contact_url: str = ""
    connect_timeout: float = Field(default=10.0, gt=0)
    timeout: float = Field(default=60.0, gt=0)
    max_bytes: int = Field(default=20_000_000, gt=0)
    max_connections: int = Field(default=64, gt=0)
    max_connections_per_host: int = Field(default=2, gt=0)
    max_redirects: int = Field(default=10, ge=0)
    look_back_days: int = Field(default=30, gt=0)
    min_interval: float = Field(default=1800.0, gt=0)
    max_interval: float = Field(default=86_400.0, gt=0)
    max_backoff: float = Field(default=604_800.0, gt=0)
    full_fetch_days: float = Field(default=7.0, gt=0)
    jitter: float = Field(default=0.5, ge=0)
    allow_private: tuple[str, ...] = ()
    connect_to: dict[str, str] = {}

    @field_validator("connect_to")
    @classmethod
    def _addresses(cls, value: dict[str, str]) -> dict[str, str]:
        for name, target in value.items():
            if not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]+):[0-9]{1,5}", target):
                raise ValueError(f"{name!r} leads to {target!r}; write it as address:port, such as 127.0.0.1:8080")
        return value


class DiscoverSettings(_Section):
    """Where new shows are looked for, and how many are followed without asking."""

    topics: tuple[str, ...] = ()
    auto_accept: int = Field(default=0, ge=0)
    candidates: int = Field(default=20, gt=0, le=100)
    country: str = Field(default="us", pattern="^[a-z]{2}$")
    itunes_search_url: str = "https://itunes.apple.com/search"
    itunes_lookup_url: str = "https://itunes.apple.com/lookup"
    podcast_index_url: str = "https://api.podcastindex.org/api/1.0"
    podcast_index_key: str = ""
    podcast_index_secret: SecretStr = SecretStr("")


class TranscriptSettings(_Section):
    """Where words come from."""

    language: str = "en"
    speech: Literal["auto", "local", "openai", "off"] = "auto"
    model: str = "base.en"
    model_path: Path | None = None
    allow_download: bool = True
    beam_size: int = Field(default=5, gt=0)
    batch_size: int = Field(default=8, gt=0)
    max_audio_minutes: float = Field(default=240.0, gt=0)
    max_audio_bytes: int = Field(default=500_000_000, gt=0)
    daily_audio_minutes: float = Field(default=600.0, ge=0)
    daily_budget_usd: float = Field(default=2.0, ge=0)
    usd_per_audio_minute: float = Field(default=0.006, ge=0)
    max_upload_bytes: int = Field(default=25_000_000, ge=100_000)


class InsightSettings(_Section):
    """Which engine reads transcripts, and how much it may give and spend."""

    engine: Literal["auto", "local", "openai"] = "auto"
    per_episode: int = Field(default=12, gt=0)
    embedding_model_path: Path | None = None
    daily_budget_usd: float = Field(default=5.0, ge=0)
    fallback_to_local: bool = True


class OpenAISettings(_Section):
    """The OpenAI API, or any server that speaks it."""

    api_key: SecretStr | None = None
    base_url: str | None = None
    model: str = "gpt-5-mini"
    transcription_model: str = "whisper-1"
    temperature: float | None = None
    timeout: float = Field(default=120.0, gt=0)
    max_retries: int = Field(default=4, ge=0)
    parallel_requests: int = Field(default=4, gt=0)
    chunk_tokens: int = Field(default=6000, gt=200)
    usd_per_million_input_tokens: float = Field(default=0.25, ge=0)
    usd_per_million_output_tokens: float = Field(default=2.0, ge=0)


class DigestSettings(_Section):
    """What the reader gets."""

    title: str = "The day's five"
    size: int = Field(default=5, ge=1, le=10)
    late_days: int = Field(default=3, ge=0)


class DeliverySettings(_Section):
    """Where it goes. Without `smtp_host` each mail is written to the outbox as an .eml file."""

    sender: str = "top5 <top5@localhost>"
    recipients: tuple[str, ...] = ("reader@localhost",)
    smtp_host: str | None = None
    smtp_port: int = Field(default=587, gt=0, lt=65536)
    smtp_security: Literal["starttls", "tls", "none"] = "starttls"
    smtp_user: str | None = None
    smtp_password: SecretStr | None = None
    timeout: float = Field(default=30.0, gt=0)


class ScheduleSettings(_Section):
    """When it happens, in `timezone`."""

    digest_hour: int = Field(default=6, ge=0, le=23)
    digest_minute: int = Field(default=0, ge=0, le=59)


class Settings(BaseSettings):
    """All settings. `home` holds every piece of state; relative paths are taken from the working directory."""

    model_config = SettingsConfigDict(
        env_prefix="TOP5_", env_nested_delimiter="__", extra="forbid", frozen=True, nested_model_default_partial_update=True
    )

    home: Path = Path("data")
    catalog_url: SecretStr | None = None
    feeds_file: Path = Path("feeds.opml")
    timezone: str = "UTC"
    start_date: date = date(2026, 1, 1)
    scan: ScanSettings = ScanSettings()
    discover: DiscoverSettings = DiscoverSettings()
    transcripts: TranscriptSettings = TranscriptSettings()
    insights: InsightSettings = InsightSettings()
    openai: OpenAISettings = OpenAISettings()
    digest: DigestSettings = DigestSettings()
    delivery: DeliverySettings = DeliverySettings()
    schedule: ScheduleSettings = ScheduleSettings()

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        if value not in available_timezones():
            near = difflib.get_close_matches(value, available_timezones(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{value!r} is no IANA time zone{hint}")
        return value

    @property
    def tz(self) -> ZoneInfo:
        """The zone in which days begin and end."""
        return ZoneInfo(self.timezone)

    @property
    def lake_path(self) -> Path:
        """Files: one Parquet file per asset and day, and kept bytes."""
        return self.home / "lake"

    @property
    def warehouse_path(self) -> Path:
        """The DuckDB file that dbt writes."""
        return self.home / "warehouse.duckdb"

    @property
    def dbt_path(self) -> Path:
        """dbt's artifacts and logs."""
        return self.home / "dbt"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file: the file's values arrive as init arguments."""
        return env_settings, init_settings


def load_settings(config: Path | None = None) -> Settings:
    """Settings from `config`, else `$TOP5_CONFIG`, else `top5.toml` in the working directory, else defaults.

    Raises PermanentError with one sentence that names the file, the key and the nearest valid key.
    """
    path = config or (Path(os.environ["TOP5_CONFIG"]) if os.environ.get("TOP5_CONFIG") else None)
    required = path is not None
    path = path or Path("top5.toml")
    values: dict[str, Any] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text("utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise PermanentError("bad_settings", f"{path} is no valid TOML ({error}); fix that line.") from error
    elif required:
        raise PermanentError("bad_settings", f"The settings file {path} does not exist; create it or leave --config away.")
    _refuse_unknown_environment()
    key = os.environ.get("OPENAI_API_KEY")
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise PermanentError("bad_settings", _explain(error, path)) from error
    if key and settings.openai.api_key is None:
        openai = settings.openai.model_copy(update={"api_key": SecretStr(key)})
        settings = settings.model_copy(update={"openai": openai})
    return settings


# Read by other modules than this one, so not settings of this class.
_OTHER_VARIABLES = {"TOP5_CONFIG", "TOP5_CORPUS", "TOP5_LAKE", "TOP5_WAREHOUSE"}


def _refuse_unknown_environment() -> None:
    for variable in sorted(os.environ):
        if not variable.startswith("TOP5_") or variable in _OTHER_VARIABLES:
            continue
        name = variable.removeprefix("TOP5_").lower().split("__")[0]
        if name not in Settings.model_fields:
            raise PermanentError("bad_settings", f"{variable} is no setting{_nearest(name, list(Settings.model_fields))}.")


def _nearest(name: str, valid: list[str]) -> str:
    near = difflib.get_close_matches(name, valid, n=1, cutoff=0.4)
    return f"; the nearest valid key is {near[0]!r}" if near else f"; valid keys are {', '.join(sorted(valid))}"


def _valid_keys(parents: tuple[str, ...]) -> list[str]:
    model: type[BaseModel] = Settings
    for parent in parents:
        annotation = model.model_fields[parent].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _explain(error: ValidationError, path: Path) -> str:
    first = error.errors()[0]
    location = tuple(str(part) for part in first["loc"])
    where = ".".join(location)
    if first["type"] == "extra_forbidden":
        return f"{path}: {where!r} is no setting{_nearest(location[-1], _valid_keys(location[:-1]))}."
    return f"{path} or environment: {where!r} is not usable: {first['msg'].removeprefix('Value error, ')}."


def remember_config(config: Path | None) -> None:
    """Let code that loads settings later in this process, such as a run's resources, find the same file."""
    if config is not None:
        os.environ["TOP5_CONFIG"] = str(config.resolve())
