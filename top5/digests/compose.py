"""From the day's picked rows to a `Digest`: what is in it, what is not, and why, as plain data.

Belongs here: deciding what a digest says (order, counts, the sentence on a short day, the words for what was left out), making
hostile text and links harmless on the way in, and comparing two revisions. All of it is pure.
Does not belong here: choosing the insights (SQL does), layout (`render`), stores, sending (`deliver`).
"""

import hashlib
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache
from math import isfinite
from typing import Annotated, Final, TypeVar, cast
from urllib.parse import quote, urlsplit, urlunsplit

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from rapidfuzz import fuzz

from top5.digests.model import ClaimRef, Considered, Digest, DigestInputs, DigestInsight, HeardAgain, LeftOut
from top5.errors import PermanentError
from top5.insights.model import Quote

_MAX_URL: Final = 2048
_Model = TypeVar("_Model", bound=BaseModel)


class _Row(BaseModel):
    # Rows come out of SQL: a new column there must not break a digest here.
    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True, populate_by_name=True)


def _show_names(value: object) -> object:
    """Titles, from titles or from rows that carry a `show_title`; each once, in their order."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return value
    names = [_show_name(item) for item in cast("Sequence[object]", value)]
    return tuple(dict.fromkeys(names))


def _show_name(item: object) -> object:
    if isinstance(item, Mapping):
        return cast("Mapping[str, object]", item).get("show_title", cast("object", item))
    return getattr(item, "show_title", item)


class Link(_Row):
    """Another insight: who said it, on which day, where it can be heard."""

    show: str = Field(validation_alias=AliasChoices("show", "show_title"))
    day: date
    headline: str
    url: str | None = Field(default=None, validation_alias=AliasChoices("url", "episode_url"))


class Repeat(_Row):
    """A candidate that said what an earlier digest had brought. Grain: one insight and day."""

    show: str = Field(validation_alias=AliasChoices("show", "show_title"))
    headline: str
    episode_url: str | None = None
    told_on: date = Field(validation_alias=AliasChoices("told_on", "nearest_told_on"))
    told_by: str = Field(validation_alias=AliasChoices("told_by", "nearest_told_by"))
    told_headline: str = Field(validation_alias=AliasChoices("told_headline", "nearest_told_headline"))
    told_insight_id: str = Field(validation_alias=AliasChoices("told_insight_id", "nearest_told_insight_id"))


class Pick(_Row):
    """One row of the day's choice, as SQL gives it. Grain: one insight and day.

    `rank` orders the picks (1 is best; gaps are closed), `published` is UTC (naive values are taken as UTC), times are seconds.
    Fields with two names also go by the name of their column in `daily_top_insights`.
    """

    rank: int
    insight_id: str
    headline: str
    body: str
    show: str = Field(validation_alias=AliasChoices("show", "show_title"))
    episode_title: str
    episode_url: str | None = None
    audio_url: str | None = None
    speaker: str | None = None
    published: datetime | None = Field(default=None, validation_alias=AliasChoices("published", "published_at"))
    quotes: tuple[Quote, ...] = ()
    score: Annotated[float, Field(allow_inf_nan=False)]
    salience: Annotated[float, Field(allow_inf_nan=False)]
    why: str = ""
    memory: str | None = None
    memory_links: tuple[Link, ...] = ()
    related: tuple[Link, ...] = ()
    times_may_drift: bool = False
    also_in: Annotated[tuple[str, ...], BeforeValidator(_show_names)] = ()
    late: bool = Field(default=False, validation_alias=AliasChoices("late", "is_late"))
    engine: str


class Dropped(_Row):
    """How many candidates lost for one reason: `below_floor` / 9."""

    reason: str = Field(validation_alias=AliasChoices("reason", "fate"))
    candidates: int


class Counts(_Row):
    """The day in numbers. `dropped` may be empty: then the sentence on a short day names the quality floor only."""

    episodes_considered: int
    shows_considered: int
    candidates_considered: int = Field(validation_alias=AliasChoices("candidates_considered", "candidates"))
    dropped: tuple[Dropped, ...] = Field(default=(), validation_alias=AliasChoices("dropped", "fates"))


class _LedgerLine(_Row):
    # A row of the ledger itself stands for one episode; a row that counts says how many.
    state: str
    reason: str = ""
    episodes: int = 1


# Reason slugs of all stages in the reader's words, after "1 episode" and after "3 episodes".
# Keys are (state, reason); an empty state stands for any, so a pair may say it better than the reason alone.
_WORDS: Final[Mapping[tuple[str, str], tuple[str, str]]] = {
    ("", "transcript_not_found"): ("waits for its transcript", "wait for their transcripts"),
    ("given_up", "transcript_not_found"): ("never got a transcript", "never got a transcript"),
    ("rejected", "transcript_not_found"): ("has no transcript", "have no transcript"),
    ("", "no_transcript_yet"): ("waits for its transcript", "wait for their transcripts"),
    ("", "no_extraction_yet"): ("waits to be read", "wait to be read"),
    ("", "no_speech_model"): (
        "has no published transcript, and no speech model is installed",
        "have no published transcript, and no speech model is installed",
    ),
    ("", "speech_off"): (
        "has no published transcript, and speech to text is off",
        "have no published transcript, and speech to text is off",
    ),
    ("", "no_transcript"): ("has no transcript", "have no transcript"),
    ("", "transcript_lost"): ("lost its kept transcript", "lost their kept transcripts"),
    ("", "not_a_transcript"): ("came with a file that is no transcript", "came with files that are no transcripts"),
    ("", "low_coverage"): ("has a transcript of a part only", "have transcripts of a part only"),
    ("", "odd_pace"): ("has a transcript that cannot be trusted", "have transcripts that cannot be trusted"),
    ("", "repeat_loops"): ("has a transcript that repeats itself in loops", "have transcripts that repeat themselves in loops"),
    ("", "repetitive"): ("has a transcript that repeats itself", "have transcripts that repeat themselves"),
    ("", "low_confidence"): ("was heard too badly to be trusted", "were heard too badly to be trusted"),
    ("", "inaudible"): ("is inaudible in too many places", "are inaudible in too many places"),
    ("", "too_short"): ("is too short to say anything", "are too short to say anything"),
    ("", "no_speech"): ("has no speech in it", "have no speech in them"),
    ("", "wrong_language"): ("is in another language", "are in another language"),
    ("", "bad_audio"): ("has audio that cannot be played", "have audio that cannot be played"),
    ("", "not_found"): ("is no longer where its feed says", "are no longer where their feeds say"),
    ("", "gone"): ("was taken down", "were taken down"),
    ("", "too_long"): ("is longer than the limit", "are longer than the limit"),
    ("", "too_large"): ("is larger than the limit", "are larger than the limit"),
    ("", "timeout"): ("did not arrive in time", "did not arrive in time"),
    ("", "connection"): ("could not be reached", "could not be reached"),
    ("", "dns"): ("could not be reached", "could not be reached"),
    ("", "server_error"): ("met a server that failed", "met a server that failed"),
    ("", "rate_limited"): ("waits for a busy server", "wait for a busy server"),
    ("", "quota"): ("waits until the account at the model's provider is filled", "wait until the account at the model's provider is filled"),
    ("", "bad_api_key"): ("waits until the model's provider accepts the key", "wait until the model's provider accepts the key"),
    ("", "no_api_key"): ("waits for the key of the model's provider", "wait for the key of the model's provider"),
    ("", "forbidden"): ("is not given out by its server", "are not given out by their servers"),
    ("", "unauthorised"): ("is not given out without a password", "are not given out without a password"),
    ("", "disk"): ("found no room on the disk", "found no room on the disk"),
    ("", "audio_limit"): ("waits for tomorrow: today's listening time is used up", "wait for tomorrow: today's listening time is used up"),
    ("given_up", "audio_limit"): ("never fitted into a day's minutes of listening", "never fitted into a day's minutes of listening"),
    ("", "budget_spent"): ("waits for tomorrow: today's budget is spent", "wait for tomorrow: today's budget is spent"),
    ("given_up", "budget_spent"): ("never fitted into a day's budget", "never fitted into a day's budget"),
    ("", "no_candidates"): ("held no passage that stands on its own", "held no passage that stands on its own"),
    ("", "below_floor"): ("held nothing above the quality floor", "held nothing above the quality floor"),
    ("", "already_told"): ("said what an earlier digest had said", "said what earlier digests had said"),
    ("", "too_similar"): ("said what another said better", "said what others said better"),
    ("", "show_cap"): ("came from a show that already had its share", "came from shows that already had their share"),
    ("considered", ""): ("was read, but others ranked higher", "were read, but others ranked higher"),
    ("rejected", ""): ("was not usable", "were not usable"),
    ("pending", ""): ("is not ready yet", "are not ready yet"),
    ("deferred", ""): ("is put off to another day", "are put off to another day"),
    ("given_up", ""): ("was given up", "were given up"),
    ("", ""): ("is left out", "are left out"),
}  # fmt: skip
# What comes first in the footer; unknown states come last.
_STATE_ORDER: Final = ("pending", "deferred", "considered", "rejected", "given_up")
_SELF_EXPLAINING: Final = frozenset({"considered"})

_DROPPED_WORDS: Final[Mapping[str, str]] = {
    "below_floor": "fell below the quality floor",
    "already_told": "said what an earlier digest had said",
    "too_similar": "said the same as a better one",
    "show_cap": "came from a show that already had its share",
    "episode_cap": "came from an episode that already had its share",
    "outranked": "ranked lower",
    "not_grounded": "could not be proven from the transcript",
    "not_self_contained": "did not stand alone",
}


def compose(
    day: date,
    picks: Sequence[BaseModel | Mapping[str, object]],
    ledger: Sequence[BaseModel | Mapping[str, object]],
    counts: BaseModel | Mapping[str, object],
    *,
    revision: int = 1,
    size: int = 5,
    title: str = "The day's five",
    repeats: Sequence[BaseModel | Mapping[str, object]] = (),
    notes: Sequence[str] = (),
    engine: str | None = None,
    inputs: DigestInputs | None = None,
) -> Digest:
    """The digest of `day`: the best `size` picks in order of rank, cleaned of control characters and of links that are no web links.

    Rows are the models of this module, the warehouse's own (`daily_top_insights`, `fct_episode_ledger` or the counts in
    `daily_summary`), or mappings with the same names. `ledger` tells all episodes of the day by state and reason, one a row or
    counted in `episodes`; those in state `included` are not left out and fall away.
    `repeats` are candidates of other publishers that said what an earlier digest had brought.
    `engine` is named where there are no picks to name it. Same inputs, same digest, whatever the order of the rows.
    Raises PermanentError `bad_pick` where a row lacks a field or two rows are one insight.
    """
    rows = sorted((_validated(Pick, pick, "bad_pick") for pick in picks), key=lambda pick: (pick.rank, pick.insight_id))
    ids = [row.insight_id for row in rows]
    for insight_id in ids:
        if ids.count(insight_id) > 1:
            raise PermanentError(
                "bad_pick", f"Insight {insight_id!r} was picked twice for {day}; the day's choice must be unique."
            )
    insights = tuple(_insight(number, row) for number, row in enumerate(rows[:size], start=1))
    numbers = _validated(Counts, counts, "bad_counts")
    left_out = _left_out([_validated(_LedgerLine, item, "bad_ledger") for item in ledger])
    engines = sorted({insight.engine for insight in insights}) or [visible_text(engine or "none")]
    digest = Digest(
        date=day,
        revision=revision,
        title=visible_text(title),
        size=size,
        insights=insights,
        considered=Considered(
            episodes=numbers.episodes_considered, shows=numbers.shows_considered, candidates=numbers.candidates_considered
        ),
        heard_again=_heard_again(day, [_validated(Repeat, row, "bad_repeat") for row in repeats]),
        left_out=left_out,
        short_because=_short_because(len(insights), size, numbers, left_out),
        notes=tuple(note for note in map(visible_text, notes) if note),
        engine=", ".join(engines),
        inputs=inputs,
        inputs_hash="",
    )
    return digest.model_copy(update={"inputs_hash": inputs_hash(digest)})


def inputs_hash(digest: Digest) -> str:
    """SHA-256 (hex) over the canonical JSON of everything a reader sees: equal means nothing new to say.

    Left out are `revision`, the hash itself and `inputs`: other inputs that give the same digest are no reason for a revision.
    """
    facts = digest.model_dump(mode="json", exclude={"revision", "inputs_hash", "inputs"})
    canonical = json.dumps(facts, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()


def diff(old: Digest, new: Digest) -> list[str]:
    """What a reader of `old` would find changed in `new`, one sentence a change, in order of the new digest; empty when nothing is.

    Two insights are one when their ids are, or when both come from the same episode and the same seconds (a reworded
    insight may carry a new id).
    """
    before = {insight.insight_id: insight for insight in old.insights}
    pairs: list[tuple[DigestInsight | None, DigestInsight]] = []
    for insight in new.insights:
        pairs.append((before.pop(insight.insight_id, None), insight))
    matched = [(was or _same_passage(before, insight), insight) for was, insight in pairs]
    sentences: list[str] = []
    for was, insight in matched:
        if was is None:
            sentences.append(f"Number {insight.rank} is new: {_named(insight)}.")
            continue
        if was.rank != insight.rank:
            sentences.append(f"{_named(insight)} moved from number {was.rank} to number {insight.rank}.")
        reworded = [part for part in ("headline", "body") if getattr(was, part) != getattr(insight, part)]
        if reworded:
            sentences.append(f"Number {insight.rank} was reworded ({' and '.join(reworded)}): {_named(insight)}.")
        if was.quotes != insight.quotes or was.start != insight.start:
            sentences.append(f"The quotes of number {insight.rank} changed: {_named(insight)}.")
        if _details(was) != _details(insight):
            sentences.append(
                f"What stands around number {insight.rank} changed (source, links, remarks or score): {_named(insight)}."
            )
    sentences += [f"Number {was.rank} was dropped: {_named(was)}." for was in before.values()]
    if old.short_because != new.short_because and new.short_because is not None:
        sentences.append(f"The reason for being short now reads: {new.short_because}")
    for name in Considered.model_fields:
        earlier, now = getattr(old.considered, name), getattr(new.considered, name)
        if earlier != now:
            sentences.append(f"{name.capitalize()} considered: {earlier} before, {now} now.")
    if old.heard_again != new.heard_again:
        sentences.append("What was heard again changed.")
    if old.left_out != new.left_out:
        sentences.append("The account of what was left out changed.")
    if (old.title, old.size, old.notes) != (new.title, new.size, new.notes):
        sentences.append("The title, the size or the notes changed.")
    return sentences


def harmless(digest: Digest) -> Digest:
    """`digest` with every text on one visible line and no link but web links: what `compose` did, for digests from elsewhere."""
    return digest.model_copy(
        update={
            "title": visible_text(digest.title),
            "engine": visible_text(digest.engine),
            "short_because": visible_text(digest.short_because or "") or None,
            "notes": tuple(note for note in map(visible_text, digest.notes) if note),
            "insights": tuple(_harmless_insight(insight) for insight in digest.insights),
            "heard_again": tuple(
                item.model_copy(
                    update={
                        "headline": visible_text(item.headline),
                        "told_by": visible_text(item.told_by),
                        "also": tuple(map(_harmless_link, item.also)),
                    }
                )
                for item in digest.heard_again
            ),
        }
    )


def left_out_words(item: LeftOut) -> str:
    """One line of the ledger for a reader: `3 episodes wait for their transcripts`. An unknown slug is shown in brackets."""
    state, reason = _slug(item.state), _slug(item.reason)
    number = 0 if item.episodes == 1 else 1
    found = _WORDS.get((state, reason)) or _WORDS.get(("", reason))
    if found is None or not reason:
        found = _WORDS.get((state, "")) or _WORDS[("", "")]
        shown = "" if not reason or state in _SELF_EXPLAINING else f" ({reason.replace('_', ' ')})"
        return f"{_count(item.episodes, 'episode')} {found[number]}{shown}"
    return f"{_count(item.episodes, 'episode')} {found[number]}"


# Bidirectional overrides, zero-width spaces and tags can show a reader (or a mail client) something other than what is there.
# The joiners stay: emoji and several scripts need them; so do the Arabic and Syriac number signs, which are visible.
_VISIBLE_FORMAT: Final = frozenset("\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u08e2")


# Readers with different wishes share their insights, and so their texts and links.
@lru_cache(maxsize=4096)
def visible_text(text: str) -> str:
    """`text` on one line, without control, surrogate and invisible format characters. Words are never changed; idempotent."""
    kept: list[str] = []
    for character in text:
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\n\r\v\f\x85\x1c\x1d\x1e\x1f":
            kept.append(" ")
        elif category not in ("Cc", "Cs", "Cf") or character in _VISIBLE_FORMAT:
            kept.append(character)
    return " ".join("".join(kept).split())


_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]")


@lru_cache(maxsize=4096)
def web_link(url: str | None) -> str | None:
    """`url` as it may stand in an href, or None: http or https, a plain host, no user name, at most 2,048 characters; idempotent.

    Spaces, quotes, brackets and non-ASCII letters are percent-encoded, an international host is written in its ASCII form.
    A URL with a user name is refused because `https://bank.example@other.example` shows one host and opens another.
    """
    if not url or len(url) > _MAX_URL or any(unicodedata.category(character) in ("Cc", "Cs", "Cf") for character in url.strip()):
        return None
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
    except (ValueError, UnicodeError):
        return None
    host = f"[{host}]" if ":" in host else host
    if parts.scheme not in ("http", "https") or "@" in parts.netloc or "\\" in parts.netloc or not _HOST.fullmatch(host):
        return None
    path, query, fragment = (quote(part, safe="%/:=&?~+!$,;@*") for part in (parts.path, parts.query, parts.fragment))
    link = urlunsplit((parts.scheme, host if port is None else f"{host}:{port}", path, query, fragment))
    return link if len(link) <= _MAX_URL else None


def _validated(model: type[_Model], row: BaseModel | Mapping[str, object], reason: str) -> _Model:
    try:
        return row if isinstance(row, model) else model.model_validate(row)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        message = (
            f"A row for {model.__name__.strip('_')} is not usable: {where!r}: {first['msg']}; correct the query that made it."
        )
        raise PermanentError(reason, message) from error


def _insight(number: int, row: Pick) -> DigestInsight:
    facts = {name: getattr(row, name) for name in Pick.model_fields}
    facts |= {name: tuple(_claim_ref(link) for link in getattr(row, name)) for name in ("memory_links", "related")}
    facts |= {"rank": number, "start": row.quotes[0].start if row.quotes else None, "published": _utc(row.published)}
    return _harmless_insight(DigestInsight(**facts))


def _claim_ref(link: Link) -> ClaimRef:
    return ClaimRef(show=link.show, day=link.day, headline=link.headline, url=link.url)


def _harmless_link(link: ClaimRef) -> ClaimRef:
    return link.model_copy(
        update={"show": visible_text(link.show), "headline": visible_text(link.headline), "url": web_link(link.url)}
    )


def _heard_again(day: date, repeats: Sequence[Repeat]) -> tuple[HeardAgain, ...]:
    """One entry for each claim that was told before, in order of its day, with each show once."""
    found: dict[str, HeardAgain] = {}
    for row in sorted(repeats, key=lambda row: (row.told_on, row.told_insight_id, row.show, row.headline)):
        entry = found.get(row.told_insight_id) or HeardAgain(
            headline=visible_text(row.told_headline), told_on=row.told_on, told_by=visible_text(row.told_by), also=()
        )
        also = _harmless_link(ClaimRef(show=row.show, day=day, headline=row.headline, url=row.episode_url))
        if also.show not in {known.show for known in entry.also}:
            entry = entry.model_copy(update={"also": (*entry.also, also)})
        found[row.told_insight_id] = entry
    return tuple(found.values())


def _harmless_insight(insight: DigestInsight) -> DigestInsight:
    quotes = tuple(
        Quote(
            text=visible_text(item.text),
            start=_time(item.start),
            end=_time(item.end),
            speaker=visible_text(item.speaker or "") or None,
        )
        for item in insight.quotes
    )
    audio = web_link(insight.audio_url)
    plain = ("insight_id", "headline", "body", "show", "episode_title", "why", "engine")
    return insight.model_copy(
        update={name: visible_text(getattr(insight, name)) for name in plain}
        | {name: visible_text(getattr(insight, name) or "") or None for name in ("speaker", "memory")}
        | {
            "episode_url": web_link(insight.episode_url),
            "audio_url": audio.split("#", 1)[0] if audio else None,
            "start": _time(insight.start),
            "quotes": quotes,
            "also_in": tuple(name for name in map(visible_text, insight.also_in) if name),
            "memory_links": tuple(map(_harmless_link, insight.memory_links)),
            "related": tuple(map(_harmless_link, insight.related)),
        }
    )


def _time(seconds: float | None) -> float | None:
    return seconds if seconds is not None and isfinite(seconds) and seconds >= 0 else None


def _utc(moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _left_out(ledger: Sequence[_LedgerLine]) -> tuple[LeftOut, ...]:
    totals: dict[tuple[str, str], int] = {}
    for item in ledger:
        key = (_slug(item.state), _slug(item.reason))
        if key[0] != "included" and item.episodes > 0:
            totals[key] = totals.get(key, 0) + item.episodes
    items = [LeftOut(state=state, reason=reason, episodes=episodes) for (state, reason), episodes in totals.items()]
    return tuple(sorted(items, key=lambda item: (_state_rank(item.state), -item.episodes, item.state, item.reason)))


def _state_rank(state: str) -> int:
    return _STATE_ORDER.index(state) if state in _STATE_ORDER else len(_STATE_ORDER)


def _slug(text: str) -> str:
    return visible_text(text).lower().replace(" ", "_")[:60]


def _short_because(chosen: int, size: int, counts: Counts, left_out: Sequence[LeftOut]) -> str | None:
    if chosen >= size:
        return None
    candidates = max(counts.candidates_considered, chosen)
    episodes = counts.episodes_considered
    source = f"{_count(candidates, 'candidate')} from {_count(episodes, 'episode')}"
    if candidates == 0 and episodes == 0:
        reason = "No episode could be read today" if left_out else "No new episode came out, so there was nothing to choose from"
    elif candidates == 0:
        reason = f"{_count(episodes, 'episode')} {_was(episodes)} read, but no passage stood on its own and could be proven"
    elif chosen == candidates:
        here = {1: "it stands here", 2: "both stand here"}.get(chosen, f"all {chosen} stand here")
        reason = f"Only {_count(candidates, 'candidate')} came out of {_count(episodes, 'episode')}, and {here}"
    else:
        dropped = [item for item in counts.dropped if item.candidates > 0 and _slug(item.reason) != "chosen"]
        start = f"None of {source}" if chosen == 0 else f"Only {chosen} of {source}"
        if all(_slug(item.reason) == "below_floor" for item in dropped):
            reason = f"{start} stood on {'its' if chosen <= 1 else 'their'} own and cleared the quality floor"
        else:
            reason = f"{start} {_was(max(chosen, 1))} chosen: {_and([_dropped(item) for item in dropped])}"
    # Only what may still come is worth a clause here: the rest is in the account at the foot.
    waiting = [left_out_words(item) for item in left_out if item.state in ("pending", "deferred")][:2]
    return "; ".join([reason, *waiting]) + "."


def _dropped(item: Dropped) -> str:
    slug = _slug(item.reason)
    words = _DROPPED_WORDS.get(slug) or f"fell away ({slug.replace('_', ' ')})"
    return f"{item.candidates} {words}"


def _and(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _named(insight: DigestInsight) -> str:
    headline = insight.headline if len(insight.headline) <= 90 else insight.headline[:89].rstrip() + "…"
    return f"“{headline}”"


def _details(insight: DigestInsight) -> dict[str, object]:
    return insight.model_dump(exclude={"rank", "insight_id", "headline", "body", "quotes", "start"})


def _same_passage(left: dict[str, DigestInsight], insight: DigestInsight) -> DigestInsight | None:
    """The one of `left` that is `insight` in other words, taken out of `left`: same episode, and same seconds or nearly same words."""
    for insight_id, other in left.items():
        if (other.show, other.episode_title) != (insight.show, insight.episode_title):
            continue
        near = other.start is not None and insight.start is not None and abs(other.start - insight.start) <= 5.0
        if near or fuzz.token_set_ratio(other.body, insight.body) >= 85:
            return left.pop(insight_id)
    return None
