"""The pages of subscribers: sign-up, confirmation, preferences, leaving, and what is kept about them.

Belongs here: forms and words. Who may do what, tokens, limits of mails and the mails themselves are `top5.subscribers`. A GET changes nothing:
mail scanners open every link. Whether an address is known is never told: neither by the words of an answer nor by waiting for a mail to go out.
"""

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import available_timezones

from pydantic import ValidationError
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from top5.errors import PermanentError, Top5Error
from top5.site.guard import MAX_FORM, PerMinute, client_of, first, read_body, read_form, refuse_foreign_form
from top5.site.pages import Page, SiteFacts, render
from top5.subscribers.model import MAX_FILTERS, Preferences, Subscriber, SubscriberState
from top5.subscribers.service import Outgoing, RateLimited, Subscribers
from top5.subscribers.tokens import Purpose, TokenRefused

_log: Final = logging.getLogger("top5.site")

_WEEKDAYS: Final = tuple(enumerate(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")))
_LISTS: Final = (
    ("topics", "Only about", "Names or words, one a line. Empty: about everything."),
    ("muted_topics", "Never about", "Names or words, one a line."),
    ("shows", "Only from these shows", "One a line, as the archive names them. Empty: from all."),
    ("muted_shows", "Never from these shows", "One a line."),
)
_NO_STORE: Final = {"Cache-Control": "no-store"}
_BY_REASON: Final = {"expired_token": 410, "used_token": 410, "old_token": 410}


class Readers:
    """The subscriber pages over the service. `now` is asked at every request; `posts` limits what one network sends."""

    def __init__(self, facts: SiteFacts, service: Subscribers, posts: PerMinute, now: Callable[[], datetime]) -> None:
        self._facts, self._service, self._posts, self._now = facts, service, posts, now

    def routes(self) -> list[Route]:
        """What to serve, by path."""
        return [
            Route("/subscribe/", self._subscribe, methods=["GET", "POST"]),
            Route("/links/", self._links, methods=["GET", "POST"]),
            Route("/confirm/{token}", self._confirm, methods=["GET", "POST"]),
            Route("/manage/{token}", self._manage, methods=["GET", "POST"]),
            Route("/unsubscribe/{token}", self._unsubscribe, methods=["GET", "POST"]),
            Route("/data/{token}", self._data, methods=["GET", "POST"]),
            Route("/data/{token}/download", self._download, methods=["GET"]),
        ]

    async def _subscribe(self, request: Request) -> Response:
        if not self._facts.sign_up:
            return self._message("Subscribe", ["Signing up is closed. The archive and its feeds are open."], status=403)
        if request.method != "POST":
            return self._address_form("subscribe", "", None)
        fields = await self._form(request)
        address = first(fields, "address").strip()
        preferences = _preferences_of_newcomer(first(fields, "timezone"))

        def ask() -> Outgoing:
            return self._service.sign_up(address, preferences, network=client_of(request), now=self._now())

        said = "If that address can get mail, a message with a link is on its way. The subscription begins when you open it and press the button."
        return await self._asked("subscribe", address, ask, said)

    async def _links(self, request: Request) -> Response:
        if request.method != "POST":
            return self._address_form("links", "", None)
        fields = await self._form(request)
        address = first(fields, "address").strip()

        def ask() -> Outgoing:
            return self._service.request_links(address, network=client_of(request), now=self._now())

        return await self._asked("links", address, ask, "If that address is on the list, a message with its links is on its way.")

    async def _asked(self, kind: str, address: str, ask: Callable[[], Outgoing], said: str) -> Response:
        try:
            outgoing = await run_in_threadpool(ask)
        except RateLimited as error:
            return self._message(
                "Too many requests", [error.message], status=429, headers={"Retry-After": str(int(error.retry_after or 60))}
            )
        except PermanentError as error:
            if error.reason == "bad_address":
                return self._address_form(kind, address, "That is no mail address; write it as name@example.com.", status=422)
            if error.reason == "sign_up_closed":
                return self._message("Subscribe", [error.message], status=403)
            raise
        lines = [said, "Nothing came within some minutes? Look among the spam, then try again."]
        page = self._page("message.html", "Look into your mailbox", lines=lines, links=[("/", "Back to the latest digest")])
        return self._html(page, background=BackgroundTask(_send, outgoing))

    async def _confirm(self, request: Request) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            await self._form(request, empty=True)
            subscriber = await self._by_token(lambda: self._service.confirm(token, self._now()))
            if isinstance(subscriber, Response):
                return subscriber
            link = self._service.links(subscriber, self._now()).manage
            page = self._page(
                "message.html", "Welcome", lines=["Your subscription is confirmed. The next digest comes to you."], links=[]
            )
            return self._html(self._with_link(page, link, "Choose what you get, and when"))
        subscriber = await self._by_token(lambda: self._service.look(token, Purpose.CONFIRM, self._now()))
        if isinstance(subscriber, Response):
            return subscriber
        lines = [f"Send {self._facts.title} to {subscriber.address}?"]
        return self._act(request, "Confirm your subscription", lines, "Yes, subscribe")

    async def _manage(self, request: Request) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            fields = await self._form(request)
            subscriber = await self._by_token(lambda: self._service.look(token, Purpose.MANAGE, self._now()))
            if isinstance(subscriber, Response):
                return subscriber
            try:
                wanted = _preferences(fields, subscriber.preferences)
            except ValidationError as error:
                return self._preferences(request, subscriber, subscriber.preferences, problem=_problem(error), status=422)
            changed = await self._by_token(lambda: self._service.set_preferences(token, wanted, self._now()))
            if isinstance(changed, Response):
                return changed
            return self._preferences(request, changed, changed.preferences, saved=True)
        subscriber = await self._by_token(lambda: self._service.look(token, Purpose.MANAGE, self._now()))
        return subscriber if isinstance(subscriber, Response) else self._preferences(request, subscriber, subscriber.preferences)

    async def _unsubscribe(self, request: Request) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            # RFC 8058: a mail provider sends this without a page of ours, and the token says all. The body is read and not needed.
            self._posts.check(client_of(request), self._now().timestamp())
            await read_body(request, MAX_FORM)
            left = await self._by_token(lambda: self._service.unsubscribe(token, self._now()))
            if isinstance(left, Response):
                return left
            lines = ["You are unsubscribed. Nothing more will come.", "The archive and its feeds stay open to you."]
            links = [("/subscribe/", "It was a mistake: subscribe again")] if self._facts.sign_up else []
            return self._html(self._page("message.html", "Unsubscribed", lines=lines, links=links))
        subscriber = await self._by_token(lambda: self._service.look(token, Purpose.UNSUBSCRIBE, self._now()))
        if isinstance(subscriber, Response):
            return subscriber
        if subscriber.state != SubscriberState.ACTIVE:
            return self._message("Unsubscribed", ["This address gets no digest."])
        return self._act(request, "Unsubscribe", [f"Stop sending {self._facts.title} to {subscriber.address}?"], "Unsubscribe")

    async def _data(self, request: Request) -> Response:
        token = request.path_params["token"]
        if request.method == "POST":
            fields = await self._form(request)
            if first(fields, "sure") != "yes":
                return self._message("Nothing was deleted", ["Tick the box if you are sure."], status=422)
            done = await self._by_token(lambda: self._service.delete(token, self._now()))
            if isinstance(done, Response):
                return done
            return self._message("Deleted", ["Your subscription has ended, and everything that named you is deleted."])
        subscriber = await self._by_token(lambda: self._service.look(token, Purpose.DATA, self._now()))
        if isinstance(subscriber, Response):
            return subscriber
        action = self._here(request)
        return self._html(
            self._page(
                "data.html", "What is kept about you", address=subscriber.address, action=action, download=f"{action}/download"
            )
        )

    async def _download(self, request: Request) -> Response:
        token = request.path_params["token"]
        kept = await self._by_token(lambda: self._service.export(token, self._now()))
        if isinstance(kept, Response):
            return kept
        body = json.dumps(kept, ensure_ascii=False, indent=2).encode()
        headers = {**_NO_STORE, "Content-Disposition": 'attachment; filename="top5-data.json"'}
        return Response(body, media_type="application/json", headers=headers)

    # Parts

    async def _form(self, request: Request, *, empty: bool = False) -> dict[str, list[str]]:
        refuse_foreign_form(request, self._facts)
        self._posts.check(client_of(request), self._now().timestamp())
        if empty:
            await read_body(request, MAX_FORM)
            return {}
        return await read_form(request)

    async def _by_token(self, act: Callable[[], Any]) -> Any:
        """What `act` gives, or the page that says why the token does not open anything; the same whether or not its subscriber exists."""
        try:
            return await run_in_threadpool(act)
        except TokenRefused as error:
            status, links = _BY_REASON.get(error.reason, 404), [("/links/", "Get new links by mail")]
            title = "Already done" if error.reason == "used_token" else "This link does not work"
            return self._message(title, [error.message], status=status, links=links)

    def _preferences(
        self,
        request: Request,
        subscriber: Subscriber,
        chosen: Preferences,
        *,
        saved: bool = False,
        problem: str | None = None,
        status: int = 200,
    ) -> Response:
        page = self._page(
            "preferences.html",
            "Your preferences",
            address=subscriber.address,
            chosen=chosen,
            saved=saved,
            problem=problem,
            action=self._here(request),
            zones=_zones(),
            weekdays=_WEEKDAYS,
            lists=[(name, label, hint, getattr(chosen, name)) for name, label, hint in _LISTS],
            leave=self._service.links(subscriber, self._now()).unsubscribe,
        )
        return self._html(page, status=status)

    def _address_form(self, kind: str, address: str, problem: str | None, *, status: int = 200) -> Response:
        signing_up = kind == "subscribe"
        page = self._page(
            "subscribe.html",
            "Subscribe" if signing_up else "Your links",
            intro=f"{self._facts.title}, one mail a day."
            if signing_up
            else "A mail with links to your preferences and your data.",
            action=f"{self._facts.prefix}/{kind}/",
            address=address[:254],
            problem=problem,
            button="Subscribe" if signing_up else "Send the links",
            with_timezone=signing_up,
            lines=["No tracking. You confirm by a link; you leave by one click."] if signing_up else [],
            links=[("/links/", "Already subscribed? Get your links"), ("/about/", "About and privacy")] if signing_up else [],
        )
        return self._html(page, status=status)

    def _act(self, request: Request, title: str, lines: Sequence[str], button: str) -> Response:
        return self._html(
            self._page("act.html", title, lines=lines, action=self._here(request), button=button, fields=[], danger=False)
        )

    def _message(
        self,
        title: str,
        lines: Sequence[str],
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        links: Sequence[tuple[str, str]] = (),
    ) -> Response:
        return self._html(self._page("message.html", title, lines=lines, links=links), status=status, headers=headers)

    def _here(self, request: Request) -> str:
        return self._facts.prefix + request.url.path.removeprefix(self._facts.prefix)

    def _page(self, template: str, title: str, **values: Any) -> Page:
        return Page(template, "", title, values=values, index=False)

    def _with_link(self, page: Page, url: str, label: str) -> Page:
        path = url.removeprefix(self._facts.url)
        return Page(page.template, "", page.title, values={**page.values, "links": [(path, label)]}, index=False)

    def _html(
        self, page: Page, *, status: int = 200, headers: dict[str, str] | None = None, background: BackgroundTask | None = None
    ) -> Response:
        return Response(
            render(page, self._facts),
            status,
            {**_NO_STORE, **(headers or {})},
            media_type="text/html; charset=utf-8",
            background=background,
        )


async def _send(outgoing: Outgoing) -> None:
    try:
        await outgoing.send()
    except Top5Error as error:
        _log.warning("A mail that a reader asked for could not be sent (%s): %s", error.reason, error.message)


def _preferences_of_newcomer(timezone: str) -> Preferences:
    """Defaults, in the time zone that the browser told, if it is one."""
    return Preferences(timezone=timezone) if timezone in available_timezones() else Preferences()


def _preferences(fields: dict[str, list[str]], before: Preferences) -> Preferences:
    """The form's fields as preferences; what a form does not send stays as it was. Raises ValidationError."""
    given: dict[str, Any] = before.model_dump()
    for name in ("timezone", "count", "format"):
        if name in fields:
            given[name] = first(fields, name).strip()
    if "hour" in fields:
        given["hour"] = first(fields, "hour").strip() or None
    # Unticked boxes are not sent: a whole form without any asks for no day at all.
    if "weekdays" in fields or "timezone" in fields:
        given["weekdays"] = tuple(fields.get("weekdays", []))
    for name, _, _ in _LISTS:
        if name in fields:
            given[name] = tuple(line.strip() for line in first(fields, name).splitlines() if line.strip())
    return Preferences.model_validate(given)


_PROBLEMS: Final = {
    "timezone": "That is no time zone; choose one of the list, such as Europe/Berlin.",
    "weekdays": "Choose at least one day.",
    "hour": "The hour is a number from 0 to 23.",
    "count": "Choose from 1 to 10 insights.",
    "format": "Choose one of the two formats.",
}


def _problem(error: ValidationError) -> str:
    where = str(error.errors()[0]["loc"][0])
    return _PROBLEMS.get(where, f"A list holds at most {MAX_FILTERS} lines.")


@lru_cache(maxsize=1)
def _zones() -> list[str]:
    """The zones that a reader may choose by name; aliases such as `Zulu` are taken too, but not offered."""
    regions = ("Africa/", "America/", "Asia/", "Atlantic/", "Australia/", "Europe/", "Indian/", "Pacific/")
    return ["UTC", *sorted(name for name in available_timezones() if name.startswith(regions))]
