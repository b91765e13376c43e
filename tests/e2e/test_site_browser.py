"""The site in a real browser: from sign-up to leaving, the player, search, without JavaScript, in the dark and on a phone.

A real server (uvicorn), a real mail server (aiosmtpd) and Chromium.
"""

import http.server
import io
import json
import os
import re
import shutil
import socket
import threading
import wave
from collections.abc import Generator
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import pytest
import uvicorn
from pydantic import SecretStr

from tests.top5.site.conftest import EVERYTHING
from tests.top5.site.samples import FIRST, digest, insight, keep
from top5.catalog.store import Catalog
from top5.settings import DeliverySettings, Settings, SiteSettings
from top5.site.app import create_app
from top5.site.archive import Archive
from top5.site.export import export
from top5.site.feeds import Morning
from top5.site.index import synchronise
from top5.site.pages import Pages, site_facts

pytest.importorskip("playwright.sync_api")
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome") or ""
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM, reason="there is no chromium; install it or set CHROMIUM"),
    # aiosmtpd's controller and playwright leave sockets to the collector.
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning", "ignore::DeprecationWarning"
    ),
]


class _Audio(http.server.BaseHTTPRequestHandler):
    """Five minutes of silence, in ranges, as podcast hosts give audio; players need ranges to begin in the middle."""

    asked: ClassVar[list[str]] = []
    sound = b""

    def do_GET(self) -> None:
        first, last = 0, len(self.sound) - 1
        if match := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", "")):
            first, last = int(match[1]), int(match[2] or last)
        self.asked.append(self.path)
        self.send_response(206 if match else 200)
        self.send_header("Content-Type", "audio/wav")
        self.send_header("Accept-Ranges", "bytes")
        if match:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(self.sound)}")
        self.send_header("Content-Length", str(last - first + 1))
        self.end_headers()
        try:
            self.wfile.write(self.sound[first : last + 1])
        except OSError:
            return  # a player stops reading when it has enough

    def log_message(self, format: str, *args: Any) -> None:
        return


def _silence(seconds: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(1)
        sound.setframerate(8000)
        sound.writeframes(b"\x80" * 8000 * seconds)
    return file.getvalue()


@dataclass
class Live:
    """What runs: the site's URL, the mails that arrived, and the catalog."""

    url: str
    home: Path
    settings: Settings
    mails: list[bytes] = field(default_factory=list[bytes])

    def link(self, kind: str) -> str:
        """A link of the latest mail."""
        text = message_from_bytes(self.mails[-1]).get_payload(decode=True)
        assert isinstance(text, bytes)
        found = re.search(rf"{re.escape(self.url)}/{kind}/\S+", text.decode())
        assert found, text
        return found[0]


def _port() -> int:
    with socket.socket() as tried:
        tried.bind(("127.0.0.1", 0))
        return int(tried.getsockname()[1])


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Generator[Live, None, None]:
    from aiosmtpd.controller import Controller

    home, port = tmp_path_factory.mktemp("site"), _port()
    _Audio.sound = _silence(600)
    audio = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Audio)
    threading.Thread(target=audio.serve_forever, daemon=True).start()
    for number in range(12):
        day = FIRST + timedelta(days=number)
        address = f"http://127.0.0.1:{audio.server_port}"
        keep(home, digest(day, [insight(day, rank, audio_url=f"{address}/{day}-{rank}.wav") for rank in range(1, 6)]))
    mails: list[bytes] = []

    class Inbox:
        async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802
            mails.append(envelope.content)
            return "250 Taken"

    smtp = Controller(Inbox(), hostname="127.0.0.1", port=_port())
    smtp.start()
    url = f"http://127.0.0.1:{port}"
    chosen: dict[str, Any] = {
        "home": home,
        "site": SiteSettings(url=url, port=port, posts_per_minute=1000, searches_per_minute=1000),
        "delivery": DeliverySettings(
            sender="Five <five@example.com>",
            smtp_host="127.0.0.1",
            smtp_port=smtp.port,
            smtp_security="none",
            bounce_webhook_secret=SecretStr("x"),
        ),
    }
    settings = Settings().model_copy(update=chosen)
    catalog = Catalog.at_home(home)
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings, catalog, by_meaning=False), port=port, log_level="warning", access_log=False)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.05)
    yield Live(url, home, settings, mails)
    server.should_exit = True
    thread.join(20)
    smtp.stop()
    audio.shutdown()
    audio.server_close()
    catalog.close()


@pytest.fixture(scope="module")
def browser() -> Generator[Browser, None, None]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
        )
        yield opened
        opened.close()


@pytest.fixture
def context(browser: Browser, live: Live) -> Generator[BrowserContext, None, None]:
    with_script = browser.new_context(viewport={"width": 1000, "height": 900}, timezone_id="Europe/Berlin", base_url=live.url)
    with_script.set_default_timeout(10_000)
    yield with_script
    with_script.close()


@pytest.fixture
def page(context: BrowserContext, live: Live) -> Generator[Page, None, None]:
    """A page that fails its test where something is wrong in the console or is asked of another host without a click."""
    opened = context.new_page()
    wrong: list[str] = []
    opened.on(
        "console",
        lambda said: (
            wrong.append(said.text)
            if said.type in ("error", "warning") and "the server responded with a status of 4" not in said.text
            else None
        ),
    )
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    yield opened
    assert wrong == []


def test_from_sign_up_to_unsubscribe(page: Page, live: Live) -> None:
    page.goto("/")
    page.get_by_label("Your mail address").fill("ada@example.com")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Look into your mailbox")
    _wait_for_mail(page, live, 1)
    page.goto(live.link("confirm"))
    page.get_by_role("button", name="Yes, subscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Welcome")
    page.get_by_role("link", name="Choose what you get, and when").click()
    # The browser's zone came with the sign-up.
    expect(page.get_by_label("Time zone")).to_have_value("Europe/Berlin")
    page.get_by_label("Not before").select_option("7")
    page.get_by_label("Sunday").uncheck()
    page.get_by_label("Insights, at most").select_option("3")
    page.get_by_label("Only about").fill("Ferrowatt\nwheat")
    page.get_by_label("Plain text only").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved. The next digest follows them.")
    expect(page.get_by_label("Sunday")).not_to_be_checked()
    expect(page.get_by_label("Only about")).to_have_value("Ferrowatt\nwheat")
    page.get_by_role("link", name="Unsubscribe").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Unsubscribe")
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_text("You are unsubscribed. Nothing more will come.")).to_be_visible()


def _wait_for_mail(page: Page, live: Live, count: int) -> None:
    for _ in range(100):
        if len(live.mails) >= count:
            return
        page.wait_for_timeout(100)
    raise AssertionError("no mail came")


def test_a_player_begins_at_the_second_it_is_said(page: Page, live: Live) -> None:
    _Audio.asked.clear()
    page.goto("/insights/2026092500000003/")
    assert _Audio.asked == []
    audio = page.locator("#listen audio")
    audio.evaluate("audio => audio.play()")
    page.wait_for_function("() => document.querySelector('#listen audio').currentTime >= 180")
    assert audio.evaluate("audio => audio.currentTime") < 190
    audio.evaluate("audio => audio.pause()")
    page.locator("[data-seek]").first.click()
    page.wait_for_function("() => !document.querySelector('#listen audio').paused")
    assert 180 <= audio.evaluate("audio => audio.currentTime") < 182
    assert page.url.endswith("/insights/2026092500000003/")


def test_clips_play_one_after_the_other(page: Page) -> None:
    page.goto("/latest/")
    page.get_by_role("button", name="Play all").click()
    expect(page.locator("[data-play-status]")).to_have_text("1 of 20")
    page.wait_for_function("() => document.querySelectorAll('.clips audio')[0].currentTime >= 60")
    page.locator(".clips audio").first.evaluate("audio => { audio.currentTime = Number(audio.dataset.end) }")
    expect(page.locator("[data-play-status]")).to_have_text("2 of 20")
    page.wait_for_function("() => document.querySelectorAll('.clips audio')[1].currentTime >= 120")
    page.get_by_role("button", name="Stop").click()
    assert page.locator(".clips audio").nth(1).evaluate("audio => audio.paused")


def test_results_come_while_typing_and_the_address_keeps_them(page: Page) -> None:
    page.goto("/search/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("evaporated wat", delay=10)
    expect(page.locator("#results article")).to_have_count(12)
    expect(page.locator("#results mark").first).to_have_text("evaporated")
    assert page.url.endswith("?q=evaporated%20wat")
    page.get_by_role("searchbox").fill("<img src=x onerror=alert(1)>")
    expect(page.get_by_text("Nothing found for “<img src=x onerror=alert(1)>”")).to_be_visible()
    page.reload()
    assert page.get_by_role("searchbox").input_value() == "<img src=x onerror=alert(1)>"


def test_everything_works_without_javascript(browser: Browser, live: Live) -> None:
    context = browser.new_context(java_script_enabled=False, base_url=live.url)
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name="Search").click()
    page.get_by_role("searchbox").fill("bounties")
    page.get_by_role("button", name="Search").click()
    assert page.locator("#results article").count() == 12
    page.locator("#results article a").first.click()
    assert page.locator("#listen audio").get_attribute("src", timeout=5000).endswith("#t=240")  # type: ignore[union-attr]
    before = len(live.mails)
    page.get_by_label("Your mail address").fill("eve@example.com")
    page.get_by_role("button", name="Subscribe").click()
    assert page.locator("h1").inner_text() == "Look into your mailbox"
    _wait_for_mail(page, live, before + 1)
    page.goto(live.link("confirm"))
    page.get_by_role("button", name="Yes, subscribe").click()
    assert page.locator("h1").inner_text() == "Welcome"
    context.close()


def test_the_dark_is_dark_and_a_phone_has_no_sideways_scroll(browser: Browser, live: Live) -> None:
    context = browser.new_context(
        color_scheme="dark", viewport={"width": 360, "height": 780}, device_scale_factor=2, base_url=live.url
    )
    page = context.new_page()
    for path in (
        "/",
        "/days/",
        "/latest/",
        "/insights/2026092500000003/",
        "/shows/",
        "/topics/",
        "/search/?q=wheat",
        "/quality/",
        "/subscribe/",
        "/about/",
    ):
        page.goto(path)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360, path
        red, green, blue = map(
            int, re.findall(r"\d+", page.evaluate("() => getComputedStyle(document.body).backgroundColor"))[:3]
        )
        assert max(red, green, blue) < 60, path
    context.close()
    light = browser.new_context(color_scheme="light", base_url=live.url)
    page = light.new_page()
    page.goto("/")
    assert "250, 248, 244" in page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    light.close()


def test_a_keyboard_is_enough(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    focused = page.evaluate("() => document.activeElement.className")
    assert focused == "skip"
    assert page.locator(".skip").bounding_box()["y"] >= 0  # type: ignore[index]
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.id") == "main"
    page.keyboard.press("Tab")
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline == "solid"


def test_nothing_is_asked_of_others_and_little_of_us(browser: Browser, live: Live) -> None:
    context = browser.new_context(base_url=live.url)
    page = context.new_page()
    asked: list[str] = []
    sizes: list[int] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("requestfinished", lambda request: sizes.append(request.sizes()["responseBodySize"]))
    page.goto("/insights/2026092500000003/", wait_until="networkidle")
    assert asked and all(url.startswith(live.url) for url in asked)
    assert len(asked) <= 4 and sum(sizes) < 50_000
    context.close()


KINDS = (
    "/", "/latest/", "/days/", "/days/2026-09/", "/days/2026-09-25/", "/insights/2026092500000003/", "/shows/", "/shows/topsoil/", "/topics/",
    "/topics/lumenpay/", "/people/", "/people/sunniva-roe/", "/search/?q=wheat", "/about/", "/quality/", "/subscribe/", "/links/", "/nowhere/",
)  # fmt: skip


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(browser: Browser, live: Live, scheme: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    context = browser.new_context(color_scheme=scheme, base_url=live.url, bypass_csp=True)
    page = context.new_page()
    found: dict[str, Any] = {}
    for path in [*KINDS, *_secret_pages(live)]:
        page.goto(path)
        result = Axe().run(page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]})
        for violation in result.response["violations"]:
            found[f"{path} {violation['id']}"] = [node["html"][:120] for node in violation["nodes"]]
    context.close()
    assert not found, json.dumps(found, indent=1)


def _secret_pages(live: Live) -> list[str]:
    from datetime import UTC, datetime

    from top5.subscribers.model import Preferences, SubscriberState
    from top5.subscribers.service import open_subscribers

    catalog = Catalog.at_home(live.home)
    service, now = open_subscribers(live.settings, catalog), datetime.now(UTC)
    service.store.add("axe@example.com", Preferences(), state=SubscriberState.ACTIVE, source="operator", now=now)
    subscriber = service.store.find("axe@example.com", "mail")
    assert subscriber is not None
    links = service.links(subscriber, now)
    catalog.close()
    return [links.confirm, links.manage, links.unsubscribe, links.data]


def test_a_copy_on_any_host_searches_by_itself(browser: Browser, live: Live, tmp_path: Path) -> None:
    folder = tmp_path / "below" / "copy"
    synchronise(live.home, live.home / "lake", EVERYTHING)
    archive = Archive(live.home)
    export(Pages(archive, site_facts(live.settings, interactive=False)), folder, Morning(live.settings.tz, 6, 0))
    archive.close()
    handler = partial(_Quiet, directory=str(tmp_path))
    host = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=host.serve_forever, daemon=True).start()
    try:
        context = browser.new_context(base_url=f"http://127.0.0.1:{host.server_port}")
        page = context.new_page()
        wrong: list[str] = []
        page.on("console", lambda said: wrong.append(said.text) if said.type == "error" else None)
        page.goto("/below/copy/")
        page.get_by_role("link", name="Search").click()
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("Lumenpay overl", delay=10)
        expect(page.locator("#results article")).to_have_count(12)
        page.locator("#results article a").first.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("Retries alone kept")
        page.goto("/below/copy/search/?q=evaporated")
        expect(page.locator("#results article")).to_have_count(12)
        assert wrong == []
        context.close()
    finally:
        host.shutdown()
        host.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        return
