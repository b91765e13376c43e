"""What running costs: the daily job around its unavoidable parts, loading, a month in one run, memory while idle.

python -m bench.run overhead|load|backfill|memory [folder]

`folder` keeps the home that is measured on (the first sample day, built), so that a second command need not build it again.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from urllib.request import Request, urlopen

from bench import imports, machine

ROOT = Path(__file__).resolve().parent.parent
DAY = date(2026, 9, 14)
RUNS = 3
MONTH = 30
TICKS = 24 * 60 // 2  # each sensor every two minutes, each schedule every hour


def environment(home: Path, **more: str) -> dict[str, str]:
    """The environment of one that runs in `home` with the samples' settings, whatever is set here."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOP5_") and name != "DAGSTER_HOME"}
    return {**kept, "TOP5_HOME": str(home), "TOP5_CONFIG": str(ROOT / "demo" / "top5.toml"), **more}


def timed(command: list[str], env: dict[str, str] | None = None) -> float:
    """Wall seconds of a command. Raises where it fails."""
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-2000:]}")
    return time.monotonic() - started


def demo_home(folder: Path) -> Path:
    """A home with the first sample day built."""
    home = folder / "home"
    if not (home / "digests" / str(DAY) / "digest.json").exists():
        timed([sys.executable, "-m", "demo", "1"], environment(home))
    return home


def overhead(folder: Path) -> None:
    """The daily job again on an unchanged day, against its parts bare; in turn, so that a change of pace hits all."""
    home = demo_home(folder)
    job = [sys.executable, "-m", "demo", "1"]
    dbt = [
        str(Path(sys.executable).with_name("dbt")), "--log-level", "none", "--no-send-anonymous-usage-stats", "build",
        "--project-dir", "dbt_project", "--profiles-dir", "dbt_project", "--target-path", str(folder / "target"),
        "--log-path", str(folder / "logs"), "--exclude-resource-type", "unit_test", "--vars", json.dumps({"day": str(DAY)}),
    ]  # fmt: skip
    bare = environment(home, TOP5_LAKE=str(home / "lake"), TOP5_WAREHOUSE=str(home / "warehouse.duckdb"))
    parts: dict[str, Callable[[], float]] = {
        "import dagster, dagster_dbt": lambda: timed([sys.executable, "-c", "import dagster, dagster_dbt"]),
        "import great_expectations": lambda: timed([sys.executable, "-c", "import great_expectations"]),
        "dbt build of the same models": lambda: timed(dbt, bare),
    }
    for warm in (*parts.values(), lambda: timed(job, environment(home))):
        warm()
    seconds: dict[str, list[float]] = {name: [] for name in (*parts, "job")}
    for _ in range(RUNS):
        for name, part in parts.items():
            seconds[name].append(part())
        seconds["job"].append(timed(job, environment(home)))
    total = [sum(seconds[name][number] for name in parts) for number in range(RUNS)]
    ratio = statistics.median(job / parts for job, parts in zip(seconds["job"], total, strict=True))
    print(f"\nthe daily job on an unchanged day, everything kept; wall seconds, median of {RUNS}")
    for name in parts:
        print(f"  {name:<40} {statistics.median(seconds[name]):7.2f}")
    print(f"  {'sum of these':<40} {statistics.median(total):7.2f}")
    print(f"  {'the job, its process included':<40} {statistics.median(seconds['job']):7.2f}")
    print(f"  {'ratio':<40} {ratio:7.2f}    (aim: at most 1.2)")


def load(_folder: Path) -> None:
    """Seconds of the code location's import against its libraries', and its memory."""
    imports.main()


RANGE = """
import sys
from datetime import date, timedelta
from dagster import DagsterInstance
from orchestration.definitions import defs
from orchestration.instance import prepare_home
from top5.settings import load_settings
first, days = date.fromisoformat(sys.argv[1]), int(sys.argv[2])
last = first + timedelta(days=days - 1)
prepare_home(load_settings().home)
with DagsterInstance.get() as instance:
    result = defs.resolve_job_def("rebuild_days").execute_in_process(
        instance=instance,
        tags={"dagster/asset_partition_range_start": str(first), "dagster/asset_partition_range_end": str(last)},
        run_config={"resources": {"workspace": {"config": {"now": "2026-12-01T00:00:00Z"}}},
                    "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
assert result.success
"""


def backfill(folder: Path) -> None:
    """A month in one run, everything kept, against one day of it the same way."""
    home = folder / "month"
    if not (home / "digests").is_dir():
        timed([sys.executable, "-m", "demo"], environment(home))

    def run(days: int) -> float:
        return timed([sys.executable, "-c", RANGE, str(DAY), str(days)], environment(home, PYTHONPATH=str(ROOT)))

    run(MONTH)
    one, month = run(1), run(MONTH)
    print("\na backfill in one run, everything kept; wall seconds of the whole process")
    print(f"  one day    {one:7.2f}\n  {MONTH} days    {month:7.2f}")
    print(f"  ratio      {month / one:7.2f}    (aim: at most 3; day by day it would be {MONTH})")


def memory(folder: Path) -> None:
    """Proportional memory of daemon, web server and code server while 24 hours of ticks are asked for."""
    home = demo_home(folder)
    port = "38123"
    command = [
        sys.executable,
        "-m",
        "dagster",
        "dev",
        "-w",
        "workspace.yaml",
        "-h",
        "127.0.0.1",
        "-p",
        port,
        "--log-level",
        "error",
    ]
    prepare = "from orchestration.instance import prepare_home; from top5.settings import load_settings; prepare_home(load_settings().home)"
    timed([sys.executable, "-c", prepare], environment(home))
    env = environment(home, DAGSTER_HOME=str((home / "dagster").resolve()), PYTHONWARNINGS="ignore")
    server = subprocess.Popen(
        command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        url = f"http://127.0.0.1:{port}/graphql"
        names = wait_for(url)
        print("\nmemory of daemon, web server and code server (proportional set size, GiB)")
        samples = [(0, resident(server.pid))]
        for tick in range(1, TICKS + 1):
            for name in names["sensors"]:
                ask(url, SENSOR_TICK, name)
            if tick % 30 == 0:  # an hour
                for name in names["schedules"]:
                    ask(url, SCHEDULE_TICK, name, timestamp=time.time() + tick * 120)
            if tick % (TICKS // 8) == 0:
                samples.append((tick * 120 // 3600, resident(server.pid)))
                print(f"  after {samples[-1][0]:>2} simulated hours   {samples[-1][1]:6.2f}", flush=True)
        settled = [gib for hour, gib in samples if hour >= 6]
        growth = settled[-1] - settled[0]
        print(
            f"  at the start              {samples[0][1]:6.2f}\n  largest                   {max(gib for _, gib in samples):6.2f}    (aim: at most 1)"
        )
        print(f"  growth from hour 6 to 24  {growth:+6.2f}    (aim: none)")
    finally:
        os.killpg(server.pid, 15)
        server.wait(timeout=60)


SELECTOR = 'repositoryName: "__repository__", repositoryLocationName: "top5"'
SENSOR_TICK = (
    "mutation { sensorDryRun(selectorData: {" + SELECTOR + ', sensorName: "NAME"}, cursor: "0") '
    "{ __typename ... on PythonError { message } } }"
)
SCHEDULE_TICK = (
    "mutation { scheduleDryRun(selectorData: {" + SELECTOR + ', scheduleName: "NAME"}, timestamp: TIME) '
    "{ __typename ... on PythonError { message } } }"
)
NAMES = "{ repositoriesOrError { ... on RepositoryConnection { nodes { schedules { name } sensors { name } } } } }"


def ask(url: str, query: str, name: str = "", timestamp: float = 0) -> dict[str, object]:
    """One GraphQL request."""
    body = json.dumps({"query": query.replace("NAME", name).replace("TIME", f"{timestamp:.0f}")}).encode()
    request = Request(url, body, {"Content-Type": "application/json"})
    with urlopen(request, timeout=120) as reply:
        told = json.load(reply)
    if "errors" in told:
        raise SystemExit(f"{name}: {told['errors'][0]['message'][:500]}")
    for answer in told["data"].values():
        if isinstance(answer, dict) and answer.get("__typename") == "PythonError":
            raise SystemExit(f"{name}: {answer['message'][:500]}")
    return told["data"]


def wait_for(url: str) -> dict[str, list[str]]:
    """Names of schedules and sensors as soon as the code location is loaded."""
    for _ in range(240):
        try:
            (repository,) = ask(url, NAMES)["repositoriesOrError"]["nodes"]  # type: ignore[index]
            return {kind: [entry["name"] for entry in repository[kind]] for kind in ("schedules", "sensors")}
        except (OSError, ValueError, KeyError):
            time.sleep(0.5)
    raise SystemExit("Dagster did not come up")


def resident(pid: int) -> float:
    """Proportional set size of a process and all its descendants, GiB: what is shared is counted once."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        except OSError:
            continue
    total, todo = 0, [pid]
    while todo:
        process = todo.pop()
        todo += children.get(process, [])
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        except (OSError, StopIteration):
            continue
    return total / 2**20


COMMANDS = {"overhead": overhead, "load": load, "backfill": backfill, "memory": memory}


def main(arguments: list[str]) -> None:
    """Run the named measurements, all by default."""
    names = [name for name in arguments if name in COMMANDS] or list(COMMANDS)
    folders = [argument for argument in arguments if argument not in COMMANDS]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(folders[0]).resolve() if folders else Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        print(machine.line())
        for name in names:
            COMMANDS[name](folder)


if __name__ == "__main__":
    main(sys.argv[1:])
