"""Transcripts as publishers write them, read into one shape; and written again.

Belongs here: telling formats apart by their content, JSON and HTML, what all formats share at the end (order, ends, word-level
files), writers. Does not belong here: fetching (`publisher`), merging cues into sentences (the insights' business).

A file whose words are whole is repaired, with a warning for each kind of repair; anything else is refused with PermanentError:

| reason | the file |
|---|---|
| `empty` | holds no words |
| `binary` | is an image, an audio file, a PDF, an archive or no text at all |
| `not_a_transcript` | is something else: a feed, chapters, show notes, an error page, a few words |
| `malformed` | is JSON that does not parse |
| `too_large` | has more than 20 MB or half a million lines |
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from top5.errors import PermanentError
from top5.transcripts.clean import clean_speaker, clean_text, decode, split_voices
from top5.transcripts.cues import has_cues, read_captions, seconds
from top5.transcripts.model import Segment, Transcript, TranscriptFormat
from top5.transcripts.turns import Turn, as_segments, listed_share, name_prefixes, read_turns
from top5.transcripts.words import Word, join_words
from top5.urls import mask_url

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

_FEED = re.compile(r"\s*(?:<\?xml[^>]*>\s*)?(?:(?><!--.*?-->)\s*)*+<(rss|feed|rdf:RDF|opml|channel|urlset|tt|svg|Error)\b", re.S)
_MARKUP = re.compile(r"\s*<(?:!doctype|html|head|body|article|main|section|div|p|cite|time|h[1-6]|ul|dl)\b|\s*<!--", re.I)
_ERROR_PAGE = re.compile(
    r"\b(?:40[0-9]|41[0-9]|50[0-9]|not found|forbidden|access denied|just a moment|attention required|sign in|log in|"
    r"page unavailable|bad gateway|service unavailable|are you a robot|captcha|enable javascript)\b",
    re.I,
)
_DROPPED = "script, style, nav, header, footer, aside, form, noscript, template, iframe, svg, button, select"
_INLINE = frozenset(
    ["a", "abbr", "b", "cite", "code", "em", "font", "i", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "time", "u"]
)
# Elements that close themselves are left out: a page of unclosed <p> is not deep.
_NESTING = re.compile(
    r"<(/?)(?!(?:p|li|d[dt]|t[rdh]|option|br|hr|img|input|meta|link|wbr|source|area|col|embed|path)\b)[a-z][\w-]*(?=[\s>])", re.I
)
_MAX_DEPTH = 500
# Twelve hours with a line of its own for each word stay under both.
_MOST_BYTES = 20_000_000
_MOST_LINES = 500_000
_MIN_PLAIN_WORDS = 20
_MIN_HTML_WORDS = 50
_RESTART = 60.0
_PUNCTUATION = frozenset(".,!?;:…)")

_CONTAINERS = ("segments", "fragments", "utterances", "cues", "captions", "transcript", "results", "monologues")
_STARTS = ("start", "startTime", "start_time", "begin", "time", "offset")
_ENDS = ("end", "endTime", "end_time", "stop")
_SPEAKERS = ("speaker", "speakerName", "speaker_name", "name")
_TEXTS = ("body", "text", "lines", "content", "transcript", "caption", "word")


def parse_transcript(body: bytes, *, content_type: str | None = None, name: str | None = None) -> Transcript:
    """The words of a transcript file, whatever its format; the format is told from the content alone.

    `content_type` is used for nothing but its charset, `name` (a path or URL) for messages. Times are seconds; segments with times
    are in order. Raises PermanentError with one of the reasons listed in this module.
    """
    try:
        if len(body) > _MOST_BYTES:
            raise _too_large(f"{len(body) / 1e6:.0f} MB")
        text, warnings = decode(body, content_type)
        if (lines := text.count("\n")) > _MOST_LINES:
            raise _too_large(f"{lines} lines")
        segments, kind, language, found = _read(text)
    except PermanentError as error:
        if name is None:
            raise
        raise PermanentError(error.reason, f"{_shown(name)}: {error.message}") from error
    warnings += found
    segments = finish(segments, warnings)
    if not any(any(character.isalnum() for character in segment.text) for segment in segments):
        where = f"{_shown(name)}: " if name else ""
        raise PermanentError("empty", f"{where}The transcript holds no words; ask the publisher or transcribe the audio instead.")
    return Transcript(segments=tuple(segments), format=kind, language=language, warnings=tuple(warnings))


def _shown(name: str) -> str:
    shown = mask_url(name) if "://" in name else name
    return clean_text(shown)[:200]


def _refuse(what: str) -> PermanentError:
    return PermanentError("not_a_transcript", f"The file is {what}, not a transcript; check the feed's transcript link.")


def _too_large(size: str) -> PermanentError:
    return PermanentError("too_large", f"The file has {size}, more than any transcript; check the feed's transcript link.")


_Read = tuple[list[Segment], TranscriptFormat, str | None, list[str]]


def _read(text: str) -> _Read:
    stripped = text.lstrip()
    if stripped[:1] in ("{", "["):
        value = _load_json(stripped)
        if value is not None:
            return _read_json(value)
    feed = _FEED.match(text)
    if feed:
        raise _refuse(f"an XML document <{feed[1]}>")
    if _MARKUP.match(text):
        return _read_html(text)
    if has_cues(text):
        return _read_captions(text)
    return _read_text(text)


# Captions


def _read_captions(text: str) -> _Read:
    captions = read_captions(text)
    kind: TranscriptFormat = "vtt" if text.lstrip().startswith("WEBVTT") else "srt"
    pieces: list[tuple[float, float | None, str | None, str]] = []
    for cue in captions.cues:
        for speaker, raw in split_voices("\n".join(cue.lines)):
            words = clean_text("\n".join(_without_dash(line) for line in raw.split("\n")))
            if words:
                pieces.append((cue.start, cue.end, speaker, words))
    if any(speaker for _, _, speaker, _ in pieces):
        turns = [Turn(words, speaker) for _, _, speaker, words in pieces]
    else:
        turns = name_prefixes(words for _, _, _, words in pieces)
    segments = [
        Segment(start=start, end=end, speaker=turn.speaker, text=turn.text)
        for (start, end, _, _), turn in zip(pieces, turns, strict=True)
        if turn.text
    ]
    return segments, kind, captions.language, captions.warnings


def _without_dash(line: str) -> str:
    # Dialogue dashes after the first line of a cue; the first one is read as a change of speaker.
    return re.sub(r"^\s*-\s+", "- ", line) if "-" in line else line


# JSON


def _load_json(text: str) -> object | None:
    """The value, or None where the text is no JSON at all (a plain text may begin with a bracket)."""
    try:
        return cast(object, json.loads(text))
    except (ValueError, RecursionError) as error:
        if text.startswith("{") or re.match(r"\[\s*[{\[\"]", text):
            raise PermanentError(
                "malformed", "The transcript is damaged JSON (cut off?); use another format or the audio."
            ) from error
        return None


def _mapping(value: object) -> Mapping[str, object] | None:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else None


def _sequence(value: object) -> Sequence[object] | None:
    return cast("Sequence[object]", value) if isinstance(value, list) else None


def _read_json(value: object) -> _Read:
    language: str | None = None
    items = _sequence(value)
    top = _mapping(value)
    if top is not None:
        said = top.get("language")
        language = said if isinstance(said, str) and re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", said) else None
        if "chapters" in top and not any(key in top for key in _CONTAINERS):
            raise _refuse("a chapters file")
        items = next((found for key in _CONTAINERS if (found := _sequence(top.get(key))) is not None), None)
    if items is None:
        raise _refuse("JSON without segments")
    warnings: list[str] = []
    segments: list[Segment] = []
    unreadable = 0
    for item in items:
        fields = _mapping(item)
        if fields is None:
            unreadable += 1
            continue
        words = _json_text(fields)
        if words is None:
            unreadable += 1
            continue
        start = _json_time(fields, _STARTS)
        end = _json_time(fields, _ENDS)
        segments.append(Segment(start=start, end=end, speaker=_json_speaker(fields), text=words))
    if items and not segments:
        raise _refuse("JSON without words")
    if unreadable:
        warnings.append(f"{unreadable} entries without words left out")
    return segments, "json", language, warnings


def _json_text(fields: Mapping[str, object]) -> str | None:
    for key in _TEXTS:
        value = fields.get(key)
        lines = _sequence(value)
        if lines is not None and all(isinstance(line, str) for line in lines):
            value = " ".join(cast("Sequence[str]", lines))
        if isinstance(value, str):
            return clean_text(value)
    return None


def _json_time(fields: Mapping[str, object], keys: Sequence[str]) -> float | None:
    value = next((fields[key] for key in keys if key in fields), None)
    if isinstance(value, str):
        clock = seconds(value)
        if clock is not None:
            return clock
        try:
            value = float(value.replace(",", ".")) if len(value) < 40 else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e7 or not math.isfinite(value):
        return None
    return float(value)


def _json_speaker(fields: Mapping[str, object]) -> str | None:
    value = next((fields[key] for key in _SPEAKERS if key in fields), None)
    nested = _mapping(value)
    if nested is not None:
        value = nested.get("name")
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1000:
        return f"Speaker {value}"
    return clean_speaker(value) if isinstance(value, str) else None


# HTML


def _read_html(text: str) -> _Read:
    from selectolax.lexbor import LexborHTMLParser

    if _too_deep(text):
        raise _refuse("HTML nested hundreds of levels deep")
    tree = LexborHTMLParser(text)
    headings = " ".join(node.text(deep=True) for node in tree.css("title, h1"))
    for node in tree.css(_DROPPED):
        node.decompose()
    root = next(iter([*tree.css("article"), *tree.css("main")]), None) or tree.body
    if root is None:
        raise PermanentError("empty", "The page holds no words; ask the publisher or transcribe the audio instead.")
    turns = _cited(root) if root.css("cite, time") else []
    if not turns:
        turns = read_turns("\n\n".join(_blocks(root)))
    segments = as_segments(turns)
    words = sum(len(segment.text.split()) for segment in segments)
    linked = sum(len(node.text(deep=True).split()) for node in root.css("a"))
    plain = not any(segment.speaker or segment.start is not None for segment in segments)
    if _ERROR_PAGE.search(headings) and words < 300 and plain:
        raise _refuse(f"the web page {clean_text(headings)[:60]!r}")
    if plain and (words < _MIN_HTML_WORDS or linked > 0.5 * words):
        raise _refuse("a web page without spoken text")
    return segments, "html", _html_language(tree.root), []


def _html_language(root: "LexborNode | None") -> str | None:
    said = root.attributes.get("lang") if root is not None else None
    return said if said and re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", said) else None


def _cited(root: "LexborNode") -> list[Turn]:
    """`<cite>Name:</cite> <time>0:12</time> <p>…</p>`, the podcast namespace's own HTML."""
    turns: list[Turn] = []
    speaker: str | None = None
    start: float | None = None
    for node in root.css("cite, time, p"):
        content = node.text(deep=True, separator=" ")
        if node.tag == "cite" and not _inside(node, "p"):
            speaker = clean_speaker(content)
        elif node.tag == "time" and not _inside(node, "p"):
            start = seconds(content.strip(" []()"))
        elif node.tag == "p" and content.strip():
            turns.append(Turn(content, speaker, start))
            start = None
    return turns if any(turn.speaker or turn.start is not None for turn in turns) else []


def _inside(node: "LexborNode", tag: str) -> bool:
    parent = node.parent
    while parent is not None:
        if parent.tag == tag:
            return True
        parent = parent.parent
    return False


def _blocks(root: "LexborNode") -> Iterable[str]:
    """The text of each paragraph-like element, in document order; inline elements do not break a paragraph."""
    pieces: list[str] = []
    block: int | None = None
    for node in root.traverse(include_text=True):
        if node.tag == "br":
            pieces.append("\n")
        if node.tag != "-text":
            continue
        around = node.parent
        while around is not None and around.tag in _INLINE:
            around = around.parent
        here = around.mem_id if around is not None else None
        if here != block and pieces:
            yield from _lines(pieces)
            pieces = []
        block = here
        pieces.append(node.text_content or "")
    yield from _lines(pieces)


def _lines(pieces: Sequence[str]) -> Iterable[str]:
    # Only `<br>` breaks a line of HTML; its source's own line ends are spaces.
    parts = "".join(piece if piece == "\n" else piece.replace("\n", " ") for piece in pieces).split("\n")
    yield from (words for part in parts if (words := clean_text(part)))


def _too_deep(text: str) -> bool:
    """Whether elements nest so deep that the parser would take minutes; pages of people stay under 50."""
    depth = 0
    for match in _NESTING.finditer(text):
        depth += -1 if match[1] else 1
        if depth > _MAX_DEPTH:
            return True
        depth = max(depth, 0)
    return False


# Plain text


def _read_text(text: str) -> _Read:
    segments = as_segments(read_turns(text))
    words = sum(len(segment.text.split()) for segment in segments)
    timed = sum(1 for segment in segments if segment.start is not None)
    if not any(segment.speaker for segment in segments) and timed < 0.5 * len(segments):
        if listed_share(text) > 0.3:
            raise _refuse("a list of notes and links")
        if 0 < words < _MIN_PLAIN_WORDS:
            raise _refuse(f"a text of {words} words")
    return segments, "text", None, ["front matter left out"] if text.startswith("---\n") else []


# What all formats share


def finish(segments: Sequence[Segment], warnings: list[str]) -> list[Segment]:
    """Segments in order, with ends where the next start gives them, words joined where a file has one word a segment."""
    kept = [segment for segment in segments if segment.text]
    kept = _ordered(kept, warnings)
    kept = _ended(kept, warnings)
    return _joined(kept, warnings)


def _ordered(segments: list[Segment], warnings: list[str]) -> list[Segment]:
    latest = 0.0
    backward = 0
    for position, segment in enumerate(segments):
        if segment.start is None:
            continue
        if segment.start < latest - _RESTART:
            # A second part that counts from zero: its words stay where they are, its times would point to the wrong place.
            warnings.append(f"times start again at segment {position + 1}: times from there on left out")
            rest = [item.model_copy(update={"start": None, "end": None}) for item in segments[position:]]
            return _ordered(segments[:position], warnings) + rest
        backward += segment.start < latest
        latest = max(latest, segment.start)
    if not backward:
        return segments
    warnings.append(f"{backward} segments out of order put in order")
    keys: list[float] = []
    for segment in segments:
        keys.append(segment.start if segment.start is not None else (keys[-1] if keys else 0.0))
    return [segment for _, segment in sorted(zip(keys, segments, strict=True), key=lambda pair: pair[0])]


def _ended(segments: list[Segment], warnings: list[str]) -> list[Segment]:
    ended: list[Segment] = []
    reversed_ends = overlaps = 0
    for position, segment in enumerate(segments):
        following = segments[position + 1] if position + 1 < len(segments) else None
        after = following.start if following else None
        start, end = segment.start, segment.end
        if start is None:
            ended.append(segment.model_copy(update={"end": None}) if end is not None else segment)
            continue
        if end is not None and end < start:
            reversed_ends += 1
            end = None
        if end is None:
            end = after
        elif after is not None and start < after < end and following and following.speaker == segment.speaker:
            overlaps += 1
            end = after
        ended.append(segment.model_copy(update={"end": end}) if end != segment.end else segment)
    if reversed_ends:
        warnings.append(f"{reversed_ends} segments that ended before they began repaired")
    if overlaps:
        warnings.append(f"{overlaps} overlapping segments shortened")
    return ended


def _joined(segments: list[Segment], warnings: list[str]) -> list[Segment]:
    single = sum(1 for segment in segments if len(segment.text.split()) == 1)
    if len(segments) < 4 or single < 0.8 * len(segments) or any(segment.start is None for segment in segments):
        return segments
    words = [
        Word(segment.text, segment.start, segment.end, segment.speaker, glued=segment.text in _PUNCTUATION)
        for segment in segments
    ]
    warnings.append("one word a segment: joined into sentences")
    return join_words(words)


# Writers


def to_vtt(segments: Iterable[Segment]) -> str:
    """WebVTT with `<v Name>` voices, times rounded to milliseconds. Raises PermanentError `no_times`."""
    return "WEBVTT\n\n" + "".join(
        f"{_stamp(start, '.')} --> {_stamp(end, '.')}\n{_voice(segment.speaker)}{_escape(segment.text)}\n\n"
        for start, end, segment in _timed(segments)
    )


def to_srt(segments: Iterable[Segment]) -> str:
    """SRT with `Name: ` in front of each cue that has a speaker. Raises PermanentError `no_times`."""
    return "".join(
        f"{number}\n{_stamp(start, ',')} --> {_stamp(end, ',')}\n{segment.speaker + ': ' if segment.speaker else ''}{_escape(segment.text)}\n\n"
        for number, (start, end, segment) in enumerate(_timed(segments), start=1)
    )


def to_json(segments: Iterable[Segment]) -> str:
    """The podcast namespace's JSON. Fields without a value are left out; times are exact seconds."""
    keys: tuple[tuple[str, Callable[[Segment], object]], ...] = (
        ("speaker", lambda segment: segment.speaker),
        ("startTime", lambda segment: segment.start),
        ("endTime", lambda segment: segment.end),
        ("body", lambda segment: segment.text),
    )
    items = [{key: value for key, get in keys if (value := get(segment)) is not None} for segment in segments]
    return json.dumps({"version": "1.0.0", "segments": items}, ensure_ascii=False, indent=1) + "\n"


def _timed(segments: Iterable[Segment]) -> Iterable[tuple[float, float, Segment]]:
    kept = list(segments)
    for number, segment in enumerate(kept, start=1):
        if segment.start is None:
            raise PermanentError("no_times", f"Segment {number} has no time; write this transcript as JSON instead.")
        following = kept[number].start if number < len(kept) else None
        end = segment.end if segment.end is not None else following
        yield segment.start, max(segment.start, end if end is not None else segment.start), segment


def _stamp(value: float, mark: str) -> str:
    milliseconds = round(value * 1000)
    hours, minutes, secs = milliseconds // 3_600_000, milliseconds // 60_000 % 60, milliseconds // 1000 % 60
    return f"{hours:02d}:{minutes:02d}:{secs:02d}{mark}{milliseconds % 1000:03d}"


def _voice(speaker: str | None) -> str:
    return f"<v {_escape(speaker)}>" if speaker else ""


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
