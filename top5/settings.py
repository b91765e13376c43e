"""Settings: every default in one place, overridden by `top5.toml`, overridden by `TOP5_*` variables.

Belongs here: names, types, defaults and bounds of settings. Secrets come from the environment or from files, never from run config.
`TOP5_SCAN__TIMEOUT=20` sets `timeout` of `[scan]`; `top5.toml` in the project lists every key with its meaning.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from datetime import date, time
from pathlib import Path
from typing import Any, Literal, cast, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource, SettingsConfigDict

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
    glossary_file: Path | None = None
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
    max_output_tokens: int = Field(default=8000, gt=0)
    usd_per_million_input_tokens: float = Field(default=0.25, ge=0)
    usd_per_million_output_tokens: float = Field(default=2.0, ge=0)


class DigestSettings(_Section):
    """What the reader gets."""

    title: str = "The day's five"
    size: int = Field(default=5, ge=1, le=10)
    late_days: int = Field(default=3, ge=0)


class TopicSettings(_Section):
    """A topic that the reader wants more (or less) of: `words` are looked for in headline, body and names; by default its name."""

    weight: float = Field(default=2.0, ge=0, le=10)
    words: tuple[str, ...] = ()


RANKING_WEIGHTS = (
    "salience", "specificity", "evidence", "novelty", "corroboration", "freshness", "feed", "topics",
)  # fmt: skip
"""Names of the components of a score; each has a variable `weight_<name>` in dbt_project/dbt_project.yml."""


class RankingSettings(_Section):
    """What counts in the choice of the day's five; what is not set here has the value of dbt_project/dbt_project.yml.

    `weights` by component, `feeds` by title or URL (1.0 is neutral), `topics` by name, as a weight or as a table with words.
    """

    weights: dict[str, float] = {}
    feeds: dict[str, float] = {}
    topics: dict[str, TopicSettings] = {}

    @field_validator("weights")
    @classmethod
    def _known_components(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if name not in RANKING_WEIGHTS:
                raise ValueError(f"{name!r} is no component of the score{_nearest(name, list(RANKING_WEIGHTS))}")
            if not 0 <= weight <= 100:
                raise ValueError(f"the weight of {name!r} is {weight}; give a number from 0 to 100")
        if set(value) == set(RANKING_WEIGHTS) and not any(value.values()):
            raise ValueError("all weights are 0, so nothing decides; give at least one of them more")
        return value

    @field_validator("feeds")
    @classmethod
    def _feed_weights(cls, value: dict[str, float]) -> dict[str, float]:
        for name, weight in value.items():
            if not name.strip() or not 0 <= weight <= 10:
                raise ValueError(f"the weight of the feed {name!r} is {weight}; give a title or URL and a number from 0 to 10")
        return value

    @field_validator("topics", mode="before")
    @classmethod
    def _bare_weights(cls, value: Any) -> Any:
        if not isinstance(value, Mapping):
            return value
        given = cast("Mapping[str, Any]", value)
        return {name: {"weight": topic} if isinstance(topic, int | float) else topic for name, topic in given.items()}


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
    connections: int = Field(default=8, ge=1, le=64)
    per_minute: int = Field(default=0, ge=0)
    domain_per_minute: int = Field(default=0, ge=0)
    attempts: int = Field(default=8, ge=1, le=50)
    patience: float = Field(default=45.0, ge=0)
    unknown: Literal["keep", "resend"] = "keep"
    approval: bool = False
    channels: tuple[SecretStr, ...] = ()
    bounce_address: str | None = None
    bounce_maildir: Path | None = None
    bounce_imap_host: str | None = None
    bounce_imap_port: int = Field(default=993, gt=0, lt=65536)
    bounce_imap_user: str | None = None
    bounce_imap_password: SecretStr | None = None
    bounce_imap_folder: str = "INBOX"
    bounce_webhook_secret: SecretStr | None = None
    dkim_selector: str | None = None
    dkim_domain: str | None = None
    dkim_key: Path | None = None


class SubscriberSettings(_Section):
    """Sign-up and the signed links in mails."""

    sign_up: bool = True
    secret_keys: SecretStr = SecretStr("")
    confirm_days: float = Field(default=3.0, gt=0)
    manage_days: float = Field(default=60.0, gt=0)
    per_address_per_day: int = Field(default=3, ge=1)
    per_network_per_hour: int = Field(default=20, ge=1)


class SiteSettings(_Section):
    """The web site that `top5 serve` gives. `url` is where the public finds it; without it mails carry no link to it.

    Limits are per network: IPv4 /24, IPv6 /56.
    """

    url: str | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8300, gt=0, lt=65536)
    description: str = "The five insights of the day from podcasts, each with its proof."
    contact: str = ""
    audio: Literal["auto", "all", "none"] = "auto"
    trusted_proxies: tuple[str, ...] = ("127.0.0.1",)
    posts_per_minute: int = Field(default=20, gt=0)
    searches_per_minute: int = Field(default=300, gt=0)

    @field_validator("url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if not value:
            return None
        if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~/-]*)?", value):
            raise ValueError(f"{value!r} is no web address; write it as https://top5.example.com")
        return value.rstrip("/")


class ScheduleSettings(_Section):
    """When it happens, in `timezone`."""

    digest_hour: int = Field(default=6, ge=0, le=23)
    digest_minute: int = Field(default=0, ge=0, le=59)
    catch_up_days: int = Field(default=7, ge=1, le=60)


class QualitySettings(_Section):
    """When a day's rows are unlike those of the days before, and what follows."""

    history_days: int = Field(default=28, ge=7, le=366)
    min_history_days: int = Field(default=10, ge=5)
    drift: Literal["warn", "block"] = "warn"


class AlertSettings(_Section):
    """Who is told when something is wrong, and when it is wrong."""

    mail: bool = True
    mail_to: tuple[str, ...] = ()
    urls: tuple[SecretStr, ...] = ()
    ui_url: str = ""
    ping_url: SecretStr | None = None
    quiet_from: time = time(22)
    quiet_until: time = time(6)
    remind_days: int = Field(default=7, ge=1)
    digest_within_minutes: int = Field(default=120, gt=0, le=1200)
    short_digest: int = Field(default=3, ge=0, le=10)
    feed_failing_days: float = Field(default=3.0, gt=0)
    feed_silent_factor: float = Field(default=3.0, ge=1)
    failed_delivery_share: float = Field(default=0.1, ge=0, le=1)
    low_disk_gb: float = Field(default=2.0, ge=0)
    run_hours: float = Field(default=6.0, gt=0)


class RetentionSettings(_Section):
    """How many days files are kept that nothing cites: `top5 prune`. Days, digests and what they cite stay."""

    scans_days: int = Field(default=180, ge=1)
    blobs_days: int = Field(default=730, ge=30)
    partial_days: int = Field(default=7, ge=1)
    logs_days: int = Field(default=30, ge=1)
    runs_days: int = Field(default=90, ge=7)


class ObserveSettings(_Section):
    """Logs, traces and metrics; all off by default. Traces and metrics need the extra `observe`."""

    log: Literal["off", "text", "json"] = "off"
    log_file: Path | None = None
    traces_url: str = ""
    metrics_folder: Path | None = None


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
    ranking: RankingSettings = RankingSettings()
    delivery: DeliverySettings = DeliverySettings()
    subscribers: SubscriberSettings = SubscriberSettings()
    site: SiteSettings = SiteSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    quality: QualitySettings = QualitySettings()
    alerts: AlertSettings = AlertSettings()
    retention: RetentionSettings = RetentionSettings()
    observe: ObserveSettings = ObserveSettings()

    @field_validator("timezone")
    @classmethod
    def _known_timezone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            near = difflib.get_close_matches(value, available_timezones(), n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ValueError(f"{value!r} is no IANA time zone{hint}") from error
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
        if isinstance(env_settings, EnvSettingsSource):
            env_settings.env_vars = _with_secret_files(env_settings.env_vars)
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
    key = os.environ.get("OPENAI_API_KEY") or _secret_of("OPENAI_API_KEY_FILE", os.environ.get("OPENAI_API_KEY_FILE"))
    try:
        settings = Settings(**values)
    except ValidationError as error:
        raise PermanentError("bad_settings", _explain(error, path)) from error
    if key and settings.openai.api_key is None:
        openai = settings.openai.model_copy(update={"api_key": SecretStr(key)})
        settings = settings.model_copy(update={"openai": openai})
    return settings


# Read by other modules than this one, so not settings of this class.
_OTHER_VARIABLES = {"TOP5_CONFIG", "TOP5_CORPUS", "TOP5_LAKE", "TOP5_TEST_POSTGRES", "TOP5_WAREHOUSE"}


def _with_secret_files(environment: Mapping[str, str | None]) -> dict[str, str | None]:
    """The environment with TOP5_<SECRET>_FILE, as containers hand secrets over, replaced by what is in the file."""
    values = dict(environment)
    for variable, path in environment.items():
        secret = variable.lower().removesuffix("_file")
        if secret != variable.lower() and secret in _secret_variables():
            del values[variable]
            values.setdefault(secret, _secret_of(variable.upper(), path))
    return values


def _secret_of(variable: str, path: str | None) -> str | None:
    if not path:
        return None
    try:
        return Path(path).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise PermanentError(
            "bad_settings", f"{variable} names {path}, which cannot be read; fix the path or its permissions."
        ) from error


def _secret_variables() -> set[str]:
    """Names of the variables that hold secrets, in lower case."""

    def secret(annotation: object) -> bool:
        return annotation is SecretStr or SecretStr in get_args(annotation)

    found = {f"top5_{name}" for name, field in Settings.model_fields.items() if secret(field.annotation)}
    for section, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            names = field.annotation.model_fields.items()
            found |= {f"top5_{section}__{name}" for name, inner in names if secret(inner.annotation)}
    return found


def _refuse_unknown_environment() -> None:
    for variable in sorted(os.environ):
        if not variable.startswith("TOP5_") or variable in _OTHER_VARIABLES:
            continue
        if variable.lower().removesuffix("_file") in _secret_variables():
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
