"""The warehouse: one dbt invocation that decides a day, and readers of what it decided.

Belongs here: running dbt in this process, and typed rows out of its marts. Not here: any rule of ranking (those are SQL and
variables in `dbt_project`), writing the lake (`top5.lake`), or turning dbt's events into those of an orchestrator (`on_event`
hands them over raw).
"""

import json
import logging
import os
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from top5.digests.model import LeftOut
from top5.errors import PermanentError, TransientError
from top5.insights.model import NameChange, Quote
from top5.lake import content_key
from top5.settings import Settings

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg
    from duckdb import DuckDBPyConnection

    OnEvent = Callable[[EventMsg], None]


PROJECT_DIR = Path(__file__).resolve().parent.parent / "dbt_project"


# DuckDB gives zoned timestamps to Python only with pytz at hand: the readers ask for UTC without a zone, and this puts it back.
def _utc(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) and value.tzinfo is None else value


_UtcTime = Annotated[datetime, BeforeValidator(_utc)]


# A column that came later is null in the rows of days before.
def _or_empty(value: object) -> object:
    return () if value is None else value


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class NodeResult(_Frozen):
    """One model or test of an invocation.

    `status` is dbt's word (`success`, `pass`, `warn`); `rows` is how many rows a mart holds, of the day where it is one that is filled
    day by day; None for everything else;
    `failures` is how many rows a test found, None for models.
    """

    unique_id: str
    name: str
    resource_type: str
    status: str
    seconds: float
    rows: int | None = None
    failures: int | None = None
    message: str | None = None


class BuildResult(_Frozen):
    """What one invocation did; `nodes` in the order in which they finished."""

    day: date
    nodes: tuple[NodeResult, ...]
    seconds: float


class ClaimLink(_Frozen):
    """Another claim: who made it, when, and the page where it can be heard."""

    show_title: str
    day: date
    insight_id: str
    headline: str
    episode_url: str | None


class Pick(_Frozen):
    """One row of `daily_top_insights`, whose yml tells each column. Components and scores are 0 to 1."""

    day: date
    rank: int
    insight_id: str
    episode_id: str
    canonical_episode_id: str
    feed_id: str
    show_title: str
    show_url: str | None
    publisher: str
    episode_title: str
    episode_url: str | None
    audio_url: str | None
    published_at: _UtcTime | None
    available_on: date
    is_late: bool
    headline: str
    body: str
    speaker: str | None
    claim_type: str
    entities: tuple[str, ...]
    quotes: tuple[Quote, ...]
    names: tuple[NameChange, ...]
    starts_at_seconds: float | None
    times_may_drift: bool
    topics: tuple[str, ...]
    score: float
    marginal_score: float
    salience: float
    specificity: float
    evidence: float
    novelty: float
    corroboration: float
    freshness: float
    feed_weight: float
    topic_preference: float
    independent_shows: int
    also_in: tuple[ClaimLink, ...]
    disagrees_with: tuple[ClaimLink, ...]
    related: tuple[ClaimLink, ...]
    runners_up: Annotated[tuple[ClaimLink, ...], BeforeValidator(_or_empty)] = ()
    why: str
    memory: str | None
    memory_links: tuple[ClaimLink, ...]
    embedding_model: str | None
    engine: str
    model: str
    prompt_version: str
    transcript_key: str


class Candidate(_Frozen):
    """One row of `fct_insights`: a candidate, its score and its fate."""

    day: date
    insight_id: str
    episode_id: str
    canonical_episode_id: str
    feed_id: str
    show_title: str
    show_url: str | None
    publisher: str
    episode_title: str
    episode_url: str | None
    audio_url: str | None
    published_at: _UtcTime | None
    is_late: bool
    position_in_episode: int
    headline: str
    body: str
    speaker: str | None
    claim_type: str
    entities: tuple[str, ...]
    quotes: tuple[Quote, ...]
    names: tuple[NameChange, ...]
    starts_at_seconds: float | None
    times_may_drift: bool
    words: int
    topics: tuple[str, ...]
    fate: str
    fate_detail: str
    rank: int | None
    score: float
    salience: float
    specificity: float
    evidence: float
    novelty: float
    corroboration: float
    freshness: float
    feed_weight: float
    topic_preference: float
    independent_shows: int
    also_in: tuple[ClaimLink, ...]
    disagrees_with: tuple[ClaimLink, ...]
    nearest_told_on: date | None
    nearest_told_insight_id: str | None
    nearest_told_by: str | None
    nearest_told_headline: str | None
    is_told_by_same_publisher: bool
    duplicate_of: str | None
    nearest_pick_insight_id: str | None
    embedding_model: str | None
    engine: str
    model: str
    prompt_version: str
    transcript_key: str


class LedgerRow(_Frozen):
    """One row of `fct_episode_ledger`: an episode of a day in exactly one state, with its reason."""

    day: date
    episode_id: str
    canonical_episode_id: str
    feed_id: str
    show_title: str
    show_url: str | None
    network: str | None
    publisher: str
    feed_weight: float
    episode_title: str
    episode_url: str | None
    published_at: _UtcTime | None
    available_on: date
    is_late: bool
    state: str
    reason: str
    detail: str | None
    candidates: int
    picks: int


class FateCount(_Frozen):
    """How many candidates met a fate."""

    fate: str
    candidates: int


class DaySummary(_Frozen):
    """One row of `daily_summary`. `cost_usd` is US dollars."""

    day: date
    episodes: int
    shows: int
    episodes_considered: int
    shows_considered: int
    included: int
    considered: int
    rejected: int
    pending: int
    deferred: int
    given_up: int
    candidates: int
    picks: int
    late_picks: int
    left_out: tuple[LeftOut, ...]
    fates: tuple[FateCount, ...]
    cost_usd: float
    candidates_grounded: int
    picks_in_style: int
    feeds: int
    feeds_healthy: int
    episodes_with_words: int
    seconds: float


_QUIET = ("--log-level", "none", "--log-level-file", "info", "--no-send-anonymous-usage-stats")

# dbt keeps its flags, its event manager and its connections in globals of the process.
_ONE_AT_A_TIME = threading.Lock()
_ParseKey = tuple[Path, Path, Path, int, tuple[str, ...]]
_last_parsed: "tuple[_ParseKey, Manifest] | None" = None


def build(
    day: date,
    *,
    project_dir: Path,
    lake: Path,
    warehouse: Path,
    target_path: Path,
    variables: Mapping[str, object] | None = None,
    on_event: "OnEvent | None" = None,
) -> BuildResult:
    """Decide `day` with one `dbt build`, unit tests left out, and say what each model and test did.

    `lake` is the folder of tables (`top5.tables`), where all four files of the day must be. `warehouse` is the DuckDB
    file, created where missing. dbt's artifacts and logs go to `target_path`. `variables` override those of
    `dbt_project.yml`, `digest_size` say. The parsed project is kept for the next call. `on_event` is called with every
    raw event of dbt, in order.

    Raises PermanentError `lake_incomplete`, `bad_path` or `dbt_failed` (which names the first model or test that failed), and
    TransientError `warehouse_busy` where another process holds the file.
    """
    started = time.perf_counter()
    project_dir, lake, warehouse, target_path = (path.resolve() for path in (project_dir, lake, warehouse, target_path))
    _check_inputs(day, project_dir, lake)
    warehouse.parent.mkdir(parents=True, exist_ok=True)
    target_path.mkdir(parents=True, exist_ok=True)
    common = _places(project_dir, target_path)
    with _ONE_AT_A_TIME, _environment(TOP5_LAKE=str(lake), TOP5_WAREHOUSE=str(warehouse)):
        manifest = _parse(project_dir, lake, warehouse, [*_QUIET, "parse", *common])
        chosen = json.dumps({**(variables or {}), "day": day.isoformat()})
        # Parsing wrote manifest.json already; writing it again with every build is a tenth of the time.
        arguments = [*_QUIET, "--no-write-json", "build", *common, "--exclude-resource-type", "unit_test", "--vars", chosen]
        outcome = run_dbt(arguments, manifest, on_event)
    nodes = _node_results(outcome)
    _raise_on_failure(day, outcome, nodes, target_path, warehouse)
    return BuildResult(day=day, nodes=_with_rows(nodes, warehouse, day), seconds=time.perf_counter() - started)


def ranking_variables(settings: Settings) -> dict[str, object]:
    """The variables of dbt_project.yml that settings decide: size, weights, feeds and topics.

    A feed may be named by its URL, of which the warehouse only knows the id.
    """
    ranking = settings.ranking
    feeds = {
        content_key("feed", name.strip())[:16] if "://" in name else name.strip().casefold(): weight
        for name, weight in ranking.feeds.items()
    }
    topics = [
        {"name": name, "weight": topic.weight, "words": list(topic.words or (name,))} for name, topic in ranking.topics.items()
    ]
    weights = {f"weight_{name}": weight for name, weight in ranking.weights.items()}
    return {"digest_size": settings.digest.size, **weights, "feed_weights": feeds, "topics": topics}


def default_variables(project_dir: Path = PROJECT_DIR) -> dict[str, object]:
    """The variables of dbt_project.yml with the values that stand there."""
    import yaml

    project: dict[str, Any] = yaml.safe_load((project_dir / "dbt_project.yml").read_text("utf-8"))
    return dict(project["vars"])


def rules_version(project_dir: Path = PROJECT_DIR) -> str:
    """SHA-256 over the SQL of models and macros: another version may choose otherwise from the same rows."""
    files = sorted(path for path in _project_files(project_dir) if path.suffix != ".yml")
    return content_key(*(part for path in files for part in (path.relative_to(project_dir).as_posix(), path.read_bytes())))


def manifest(project_dir: Path, *, lake: Path, warehouse: Path, target_path: Path) -> Path:
    """The parsed project as dbt's manifest.json, for those who draw its graph; parsed again only where a file of it changed."""
    project_dir, lake, warehouse, target_path = (path.resolve() for path in (project_dir, lake, warehouse, target_path))
    path = target_path / "manifest.json"
    newest = max(file.stat().st_mtime for file in _project_files(project_dir))
    if path.is_file() and path.stat().st_mtime > newest:
        return path
    target_path.mkdir(parents=True, exist_ok=True)
    with _ONE_AT_A_TIME, _environment(TOP5_LAKE=str(lake), TOP5_WAREHOUSE=str(warehouse)):
        _parse(project_dir, lake, warehouse, [*_QUIET, "parse", *_places(project_dir, target_path)])
    return path


def docs(project_dir: Path, *, lake: Path, warehouse: Path, target_path: Path) -> Path:
    """dbt's own documentation of the models as one HTML file; written again only where the project has changed.

    Types are those of the contracts: the warehouse is not opened, so this can be done while a day is decided.
    Raises PermanentError `dbt_failed`.
    """
    parsed = manifest(project_dir, lake=lake, warehouse=warehouse, target_path=target_path)
    page = target_path.resolve() / "static_index.html"
    if page.is_file() and page.stat().st_mtime > parsed.stat().st_mtime:
        return page
    places = _places(project_dir.resolve(), target_path.resolve())
    with _ONE_AT_A_TIME, _environment(TOP5_LAKE=str(lake.resolve()), TOP5_WAREHOUSE=str(warehouse.resolve())):
        outcome = run_dbt([*_QUIET, "docs", "generate", "--static", "--no-compile", "--empty-catalog", *places])
    if not outcome.success or not page.is_file():
        raise PermanentError("dbt_failed", f"dbt could not document {project_dir}: {_one_line(outcome.exception)}.")
    return page


def run_dbt(arguments: list[str], manifest: "Manifest | None" = None, on_event: "OnEvent | None" = None) -> "dbtRunnerResult":
    """One dbt command in this process, which lets go of the warehouse and of its log file afterwards. Never two at a time."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner
    from dbt_common.events.event_manager_client import cleanup_event_logger

    try:
        runner = dbtRunner(manifest=manifest, callbacks=[on_event] if on_event else [])
        return runner.invoke(arguments)  # pyright: ignore[reportUnknownMemberType]  (its **kwargs have no type)
    finally:
        # Otherwise this process would keep the writer's lock, and could not open the file for reading.
        DuckDBConnectionManager.close_all_connections()
        # dbt forgets its log without closing it: one open file for every command.
        cleanup_event_logger()
        log = logging.getLogger("file_log")
        for handler in log.handlers[:]:
            log.removeHandler(handler)
            handler.close()


def read_picks(warehouse: Path, day: date) -> tuple[Pick, ...]:
    """The picks of `day`, best first; empty where the day has none.

    This and the other readers raise PermanentError `warehouse_missing` where nothing has been decided yet, and TransientError
    `warehouse_busy` while another process writes.
    """
    sql = """
        select * exclude (embedding) replace (make_timestamp(epoch_us(published_at)) as published_at)
        from daily_top_insights where day = $day order by rank
    """
    return tuple(Pick.model_validate(row) for row in _rows(warehouse, sql, {"day": day}))


def read_candidates(warehouse: Path, day: date) -> tuple[Candidate, ...]:
    """Every candidate of `day` with its fate, highest score first."""
    sql = """
        select * replace (make_timestamp(epoch_us(published_at)) as published_at)
        from fct_insights where day = $day order by score desc, insight_id
    """
    return tuple(Candidate.model_validate(row) for row in _rows(warehouse, sql, {"day": day}))


def read_ledger(warehouse: Path, day: date) -> tuple[LedgerRow, ...]:
    """Every episode of `day` with its state and reason, by show and title."""
    sql = """
        select * replace (make_timestamp(epoch_us(published_at)) as published_at)
        from fct_episode_ledger where day = $day order by show_title, episode_title, episode_id
    """
    return tuple(LedgerRow.model_validate(row) for row in _rows(warehouse, sql, {"day": day}))


def read_summary(warehouse: Path, day: date) -> DaySummary | None:
    """The counts of `day`, or None where it was never decided."""
    rows = _rows(warehouse, "select * from daily_summary where day = $day", {"day": day})
    return next((DaySummary.model_validate(row) for row in rows), None)


def read_told(warehouse: Path, before: date) -> tuple[tuple[date, str], ...]:
    """Day and insight_id of everything that was chosen before a day, oldest first."""
    sql = "select day, insight_id from daily_top_insights where day < $day order by day, rank"
    return tuple((row["day"], row["insight_id"]) for row in _rows(warehouse, sql, {"day": before}))


def copy_for_trial(warehouse: Path, folder: Path) -> Path:
    """A copy of the warehouse in `folder` under the same name (dbt calls the database as its file is called); returns its path.

    Raises as the readers do.
    """
    import shutil

    # An open reader keeps writers out while the file is copied.
    with _reading(warehouse):
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(warehouse, folder / warehouse.name)
    return folder / warehouse.name


def read_days(warehouse: Path) -> tuple[date, ...]:
    """All days that were decided, latest first."""
    return tuple(row["day"] for row in _rows(warehouse, "select day from daily_summary order by day desc", {}))


def _check_inputs(day: date, project_dir: Path, lake: Path) -> None:
    from top5.tables import DAY_TABLES, table_path

    if not (project_dir / "dbt_project.yml").is_file():
        raise PermanentError("bad_path", f"{project_dir} holds no dbt_project.yml; give the folder of the dbt project.")
    # They would be read as a pattern, or end the string, in the place where dbt puts the path.
    if odd := sorted(set(str(lake)) & set("'{}*?[]")):
        raise PermanentError("bad_path", f"The path {lake} has {' '.join(odd)} in it; move the lake to a path without.")
    for table in DAY_TABLES:
        path = table_path(lake, table, day)
        if not path.is_file():
            raise PermanentError("lake_incomplete", f"{path} is missing; materialize {table} of {day} before its digest.")


@contextmanager
def _environment(**variables: str) -> Generator[None, None, None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _parse(project_dir: Path, lake: Path, warehouse: Path, arguments: list[str]) -> "Manifest":
    # Lake and warehouse are part of the key: both stand in the parsed nodes, as locations and as the database's name. The
    # arguments are, because the parse is also to leave its manifest.json in the folder they name.
    global _last_parsed
    key = (project_dir, lake, warehouse, _fingerprint(project_dir), tuple(arguments))
    if _last_parsed is not None and _last_parsed[0] == key:
        return _last_parsed[1]
    from dbt.contracts.graph.manifest import Manifest

    # Without --vars: other variables than last time would make dbt throw its own parse cache away.
    outcome = run_dbt(arguments)
    if not isinstance(outcome.result, Manifest):
        raise PermanentError("dbt_failed", f"The dbt project {project_dir} cannot be parsed: {_one_line(outcome.exception)}.")
    _last_parsed = key, outcome.result
    return outcome.result


def _places(project_dir: Path, target_path: Path) -> list[str]:
    return [
        *("--project-dir", str(project_dir), "--profiles-dir", str(project_dir), "--target-path", str(target_path)),
        *("--log-path", str(target_path / "logs")),
    ]


def _project_files(project_dir: Path) -> list[Path]:
    return [path for path in project_dir.rglob("*") if path.suffix in {".sql", ".yml", ".py"}]


def _fingerprint(project_dir: Path) -> int:
    return hash(tuple(sorted((str(path), path.stat().st_mtime_ns) for path in _project_files(project_dir))))


def _node_results(outcome: "dbtRunnerResult") -> tuple[NodeResult, ...]:
    from dbt.artifacts.schemas.run import RunExecutionResult

    if not isinstance(outcome.result, RunExecutionResult):
        return ()
    return tuple(
        NodeResult(
            unique_id=result.node.unique_id,
            name=result.node.name,
            resource_type=str(result.node.resource_type),
            status=str(result.status),
            seconds=result.execution_time,
            failures=result.failures,
            message=result.message,
        )
        for result in outcome.result.results
        # dbt lists what only reads the marts, too, as something it did nothing for.
        if str(result.node.resource_type) != "exposure"
    )


def _raise_on_failure(
    day: date, outcome: "dbtRunnerResult", nodes: Iterable[NodeResult], target_path: Path, warehouse: Path
) -> None:
    failed = next((node for node in nodes if node.status in {"error", "fail", "runtime error"}), None)
    told = _one_line(failed.message if failed else outcome.exception)
    if "Could not set lock on file" in told or "Conflicting lock" in told:
        raise TransientError("warehouse_busy", f"{warehouse} is in use by another process; try again when it has finished.")
    if failed is not None:
        kind = "test" if failed.resource_type == "test" else failed.resource_type
        log = target_path / "logs" / "dbt.log"
        raise PermanentError("dbt_failed", f"The dbt {kind} {failed.name} failed for {day}: {told}; the log is {log}.")
    if not outcome.success:
        raise PermanentError("dbt_failed", f"dbt could not decide {day}: {told}.")


def _one_line(trouble: object) -> str:
    """The essence of a dbt message: its lines joined, without the lines that only point at a place."""
    lines = [line.strip() for line in str(trouble or "no reason given").splitlines()]
    told = " ".join(line for line in lines if line and not line.startswith(("LINE ", "^", "compiled code at", "> in macro")))
    return told[:500].rstrip(".")


def _with_rows(nodes: tuple[NodeResult, ...], warehouse: Path, day: date) -> tuple[NodeResult, ...]:
    sql = """
        select 'daily_top_insights' as name, count(*) as n from daily_top_insights where day = $day
        union all select 'fct_insights', count(*) from fct_insights where day = $day
        union all select 'fct_episode_ledger', count(*) from fct_episode_ledger where day = $day
        union all select 'daily_summary', count(*) from daily_summary where day = $day
        union all select 'daily_quality', count(*) from daily_quality
        union all select 'dim_podcasts', count(*) from dim_podcasts
        union all select 'feed_health', count(*) from feed_health
        union all select 'fct_spend', count(*) from fct_spend
        union all select 'fct_deliveries', count(*) from fct_deliveries
    """
    counted = {row["name"]: row["n"] for row in _rows(warehouse, sql, {"day": day})}
    return tuple(node.model_copy(update={"rows": counted.get(node.name)}) for node in nodes)


def _rows(warehouse: Path, sql: str, parameters: dict[str, date]) -> list[dict[str, Any]]:
    with _reading(warehouse) as connection:
        cursor = connection.execute(sql, parameters)
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _reading(warehouse: Path) -> "Generator[DuckDBPyConnection, None, None]":
    import duckdb

    if not warehouse.is_file():
        raise PermanentError("warehouse_missing", f"The warehouse {warehouse} does not exist; run a day first.")
    try:
        with duckdb.connect(str(warehouse), read_only=True) as connection:
            yield connection
    except duckdb.CatalogException as error:
        raise PermanentError("warehouse_missing", f"The warehouse {warehouse} holds no decided day; run a day first.") from error
    except duckdb.IOException as error:
        raise TransientError("warehouse_busy", f"{warehouse} cannot be read now ({_one_line(error)}); try again.") from error
