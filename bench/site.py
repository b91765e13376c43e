"""The site over an archive of three years: latency at 50 requests a second, and the static export.

python -m bench.site [--days 1096] [--rate 50] [--seconds 30] [--keep FOLDER]

The archive is invented: five insights a day of 60 shows, with names, quotes and vectors. The server is `top5 serve` in a process of its own,
the client asks over the loopback address, both on the same cores. Requests leave at their time whether or not earlier ones were
answered, and a latency counts from that time, so that a slow answer is not hidden by a client that waits (Tene's coordinated omission).
"""

import argparse
import asyncio
import os
import random
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import aiohttp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bench import machine
from top5.digests.model import Considered, Digest, DigestInsight
from top5.digests.render import render_json
from top5.insights.model import Quote
from top5.tables import SCHEMAS

LAST = date(2026, 9, 30)
MODEL = "all-MiniLM-L6-v2-int8/mean"
FIRST_PARTS = [
    "Nor",
    "Fer",
    "Bel",
    "Cas",
    "Dov",
    "Els",
    "Gar",
    "Hal",
    "Iro",
    "Jut",
    "Kel",
    "Lum",
    "Mar",
    "Nev",
    "Oos",
    "Pel",
    "Quil",
    "Ros",
    "Sal",
    "Tor",
    "Ulm",
    "Ves",
    "Wex",
    "Yar",
    "Zan",
]
LAST_PARTS = [
    "burn",
    "dale",
    "field",
    "gate",
    "ham",
    "ing",
    "kirk",
    "land",
    "mere",
    "ness",
    "port",
    "rick",
    "stead",
    "ton",
    "vale",
    "watt",
    "wick",
    "worth",
]
GIVEN = [
    "Ada",
    "Bo",
    "Cleo",
    "Dara",
    "Eli",
    "Fenna",
    "Gus",
    "Hana",
    "Ines",
    "Jo",
    "Kai",
    "Lea",
    "Milo",
    "Nia",
    "Ola",
    "Pia",
    "Quin",
    "Rosa",
    "Sam",
    "Tess",
    "Uma",
    "Vera",
    "Wen",
    "Yara",
]
WHO = [
    "grid operators",
    "insurers",
    "hospital trusts",
    "growers",
    "payment processors",
    "shipyards",
    "chip makers",
    "lenders",
    "water boards",
    "regulators",
]
DID = [
    "cut",
    "doubled",
    "stopped paying for",
    "began to charge for",
    "published",
    "automated",
    "halved",
    "insured",
    "delayed",
    "measured",
]
WHAT = [
    "connection queues",
    "night shifts",
    "spare capacity",
    "late deliveries",
    "cooling water",
    "weekend maintenance",
    "small refunds",
    "sensor drift",
    "training data",
    "standby engines",
    "paper records",
    "bounty payments",
    "soil samples",
    "evening peaks",
    "trial dropouts",
]
CAUSE = [
    "because nobody had been paid to count them",
    "since every delay moved the cost to somebody else",
    "so the cheapest fix became the one that nobody owned",
    "which shifted the risk to the smallest supplier",
    "because the contract rewarded volume and not results",
]


def names(count: int, random_: random.Random) -> list[str]:
    """Invented company names, each once."""
    made: dict[str, None] = {}
    while len(made) < count:
        name = random_.choice(FIRST_PARTS).strip() + random_.choice(LAST_PARTS)
        made[name + random_.choice(["", "", " Grid", " Mutual", " Foundry", " Cohort", " Freight", " Labs"])] = None
    return list(made)


def make_archive(home: Path, days: int) -> None:
    """Digests, and the lake's insights and episodes of the same days."""
    chance = random.Random(7)
    vectors = np.random.default_rng(7)
    companies = names(700, chance)
    people = [f"{given} {family}" for family in names(60, chance) for given in GIVEN[:6] if " " not in family]
    shows = [f"The {name} Hour" if number % 3 else f"{name} Weekly" for number, name in enumerate(names(60, chance))]
    subjects = vectors.normal(size=(len(WHAT), 384)).astype(np.float32)
    for number in range(days):
        day = LAST - timedelta(days=days - 1 - number)
        insights: list[DigestInsight] = []
        rows: list[dict[str, object]] = []
        episodes: list[dict[str, object]] = []
        for rank in range(1, 6):
            # Popular names stand in many insights, most in few (Zipf).
            company, other = (companies[min(int(chance.paretovariate(0.9)) - 1, len(companies) - 1)] for _ in range(2))
            who, did, what, cause = chance.choice(WHO), chance.choice(DID), chance.choice(WHAT), chance.choice(CAUSE)
            share, sooner = chance.randint(2, 95), chance.randint(2, 30)
            first = f"Among {who}, {company} {did} {what} by {share} percent within {sooner} months, {cause}."
            second = f"Rivals such as {other} kept the old rule and paid {chance.randint(10, 990)},000 dollars more in the same season."
            show, speaker = chance.choice(shows), chance.choice(people)
            start = float(chance.randint(30, 3000))
            insight_id, episode_id = f"{chance.getrandbits(64):016x}", f"{chance.getrandbits(64):016x}"
            quotes = (
                Quote(text=first, start=start, end=start + 9, speaker=speaker),
                Quote(text=second, start=start + 9, end=start + 17, speaker=speaker),
            )
            published = datetime(day.year, day.month, day.day, 6, tzinfo=UTC)
            title = f"{what.capitalize()} and {company}, part {number}"
            audio = f"https://audio.example/{episode_id}.mp3"
            insights.append(
                DigestInsight(
                    rank=rank,
                    insight_id=insight_id,
                    headline=f"{company} {did} {what} by {share} percent",
                    body=f"{first} {second}",
                    show=show,
                    episode_title=title,
                    episode_url=f"https://pods.example/{episode_id}",
                    audio_url=audio,
                    speaker=speaker,
                    published=published,
                    start=start,
                    quotes=quotes,
                    score=0.8,
                    salience=0.8,
                    why="strong claim, exact numbers and names",
                    memory="Third show this month to say so." if rank == 2 else None,
                    engine="local",
                )
            )
            vector = subjects[WHAT.index(what)] + vectors.normal(size=384) * 0.8
            rows.append(
                {
                    **dict.fromkeys(SCHEMAS["insights"].names),
                    "insight_id": insight_id,
                    "episode_id": episode_id,
                    "body": f"{first} {second}",
                    "entities": [company, other],
                    "embedding": (vector / np.linalg.norm(vector)).astype(np.float32).tolist(),
                    "embedding_model": MODEL,
                }
            )
            facts = {"episode_id": episode_id, "feed_id": show, "show": show, "show_url": "https://pods.example/"}
            episodes.append({**dict.fromkeys(SCHEMAS["episodes"].names), **facts})
        digest = Digest(
            day=day,
            revision=1,
            title="The day's five",
            size=5,
            insights=tuple(insights),
            considered=Considered(episodes=31, shows=24, candidates=212),
            engine="local",
            inputs_hash="0" * 64,
        )
        write(home / "lake" / "digests" / f"{day}.r001.json", render_json(digest).encode())
        write(home / "digests" / str(day) / "digest.json", render_json(digest).encode())
        for table, found in (("insights", rows), ("episodes", episodes)):
            path = home / "lake" / table / f"{day}.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            # The benchmark fills in what the site reads; the other columns stay empty.
            schema = pa.schema([column.with_nullable(True) for column in SCHEMAS[table]])
            pq.write_table(pa.Table.from_pylist(found, schema=schema), path)


def write(path: Path, data: bytes) -> None:
    """Plain write: nobody reads this archive while it is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


async def ask(session: aiohttp.ClientSession, url: str, due: float, sizes: list[int]) -> float:
    """Seconds from when a request was due to its last byte."""
    async with session.get(url) as answer:
        body = await answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{url} answered {answer.status}")
    sizes.append(len(body))
    return time.perf_counter() - due


async def load(base: str, paths: Sequence[str], rate: float) -> tuple[list[float], list[int]]:
    """Latencies of one request each `1 / rate` seconds, and the sizes of the answers."""
    sizes: list[int] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        start = time.perf_counter() + 0.2
        tasks: list[asyncio.Task[float]] = []
        for number, path in enumerate(paths):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(ask(session, base + path, due, sizes)))
        return list(await asyncio.gather(*tasks)), sizes


def row(name: str, seconds: Sequence[float], sizes: Sequence[int]) -> str:
    """One line of the table, in milliseconds and kB."""
    ordered = sorted(seconds)
    p50, p95, p99 = (ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000 for share in (0.5, 0.95, 0.99))
    return f"  {name:34} {len(ordered):6} {p50:8.1f} {p95:8.1f} {p99:8.1f} {ordered[-1] * 1000:8.1f} {max(sizes) / 1000:9.1f}"


def searches(count: int, chance: random.Random) -> list[str]:
    """Queries as a reader types them: names, words, and all beginnings of a word."""
    queries: list[str] = []
    while len(queries) < count:
        query = chance.choice(
            [
                chance.choice(WHAT),
                f"{chance.choice(WHO)} {chance.choice(WHAT)}",
                chance.choice(FIRST_PARTS) + "dale",
                "why are trials late",
            ]
        )
        queries += [query[:end] for end in range(2, len(query) + 1, 3)]
    return queries[:count]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=1096)
    parser.add_argument("--rate", type=float, default=50.0)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--keep", type=Path, help="a folder for the archive, reused when it is there")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-site-") as temporary:
        home = (chosen.keep or Path(temporary) / "home").resolve()
        if not (home / "digests").exists():
            make_archive(home, chosen.days)
        (home / "site.db").unlink(missing_ok=True)
        measure(home, Path(temporary) / "copy", chosen.rate, chosen.seconds)


def measure(home: Path, copy: Path, rate: float, seconds: float) -> None:
    """Index, serve, ask, export."""
    port, chance = free_port(), random.Random(3)
    settings = home / "bench.toml"
    settings.write_text(
        f'home = "{home}"\n[site]\nport = {port}\nurl = "http://127.0.0.1:{port}"\nsearches_per_minute = 1000000\n'
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TOP5_")}
    command = [str(Path(sys.executable).with_name("top5"))]
    print(machine.line())
    started = time.perf_counter()
    server = subprocess.Popen([*command, "serve", "--config", str(settings)], env=environment, stdout=subprocess.DEVNULL)
    try:
        base = f"http://127.0.0.1:{port}"
        paths = asyncio.run(wait_for(base, server))
        print(f"  indexing and start                 {time.perf_counter() - started:6.1f} s, {len(paths)} pages in the sitemap\n")
        print(f"  {f'at {rate:g} requests/s, ms':34} {'n':>6} {'p50':>8} {'p95':>8} {'p99':>8} {'max':>8} {'kB max':>9}")
        count = int(rate * seconds)
        cold = chance.sample(paths, min(count, len(paths)))
        print(row("pages, each for the first time", *asyncio.run(load(base, cold, rate))))
        print(row("pages, asked for before", *asyncio.run(load(base, cold[-min(count, 1000) :], rate))))
        typed = [f"/search/results?q={query.replace(' ', '+')}" for query in searches(count, chance)]
        print(row("search while typing", *asyncio.run(load(base, typed, rate))))
        whole = [f"/search/?q={query.replace(' ', '+')}" for query in searches(count, chance)]
        print(row("search, whole page", *asyncio.run(load(base, whole, rate))))
        feeds = [path for path in ("/feed.atom", "/feed.rss", "/feed.json", "/") for _ in range(count // 8)]
        print(row("feeds and the latest digest", *asyncio.run(load(base, feeds, rate))))
        memory = int(re.findall(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[0]) / 1024
        print(f"\n  memory of the server at most       {memory:6.0f} MB")
    finally:
        server.terminate()
        server.wait(20)
    for name in ("export", "export again"):
        begun = time.perf_counter()
        done = subprocess.run(
            [*command, "site", "build", str(copy), "--config", str(settings)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        print(f"  {name:34} {time.perf_counter() - begun:6.1f} s  {done.stdout.strip().replace(str(copy), 'a folder')}")


async def wait_for(base: str, server: "subprocess.Popen[bytes]") -> list[str]:
    """Paths of the sitemap, once the server answers and its model is open."""
    async with aiohttp.ClientSession() as session:
        for _ in range(600):
            if server.poll() is not None:
                raise RuntimeError("The server ended; run `top5 serve` by hand to see why.")
            try:
                async with session.get(f"{base}/health") as answer:
                    if (await answer.json())["search_by_meaning"]:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
        async with session.get(f"{base}/sitemap.xml") as answer:
            found = re.findall(r"<loc>([^<]+)</loc>", await answer.text())
    return [path.removeprefix(base) for path in found]


if __name__ == "__main__":
    main()
