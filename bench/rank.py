"""Ranking and rendering at size: one day beside a long memory, how the cost grows with it, a backfill, a thousand digests.

    python -m bench.rank [day] [growth] [backfill] [render]

Every case runs in a process of its own, so that its memory is its own. The candidates and what was told are vectors of 384 numbers in
2,000 clusters, so that a candidate has related claims as it has in life (and not none, as random directions would give).
"""

import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from datetime import time as clock_time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from bench import machine
from top5.digests.render import render_html, render_json, render_markdown, render_text
from top5.lake import Lake
from top5.tables import DAY_TABLES
from top5.warehouse import PROJECT_DIR, BuildResult, build

DAY = date(2026, 9, 14)
DIMENSIONS = 384
CLUSTERS = 2_000
MODEL = "bench"
CANDIDATES = 2_000
FILLER = (
    "The grid operator {a} connects data centres {n} years earlier where owners accept being dark for {m} hours a year, because the "
    "network is short only at a few winter peaks, so the queue of {a} shrinks while the price of land beside a substation rises by {k} percent."
)


def vectors(count: int, seed: int) -> "np.ndarray[Any, np.dtype[np.float32]]":
    """Unit vectors around common centres: cosines of about 0.6 within a cluster, about 0 between two."""
    centres = np.random.default_rng(0).standard_normal((CLUSTERS, DIMENSIONS)).astype(np.float32)
    random = np.random.default_rng(seed)
    found = centres[random.integers(0, CLUSTERS, count)] + 0.8 * random.standard_normal((count, DIMENSIONS)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def text(number: int) -> str:
    """A paragraph of usual length with names and numbers."""
    return FILLER.format(a=f"Operator{number % 997}", n=number % 7 + 2, m=number % 90 + 10, k=number % 40 + 3)


def write_day(lake: Lake, day: date, candidates: int, seed: int) -> None:
    """The four tables of a day on which 10 candidates come from each episode."""
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in DAY_TABLES}
    published = datetime.combine(day, clock_time(4), UTC)
    for number in range(max(1, candidates // 10)):
        key = f"{day}-e{number}"
        rows["episodes"].append(
            {
                "day": day, "episode_id": key, "feed_id": f"f{number}", "show": f"Show {number}", "show_url": None, "network": None,
                "guid": key, "title": key, "episode_url": f"https://show.example/{key}", "audio_url": None, "published": published,
                "first_seen": published, "available_on": day, "late": False, "duration": 1800.0, "transcript_links": 1, "feed_weight": 1.0,
            }
        )  # fmt: skip
        rows["transcripts"].append(
            {
                "day": day, "episode_id": key, "state": "ready", "reason": "", "detail": None, "source": "publisher", "format": "vtt",
                "language": "en", "transcript_key": key, "segments": 100, "words": 5000, "speech_seconds": 1700.0, "has_times": True,
                "has_speakers": True, "trust": 0.9, "bytes": 40_000, "seconds_taken": 0.1, "reused": False,
            }
        )  # fmt: skip
        rows["extractions"].append(
            {
                "day": day, "episode_id": key, "state": "considered", "reason": "", "detail": None, "engine": "local", "model": MODEL,
                "prompt_version": "1", "candidates": 10, "rejections": 0, "rejection_reasons": [], "input_tokens": 0, "output_tokens": 0,
                "cost_usd": 0.0, "seconds_taken": 0.1, "reused": False,
            }
        )  # fmt: skip
    for number, vector in enumerate(vectors(candidates, seed)):
        body = text(number + seed)
        rows["insights"].append(
            {
                "day": day, "insight_id": f"{day}-{number}", "episode_id": f"{day}-e{number // 10}", "position": number % 10 + 1,
                "headline": body[:60], "body": body, "speaker": None, "claim_type": "mechanism", "salience": 0.3 + number % 70 / 100,
                "reasons": [], "entities": [], "quotes": [{"text": body, "start": 1.0, "end": 9.0, "speaker": None}], "names": [],
                "words": 45, "embedding": vector.tolist(), "embedding_model": MODEL, "engine": "local", "model": MODEL,
                "prompt_version": "1", "transcript_key": f"{day}-e{number // 10}",
            }
        )  # fmt: skip
    for table, its_rows in rows.items():
        lake.write_table(table, day, its_rows)


def remember(database: Path, told: int) -> None:
    """Put `told` mailed insights into the warehouse, five a day backwards as far as the memory reaches, then more a day."""
    import duckdb

    with duckdb.connect(str(database)) as connection:
        for start in range(0, told, 50_000):
            count = min(50_000, told - start)
            flat = pa.array(vectors(count, 10_000 + start).ravel())
            table = pa.table(
                {
                    "number": pa.array(range(start, start + count)),
                    "vector": pa.FixedSizeListArray.from_arrays(flat, DIMENSIONS),
                    "text": pa.array([text(number) for number in range(start, start + count)]),
                }
            )
            connection.register("told", table)
            connection.execute(
                """
                insert into daily_top_insights by name
                select pick.* replace (
                    cast($day as date) - 1 - cast(told.number % 3600 as integer) as day, 'told-' || told.number as insight_id,
                    'told-e' || told.number as episode_id, 'told-e' || told.number as canonical_episode_id,
                    1 + told.number // 3600 as rank, told.text as body, told.vector::float[] as embedding, 'Old ' || told.number % 500 as show_title,
                    'old ' || told.number % 500 as publisher
                )
                from told cross join (select * from daily_top_insights limit 1) as pick
                """,
                {"day": DAY},
            )
            connection.unregister("told")


def decide(home: Path, day: date) -> BuildResult:
    """One day, as the asset does it."""
    return build(day, project_dir=PROJECT_DIR, lake=home / "lake", warehouse=home / "warehouse.duckdb", target_path=home / "dbt")


def one_day(told: int) -> dict[str, float]:
    """A day of 2,000 candidates beside `told` mailed insights and 6,000 heard ones; ranked in a process that did nothing before."""
    with TemporaryDirectory() as folder:
        apart(prepare, Path(folder), told)
        return apart(measure, Path(folder))


def prepare(home: Path, told: int) -> None:
    """Lake and warehouse of that day."""
    lake = Lake(home / "lake")
    before = DAY - timedelta(days=31)
    write_day(lake, before, 10, seed=1)
    decide(home, before)
    for back in range(1, 31):
        write_day(lake, DAY - timedelta(days=back), 200, seed=100 + back)
    write_day(lake, DAY, CANDIDATES, seed=7)
    remember(home / "warehouse.duckdb", told)


def measure(home: Path) -> dict[str, float]:
    """Rank the day once."""
    result = decide(home, DAY)
    models = [node for node in result.nodes if node.resource_type == "model"]
    slow = sorted(models, key=lambda node: -node.seconds)[:3]
    print("   ", ", ".join(f"{node.name} {node.seconds:.1f} s" for node in slow), file=sys.stderr)
    return {
        "models_seconds": sum(node.seconds for node in models),
        "build_seconds": result.seconds,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
    }


def backfill() -> dict[str, float]:
    """Thirty days of 200 candidates in one process that did nothing before, beside one day's SQL; and one day as a dbt command of its own."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        lake = Lake(home / "lake")
        days = [DAY + timedelta(days=number) for number in range(30)]
        for number, day in enumerate(days):
            write_day(lake, day, 200, seed=number)
        started = time.perf_counter()
        results = [decide(home, day) for day in days]
        total = time.perf_counter() - started
        sql = [sum(node.seconds for node in result.nodes) for result in results]
        first = results[0].seconds - sql[0]
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "dbt.cli.main", "build", "--exclude-resource-type", "unit_test", "--vars", json.dumps({"day": f"{days[-1]}"}),
             *("--project-dir", PROJECT_DIR, "--profiles-dir", PROJECT_DIR, "--target-path", home / "dbt", "--log-path", home / "dbt")],
            env={"PATH": "/usr/bin:/bin", "TOP5_LAKE": str(home / "lake"), "TOP5_WAREHOUSE": str(home / "warehouse.duckdb")},
            check=True, capture_output=True,
        )  # fmt: skip
        alone = time.perf_counter() - started
        day_of_sql = float(np.median(sql))
        return {
            "total_seconds": total,
            "first_seconds": first,
            "sql_seconds_a_day": day_of_sql,
            "ratio": total / (len(days) * day_of_sql),
            "own_command_seconds": alone,
        }


def render(count: int) -> dict[str, float]:
    """Digests in all four formats, HTML with its CSS inlined."""
    from tests.top5.digests import samples

    digest = samples.full()
    sizes: list[int] = []
    started = time.perf_counter()
    for number in range(count):
        one = digest.model_copy(update={"revision": number + 1})
        html = render_html(one, unsubscribe_url=f"https://top5.example/unsubscribe/{number}")
        sizes.append(len(html.encode()))
        for other in (render_text, render_json, render_markdown):
            other(one)
    return {"seconds": time.perf_counter() - started, "html_kb": max(sizes) / 1000}


def apart(case: Callable[..., Any], *arguments: object) -> Any:
    """The case in a fresh process."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.apply(case, arguments)
        # A process that is only ended at the end of the block leaves dbt's locks behind.
        pool.close()
        pool.join()
        return found


def main() -> None:
    """Run the cases that are named, or all."""
    wanted = sys.argv[1:] or ["day", "growth", "backfill", "render"]
    print(machine.line())
    if "day" in wanted or "growth" in wanted:
        print("| mailed insights | ranking models | whole build | peak memory of the process |\n|---|---|---|---|")
        for told in (10_000, 100_000, 1_000_000) if "growth" in wanted else (100_000,):
            found = one_day(told)
            print(
                f"| {told:,} | {found['models_seconds']:.1f} s | {found['build_seconds']:.1f} s | {found['peak_mb']:.0f} MB |",
                flush=True,
            )
    if "backfill" in wanted:
        found = apart(backfill)
        print(
            f"30 days in one run: {found['total_seconds']:.1f} s = {found['ratio']:.2f} x 30 x {found['sql_seconds_a_day']:.2f} s of SQL, "
            f"{found['first_seconds']:.1f} s of it import dbt and parse, once; "
            f"a dbt command of its own takes {found['own_command_seconds']:.1f} s a day",
            flush=True,
        )
    if "render" in wanted:
        found = apart(render, 1_000)
        print(f"1,000 digests in four formats: {found['seconds']:.1f} s, HTML {found['html_kb']:.0f} kB")


if __name__ == "__main__":
    main()
