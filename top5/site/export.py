"""The archive as files for any web host: the same pages, feeds and styles, and a search that needs no server.

Belongs here: writing a folder. Pages are `pages`, feeds `feeds`; the script that reads the search files is `static/site.js`.
"""

import json
import os
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Final

from top5.digests.render import short_date
from top5.errors import PermanentError, TransientError
from top5.site.archive import ArchivedInsight
from top5.site.feeds import Morning, feed, robots, sitemap, write
from top5.site.pages import FEEDS, Page, Pages, render

_MARK: Final = ".top5-site.json"
_ITEMS: Final = 100
_WORD: Final = re.compile(r"\w+")
_PLAIN: Final = re.compile(r"[a-z0-9]{1,2}")


@dataclass(frozen=True)
class Exported:
    """What a build wrote: files in all, those whose content changed, those of an earlier build that were removed, and bytes in all."""

    files: int
    changed: int
    removed: int
    bytes: int


def export(pages: Pages, folder: Path, morning: Morning, *, on_file: Callable[[int], None] | None = None) -> Exported:
    """Write the archive to `folder`, which is created; what an earlier build left there and this one does not write is removed.

    Files that are the same already are not touched, so that tools which compare times upload little.
    Raises PermanentError `not_empty` where the folder holds files that no build of ours wrote, TransientError `disk` where it is full.
    """
    known = _known(folder)
    writer = _Writer(folder, on_file)
    try:
        pages.archive.prepare_related()
        listed: set[str] = set()
        for path, _ in pages.paths():
            page = pages.page(path)
            if page is None:
                continue
            writer.write(f"{path[1:]}index.html", render(page, pages.facts).encode())
            if page.feed != "/" and page.feed not in listed:
                listed.add(page.feed)
                _write_feeds(pages, page.feed, morning, writer)
        _write_feeds(pages, "/", morning, writer)
        nothing = {"found": None, "query": "", "pager": None, "with_meaning": False}
        search = Page("search.html", "/search/", "Search", values=nothing, index=False, section="search")
        writer.write("search/index.html", render(search, pages.facts).encode())
        for name, data in _search_files(pages.archive.insights()).items():
            writer.write(f"search/{name}", data)
        nowhere = {"lines": ["There is no such page here."], "links": [("/", "The latest digest"), ("/search/", "Search")]}
        lost = Page("message.html", "", "Not found", values=nowhere, index=False)
        writer.write("404.html", render(lost, pages.facts).encode())
        writer.write("sitemap.xml", sitemap(pages.facts, pages.paths()))
        writer.write("robots.txt", robots(pages.facts))
        for item in (files("top5.site") / "static").iterdir():
            if item.is_file():
                writer.write(f"static/{item.name}", item.read_bytes())
        removed = writer.remove(known - writer.names)
        writer.write(_MARK, json.dumps(sorted(writer.names)).encode())
    except OSError as error:
        raise TransientError(
            "disk", f"{folder} could not be written ({error.strerror}); free some space or choose another folder."
        ) from error
    return Exported(len(writer.names), writer.changed, removed, writer.bytes)


def _write_feeds(pages: Pages, path: str, morning: Morning, writer: "_Writer") -> None:
    made = feed(pages, path, morning)
    for name, _, _ in FEEDS if made is not None else ():
        assert made is not None
        writer.write(f"{path[1:]}{name}", write(pages.facts, made, name))


def _known(folder: Path) -> set[str]:
    """What an earlier build wrote; refuses a folder with somebody else's files."""
    if not folder.exists() or not any(folder.iterdir()):
        return set()
    try:
        names = json.loads((folder / _MARK).read_bytes())
    except (OSError, ValueError):
        raise PermanentError(
            "not_empty", f"{folder} holds files that are not of an earlier build; name an empty or a new folder."
        ) from None
    # Names come from a file that anybody may have edited: none may lead out of the folder.
    return {name for name in names if isinstance(name, str) and ".." not in name.split("/") and not name.startswith("/")}


class _Writer:
    def __init__(self, folder: Path, on_file: Callable[[int], None] | None) -> None:
        self.names: set[str] = set()
        self.changed = 0
        self.bytes = 0
        self._folder = str(folder)
        self._made: set[str] = set()
        self._on_file = on_file

    def write(self, name: str, data: bytes) -> None:
        path = f"{self._folder}/{name}"
        parent = path.rpartition("/")[0]
        if parent not in self._made:
            os.makedirs(parent, exist_ok=True)  # noqa: PTH103  (ten thousand times)
            self._made.add(parent)
        self.names.add(name)
        self.bytes += len(data)
        if not _same(path, data):
            temporary = f"{path}.part"
            with open(temporary, "wb") as file:  # noqa: PTH123
                file.write(data)
            os.replace(temporary, path)  # noqa: PTH105
            self.changed += 1
        if self._on_file is not None:
            self._on_file(len(self.names))

    def remove(self, names: set[str]) -> int:
        removed = 0
        for name in names:
            path = Path(self._folder, name)
            if path.is_file():
                path.unlink()
                removed += 1
            for parent in path.parents:
                if parent == Path(self._folder) or not parent.is_dir() or any(parent.iterdir()):
                    break
                parent.rmdir()
        return removed


def _same(path: str, data: bytes) -> bool:
    try:
        with open(path, "rb") as file:  # noqa: PTH123
            return os.fstat(file.fileno()).st_size == len(data) and file.read() == data
    except OSError:
        return False


def _search_files(insights: list[ArchivedInsight]) -> Mapping[str, bytes]:
    """The search of a copy: `items/<n>.json` shows insights by the hundred, `words/<xy>.json` has the numbers of those with a word of these
    first two letters. Numbers go from the newest insight on.
    """
    items: dict[int, list[list[str]]] = {}
    words: dict[str, dict[str, list[int]]] = {}
    for number, insight in enumerate(insights):
        when = f"{short_date(insight.day)} {insight.day.year}"
        shown = [insight.insight_id, insight.headline, when, insight.day.isoformat(), insight.show, insight.speaker or ""]
        items.setdefault(number // _ITEMS, []).append(shown)
        text = " ".join((insight.headline, insight.body, insight.show, insight.episode, insight.speaker or ""))
        for word in set(_WORD.findall(_folded(text))):
            words.setdefault(_shard(word), {}).setdefault(word, []).append(number)
    made = {f"items/{number}.json": _compact(part) for number, part in items.items()}
    made |= {f"words/{name}.json": _compact(dict(sorted(part.items()))) for name, part in words.items()}
    return made


def _folded(text: str) -> str:
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign)).lower()


def _shard(word: str) -> str:
    return word[:2] if _PLAIN.fullmatch(word[:2]) else "other"


def _compact(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
