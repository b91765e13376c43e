"""URLs as secrets: how they are shown.

Belongs here: showing and comparing URLs. Fetching them is `top5.feeds.fetch`.
"""

import re
from functools import lru_cache
from urllib.parse import urlsplit, urlunsplit

_OPAQUE = re.compile(r"[A-Za-z0-9_\-~.]{16,}")
# Nothing to hide: no userinfo, no query, no part of the path that is long enough for a token.
_OPEN = re.compile(r"https?://[a-z0-9.\-]+(?::(?:[1-9]\d{0,3}|[1-5]\d{4}))?(?:/[A-Za-z0-9_\-~.%+]{0,15})*")
_HAS_DIGIT_AND_LETTER = re.compile(r"(?=.*\d)(?=.*[A-Za-z])")


@lru_cache(maxsize=1024)
def mask_url(url: str) -> str:
    """The URL as it may be printed: without userinfo, query values and long opaque path parts.

    Private podcast feeds carry the subscriber's token in any of the three places.
    """
    if _OPEN.fullmatch(url):
        return url
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        host = f"[{host}]" if ":" in host else host
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "<unreadable URL>"
    userinfo = "***@" if "@" in parts.netloc else ""
    path = "/".join(_mask_segment(segment) for segment in parts.path.split("/"))
    query = "&".join(
        f"{name}=***" if "=" in item else "***" for item in parts.query.split("&") if item for name in [item.split("=")[0]]
    )
    return urlunsplit((parts.scheme, f"{userinfo}{host}{port}", path, query, ""))


def _mask_segment(segment: str) -> str:
    stem = segment.rsplit(".", 1)[0]
    if _OPAQUE.fullmatch(stem) and _HAS_DIGIT_AND_LETTER.match(stem) and "-" not in stem.strip("-"):
        return "***"
    return segment
