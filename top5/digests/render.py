"""A `Digest` as mail (HTML and text), as JSON and as a Markdown preview, and its subject line.

Belongs here: how a digest looks and reads; every format is made from one view, so they cannot disagree. Pure: the same digest
gives the same bytes, but for `built_at` where it is given.
Does not belong here: what a digest contains (`compose`), addresses and headers of a mail (`deliver`).
"""

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import Final

from css_inline import CSSInliner
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from rapidfuzz.distance import LCSseq

from top5.digests.compose import harmless, left_out_words, web_link
from top5.digests.model import ClaimRef, Digest, DigestInsight, HeardAgain, LeftOut
from top5.insights.model import Quote
from top5.urls import mask_url

MAX_HTML_BYTES: Final = 60_000
"""Above 102 kB one large mail service cuts a message off; the rest leaves room for what a mail server adds."""
MAX_SUBJECT: Final = 110
"""Characters of a subject, at most."""

# Names of our own: strftime follows the machine's locale, and a digest must not.
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@dataclass(frozen=True)
class Words:
    """A piece of a line, with the web link it carries or None."""

    text: str
    href: str | None = None


Line = tuple[Words, ...]


@dataclass(frozen=True)
class InsightView:
    """One insight in the words and links a reader sees; all texts are cleaned and bounded, all links are web links or None."""

    number: int
    headline: str
    body: str
    speaker: str | None
    show: str
    episode: str
    episode_href: str | None
    listen_href: str | None
    listen_label: str
    quote: str | None
    quote_by: str | None
    evidence: str | None
    drift: str | None
    why: str | None
    memory: Line
    also: str | None
    related: tuple[Line, ...]
    late: str | None
    grade: str


@dataclass(frozen=True)
class DigestView:
    """A digest in the words and links a reader sees. What a page, a feed or another mail needs beyond this is added here."""

    title: str
    date: str
    considered: str
    preheader: str
    short: str | None
    no_insight: str
    insights: tuple[InsightView, ...]
    heard_again: tuple[Line, ...]
    left_out: tuple[str, ...]
    notes: tuple[str, ...]
    engine_note: str | None
    unsubscribe_href: str | None
    preferences_href: str | None
    built: str | None
    revision: str | None


def subject(digest: Digest) -> str:
    """The first headline, with the number of further insights where it fits: one line, at most `MAX_SUBJECT` characters, never empty."""
    # Mail software decodes `=?...?=` wherever it stands, and what is in there was never looked at.
    return _subject(harmless(digest)).replace("=?", "= ?")[:MAX_SUBJECT].rstrip()


def _subject(clean: Digest) -> str:
    if not clean.insights:
        return _clip(f"{clean.title}: nothing cleared the bar on {long_date(clean.day)}", MAX_SUBJECT)
    first = clean.insights[0]
    headline = _clip(first.headline or first.body, MAX_SUBJECT) or _clip(f"{clean.title}, {long_date(clean.day)}", MAX_SUBJECT)
    others = len(clean.insights) - 1
    longer = f"{headline} (+{others} more)"
    return longer if others and len(longer) <= MAX_SUBJECT else headline


def render_html(
    digest: Digest, *, unsubscribe_url: str | None = None, preferences_url: str | None = None, built_at: datetime | None = None
) -> str:
    """The mail's HTML: one self-contained page without script, image or tracker, at most `MAX_HTML_BYTES` in UTF-8.

    `unsubscribe_url` is an http, https or mailto URL, `preferences_url` a web one; any other is left out. Texts longer than any
    engine writes are cut at a word, and cut shorter where the page would still be too large.
    """
    page = ""
    for scale in (1.0, 0.5, 0.25, 0.1):
        view = digest_view(
            digest, unsubscribe_url=unsubscribe_url, preferences_url=preferences_url, built_at=built_at, scale=scale
        )
        page = _inliner().inline(_environment().get_template("digest.html").render(digest=view)) + "\n"
        if len(page.encode()) <= MAX_HTML_BYTES:
            break
    return page


def render_text(
    digest: Digest, *, unsubscribe_url: str | None = None, preferences_url: str | None = None, built_at: datetime | None = None
) -> str:
    """The mail's plain text, 72 columns wide but for links, for readers who prefer it and for those who have nothing else."""
    view = digest_view(digest, unsubscribe_url=unsubscribe_url, preferences_url=preferences_url, built_at=built_at)
    return _squeezed(_environment().get_template("digest.txt").render(digest=view))


def render_markdown(digest: Digest) -> str:
    """A preview for the operator: as the mail, with scores. A link whose URL carries what looks like a token is not printed."""
    return _squeezed(_environment().get_template("digest.md").render(digest=digest_view(digest)))


def render_json(digest: Digest) -> str:
    """The digest as JSON that follows `digest.schema.json`; `Digest.model_validate_json` reads it back."""
    return json.dumps(harmless(digest).model_dump(mode="json"), ensure_ascii=False, indent=2) + "\n"


def json_schema() -> str:
    """What `top5/digests/digest.schema.json` must contain: JSON Schema 2020-12 of `Digest`, made from the model."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Digest.model_json_schema(mode="serialization")}
    return json.dumps(schema, ensure_ascii=False, indent=2, sort_keys=True) + "\n"


def digest_view(
    digest: Digest,
    *,
    unsubscribe_url: str | None = None,
    preferences_url: str | None = None,
    built_at: datetime | None = None,
    scale: float = 1.0,
) -> DigestView:
    """What every format shows. `scale` shrinks the bounds on lengths (1.0 leaves any sane text whole)."""
    clean = harmless(digest)
    insights = tuple(_insight_view(insight, scale) for insight in clean.insights)
    notes = [_clip(note, int(300 * scale)) for note in clean.notes]
    if len(clean.left_out) > 12:
        rest = sum(item.episodes for item in clean.left_out[11:])
        lines = [left_out_words(item) for item in clean.left_out[:11]]
        lines.append(left_out_words(LeftOut(state="", reason="for_other_reasons", episodes=rest)))
    else:
        lines = [left_out_words(item) for item in clean.left_out]
    waiting = any(item.state in ("pending", "deferred") for item in clean.left_out)
    return DigestView(
        title=_clip(clean.title, 80),
        date=long_date(clean.day),
        considered=f"{_count(clean.considered.episodes, 'episode')} of {_count(clean.considered.shows, 'show')} considered",
        preheader=_preheader(clean),
        short=_clip(clean.short_because, int(600 * scale)) if clean.short_because else None,
        no_insight="Nothing is sent to fill the space."
        + (" What is still waiting is looked at again tomorrow." if waiting else ""),
        insights=insights,
        heard_again=tuple(_heard_again_line(item, scale) for item in clean.heard_again[:5]),
        left_out=tuple(lines),
        notes=tuple(notes[:6]),
        engine_note=_engine_note(clean),
        unsubscribe_href=_unsubscribe_link(unsubscribe_url),
        preferences_href=web_link(preferences_url),
        built=None if built_at is None else _built(built_at),
        revision=f"Revision {clean.revision}" if clean.revision > 1 else None,
    )


def timestamp(seconds: float | None) -> str | None:
    """Seconds as a reader writes them: `0:07`, `12:34`, `1:02:03`; None for None."""
    if seconds is None:
        return None
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def _insight_view(insight: DigestInsight, scale: float) -> InsightView:
    def bounded(text: str | None, limit: int) -> str | None:
        return _clip(text, int(limit * scale)) or None if text else None

    start = timestamp(insight.start)
    listen = insight.audio_url if insight.audio_url and len(insight.audio_url) <= 2048 * scale else None
    if listen and start and insight.start is not None:
        listen = f"{listen}#t={int(insight.start)}"
    verbatim, shown = _evidence(insight)
    evidence = None
    if verbatim:
        evidence = "Quoted verbatim" if start is None or listen else f"Quoted verbatim, from {start}"
    elif start and not listen and (shown is None or timestamp(shown.start) is None):
        evidence = f"Said at {start}"
    quote_by = None
    if shown is not None:
        at = timestamp(shown.start)
        quote_by = ", ".join(part for part in (bounded(shown.speaker or insight.speaker, 80), at) if part) or None
    memory = bounded(insight.memory, 300)
    why = bounded(insight.why, 140)
    if memory and not insight.memory_links:
        # Nothing to follow: half a line beside the other half.
        why, memory = f"{why}. {memory}" if why else memory, None
    link = insight.episode_url if insight.episode_url and len(insight.episode_url) <= 2048 * scale else None
    return InsightView(
        number=insight.rank,
        headline=bounded(insight.headline, 200) or "",
        body=bounded(insight.body, 1200) or "",
        speaker=bounded(insight.speaker, 80),
        show=bounded(insight.show, 100) or "an unnamed show",
        episode=bounded(insight.episode_title, 160) or "untitled episode",
        episode_href=link,
        listen_href=listen,
        listen_label=f"Listen from {start}" if start else "Listen to the episode",
        quote=bounded(shown.text, 600) if shown else None,
        quote_by=quote_by,
        evidence=evidence,
        drift="may start a little off: the audio is another cut" if listen and start and insight.times_may_drift else None,
        why=why,
        memory=_linked(memory or "", insight.memory_links),
        also=bounded(_also(insight), 240),
        related=tuple(_related_line(link, scale) for link in insight.related[:2]),
        late=_late(insight),
        grade=f"score {insight.score:.2f}, salience {insight.salience:.2f}, {_clip(insight.engine, 60)}",
    )


_WORD = re.compile(r"\w+(?:['’]\w+)*")
# What the embedded engine takes out of a passage; a difference in these alone is cleaning, not another wording.
_FILLERS: Final = frozenset(
    _WORD.findall(
        "um uh uhm er erm ah hmm mm like so well okay ok right yeah yes and but you know i mean kind sort of "
        "actually basically just really literally then now"
    )
)


def _evidence(insight: DigestInsight) -> tuple[bool, Quote | None]:
    """Whether the body is the quotes' own words, and otherwise the first quote that adds something to it.

    Both are measured on the longest common subsequence of words without fillers: the body is verbatim when at least 0.9 of it
    stands in the quotes in this order, and a quote adds something when less than 0.8 of it stands in the body.
    """
    body = _words(insight.body)
    spoken = _words(" ".join(quote.text for quote in insight.quotes))
    if body and spoken and LCSseq.similarity(body, spoken) / len(body) >= 0.9:
        return True, None
    for quote in insight.quotes:
        words = _words(quote.text)
        if words and LCSseq.similarity(words, body) / len(words) < 0.8:
            return False, quote
    return False, None


def _words(text: str) -> list[str]:
    return [word for word in _WORD.findall(text.casefold().replace("’", "'")) if word not in _FILLERS]


def _also(insight: DigestInsight) -> str | None:
    # The memory line names shows too; a name that stands there already is not repeated.
    shows = [name for name in insight.also_in if name not in (insight.memory or "")]
    if not shows:
        return None
    names, more = shows[:3], len(shows) - 3
    if more > 0:
        names.append(_count(more, "other show"))
    return f"Also said on {names[0] if len(names) == 1 else ', '.join(names[:-1]) + ' and ' + names[-1]}"


def _linked(text: str, links: Sequence[ClaimRef]) -> Line:
    """`text` with the shows of `links`, which it names in this order, as links."""
    line: list[Words] = []
    for link in links:
        before, found, rest = text.partition(link.show)
        if found and link.show and _bounded_link(link.url):
            line += [Words(before), Words(link.show, _bounded_link(link.url))]
            text = rest
    return tuple(words for words in (*line, Words(text)) if words.text)


def _related_line(link: ClaimRef, scale: float) -> Line:
    told = f" ({_clip(link.show, int(80 * scale))}, {short_date(link.day)})"
    return (Words("Earlier: "), Words(_clip(link.headline, int(140 * scale)), _bounded_link(link.url)), Words(told))


def _heard_again_line(item: HeardAgain, scale: float) -> Line:
    """`“Headline” of 14 September (The Load Curve), now also on Signal Path`."""
    line = [
        Words(
            f"“{_clip(item.headline, int(140 * scale))}” of {short_date(item.told_on)} ({_clip(item.told_by, 80)}), now also on "
        )
    ]
    more = len(item.also) - 3
    for place, link in enumerate(item.also[:3]):
        last = place == min(len(item.also), 3) - 1 and more <= 0
        line += [Words(" and " if last else ", ")] if place else []
        line.append(Words(_clip(link.show, 80), _bounded_link(link.url)))
    return (*line, Words(f" and {_count(more, 'other show')}")) if more > 0 else tuple(line)


def _bounded_link(url: str | None) -> str | None:
    return url if url and len(url) <= 400 else None


def _late(insight: DigestInsight) -> str | None:
    if not insight.late:
        return None
    came = f"came out on {short_date(insight.published.date())}" if insight.published else "came out on an earlier day"
    return f"Late: the episode {came}, its transcript only now"


def _preheader(digest: Digest) -> str:
    if not digest.insights:
        return _clip(digest.short_because or "", 140)
    others = " · ".join(insight.headline for insight in digest.insights[1:])
    return _clip(others or digest.insights[0].body, 140)


def _engine_note(digest: Digest) -> str | None:
    if not digest.insights:
        return None
    engine = _clip(digest.engine, 120)
    named = "" if engine in ("local", "embedded", "openai") else f" ({engine})"
    kinds = {insight.engine.casefold().split("/")[0].split(":")[0] for insight in digest.insights}
    own_words = "speakers' own sentences, lightly cleaned"
    if kinds <= {"local", "embedded"}:
        return f"The paragraphs are the {own_words}, chosen by software{named}: no language model wrote them."
    if kinds <= {"openai"}:
        return f"The paragraphs were written by a language model{named}; each quote was found word for word in its transcript."
    if kinds <= {"local", "embedded", "openai"}:
        return (
            f"Some paragraphs are the {own_words}, others were written by a language model; each quote was found word for word "
            "in its transcript."
        )
    return f"Engines: {engine}. Each quote was found word for word in its transcript."


_MAILTO = re.compile(r"mailto:[A-Za-z0-9.!#$%&'*+/=?^_`{|}~@-]+")


def _unsubscribe_link(url: str | None) -> str | None:
    if url and len(url) <= 1000 and _MAILTO.fullmatch(url):
        return url
    return web_link(url)


def _built(moment: datetime) -> str:
    utc = moment.astimezone(UTC)
    return f"Built {short_date(utc.date())} {utc.year}, {utc.hour:02}:{utc.minute:02} UTC"


def long_date(day: date) -> str:
    """`Friday, 18 September 2026`."""
    return f"{_DAYS[day.weekday()]}, {short_date(day)} {day.year}"


def short_date(day: date) -> str:
    """`18 September`."""
    return f"{day.day} {_MONTHS[day.month - 1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _clip(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, cut at a word where one ends in the last third, with an ellipsis where it was cut."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    space = head.rfind(" ", limit * 2 // 3)
    return (head[:space] if space > 0 else head).rstrip(" ,;:.-–—\u200c\u200d") + "…"


_MARKDOWN = re.compile(r"([\\`*_\[\]|~#])")
_MARKDOWN_START = re.compile(r"^([-+=]|\d+(?=[.)]))")


def _markdown(text: str) -> str:
    """`text` as Markdown that shows exactly these characters, and holds no HTML."""
    escaped = _MARKDOWN.sub(r"\\\1", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN_START.sub(
        lambda match: match[1][:-1] + "\\" + match[1][-1] if match[1] in "-+=" else match[1] + "\\", escaped
    )


_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)|(?<=s)'(?=\s)")


def _typeset(text: str) -> str:
    """`text` with the apostrophes of its words as a printer sets them; plain text and JSON keep what was typed."""
    return _APOSTROPHE.sub("’", text)


def _plain(line: Line) -> str:
    return "".join(words.text for words in line)


def _markdown_line(line: Line) -> str:
    return "".join(_markdown_link(words.href, words.text) if words.href else _markdown(words.text) for words in line)


def _markdown_link(url: str | None, label: str) -> str:
    # The preview is kept in the orchestrator's event log, which more people read than get the mail.
    return f"[{_markdown(label)}]({url})" if url and mask_url(url.split("#", 1)[0]) == url.split("#", 1)[0] else _markdown(label)


def _wrap(text: str, indent: int = 0, hanging: int = 0) -> str:
    lines = textwrap.wrap(
        text,
        72,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def _squeezed(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in text.splitlines())).strip() + "\n"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("top5.digests"),
        autoescape=select_autoescape(enabled_extensions=("html",), disabled_extensions=("txt", "md"), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # Jinja2 leaves the values of these two dictionaries untyped.
    filters = {"wrap": _wrap, "markdown": _markdown, "plain": _plain, "markdown_line": _markdown_line, "typeset": _typeset}
    environment.filters.update(filters)  # pyright: ignore[reportUnknownMemberType]
    environment.globals.update(markdown_link=_markdown_link)  # pyright: ignore[reportUnknownMemberType]
    return environment


@cache
def _inliner() -> CSSInliner:
    return CSSInliner(load_remote_stylesheets=False)
