"""HTTP: bytes and validators from a URL that a stranger chose.

Belongs here: one polite, bounded, guarded GET, for feeds, transcripts and audio alike. What the bytes mean is decided by `parse`
and others; when to fetch, by the scanner. Pure functions decide (`parse_target`, `judge`, `retry_after_seconds`,
`is_public_address`); `Fetcher` does the I/O.

The guard against server-side request forgery checks the address that is dialled, not only the name in the URL, because a name may
point anywhere by the time it is used: the resolver drops private addresses, literal addresses are checked before each hop, and
each socket once more before it connects. aiohttp asks no resolver for literal addresses, so no one of the three suffices.
"""

import asyncio
import ipaddress
import re
import socket
import ssl
import time
import zlib
from collections.abc import Callable, Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from importlib import import_module
from types import TracebackType
from typing import BinaryIO, Protocol, cast
from urllib.parse import SplitResult, urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from top5.errors import PermanentError, TransientError
from top5.settings import ScanSettings
from top5.urls import mask_url

FEED_ACCEPT = "application/rss+xml, application/atom+xml;q=0.9, application/xml;q=0.8, text/xml;q=0.8, */*;q=0.5"
_PIECE = 64 * 1024
_MAX_URL = 8_192
_MAX_RETRY_AFTER = 7 * 24 * 3600.0
_PERMANENT_REDIRECTS = frozenset({301, 308})
_REDIRECTS = frozenset({300, 301, 302, 303, 307, 308})
_PLAIN_URL = re.compile(r"[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+")
_PORTS = {"http": 80, "https": 443}
_USUAL_URL = re.compile(r"(https?)://([A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?)(?::(\d{1,5}))?(?=[/?#]|$)")
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
# RFC 6890's registry inside 2000::/3: IETF protocol assignments with Teredo, documentation (two blocks), 6to4.
_NOT_GLOBAL = tuple(ipaddress.IPv6Network(block) for block in ("2001::/23", "2001:db8::/32", "3fff::/20", "2002::/16"))


@dataclass(frozen=True)
class Validators:
    """What a server said about a body earlier, sent back byte for byte to ask whether it changed (RFC 9110, 13.1)."""

    etag: str | None = None
    last_modified: str | None = None


@dataclass(frozen=True)
class FetchResult:
    """One answer. `body` is None when `not_modified`, or when the bytes went to a sink.

    `permanent_redirect` is where the URL moved for good: the final URL, if every redirect on the way was 301 or 308.
    `retry_after` and `seconds` are seconds; `bytes_received` counts the body as it came over the wire, before decompression.
    `partial` says that the body holds new items only (RFC 3229, status 226); `redirects` are (status, next URL), in order.
    """

    url: str
    final_url: str
    status: int | None
    body: bytes | None
    etag: str | None = None
    last_modified: str | None = None
    content_type: str | None = None
    not_modified: bool = False
    permanent_redirect: str | None = None
    retry_after: float | None = None
    seconds: float = 0.0
    bytes_received: int = 0
    cache_control: str | None = None
    partial: bool = False
    redirects: tuple[tuple[int, str], ...] = ()


class LargeBodies:
    """A few turns for bodies that grow large, so that a scan's memory is bounded whatever its servers send at the same time."""

    def __init__(self, turns: int = 2, size: int = 1_000_000) -> None:
        self.size = size
        self._turns = asyncio.Semaphore(turns)

    def hold(self) -> "BodyHold":
        """For one fetch: keeps its turn, should it need one, until the block is left."""
        return BodyHold(self._turns, self.size)


class BodyHold:
    """One fetch's claim on a turn of `LargeBodies`; use as `async with`."""

    def __init__(self, turns: asyncio.Semaphore, size: int) -> None:
        self.size = size
        self.held = False
        self._turns = turns

    async def __aenter__(self) -> "BodyHold":
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.held:
            self._turns.release()

    async def take(self, deadline: "Deadline") -> None:
        """Wait for a turn; the wait does not count towards `deadline`."""
        with deadline.paused():
            await self._turns.acquire()
        self.held = True


class Deadline:
    """The end of a transfer, `seconds` from now, or earlier where the server falls silent for `stall` seconds after it was reached."""

    def __init__(self, seconds: float, connect: float, stall: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._end, self._stall = self._loop.time() + seconds, stall
        self.timeout = asyncio.timeout(min(seconds, connect + stall))

    def heard(self) -> None:
        """The server said something."""
        self.timeout.reschedule(min(self._end, self._loop.time() + self._stall))

    @contextmanager
    def paused(self) -> Generator[None, None, None]:
        """A wait that is not the server's."""
        before = self._loop.time()
        self.timeout.reschedule(None)
        yield
        self._end += self._loop.time() - before
        self.heard()


# --- deciding -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Target:
    """A URL that may be asked: http or https, with a host. `key` is what `ScanSettings.allow_private` lists."""

    url: str
    host: str
    port: int

    @property
    def key(self) -> str:
        """`host:port`, IPv6 without brackets."""
        return f"{self.host}:{self.port}"

    @property
    def shown(self) -> str:
        """The URL as it may be printed."""
        return mask_url(self.url)

    @property
    def literal(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
        """The address, where the host is one and not a name."""
        try:
            return ipaddress.ip_address(self.host)
        except ValueError:
            return None


@dataclass(frozen=True)
class Redirect:
    """The answer sends us on; `url` is absolute."""

    url: str
    permanent: bool
    status: int = 302


@dataclass(frozen=True)
class Body:
    """The answer carries what was asked for."""


@dataclass(frozen=True)
class NotModified:
    """The answer says that the validators still hold."""


Verdict = Redirect | Body | NotModified


def parse_target(url: str) -> Target:
    """Host and port behind a URL. Raises PermanentError: `not_http` for other schemes, `bad_url` for what cannot be read."""
    usual = _USUAL_URL.match(url) if len(url) <= _MAX_URL and url.isascii() and url.isprintable() else None
    if usual:
        scheme, name, digits = usual.groups()
        if digits is None or 0 < int(digits) < 65_536:
            return Target(url, name.lower(), int(digits) if digits else _PORTS[scheme])
    shown = mask_url(url)
    if len(url) > _MAX_URL or _UNUSABLE.search(url):
        raise PermanentError("bad_url", f"{shown[:200]!r} is no usable URL; correct it.")
    try:
        parts: SplitResult = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise PermanentError("bad_url", f"{shown[:200]!r} is no usable URL ({error}); correct it.") from error
    if parts.scheme not in _PORTS:
        raise PermanentError("not_http", f"{shown[:200]!r} is no http or https address; correct it.")
    if not host or port == 0:
        raise PermanentError("bad_url", f"{shown[:200]!r} names no host; correct it.")
    return Target(url=url, host=host.split("%")[0], port=port or _PORTS[parts.scheme])


def judge(target: Target, status: int, headers: Mapping[str, str], *, conditional: bool, now: datetime) -> Verdict:
    """What an answer's status and headers mean; raises PermanentError or TransientError where they mean failure.

    `conditional` says whether validators were sent: 304 without them is the server's mistake.
    """
    if status == 304 and conditional:
        return NotModified()
    if 200 <= status < 300:
        return Body()
    shown = target.shown
    if status in _REDIRECTS:
        location = headers.get("Location", "").strip()
        try:
            following = urljoin(target.url, location) if location else ""
        except ValueError:
            following = ""
        if not following:
            raise PermanentError("bad_url", f"{shown} redirects to no usable address; tell the publisher or update the address.")
        return Redirect(following, permanent=status in _PERMANENT_REDIRECTS, status=status)
    wait = retry_after_seconds(headers.get("Retry-After"), now=now)
    if status in (401, 407):
        raise PermanentError("unauthorised", f"{shown} asks for a login (HTTP {status}); put the private feed's full address in.")
    if status in (402, 403, 451):
        raise PermanentError(
            "forbidden", f"{shown} refuses us (HTTP {status}); check that the address is public and still yours."
        )
    if status == 404:
        raise PermanentError("not_found", f"{shown} does not exist (HTTP 404); check the address.")
    if status == 410:
        raise PermanentError("gone", f"{shown} was removed for good (HTTP 410); unsubscribe or find the new address.")
    if status == 429:
        raise TransientError(
            "rate_limited", f"{shown} asks us to come back later (HTTP 429); poll it less often.", retry_after=wait
        )
    if status in (408, 425):
        raise TransientError("timeout", f"{shown} was not ready (HTTP {status}); it is tried again.", retry_after=wait)
    if status >= 500 or status == 304:
        raise TransientError("server_error", f"{shown} failed on its side (HTTP {status}); it is tried again.", retry_after=wait)
    raise PermanentError("refused", f"{shown} does not accept the request (HTTP {status}); check the address.")


def retry_after_seconds(value: str | None, *, now: datetime) -> float | None:
    """Seconds (0 to a week) that a Retry-After header asks for, as number or date (RFC 9110, 10.2.3); None where unreadable."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), _MAX_RETRY_AFTER)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max((moment - now).total_seconds(), 0.0), _MAX_RETRY_AFTER)


def is_public_address(address: str) -> bool:
    """Whether everybody can reach an IP address: not private, loopback, link-local (cloud metadata), multicast, reserved, CGNAT.

    IPv4 inside IPv6 (mapped, NAT64) is judged by the IPv4 address; 6to4 and Teredo are refused, for nothing public lives there
    any more.
    """
    try:
        ip = ipaddress.ip_address(address.split("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip in _NAT64:
            ip = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        else:
            return ip in _GLOBAL_UNICAST and not any(ip in block for block in _NOT_GLOBAL)
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_unspecified)


# --- decompressing --------------------------------------------------------------------------------


class _BadStreamError(Exception):
    """The bytes are not compressed as the header says."""


class _Inflater(Protocol):
    def feed(self, data: bytes) -> bytes:
        """At most about _PIECE bytes; call again with b"" until it gives nothing. Raises _BadStreamError."""
        ...

    @property
    def finished(self) -> bool: ...


class _Identity:
    finished = True

    def feed(self, data: bytes) -> bytes:
        return data


class _Zlib:
    """gzip (several members allowed, RFC 1952) and deflate (with or without the zlib header that RFC 9110 asks for)."""

    def __init__(self, encoding: str) -> None:
        self._gzip = encoding == "gzip"
        self._inflater = zlib.decompressobj(wbits=31) if self._gzip else None
        self._pending = b""

    @property
    def finished(self) -> bool:
        return self._inflater is not None and self._inflater.eof

    def feed(self, data: bytes) -> bytes:
        pending = self._pending + data
        self._pending = b""
        while pending or (self._inflater is not None and not self._inflater.eof):
            if self._inflater is None:
                self._inflater = zlib.decompressobj(wbits=15 if pending[0] & 0x0F == 8 else -15)
            elif self._inflater.eof:
                if not self._gzip or not pending.startswith(b"\x1f"):
                    # Padding behind the stream, which some servers send.
                    return b""
                self._inflater = zlib.decompressobj(wbits=31)
            try:
                piece = self._inflater.decompress(pending, _PIECE)
            except zlib.error as error:
                raise _BadStreamError(str(error)) from error
            pending = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail
            if piece:
                self._pending = pending
                return piece
            if not pending:
                break
        return b""


class _BrotliDecompressor(Protocol):
    def process(self, data: bytes, *, output_buffer_limit: int) -> bytes: ...
    def can_accept_more_data(self) -> bool: ...
    def is_finished(self) -> bool: ...


class _Brotli:
    def __init__(self, inflater: _BrotliDecompressor, error_type: type[Exception]) -> None:
        self._inflater = inflater
        self._error_type = error_type
        self._pending = b""

    @property
    def finished(self) -> bool:
        return self._inflater.is_finished()

    def feed(self, data: bytes) -> bytes:
        self._pending += data
        if self._inflater.is_finished():
            return b""
        ready = self._inflater.can_accept_more_data()
        pending = self._pending if ready else b""
        self._pending = b"" if ready else self._pending
        try:
            return self._inflater.process(pending, output_buffer_limit=_PIECE)
        except self._error_type as error:
            raise _BadStreamError("brotli") from error


def _brotli() -> _Brotli | None:
    """A decompressor whose output can be bounded (brotli 1.2 and later), or None; without it `br` is not offered."""
    try:
        module = import_module("brotli")
    except ImportError:
        return None
    inflater = cast(Callable[[], _BrotliDecompressor], module.Decompressor)()
    return _Brotli(inflater, cast(type[Exception], module.error)) if hasattr(inflater, "can_accept_more_data") else None


def accepted_encodings() -> str:
    """The Accept-Encoding that can be kept: with `br` only where it can be decompressed within bounds."""
    return "gzip, deflate, br" if _brotli() is not None else "gzip, deflate"


def _inflater_for(encoding: str, shown: str) -> _Inflater:
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return _Identity()
    if name in ("gzip", "x-gzip", "deflate"):
        return _Zlib(name.removeprefix("x-"))
    brotli = _brotli() if name == "br" else None
    if brotli is not None:
        return brotli
    raise PermanentError("bad_encoding", f"{shown} is compressed as {name[:40]!r}, which was not asked for; tell the publisher.")


# --- doing ----------------------------------------------------------------------------------------


class _PrivateAddressError(OSError):
    """A dial was refused; an OSError, because that is what aiohttp passes on."""


class _Guard:
    """Which addresses may be dialled: public ones, and those of `allow_private`."""

    def __init__(self, allow: tuple[str, ...]) -> None:
        self._allow = frozenset(entry.strip().lower() for entry in allow)
        self._resolved: set[tuple[str, int]] = set()
        self._checked: set[tuple[str, int]] = set()

    def allows_name(self, host: str, port: int) -> bool:
        return f"{host}:{port}".lower() in self._allow

    def check_target(self, target: Target) -> None:
        """Raise PermanentError (`private_address`) where the host is a literal address that may not be dialled."""
        if (target.host, target.port) in self._checked:
            return
        literal = target.literal
        if literal is not None and not self.allows_name(target.host, target.port) and not is_public_address(str(literal)):
            raise _private(target)
        self._checked.add((target.host, target.port))

    def remember(self, address: str, port: int) -> None:
        """An allowed name's address, so that the socket check lets it through."""
        self._resolved.add((address, port))

    def make_socket(self, address_info: tuple[object, ...]) -> socket.socket:
        """The last check: aiohttp calls this with the very address that it is about to dial, whatever was said before."""
        family, kind, protocol, _, address = cast(
            tuple[socket.AddressFamily, socket.SocketKind, int, str, tuple[str, int]], address_info
        )
        host, port = address[0], address[1]
        if not (is_public_address(host) or self.allows_name(host, port) or (host, port) in self._resolved):
            raise _PrivateAddressError(f"{host} is not public")
        return socket.socket(family=family, type=kind, proto=protocol)


class GuardedResolver(AbstractResolver):
    """Names to addresses, without those that are not public."""

    def __init__(self, guard: _Guard, inner: AbstractResolver) -> None:
        self._guard = guard
        self._inner = inner

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Public addresses of `host`, all of them where `host:port` is allowed; OSError where none is left."""
        found = await self._inner.resolve(host, port, family)
        if self._guard.allows_name(host, port):
            for result in found:
                self._guard.remember(result["host"], port)
            return found
        public = [
            result
            for result in found
            if is_public_address(result["host"]) or self._guard.allows_name(result["host"], result["port"])
        ]
        if found and not public:
            raise _PrivateAddressError(f"{host} has no public address")
        return public

    async def close(self) -> None:
        """Close the resolver that does the work."""
        await self._inner.close()


class ConnectToResolver(AbstractResolver):
    """`ScanSettings.connect_to`: some hosts are reached at an address of the operator's choice, as with curl's --connect-to.

    Keys are host names, or suffixes that begin with a dot; values `address:port`. The guard checks the address all the same.
    """

    def __init__(self, connect_to: Mapping[str, str], inner: AbstractResolver) -> None:
        self._connect_to = {name.lower(): target for name, target in connect_to.items()}
        self._inner = inner

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """The chosen address, or what the resolver inside says."""
        name = host.lower()
        suffixes = (name[dot:] for dot, letter in enumerate(name) if letter == ".")
        target = next((self._connect_to[key] for key in (name, *suffixes) if key in self._connect_to), None)
        if target is None:
            return await self._inner.resolve(host, port, family)
        address, _, target_port = target.rpartition(":")
        address = address.strip("[]")
        version = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [
            ResolveResult(
                hostname=host, host=address, port=int(target_port), family=version, proto=0, flags=socket.AI_NUMERICHOST
            )
        ]

    async def close(self) -> None:
        """Close the resolver inside."""
        await self._inner.close()


class Fetcher:
    """One HTTP session for many fetches; use as `async with Fetcher(settings) as fetcher`.

    At most `max_connections` transfers at a time, `max_connections_per_host` of them with one host; waiting for a turn does not
    count towards the timeouts. No cookies, no proxies from the environment. `resolver` replaces the system's, `now` and
    `monotonic` the clocks.
    """

    def __init__(
        self,
        settings: ScanSettings,
        *,
        resolver: AbstractResolver | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._resolver = resolver
        self._now = now
        self._monotonic = monotonic
        self._guard = _Guard(settings.allow_private)
        self._transfers = asyncio.Semaphore(settings.max_connections)
        self._hosts: dict[str, asyncio.Semaphore] = {}
        self._session: aiohttp.ClientSession | None = None
        self._exit = AsyncExitStack()

    async def __aenter__(self) -> "Fetcher":
        settings = self._settings
        contact = f" +{settings.contact_url}" if settings.contact_url else ""
        connector = aiohttp.TCPConnector(
            # Turns are given by our own semaphores: aiohttp's limits would let the wait eat the timeouts.
            limit=0,
            resolver=GuardedResolver(
                self._guard, ConnectToResolver(settings.connect_to, self._resolver or aiohttp.DefaultResolver())
            ),
            socket_factory=self._guard.make_socket,
        )
        session = aiohttp.ClientSession(
            connector=connector,
            headers={"User-Agent": f"{settings.user_agent}{contact}", "Accept-Encoding": accepted_encodings()},
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=None,
                sock_connect=settings.connect_timeout,
                # Of the wait for an answer `Deadline` takes care, with one timer instead of two.
                sock_read=None,
            ),
        )
        self._session = await self._exit.enter_async_context(session)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._session = None
        await self._exit.aclose()

    async def fetch(
        self,
        url: str,
        validators: Validators | None = None,
        *,
        max_bytes: int | None = None,
        accept: str = FEED_ACCEPT,
        timeout: float | None = None,
        sink: BinaryIO | None = None,
        hold: BodyHold | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> FetchResult:
        """GET `url`, following redirects; with `validators`, only if it changed.

        `max_bytes` (default: the settings') bounds the body both on the wire and decompressed; `timeout` (default: the settings')
        the seconds of all hops together. `headers` are added for the host of `url` alone, so that a redirect takes no key elsewhere.
        A body that grows beyond `hold.size` waits for its turn. With a `sink` it is written there piece by piece instead of being
        kept; after an error it holds a part. Raises PermanentError (`gone`, `not_found`, `forbidden`, `unauthorised`, `refused`, `too_large`,
        `bad_url`, `private_address`, `too_many_redirects`, `not_http`, `bad_encoding`) or TransientError (`timeout`, `dns`,
        `connection`, `rate_limited`, `server_error`, `not_saved`).
        """
        session = self._session
        if session is None:
            raise RuntimeError("Fetcher is used outside of `async with`")
        validators = validators or Validators()
        target = parse_target(url)
        fetch = _Fetch(
            session=session,
            url=url,
            headers=_request_headers(validators, accept),
            own_headers=headers or {},
            own_host=target.key if headers else "",
            validators=validators,
            limit=max_bytes or self._settings.max_bytes,
            connect=self._settings.connect_timeout,
            stall=self._settings.timeout / 2,
            sink=sink,
            now=self._now,
            hold=hold,
        )
        redirects: list[tuple[int, str]] = []
        remaining = timeout or self._settings.timeout
        seconds = 0.0
        current, permanent, seen = url, True, {url}
        for hop in range(self._settings.max_redirects + 1):
            target = parse_target(current) if hop else target
            self._guard.check_target(target)
            # The host's turn first: whoever queues for a busy host must not occupy a place that others could use.
            host_turn = self._hosts.get(target.host)
            if host_turn is None:
                host_turn = self._hosts[target.host] = asyncio.Semaphore(self._settings.max_connections_per_host)
            async with host_turn, self._transfers:
                started = self._monotonic()
                outcome = await fetch.hop(target, remaining)
                seconds += (spent := self._monotonic() - started)
                remaining -= spent
            if not isinstance(outcome, Redirect):
                moved = current if hop and permanent else None
                return fetch.result(outcome, target, permanent_redirect=moved, seconds=seconds, redirects=tuple(redirects))
            permanent = permanent and outcome.permanent
            current = outcome.url
            redirects.append((outcome.status, current))
            if current in seen:
                raise PermanentError("too_many_redirects", f"{mask_url(url)} redirects in a circle; tell the publisher.")
            if remaining <= 0:
                raise _timed_out(target)
            seen.add(current)
        limit = self._settings.max_redirects
        message = f"{mask_url(url)} redirects more than {limit} times; use its final address or raise scan.max_redirects."
        raise PermanentError("too_many_redirects", message)


@dataclass(slots=True)
class _Answer:
    verdict: Body | NotModified
    status: int
    headers: Mapping[str, str]
    body: bytes | None
    received: int


@dataclass(slots=True)
class _Fetch:
    """The unchanging part of one fetch over all its hops."""

    session: aiohttp.ClientSession
    url: str
    headers: Mapping[str, str]
    validators: Validators
    limit: int
    connect: float
    stall: float
    sink: BinaryIO | None
    now: Callable[[], datetime]
    hold: BodyHold | None = None
    own_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    own_host: str = ""

    async def hop(self, target: Target, seconds: float) -> Redirect | _Answer:
        """One request within `seconds`; aiohttp's errors become ours."""
        conditional = bool(self.validators.etag or self.validators.last_modified)
        headers = {**self.headers, **self.own_headers} if self.own_headers and target.key == self.own_host else self.headers
        try:
            deadline = Deadline(seconds, self.connect, self.stall)
            async with (
                deadline.timeout,
                self.session.get(_yarl(target), headers=headers, allow_redirects=False) as response,
            ):
                verdict = judge(target, response.status, response.headers, conditional=conditional, now=self.now())
                if isinstance(verdict, Redirect):
                    return verdict
                if isinstance(verdict, NotModified):
                    return _Answer(verdict, response.status, response.headers, None, 0)
                body, received = await self._read(response, target.shown, deadline)
                return _Answer(verdict, response.status, response.headers, body, received)
        except TimeoutError as error:
            # asyncio's and all of aiohttp's timeouts alike.
            raise _timed_out(target) from error
        except ValueError as error:
            # aiohttp's InvalidURL, yarl's complaints, and names that IDNA cannot encode.
            raise PermanentError("bad_url", f"{target.shown[:200]!r} is no usable URL; correct it.") from error
        except aiohttp.ClientConnectorCertificateError as error:
            message = f"{target.shown} has no valid certificate ({error.certificate_error}); tell the publisher."
            raise TransientError("connection", message[:400]) from error
        except aiohttp.ClientConnectorError as error:
            if isinstance(error.os_error, _PrivateAddressError):
                raise _private(target) from error
            if isinstance(error, aiohttp.ClientConnectorDNSError):
                raise TransientError(
                    "dns", f"The host of {target.shown} cannot be found; check its spelling and your DNS."
                ) from error
            raise TransientError(
                "connection", f"{target.shown} cannot be reached ({_cause(error.os_error)}); it is tried again."
            ) from error
        except aiohttp.ClientResponseError as error:
            raise PermanentError("not_http", f"{target.shown} does not answer in proper HTTP; check the address.") from error
        except (aiohttp.ClientError, OSError) as error:
            raise TransientError(
                "connection", f"{target.shown} broke off ({type(error).__name__}); it is tried again."
            ) from error

    async def _read(self, response: aiohttp.ClientResponse, shown: str, deadline: Deadline) -> tuple[bytes | None, int]:
        too_large = PermanentError(
            "too_large", f"{shown} is larger than {self.limit} bytes; raise the limit (scan.max_bytes for feeds) if you trust it."
        )
        if (response.content_length or 0) > self.limit:
            raise too_large
        inflater = _inflater_for(response.headers.get("Content-Encoding", ""), shown)
        compressed = not isinstance(inflater, _Identity)
        kept = bytearray()
        received = size = 0
        try:
            async for chunk in response.content.iter_any():
                deadline.heard()
                received += len(chunk)
                if received > self.limit:
                    raise too_large
                piece = inflater.feed(chunk)
                while piece:
                    size += len(piece)
                    if size > self.limit:
                        raise too_large
                    if self.sink is None:
                        if self.hold is not None and not self.hold.held and size > self.hold.size:
                            await self.hold.take(deadline)
                        kept += piece
                    else:
                        _write(self.sink, piece, shown)
                    piece = inflater.feed(b"") if compressed else b""
        except _BadStreamError as error:
            raise PermanentError(
                "bad_encoding", f"{shown} is not compressed as it says ({error}); tell the publisher."
            ) from error
        if received and not inflater.finished:
            raise TransientError("connection", f"{shown} broke off inside its compressed body; it is tried again.")
        return (bytes(kept) if self.sink is None else None), received

    def result(
        self,
        answer: _Answer,
        target: Target,
        *,
        permanent_redirect: str | None,
        seconds: float,
        redirects: tuple[tuple[int, str], ...],
    ) -> FetchResult:
        """The answer as callers see it."""
        headers, sent = answer.headers, self.validators
        unchanged = isinstance(answer.verdict, NotModified)
        return FetchResult(
            url=self.url,
            final_url=target.url,
            status=answer.status,
            body=answer.body,
            # A 304 may leave them out; what was sent still holds.
            etag=headers.get("ETag") or (sent.etag if unchanged else None),
            last_modified=headers.get("Last-Modified") or (sent.last_modified if unchanged else None),
            content_type=headers.get("Content-Type"),
            not_modified=unchanged,
            permanent_redirect=permanent_redirect,
            retry_after=retry_after_seconds(headers.get("Retry-After"), now=self.now()),
            seconds=seconds,
            bytes_received=answer.received,
            cache_control=headers.get("Cache-Control"),
            partial=answer.status == 226 and "feed" in headers.get("IM", "").lower(),
            redirects=redirects,
        )


def _request_headers(validators: Validators, accept: str) -> dict[str, str]:
    headers = {"Accept": accept}
    if validators.etag:
        headers["If-None-Match"] = validators.etag
        # RFC 3229 with "feed": the server may answer with the new items only.
        headers["A-IM"] = "feed"
    if validators.last_modified:
        headers["If-Modified-Since"] = validators.last_modified
    return headers


def _write(sink: BinaryIO, piece: bytes, shown: str) -> None:
    try:
        sink.write(piece)
    except OSError as error:
        message = f"{shown} could not be saved ({error.strerror or type(error).__name__}); free some space or check permissions."
        raise TransientError("not_saved", message) from error


def _yarl(target: Target) -> URL:
    # Signed URLs break when their escapes are rewritten, so a URL that is already well-formed goes out as it came.
    well_formed = _PLAIN_URL.fullmatch(target.url) is not None and _BAD_ESCAPE.search(target.url) is None
    return URL(target.url.partition("#")[0], encoded=well_formed)


def _private(target: Target) -> PermanentError:
    allow = f"if that is meant, add {target.key!r} to scan.allow_private"
    return PermanentError("private_address", f"{target.shown} leads to a private address and is not fetched; {allow}.")


def _timed_out(target: Target) -> TransientError:
    return TransientError("timeout", f"{target.shown} did not finish in time; it is tried again.")


def _cause(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'handshake failed'}"
    return error.strerror or type(error).__name__
