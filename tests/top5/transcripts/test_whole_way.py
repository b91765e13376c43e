"""Real speech with the real model: ten minutes from a feed to a trust score, and a decode that is killed and goes on."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from tests.top5.transcripts.speaking import error_rate, speaking
from tests.top5.transcripts.test_audio import Handler, serving
from top5.catalog.store import Catalog
from top5.errors import PermanentError
from top5.feeds.scan import scan
from top5.lake import Lake
from top5.settings import ScanSettings, TranscriptSettings
from top5.transcripts import speech
from top5.transcripts.day import collect_transcripts, load_transcript
from top5.transcripts.pieces import Checkpoint
from top5.transcripts.speech import SpeechToText
from top5.weights import find_speech_model

pytestmark = [pytest.mark.corpus, pytest.mark.slow, pytest.mark.timeout(900)]

NOW = datetime(2026, 9, 15, 20, 0, tzinfo=UTC)
FEED = """<?xml version="1.0"?><rss version="2.0" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel>
<title>Read Aloud</title><link>https://read.example/</link><language>en</language>
<item><title>Sonnets and sense</title><guid>one</guid><pubDate>Tue, 15 Sep 2026 06:00:00 GMT</pubDate>
<itunes:duration>{seconds}</itunes:duration><enclosure url="http://{address}/one.mp3" type="audio/mpeg" length="{size}"/></item>
</channel></rss>"""


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="module")
def engine(models: Path) -> Iterator[SpeechToText]:
    try:
        model = find_speech_model("base", path=None, cache_dir=models, allow_download=False)
    except PermanentError as error:
        pytest.skip(error.message)
    yield SpeechToText(model, cpu_threads=2)


def test_ten_minutes_from_a_feed_to_a_trust_score(corpus: Path, tmp_path: Path, engine: SpeechToText) -> None:
    said = speaking(corpus / "audio", tmp_path / "one.mp3", 600.0)
    sound = (tmp_path / "one.mp3").read_bytes()
    feed = ""

    def page(handler: Handler) -> None:
        handler.head(200, len(feed), Content_Type="application/rss+xml")
        handler.wfile.write(feed.encode())

    def audio(handler: Handler) -> None:
        handler.head(200, len(sound), ETag='"one"')
        handler.wfile.write(sound)

    lake, catalog = Lake(tmp_path / "lake"), Catalog.at_home(tmp_path)
    with serving(**{"feed.xml": page, "one.mp3": audio}) as (address, handler):
        feed = FEED.format(address=address, size=len(sound), seconds=round(said[-1].end + 3))
        settings = ScanSettings(allow_private=(address,))
        try:
            catalog.add_feed(f"http://{address}/feed.xml", NOW)
            (row,) = asyncio.run(scan(catalog, settings, now=NOW, tz=ZoneInfo("UTC")))
            assert (row.ok, row.new) == (True, 1)
            episodes = catalog.assign_day(date(2026, 9, 15), 3)

            def collected() -> dict[str, object]:
                (found,) = asyncio.run(
                    collect_transcripts(
                        episodes,
                        lake=lake,
                        scan=settings,
                        settings=TranscriptSettings(),
                        transcriber=lambda: engine,
                        late_days=3,
                    )
                )
                return found

            found = collected()
            asked = len(handler.asked)
            again = collected()
        finally:
            catalog.close()
    assert (found["state"], found["reason"], found["reused"]) == ("ready", "", False)
    assert (again["reused"], again["transcript_key"], len(handler.asked)) == (True, found["transcript_key"], asked)
    assert found["trust"] == pytest.approx(1.0, abs=0.1)
    assert found["audio_seconds"] == pytest.approx(600.0, abs=30.0)
    assert found["times_may_drift"] is False

    segments = load_transcript(lake, str(found["transcript_key"])).segments
    heard = [
        [
            s
            for s in segments
            if s.start is not None and s.end is not None and one.start - 1 <= (s.start + s.end) / 2 <= one.end + 1
        ]
        for one in said
    ]
    assert sum(map(len, heard)) == len(segments)
    assert error_rate([(" ".join(s.text for s in spoken), one.text) for spoken, one in zip(heard, said, strict=True)]) < 0.15
    late = [(spoken[0].start or 0.0) - one.start for spoken, one in zip(heard, said, strict=True)]
    early = [one.end - (spoken[-1].end or 0.0) for spoken, one in zip(heard, said, strict=True)]
    # A sentence may be lost at the edge of a clip; then its neighbour is measured against the edge.
    assert np.mean(np.abs(late) <= 1.0) >= 0.8, late
    assert np.mean(np.abs(early) <= 1.0) >= 0.8, early


_KILLED = """
import os, signal, sys
from pathlib import Path
from top5.transcripts import speech
from top5.weights import find_speech_model

audio, models, checkpoint = map(Path, sys.argv[1:])
speech.PIECE_SECONDS = 20.0
model = find_speech_model("base", path=None, cache_dir=models, allow_download=False)

def killed(done, total):
    # The second piece's first words are there, and the piece is not kept yet.
    if done > 25.0:
        os.kill(os.getpid(), signal.SIGKILL)

speech.SpeechToText(model, cpu_threads=2).transcribe(audio, language="en", on_progress=killed, checkpoint=checkpoint)
"""


def test_a_killed_decode_goes_on_where_it_was(
    corpus: Path, tmp_path: Path, models: Path, engine: SpeechToText, monkeypatch: pytest.MonkeyPatch
) -> None:
    audio, checkpoint = tmp_path / "one.mp3", tmp_path / "pieces.jsonl"
    speaking(corpus / "audio", audio, 130.0)
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, str(audio), str(models), str(checkpoint)], check=False, env=dict(os.environ), timeout=200
    )
    assert killed.returncode == -signal.SIGKILL
    kept = Checkpoint(checkpoint, f"{engine.fingerprint};en;None").load()
    assert len(kept) == 1
    assert kept[0].words

    monkeypatch.setattr(speech, "PIECE_SECONDS", 20.0)
    begun: list[float] = []
    resumed = engine.transcribe(audio, language="en", checkpoint=checkpoint, on_progress=lambda done, _total: begun.append(done))
    assert min(begun) == kept[0].end / 16_000
    whole = Checkpoint(checkpoint, f"{engine.fingerprint};en;None").load()
    assert whole[0] == kept[0]
    assert len(whole) >= 3
    assert resumed == engine.transcribe(audio, language="en")
