"""The peers of bench.scan, one measurement a process. Runs in any environment with feedparser, reader and aiohttp; knows nothing of top5.

python bench/scan_peers.py PEER BASE_URL COUNT SECOND     (SECOND: none, new, same, etag)
"""

import asyncio
import json
import logging
import resource
import sys
import tempfile
import time
import urllib.request
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)
THREADS = 16
CONNECTIONS = 64


def switch(base: str, mode: str) -> None:
    """Tell the server which bodies and validators to give from now on."""
    urllib.request.urlopen(f"{base}/mode/{mode}").read()


def feedparser_scan(urls: list[str], tags: dict[str, str], threads: int) -> int:
    """Every feed through feedparser.parse(url); returns the items."""
    import feedparser

    def one(url: str) -> int:
        parsed = feedparser.parse(url, etag=tags.get(url))
        if "etag" in parsed:
            tags[url] = parsed["etag"]
        return len(parsed.entries)

    if threads == 1:
        return sum(map(one, urls))
    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, urls))


def measured(work) -> tuple[float, float, int]:
    """CPU seconds of this process, wall seconds, and what the work returns."""
    cpu, wall = time.process_time(), time.perf_counter()
    items = work()
    return time.process_time() - cpu, time.perf_counter() - wall, items


async def bare(urls: list[str], tag: str) -> int:
    """Only the requests, as fast as aiohttp sends them."""
    import aiohttp

    queue = list(reversed(urls))
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS)) as session:

        async def work() -> None:
            while queue:
                async with session.get(queue.pop(), headers={"If-None-Match": tag}) as response:
                    await response.read()

        await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return len(urls)


def main() -> None:
    """One peer, one case; prints JSON."""
    peer, base, count, second = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
    urls = [f"{base}/feed/{number}" for number in range(count)]
    import_module("aiohttp" if peer == "bare" else "feedparser")
    switch(base, "etag" if second == "etag" else "plain")
    if peer == "bare":
        asyncio.run(bare(urls[:200], '"v1"'))
        cpu, wall, items = measured(lambda: asyncio.run(bare(urls, '"v1"')))
    elif peer == "reader":
        from reader import make_reader

        with tempfile.TemporaryDirectory() as folder:
            reader = make_reader(str(Path(folder) / "reader.sqlite"))
            for url in urls:
                reader.add_feed(url)

            def update() -> int:
                reader.update_feeds(scheduled=False, workers=THREADS)
                return reader.get_entry_counts().total

            if second != "none":
                update()
                switch(base, "new" if second == "new" else "etag" if second == "etag" else "plain")
            cpu, wall, items = measured(update)
            reader.close()
    else:
        tags: dict[str, str] = {}
        threads = THREADS if peer == "feedparser in threads" else 1
        if second == "etag":
            tags = dict.fromkeys(urls, '"v1"')
        elif second != "none":
            # Without a store there is nothing that a first scan would change.
            switch(base, "new" if second == "new" else "plain")
        cpu, wall, items = measured(lambda: feedparser_scan(urls, tags, threads))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"cpu": cpu, "wall": wall, "items": items, "peak_mib": peak}))


if __name__ == "__main__":
    main()
