"""Which of the publisher's files is taken, and what it means that none can be."""

import asyncio
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.top5.transcripts.conftest import MakeWav
from top5.errors import PermanentError, Top5Error, TransientError
from top5.feeds.model import TranscriptLink
from top5.settings import ScanSettings
from top5.transcripts.audio import AudioFetcher, check_duration, probe
from top5.transcripts.model import Transcript
from top5.transcripts.publisher import fetch_transcript, rank_links

VTT = b"WEBVTT\n\n00:01.000 --> 00:02.000\n<v Ann>Heat is the limit.\n"


@dataclass(frozen=True)
class Answer:
    body: bytes | None
    content_type: str | None = None


@dataclass
class Shelf:
    """A fetcher whose answers lie ready; anything else is not found."""

    answers: dict[str, bytes | Top5Error]
    asked: list[str] = field(default_factory=list[str])

    async def fetch(
        self,
        url: str,
        validators: None = None,
        *,
        max_bytes: int | None = None,
        accept: str = "",
        timeout: float | None = None,
        sink: BinaryIO | None = None,
    ) -> Answer:
        self.asked.append(url)
        answer = self.answers.get(url, PermanentError("not_found", "gone fishing"))
        if isinstance(answer, Top5Error):
            raise answer
        if sink is not None:
            sink.write(answer)
            return Answer(None)
        return Answer(answer)


def link(name: str, kind: str | None = None, language: str | None = None, rel: str | None = None) -> TranscriptLink:
    return TranscriptLink(url=f"https://p.example/{name}", type=kind, language=language, rel=rel)


def get(shelf: Shelf, *links: TranscriptLink, language: str = "en") -> Transcript:
    return asyncio.run(fetch_transcript(shelf, links, language))


def test_language_then_what_carries_most() -> None:
    links = [
        link("a.txt", "text/plain"),
        link("b.html", "text/html"),
        link("c.srt", "application/x-subrip", rel="captions"),
        link("d.srt", "application/srt"),
        link("e", "text/vtt", "en-GB"),
        link("f.json", "application/json", "de"),
        link("g.json", "application/json"),
        link("h.vtt", "text/plain"),
        link("e", "text/vtt", "en-GB"),
    ]
    assert [item.url[-6:].split("/")[-1] for item in rank_links(links, "en_US")] == [
        "e", "g.json", "h.vtt", "d.srt", "c.srt", "b.html", "a.txt", "f.json",
    ]  # fmt: skip


def test_captions_only_give_way_to_their_own_format() -> None:
    links = [link("a.vtt", "text/vtt", rel="captions"), link("b.srt", "application/srt"), link("c.vtt", "text/vtt")]
    assert [item.url[-5:] for item in rank_links(links, "en")] == ["c.vtt", "a.vtt", "b.srt"]


def test_the_next_file_is_taken_where_the_best_is_broken() -> None:
    shelf = Shelf({"https://p.example/a.json": b'{"segments": [{"body": "cut', "https://p.example/b.vtt": VTT})
    transcript = get(shelf, link("b.vtt", "text/vtt", "en"), link("a.json", "application/json", "en"))
    assert shelf.asked == ["https://p.example/a.json", "https://p.example/b.vtt"]
    assert transcript.format == "vtt"
    assert transcript.language == "en"
    assert transcript.source == "publisher"
    assert transcript.warnings == ("https://p.example/a.json not used: malformed",)


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (PermanentError("not_found", "x"), TransientError),
        (TransientError("timeout", "x", retry_after=30.0), TransientError),
        (PermanentError("forbidden", "x"), PermanentError),
        (PermanentError("gone", "x"), PermanentError),
        (b"", TransientError),
        (b"\x89PNG\r\n\x1a\n", PermanentError),
    ],
)
def test_what_may_still_come_is_transient(failure: bytes | Top5Error, kind: type[Top5Error]) -> None:
    shelf = Shelf({"https://p.example/t.vtt?token=s3cret": failure, "https://p.example/u.srt": PermanentError("forbidden", "x")})
    with pytest.raises(Top5Error) as failed:
        get(shelf, link("t.vtt?token=s3cret", "text/vtt"), link("u.srt", "application/srt"))
    assert type(failed.value) is kind
    assert failed.value.reason == "transcript_not_found"
    assert "p.example/t.vtt?token=***" in failed.value.message
    assert "s3cret" not in failed.value.message
    assert getattr(failed.value, "retry_after", None) == getattr(failure, "retry_after", None)


def test_no_link_is_permanent() -> None:
    with pytest.raises(PermanentError) as failed:
        get(Shelf({}))
    assert failed.value.reason == "transcript_not_found"


class _Files(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        found = {"/t.vtt": VTT, "/a.mp3": b"sound" * 1000}.get(self.path)
        self.send_response(200 if found else 404)
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_over_the_wire(tmp_path: Path) -> None:
    """The real fetcher is what these functions expect."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Files)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    base = f"127.0.0.1:{server.server_port}"

    async def both() -> tuple[Transcript, Path]:
        fetcher = AudioFetcher(ScanSettings(allow_private=(base,)))
        async with fetcher:
            links = [TranscriptLink(url=f"http://{base}/none.json"), TranscriptLink(url=f"http://{base}/t.vtt")]
            transcript = await fetch_transcript(fetcher, links, "en")
            return transcript, await fetcher.download(f"http://{base}/a.mp3", tmp_path / "a", 10_000)

    try:
        transcript, audio = asyncio.run(both())
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert [segment.text for segment in transcript.segments] == ["Heat is the limit."]
    assert transcript.warnings == (f"http://{base}/none.json not used: not_found",)
    assert audio.path.read_bytes() == b"sound" * 1000


# Audio


def test_duration(tmp_path: Path, make_wav: MakeWav) -> None:
    clip = make_wav(tmp_path / "clip.wav", seconds=2.5)
    assert probe(clip) == pytest.approx(2.5, abs=0.01)
    assert check_duration(clip, 1) == probe(clip)
    with pytest.raises(PermanentError) as failed:
        check_duration(clip, 0.01)
    assert failed.value.reason == "too_long"


def test_what_is_no_audio_is_bad_audio(tmp_path: Path, make_wav: MakeWav) -> None:
    page = tmp_path / "page.mp3"
    page.write_bytes(b"<html>sign in</html>" * 50)
    (tmp_path / "empty.mp3").write_bytes(b"")
    for path in (page, tmp_path / "empty.mp3", tmp_path / "missing.mp3", make_wav(tmp_path / "zero.wav", seconds=0.0)):
        with pytest.raises(PermanentError) as failed:
            probe(path)
        assert failed.value.reason == "bad_audio"
