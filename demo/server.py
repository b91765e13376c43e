"""A web server with the habits of real ones: validators, compression, a move, a farewell, a web page where a feed should be, slowness.

Belongs here: HTTP. It listens on the loopback interface only.
"""

import gzip
import hashlib
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from demo.script import Show, read_shows

SLOW_SECONDS = 1.5
CONTENT_TYPES = {
    ".xml": "application/rss+xml; charset=utf-8",
    ".vtt": "text/vtt",
    ".srt": "application/x-subrip",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".mp3": "audio/mpeg",
}
LANDING_PAGE = (
    b"<!DOCTYPE html><html><head><title>Landing Page</title></head><body><h1>Listen wherever you are.</h1></body></html>"
)


class PodcastServer:
    """Serves `root/<host>/<file>` on a loopback port; use as a context manager. `port` 0 takes any free one."""

    def __init__(self, root: Path, port: int = 0) -> None:
        _, shows = read_shows()
        by_host = {show.host: show for show in shows.values()}
        handler = type("Handler", (_Handler,), {"root": root, "shows": by_host})
        try:
            self._server = _Server(("127.0.0.1", port), handler)
        except OSError:
            self._server = _Server(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True

    @property
    def address(self) -> str:
        """host:port"""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "PodcastServer":
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: a client that hangs up in the middle is no news."""


class _Handler(BaseHTTPRequestHandler):
    root: Path
    shows: dict[str, Show]
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        host = self.headers.get("Host", "").split(":")[0]
        show = self.shows.get(host)
        name = Path(self.path.split("?")[0]).name
        if show is None:
            return self._answer(404, b"no such host")
        if name.endswith("feed.xml"):
            if show.serve == "gone":
                return self._answer(410, b"gone")
            if show.serve == "html":
                return self._answer(200, LANDING_PAGE, {"Content-Type": CONTENT_TYPES[".html"]})
            if show.serve == "moved" and name == "old-feed.xml":
                return self._answer(301, b"", {"Location": f"http://{host}/feed.xml"})
            if show.serve == "slow":
                time.sleep(SLOW_SECONDS)
        path = self.root / host / name
        if not path.is_file():
            return self._answer(404, b"not found")
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()[:20]}"'
        headers = {"ETag": etag, "Content-Type": CONTENT_TYPES.get(path.suffix, "application/octet-stream")}
        if self.headers.get("If-None-Match") == etag:
            return self._answer(304, b"", headers)
        if show.serve == "gzip" and "gzip" in self.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return self._answer(200, body, headers)

    def _answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: what was fetched is in the scan's own record."""
