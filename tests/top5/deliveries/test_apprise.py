"""Digests to chat rooms: by Apprise to a real HTTP server, once, through the same ledger."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.top5.deliveries.helpers import DAY, Clock, Home
from tests.top5.deliveries.test_day import rows, send
from top5.catalog.deliveries import entries
from top5.deliveries.apprise import check_url, recipient_of, shown
from top5.deliveries.day import Wanted
from top5.errors import PermanentError


class Room(ThreadingHTTPServer):
    """What was posted, and with what it is answered."""

    posts: list[dict[str, str]]
    answer: int = 200


class _Handler(BaseHTTPRequestHandler):
    server: Room

    def do_POST(self) -> None:
        self.server.posts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(self.server.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def room() -> Iterator[Room]:
    server = Room(("127.0.0.1", 0), _Handler)
    server.posts = []
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_room_gets_each_digest_once(home: Home, clock: Clock, room: Room) -> None:
    home.recipients = []
    url = f"json://127.0.0.1:{room.server_address[1]}/a-secret-topic"
    assert send(home, clock, channels=[url]).sent == 1
    assert send(home, clock, channels=[url]).attempted == 0
    (post,) = room.posts
    assert post["title"].startswith("THE DAY'S FIVE") and "Groq" in post["message"]
    assert list(rows(home)) == [recipient_of(url)] and "secret" not in recipient_of(url)
    send(home, clock, wanted=Wanted(resend="again"), channels=[url])
    assert len(room.posts) == 2


def test_a_room_that_says_no_is_tried_again_and_its_url_is_not_shown(home: Home, clock: Clock, room: Room) -> None:
    home.recipients, room.answer = [], 500
    url = f"json://127.0.0.1:{room.server_address[1]}/a-secret-topic"
    report = send(home, clock, channels=[url], patience=45.0)
    assert (report.attempted, report.states) == (2, {"failed": 1})
    assert "a-secret-topic" not in repr(report)
    assert [entry.channel for entry in entries(home.catalog, DAY)] == ["apprise"]


def test_urls_are_checked_and_shown_without_their_secrets() -> None:
    check_url("ntfy://ntfy.sh/topic")
    for text in ("nonsense://x", "", "ntfy", "http://"):
        with pytest.raises(PermanentError, match="is no Apprise URL"):
            check_url(text)
    assert shown("slack://TokenA/TokenB/TokenC") == "slack://…"
