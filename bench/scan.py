"""The scanner against its peers in the same run: feedparser in a loop and in threads, the `reader` library, a bare aiohttp loop.

python -m bench.scan [--peers-python PYTHON] [--quick]

PYTHON is an interpreter with `reader`, feedparser and aiohttp (`pip install reader sgmllib3k aiohttp`); by default this one. Feeds are those of the
corpus ($TOP5_CORPUS), with all dates moved so that each feed's newest episode is a day old; a server in a process of its own gives
them over the loopback address. CPU is that of the scanning process during the scan; what it takes to start and to import is left out for all.
"""

import argparse
import asyncio
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from bench import machine

ROOT = Path(__file__).resolve().parent.parent
CORPUS = Path(os.environ.get("TOP5_CORPUS", ROOT.parent / "shared" / "corpus")) / "feeds"
NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
CONNECTIONS = 64
BIG_EVERY = 250
OUR_RUNS = 3
DATE = re.compile(rb"(<(?:pubDate|published|updated|dc:date|lastBuildDate)>)\s*([^<]{6,60}?)\s*(</)")
NEW_ITEM = (
    "<item><guid isPermaLink='false'>bench-new-NUMBER</guid><title>The new one of NUMBER</title><link>https://a.example/new</link>"
    f"<pubDate>{format_datetime(NOW - timedelta(hours=1))}</pubDate><description>{'What was said. ' * 60}</description>"
    "<enclosure url='https://a.example/NUMBER.mp3' type='audio/mpeg' length='1'/></item>"
).encode()


# --- the server -----------------------------------------------------------------------------------


def moved_to_now(body: bytes) -> bytes:
    """The feed as if its newest episode had come out yesterday."""
    from top5.feeds.dates import parse_date

    moments = [moment for _, raw, _ in DATE.findall(body) if (moment := parse_date(raw.decode("latin-1")))]
    moments = [moment for moment in moments if moment.year < 2026 or moment < NOW]
    if not moments:
        return body
    shift = NOW - timedelta(days=1) - max(moments)

    def move(match: re.Match[bytes]) -> bytes:
        moment = parse_date(match[2].decode("latin-1"))
        written = format_datetime(moment + shift) if moment and b"pubDate" in match[1] else None
        written = (moment + shift).isoformat() if moment and written is None else written
        return match[1] + (written.encode() if written else match[2]) + match[3]

    return DATE.sub(move, body)


def readable(body: bytes) -> bool:
    """Whether it is a feed at all; the corpus has files that are not."""
    from top5.errors import PermanentError
    from top5.feeds.parse import parse_feed

    try:
        return bool(parse_feed(body).episodes)
    except PermanentError:
        return False


def with_new_item(number: int, body: bytes) -> bytes:
    """The feed with one more item on top."""
    place = re.search(rb"<(?:item|entry)[\s>]", body)
    if place is None:
        return body
    item = NEW_ITEM if place[0].startswith(b"<item") else NEW_ITEM.replace(b"item>", b"entry>").replace(b"guid", b"id")
    item = item.replace(b"NUMBER", b"%d" % number)
    return body[: place.start()] + item + body[place.start() :]


def big_feed() -> bytes:
    """5,000 items, 10 MB."""
    notes = "What was said, and by whom, in more words than anybody reads. " * 28
    items = "".join(
        f"<item><guid isPermaLink='false'>big-{number}</guid><title>Episode {number} of many</title><link>https://big.example/{number}</link>"
        f"<pubDate>{format_datetime(NOW - timedelta(days=number + 1))}</pubDate><itunes:duration>3600</itunes:duration>"
        f"<description>{notes}</description><enclosure url='https://big.example/{number}.mp3' type='audio/mpeg' length='1'/></item>"
        for number in range(5_000)
    )
    spaces = "xmlns:itunes='http://www.itunes.com/dtds/podcast-1.0.dtd'"
    return f"<rss version='2.0' {spaces}><channel><title>Big</title>{items}</channel></rss>".encode()


class _Server(asyncio.Protocol):
    mode = "plain"
    bodies: list[bytes]
    newer: list[bytes]
    big: bytes

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.pending = b""

    def data_received(self, data: bytes) -> None:
        self.pending += data
        while b"\r\n\r\n" in self.pending:
            request, _, self.pending = self.pending.partition(b"\r\n\r\n")
            self.transport.write(self.answer(request))

    def answer(self, request: bytes) -> bytes:
        path = request.split(b" ", 2)[1].decode()
        _, kind, argument = path.split("/")
        cls = type(self)
        if kind == "mode":
            cls.mode = argument
            return b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
        number = int(argument)
        if cls.mode == "etag" and b'if-none-match: "v1"' in request.lower():
            return b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\n\r\n'
        if cls.mode == "big" and number % BIG_EVERY == 0:
            body = self.big
        else:
            bodies = self.newer if cls.mode == "new" else self.bodies
            body = bodies[number % len(bodies)]
        tag = b'ETag: "v1"\r\n' if cls.mode == "etag" else b""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\n%sContent-Length: %d\r\n\r\n" % (tag, len(body))
        return head + body


async def serve() -> None:
    """Answer until the process is ended; prints the port."""
    originals = [path.read_bytes() for path in sorted(CORPUS.glob("*/*"))]
    _Server.bodies = [moved_to_now(body) for body in originals if readable(body)]
    _Server.newer = [with_new_item(number, body) for number, body in enumerate(_Server.bodies)]
    _Server.big = big_feed()
    server = await asyncio.get_running_loop().create_server(_Server, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


# --- ours -----------------------------------------------------------------------------------------


def switch(base: str, mode: str) -> None:
    """Tell the server which bodies and validators to give from now on."""
    urllib.request.urlopen(f"{base}/mode/{mode}").read()


def ours(base: str, count: int, second: str) -> None:
    """One scan by top5, the catalog included; prints JSON."""
    import feedparser  # noqa: F401

    from top5.catalog.store import Catalog
    from top5.feeds.scan import ScanRow, scan
    from top5.settings import ScanSettings

    address = base.removeprefix("http://")
    settings = ScanSettings(
        allow_private=(address,), max_connections=CONNECTIONS, max_connections_per_host=CONNECTIONS, jitter=0.0
    )
    zone = ZoneInfo("UTC")

    def run(now: datetime) -> list[ScanRow]:
        return asyncio.run(scan(catalog, settings, now=now, tz=zone, feeds=catalog.feeds("active")))

    with tempfile.TemporaryDirectory() as folder:
        catalog = Catalog.at_home(Path(folder))
        for number in range(count):
            catalog.add_feed(f"{base}/feed/{number}", NOW)
        now = NOW
        switch(base, {"etag": "etag", "big": "big"}.get(second, "plain"))
        if second not in ("none", "big"):
            run(now)
            now += timedelta(hours=1)
            switch(base, "new" if second == "new" else "etag" if second == "etag" else "plain")
        cpu, wall = time.process_time(), time.perf_counter()
        rows = run(now)
        spent = {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}
        catalog.close()
    reasons = {reason: sum(row.reason == reason for row in rows) for reason in {row.reason for row in rows}}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({**spent, "items": sum(row.new for row in rows), "peak_mib": peak, "reasons": reasons}))


# --- the table ------------------------------------------------------------------------------------


def process(command: list[str]) -> dict[str, float]:
    """The JSON that a measuring process prints."""
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    """Every row of the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--peers-python", default=sys.executable)
    arguments.add_argument("--quick", action="store_true", help="fewer feeds, no memory row")
    arguments.add_argument("--only", default="", help="rows whose name contains this")
    asked = arguments.parse_args()
    server = subprocess.Popen([sys.executable, "-m", "bench.scan", "serve"], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert server.stdout
    base = f"http://127.0.0.1:{server.stdout.readline().strip()}"
    feeds, many = (60, 500) if asked.quick else (300, 5000)

    def peer(name: str, count: int, second: str) -> dict[str, float]:
        return process([asked.peers_python, str(ROOT / "bench" / "scan_peers.py"), name, base, str(count), second])

    def mine(count: int, second: str, runs: int = OUR_RUNS) -> dict[str, float]:
        measured = [process([sys.executable, "-m", "bench.scan", "ours", base, str(count), second]) for _ in range(runs)]
        return {key: statistics.median(run[key] for run in measured) for key in ("cpu", "wall", "items", "peak_mib")}

    def against_parsers(name: str, second: str, aim: str, factor: float) -> None:
        if asked.only not in name:
            return
        peers = {who: peer(who, feeds, second) for who in ("feedparser", "feedparser in threads", "reader")}
        own = mine(feeds, second)
        best = min(found["cpu"] for found in peers.values())
        print(f"\n{name}: {feeds} feeds, CPU seconds (aim: {aim})")
        for who, found in peers.items():
            print(f"  {who:<24} {found['cpu']:8.3f} s   wall {found['wall']:7.2f} s   peak {found['peak_mib']:4.0f} MiB")
        met = "met" if own["cpu"] <= best * factor else "NOT met"
        print(f"  {'top5':<24} {own['cpu']:8.3f} s   wall {own['wall']:7.2f} s   peak {own['peak_mib']:4.0f} MiB")
        print(f"  1/{best / own['cpu']:.1f} of the best peer: {met}")

    def against_bare(name: str, count: int, report: Callable[[dict[str, float], dict[str, float]], None]) -> None:
        if asked.only not in name:
            return
        # In turn, so that a machine that changes its pace changes it for both.
        pairs = [(peer("bare", count, "etag"), mine(count, "etag", 1)) for _ in range(OUR_RUNS)]
        bare, own = ({key: statistics.median(pair[side][key] for pair in pairs) for key in ("cpu", "wall")} for side in (0, 1))
        print(f"\n{name}: {count} feeds")
        print(f"  bare aiohttp loop        {bare['cpu']:8.3f} s CPU   {count / bare['wall']:6.0f} feeds/s")
        print(f"  top5                     {own['cpu']:8.3f} s CPU   {count / own['wall']:6.0f} feeds/s")
        report(bare, own)

    def report_cpu(bare: dict[str, float], own: dict[str, float]) -> None:
        ratio = own["cpu"] / bare["cpu"]
        print(f"  {ratio:.2f} x its CPU (aim: at most 1.5 x): {'met' if ratio <= 1.5 else 'NOT met'}")

    def report_speed(bare: dict[str, float], own: dict[str, float]) -> None:
        ratio = bare["wall"] / own["wall"]
        print(f"  {ratio:.2f} x its feeds/s (aim: at least 0.6 x): {'met' if ratio >= 0.6 else 'NOT met'}")

    try:
        print(machine.line())
        against_parsers("first scan, look-back 30 days", "none", "1/8 of the best", 1 / 8)
        against_parsers("second scan, one new item in each feed", "new", "1/20", 1 / 20)
        against_parsers("second scan, unchanged, no validators", "same", "1/100", 1 / 100)
        against_bare("second scan, unchanged, ETag", feeds, report_cpu)
        against_bare("warm, 304, catalog kept up to date", many, report_speed)
        if asked.only in "growth":
            few, lots = mine(many // 10, "etag"), mine(many, "etag")
            print(f"\ngrowth from {many // 10} to {many} feeds, 304: CPU {few['cpu']:.3f} s -> {lots['cpu']:.3f} s")
            print(f"  {lots['cpu'] / few['cpu'] / 10:.2f} x linear")
        if asked.only in "memory" and not asked.quick:
            found = mine(many, "big", 1)
            print(
                f"\nmemory: first scan of {many} feeds, {many // BIG_EVERY} of them 10 MB with 5,000 items (aim: at most 300 MB)"
            )
            peak = found["peak_mib"] * 1.048576
            print(
                f"  peak {peak:.0f} MB, {found['items']:.0f} episodes, {found['cpu']:.0f} s CPU, {found['wall']:.0f} s: "
                f"{'met' if peak <= 300 else 'NOT met'}"
            )
    finally:
        server.terminate()


if __name__ == "__main__":
    match sys.argv[1:2]:
        case ["serve"]:
            asyncio.run(serve())
        case ["ours"]:
            ours(sys.argv[2], int(sys.argv[3]), sys.argv[4])
        case _:
            main()
