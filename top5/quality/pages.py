"""The outcome of a suite as a page of Data Docs, the library's own rendering.

Belongs here: rendering and files, one page per suite and day, and the list of them. The library's site builder wants its own store
of every outcome ever; a page per day in a folder is pruned like everything else.
"""

from html import escape
from pathlib import Path
from typing import Any

from top5.lake import write_atomically
from top5.quality.gx import library

FOLDER = "data_docs"


def write_page(home: Path, suite: str, part: str, outcome: Any) -> Path:
    """Render an outcome to `<home>/data_docs/<suite>/<part>.html`; returns the absolute path."""
    renderer = library(".render.renderer").ValidationResultsPageRenderer(run_info_at_end=True)
    page: str = library(".render.view").DefaultJinjaPageView().render(renderer.render(outcome))
    path = (home / FOLDER / suite / f"{part}.html").resolve()
    write_atomically(path, page.encode())
    _write_index(path.parent.parent)
    return path


def _write_index(folder: Path) -> None:
    lists: list[str] = []
    for suite in sorted(found for found in folder.iterdir() if found.is_dir()):
        pages = sorted((page.stem for page in suite.glob("*.html")), reverse=True)
        links = " ".join(f'<a href="{escape(suite.name)}/{escape(page)}.html">{escape(page)}</a>' for page in pages)
        lists.append(f"<h2>{escape(suite.name)}</h2><p>{links}</p>")
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Data Docs</title><h1>Data Docs</h1>'
    write_atomically(folder / "index.html", (head + "\n".join(lists) + "</html>\n").encode())
