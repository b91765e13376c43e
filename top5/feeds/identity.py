"""Telling episodes apart, and finding the same audio in two feeds.

Belongs here: names of episodes as pure functions of what the feed says. Within a feed an episode is (feed, guid); titles and
summaries change between scans and identify nothing.
"""

import hashlib
import re
import unicodedata
from datetime import datetime, timedelta
from functools import lru_cache
from urllib.parse import SplitResult, unquote, urlsplit

from top5.feeds.model import ParsedEpisode

_LONGEST_GUID = 512
_MOST_PREFIXES = 20

# Services that put their own host before the audio's, as `https://tracker/any/thing/audio.host/path`; a host counts with its
# subdomains. One list of hosts instead of one pattern per service: their paths change, "the first host name in the path" does
# not.
_TRACKERS = frozenset({
    "podtrac.com", "chtbl.com", "chrt.fm", "media.blubrry.com", "op3.dev", "pscrb.fm", "podscribe.com", "mgln.ai", "pdst.fm",
    "pdcn.co", "claritaspod.com", "clrtpod.com", "arttrk.com", "gum.fm", "swap.fm", "prfx.byspotify.com", "vpixl.com", "pdrl.fm",
    "podkite.com", "podderapp.com", "pdcst.to",
})  # fmt: skip
_MEDIA_ENDINGS = ("mp3", "m4a", "m4b", "m4v", "mp4", "aac", "ogg", "oga", "opus", "wav", "flac", "mpga", "mov", "webm")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9\-_]{0,62})\.)+[a-z][a-z0-9\-]{1,62}(?::\d{1,5})?", re.IGNORECASE)
_SPACES = re.compile(r"\s+")
_MEMBERS = re.compile(
    r"\([^)]*\)|\[[^\]]*\]|\b(?:ad[- ]?free|premium|members?(?:[- ]only)?|subscribers?|patrons?|patreon|private|early access|bonus)\b"
    r"(?:\s+(?:feed|edition|version))?",
    re.IGNORECASE,
)
_SHORTEST_TITLE = 8
_SHORTEST_SHOW = 4
_EARLY = timedelta(days=35)
_ADVERTISEMENTS = 600.0


def episode_guid(
    *,
    guid: str | None = None,
    enclosure_url: str | None = None,
    link: str | None = None,
    title: str = "",
    published: datetime | None = None,
    published_raw: str | None = None,
) -> str:
    """A name for an episode that is the same at each scan; never empty.

    The publisher's guid; else the enclosure without tracking prefixes (`peel_enclosure`); else the link; else `sha256:` and the
    hash of title and date. The guid is taken as written, save for spaces around it and control characters; longer than 512
    characters it becomes its hash.
    """
    for number, candidate in enumerate((guid, enclosure_url, link)):
        text = (peel_enclosure(candidate) if number == 1 else candidate) if candidate else ""
        if not text.isprintable():
            text = "".join(char for char in text if unicodedata.category(char) not in ("Cc", "Cs"))
        cleaned = text.strip()
        if cleaned:
            return cleaned if len(cleaned) <= _LONGEST_GUID else _hash(cleaned)
    when = published.isoformat() if published else (published_raw or "").strip()
    return _hash(f"{_SPACES.sub(' ', title).strip().casefold()}\n{when}")


@lru_cache(maxsize=8192)
def peel_enclosure(url: str) -> str:
    """The audio's own URL: tracking prefixes peeled off, `https`, host in lower case, no fragment, no query.

    The query stays where the path names no media file (`/download.php?id=7`), because there it alone tells episodes apart. A URL
    that cannot be read is returned as it is. The result is a name, not something to fetch.
    """
    current = url.strip()
    parts = _split(current)
    for _ in range(_MOST_PREFIXES):
        inner = _behind_tracker(parts) if parts else None
        if inner is None:
            break
        current = inner
        parts = _split(current)
    if parts is None:
        return current
    host = (parts.hostname or "").rstrip(".")
    port = f":{parts.port}" if parts.port not in (None, 80, 443) else ""
    names_media = parts.path.lower().endswith(tuple(f".{ending}" for ending in _MEDIA_ENDINGS))
    query = f"?{parts.query}" if parts.query and not names_media else ""
    return f"https://{host}{port}{parts.path or '/'}{query}"


def same_episode_key(episode: ParsedEpisode) -> str | None:
    """What episodes of different feeds share when they are the same audio file; None where the episode names no file."""
    if episode.enclosure is None:
        return None
    return _audio_key(episode.enclosure.url)


@lru_cache(maxsize=8192)
def _audio_key(url: str) -> str | None:
    peeled = peel_enclosure(url)
    parts = _split(peeled)
    return None if parts is None or (parts.path in ("", "/") and not parts.query) else peeled


def title_key(title: str) -> str | None:
    """What episodes of one show share when they have the same title, spelling aside; None where the title is too short to tell."""
    words = _words(title)
    return _short_hash(words) if len(words) >= _SHORTEST_TITLE else None


def show_key(title: str) -> str | None:
    """What the public and the members' feed of a show share: its title without `(Ad-Free)`, `Premium` and the like."""
    words = _words(_MEMBERS.sub(" ", title))
    return _short_hash(words) if len(words) >= _SHORTEST_SHOW else None


def same_telling(one: ParsedEpisode, other: ParsedEpisode) -> bool:
    """Whether two episodes of one show with one title can be the same: published within 35 days, for members hear it early, and about
    equally long, for theirs lacks the advertisements."""
    if one.published and other.published and abs(one.published - other.published) > _EARLY:
        return False
    if one.duration and other.duration:
        return abs(one.duration - other.duration) <= max(_ADVERTISEMENTS, 0.15 * max(one.duration, other.duration))
    return True


def _words(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(re.findall(r"\w+", folded))


def _short_hash(text: str) -> str:
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=8).hexdigest()


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        readable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port >= 0)
    except ValueError:
        return None
    return parts if readable else None


def _behind_tracker(parts: SplitResult) -> str | None:
    host = (parts.hostname or "").rstrip(".")
    labels = host.split(".")
    if not any(".".join(labels[start:]) in _TRACKERS for start in range(len(labels) - 1)):
        return None
    segments = parts.path.split("/")
    query = f"?{parts.query}" if parts.query else ""
    for index, segment in enumerate(segments):
        if segment.lower().startswith(("http%3a", "https%3a")):
            return unquote("/".join(segments[index:])) + query
        if index + 1 < len(segments) and _HOST.fullmatch(segment) and not segment.lower().endswith(_MEDIA_ENDINGS):
            return f"https://{'/'.join(segments[index:])}{query}"
    # Podtrac's oldest form: redirect.mp3?http://audio.host/path.
    if parts.query.lower().startswith(("http://", "https://")):
        return parts.query
    return None


def _hash(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()}"
