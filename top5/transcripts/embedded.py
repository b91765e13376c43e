"""A transcript that stands in the item's own HTML, as newsletters publish it (Substack above all).

Belongs here: telling such a transcript from show notes and essays. Does not belong here: how a line names its speaker (`turns`).
"""

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from top5.transcripts.clean import clean_text
from top5.transcripts.formats import finish
from top5.transcripts.model import Transcript
from top5.transcripts.turns import as_segments, read_turns

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_HEADING = re.compile(
    r"^\W*(?:(?:full|episode|podcast|complete|edited|the|interview|show|lightly edited) ){0,3}transcript(?:ion)?s?\W*$", re.I
)
_END = re.compile(
    r"^\W*(?:show notes|references|links?(?: mentioned)?|resources|comments|discussion about this (?:episode|post|podcast)|footnotes|subscribe|"
    r"about (?:the )?(?:author|host|guest)s?|credits|ready for more|share this (?:post|episode)|thanks for reading)\W*$",
    re.I,
)
_BLOCKS = "h1, h2, h3, h4, h5, h6, p, li, blockquote"
_FEWEST_WORDS = 200
_FEWEST_WORDS_UNHEADED = 800
_FEWEST_TURNS = 8


def transcript_in_notes(html: str) -> Transcript | None:
    """The transcript inside show notes, or None.

    With a heading ("Transcript") the words after it are one if they are at least 200 and have speakers or times; without a heading it
    takes 800 words of which most stand in turns of at least two named speakers.
    """
    if html.count("<") > 200_000 or len(html) < 2_000:
        return None
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html)
    for node in tree.css("script, style, noscript, template, iframe, form, button, figure"):
        node.decompose()
    blocks = list(_texts(tree.css(_BLOCKS)))
    headed = next(
        (number for number, (heading, text) in enumerate(blocks) if _HEADING.match(text) and (heading or len(text) < 40)), None
    )
    body = blocks if headed is None else blocks[headed + 1 :]
    lines: list[str] = []
    for heading, text in body:
        if (headed is not None or lines) and _END.match(text) and (heading or len(text) < 60):
            break
        lines.append(text)
    segments = as_segments(read_turns("\n\n".join(lines)))
    words = sum(len(segment.text.split()) for segment in segments)
    named = [segment for segment in segments if segment.speaker]
    timed = [segment for segment in segments if segment.start is not None]
    if headed is None:
        spoken = sum(len(segment.text.split()) for segment in named)
        speakers = {segment.speaker for segment in named}
        if words < _FEWEST_WORDS_UNHEADED or spoken < 0.7 * words or len(speakers) < 2 or len(named) < _FEWEST_TURNS:
            return None
    elif words < _FEWEST_WORDS or max(len(named), len(timed)) < min(_FEWEST_TURNS, 2 + words // 400):
        return None
    warnings = ["read from the item's own page"]
    return Transcript(segments=tuple(finish(segments, warnings)), format="html", warnings=tuple(warnings))


def _texts(nodes: "Iterable[LexborNode]") -> Iterable[tuple[bool, str]]:
    """(is a heading, text) of each block that holds no other."""
    for node in nodes:
        if node.tag in ("li", "blockquote") and node.css("p"):
            continue
        # `<br>` inside a paragraph separates speakers on many pages.
        raw = re.sub(r"<br\s*/?>", "\n", (node.html or "").replace("\n", " "), flags=re.I)
        for line in re.sub(r"<[^<>]*>", "", raw).split("\n"):
            text = clean_text(line)
            if text:
                yield (node.tag or "").startswith("h"), text
