"""What stands before every page: security headers, limits per network, bounded bodies, and forms from this site only.

Belongs here: rules about requests that know nothing of what is asked for.
"""

import asyncio
import ipaddress
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from top5.site.pages import CONTENT_SECURITY, SiteFacts

MAX_FORM: Final = 32_768
"""Bytes of a form."""
_BODY_SECONDS: Final = 10.0
_MAX_FIELDS: Final = 60
_MAX_NETWORKS: Final = 50_000


class SiteHeaders:
    """Adds the security headers to every answer, and takes the site's own path prefix off every request that has it."""

    def __init__(self, app: ASGIApp, facts: SiteFacts) -> None:
        self._app = app
        self._prefix = facts.prefix
        self._headers = {
            "Content-Security-Policy": f"{CONTENT_SECURITY}; frame-ancestors 'none'",
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
            "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if facts.url.startswith("https://"):
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path: str = scope["path"]
        if self._prefix and (path == self._prefix or path.startswith(self._prefix + "/")):
            scope = {**scope, "path": path[len(self._prefix) :] or "/"}

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(self._headers)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class PerMinute:
    """Counts what each network asks for in the current minute. One process, not persistent: it keeps a machine answering, no more."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._minute = -1
        self._counts: dict[str, int] = {}

    def check(self, client: str, now: float) -> None:
        """Count one request at `now` (Unix seconds). Raises HTTPException 429 with the seconds to wait where it is one too many."""
        minute = int(now // 60)
        if minute != self._minute:
            self._minute, self._counts = minute, {}
        network = network_of(client)
        if network not in self._counts and len(self._counts) >= _MAX_NETWORKS:
            network = "others"
        self._counts[network] = self._counts.get(network, 0) + 1
        if self._counts[network] > self._limit:
            raise HTTPException(
                429, "Too many requests from your network; try again in a minute.", {"Retry-After": str(60 - int(now % 60))}
            )


def network_of(client: str) -> str:
    """The network that one client can be taken to own: IPv4 /24, IPv6 /56; what is no address shares one place."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 56), strict=False))


def client_of(request: Request) -> str:
    """The client's IP address as text; the server has read the headers of trusted proxies already."""
    return request.client.host if request.client else "unknown"


async def read_body(request: Request, limit: int) -> bytes:
    """The body of at most `limit` bytes. Raises HTTPException 413 for a longer one, before all of it is read, and 408 for a slow one."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise HTTPException(413, "That is more than a form can hold.")
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise HTTPException(413, "That is more than a form can hold.")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, "The form did not arrive in time.") from None
    return b"".join(parts)


async def read_form(request: Request) -> dict[str, list[str]]:
    """The fields of a form as browsers send it without files. Raises HTTPException 400, 408, 413 or 415."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Send the form as application/x-www-form-urlencoded.")
    body = await read_body(request, MAX_FORM)
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise HTTPException(400, "The form is not readable; send it again.") from None
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    return fields


def first(fields: Mapping[str, list[str]], name: str) -> str:
    """The first value of a field, empty where there is none."""
    return fields.get(name, [""])[0]


def refuse_foreign_form(request: Request, facts: SiteFacts) -> None:
    """Raise HTTPException 403 for a form that another site's page sent.

    No cookie proves anybody here, so such a form could do nothing that its author could not do alone; it is refused all the same.
    """
    origin = request.headers.get("origin")
    sent_from = request.headers.get("sec-fetch-site")
    if sent_from is not None:
        foreign = sent_from not in ("same-origin", "none")
    else:
        # Browsers write `null` where the page asks for no referrer, as ours do.
        own = {urlsplit(facts.url).netloc, request.headers.get("host")}
        foreign = origin not in (None, "null") and urlsplit(origin).netloc not in own
    if foreign:
        raise HTTPException(403, "That form came from another site; open the page here and send it again.")
