"""A server that speaks POST /v1/chat/completions, hand-written, for tests that use the real `openai` client.

What it answers is a function from request to reply. `answer_from_transcript` reads the transcript out of the prompt as a good model would;
the other builders fail in one way each. Nothing here is a mock of our own code: bytes go over a socket.
"""

import json
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any


@dataclass(frozen=True)
class ChatRequest:
    """One request as it arrived. `step` is the schema's name: `candidates` (map and repair) or `ranking`."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def system(self) -> str:
        return self.body["messages"][0]["content"]

    @property
    def user(self) -> str:
        return self.body["messages"][-1]["content"]

    @property
    def step(self) -> str:
        if "FAILED-BEGIN" in self.user:
            return "repair"
        return {"candidates": "map", "ranking": "reduce"}[self.body["response_format"]["json_schema"]["name"]]

    def block(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines between NAME-BEGIN and NAME-END."""
        found = re.search(rf"{name}-BEGIN\n(.*?)\n{name}-END", self.user, re.S)
        return [json.loads(line) for line in found.group(1).splitlines()] if found else []


@dataclass(frozen=True)
class Reply:
    """One answer; `content` None with a `refusal` is what a refusing model sends."""

    content: str | None = None
    refusal: str | None = None
    finish_reason: str = "stop"
    status: int = 200
    error: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    prompt_tokens: int = 1000
    completion_tokens: int = 200

    def encode(self, model: str) -> bytes:
        if self.raw is not None:
            return self.raw
        if self.status != 200:
            return json.dumps({"error": self.error or {"message": "failed", "type": "server_error", "code": None}}).encode()
        message = {"role": "assistant", "content": self.content, "refusal": self.refusal}
        usage = {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason, "logprobs": None}
        return json.dumps(
            {"id": "chat-1", "object": "chat.completion", "created": 0, "model": model, "choices": [choice], "usage": usage}
        ).encode()


Answer = Callable[[ChatRequest], Reply]


class FakeOpenAI:
    """The server as a context manager; `requests` holds what arrived, in order of arrival."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[ChatRequest] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = ChatRequest(body, {key.lower(): value for key, value in self.headers.items()})
                outer.requests.append(request)
                reply = answer(request) if self.path == "/v1/chat/completions" else Reply(status=404)
                payload = reply.encode(body.get("model", ""))
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def steps(self) -> list[str]:
        return [request.step for request in self.requests]

    def __enter__(self) -> "FakeOpenAI":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def candidate(body: str, line: int = 0, quotes: Sequence[str] | None = None, **changes: Any) -> dict[str, Any]:
    """A well-formed candidate whose quotes are its sentences."""
    words = body.split()
    base: dict[str, Any] = {
        "headline": " ".join(words[:7]).rstrip(",.;"),
        "body": body,
        "claim_type": "mechanism",
        "entities": [],
        "speaker": "",
        "salience": 0.8,
        "reason": "worth knowing",
        "quotes": [{"id": line, "text": text} for text in (quotes if quotes is not None else _sentences(body)[:3])],
    }
    return base | changes


def candidates(*items: dict[str, Any], **changes: Any) -> Reply:
    """A reply to map or repair."""
    return Reply(content=json.dumps({"candidates": list(items)}), **changes)


def ranking(*items: dict[str, Any]) -> Reply:
    """A reply to reduce."""
    return Reply(content=json.dumps({"ranking": list(items)}))


def answer_from_transcript(request: ChatRequest) -> Reply:
    """A good model: every stretch of 2 or 3 sentences of one line that has the length of the house style and carries a number."""
    if request.step == "reduce":
        listed = request.block("CANDIDATES")
        return ranking(*({key: item[key] for key in ("id", "headline", "body", "salience")} for item in listed))
    if request.step == "repair":
        return candidates()
    found: list[dict[str, Any]] = []
    for line in request.block("TRANSCRIPT"):
        sentences = _sentences(line["text"])
        for first in range(len(sentences)):
            for last in (first + 1, first + 2):
                body = " ".join(sentences[first : last + 1])
                if last < len(sentences) and 40 <= len(body.split()) <= 50 and 280 <= len(body) <= 360 and re.search(r"\d", body):
                    found.append(candidate(body, line["id"], sentences[first : last + 1]))
    return candidates(*found[:8])


def refusal() -> Reply:
    return Reply(refusal="I cannot help with that.")


def content_filtered() -> Reply:
    return Reply(content="", finish_reason="content_filter")


def truncated() -> Reply:
    return Reply(content='{"candidates": [{"headline": "Half a', finish_reason="length")


def invalid_json() -> Reply:
    return Reply(content="Sure! Here are the insights: 1. ...")


def rate_limited(retry_after: str = "7", **headers: str) -> Reply:
    """429; header names are given with underscores (`retry_after_ms="1"`)."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    error = {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}
    return Reply(status=429, error=error, headers={"Retry-After": retry_after} | extra)


def out_of_quota() -> Reply:
    return Reply(status=429, error={"message": "no quota", "type": "insufficient_quota", "code": "insufficient_quota"})


def bad_key() -> Reply:
    return Reply(
        status=401,
        error={"message": "Incorrect API key provided: sk-secret", "type": "invalid_request_error", "code": "invalid_api_key"},
    )


def no_model() -> Reply:
    return Reply(status=404, error={"message": "no such model", "type": "invalid_request_error", "code": "model_not_found"})


def server_error(status: int = 503) -> Reply:
    return Reply(status=status)


def not_json() -> Reply:
    return Reply(raw=b"<html>a login page</html>")


def _sentences(text: str) -> list[str]:
    return re.findall(r"[^.!?]+(?:\.\d[^.!?]*)*[.!?]", text.replace("\n", " ")) and [
        part.strip() for part in re.split(r"(?<=[.!?]) (?=[A-Z0-9])", text)
    ]
