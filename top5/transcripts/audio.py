"""Audio files: getting one onto the disk, and what it says about itself.

Belongs here: download to a file, duration. Does not belong here: recognising speech (`speech`), reading samples (`pieces`).
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

import aiohttp
from pydantic import BaseModel, ConfigDict
from yarl import URL

from top5.errors import PermanentError, Top5Error, TransientError
from top5.feeds.fetch import Fetcher, Redirect, judge, parse_target
from top5.urls import mask_url

_TRIES = 4
_PIECE = 256 * 1024
_HTML = (b"<!doctype html", b"<html", b"<head", b"<?xml", b"{")
_ACCEPT = "audio/*, */*;q=0.5"


class AudioFile(BaseModel):
    """A whole file on the disk, and what identifies its content: dynamic advertisements give the same URL other bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Path
    bytes: int
    sha256: str


class _Part(BaseModel):
    """What is known of a half-downloaded file, kept beside it: without a validator that still holds, its bytes are worth nothing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None

    @property
    def condition(self) -> str | None:
        """The `If-Range` header: a strong ETag, else the date (RFC 9110, 13.1.5)."""
        return self.etag if self.etag and not self.etag.startswith("W/") else self.last_modified


class AudioFetcher(Fetcher):
    """The scanner's HTTP client, with its limits and guards, for files too large to lose when a connection breaks off."""

    async def download(self, url: str, target: Path, max_bytes: int, *, timeout: float = 1800.0) -> AudioFile:
        """The audio behind `url` as the file `target`, which is never seen half written.

        A transfer that breaks off is taken up where it stopped (HTTP Range), in this call up to three times and in later ones, as
        long as the server says that the file is still the same. `timeout` is in seconds, for one connection. Raises what the fetcher
        raises; PermanentError `bad_audio` for an empty body or a web page; TransientError `disk`.
        """
        part, notes = _beside(target)
        part.parent.mkdir(parents=True, exist_ok=True)
        for attempt in range(_TRIES):
            before = _size(part)
            try:
                await self._transfer(url, part, notes, max_bytes, timeout)
                break
            except TransientError as error:
                # A server that never gets further is not asked again today.
                if attempt == _TRIES - 1 or error.reason not in ("connection", "timeout") or _size(part) <= before:
                    raise
            except PermanentError:
                part.unlink(missing_ok=True)
                notes.unlink(missing_ok=True)
                raise
        notes.unlink(missing_ok=True)
        found = await asyncio.to_thread(_whole, part, url)
        part.replace(target)
        return found.model_copy(update={"path": target})

    async def _transfer(self, url: str, part: Path, notes: Path, max_bytes: int, timeout: float) -> None:
        current = url
        for _ in range(self._settings.max_redirects + 1):
            target = parse_target(current)
            self._guard.check_target(target)
            host_turn = self._hosts.setdefault(target.host, asyncio.Semaphore(self._settings.max_connections_per_host))
            async with host_turn, self._transfers:
                following = await self._request(url, current, part, notes, max_bytes, timeout)
            if following is None:
                return
            current = following
        raise PermanentError(
            "too_many_redirects",
            f"{mask_url(url)} redirects more than {self._settings.max_redirects} times; use its final address.",
        )

    async def _request(self, url: str, current: str, part: Path, notes: Path, max_bytes: int, timeout: float) -> str | None:
        """One connection; the address to go on with, or None when everything has arrived."""
        session = self._session
        if session is None:
            raise RuntimeError("AudioFetcher is used outside of `async with`")
        shown = mask_url(current)
        known = _known(notes, url)
        held = _size(part) if known and known.condition else 0
        headers = {"Accept": _ACCEPT, "Accept-Encoding": "identity"}
        if held and known and known.condition:
            headers |= {"Range": f"bytes={held}-", "If-Range": known.condition}
        try:
            async with (
                asyncio.timeout(timeout),
                session.get(_as_sent(current), headers=headers, allow_redirects=False) as response,
            ):
                if response.status == 416 and held:
                    # What we hold is all there is, or the file has shrunk; only the size tells.
                    if known and known.total == held:
                        return None
                    part.unlink(missing_ok=True)
                    raise TransientError("connection", f"{shown} changed while it was fetched; it is tried again.")
                verdict = judge(
                    parse_target(current), response.status, response.headers, conditional=False, now=datetime.now(UTC)
                )
                if isinstance(verdict, Redirect):
                    return verdict.url
                begins = held if response.status == 206 and _begins_at(response.headers, held) else 0
                await self._save(response, url, part, notes, begins, max_bytes)
                return None
        except TimeoutError as error:
            raise TransientError("timeout", f"{shown} did not finish in time; it is tried again.") from error
        except aiohttp.ClientConnectorDNSError as error:
            raise TransientError("dns", f"The host of {shown} cannot be found; check its spelling and your DNS.") from error
        except aiohttp.ClientConnectorError as error:
            if "public address" in str(error.os_error):
                raise PermanentError("private_address", f"{shown} leads to a private address and is not fetched.") from error
            raise TransientError("connection", f"{shown} cannot be reached; it is tried again.") from error
        except aiohttp.ClientResponseError as error:
            raise PermanentError("not_http", f"{shown} does not answer in proper HTTP; check the address.") from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise TransientError("connection", f"{shown} broke off ({type(error).__name__}); it is tried again.") from error

    async def _save(
        self, response: aiohttp.ClientResponse, url: str, part: Path, notes: Path, begins: int, max_bytes: int
    ) -> None:
        shown = mask_url(url)
        total = begins + response.content_length if response.content_length is not None else None
        too_large = PermanentError("too_large", f"{shown} is larger than {max_bytes} bytes; raise transcripts.max_audio_bytes.")
        if (total or 0) > max_bytes:
            raise too_large
        about = _Part(
            url=hashlib.sha256(url.encode()).hexdigest(),
            etag=response.headers.get("ETag"),
            last_modified=response.headers.get("Last-Modified"),
            total=total,
        )
        try:
            notes.write_text(about.model_dump_json(), "utf-8")
            with part.open("ab" if begins else "wb") as file:
                await _pour(response, file, begins, max_bytes, too_large, shown)
        except TimeoutError:
            raise
        except (aiohttp.ClientError, ConnectionError):
            raise
        except OSError as error:
            raise TransientError("disk", f"{shown} could not be saved ({error.strerror}); free some space.") from error


async def _pour(
    response: aiohttp.ClientResponse, file: BinaryIO, size: int, max_bytes: int, too_large: Top5Error, shown: str
) -> None:
    async for piece in response.content.iter_chunked(_PIECE):
        if not size and piece.lstrip()[:14].lower().startswith(_HTML):
            raise PermanentError("bad_audio", f"{shown} answers with a page of text, not with audio; check the feed's enclosure.")
        size += len(piece)
        if size > max_bytes:
            raise too_large
        file.write(piece)


def kept_audio(target: Path, url: str) -> AudioFile | None:
    """The file that an earlier, killed call downloaded whole, or None."""
    return _whole(target, url) if _size(target) else None


def _beside(target: Path) -> tuple[Path, Path]:
    """The half file and the notes on it."""
    return target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.part.json")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _known(notes: Path, url: str) -> _Part | None:
    with suppress(OSError, ValueError):
        known = _Part.model_validate(json.loads(notes.read_text("utf-8")))
        # The address may hold a private token, so only its hash is written.
        return known if known.url == hashlib.sha256(url.encode()).hexdigest() else None
    return None


def _begins_at(headers: Mapping[str, str], held: int) -> bool:
    return headers.get("Content-Range", "").lower().startswith(f"bytes {held}-")


def _as_sent(url: str) -> URL:
    # Signed addresses break when their escapes are rewritten.
    return URL(url.partition("#")[0], encoded=url.isascii() and " " not in url)


def _whole(path: Path, url: str) -> AudioFile:
    size = _size(path)
    if not size:
        path.unlink(missing_ok=True)
        raise PermanentError("bad_audio", f"The audio at {mask_url(url)} is empty; check the feed's enclosure.")
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return AudioFile(path=path, bytes=size, sha256=digest.hexdigest())


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
