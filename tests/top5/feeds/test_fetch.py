"""Against a real server on the loopback address that does what hostile servers do."""

import asyncio
import gzip
import io
import socket
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import brotli
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st

from top5.errors import PermanentError, Top5Error, TransientError
from top5.feeds.fetch import (
    Fetcher,
    FetchResult,
    Validators,
    accepted_encodings,
    is_public_address,
    parse_target,
    retry_after_seconds,
)
from top5.settings import ScanSettings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
FEED = b"<rss version='2.0'><channel><title>Show</title></channel></rss>"
T = TypeVar("T")
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FakeResolver(AbstractResolver):
    """Names to the addresses it was given, without asking anybody."""

    def __init__(self, names: dict[str, list[str]]) -> None:
        self.names = names

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        if host not in self.names:
            raise OSError(None, "no such name")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.names[host]
        ]

    async def close(self) -> None:
        pass


@asynccontextmanager
async def serving(routes: dict[str, Handler]) -> AsyncIterator[str]:
    app = web.Application()
    for path, handler in routes.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    try:
        yield f"127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def speaking(answer: bytes, *, close: bool = True) -> AsyncIterator[str]:
    """A server that reads a request and answers with these bytes, whatever they are."""
    writers: list[asyncio.StreamWriter] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        await writer.drain()
        if close:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        for writer in writers:
            writer.close()
        server.close()


def fetcher(address: str, resolver: AbstractResolver | None = None, **settings: Any) -> Fetcher:
    scan = ScanSettings(allow_private=(address,), **{"timeout": 10.0, "connect_timeout": 5.0, **settings})
    return Fetcher(scan, resolver=resolver, now=lambda: NOW)


def answering(body: bytes = FEED, *, status: int = 200, headers: dict[str, str] | None = None) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, status=status, headers=headers)

    return handle


def redirecting(location: str, status: int = 302) -> Handler:
    return answering(b"moved", status=status, headers={"Location": location})


def run(scene: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(scene)


def get(handler: Handler, path: str = "/feed", **settings: Any) -> FetchResult:
    async def scene() -> FetchResult:
        async with serving({"/feed": handler}) as address, fetcher(address, **settings) as client:
            return await client.fetch(f"http://{address}{path}")

    return run(scene())


def refused(handler: Handler, kind: type[Top5Error], reason: str, **settings: Any) -> Top5Error:
    with pytest.raises(kind) as caught:
        get(handler, **settings)
    assert caught.value.reason == reason
    return caught.value


# --- what is sent and what comes back ---


def test_a_plain_answer() -> None:
    headers = {
        "ETag": '"a"',
        "Last-Modified": "Fri, 02 Jan 2026 00:00:00 GMT",
        "Content-Type": "application/rss+xml",
        "Retry-After": "60",
    }
    result = get(answering(headers=headers), path="/feed?x=%2F~#part")
    assert (result.status, result.body, result.bytes_received) == (200, FEED, len(FEED))
    assert (result.etag, result.last_modified) == ('"a"', "Fri, 02 Jan 2026 00:00:00 GMT")
    assert (result.content_type, result.retry_after, result.not_modified) == ("application/rss+xml", 60.0, False)
    assert result.permanent_redirect is None
    assert result.seconds >= 0


def test_what_a_request_says() -> None:
    seen: list[tuple[str, dict[str, str]]] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        seen.append((request.raw_path, dict(request.headers)))
        return web.Response(body=FEED, headers={"Set-Cookie": "track=1"})

    async def scene() -> None:
        async with (
            serving({"/{any}": handle}) as address,
            fetcher(address, user_agent="top5/9", contact_url="https://us.example/") as client,
        ):
            await client.fetch(f"http://{address}/a%20b?sig=%2f%7E", Validators(etag='W/"odd', last_modified="yesterday"))
            await client.fetch(f"http://{address}/a b", accept="text/vtt")

    run(scene())
    (path, first), (second_path, second) = seen
    assert path == "/a%20b?sig=%2f%7E"
    assert first["User-Agent"] == "top5/9 +https://us.example/"
    assert (first["If-None-Match"], first["If-Modified-Since"], first["A-IM"]) == ('W/"odd', "yesterday", "feed")
    assert first["Accept-Encoding"] == accepted_encodings() == "gzip, deflate, br"
    assert second_path == "/a%20b"
    assert second["Accept"] == "text/vtt"
    assert not {"If-None-Match", "If-Modified-Since", "A-IM", "Cookie"} & set(second)


def test_not_modified_keeps_the_validators() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        return web.Response(status=304 if request.headers.get("If-None-Match") == '"a"' else 200)

    async def scene() -> FetchResult:
        async with serving({"/feed": handle}) as address, fetcher(address) as client:
            return await client.fetch(f"http://{address}/feed", Validators(etag='"a"', last_modified="then"))

    result = run(scene())
    assert (result.not_modified, result.body, result.status) == (True, None, 304)
    assert (result.etag, result.last_modified) == ('"a"', "then")


def test_not_modified_without_having_asked_is_the_servers_failure() -> None:
    refused(answering(status=304), TransientError, "server_error")


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        (400, PermanentError, "refused"),
        (401, PermanentError, "unauthorised"),
        (403, PermanentError, "forbidden"),
        (404, PermanentError, "not_found"),
        (408, TransientError, "timeout"),
        (410, PermanentError, "gone"),
        (451, PermanentError, "forbidden"),
        (500, TransientError, "server_error"),
        (503, TransientError, "server_error"),
    ],
)
def test_statuses(status: int, kind: type[Top5Error], reason: str) -> None:
    error = refused(answering(status=status), kind, reason)
    assert str(status) in error.message


@pytest.mark.parametrize(("value", "seconds"), [("120", 120.0), ("Fri, 02 Jan 2026 03:05:05 GMT", 60.0), ("soon", None)])
def test_rate_limits_say_how_long(value: str, seconds: float | None) -> None:
    error = refused(answering(status=429, headers={"Retry-After": value}), TransientError, "rate_limited")
    assert isinstance(error, TransientError)
    assert error.retry_after == seconds


@given(st.text() | st.none())
def test_retry_after_is_bounded(value: str | None) -> None:
    seconds = retry_after_seconds(value, now=NOW)
    assert seconds is None or 0 <= seconds <= 7 * 24 * 3600


def test_tokens_stay_out_of_messages() -> None:
    async def scene() -> None:
        async with serving({}) as address, fetcher(address) as client:
            await client.fetch(f"http://user:password@{address}/feed?token=secret1")

    with pytest.raises(PermanentError) as caught:
        run(scene())
    assert caught.value.reason == "not_found"
    assert "password" not in caught.value.message and "secret1" not in caught.value.message


# --- size and compression ---


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(FEED, mtime=0)),
        ("x-gzip", gzip.compress(FEED, mtime=0)),
        ("gzip", gzip.compress(FEED[:10], mtime=0) + gzip.compress(FEED[10:], mtime=0)),
        ("gzip", gzip.compress(FEED, mtime=0) + b"\0\0\0"),
        ("deflate", zlib.compress(FEED)),
        ("deflate", zlib.compress(FEED)[2:-4]),
        ("br", brotli.compress(FEED)),
        ("identity", FEED),
    ],
)
def test_compressed_bodies(encoding: str, body: bytes) -> None:
    result = get(answering(body, headers={"Content-Encoding": encoding}))
    assert (result.body, result.bytes_received) == (FEED, len(body))


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_large_compressed_bodies_arrive_whole(encoding: str) -> None:
    body = b"".join(b"<item>%d</item>" % number for number in range(60_000))
    compress = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda data: brotli.compress(data, quality=4)}[encoding]
    assert get(answering(compress(body), headers={"Content-Encoding": encoding})).body == body


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br"])
def test_bombs_die_early(encoding: str) -> None:
    compress = {"gzip": gzip.compress, "deflate": zlib.compress, "br": lambda data: brotli.compress(data, quality=4)}[encoding]
    bomb = compress(bytes(20_000_000))
    assert len(bomb) < 100_000
    refused(answering(bomb, headers={"Content-Encoding": encoding}), PermanentError, "too_large", max_bytes=100_000)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [("gzip", FEED), ("br", b"\xff\xff\xff\xff" + FEED), ("deflate", b"\xff" * 50), ("zstd", FEED), ("gzip, gzip", FEED)],
)
def test_wrong_compression(encoding: str, body: bytes) -> None:
    refused(answering(body, headers={"Content-Encoding": encoding}), PermanentError, "bad_encoding")


@pytest.mark.parametrize(("encoding", "body"), [("gzip", gzip.compress(FEED, mtime=0)[:-12]), ("br", brotli.compress(FEED)[:-6])])
def test_a_compressed_body_cut_short(encoding: str, body: bytes) -> None:
    refused(answering(body, headers={"Content-Encoding": encoding}), TransientError, "connection")


def test_a_stated_length_over_the_limit() -> None:
    refused(answering(b"x" * 2000), PermanentError, "too_large", max_bytes=1000)


def test_a_body_of_exactly_the_limit() -> None:
    assert get(answering(b"x" * 1000), max_bytes=1000).body == b"x" * 1000


def test_an_endless_body() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 65536)

    refused(handle, PermanentError, "too_large", max_bytes=1_000_000)


def test_a_sink_takes_the_body() -> None:
    sink = io.BytesIO()

    async def scene() -> FetchResult:
        async with serving({"/audio": answering(b"x" * 300_000)}) as address, fetcher(address, max_bytes=1000) as client:
            return await client.fetch(f"http://{address}/audio", max_bytes=1_000_000, sink=sink)

    result = run(scene())
    assert (result.body, result.bytes_received, len(sink.getvalue())) == (None, 300_000, 300_000)


# --- time and broken connections ---


def test_a_slow_drip_dies_at_the_total_timeout() -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b"x")
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), 0.02)
        return response

    refused(handle, TransientError, "timeout", timeout=0.3)


def test_a_silent_server_dies_at_the_timeout() -> None:
    async def scene() -> None:
        async with speaking(b"", close=False) as address, fetcher(address, timeout=0.2) as client:
            await client.fetch(f"http://{address}/")

    with pytest.raises(TransientError) as caught:
        run(scene())
    assert caught.value.reason == "timeout"


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort", TransientError, "connection"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", TransientError, "connection"),
        (b"", TransientError, "connection"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfeed and more", PermanentError, "not_http"),
        (b"SSH-2.0-OpenSSH_9.6\r\n\r\n", PermanentError, "not_http"),
        (b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 100_000 + b"\r\n\r\n", PermanentError, "not_http"),
    ],
    ids=["short", "chunked", "closed", "too long", "ssh", "header"],
)
def test_broken_answers(answer: bytes, kind: type[Top5Error], reason: str) -> None:
    async def scene() -> None:
        async with speaking(answer) as address, fetcher(address) as client:
            await client.fetch(f"http://{address}/")

    with pytest.raises(kind) as caught:
        run(scene())
    assert caught.value.reason == reason


def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"

    async def scene() -> None:
        async with fetcher(address) as client:
            await client.fetch(f"http://{address}/")

    with pytest.raises(TransientError) as caught:
        run(scene())
    assert caught.value.reason == "connection"


# --- redirects ---


def chain(statuses: list[int], **settings: Any) -> tuple[FetchResult, str]:
    """The result of following these redirects, and the server's address."""

    async def scene() -> tuple[FetchResult, str]:
        routes = {f"/{step}": redirecting(f"/{step + 1}", status) for step, status in enumerate(statuses)}
        routes[f"/{len(statuses)}"] = answering()
        async with serving(routes) as address, fetcher(address, **settings) as client:
            return await client.fetch(f"http://{address}/0"), address

    return run(scene())


@pytest.mark.parametrize(
    ("statuses", "permanent"),
    [
        ([301], True),
        ([308], True),
        ([301, 308], True),
        ([302], False),
        ([307], False),
        ([303], False),
        ([301, 302], False),
        ([302, 301], False),
    ],
)
def test_redirects_are_permanent_only_as_a_whole(statuses: list[int], permanent: bool) -> None:
    result, address = chain(statuses)
    assert result.final_url == f"http://{address}/{len(statuses)}"
    assert result.url == f"http://{address}/0"
    assert result.body == FEED
    assert result.permanent_redirect == (result.final_url if permanent else None)


def test_as_many_redirects_as_allowed() -> None:
    assert chain([302] * 3, max_redirects=3)[0].body == FEED
    with pytest.raises(PermanentError) as caught:
        chain([302] * 4, max_redirects=3)
    assert caught.value.reason == "too_many_redirects"


def test_a_redirect_loop() -> None:
    error = refused(redirecting("/feed"), PermanentError, "too_many_redirects")
    assert "circle" in error.message


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ("http://169.254.169.254/latest/meta-data", "private_address"),
        ("http://10.0.0.1/", "private_address"),
        ("http://[::1]/", "private_address"),
        ("http://[::ffff:127.0.0.1]/", "private_address"),
        ("//127.0.0.1/", "private_address"),
        ("file:///etc/passwd", "not_http"),
        ("gopher://a.example/", "not_http"),
        ("http://[bad/", "bad_url"),
        ("", "bad_url"),
    ],
)
def test_redirects_are_checked_like_the_first_address(location: str, reason: str) -> None:
    refused(redirecting(location), PermanentError, reason)


# --- private addresses ---


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "localhost", "0.0.0.0", "127.1", "2130706433", "0x7f000001"]
)
def test_the_loopback_address_is_refused_in_every_spelling(host: str) -> None:
    hits: list[str] = []

    async def handle(request: web.Request) -> web.StreamResponse:
        hits.append(host)
        return web.Response(body=FEED)

    async def scene() -> None:
        async with serving({"/": handle}) as address, Fetcher(ScanSettings(timeout=5)) as client:
            await client.fetch(f"http://{host}:{address.split(':')[1]}/")

    with pytest.raises(Top5Error) as caught:
        run(scene())
    assert caught.value.reason in ("private_address", "bad_url", "dns")
    assert hits == []


def test_an_allowed_address_allows_no_other_port() -> None:
    async def scene() -> None:
        async with serving({"/": answering()}) as address, fetcher("127.0.0.1:1") as client:
            await client.fetch(f"http://{address}/")

    with pytest.raises(PermanentError) as caught:
        run(scene())
    assert caught.value.reason == "private_address"
    assert "scan.allow_private" in caught.value.message


def named(names: dict[str, list[str]], host: str, *, allow: str | None = None) -> FetchResult:
    """Fetch http://`host`:port/ from a local server while the resolver says `names`."""

    async def scene() -> FetchResult:
        async with serving({"/": answering()}) as address:
            port = address.split(":")[1]
            async with fetcher(f"{allow}:{port}" if allow else "", FakeResolver(names)) as client:
                return await client.fetch(f"http://{host}:{port}/")

    return run(scene())


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:192.168.0.1", "100.64.0.1"]
)
def test_a_public_name_with_a_private_address(address: str) -> None:
    with pytest.raises(PermanentError) as caught:
        named({"rebind.example": [address]}, "rebind.example")
    assert caught.value.reason == "private_address"


def test_an_allowed_name_reaches_its_private_address() -> None:
    assert named({"intra.example": ["127.0.0.1"]}, "intra.example", allow="intra.example").body == FEED


def test_an_allowed_name_lets_no_other_name_through() -> None:
    with pytest.raises(PermanentError) as caught:
        named({"intra.example": ["127.0.0.1"], "evil.example": ["127.0.0.1"]}, "evil.example", allow="intra.example")
    assert caught.value.reason == "private_address"


def test_the_socket_is_checked_when_the_resolver_was_fooled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "top5.feeds.fetch.GuardedResolver.resolve", lambda self, *args, **named: self._inner.resolve(*args, **named)
    )
    with pytest.raises(PermanentError) as caught:
        named({"rebind.example": ["127.0.0.1"]}, "rebind.example")
    assert caught.value.reason == "private_address"


def test_an_unknown_name() -> None:
    with pytest.raises(TransientError) as caught:
        named({}, "missing.example")
    assert caught.value.reason == "dns"


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert get(answering()).body == FEED


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])
def test_public_addresses(address: str) -> None:
    assert is_public_address(address)


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0",
        "10.1.2.3",
        "100.64.0.1",
        "127.0.0.1",
        "127.255.255.254",
        "169.254.169.254",
        "172.16.0.1",
        "192.0.2.1",
        "192.168.1.1",
        "198.18.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2001::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "fc00::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "ff02::1",
        "",
        "name",
    ],
)
def test_private_addresses(address: str) -> None:
    assert not is_public_address(address)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "not_http"),
        ("ftp://a.example/", "not_http"),
        ("javascript:alert(1)", "not_http"),
        ("http://", "bad_url"),
        ("http://a.example:99999/", "bad_url"),
        ("http://a.example:0/", "bad_url"),
        ("http://a.example/\r\nHost: b", "bad_url"),
        ("http://a\udc80.example/", "bad_url"),
        ("http://a.example/" + "x" * 10_000, "bad_url"),
    ],
)
def test_unusable_urls(url: str, reason: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parse_target(url)
    assert caught.value.reason == reason
    assert len(caught.value.message) < 400


@given(st.text())
def test_any_text_as_url(url: str) -> None:
    try:
        parse_target(url)
    except PermanentError as error:
        assert error.reason in ("bad_url", "not_http")


# --- politeness ---


def test_no_more_connections_than_allowed() -> None:
    busy: dict[str, int] = {}
    peak: dict[str, int] = {}

    async def scene() -> list[FetchResult]:
        gate = asyncio.Event()
        arrived = 0

        async def handle(request: web.Request) -> web.StreamResponse:
            nonlocal arrived
            for key in (request.host.split(":")[0], "all"):
                busy[key] = busy.get(key, 0) + 1
                peak[key] = max(peak.get(key, 0), busy[key])
            arrived += 1
            if arrived == 3:
                gate.set()
            await gate.wait()
            for key in (request.host.split(":")[0], "all"):
                busy[key] -= 1
            return web.Response(body=FEED)

        async with serving({"/": handle}) as address:
            port = address.split(":")[1]
            hosts = [f"{name}.example" for name in "abc"]
            settings = ScanSettings(
                timeout=10,
                max_connections=3,
                max_connections_per_host=1,
                allow_private=tuple(f"{host}:{port}" for host in hosts),
            )
            async with Fetcher(settings, resolver=FakeResolver({host: ["127.0.0.1"] for host in hosts})) as client:
                return await asyncio.gather(*(client.fetch(f"http://{host}:{port}/") for host in hosts * 4))

    results = run(scene())
    assert [result.body for result in results] == [FEED] * 12
    assert peak == {"a.example": 1, "b.example": 1, "c.example": 1, "all": 3}


def connected_to(connect_to: Callable[[str], dict[str, str]], url: str, *, allow: bool = True) -> FetchResult:
    async def scene() -> FetchResult:
        async with serving({"/feed": answering()}) as address:
            settings = {"connect_to": connect_to(address)}
            async with fetcher(address if allow else "", FakeResolver({"other.org": ["127.0.0.1"]}), **settings) as client:
                return await client.fetch(url)

    return run(scene())


@pytest.mark.parametrize("key", ["a.sample", ".sample", "A.Sample"])
def test_a_host_is_reached_where_the_operator_says(key: str) -> None:
    result = connected_to(lambda address: {key: address}, "http://a.sample/feed")
    assert (result.body, result.final_url) == (FEED, "http://a.sample/feed")


def test_where_the_operator_says_is_guarded_all_the_same() -> None:
    with pytest.raises(PermanentError) as caught:
        connected_to(lambda address: {".sample": address}, "http://a.sample/feed", allow=False)
    assert caught.value.reason == "private_address"


def test_other_hosts_are_resolved_as_ever() -> None:
    with pytest.raises(PermanentError) as caught:
        connected_to(lambda address: {".sample": address}, "http://other.org/feed")
    assert caught.value.reason == "private_address"
