"""Structured replies of a chat server: asked, kept, paid and limited in number; every failure named.

Belongs here: requests and what can go wrong with them. What is asked, and whether an answer is true, is the engine's business.
"""

import hashlib
import json
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from pydantic import BaseModel, Field, ValidationError

from top5.errors import PermanentError, Top5Error, TransientError
from top5.insights.budget import Budget
from top5.insights.chunk import estimate_tokens
from top5.insights.model import Usage
from top5.insights.retries import Retrier, retry_after
from top5.insights.words import tidy
from top5.settings import OpenAISettings
from top5.urls import mask_url

if TYPE_CHECKING:
    import httpx
    import openai

Model = TypeVar("Model", bound=BaseModel)


class ReplyStore(Protocol):
    """Where finished replies are kept, so that none is paid twice. Keys are hexadecimal SHA-256."""

    def get(self, key: str) -> bytes | None:
        """What was kept under `key`, or None."""
        ...

    def put(self, key: str, body: bytes) -> None:
        """Keeps `body` under `key`."""
        ...


class BadReply(Exception):
    """A reply that was paid and carries no usable answer: `refused`, `content_filter`, `truncated` or `invalid_reply`."""

    def __init__(self, reason: str, detail: str, usage: Usage) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.usage = usage


class _Reply(BaseModel):
    """What is kept of one reply."""

    content: str
    refusal: str = ""
    finish: str = "stop"
    input_tokens: int = Field(default=0, ge=0)
    output_tokens: int = Field(default=0, ge=0)


class StructuredChat:
    """Asks one server for replies of a given form; shared by all threads of an engine.

    At most `parallel_requests` are under way at a time, each only after the budget has set aside the most that it can cost. A reply is
    kept before anything else happens to it, useless ones included: a run that is killed and started again pays for none twice.
    """

    def __init__(
        self,
        settings: OpenAISettings,
        *,
        replies: ReplyStore,
        budget: Budget,
        http_client: "httpx.Client | None" = None,
        retrier: Retrier | None = None,
    ) -> None:
        self._settings = settings
        self._replies = replies
        self._budget = budget
        self._http_client = http_client
        self._retrier = retrier or Retrier(settings.max_retries)
        self._under_way = threading.BoundedSemaphore(settings.parallel_requests)
        self._lock = threading.Lock()
        self._users = 0
        self._client: openai.OpenAI | None = None

    @contextmanager
    def opened(self) -> Generator[None, None, None]:
        """Connections stay open inside the block, and until the last of several blocks ends."""
        with self._lock:
            self._users += 1
        try:
            yield
        finally:
            with self._lock:
                self._users -= 1
                client = self._client if self._users == 0 else None
                self._client = None if self._users == 0 else self._client
            if client is not None and self._http_client is None:
                client.close()

    def ask(self, system: str, user: str, answer: type[Model]) -> tuple[Model, Usage]:
        """One reply of the form of `answer`, kept or asked for, and what it cost now.

        Raises BadReply for a reply that cannot be used, TransientError (`rate_limited`, `server_error`, `timeout`, `no_connection`,
        `bad_response`, `budget_spent`) or PermanentError (`no_api_key`, `bad_api_key`, `bad_model`, `quota`, `bad_request`) for none.
        """
        settings = self._settings
        parts = (settings.model, str(settings.base_url), str(settings.temperature), answer.__name__, system, user)
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
        reply = self._kept(key)
        usage = Usage()
        if reply is None:
            reply = self._retrier.run(lambda: self._request(key, system, user, answer))
            usage = self._usage(reply)
        return _parse(reply, answer, usage), usage

    def _kept(self, key: str) -> _Reply | None:
        kept = self._replies.get(key)
        try:
            return None if kept is None else _Reply.model_validate_json(kept)
        except ValidationError:
            return None

    def _usage(self, reply: _Reply) -> Usage:
        return Usage(
            input_tokens=reply.input_tokens,
            output_tokens=reply.output_tokens,
            requests=1,
            cost=self._cost(reply.input_tokens, reply.output_tokens),
        )

    def _cost(self, input_tokens: int, output_tokens: int) -> float:
        settings = self._settings
        return (
            input_tokens * settings.usd_per_million_input_tokens + output_tokens * settings.usd_per_million_output_tokens
        ) / 1_000_000

    def _request(self, key: str, system: str, user: str, answer: type[BaseModel]) -> _Reply:
        with self._under_way:
            sent = estimate_tokens(system + user)
            most = self._cost(sent, self._settings.max_output_tokens)
            self._budget.reserve(most)
            spent = 0.0
            try:
                reply = self._send(system, user, answer)
                spent = self._cost(reply.input_tokens, reply.output_tokens)
                self._replies.put(key, reply.model_dump_json().encode())
                return reply
            except TransientError as error:
                # Whoever gives up waiting does not know whether the server went on: what was sent is counted.
                spent = spent or (self._cost(sent, 0) if error.reason == "timeout" else 0.0)
                raise
            finally:
                self._budget.settle(most, spent)

    def _send(self, system: str, user: str, answer: type[BaseModel]) -> _Reply:
        import openai

        settings = self._settings
        try:
            completion = self._connected().chat.completions.create(
                model=settings.model,
                messages=[{"role": "system", "content": system}, {"role": "user", "content": user}],
                response_format={
                    "type": "json_schema",
                    "json_schema": {"name": answer.__name__.lower(), "strict": True, "schema": answer.model_json_schema()},
                },
                max_completion_tokens=settings.max_output_tokens,
                temperature=openai.omit if settings.temperature is None else settings.temperature,
            )
        except openai.OpenAIError as error:
            raise _mapped(error, settings) from error
        except ValueError as error:
            # A page of HTML that calls itself JSON.
            raise _no_completion(settings) from error
        # A server that only claims to speak the API can send any JSON: the client does not check what it reads.
        try:
            choice = completion.choices[0] if completion.choices else None
            tokens = completion.usage
            return _Reply(
                content=(choice.message.content or "") if choice else "",
                refusal=(choice.message.refusal or "") if choice else "",
                finish=(choice.finish_reason or "stop") if choice else "no_choice",
                input_tokens=tokens.prompt_tokens if tokens else estimate_tokens(system + user),
                output_tokens=tokens.completion_tokens if tokens else 0,
            )
        except (AttributeError, TypeError, ValidationError) as error:
            raise _no_completion(settings) from error

    def _connected(self) -> "openai.OpenAI":
        with self._lock:
            if self._client is None:
                self._client = self._new_client()
            return self._client

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
            max_retries=0,
            http_client=self._http_client,
        )


def _parse(reply: _Reply, answer: type[Model], usage: Usage) -> Model:
    if reply.refusal:
        raise BadReply("refused", f"the model refused: {tidy(reply.refusal)[:160]}", usage)
    if reply.finish == "content_filter":
        raise BadReply("content_filter", "the server's content filter stopped the reply", usage)
    if reply.finish == "length":
        raise BadReply("truncated", "the reply was cut off; lower openai.chunk_tokens or raise openai.max_output_tokens", usage)
    try:
        return answer.model_validate_json(reply.content)
    except ValidationError as error:
        detail = f"the reply is not of the asked form: {error.errors()[0]['msg'][:120]}"
        raise BadReply("invalid_reply", detail, usage) from error


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
    if not isinstance(error, openai.APIStatusError):
        return _no_completion(settings)
    if code == "insufficient_quota" or error.status_code == 402:
        return PermanentError(
            "quota", f'The account at {server} has no quota left; add credit or set insights.engine to "local".'
        )
    wait = retry_after(dict(error.response.headers))
    if error.status_code == 429:
        message = f"{server} limits the rate of requests; lower openai.parallel_requests or wait for the next run."
        return TransientError("rate_limited", message, retry_after=wait)
    if error.status_code in (401, 403):
        return PermanentError("bad_api_key", f"{server} does not accept the key; correct OPENAI_API_KEY or openai.api_key.")
    if error.status_code == 404 or code == "model_not_found":
        return PermanentError("bad_model", f"{server} has no model {settings.model!r}; correct openai.model or openai.base_url.")
    if error.status_code >= 500 or error.status_code in (408, 409):
        return TransientError(
            "server_error", f"{server} answered {error.status_code}; it is tried again later.", retry_after=wait
        )
    said = tidy(error.message)[:160]
    return PermanentError(
        "bad_request",
        f"{server} refuses the request ({error.status_code}: {said}); check openai.model and openai.chunk_tokens.",
    )


def _no_completion(settings: OpenAISettings) -> TransientError:
    server = mask_url(settings.base_url) if settings.base_url else "the OpenAI API"
    return TransientError("bad_response", f"{server} gave an answer that is no chat completion; check openai.base_url.")
