"""A local server that does what it is told, for the tests of scans."""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """What one request gets."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict[str, str])


Route = Answer | Callable[[Mapping[str, str]], Answer]


class FeedServer:
    """Answers by path; `requests` keeps (path, headers). Use as a context manager."""

    def __init__(self, routes: dict[str, Route] | None = None) -> None:
        self.routes: dict[str, Route] = routes or {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                server.requests.append((self.path, dict(self.headers)))
                route = server.routes.get(self.path.split("?")[0], Answer(status=404))
                answer = route if isinstance(route, Answer) else route(self.headers)
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that hangs up is what many of the tests are about."""

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._http.server_port}"

    def url(self, path: str) -> str:
        return f"http://{self.address}{path}"

    def __enter__(self) -> "FeedServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()


def with_etag(body: bytes, etag: str = '"1"') -> Route:
    """200 with a validator, 304 to whoever returns it."""

    def answer(headers: Mapping[str, str]) -> Answer:
        if headers.get("If-None-Match") == etag:
            return Answer(status=304, headers={"ETag": etag})
        return Answer(body, headers={"ETag": etag})

    return answer


def rss(*items: str, title: str = "A Show", channel: str = "") -> bytes:
    spaces = 'xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    return f'<rss version="2.0" {spaces}><channel><title>{title}</title>{channel}{"".join(items)}</channel></rss>'.encode()


def item(guid: str, *, title: str | None = None, date: str = "Thu, 15 Jan 2026 10:00:00 GMT", audio: str | None = None) -> str:
    address = f"https://cdn.example/{guid}.mp3" if audio is None else audio
    return (
        f'<item><guid isPermaLink="false">{guid}</guid><title>{title or f"Title of {guid}"}</title><pubDate>{date}</pubDate>'
        f'<description>Notes of {guid}</description><enclosure url="{address}" type="audio/mpeg" length="1"/></item>'
    )
