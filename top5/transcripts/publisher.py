"""The publisher's own transcript: which of several files to take, and taking it.

Belongs here: the order of trying, what a failure of all means. Does not belong here: HTTP (`top5.feeds.fetch`), formats.
"""

from collections.abc import Sequence
from typing import BinaryIO, Protocol

from top5.errors import PermanentError, Top5Error, TransientError
from top5.feeds.model import TranscriptLink
from top5.transcripts.formats import parse_transcript
from top5.transcripts.model import Transcript
from top5.urls import mask_url

ACCEPT = "application/json, text/vtt, application/x-subrip, application/srt, text/html;q=0.8, text/plain;q=0.8, */*;q=0.5"
# Publishers put transcripts online after the episode: what is missing today may be there tomorrow.
_LATE = frozenset({"not_found", "empty"})


class Fetched(Protocol):
    """The part of `top5.feeds.fetch.FetchResult` that is used here; `body` is None where the bytes went to a sink."""

    @property
    def body(self) -> bytes | None:
        """The bytes of the answer."""
        ...

    @property
    def content_type(self) -> str | None:
        """The Content-Type header as sent."""
        ...


class Fetches(Protocol):
    """The part of `top5.feeds.fetch.Fetcher` that is used here."""

    async def fetch(
        self,
        url: str,
        validators: None = None,
        *,
        max_bytes: int | None = None,
        accept: str = ...,
        timeout: float | None = None,
        sink: BinaryIO | None = None,
    ) -> Fetched:
        """GET `url`, into `sink` where one is given. Raises PermanentError or TransientError."""
        ...


def _form(link: TranscriptLink) -> int:
    """0 for what carries most (speakers and times), 5 for a format nobody names."""
    said = (link.type or "").lower()
    path = link.url.split("?", 1)[0].split("#", 1)[0].lower()
    for rank, (types, endings) in enumerate(
        (
            (("json",), (".json",)),
            (("vtt",), (".vtt",)),
            (("srt", "subrip"), (".srt",)),
            (("html",), (".html", ".htm")),
            (("text/plain", "markdown"), (".txt", ".md")),
        )
    ):
        # `text/plain` is what servers say for want of better: the name knows more.
        if path.endswith(endings) or any(part in said for part in types if rank < 4):
            return rank
        if rank == 4 and any(part in said for part in types):
            return _form(TranscriptLink(url=link.url)) if path.endswith((".json", ".vtt", ".srt")) else rank
    return 5


def _distance(said: str | None, wanted: str) -> int:
    """0: the wanted language; 1: none named; 2: another one. `en-GB` is `en`."""
    if not said:
        return 1
    return 0 if said.lower().replace("_", "-").split("-")[0] == wanted.lower().replace("_", "-").split("-")[0] else 2


def rank_links(links: Sequence[TranscriptLink], language: str) -> list[TranscriptLink]:
    """Links in the order of trying: language first, then json, vtt, srt, html, text; `rel=captions` after the same format without.

    The order of the feed decides between equals, and the same URL is kept once.
    """
    ordered = sorted(
        links, key=lambda link: (_distance(link.language, language), _form(link), (link.rel or "").lower() == "captions")
    )
    seen: set[str] = set()
    return [link for link in ordered if not (link.url in seen or seen.add(link.url))]


async def fetch_transcript(
    fetcher: Fetches, links: Sequence[TranscriptLink], language: str, *, max_bytes: int | None = None
) -> Transcript:
    """The first transcript that can be fetched and read, tried in the order of `rank_links`.

    What was tried before it stands in the warnings. If none works: TransientError `transcript_not_found` where a later try may
    help (a failure was transient, or the file is not there yet), else PermanentError with the same reason; the sentence names
    each URL (masked) and why.
    """
    failures: list[tuple[TranscriptLink, Top5Error]] = []
    for link in rank_links(links, language):
        try:
            result = await fetcher.fetch(link.url, max_bytes=max_bytes, accept=ACCEPT)
            transcript = parse_transcript(result.body or b"", content_type=result.content_type)
        except Top5Error as error:
            failures.append((link, error))
            continue
        warnings = tuple(f"{mask_url(failed.url)} not used: {error.reason}" for failed, error in failures)
        return transcript.model_copy(
            update={"language": transcript.language or link.language, "warnings": (*warnings, *transcript.warnings)}
        )
    if not failures:
        raise PermanentError(
            "transcript_not_found", "The feed names no transcript for this episode; transcribe its audio instead."
        )
    tried = "; ".join(f"{mask_url(link.url)}: {error.reason}" for link, error in failures)
    late = any(isinstance(error, TransientError) or error.reason in _LATE for _, error in failures)
    if late:
        waits = [
            error.retry_after for _, error in failures if isinstance(error, TransientError) and error.retry_after is not None
        ]
        raise TransientError(
            "transcript_not_found",
            f"No transcript could be read yet ({tried}); it is tried again on later days.",
            retry_after=min(waits) if waits else None,
        )
    raise PermanentError("transcript_not_found", f"No transcript could be read ({tried}); transcribe the audio instead.")
