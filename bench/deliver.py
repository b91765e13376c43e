"""Mails a minute, and what a kill leaves behind.

python -m bench.deliver [--mails 10000] [--kills 5]

Personalised mails (own wishes, own links, text and HTML) to a local SMTP server in a process of its own, over TLS, with the ledger in
SQLite; against smtplib with one connection per mail, a mail of that size, no ledger. What would be possible is printed with it: the same server
with a client that does nothing but push bytes made beforehand, eight connections, the next envelope behind each text. Then the same again with
`kill -9` at random moments, over eight connections and over one.
"""

import argparse
import asyncio
import json
import os
import random
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from bench import machine

DAY = date(2026, 5, 4)
NOW = datetime(2026, 5, 5, 12, tzinfo=UTC)
WISHES = 200
TOPICS = [
    "chips",
    "energy",
    "health",
    "policy",
    "battery",
    "vaccines",
    "trade",
    "farming",
    "ocean",
    "robots",
    "taxes",
    "banking",
    "water",
    "steel",
]


def prepare(home: Path, mails: int) -> None:
    """A frozen digest, a day's candidates, and subscribers with some hundred different wishes."""
    import duckdb
    import pyarrow as pa
    import pyarrow.parquet as pq

    from top5.catalog.store import Catalog
    from top5.catalog.subscribers import SubscriberStore
    from top5.digests.compose import compose
    from top5.digests.render import render_json
    from top5.subscribers.model import Preferences, SubscriberState

    choice = random.Random(7)
    catalog = Catalog.at_home(home)
    columns = (
        "day date, insight_id varchar, canonical_episode_id varchar, feed_id varchar, show_title varchar, episode_title varchar, "
        "episode_url varchar, audio_url varchar, published_at timestamptz, is_late boolean, headline varchar, body varchar, "
        "speaker varchar, entities varchar[], fate varchar, rank integer, score double, salience double, engine varchar, "
        "duplicate_of varchar, nearest_pick_insight_id varchar, "
        'quotes struct("text" varchar, "start" double, "end" double, speaker varchar)[], also_in struct(show_title varchar, "day" date)[]'
    )
    rows = []
    for number in range(120):
        topic, other = choice.sample(TOPICS, 2)
        body = " ".join(
            f"What limits {topic} is {other}, because the one waits for the other in every plant we saw." for _ in range(3)
        )
        quote = {"text": body[:120], "start": 61.0 + number, "end": 75.0 + number, "speaker": "A Speaker"}
        rows.append((
            DAY, f"i{number:03}", f"e{number // 3}", f"f{number % 30}", f"Show {number % 30}", f"Episode {number // 3} of a show",
            f"https://show{number % 30}.example/{number}", f"https://show{number % 30}.example/{number}.mp3", NOW, False,
            f"{topic.title()} waits for {other}, and plant {number} shows it", body, "A Speaker", [topic], "chosen" if number < 5 else "outranked",
            number + 1 if number < 5 else None, 1 - number / 200, 0.8, "local", None, None, [quote], [],
        ))  # fmt: skip
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(f"create table fct_insights ({columns})")
        connection.executemany(f"insert into fct_insights values ({', '.join('?' * 23)})", rows)
    keys = [
        "day",
        "insight_id",
        "",
        "",
        "show",
        "episode_title",
        "episode_url",
        "audio_url",
        "published",
        "late",
        "headline",
        "body",
        "speaker",
    ]
    picks = [
        {
            **dict(zip(keys, row, strict=False)),
            "rank": row[15],
            "quotes": row[21],
            "score": row[16],
            "salience": 0.8,
            "engine": "local",
        }
        for row in rows[:5]
    ]
    counts = {"episodes_considered": 40, "shows_considered": 30, "candidates_considered": 120}
    digest = compose(DAY, picks, [], counts)
    (home / "lake" / "digests").mkdir(parents=True)
    (home / "lake" / "insights").mkdir(parents=True)
    (home / "lake" / "digests" / f"{DAY}.r001.json").write_text(render_json(digest))
    vectors = pa.array([[choice.gauss(0, 1) for _ in range(384)] for _ in rows], pa.list_(pa.float32()))
    table = pa.table({"insight_id": [row[1] for row in rows], "embedding": vectors, "embedding_model": ["m"] * len(rows)})
    pq.write_table(table, home / "lake" / "insights" / f"{DAY}.parquet")
    catalog.add_digest_revision(DAY, 1, digest.inputs_hash, NOW, [])
    kinds = [
        Preferences(
            count=choice.randint(3, 8),
            topics=tuple(choice.sample(TOPICS, choice.randint(0, 3))),
            muted_topics=tuple(choice.sample(TOPICS, choice.randint(0, 1))),
            format=choice.choice(["html", "html", "text"]),
        )
        for _ in range(WISHES)
    ]
    entries = [(f"reader{number}@d{number % 50}.example", choice.choice(kinds)) for number in range(mails)]
    SubscriberStore(catalog).add_many(entries, state=SubscriberState.ACTIVE, source="operator", now=NOW - timedelta(days=3))
    catalog.close()


def child(home: Path) -> None:
    """Deliver the day with the settings in the environment; prints what it did."""
    from top5.catalog.store import Catalog
    from top5.deliveries.day import deliver
    from top5.lake import Lake
    from top5.settings import load_settings

    settings = load_settings()
    catalog = Catalog.at_home(home)
    started = time.perf_counter()
    (report,) = deliver([DAY], settings, catalog, Lake(settings.lake_path), now=NOW)
    seconds = time.perf_counter() - started
    # Not ru_maxrss: that remembers the process we were forked from.
    memory = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(
        json.dumps(
            {"sent": report.sent, "states": dict(report.states), "nothing": report.nothing_for, "seconds": seconds, "mb": memory}
        )
    )


@contextmanager
def sink(folder: Path, delay: float = 0.0) -> Iterator[int]:
    """A running server, each of whose answers takes `delay` seconds; gives its port."""
    certificate(folder)
    server = subprocess.Popen([sys.executable, "-m", "bench.smtp_sink", folder, str(delay)], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        yield int(server.stdout.readline())
    finally:
        server.kill()
        server.wait()


def certificate(folder: Path) -> None:
    """A certificate for 127.0.0.1 that ends tomorrow, and its key."""
    from tests.fakes.certificate import make_certificate

    make_certificate(folder)


def environment(home: Path, folder: Path, port: int, connections: int = 8) -> dict[str, str]:
    """The settings of a child."""
    delivery = {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "tls",
        "CONNECTIONS": str(connections),
        "RECIPIENTS": "[]",
        "SENDER": "Top5 <top5@example.org>",
    }
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("TOP5_")},
        **{f"TOP5_DELIVERY__{name}": value for name, value in delivery.items()},
        "TOP5_HOME": str(home),
        "TOP5_SITE__URL": "https://top5.example",
        "SSL_CERT_FILE": str(folder / "chain.pem"),
    }


def start(home: Path, folder: Path, port: int, connections: int = 8) -> "subprocess.Popen[str]":
    """One delivering process."""
    command = [sys.executable, "-m", "bench.deliver", "--child", str(home)]
    return subprocess.Popen(command, env=environment(home, folder, port, connections), stdout=subprocess.PIPE, text=True)


def taken(folder: Path) -> list[str]:
    """Recipients of the mails that the server took."""
    path = folder / "taken.txt"
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def one_connection_each(folder: Path, port: int, data: bytes, mails: int) -> float:
    """Seconds for smtplib, with a connection for every mail."""
    context = ssl.create_default_context(cafile=str(folder / "chain.pem"))
    started = time.perf_counter()
    for number in range(mails):
        with smtplib.SMTP_SSL("127.0.0.1", port, local_hostname="localhost", context=context) as server:
            server.sendmail("top5@example.org", [f"reader{number}@d.example"], data)
    return time.perf_counter() - started


def bytes_alone(folder: Path, port: int, data: bytes, mails: int, connections: int = 8) -> float:
    """Seconds for a client that makes nothing, records nothing and reads no more than it must: what the server can take."""
    context = ssl.create_default_context(cafile=str(folder / "chain.pem"))
    envelope = b"MAIL FROM:<top5@example.org>\r\nRCPT TO:<reader@d.example>\r\nDATA\r\n"
    share = mails // connections

    async def push() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        await reader.readline()
        writer.write(b"EHLO localhost\r\n")
        await reader.readuntil(b"250 8BITMIME\r\n")
        writer.write(envelope)
        for number in range(share):
            await reader.readuntil(b"354 go on\r\n")
            writer.write(data + b".\r\n" + (envelope if number + 1 < share else b"QUIT\r\n"))
        await reader.readuntil(b"221 bye\r\n")
        writer.close()

    async def every() -> None:
        await asyncio.gather(*(push() for _ in range(connections)))

    started = time.perf_counter()
    asyncio.run(every())
    return time.perf_counter() - started


def sample_mail() -> bytes:
    """A mail of the usual size."""
    return b"Message-ID: <x@example.org>\r\nSubject: sample\r\n\r\n" + (b"x" * 76 + b"\r\n") * 330


def measure_speed(home: Path, mails: int, baseline: int, delay: float) -> None:
    """Print the speed of both against a server whose answers take `delay` seconds."""
    with tempfile.TemporaryDirectory() as name, sink(Path(name), delay) as port:
        folder = Path(name)
        said = json.loads(start(home, folder, port).communicate(timeout=560)[0])
        got = taken(folder)
        assert len(got) == len(set(got)) == said["sent"], "a mail was lost or sent twice"
        seconds = one_connection_each(folder, port, sample_mail(), baseline)
        pushed = bytes_alone(folder, port, sample_mail(), mails)
    ours, theirs, most = said["sent"] / said["seconds"], baseline / seconds, mails / pushed
    print(f"  {f'server answers after {delay * 1000:g} ms':<58}{'mails/s':>9}{'seconds':>9}{'MB':>6}")
    what = f"top5: {said['sent']} personalised mails with their ledger"
    print(f"  {what:<58}{ours:>9.0f}{said['seconds']:>9.1f}{said['mb']:>6.0f}")
    print(f"  {f'smtplib: one connection each ({baseline} mails)':<58}{theirs:>9.0f}{seconds:>9.1f}{'':>6}")
    print(f"  {f'bytes made beforehand, no ledger ({mails} mails)':<58}{most:>9.0f}{pushed:>9.1f}{'':>6}")
    print(
        f"  top5 {ours / theirs:.1f} x smtplib, the most possible {most / theirs:.1f} x; nothing of the day fits {said['nothing']} of {mails} readers"
    )


def measure_kills(home: Path, kills: int, connections: int) -> None:
    """Kill five times, go on, and compare what arrived with what the ledger says."""
    chance, stops = random.Random(11), list[str]()
    with tempfile.TemporaryDirectory() as name, sink(Path(name)) as port:
        folder = Path(name)
        for _ in range(kills):
            process = start(home, folder, port, connections)
            goal = len(taken(folder)) + chance.randint(200, 1500)
            while process.poll() is None and len(taken(folder)) < goal:
                time.sleep(chance.uniform(0.001, 0.02))
            process.kill()
            process.wait()
            stops.append(f"{len(taken(folder))}" + (" (it had finished)" if process.returncode == 0 else ""))
        said = json.loads(start(home, folder, port, connections).communicate(timeout=560)[0])
        got = Counter(taken(folder))
    from top5.catalog.deliveries import entries
    from top5.catalog.store import Catalog

    catalog = Catalog.at_home(home)
    rows = {entry.recipient: entry.state for entry in entries(catalog, DAY)}
    catalog.close()
    unknown = [recipient for recipient, state in rows.items() if state == "unknown"]
    lost = [recipient for recipient, state in rows.items() if recipient not in got and state != "unknown"]
    twice = [recipient for recipient, number in got.items() if number > 1]
    print(f"  {connections} connection{'s' if connections > 1 else ''}, killed at {', '.join(stops)} mails")
    print(
        f"    {len(rows)} readers, {len(got)} got the mail; lost {len(lost)}, twice {len(twice)}, unknown {len(unknown)} "
        f"(of which {sum(recipient in got for recipient in unknown)} had arrived); last run: {said['states']}"
    )


def main() -> None:
    """Both measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--mails", type=int, default=10_000)
    parser.add_argument("--baseline", type=int, default=500)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--child", type=Path)
    options = parser.parse_args()
    if options.child is not None:
        child(options.child)
        return
    print(f"deliver: {machine.line()}")
    with tempfile.TemporaryDirectory() as name:
        home = Path(name) / "home"
        os.environ["TOP5_HOME"] = str(home)
        prepare(home, options.mails)
        for copy in ("far", "killed", "killed-alone"):
            shutil.copytree(home, Path(name) / copy)
        measure_speed(home, options.mails, options.baseline, 0.0)
        measure_speed(Path(name) / "far", options.mails, min(options.baseline, 200), 0.005)
        if options.kills:
            measure_kills(Path(name) / "killed", options.kills, 8)
            measure_kills(Path(name) / "killed-alone", options.kills, 1)


if __name__ == "__main__":
    main()
