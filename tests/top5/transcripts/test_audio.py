"""A server that breaks off, lies about length, redirects, serves a page: what is downloaded is whole or is named."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from top5.errors import PermanentError, Top5Error
from top5.settings import ScanSettings
from top5.transcripts.audio import AudioFetcher, AudioFile, kept_audio

SOUND = hashlib.shake_256(b"sound").digest(900_000)
Act = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `asked` are the Range headers in order."""

    protocol_version = "HTTP/1.1"
    acts: dict[str, Act]
    asked: list[str | None]

    def do_GET(self) -> None:
        self.asked.append(self.headers["Range"])
        self.close_connection = True
        self.acts[self.path](self)

    def head(self, status: int, length: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(length), "Content-Type": "audio/mpeg", **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


def breaks_off(handler: Handler, *, ranges: bool = True, etag: str = '"one"', every: int = 400_000) -> None:
    wanted = handler.headers["Range"]
    same = handler.headers["If-Range"] == etag
    begin = int(wanted.removeprefix("bytes=").rstrip("-")) if ranges and wanted and same else 0
    rest = SOUND[begin:]
    if begin:
        handler.head(206, len(rest), ETag=etag, Content_Range=f"bytes {begin}-{len(SOUND) - 1}/{len(SOUND)}")
    else:
        handler.head(200, len(rest), ETag=etag)
    handler.wfile.write(rest[:every])


@contextmanager
def serving(**acts: Act) -> Iterator[tuple[str, type[Handler]]]:
    handler = type("Serving", (Handler,), {"acts": {f"/{name}": act for name, act in acts.items()}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", handler
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def get(address: str, name: str, target: Path, *, max_bytes: int = 10_000_000) -> AudioFile:
    async def run() -> AudioFile:
        fetcher = AudioFetcher(ScanSettings(allow_private=(address,)))
        async with fetcher:
            return await fetcher.download(f"http://{address}/{name}", target, max_bytes)

    return asyncio.run(run())


def failing(address: str, name: str, target: Path, *, max_bytes: int = 10_000_000) -> Top5Error:
    with pytest.raises(Top5Error) as failed:
        get(address, name, target, max_bytes=max_bytes)
    assert not target.exists()
    return failed.value


def test_a_broken_transfer_goes_on_where_it_stopped(tmp_path: Path) -> None:
    target = tmp_path / "audio"
    with serving(a=breaks_off) as (address, handler):
        found = get(address, "a", target)
    assert target.read_bytes() == SOUND
    assert (found.bytes, found.sha256) == (len(SOUND), hashlib.sha256(SOUND).hexdigest())
    assert handler.asked == [None, "bytes=400000-", "bytes=800000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["audio"]
    assert kept_audio(target, "http://a.example/a") == found


def test_a_later_call_takes_up_what_an_earlier_one_left(tmp_path: Path) -> None:
    target = tmp_path / "audio"

    def once(handler: Handler) -> None:
        if len(handler.asked) == 2:
            handler.head(503, 0)
        else:
            breaks_off(handler)

    with serving(a=once) as (address, handler):
        assert failing(address, "a", target).reason == "server_error"
        get(address, "a", target)
    assert target.read_bytes() == SOUND
    assert handler.asked[2] == "bytes=400000-"


def test_another_file_in_the_meantime_is_begun_anew(tmp_path: Path) -> None:
    target = tmp_path / "audio"

    def changes(handler: Handler) -> None:
        first = len(handler.asked) == 1
        breaks_off(handler, etag='"old"' if first else '"new"', every=400_000 if first else 10**9)

    with serving(a=changes) as (address, _):
        get(address, "a", target)
    assert target.read_bytes() == SOUND


def test_a_server_without_ranges_that_always_breaks_off(tmp_path: Path) -> None:
    with serving(a=lambda handler: breaks_off(handler, ranges=False)) as (address, handler):
        assert failing(address, "a", tmp_path / "audio").reason == "connection"
    assert len(handler.asked) <= 4


def test_a_page_a_giant_and_nothing(tmp_path: Path) -> None:
    page = b"\n<!DOCTYPE html><html><body>Sign in</body></html>"

    def html(handler: Handler) -> None:
        handler.head(200, len(page))
        handler.wfile.write(page)

    def giant(handler: Handler) -> None:
        handler.head(200, 10**12)

    def silent_giant(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(SOUND)

    def nothing(handler: Handler) -> None:
        handler.head(200, 0)

    with serving(page=html, giant=giant, silent=silent_giant, nothing=nothing) as (address, _):
        assert failing(address, "page", tmp_path / "audio").reason == "bad_audio"
        assert failing(address, "giant", tmp_path / "audio").reason == "too_large"
        assert failing(address, "silent", tmp_path / "audio", max_bytes=100_000).reason == "too_large"
        assert failing(address, "nothing", tmp_path / "audio").reason == "bad_audio"
    assert list(tmp_path.iterdir()) == []


def test_redirects_are_followed_but_not_into_the_own_network(tmp_path: Path) -> None:
    def moved(handler: Handler) -> None:
        handler.head(302, 0, Location="/a")

    def inside(handler: Handler) -> None:
        handler.head(302, 0, Location="http://127.0.0.1:9/private")

    with serving(a=lambda handler: breaks_off(handler, every=10**9), moved=moved, inside=inside) as (address, _):
        get(address, "moved", tmp_path / "audio")
        refused = failing(address, "inside", tmp_path / "other")
    assert isinstance(refused, PermanentError)
    assert refused.reason == "private_address"
