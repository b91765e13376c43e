"""A server that speaks POST /v1/audio/transcriptions, hand-written, for tests that use the real `openai` client and real MP3 uploads.

It decodes what it is sent and "hears" a word wherever a tone sounds, so that times can be compared with those of the original audio.
"""

import io
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

import av
import numpy as np


@dataclass
class Upload:
    """One request: the form's fields, the size of the file and its samples at 16 kHz."""

    fields: dict[str, list[str]]
    size: int
    samples: Any


Answer = Callable[[Upload], tuple[int, dict[str, Any] | bytes]]


def tones(samples: Any, rate: int = 16_000) -> list[tuple[float, float]]:
    """Where a tone sounds, in seconds."""
    window = rate // 100
    loud = np.sqrt(np.square(samples[: len(samples) // window * window]).reshape(-1, window).mean(axis=1)) > 0.05
    edges = np.flatnonzero(np.diff(np.concatenate(([False], loud, [False])).astype(int)))
    return [(begin / 100, end / 100) for begin, end in zip(edges[::2], edges[1::2], strict=True)]


def hear(upload: Upload) -> tuple[int, dict[str, Any]]:
    """A good answer in `verbose_json`, bare words and punctuated segments as the real API gives them."""
    found = tones(upload.samples)
    words = [{"word": "Beep", "start": begin, "end": end} for begin, end in found]
    segments = [{"id": n, "start": b, "end": e, "text": " Beep.", "avg_logprob": -0.2} for n, (b, e) in enumerate(found)]
    return 200, {"text": "Beep. " * len(found), "language": "english", "duration": 1.0, "words": words, "segments": segments}


@dataclass
class FakeTranscription:
    """The server as a context manager; `uploads` holds what arrived."""

    answer: Answer = hear
    uploads: list[Upload] = field(default_factory=list[Upload])

    def __enter__(self) -> "FakeTranscription":
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                upload = _parse(self.headers["Content-Type"], body)
                owner.uploads.append(upload)
                status, value = owner.answer(upload) if self.path.endswith("/audio/transcriptions") else (404, {"error": {}})
                data = value if isinstance(value, bytes) else json.dumps(value).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, format: str, *args: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"


def _parse(content_type: str, body: bytes) -> Upload:
    boundary = content_type.partition("boundary=")[2].strip('"').encode()
    fields: dict[str, list[str]] = {}
    file = b""
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.strip(b"\r\n").partition(b"\r\n\r\n")
        name = re.search(rb'name="([^"]+)"', head)
        assert name
        if b"filename=" in head:
            file = content
        else:
            fields.setdefault(name[1].decode(), []).append(content.decode())
    return Upload(fields, len(file), _samples(file))


def _samples(data: bytes) -> Any:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=16_000)
    pieces = []
    with av.open(io.BytesIO(data)) as container:
        for frame in container.decode(audio=0):
            pieces += [found.to_ndarray().reshape(-1) for found in resampler.resample(frame)]
    return np.concatenate(pieces).astype(np.float32) / 32768 if pieces else np.zeros(0, dtype=np.float32)
