"""The site as an ASGI application: HTTP around pages, feeds, search and the subscriber pages.

Belongs here: routes, caching, and keeping the index up to date while serving. What a page says is `pages`, who may do what is decided by
`top5.subscribers`. Nothing here is made from a request's Host header: every absolute link begins with the site's URL in the settings.
"""

import asyncio
import base64
import gzip
import hashlib
import logging
import mimetypes
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Final
from urllib.parse import quote

from anyio.to_thread import current_default_thread_limiter
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from top5.catalog.store import Catalog
from top5.errors import PermanentError, Top5Error, TransientError
from top5.settings import Settings
from top5.site.archive import Archive
from top5.site.feeds import Morning, feed, robots, sitemap, write
from top5.site.guard import PerMinute, SiteHeaders, client_of, read_body
from top5.site.pages import FEEDS, Page, Pager, Pages, asset_marks, prepare_templates, render, site_facts, templates_mark
from top5.site.readers import Readers
from top5.site.search import Found, QueryEmbedder, search
from top5.site.source import refresh
from top5.subscribers.service import Subscribers, open_subscribers

_CACHED: Final = 1_500
_THREADS: Final = 4
_KEEP: Final = "public, max-age=60"
_FEED_TYPES: Final = {name: kind for name, kind, _ in FEEDS}
_log: Final = logging.getLogger("top5.site")


@dataclass(frozen=True)
class _Kept:
    """An answer that is the same for everybody until the index changes."""

    body: bytes
    packed: bytes
    etag: str
    media_type: str


class Site:
    """What one server process holds: the archive, its pages, the answers that were made before, and the model for queries."""

    def __init__(self, settings: Settings, catalog: Catalog, now: Callable[[], datetime]) -> None:
        self.settings, self.catalog, self.now = settings, catalog, now
        self.facts = site_facts(settings)
        self.archive = Archive(settings.home)
        self.pages = Pages(self.archive, self.facts)
        self.morning = Morning(settings.tz, settings.schedule.digest_hour, settings.schedule.digest_minute)
        self.searches = PerMinute(settings.site.searches_per_minute)
        self.posts = PerMinute(settings.site.posts_per_minute)
        self.embedder: QueryEmbedder | None = None
        self._version = -1
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def refresh(self) -> None:
        """Bring the index up to date and forget answers that it outdates. Problems are told in the log, once."""
        synced = refresh(self.settings, self.catalog)
        for problem in synced.problems:
            _log.warning("%s", problem)
        version = self.archive.version()
        if version != self._version:
            self._version = version
            self._kept = OrderedDict()

    def open_embedder(self) -> None:
        """Load the model for queries, if it is there; without it a search goes by words alone."""
        from top5.insights.embed import Embedder
        from top5.weights import find_embedding_model

        try:
            found = find_embedding_model(self.settings.insights.embedding_model_path)
            embedder = Embedder(found.path, threads=1) if found else None
        except Top5Error as error:
            _log.warning("%s", error.message)
            return
        if embedder is not None:
            embedder.embed(["warm"])
            self.archive.nearness()
        self.embedder = embedder

    async def answer(self, request: Request, key: str, make: Callable[[], tuple[bytes, str] | None]) -> Response:
        """An answer for everybody: from memory, or made by `make` (body and media type; None: not found) in a thread."""
        kept = self._kept.get(key)
        if kept is None:
            store, made = self._kept, await run_in_threadpool(make)
            if made is None:
                raise HTTPException(404)
            kept = await run_in_threadpool(_keep, *made)
            # Into the store as it was when the answer was begun: one that was emptied meanwhile must not get an old answer.
            store[key] = kept
            while len(store) > _CACHED:
                store.popitem(last=False)
        headers = {"ETag": kept.etag, "Cache-Control": _KEEP, "Vary": "Accept-Encoding"}
        if kept.etag in [mark.strip() for mark in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        if "gzip" in request.headers.get("accept-encoding", "").lower() and len(kept.packed) < len(kept.body):
            return Response(kept.packed, headers={**headers, "Content-Encoding": "gzip"}, media_type=kept.media_type)
        return Response(kept.body, headers=headers, media_type=kept.media_type)

    def page(self, path: str) -> tuple[bytes, str] | None:
        """A page of the archive."""
        page = self.pages.page(path)
        return (render(page, self.facts).encode(), "text/html; charset=utf-8") if page else None

    def feed(self, folder: str, name: str) -> tuple[bytes, str] | None:
        """A feed of the archive."""
        made = feed(self.pages, folder, self.morning)
        return (write(self.facts, made, name), f"{_FEED_TYPES[name]}; charset=utf-8") if made else None

    def found(self, query: str, page: int) -> Found:
        """One page of a search."""
        return search(self.archive, query, page=page, embedder=self.embedder)

    def message(self, title: str, lines: list[str], status: int, headers: dict[str, str] | None = None) -> Response:
        """A page that says why there is no page."""
        links = [("/", "The latest digest"), ("/search/", "Search")]
        page = Page("message.html", "", title, values={"lines": lines, "links": links}, index=False)
        return Response(
            render(page, self.facts),
            status,
            {"Cache-Control": "no-store", **(headers or {})},
            media_type="text/html; charset=utf-8",
        )


def create_app(
    settings: Settings,
    catalog: Catalog,
    *,
    subscribers: Subscribers | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    refresh_every: float = 10.0,
    by_meaning: bool = True,
) -> Starlette:
    """The application, over `subscribers` or the service that the settings make; `by_meaning` False leaves the model for queries unopened.

    It closes nothing that was handed in; the index is brought up to date at the start and every `refresh_every` seconds.
    """
    site = Site(settings, catalog, now)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncGenerator[None, None]:
        # Pages are computed, not waited for: more threads than cores only get into each other's way.
        current_default_thread_limiter().total_tokens = _THREADS
        await run_in_threadpool(site.refresh)
        await run_in_threadpool(prepare_templates)
        # Opened while the first pages are answered: until it is there a search goes by words.
        model = asyncio.create_task(run_in_threadpool(site.open_embedder)) if by_meaning else None
        keeper = asyncio.create_task(_keep_fresh(site, refresh_every))
        try:
            yield
        finally:
            keeper.cancel()
            with suppress(asyncio.CancelledError):
                await keeper
            if model is not None:
                await model
            site.archive.close()

    readers = Readers(site.facts, subscribers or open_subscribers(settings, catalog), site.posts, now)
    archive = _ArchiveRoutes(site)
    app = Starlette(
        routes=[*readers.routes(), *archive.routes()],
        middleware=[Middleware(SiteHeaders, facts=site.facts)],
        exception_handlers={HTTPException: _told(site), Top5Error: _failed(site), 500: _broken(site)},
        lifespan=lifespan,
    )
    # Its redirects are made from the Host header.
    app.router.redirect_slashes = False
    app.state.site = site
    return app


class _ArchiveRoutes:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._static = {item.name: item.read_bytes() for item in (files("top5.site") / "static").iterdir() if item.is_file()}

    def routes(self) -> list[Route]:
        return [
            Route("/health", self._health),
            Route("/robots.txt", self._robots),
            Route("/sitemap.xml", self._sitemap),
            Route("/favicon.ico", self._icon),
            Route("/static/{name}", self._asset),
            Route("/search/", self._search),
            Route("/search/results", self._results),
            Route("/webhooks/bounces", self._bounce, methods=["POST"]),
            Route("/{path:path}", self._page),
        ]

    async def _page(self, request: Request) -> Response:
        site, path = self._site, "/" + request.path_params["path"]
        folder, _, name = path.rpartition("/")
        if name in _FEED_TYPES:
            return await site.answer(request, path, lambda: site.feed(f"{folder}/", name))
        if name and len(path) < 300 and await run_in_threadpool(site.pages.page, f"{path}/"):
            # Only for pages that there are, so that nothing of the request but a known path gets into the answer.
            return Response(status_code=308, headers={"Location": f"{site.facts.prefix}{quote(path)}/", "Cache-Control": _KEEP})
        return await site.answer(request, path, lambda: site.page(path))

    async def _search(self, request: Request) -> Response:
        site = self._site
        found = await self._found(request)
        newer, older = (_search_path(found, found.page - 1), _search_path(found, found.page + 1)) if found else (None, None)
        pager = Pager(found.page, found.pages, newer, older) if found else None
        values = {
            "found": found,
            "query": found.query if found else "",
            "pager": pager,
            "with_meaning": site.embedder is not None,
        }
        title = f"Search: {found.query}" if found and found.query else "Search"
        page = Page("search.html", "/search/", title, values=values, index=False, section="search")
        return Response(
            render(page, site.facts), headers={"Cache-Control": "private, max-age=60"}, media_type="text/html; charset=utf-8"
        )

    async def _results(self, request: Request) -> Response:
        site = self._site
        found = await self._found(request)
        pager = Pager(found.page, found.pages, None, _search_path(found, found.page + 1)) if found else None
        page = Page(
            "_results.html", "/search/", "", values={"found": found, "pager": pager, "with_meaning": site.embedder is not None}
        )
        return Response(
            render(page, site.facts), headers={"Cache-Control": "private, max-age=60"}, media_type="text/html; charset=utf-8"
        )

    async def _found(self, request: Request) -> Found | None:
        query = request.query_params.get("q", "").strip()
        if not query:
            return None
        self._site.searches.check(client_of(request), self._site.now().timestamp())
        number = request.query_params.get("page", "1")
        page = int(number) if number.isascii() and number.isdecimal() and len(number) < 5 else 1
        return await run_in_threadpool(self._site.found, query, page)

    async def _sitemap(self, request: Request) -> Response:
        site = self._site
        return await site.answer(request, "/sitemap.xml", lambda: (sitemap(site.facts, site.pages.paths()), "application/xml"))

    async def _robots(self, request: Request) -> Response:
        return await self._site.answer(request, "/robots.txt", lambda: (robots(self._site.facts), "text/plain; charset=utf-8"))

    async def _icon(self, request: Request) -> Response:
        # Asked for by old browsers whatever the page says.
        return Response(
            status_code=308, headers={"Location": f"{self._site.facts.prefix}/static/icon.svg", "Cache-Control": _KEEP}
        )

    async def _asset(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._static:
            raise HTTPException(404)
        lasting = request.query_params.get("v") == asset_marks()[name]
        headers = {"Cache-Control": "public, max-age=31536000, immutable" if lasting else _KEEP}
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        body = self._static[name]
        if kind.startswith("text/"):
            headers["Vary"] = "Accept-Encoding"
            if "gzip" in request.headers.get("accept-encoding", "").lower():
                return Response(_packed(body), headers={**headers, "Content-Encoding": "gzip"}, media_type=kind)
        return Response(body, headers=headers, media_type=kind)

    async def _health(self, request: Request) -> Response:
        """For a monitor: 200 while the site can answer; with `max_age_days=N`, 503 too where the newest digest is older."""
        site = self._site

        def look() -> tuple[date | None, int]:
            return site.archive.latest(), site.archive.counts()[0]

        latest, days = await run_in_threadpool(look)
        today = site.now().astimezone(site.settings.tz).date()
        age = (today - latest).days if latest else None
        wanted = request.query_params.get("max_age_days", "")
        fresh = not wanted.isdecimal() or (age is not None and len(wanted) < 6 and age <= int(wanted))
        facts = {
            "status": "ok" if fresh else "stale",
            "latest_day": latest.isoformat() if latest else None,
            "age_days": age,
            "days": days,
        }
        facts["search_by_meaning"] = site.embedder is not None
        return JSONResponse(facts, 200 if fresh else 503, headers={"Cache-Control": "no-store"})

    async def _bounce(self, request: Request) -> Response:
        """For a mail provider, which proves itself by the secret: as a bearer token, or as the password in `https://any:SECRET@host/...`."""
        from top5.deliveries.bounces import MAX_BODY, record_webhook

        site = self._site
        site.posts.check(client_of(request), site.now().timestamp())
        body = await read_body(request, MAX_BODY)
        secret = _secret_of(request.headers.get("authorization", ""))

        def record() -> dict[str, int]:
            return record_webhook(site.settings, site.catalog, secret=secret, body=body, now=site.now())

        try:
            counted = await run_in_threadpool(record)
        except PermanentError as error:
            status = {"webhook_secret": 401, "webhook_body": 422}.get(error.reason, 422)
            return JSONResponse({"reason": error.reason}, status, headers={"Cache-Control": "no-store"})
        return JSONResponse(counted, headers={"Cache-Control": "no-store"})


def _secret_of(authorization: str) -> str:
    kind, _, given = authorization.partition(" ")
    match kind.lower():
        case "bearer":
            return given.strip()
        case "basic":
            try:
                return base64.b64decode(given, validate=True).decode("utf-8").partition(":")[2]
            except ValueError:
                return ""
        case _:
            return ""


async def _keep_fresh(site: Site, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        try:
            await run_in_threadpool(site.refresh)
        except Top5Error as error:
            _log.warning("The index is not up to date (%s): %s", error.reason, error.message)


def _keep(body: bytes, media_type: str) -> _Kept:
    mark = hashlib.sha256(body + templates_mark().encode()).hexdigest()[:20]
    return _Kept(body, gzip.compress(body, 5, mtime=0), f'W/"{mark}"', media_type)


def _packed(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)


def _search_path(found: Found, page: int) -> str | None:
    return f"/search/?q={quote(found.query, safe='')}&page={page}" if 1 <= page <= found.pages else None


_TITLES: Final = {404: "Not found", 405: "Not possible", 429: "Too many requests", 413: "Too much", 403: "Not allowed"}


def _told(site: Site) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        line = "There is no such page here." if error.status_code == 404 else error.detail
        return site.message(
            _TITLES.get(error.status_code, "That did not work"), [line], error.status_code, dict(error.headers or {})
        )

    return handler


def _failed(site: Site) -> Callable[[Request, Exception], Response]:
    """A named failure: the operator reads the reason in the log, the reader that it may work later."""

    def handler(request: Request, error: Exception) -> Response:
        assert isinstance(error, Top5Error)
        _log.error("%s failed (%s): %s", request.url.path.split("/")[1], error.reason, error.message)
        wait = {"Retry-After": "30"} if isinstance(error, TransientError) else None
        return site.message("Not now", ["The site cannot answer that at the moment. Please try again later."], 503, wait)

    return handler


def _broken(site: Site) -> Callable[[Request, Exception], Response]:
    def handler(request: Request, error: Exception) -> Response:
        return site.message("That did not work", ["Something is wrong on our side; it is in the log."], 500)

    return handler
