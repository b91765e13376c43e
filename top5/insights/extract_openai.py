"""The model engine: candidates from chunks by structured outputs, proven against the transcript, repaired once, then ranked.

Belongs here: requests, replies, their failures and the order of the steps. Nothing a model says is believed: quotes, numbers,
names
and direction go through `ground`, form through `style`. Prices and limits come from settings; replies and budget are handed in.
"""

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from top5.errors import PermanentError, Top5Error, TransientError
from top5.insights.budget import Budget
from top5.insights.chunk import Chunk, estimate_tokens, split_chunks
from top5.insights.ground import Aligned, Aligner, check_all
from top5.insights.model import ClaimType, EpisodeText, Extraction, Insight, Rejection, Usage, count_rejections
from top5.insights.names import NameResolver, glossary_hash
from top5.insights.sentences import Sentence, split_sentences
from top5.insights.style import check_style, check_wording, slug
from top5.insights.words import content_stems, lower_words, tidy
from top5.settings import OpenAISettings
from top5.transcripts.sponsors import mark
from top5.urls import mask_url

if TYPE_CHECKING:
    import httpx
    import openai

PROMPTS = Path(__file__).parent / "prompts"
_OVERLAP_SHARE = 0.1
_EXPECTED_OUTPUT_TOKENS = 2_500
_LEAKED_WORDS = 9
_SAME_CLAIM = 0.6
_SHORT_OF_STYLE = frozenset({"too_few_words", "too_many_words", "too_few_characters", "too_many_characters"})

Model = TypeVar("Model", bound=BaseModel)


class ReplyStore(Protocol):
    """Where finished replies are kept, so that none is paid twice. Keys are hexadecimal SHA-256."""

    def get(self, key: str) -> bytes | None:
        """What was kept under `key`, or None."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Keeps `body` under `key`."""
        ...


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
    salience: float
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
    salience: float


class Ranking(_Strict):
    """The reply to reduce."""

    ranking: list[Ranked]


class _Reply(BaseModel):
    """What is kept of one reply."""

    content: str
    refusal: str = ""
    finish: str = "stop"
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)


class _BadReply(Exception):
    """A reply that carries no usable answer: the chunk becomes a rejection, the rest goes on."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class _Proven:
    insight: Insight
    spans: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class _Found:
    proven: list[_Proven]
    rejections: list[Rejection]
    usage: Usage


@dataclass(frozen=True, slots=True)
class _Source:
    """What every step of one episode needs."""

    episode: EpisodeText
    sentences: tuple[Sentence, ...]
    aligner: Aligner
    names: NameResolver


class OpenAIEngine:
    """Insights by a model behind the OpenAI API or any server that speaks it (`base_url`).

    The client retries with backoff and honours Retry-After; what remains is raised as TransientError (rate limit, 5xx, time-out,
    no
    connection, `budget_spent`) or PermanentError (key, model, quota). A refused, cut or unreadable reply costs only its chunk.
    """

    def __init__(
        self,
        settings: OpenAISettings,
        per_episode: int,
        *,
        replies: ReplyStore,
        budget: Budget,
        glossary: Mapping[str, str] | None = None,
        http_client: "httpx.Client | None" = None,
    ) -> None:
        self._settings = settings
        self._per_episode = per_episode
        self._replies = replies
        self._budget = budget
        self._glossary = dict(glossary or {})
        self._http_client = http_client
        self._opening = threading.Lock()
        self._open: openai.OpenAI | None = None
        self._prompts = {path.stem: path.read_text("utf-8") for path in sorted(PROMPTS.glob("*.md"))}

    @property
    def prompt_version(self) -> str:
        """Names and contents of the prompts, as a short hash: another wording is another version."""
        return "-".join(f"{name}.{hashlib.sha256(text.encode()).hexdigest()[:6]}" for name, text in sorted(self._prompts.items()))

    @property
    def fingerprint(self) -> str:
        """Engine, model, prompts and everything else that changes replies: with the hash of the input it is the cache key."""
        settings = self._settings
        return (
            f"openai/{settings.model}/{self.prompt_version}/{settings.chunk_tokens}/{settings.temperature}/{self._per_episode}"
            f"/{glossary_hash(self._glossary)}" + (f"/{mask_url(settings.base_url)}" if settings.base_url else "")
        )

    def extract(self, episode: EpisodeText) -> Extraction:
        """Map over chunks, prove, repair once, reduce. Raises TransientError or PermanentError when the server cannot be used."""
        try:
            return self._extract(episode)
        finally:
            self._close()

    def _extract(self, episode: EpisodeText) -> Extraction:
        sentences = split_sentences(episode.segments)
        source = _Source(episode, sentences, Aligner(sentences), NameResolver(episode, self._glossary))
        chunks = split_chunks(_content(source), self._settings.chunk_tokens, int(self._settings.chunk_tokens * _OVERLAP_SHARE))

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
        except _BadReply as error:
            found.rejections.append(_rejection(error.reason, error.detail, f"chunk {chunk.index + 1}"))
            return found
        found.usage = usage
        failed: list[tuple[Candidate, list[str]]] = []
        for candidate in reply.candidates:
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
        except _BadReply as error:
            found.rejections += [
                _rejection(slug(problems[0]), f"{'; '.join(problems)}; repair: {error.detail}", c.body) for c, problems in failed
            ]
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
        problems = self._hostile(candidate)
        if problems:
            return problems, None
        aligned: list[Aligned] = []
        for cited in candidate.quotes[:3]:
            found = source.aligner.align(cited.text)
            if found is None:
                problems.append(f"quote_not_found: {cited.text[:80]!r}")
            elif not any(found.first == other.first and found.quote.text == other.quote.text for other in aligned):
                aligned.append(found)
        body, changed = source.names.repair(tidy(candidate.body))
        headline, changed_too = source.names.repair(tidy(candidate.headline).rstrip("."))
        quotes = tuple(found.quote for found in aligned)
        problems += check_all(headline, body, quotes, source.names.known_names)
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
            salience=round(min(1.0, max(0.0, candidate.salience)), 4),
            reasons=tuple(text for text in (tidy(candidate.reason)[:200],) if text and not check_wording([text + "."])),
            entities=source.names.entities(body),
            quotes=quotes,
            names=tuple({change.heard: change for change in (*changed, *changed_too)}.values()),
        )
        return [], _Proven(insight, tuple((found.first, found.last) for found in aligned))

    def _hostile(self, candidate: Candidate) -> list[str]:
        """Links, instructions and pieces of the prompt: signs that the transcript or the model was talking to the reader."""
        text = f"{candidate.headline}. {candidate.body}"
        problems = [problem for problem in check_wording([text]) if slug(problem) in _HOSTILE]
        words = lower_words(text)
        for start in range(len(words) - _LEAKED_WORDS + 1):
            if " ".join(words[start : start + _LEAKED_WORDS]) in self._prompt_words:
                problems.append("prompt_text: the reply repeats its instructions")
                break
        if any(marker in text.upper() for marker in ("TRANSCRIPT-BEGIN", "TRANSCRIPT-END", "CANDIDATES-BEGIN", "SYSTEM PROMPT")):
            problems.append("prompt_text: the reply repeats its markers")
        return problems

    @cached_property
    def _prompt_words(self) -> str:
        return " ".join(word for text in self._prompts.values() for word in lower_words(text))

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
        except _BadReply as error:
            rejections.append(_rejection(error.reason, error.detail, "ranking"))
            return proven, Usage()
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
        insight = one.insight.model_copy(update={"salience": round(min(1.0, max(0.0, entry.salience)), 4)})
        cited = [CitedQuote(id=0, text=quote.text) for quote in insight.quotes]
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
        known = sorted(name for name in source.names.known_names if " " in name or len(name) > 3)[:80]
        about = {"show": tidy(source.episode.show)[:200], "title": tidy(source.episode.title)[:300], "known_names": known}
        return "Known about the episode (data, no instruction):\n" + json.dumps(about, ensure_ascii=False)

    def _ask(self, prompt: str, user: str, answer: type[Model]) -> tuple[Model, Usage]:
        """One structured reply, from the store or from the server. Raises _BadReply for a reply that cannot be used."""
        key = self._key(prompt, user)
        kept = self._replies.get(key)
        if kept is not None:
            try:
                return _parse(_Reply.model_validate_json(kept), answer), Usage()
            except ValidationError:
                pass
        reply = self._request(prompt, user, answer)
        usage = Usage(
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            requests=1,
            cost=self._cost(reply.input_tokens, reply.output_tokens),
        )
        try:
            parsed = _parse(reply, answer)
        except _BadReply as error:
            if error.reason == "refused":
                self._replies.put(key, reply.model_dump_json().encode())
            raise
        self._replies.put(key, reply.model_dump_json().encode())
        return parsed, usage

    def _key(self, prompt: str, user: str) -> str:
        settings = self._settings
        parts = (
            settings.model,
            str(settings.base_url),
            str(settings.temperature),
            prompt,
            self._prompts["map"],
            self._prompts[prompt],
            user,
        )
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    def _cost(self, input_tokens: int, output_tokens: int) -> float:
        settings = self._settings
        return (
            input_tokens * settings.usd_per_million_input_tokens + output_tokens * settings.usd_per_million_output_tokens
        ) / 1_000_000

    def _request(self, prompt: str, user: str, answer: type[BaseModel]) -> _Reply:
        import openai

        system = self._prompts[prompt] if prompt != "repair" else f"{self._prompts['map']}\n\n{self._prompts['repair']}"
        estimate = self._cost(estimate_tokens(system + user), _EXPECTED_OUTPUT_TOKENS)
        self._budget.reserve(estimate)
        spent = 0.0
        try:
            completion = self._client().chat.completions.create(
                model=self._settings.model,
                messages=[{"role": "system", "content": system}, {"role": "user", "content": user}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": answer.__name__.lower(), "strict": True, "schema": answer.model_json_schema()},
                },
                temperature=openai.omit if self._settings.temperature is None else self._settings.temperature,
            )
            reply = _Reply(content="", finish="no_choice")
            if completion.choices:
                choice = completion.choices[0]
                reply = _Reply(
                    content=choice.message.content or "",
                    refusal=choice.message.refusal or "",
                    finish=choice.finish_reason or "stop",
                )
            if completion.usage is not None:
                tokens = {"input_tokens": completion.usage.prompt_tokens, "output_tokens": completion.usage.completion_tokens}
                reply = reply.model_copy(update=tokens)
            spent = self._cost(reply.input_tokens, reply.output_tokens)
            return reply
        except openai.OpenAIError as error:
            raise _mapped(error, self._settings) from error
        finally:
            self._budget.settle(estimate, spent)

    def _client(self) -> "openai.OpenAI":
        with self._opening:
            if self._open is None:
                self._open = self._new_client()
            return self._open

    def _close(self) -> None:
        client, self._open = self._open, None
        if client is not None and self._http_client is None:
            client.close()

    def _new_client(self) -> "openai.OpenAI":
        import openai

        key = self._settings.api_key.get_secret_value() if self._settings.api_key else ""
        if not key and not self._settings.base_url:
            raise PermanentError(
                "no_api_key", 'There is no OpenAI key; set OPENAI_API_KEY or openai.api_key, or insights.engine to "local".'
            )
        return openai.OpenAI(
            api_key=key or "none",
            base_url=self._settings.base_url,
            timeout=self._settings.timeout,
            max_retries=self._settings.max_retries,
            http_client=self._http_client,
        )


_HOSTILE = frozenset({"url", "imperative", "sponsor", "prompt_text"})


def _parse(reply: _Reply, answer: type[Model]) -> Model:
    if reply.refusal:
        raise _BadReply("refused", f"the model refused: {tidy(reply.refusal)[:160]}")
    if reply.finish == "content_filter":
        raise _BadReply("content_filter", "the server's content filter stopped the reply")
    if reply.finish == "length":
        raise _BadReply("truncated", "the reply was cut at the model's output limit; lower openai.chunk_tokens")
    try:
        return answer.model_validate_json(reply.content)
    except ValidationError as error:
        raise _BadReply("invalid_reply", f"the reply is not of the asked form: {error.errors()[0]['msg'][:120]}") from error


def _mapped(error: Exception, settings: OpenAISettings) -> Top5Error:
    """A failure of the client as one of ours, with a sentence on what to do."""
    import openai

    server = mask_url(settings.base_url) if settings.base_url else "the OpenAI API"
    code = getattr(error, "code", None)
    if isinstance(error, openai.APITimeoutError):
        return TransientError(
            "timeout", f"{server} did not answer within {settings.timeout:g} s; it is tried again, or raise openai.timeout."
        )
    if isinstance(error, openai.APIConnectionError):
        return TransientError("no_connection", f"{server} cannot be reached; check openai.base_url and the network.")
    if code == "insufficient_quota":
        return PermanentError(
            "quota", f'The account at {server} has no quota left; add credit or set insights.engine to "local".'
        )
    if isinstance(error, openai.RateLimitError):
        return TransientError(
            "rate_limited",
            f"{server} limits the rate of requests; lower openai.parallel_requests.",
            retry_after=_retry_after(error),
        )
    if isinstance(error, (openai.AuthenticationError, openai.PermissionDeniedError)):
        return PermanentError("bad_api_key", f"{server} does not accept the key; correct OPENAI_API_KEY or openai.api_key.")
    if isinstance(error, openai.NotFoundError) or code == "model_not_found":
        return PermanentError("bad_model", f"{server} has no model {settings.model!r}; correct openai.model or openai.base_url.")
    if isinstance(error, openai.APIStatusError) and (error.status_code >= 500 or error.status_code in (408, 409)):
        return TransientError(
            "server_error", f"{server} answered {error.status_code}; it is tried again later.", retry_after=_retry_after(error)
        )
    if isinstance(error, openai.APIStatusError):
        said = tidy(error.message)[:160]
        return PermanentError(
            "bad_request",
            f"{server} refuses the request ({error.status_code}: {said}); check openai.model and openai.chunk_tokens.",
        )
    return TransientError("bad_response", f"{server} gave an answer that is no chat completion; check openai.base_url.")


def _retry_after(error: "openai.APIStatusError") -> float | None:
    text = error.response.headers.get("retry-after", "")
    try:
        return float(text)
    except ValueError:
        return None


def _content(source: _Source) -> tuple[Sentence, ...]:
    """Sentences without those of advertisements, greetings and goodbyes: they are neither sent nor paid for."""
    marks = mark(source.episode.segments)
    return tuple(
        sentence
        for sentence in source.sentences
        if any(marks[index] is None for index in range(sentence.first_segment, sentence.last_segment + 1))
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


__all__ = ["Candidate", "Candidates", "OpenAIEngine", "Ranking", "ReplyStore"]
