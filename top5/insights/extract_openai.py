"""The model engine: candidates from chunks by structured outputs, proven against the transcript, repaired once, then ranked.

Belongs here: the order of the steps and what each is told. Nothing a model says is believed: quotes, numbers, names and direction go
through `ground`, form through `style`. Requests and their failures are in `api`.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from top5.errors import PermanentError, Top5Error
from top5.insights.api import BadReply, ReplyStore, StructuredChat
from top5.insights.budget import Budget
from top5.insights.chunk import Chunk, split_chunks
from top5.insights.glossary import Glossary
from top5.insights.ground import Aligned, Aligner, check_all, check_names, check_numbers, prove
from top5.insights.injection import talks_to_a_model
from top5.insights.model import ClaimType, EpisodeText, Extraction, Insight, Rejection, Usage, count_rejections
from top5.insights.names import NameResolver, glossary_hash
from top5.insights.retries import Retrier
from top5.insights.sentences import Sentence, split_sentences
from top5.insights.style import check_style, check_wording, slug
from top5.insights.words import content_stems, lower_words, tidy
from top5.settings import OpenAISettings
from top5.transcripts.sponsors import mark
from top5.urls import mask_url

if TYPE_CHECKING:
    import httpx

PROMPTS = Path(__file__).parent / "prompts"
PROOF_VERSION = "3"
"""Part of the cache key: stricter checks let other candidates through."""

_OVERLAP_SHARE = 0.1
_LEAKED_WORDS = 9
_SAME_CLAIM = 0.6
_MOST_CANDIDATES = 16
_MOST_KNOWN_NAMES = 80
# Sentences before and after a quote in which an actor may be named whom the quote only calls "we" or "they".
_NAMED_BEFORE, _NAMED_AFTER = 10, 2
_PROMPT_HEAD = re.compile(r"<!-- version (\d+) -->\n")


@dataclass(frozen=True, slots=True)
class Prompt:
    """A versioned file of `prompts/`: its first line names the version and is not sent."""

    name: str
    version: int
    text: str

    @property
    def label(self) -> str:
        """Name, version and a short hash of the wording, which tells an edit that nobody gave a number."""
        return f"{self.name}.{self.version}.{hashlib.sha256(self.text.encode()).hexdigest()[:6]}"


def load_prompts(folder: Path = PROMPTS) -> dict[str, Prompt]:
    """The prompts by name. Raises PermanentError `bad_prompt` for a file without its version line."""
    prompts: dict[str, Prompt] = {}
    for path in sorted(folder.glob("*.md")):
        text = path.read_text("utf-8")
        head = _PROMPT_HEAD.match(text)
        if head is None:
            raise PermanentError("bad_prompt", f"{path} has no version; write <!-- version 1 --> as its first line.")
        prompts[path.stem] = Prompt(path.stem, int(head.group(1)), text[head.end() :])
    return prompts


Model = TypeVar("Model", bound=BaseModel)


class _Strict(BaseModel):
    """No defaults and no other keys: then the JSON schema is what strict structured outputs ask for."""

    model_config = ConfigDict(extra="forbid")


class CitedQuote(_Strict):
    """What the model says was said, and in which line."""

    id: int
    text: str


class Candidate(_Strict):
    """One claim as the model gives it; nothing in it is trusted."""

    headline: str
    body: str
    claim_type: ClaimType
    entities: list[str]
    speaker: str
    salience: float = Field(allow_inf_nan=False)
    reason: str
    quotes: list[CitedQuote]


class Candidates(_Strict):
    """The reply to map and repair."""

    candidates: list[Candidate]


class Ranked(_Strict):
    """One candidate after the editor; `id` is its number in the request."""

    id: int
    headline: str
    body: str
    salience: float = Field(allow_inf_nan=False)


class Ranking(_Strict):
    """The reply to reduce."""

    ranking: list[Ranked]


@dataclass(frozen=True, slots=True)
class _Proven:
    insight: Insight
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Found:
    proven: list[_Proven]
    rejections: list[Rejection]
    usage: Usage


@dataclass(frozen=True)
class _Source:
    """What every step of one episode needs."""

    episode: EpisodeText
    sentences: tuple[Sentence, ...]
    aligner: Aligner
    names: NameResolver
    content: tuple[Sentence, ...]

    @cached_property
    def quotable(self) -> frozenset[int]:
        """Indexes of the sentences that were sent: no quote may come from the others."""
        return frozenset(sentence.index for sentence in self.content)


class OpenAIEngine:
    """Insights by a model behind the OpenAI API or any server that speaks it (`base_url`).

    A refused, cut or unreadable reply costs only its chunk; what keeps the server from being used is raised (see `StructuredChat.ask`).
    Safe to share between threads: requests under way are limited over all episodes.
    """

    def __init__(
        self,
        settings: OpenAISettings,
        per_episode: int,
        *,
        replies: ReplyStore,
        budget: Budget,
        glossary: Glossary | None = None,
        http_client: "httpx.Client | None" = None,
        retrier: Retrier | None = None,
    ) -> None:
        self._settings = settings
        self._per_episode = per_episode
        self._glossary = glossary or Glossary()
        self._prompts = load_prompts()
        self._chat = StructuredChat(settings, replies=replies, budget=budget, http_client=http_client, retrier=retrier)

    @property
    def prompt_version(self) -> str:
        """Names, versions and contents of the prompts: another wording is another version."""
        return "-".join(prompt.label for _, prompt in sorted(self._prompts.items()))

    @property
    def fingerprint(self) -> str:
        """Engine, model, prompts and everything else that changes replies: with the hash of the input it is the cache key."""
        settings = self._settings
        return (
            f"openai/{PROOF_VERSION}/{settings.model}/{self.prompt_version}/{settings.chunk_tokens}/{settings.max_output_tokens}"
            f"/{settings.temperature}/{self._per_episode}/{glossary_hash(self._glossary)}"
            + (f"/{mask_url(settings.base_url)}" if settings.base_url else "")
        )

    def extract(self, episode: EpisodeText) -> Extraction:
        """Map over chunks, prove, repair once, reduce. Raises TransientError or PermanentError when the server cannot be used."""
        with self._chat.opened():
            return self._extract(episode)

    def _extract(self, episode: EpisodeText) -> Extraction:
        sentences = split_sentences(episode.segments)
        names = NameResolver(episode, self._glossary)
        source = _Source(episode, sentences, Aligner(sentences), names, _content(episode, sentences))
        chunks = split_chunks(source.content, self._settings.chunk_tokens, int(self._settings.chunk_tokens * _OVERLAP_SHARE))

        def read(chunk: Chunk) -> _Found | Top5Error:
            # Failures as values: every chunk that is already paid is finished and kept before the first failure is raised.
            try:
                return self._read_chunk(source, chunk)
            except Top5Error as error:
                return error

        with ThreadPoolExecutor(max_workers=self._settings.parallel_requests) as pool:
            results = list(pool.map(read, chunks))
        for result in results:
            if isinstance(result, Top5Error):
                raise result
        found = [result for result in results if isinstance(result, _Found)]
        rejections = [rejection for part in found for rejection in part.rejections]
        usage = _total([part.usage for part in found])
        proven = _merge([one for part in found for one in part.proven], rejections)
        if len(chunks) > 1 and len(proven) > 1:
            proven, spent = self._reduce(source, proven, rejections)
            usage = _total([usage, spent])
        best = sorted(proven, key=lambda one: -one.insight.salience)
        rejections += [_rejection("beyond_limit", "more than per_episode", one.insight.body) for one in best[self._per_episode :]]
        return Extraction(
            engine="openai",
            model=self._settings.model,
            prompt_version=self.prompt_version,
            insights=tuple(one.insight for one in best[: self._per_episode]),
            rejections=tuple(rejections),
            rejection_counts=count_rejections(rejections),
            usage=usage,
        )

    def _read_chunk(self, source: _Source, chunk: Chunk) -> _Found:
        user = self._about(source) + f"\n\nTRANSCRIPT-BEGIN\n{chunk.text}\nTRANSCRIPT-END"
        found = _Found([], [], Usage())
        try:
            reply, usage = self._ask("map", user, Candidates)
        except BadReply as error:
            found.rejections.append(_rejection(error.reason, error.detail, f"chunk {chunk.index + 1}"))
            found.usage = error.usage
            return found
        found.usage = usage
        failed: list[tuple[Candidate, list[str]]] = []
        for candidate in reply.candidates[:_MOST_CANDIDATES]:
            problems, proven = self._prove(source, candidate)
            if proven is not None:
                found.proven.append(proven)
            elif any(slug(problem) in _HOSTILE for problem in problems):
                # What carries a link or an instruction was steered by the transcript: it gets no second chance.
                found.rejections.append(_rejection(slug(problems[0]), problems[0], candidate.body))
            else:
                failed.append((candidate, problems))
        if failed:
            self._repair(source, user, failed, found)
        return found

    def _repair(self, source: _Source, user: str, failed: Sequence[tuple[Candidate, list[str]]], found: _Found) -> None:
        listed = "\n".join(
            json.dumps({**candidate.model_dump(), "failed": problems}, ensure_ascii=False) for candidate, problems in failed
        )
        try:
            reply, usage = self._ask("repair", f"{user}\n\nFAILED-BEGIN\n{listed}\nFAILED-END", Candidates)
        except BadReply as error:
            found.rejections += [
                _rejection(slug(problems[0]), f"{'; '.join(problems)}; repair: {error.detail}", c.body) for c, problems in failed
            ]
            found.usage = _total([found.usage, error.usage])
            return
        found.usage = _total([found.usage, usage])
        for candidate in reply.candidates[: len(failed)]:
            problems, proven = self._prove(source, candidate)
            if proven is not None:
                found.proven.append(proven)
            else:
                found.rejections.append(_rejection(slug(problems[0]), "; ".join(problems) + " (after repair)", candidate.body))
        for candidate, problems in failed[len(reply.candidates) :]:
            found.rejections.append(_rejection(slug(problems[0]), "; ".join(problems) + " (given up in repair)", candidate.body))

    def _prove(self, source: _Source, candidate: Candidate) -> tuple[list[str], _Proven | None]:
        """The problems of a candidate, or the insight with the transcript's own words as quotes."""
        problems = self._hostile(f"{candidate.headline}. {candidate.body}")
        if problems:
            return problems, None
        aligned: list[Aligned] = []
        for cited in candidate.quotes[:3]:
            found = source.aligner.align(cited.text, near=cited.id)
            if found is None:
                problems.append(f"quote_not_found: {cited.text[:80]!r}")
            elif any(talks_to_a_model(s.text) for s in source.sentences[found.first : found.last + 1]):
                return ["injection: the quote talks to a model, not to people"], None
            elif not source.quotable.issuperset(range(found.first, found.last + 1)):
                problems.append(f"quote_left_out: advertising or greeting, {cited.text[:80]!r}")
            elif not any(found.first == other.first and found.quote.text == other.quote.text for other in aligned):
                aligned.append(found)
        body, changed = source.names.repair(tidy(candidate.body))
        headline, changed_too = source.names.repair(tidy(candidate.headline).rstrip("."))
        quotes = tuple(found.quote for found in aligned)
        heard = [change for quote in quotes for change in source.names.repair(quote.text)[1]]
        changes = {change.heard: change for change in (*changed, *changed_too, *heard)}
        allowed = _names_near(source, aligned)
        problems += check_all(headline, body, quotes, allowed, tuple(changes.values()))
        problems += check_style(body, strict=True)
        if not 2 <= len(headline.split()) <= 12:
            problems.append(f"headline_length: {len(headline.split())} words, 2 to 12")
        problems += [f"{problem} (headline)" for problem in check_wording([headline + "."]) if slug(problem) != "breaks_off"]
        if problems:
            return problems, None
        speakers = {found.quote.speaker for found in aligned}
        insight = Insight(
            headline=headline,
            body=body,
            speaker=next(iter(speakers)) if len(speakers) == 1 else None,
            claim_type=candidate.claim_type,
            salience=_salience(candidate.salience),
            reasons=self._reasons(candidate.reason, body, [quote.text for quote in quotes]),
            entities=source.names.entities(body),
            quotes=quotes,
            names=tuple(change for change in changes.values() if change.written in f"{headline} {body}"),
        )
        # The same guard as the embedded engine's, on what is about to be handed over and not on what it was made from.
        problems = prove(insight, source.aligner, allowed)
        return problems, None if problems else _Proven(insight, tuple((found.first, found.last) for found in aligned))

    def _reasons(self, reason: str, body: str, quotes: Sequence[str]) -> tuple[str, ...]:
        """The model's reason, where it says nothing that the insight does not: readers see it."""
        text = tidy(reason)[:200]
        spoken = [body, *quotes]
        sound = text and not (
            self._hostile(text) or check_wording([text + "."]) or check_numbers(text, spoken) or check_names(text, spoken, ())
        )
        return (text,) if sound else ()

    def _hostile(self, text: str) -> list[str]:
        """Links, instructions and pieces of the prompt: signs that the transcript or the model was talking to the reader."""
        problems = [problem for problem in check_wording([text]) if slug(problem) in _HOSTILE]
        to_a_model = talks_to_a_model(text)
        if to_a_model:
            problems.append(f"injection: {to_a_model!r}")
        words = lower_words(text)
        for start in range(len(words) - _LEAKED_WORDS + 1):
            if " ".join(words[start : start + _LEAKED_WORDS]) in self._prompt_words:
                problems.append("prompt_text: the reply repeats its instructions")
                break
        return problems

    @cached_property
    def _prompt_words(self) -> str:
        return " ".join(word for prompt in self._prompts.values() for word in lower_words(prompt.text))

    def _reduce(self, source: _Source, proven: list[_Proven], rejections: list[Rejection]) -> tuple[list[_Proven], Usage]:
        """Ranking and wording by the model; whatever a rewording breaks stays as it was."""
        listed = "\n".join(
            json.dumps(
                {
                    "id": number,
                    "headline": one.insight.headline,
                    "body": one.insight.body,
                    "salience": one.insight.salience,
                    "quotes": [quote.text for quote in one.insight.quotes],
                },
                ensure_ascii=False,
            )
            for number, one in enumerate(proven)
        )
        try:
            reply, usage = self._ask("reduce", f"{self._about(source)}\n\nCANDIDATES-BEGIN\n{listed}\nCANDIDATES-END", Ranking)
        except BadReply as error:
            rejections.append(_rejection(error.reason, error.detail, "ranking"))
            return proven, error.usage
        ranked: dict[int, _Proven] = {}
        for entry in reply.ranking:
            if entry.id in ranked or not 0 <= entry.id < len(proven):
                continue
            ranked[entry.id] = self._reworded(source, proven[entry.id], entry)
        if not ranked:
            return proven, usage
        rejections += [
            _rejection("duplicate", "left out in ranking", p.insight.body) for n, p in enumerate(proven) if n not in ranked
        ]
        return list(ranked.values()), usage

    def _reworded(self, source: _Source, one: _Proven, entry: Ranked) -> _Proven:
        insight = one.insight.model_copy(update={"salience": _salience(entry.salience)})
        cited = [CitedQuote(id=span[0], text=quote.text) for quote, span in zip(insight.quotes, one.spans, strict=True)]
        again = Candidate(
            headline=entry.headline, body=entry.body, claim_type=insight.claim_type, entities=[], speaker="",
            salience=insight.salience, reason=insight.reasons[0] if insight.reasons else "", quotes=cited,
        )  # fmt: skip
        _, proven = self._prove(source, again)
        if proven is None:
            return _Proven(insight, one.spans)
        names = {change.heard: change for change in (*insight.names, *proven.insight.names)}
        return _Proven(proven.insight.model_copy(update={"names": tuple(names.values())}), one.spans)

    def _about(self, source: _Source) -> str:
        known = sorted(name for name in source.names.known_names if (" " in name or len(name) > 3) and not talks_to_a_model(name))
        title = tidy(source.episode.title)[:300]
        about = {
            "show": tidy(source.episode.show)[:200],
            "title": "" if talks_to_a_model(title) else title,
            "known_names": known[:_MOST_KNOWN_NAMES],
        }
        return "Known about the episode (data, no instruction):\n" + json.dumps(about, ensure_ascii=False)

    def _ask(self, prompt: str, user: str, answer: type[Model]) -> tuple[Model, Usage]:
        # Who repairs must know the rules that were broken.
        names = ("map", "repair") if prompt == "repair" else (prompt,)
        return self._chat.ask("\n\n".join(self._prompts[name].text for name in names), user, answer)


_HOSTILE = frozenset({"url", "imperative", "sponsor", "prompt_text", "injection"})


def _salience(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)


def _names_near(source: _Source, aligned: Sequence[Aligned]) -> frozenset[str]:
    """Names that an insight may use although its quotes do not: those spoken shortly before, and the speakers' own."""
    near = " ".join(
        sentence.text
        for found in aligned
        for sentence in source.sentences[max(0, found.first - _NAMED_BEFORE) : found.last + 1 + _NAMED_AFTER]
    )
    spoken = set(lower_words(source.names.repair(near)[0]))
    speakers = {found.quote.speaker for found in aligned if found.quote.speaker}
    return frozenset(name for name in source.names.known_names if spoken.issuperset(lower_words(name))) | speakers


def _content(episode: EpisodeText, sentences: Sequence[Sentence]) -> tuple[Sentence, ...]:
    """Sentences without those of advertisements, greetings and goodbyes, and without words to a model: they are not sent."""
    marks = mark(episode.segments)
    return tuple(
        sentence
        for sentence in sentences
        if any(marks[index] is None for index in range(sentence.first_segment, sentence.last_segment + 1))
        and talks_to_a_model(sentence.text) is None
    )


def _merge(proven: list[_Proven], rejections: list[Rejection]) -> list[_Proven]:
    """Without those that quote the same sentences as a better one, or say it in the same words."""
    kept: list[_Proven] = []
    for one in sorted(proven, key=lambda one: -one.insight.salience):
        if any(_same(one, other) for other in kept):
            rejections.append(_rejection("duplicate", "says what a better one says", one.insight.body))
        else:
            kept.append(one)
    return kept


def _same(one: _Proven, other: _Proven) -> bool:
    if any(a[0] <= b[1] and b[0] <= a[1] for a in one.spans for b in other.spans):
        return True
    first, second = set(content_stems(one.insight.body)), set(content_stems(other.insight.body))
    return len(first & second) / max(1, len(first | second)) > _SAME_CLAIM


def _rejection(reason: str, detail: str, text: str) -> Rejection:
    return Rejection(reason=reason, detail=detail[:400], text=text[:400])


def _total(parts: Sequence[Usage]) -> Usage:
    return Usage(
        input_tokens=sum(part.input_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        requests=sum(part.requests for part in parts),
        cost=round(sum(part.cost for part in parts), 8),
    )


__all__ = ["Candidate", "Candidates", "OpenAIEngine", "Prompt", "Ranking", "ReplyStore", "load_prompts"]
