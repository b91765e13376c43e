"""Chapters: Podcasting 2.0 JSON, Podlove Simple Chapters, and times written into show notes.

Belongs here: reading them into `Chapter`. Does not belong here: fetching them. Everything is as untrusted as the feed it came from.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, cast

from top5.errors import PermanentError
from top5.transcripts.clean import clean_text, decode
from top5.transcripts.cues import seconds
from top5.transcripts.model import Chapter

_MOST = 500
_TITLE = 200
_FEWEST_IN_NOTES = 3
_LINE = re.compile(
    r"^\W{0,4}(?P<time>(?:\d{1,2}:)?[0-5]?\d:[0-5]\d)\W{0,6}(?:\s*[-–—]\s*)?(?P<title>[^\W\d_].{1,200}|\d.{1,200})$"
)
_NPT = re.compile(r"^(?:(?:(\d{1,3}):)?([0-5]?\d):)?([0-5]?\d(?:\.\d{1,3})?)$")
_HTTP = re.compile(r"^https?://\S+$")


def parse_chapters(body: bytes) -> tuple[Chapter, ...]:
    """The chapters of a file: JSON of the podcast namespace, or XML with `psc:chapter` elements.

    Raises PermanentError `empty`, `binary` or `not_chapters`.
    """
    text, _ = decode(body)
    return _from_json(text) if text.lstrip()[:1] in "{[" else _from_xml(text)


def _refuse() -> PermanentError:
    return PermanentError(
        "not_chapters", "The chapters file is neither the podcast namespace's JSON nor Podlove's XML; it is left out."
    )


def _from_json(text: str) -> tuple[Chapter, ...]:
    try:
        value = cast(object, json.loads(text))
    except (ValueError, RecursionError) as error:
        raise _refuse() from error
    items = cast("Mapping[str, object]", value).get("chapters") if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise _refuse()
    found: list[Chapter] = []
    for item in cast("list[object]", items)[:_MOST]:
        if not isinstance(item, dict):
            continue
        fields = cast("Mapping[str, object]", item)
        # `toc: false` is a change of picture, not of subject.
        if fields.get("toc") is False:
            continue
        chapter = _chapter(fields.get("startTime"), fields.get("endTime"), fields.get("title"), fields.get("url"))
        if chapter:
            found.append(chapter)
    return _finished(found)


def _from_xml(text: str) -> tuple[Chapter, ...]:
    etree = cast(Any, import_module("lxml.etree"))
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    try:
        root = etree.fromstring(text.encode(), parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise _refuse() from error
    elements: list[Any] = [] if root is None else list(root.iter("{http://podlove.org/simple-chapters}chapter"))
    if not elements:
        raise _refuse()
    found = [_chapter(_npt(item.get("start")), None, item.get("title"), item.get("href")) for item in elements[:_MOST]]
    return _finished([chapter for chapter in found if chapter])


def _npt(value: str | None) -> float | None:
    """Normal play time: `1:02:03.5`, `02:03` or seconds."""
    match = _NPT.match(value.strip()) if value else None
    return (int(match[1] or 0) * 60 + int(match[2] or 0)) * 60 + float(match[3]) if match else None


def _number(value: object) -> float | None:
    if isinstance(value, str):
        try:
            value = float(value) if len(value) < 30 else None
        except ValueError:
            value = seconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or not 0 <= value < 1e6:
        return None
    return float(value)


def _chapter(start: object, end: object, title: object, url: object) -> Chapter | None:
    begins, ends = _number(start), _number(end)
    said = clean_text(title)[:_TITLE] if isinstance(title, str) else ""
    if begins is None or not said:
        return None
    link = url.strip() if isinstance(url, str) and _HTTP.match(url.strip()) else None
    return Chapter(start=begins, end=ends if ends is not None and ends > begins else None, title=said, url=link)


def _finished(found: Sequence[Chapter]) -> tuple[Chapter, ...]:
    """In order of time, each ending where the next begins unless it says otherwise."""
    ordered = sorted(found, key=lambda chapter: chapter.start)
    following: list[float | None] = [*(chapter.start for chapter in ordered[1:]), None]
    return tuple(
        chapter
        if chapter.end is not None
        else chapter.model_copy(update={"end": after if after and after > chapter.start else None})
        for chapter, after in zip(ordered, following, strict=True)
    )


def chapters_in_notes(html: str, duration: float | None = None) -> tuple[Chapter, ...]:
    """Chapters from lines of show notes that begin with a time: at least three, in order, none after the end (seconds).

    Fewer, or times that jump back, are mentions of moments and no division of the episode.
    """
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(re.sub(r"<br\s*/?>|</(?:p|li|div|h\d|tr)>", "\n", html, flags=re.I))
    root = tree.body
    found: list[Chapter] = []
    for line in (root.text(deep=True) if root else "").split("\n")[:5000]:
        match = _LINE.match(" ".join(line.split()))
        start = seconds(match["time"]) if match else None
        if match is None or start is None:
            continue
        if found and start <= found[-1].start:
            return ()
        found.append(Chapter(start=start, title=clean_text(match["title"]).strip(" -–—:|)]")[:_TITLE] or "…"))
    if len(found) < _FEWEST_IN_NOTES or (duration and found[-1].start > duration):
        return ()
    return _finished(found)
