import gzip
from base64 import b64encode
from collections.abc import Generator
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.top5.site.samples import FIRST, HOSTILE, archive_of, digest, hostile_digest, insight, keep
from tests.top5.site.serving import Served, served
from top5.catalog.tables import Delivery, DigestRevision
from top5.digests.model import ClaimRef, HeardAgain
from top5.site.pages import FEEDS


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served, None, None]:
    home = tmp_path_factory.mktemp("served")
    archive_of(home)
    with served(home) as running:
        yield running


class Tags(HTMLParser):
    """All tags of a page with their attributes, and whether every one is closed where it was opened."""

    void = frozenset(
        ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "path"]
    )

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.feed(html)
        assert not self.open, self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.void:
            assert self.open and self.open[-1] == tag, (tag, self.open)
            self.open.pop()


KINDS = (
    "/", "/latest/", "/days/", "/days/2026-09/", "/days/2026-09-16/", "/insights/2026091600000001/", "/shows/", "/shows/topsoil/", "/topics/",
    "/topics/lumenpay/", "/people/", "/people/sunniva-roe/", "/search/", "/search/?q=wheat", "/about/", "/quality/", "/subscribe/", "/links/",
)  # fmt: skip


def _links(html: str) -> list[str]:
    names = {"a": "href", "link": "href", "script": "src", "form": "action", "img": "src", "audio": "src"}
    return [attributes[names[tag]] for tag, attributes in Tags(html).tags if tag in names and names[tag] in attributes]


@pytest.mark.parametrize("path", KINDS)
def test_each_kind_of_page_is_small_whole_and_asks_nobody_else(site: Served, path: str) -> None:
    answer = site.client.get(path)
    assert answer.status_code == 200, path
    assert len(answer.content) < 50_000
    html = answer.text
    tags = Tags(html).tags
    names = [tag for tag, _ in tags]
    assert names.count("h1") == 1 and names.count("main") == 1
    assert "style" not in names and not any("style" in attributes for _, attributes in tags)
    assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
    assert all("src" in attributes for tag, attributes in tags if tag == "script")
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    loaded = [attributes.get("src") or attributes.get("href", "") for tag, attributes in tags if tag in ("script", "img", "link")]
    assert not any(link.startswith(("http:", "//")) for link in loaded)
    # An audio is asked for when a reader starts it, not before.
    assert all(attributes["preload"] == "none" for tag, attributes in tags if tag == "audio")
    assert tags[[tag for tag, _ in tags].index("body") + 1][1]["class"] == "skip"


def test_every_link_of_the_site_leads_somewhere(site: Served) -> None:
    waiting, seen = ["/"], {"/"}
    while waiting:
        path = waiting.pop()
        answer = site.client.get(path)
        assert answer.status_code == 200, path
        if not answer.headers["content-type"].startswith("text/html"):
            continue
        for link in _links(answer.text):
            whole = urljoin(f"https://five.example{path}", link).partition("#")[0]
            if whole.startswith("https://five.example/"):
                target = whole.removeprefix("https://five.example")
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
    assert len(seen) > 80


def test_a_player_begins_where_it_is_said(site: Served) -> None:
    page = site.client.get("/insights/2026091600000002/").text
    audio = next(attributes for tag, attributes in Tags(page).tags if tag == "audio")
    assert audio["src"] == "https://pods.example/2/2026-09-16.mp3#t=120"
    assert "Begins at 2:00" in page
    clip = next(attributes for tag, attributes in Tags(site.client.get("/latest/").text).tags if tag == "audio")
    assert clip["src"].endswith("2026-09-18.mp3#t=60,73")


def test_an_insight_shows_its_proof_and_what_is_related(site: Served) -> None:
    page = site.client.get("/insights/2026091600000001/").text
    assert "“Ferrowatt connects" in page and "Strong claim, exact numbers" in page
    assert "Number 1 of 31 candidates from 9 episodes of 5 shows" in page
    assert page.count("Ferrowatt connects data centres") >= 5
    assert 'href="../../people/sunniva-roe/"' in page


def test_security_headers_stand_on_every_answer(site: Served) -> None:
    for path in ("/", "/nowhere/", "/static/style.css", "/feed.atom", "/health", "/subscribe/"):
        headers = site.client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["strict-transport-security"]


def test_a_page_that_did_not_change_is_not_sent_again(site: Served) -> None:
    first = site.client.get("/days/2026-09-16/")
    assert "max-age=60" in first.headers["cache-control"]
    again = site.client.get("/days/2026-09-16/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert site.client.head("/days/2026-09-16/").content == b""


def test_pages_are_packed_where_the_reader_can_unpack(site: Served) -> None:
    packed = site.client.get("/", headers={"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    plain = site.client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    style = site.client.get("/static/style.css", headers={"accept-encoding": "gzip"})
    assert int(style.headers["content-length"]) < len(style.content) and gzip is not None


def test_styles_may_be_kept_for_ever_under_their_content_s_name_only(site: Served) -> None:
    link = next(
        attributes["href"] for tag, attributes in Tags(site.client.get("/").text).tags if attributes.get("rel") == "stylesheet"
    )
    assert "immutable" in site.client.get(f"/{link}").headers["cache-control"]
    assert "immutable" not in site.client.get("/static/style.css?v=older").headers["cache-control"]


NOWHERE = (
    "/nowhere",
    "/days/2026-02-30/",
    "/days/2020-01-01/",
    "/insights/none/",
    "/shows/topsoil/9/",
    "/shows/topsoil/1/",
    "/shows/topsoil/02/",
    "/people/ferrowatt/",
    "http://internal:8300//five.example/",
    "/%2e%2e/secret_keys",
    "/static/../app.py",
    "/static/%2e%2e%2fapp.py",
    "/%00/",
    "/days/2026-09-16/x/",
    "/insights/%C2%85/",
    "/days/٢٠٢٦-٠٩-١٦/",
    "/nothing/feed.atom",
    "/data/token/download/",
)


def test_what_is_not_there_is_not_found(site: Served) -> None:
    for path in (*NOWHERE, "/" + "x/" * 200):
        answer = site.client.get(path)
        assert answer.status_code == 404, path
        assert "There is no such page here" in answer.text or path.startswith("/data")


def test_a_missing_slash_is_added_without_trusting_the_request(site: Served) -> None:
    answer = site.client.get("/days", headers={"host": "evil.example"})
    assert (answer.status_code, answer.headers["location"]) == (308, "/days/")
    assert site.client.get("http://internal:8300//evil.example").status_code == 404


def test_the_host_header_gets_nowhere(site: Served) -> None:
    for path in (*KINDS, "/feed.atom", "/sitemap.xml", "/robots.txt", "/nowhere/"):
        answer = site.client.get(path, headers={"host": "evil.example", "x-forwarded-host": "evil.example"})
        assert "evil.example" not in answer.text and "internal" not in answer.text, path
    assert "https://five.example/days/2026-09-16/" in site.client.get("/feed.atom").text


def test_other_methods_change_nothing(site: Served) -> None:
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert site.client.request(method, "/days/").status_code == 405


def test_search_works_without_a_script_and_gives_the_same_to_one(site: Served) -> None:
    page, part = site.client.get("/search/?q=wheat"), site.client.get("/search/results?q=wheat")
    assert page.text.count("<mark>wheat</mark>") == part.text.count("<mark>wheat</mark>") >= 5
    assert "<html" not in part.text
    assert "noindex" in page.text
    assert "Nothing found for “&lt;b&gt;”" in site.client.get("/search/?q=%3Cb%3E").text


def test_odd_queries_get_an_answer(site: Served) -> None:
    for query in (
        "q=%00",
        "q=%ff%fe",
        "q=" + "a" * 5000,
        "q=wheat&page=-1",
        "q=wheat&page=99999999",
        "q=wheat&page=%C2%B2",
        "q=wheat&q=grid",
        "page=2",
    ):
        assert site.client.get(f"/search/?{query}").status_code == 200


def test_searches_of_one_network_are_limited(tmp_path: Path) -> None:
    archive_of(tmp_path, 1)
    with served(tmp_path, searches_per_minute=3) as site:
        answers = [site.client.get("/search/results?q=wheat") for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert answers[-1].headers["retry-after"] == "60"
        assert site.client.get("/days/").status_code == 200
        site.now += timedelta(minutes=1)
        assert site.client.get("/search/results?q=wheat").status_code == 200


def test_a_monitor_learns_of_a_digest_that_did_not_come(site: Served) -> None:
    assert site.client.get("/health").json() == {
        "status": "ok", "latest_day": "2026-09-18", "age_days": 3, "days": 5, "search_by_meaning": False
    }  # fmt: skip
    assert site.client.get("/health?max_age_days=3").status_code == 200
    stale = site.client.get("/health?max_age_days=2")
    assert (stale.status_code, stale.json()["status"]) == (503, "stale")


def test_an_empty_archive_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        assert "No digest yet" in site.client.get("/").text
        for path in (
            "/latest/",
            "/days/",
            "/shows/",
            "/topics/",
            "/people/",
            "/quality/",
            "/search/?q=x",
            "/about/",
            "/feed.rss",
        ):
            assert site.client.get(path).status_code == 200, path
        assert site.client.get("/health?max_age_days=1").status_code == 503


def test_a_short_day_says_why(tmp_path: Path) -> None:
    keep(tmp_path, digest(FIRST, []))
    with served(tmp_path) as site:
        page = site.client.get(f"/days/{FIRST}/").text
        assert "No insight on this day" in page and "quality floor" in page


def test_a_new_digest_appears_without_a_restart(tmp_path: Path) -> None:
    archive_of(tmp_path, 1)
    with served(tmp_path) as site:
        assert FIRST.isoformat() in site.client.get("/").text
        keep(tmp_path, digest(FIRST + timedelta(days=1)))
        site.client.app.state.site.refresh()  # type: ignore[attr-defined]
        assert "2026-09-15" in site.client.get("/").text


def test_what_the_ledger_says_went_out_is_what_is_shown(tmp_path: Path) -> None:
    keep(tmp_path, digest(FIRST, [insight(FIRST, 1, headline="As it was sent")]))
    keep(tmp_path, digest(FIRST, [insight(FIRST, 1, headline="As it was rebuilt")], revision=2))
    with served(tmp_path) as site:
        assert "As it was rebuilt" in site.client.get("/").text
        with site.catalog.transaction() as session:
            for revision in (1, 2):
                session.add(DigestRevision(day=FIRST, revision=revision, inputs_hash="0", created_at=site.now))
            session.add(
                Delivery(
                    day=FIRST,
                    recipient="a@b.example",
                    channel="mail",
                    revision=1,
                    message_id="x",
                    state="sent",
                    changed_at=site.now,
                )
            )
        site.client.app.state.site.refresh()  # type: ignore[attr-defined]
        assert "As it was sent" in site.client.get("/").text


def test_hostile_titles_and_names_are_shown_as_text(tmp_path: Path) -> None:
    keep(tmp_path, hostile_digest(date(2026, 9, 14)), entities=("Ferrowatt",))
    with served(tmp_path) as site:
        archive = site.client.app.state.site.archive  # type: ignore[attr-defined]
        paths = [path for path, _ in site.client.app.state.site.pages.paths()]  # type: ignore[attr-defined]
        for path in [*paths, "/search/?q=script", "/search/results?q=alert"]:
            html = site.client.get(path).text
            tags = Tags(html if "<html" in html else f"<div>{html}</div>").tags
            assert not any(tag == "img" for tag, _ in tags), path
            assert all(
                attributes.get("src", "").endswith(attributes["src"][-10:]) and "static/site.js" in attributes["src"]
                for tag, attributes in tags
                if tag == "script"
            )
            assert not any(name.startswith("on") for _, attributes in tags for name in attributes)
            assert "javascript:" not in html
        assert "alert(1)&lt;/script&gt;" in site.client.get("/").text
        assert archive.insights()[0].headline == HOSTILE


def test_a_site_below_a_path_answers_with_and_without_it(tmp_path: Path) -> None:
    archive_of(tmp_path, 1)
    with served(tmp_path, url="https://five.example/digest") as site:
        for path in ("/digest/days/", "/days/"):
            assert site.client.get(path).status_code == 200
        assert site.client.get("/digest").status_code == 200
        assert site.client.get("/digest/days").headers["location"] == "/digest/days/"
        assert 'href="/digest/search/"' in site.client.get("/nowhere/").text
        assert "https://five.example/digest/days/2026-09-14/" in site.client.get("/digest/feed.json").text


def test_feeds_have_their_media_types(site: Served) -> None:
    for name, kind, _ in FEEDS:
        for folder in ("/", "/shows/topsoil/"):
            assert site.client.get(f"{folder}{name}").headers["content-type"].startswith(kind)


def test_bounces_are_taken_from_who_knows_the_secret_only(tmp_path: Path) -> None:
    with served(tmp_path) as site:
        body = b'{"message_id": "<nobody@five.example>", "kind": "hard"}'
        for headers in (
            {},
            {"authorization": "Bearer wrong"},
            {"authorization": "Basic !!!"},
            {"authorization": "Basic " + b64encode(b"any:wrong").decode()},
        ):
            assert site.client.post("/webhooks/bounces", content=body, headers=headers).status_code == 401
        for secret in ("Bearer s3cret", "Basic " + b64encode(b"any:s3cret").decode()):
            headers = {"authorization": secret}
            assert site.client.post("/webhooks/bounces", content=body, headers=headers).status_code == 200
            assert site.client.post("/webhooks/bounces", content=b"[1]", headers=headers).status_code == 422
            assert site.client.post("/webhooks/bounces", content=b"x" * 9_000_000, headers=headers).status_code == 413
        assert site.client.get("/webhooks/bounces").status_code in (404, 405)


def test_a_memory_line_names_and_links_who_said_it_before(tmp_path: Path) -> None:
    earlier = ClaimRef(show="Topsoil", day=FIRST, headline="Wheat dries", url="https://pods.example/1")
    secret = ClaimRef(show="Slow Orbit", day=FIRST, headline="Debris", url="https://pods.example/1?token=abcdef0123456789")
    again = HeardAgain(headline="Wheat dries", told_on=FIRST, told_by="Topsoil", also=(secret,))
    told = insight(FIRST, 1, memory="Topsoil and Slow Orbit said so too.", memory_links=(earlier, secret), related=(earlier,))
    keep(tmp_path, digest(FIRST, [told], heard_again=(again,)))
    with served(tmp_path) as site:
        day, one, feed = (site.client.get(path).text for path in ("/", f"/insights/{told.insight_id}/", "/feed.json"))
        for page in (day, one):
            assert '<a href="https://pods.example/1" rel="noreferrer"><bdi>Topsoil</bdi></a> and Slow Orbit said so too.' in page
            assert "Earlier: " in page
        assert "Heard again" in day and "now also on Slow Orbit" in day
        assert "abcdef0123456789" not in day + one + feed
