"""Every page of the archive, as a template and what it shows; the same for the server and for the static export.

Belongs here: which paths there are, the words around what the archive holds, and links. Reading the index is `archive`, markup is in
`templates`, HTTP is `app`.
"""

import hashlib
import re
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined

from top5.digests.compose import web_link
from top5.digests.model import DigestInsight
from top5.digests.render import InsightView, long_date, short_date, timestamp
from top5.settings import Settings
from top5.site.archive import PER_PAGE, Archive, ArchivedDay, ArchivedInsight, ArchivedName, by_initial
from top5.site.charts import quality_view

LISTED_DAYS: Final = 30
"""Days on the first page of the archive; older ones have a page a month."""
LISTEN_ITEMS: Final = 20
"""Insights on the page to listen to."""
MAX_LISTED_NAMES: Final = 240
"""Topics or people on their index page; the others are reached from insights and by search."""

FEEDS: Final = (
    ("feed.atom", "application/atom+xml", "Atom"),
    ("feed.rss", "application/rss+xml", "RSS"),
    ("feed.json", "application/feed+json", "JSON Feed"),
)
"""File name, media type and label of the three feeds; each list has the same."""

CONTENT_SECURITY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; "
    "media-src https: http:; base-uri 'none'; form-action 'self'"
)
"""What a page may load: its own files, and the audio that a reader starts."""


@dataclass(frozen=True)
class SiteFacts:
    """What every page knows of the site. `url` has no slash at its end; `interactive` is False in a static copy."""

    title: str
    description: str
    url: str
    contact: str
    interactive: bool
    sign_up: bool

    @property
    def prefix(self) -> str:
        """The path under which the site lies: empty, or `/digest`."""
        return urlsplit(self.url).path

    def absolute(self, path: str) -> str:
        """The public address of a path of the site."""
        return self.url + path


def site_facts(settings: Settings, *, interactive: bool = True, url: str | None = None) -> SiteFacts:
    """The site as the settings describe it; `url` wins over theirs."""
    chosen = settings.site
    return SiteFacts(
        title=settings.digest.title,
        description=chosen.description,
        url=url
        or chosen.url
        or f"http://{'localhost' if chosen.host in ('127.0.0.1', '0.0.0.0') else chosen.host}:{chosen.port}",  # noqa: S104
        contact=chosen.contact,
        interactive=interactive,
        sign_up=interactive and settings.subscribers.sign_up,
    )


@dataclass(frozen=True)
class Page:
    """One page before it is HTML. `path` begins and ends with a slash; an empty one has links that work from anywhere (errors).

    `index` False asks search engines to leave the page out. `feed` is the path of the folder whose feeds belong to the page.
    """

    template: str
    path: str
    title: str
    description: str = ""
    values: Mapping[str, Any] = field(default_factory=dict[str, Any])
    index: bool = True
    kind: str = "website"
    audio: str | None = None
    feed: str = "/"
    section: str = ""


@dataclass(frozen=True)
class Card:
    """One insight on a page: its words as in the mail, and where the site has more."""

    words: InsightView
    path: str
    day: date
    day_words: str
    show_path: str
    speaker_path: str | None
    audio: str | None
    seconds: int | None
    ends: int | None
    insight: ArchivedInsight

    @property
    def starts_at(self) -> str | None:
        """Where it begins in the audio, as a reader writes it."""
        return timestamp(self.seconds)

    @property
    def length(self) -> int | None:
        """How many seconds its quotes take."""
        return self.ends - self.seconds if self.ends is not None and self.seconds is not None else None


@dataclass(frozen=True)
class Pager:
    """Where one page of a list stands among its pages. Paths are None at the ends."""

    number: int
    pages: int
    newer: str | None
    older: str | None


class Pages:
    """The pages of one archive."""

    def __init__(self, archive: Archive, facts: SiteFacts) -> None:
        self.archive = archive
        self.facts = facts

    def page(self, path: str) -> Page | None:
        """The page at a path of the archive; None where there is none. Search and forms are not among them."""
        parts = [part for part in path.split("/") if part]
        if path != "/" + "".join(f"{part}/" for part in parts) or len(path) > 300:
            return None
        match parts:
            case []:
                return self._home()
            case ["latest"]:
                return self._listen()
            case ["days"]:
                return self._days()
            case ["days", month] if re.fullmatch(r"\d{4}-\d{2}", month):
                return self._month(month)
            case ["days", text]:
                day = _day(text)
                return self._day(day, path) if day else None
            case ["insights", insight_id]:
                return self._insight(insight_id)
            case ["shows"]:
                return self._shows()
            case ["shows", slug, *rest]:
                return self._show(slug, rest)
            case ["topics" | "people" as kind]:
                return self._names(person=kind == "people")
            case ["topics" | "people" as kind, slug, *rest]:
                return self._name(slug, rest, person=kind == "people")
            case ["about"]:
                return self._about()
            case ["quality"]:
                return self._quality()
            case _:
                return None

    def paths(self) -> Generator[tuple[str, date | None], None, None]:
        """Every path that `page` knows, with the day of its latest change; the search and the forms are not among them."""
        archive, latest = self.archive, self.archive.latest()
        yield from (("/", latest), ("/latest/", latest), ("/days/", latest))
        yield from ((f"/days/{month.month}/", None) for month in archive.months())
        days = archive.days()
        yield from ((f"/days/{day.day}/", day.day) for day in days)
        seen: set[str] = set()
        for insight in archive.insights():
            if insight.insight_id not in seen:
                seen.add(insight.insight_id)
                yield f"/insights/{insight.insight_id}/", insight.day
        for kind, names in (
            ("shows", archive.shows()),
            ("topics", archive.names(person=False)),
            ("people", archive.names(person=True)),
        ):
            yield f"/{kind}/", latest
            for name in names:
                yield f"/{kind}/{name.slug}/", name.last_day
                yield from ((f"/{kind}/{name.slug}/{number}/", None) for number in range(2, -(-name.insights // PER_PAGE) + 1))
        yield from (("/about/", None), ("/quality/", None))

    def cards(self, insights: Sequence[ArchivedInsight]) -> list[Card]:
        """Insights as cards, in the same words as their day's mail."""
        return [self.card(insight) for insight in insights]

    def card(self, insight: ArchivedInsight) -> Card:
        """One insight as a card."""
        words = insight.words
        seconds = int(insight.seconds) if insight.seconds is not None else None
        return Card(
            words=words,
            path=f"/insights/{insight.insight_id}/",
            day=insight.day,
            day_words=f"{short_date(insight.day)} {insight.day.year}",
            show_path=f"/shows/{insight.show_slug}/",
            speaker_path=f"/people/{insight.speaker_slug}/" if insight.speaker_slug else None,
            audio=words.listen_href,
            seconds=seconds,
            ends=int(insight.ends) + 1 if insight.ends is not None and seconds is not None and insight.ends > seconds else None,
            insight=insight,
        )

    def _home(self) -> Page | None:
        latest = self.archive.latest()
        if latest is None:
            return Page("empty.html", "/", self.facts.title, self.facts.description)
        page = self._day(latest, "/")
        if page is None:
            return None
        values = {**page.values, "home": True}
        return replace(
            page, title=self.facts.title, description=self.facts.description, values=values, kind="website", section=""
        )

    def _day(self, day: date, path: str) -> Page | None:
        found = self.archive.digest(day)
        if found is None:
            return None
        digest, view = found
        before, after = self.archive.neighbours(day)
        cards = self.cards(self.archive.insights(day=day))
        values = {
            "view": view,
            "cards": cards,
            "day": day,
            "before": before,
            "after": after,
            "home": False,
            "revision": digest.revision,
        }
        title = f"{view.date}: {cards[0].words.headline}" if cards else view.date
        return Page("day.html", path, title, view.preheader, values, kind="article", section="days")

    def _listen(self) -> Page:
        recent = [insight for insight in self.archive.insights(limit=LISTEN_ITEMS * 2) if insight.audio_url]
        cards = self.cards(recent[:LISTEN_ITEMS])
        groups = [(view[0].day_words, view) for view in (list(group) for _, group in groupby(cards, lambda card: card.day))]
        description = "The latest insights in the speakers' own voices, each from the second it was said."
        return Page("listen.html", "/latest/", "Listen", description, {"groups": groups, "count": len(cards)}, section="latest")

    def _days(self) -> Page:
        months = self.archive.months()
        years = [(year, list(group)) for year, group in groupby(months, lambda month: month.month[:4])]
        values = {
            "groups": _by_month(self.archive.days(limit=LISTED_DAYS)),
            "years": years,
            "month": None,
            "counts": self.archive.counts(),
        }
        return Page(
            "days.html", "/days/", "Archive", f"Every digest of {self.facts.title}, newest first.", values, section="days"
        )

    def _month(self, month: str) -> Page | None:
        days = self.archive.days(month=month)
        if not days:
            return None
        months = [item.month for item in self.archive.months()]
        here = months.index(month)
        around = {"newer": months[here - 1] if here else None, "older": months[here + 1] if here + 1 < len(months) else None}
        values = {"groups": _by_month(days), "years": [], "month": around, "counts": None}
        name = month_words(month)
        return Page("days.html", f"/days/{month}/", name, f"The digests of {name}.", values, section="days")

    def _insight(self, insight_id: str) -> Page | None:
        insight = self.archive.insight(insight_id)
        found = self.archive.digest(insight.day) if insight else None
        if insight is None or found is None:
            return None
        card = self.card(insight)
        told: DigestInsight = next(item for item in found[0].insights if item.rank == insight.rank)
        quotes = [
            {"text": quote.text, "speaker": quote.speaker, "at": timestamp(quote.start), "seconds": int(quote.start or 0)}
            for quote in told.quotes
        ]
        values = {
            "card": card,
            "quotes": quotes,
            "audio": told.audio_url,
            "names": self.archive.names_of(insight),
            "related": self.cards(self.archive.related(insight)),
            "show_url": web_link(insight.show_url),
            "chosen_from": found[0].considered,
            "score": told.score,
            "salience": told.salience,
            "engine_note": found[1].engine_note,
        }
        audio = card.audio
        description = card.words.body
        return Page(
            "insight.html", card.path, card.words.headline, description, values, kind="article", audio=audio, section="days"
        )

    def _shows(self) -> Page:
        shows = self.archive.shows()
        values = {
            "groups": by_initial(shows, lambda name: _sorted_by(name.name)),
            "kind": "shows",
            "total": len(shows),
            "shown": len(shows),
        }
        return Page("names.html", "/shows/", "Shows", "Every show that has given an insight.", values, section="shows")

    def _names(self, *, person: bool) -> Page:
        names = self.archive.names(person=person)
        shown = sorted(names[:MAX_LISTED_NAMES], key=lambda name: name.name.casefold())
        kind = "people" if person else "topics"
        values = {"groups": by_initial(shown), "kind": kind, "total": len(names), "shown": len(shown)}
        description = "Who said what is in the archive." if person else "Companies, places and things that insights are about."
        return Page("names.html", f"/{kind}/", "People" if person else "Topics", description, values, section=kind)

    def _show(self, slug: str, rest: Sequence[str]) -> Page | None:
        show, number = self.archive.show(slug), _number(rest)
        if show is None or number is None:
            return None
        return self._list(
            "shows", show, number, self.archive.insights_of_show(slug, offset=(number - 1) * PER_PAGE), web_link(show.link)
        )

    def _name(self, slug: str, rest: Sequence[str], *, person: bool) -> Page | None:
        found, number = self.archive.name(slug), _number(rest)
        if found is None or number is None or found[1] != person:
            return None
        insights = self.archive.insights_of_name(slug, offset=(number - 1) * PER_PAGE)
        return self._list("people" if person else "topics", found[0], number, insights, None)

    def _list(self, kind: str, name: ArchivedName, number: int, insights: list[ArchivedInsight], link: str | None) -> Page | None:
        if not insights:
            return None
        folder = f"/{kind}/{name.slug}/"
        count = f"{name.insights} insight{'' if name.insights == 1 else 's'}"
        link_words = {"shows": "from", "people": "from or about"}.get(kind, "about")
        values = {
            "kind": kind,
            "name": name,
            "cards": self.cards(insights),
            "pager": pager(folder, number, -(-name.insights // PER_PAGE)),
            "count": count,
            "link": link,
        }
        path = folder if number == 1 else f"{folder}{number}/"
        title = name.name if number == 1 else f"{name.name}, page {number}"
        description = f"{count} {link_words} {name.name}."
        return Page("list.html", path, title, description, values, index=number == 1, feed=folder, section=kind)

    def _about(self) -> Page:
        days, insights, shows = self.archive.counts()
        values = {"days": days, "insights": insights, "shows": shows}
        return Page(
            "about.html",
            "/about/",
            "About",
            f"How {self.facts.title} is made, and what is kept about readers.",
            values,
            section="about",
        )

    def _quality(self) -> Page:
        view = quality_view(self.archive.quality(), self.archive.days(limit=90))
        return Page("quality.html", "/quality/", "Quality", "How the last 90 days went.", {"view": view}, section="about")


def pager(folder: str, number: int, pages: int, query: str = "") -> Pager:
    """The neighbours of one page of a list whose pages lie under `folder`."""

    def path(wanted: int) -> str:
        return (folder if wanted == 1 else f"{folder}{wanted}/") + query

    return Pager(number, pages, path(number - 1) if number > 1 else None, path(number + 1) if number < pages else None)


def render(page: Page, facts: SiteFacts) -> str:
    """The HTML of a page. Links are relative, so that a copy works in any folder; those of a page without a path are whole."""

    up = "../" * (page.path.count("/") - 1) or "./"

    def href(target: str) -> str:
        if not target.startswith("/"):
            return target
        if not page.path:
            return facts.prefix + target
        return up + target[1:]

    def asset(name: str) -> str:
        return f"{href('/static/' + name)}?v={asset_marks()[name]}"

    template = _environment().get_template(page.template)
    return template.render(page=page, site=facts, href=href, asset=asset, security=CONTENT_SECURITY, feeds=FEEDS, **page.values)


def fragment(page: Page, facts: SiteFacts) -> str:
    """HTML for use elsewhere, such as in a feed: every link is a whole URL."""
    template = _environment().get_template(page.template)
    return template.render(page=page, site=facts, absolute=facts.absolute, **page.values)


def prepare_templates() -> None:
    """Compile every template now: the first readers would wait for it."""
    environment = _environment()
    for name in environment.list_templates():
        environment.get_template(name)


@cache
def asset_marks() -> dict[str, str]:
    """The first of the SHA-256 of each static file, by name: a link with it may be kept for ever."""
    folder = files("top5.site") / "static"
    return {item.name: hashlib.sha256(item.read_bytes()).hexdigest()[:10] for item in folder.iterdir() if item.is_file()}


@cache
def templates_mark() -> str:
    """Changes with the templates, so that a page kept by a browser is not taken for one of another release."""
    folder = files("top5.site") / "templates"
    parts = b"\0".join(item.read_bytes() for item in sorted(folder.iterdir(), key=lambda item: item.name) if item.is_file())
    return hashlib.sha256(parts + repr(sorted(asset_marks().items())).encode()).hexdigest()[:10]


def month_words(month: str) -> str:
    """`September 2026` for `2026-09`."""
    return f"{short_date(date.fromisoformat(month + '-01')).split(' ', 1)[1]} {month[:4]}"


def _by_month(days: Sequence[ArchivedDay]) -> list[tuple[str, list[dict[str, Any]]]]:
    def row(day: ArchivedDay) -> dict[str, Any]:
        weekday, rest = long_date(day.day).split(", ", 1)
        return {"day": day, "weekday": weekday, "date": rest.rsplit(" ", 1)[0], "path": f"/days/{day.day}/"}

    return [
        (month_words(month), [row(day) for day in group]) for month, group in groupby(days, lambda day: day.day.isoformat()[:7])
    ]


def _sorted_by(name: str) -> str:
    return re.sub(r"^(the|a|an) ", "", name, flags=re.IGNORECASE)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def _number(rest: Sequence[str]) -> int | None:
    """The number of a list's page; 1 where none is given, None for what is no such number (the first page has one address only)."""
    match rest:
        case []:
            return 1
        case [text] if re.fullmatch(r"[1-9]\d{0,3}", text) and text != "1":
            return int(text)
        case _:
            return None


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("top5.site"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        cache_size=-1,
    )
    # Jinja2 leaves the values of these dictionaries untyped.
    environment.filters.update(short_date=short_date, long_date=long_date, month=month_words)  # pyright: ignore[reportUnknownMemberType]
    return environment
