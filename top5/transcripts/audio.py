"""Audio files: getting one onto the disk, and what it says about itself.

Belongs here: download to a file, duration. Does not belong here: recognising speech (`speech`).
"""

import os
import tempfile
from pathlib import Path

from top5.errors import PermanentError
from top5.transcripts.publisher import Fetches
from top5.urls import mask_url


async def download_audio(fetcher: Fetches, url: str, target: Path, max_bytes: int, *, timeout: float = 1800.0) -> Path:
    """The audio behind `url` as the file `target`, which is never seen half written.

    `timeout` is in seconds, for the whole transfer. Raises what the fetcher raises, and PermanentError `bad_audio` for an empty body.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, partial_name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:40]}.", suffix=".part")
    partial = Path(partial_name)
    try:
        with os.fdopen(handle, "wb") as file:
            await fetcher.fetch(url, max_bytes=max_bytes, accept="audio/*, */*;q=0.5", timeout=timeout, sink=file)
        if not partial.stat().st_size:
            raise PermanentError("bad_audio", f"The audio at {mask_url(url)} is empty; check the feed's enclosure.")
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return target


def probe(path: Path) -> float:
    """Duration in seconds of the first audio stream. Raises PermanentError `bad_audio` for anything unreadable.

    A file that states no duration is measured by its packets, without decoding.
    """
    import av
    from av.error import FFmpegError

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise PermanentError("bad_audio", f"{path.name} holds no audio stream; check the feed's enclosure.")
            stream = container.streams.audio[0]
            if container.duration:
                duration = container.duration / av.time_base
            elif stream.duration and stream.time_base:
                duration = float(stream.duration * stream.time_base)
            else:
                ends = [
                    float((packet.pts + (packet.duration or 0)) * packet.time_base)
                    for packet in container.demux(stream)
                    if packet.pts is not None and packet.time_base
                ]
                duration = max(ends, default=0.0)
    except (FFmpegError, OSError, ValueError) as error:
        raise PermanentError(
            "bad_audio", f"{path.name} is not readable as audio; check that the enclosure is an audio file."
        ) from error
    if duration <= 0:
        raise PermanentError("bad_audio", f"{path.name} holds no audio; check the feed's enclosure.")
    return duration


def check_duration(path: Path, max_minutes: float) -> float:
    """`probe`, and PermanentError `too_long` for more than `max_minutes`."""
    duration = probe(path)
    if duration > max_minutes * 60:
        raise PermanentError(
            "too_long",
            f"The audio lasts {duration / 60:.0f} minutes, more than the {max_minutes:g} of transcripts.max_audio_minutes; raise it.",
        )
    return duration
