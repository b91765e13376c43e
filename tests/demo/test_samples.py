"""The samples are what the README says they are."""

import gzip
import urllib.request
from pathlib import Path

import pytest

from demo.publish import TRANSCRIPTS, publish
from demo.script import Script, read_scripts, read_shows
from demo.server import PodcastServer
from top5.feeds.parse import parse_feed
from top5.transcripts.formats import parse_transcript

SCRIPTS = read_scripts()


def words(text: str) -> list[str]:
    return text.split()


@pytest.mark.parametrize("kind", sorted(TRANSCRIPTS))
@pytest.mark.parametrize("script", [script for script in SCRIPTS.values() if script.day < 3], ids=lambda script: script.id)
def test_what_is_published_is_read_back_word_for_word(kind: str, script: Script):
    transcript = parse_transcript(TRANSCRIPTS[kind](script).encode())
    spoken = [word for _, text in script.turns for word in words(text)]
    assert words(" ".join(segment.text for segment in transcript.segments)) == spoken
    assert {segment.speaker for segment in transcript.segments} == set(script.voices.values())
    assert all(segment.start is not None for segment in transcript.segments)


def test_there_is_enough_of_them():
    _, shows = read_shows()
    long = [script for script in SCRIPTS.values() if 1200 <= sum(len(words(text)) for _, text in script.turns) <= 3000]
    assert len({script.show for script in SCRIPTS.values()}) >= 8
    assert len(long) >= 18
    assert {script.day for script in SCRIPTS.values()} == {1, 2, 3, 4, 5}
    assert {kind for show in shows.values() for kind in show.transcripts} == set(TRANSCRIPTS)
    assert sum(len(show.transcripts) > 1 for show in shows.values()) == 2


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=lambda script: script.id)
def test_every_chapter_starts_where_it_says(script: Script):
    for _, starts in script.chapters:
        assert sum(text.startswith(starts) for _, text in script.turns) == 1


def test_shows_publish_day_by_day(tmp_path: Path):
    counted: list[int] = []
    for day in range(1, 6):
        publish(tmp_path, day)
        feeds = [path for path in tmp_path.glob("*/feed.xml") if "<item>" in path.read_text()]
        counted.append(sum(len(parse_feed(path.read_bytes()).episodes) for path in feeds))
    assert counted == [4, 6, 11, 15, 21]


def test_a_transcript_may_come_a_day_late(tmp_path: Path):
    publish(tmp_path, 3)
    assert not (tmp_path / "quiet-exploit.example" / "quiet-exploit-1.srt").exists()
    publish(tmp_path, 4)
    assert (tmp_path / "quiet-exploit.example" / "quiet-exploit-1.srt").exists()


def test_the_server_has_the_habits_of_real_ones(tmp_path: Path):
    publish(tmp_path, 5)

    def get(server: PodcastServer, host: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        request = urllib.request.Request(f"http://{server.address}/feed.xml", headers={"Host": host, **headers})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    with PodcastServer(tmp_path) as server:
        status, headers, body = get(server, "topsoil.example")
        assert (status, body) == (200, (tmp_path / "topsoil.example" / "feed.xml").read_bytes())
        assert get(server, "topsoil.example", **{"If-None-Match": headers["ETag"]})[0] == 304
        packed = get(server, "quiet-exploit.example", **{"Accept-Encoding": "gzip"})
        assert packed[1]["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed[2]).startswith(b"<?xml")
        assert get(server, "gone-quiet.example")[0] == 410
        assert b"<html>" in get(server, "landing-page.example")[2]
        assert get(server, "elsewhere.example")[0] == 404
        second = PodcastServer(tmp_path, port=int(server.address.split(":")[1]))
        assert second.address != server.address, "a port that is taken is no reason to give up"
        second._server.server_close()
