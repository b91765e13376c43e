"""A real HTTP server that remembers what it was given, for messages and pings.

Belongs here: speaking HTTP to clients under test, in a thread of its own because they block.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any


class Inbox(HTTPServer):
    """`messages` is the JSON that was posted, `asked` the paths that were got; every answer has `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.messages: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status = 200

    @property
    def titles(self) -> list[str]:
        """Of the messages, in their order."""
        return [message["title"] for message in self.messages]


class _Handler(BaseHTTPRequestHandler):
    server: Inbox  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_POST(self) -> None:
        self.server.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self._answer()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self._answer()

    def _answer(self) -> None:
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def open_inbox() -> Generator[Inbox, None, None]:
    """The server, answering for the length of the block."""
    with Inbox() as inbox:
        thread = Thread(target=inbox.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield inbox
        finally:
            inbox.shutdown()
            thread.join()
