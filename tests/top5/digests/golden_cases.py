"""What the golden files are made from: four digests in four formats, and their subjects."""

from datetime import UTC, datetime
from pathlib import Path

from tests.top5.digests import samples
from top5.digests.model import Digest
from top5.digests.render import render_html, render_json, render_markdown, render_text, subject

GOLDEN = Path(__file__).with_name("golden")
UNSUBSCRIBE = "https://top5.example/unsubscribe/abc"
BUILT_AT = datetime(2026, 5, 4, 5, 58, tzinfo=UTC)


def digests() -> dict[str, Digest]:
    """The samples by name."""
    return {"full": samples.full(), "short": samples.short(), "empty": samples.empty(), "hostile": samples.hostile()}


def cases() -> dict[str, str]:
    """File name -> text, as the code gives it now."""
    texts: dict[str, str] = {}
    for name, digest in digests().items():
        # One sample without link and time, so that both forms of the foot are looked at.
        link, built = (UNSUBSCRIBE, BUILT_AT) if name != "short" else (None, None)
        texts[f"{name}.html"] = render_html(digest, unsubscribe_url=link, built_at=built)
        texts[f"{name}.txt"] = render_text(digest, unsubscribe_url=link, built_at=built)
        texts[f"{name}.md"] = render_markdown(digest)
        texts[f"{name}.json"] = render_json(digest)
    texts["subjects.txt"] = "".join(f"{name}: {subject(digest)}\n" for name, digest in digests().items())
    return texts
