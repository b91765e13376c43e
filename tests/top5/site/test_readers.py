import json
from collections.abc import Generator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.top5.site.samples import archive_of
from tests.top5.site.serving import Served, served

SECRET_PAGES = ("confirm", "manage", "unsubscribe", "data")


@pytest.fixture
def site(tmp_path: Path) -> Generator[Served, None, None]:
    archive_of(tmp_path, 1)
    with served(tmp_path) as running:
        yield running


def _subscribed(site: Served, address: str = "ada@example.org") -> dict[str, str]:
    """Sign up and confirm; the paths of the subscriber's links."""
    site.client.post("/subscribe/", data={"address": address, "timezone": "Europe/Berlin"})
    assert site.client.post(site.link("confirm")).status_code == 200
    subscriber = site.service.store.find(address, "mail")
    assert subscriber is not None
    links = site.service.links(subscriber, site.now)
    return {name: getattr(links, name).removeprefix("https://five.example") for name in ("manage", "data", "unsubscribe")}


def _state(site: Served, address: str = "ada@example.org") -> str | None:
    found = site.service.store.find(address, "mail")
    return found.state.value if found else None


def test_from_sign_up_to_leaving(site: Served) -> None:
    answer = site.client.post("/subscribe/", data={"address": "ada@example.org", "timezone": "Europe/Berlin"})
    assert answer.status_code == 200 and "Look into your mailbox" in answer.text
    assert _state(site) == "pending"
    confirm = site.link("confirm")
    # A scanner that opens the link subscribes nobody.
    assert "Yes, subscribe" in site.client.get(confirm).text
    assert _state(site) == "pending"
    welcome = site.client.post(confirm)
    assert welcome.status_code == 200 and "/manage/" in welcome.text
    assert _state(site) == "active"
    subscriber = site.service.store.find("ada@example.org", "mail")
    assert subscriber is not None and subscriber.timezone == "Europe/Berlin"
    unsubscribe = site.service.links(subscriber, site.now).unsubscribe.removeprefix("https://five.example")
    assert "Unsubscribe" in site.client.get(unsubscribe).text
    assert _state(site) == "active"
    gone = site.client.post(unsubscribe)
    assert "You are unsubscribed" in gone.text
    assert _state(site) == "unsubscribed"


def test_one_click_as_mail_providers_send_it(site: Served) -> None:
    links = _subscribed(site)
    answer = site.client.post(
        links["unsubscribe"],
        content="List-Unsubscribe=One-Click",
        headers={
            "content-type": "application/x-www-form-urlencoded",
            "origin": "https://mail.example",
            "sec-fetch-site": "cross-site",
        },
    )
    assert answer.status_code == 200 and _state(site) == "unsubscribed"
    again = site.client.post(links["unsubscribe"], files={"List-Unsubscribe": (None, "One-Click")})
    assert again.status_code == 200


def test_preferences_are_kept_and_shown(site: Served) -> None:
    links = _subscribed(site)
    form = site.client.get(links["manage"])
    assert form.headers["cache-control"] == "no-store" and 'value="Europe/Berlin"' in form.text
    saved = site.client.post(
        links["manage"],
        data={
            "timezone": "America/New_York", "hour": "7", "weekdays": ["0", "2"], "count": "3", "format": "text",
            "topics": "Ferrowatt\r\n\r\n wheat ", "muted_topics": "", "shows": "Topsoil", "muted_shows": "<script>alert(1)</script>",
        },
    )  # fmt: skip
    assert saved.status_code == 200 and "Saved" in saved.text and "<script>alert" not in saved.text
    kept = site.service.store.find("ada@example.org", "mail")
    assert kept is not None
    assert (kept.timezone, kept.hour, kept.weekdays, kept.count, kept.format) == ("America/New_York", 7, (0, 2), 3, "text")
    assert (kept.topics, kept.shows) == (("Ferrowatt", "wheat"), ("Topsoil",))
    assert "&lt;script&gt;" in site.client.get(links["manage"]).text


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"timezone": "Mars/Olympus"}, "no time zone"),
        ({"weekdays": []}, "at least one day"),
        ({"weekdays": ["9"]}, "at least one day"),
        ({"hour": "25"}, "0 to 23"),
        ({"count": "0"}, "1 to 10"),
        ({"format": "pdf"}, "two formats"),
        ({"topics": "\n".join(f"topic {number}" for number in range(60))}, "at most 50"),
    ],
)
def test_a_form_that_makes_no_sense_changes_nothing(site: Served, changes: dict[str, object], said: str) -> None:
    links = _subscribed(site)
    form = {"timezone": "UTC", "hour": "", "weekdays": ["0"], "count": "5", "format": "html", **changes}
    answer = site.client.post(links["manage"], data=form)
    assert answer.status_code == 422 and said in answer.text
    kept = site.service.store.find("ada@example.org", "mail")
    assert kept is not None and kept.timezone == "Europe/Berlin" and kept.weekdays == tuple(range(7))


def test_a_reader_sees_and_deletes_all_that_is_kept(site: Served) -> None:
    links = _subscribed(site)
    assert "What is kept about you" in site.client.get(links["data"]).text
    kept = site.client.get(f"{links['data']}/download")
    assert "attachment" in kept.headers["content-disposition"] and kept.headers["cache-control"] == "no-store"
    assert json.loads(kept.content)["subscriber"]["address"] == "ada@example.org"
    assert site.client.post(links["data"], data={"sure": "perhaps"}).status_code == 422
    assert _state(site) == "active"
    assert "is deleted" in site.client.post(links["data"], data={"sure": "yes"}).text
    assert _state(site) is None
    # An old mail's link still ends in peace, and tells nothing.
    assert site.client.post(links["unsubscribe"]).status_code == 200
    assert site.client.get(links["data"]).status_code == 410


def test_the_answer_does_not_tell_who_is_on_the_list(site: Served) -> None:
    _subscribed(site)
    for path in ("/subscribe/", "/links/"):
        known = site.client.post(path, data={"address": "ada@example.org"})
        unknown = site.client.post(path, data={"address": f"nobody{path.count('l')}@example.org"})
        assert (known.status_code, known.text, dict(known.headers)) == (unknown.status_code, unknown.text, dict(unknown.headers))


def test_a_forged_token_and_that_of_nobody_are_answered_alike(site: Served) -> None:
    links = _subscribed(site)
    token = links["manage"].rsplit("/", 1)[1]
    for kind in SECRET_PAGES:
        for forged in (
            "x",
            token[:-1],
            token + "A",
            "a.1.b.c",
            "%00",
            "A" * 300,
            token if kind != "manage" else token.replace(".", ".."),
        ):
            for method in ("GET", "POST"):
                answer = site.client.request(method, f"/{kind}/{forged}", data={"sure": "yes"} if method == "POST" else None)
                assert answer.status_code == 404 and "This link does not work" in answer.text, (kind, forged, method)
    assert _state(site) == "active"


def test_a_confirmation_works_once_and_not_for_ever(site: Served) -> None:
    site.client.post("/subscribe/", data={"address": "ada@example.org"})
    link = site.link("confirm")
    assert site.client.post(link).status_code == 200
    assert site.client.post(link).status_code == 410
    site.client.post("/subscribe/", data={"address": "eve@example.org"})
    late = site.link("confirm")
    site.now += timedelta(days=4)
    assert site.client.get(late).status_code == 410
    assert _state(site, "eve@example.org") == "pending"


def test_leaving_ends_the_link_to_the_preferences(site: Served) -> None:
    links = _subscribed(site)
    site.client.post(links["unsubscribe"])
    assert site.client.get(links["manage"]).status_code == 410


def test_a_form_of_another_site_is_refused(site: Served) -> None:
    for headers in ({"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}):
        assert site.client.post("/subscribe/", data={"address": "ada@example.org"}, headers=headers).status_code == 403
    assert site.posted == []
    for headers in ({"sec-fetch-site": "same-origin", "origin": "null"}, {"origin": "https://five.example"}, {"origin": "null"}):
        assert site.client.post("/subscribe/", data={"address": "ada@example.org"}, headers=headers).status_code == 200


def test_forms_are_bounded(site: Served) -> None:
    for path in ("/subscribe/", "/links/", "/manage/token", "/data/token", "/unsubscribe/token", "/confirm/token"):
        assert (
            site.client.post(
                path, content=b"a=" + b"x" * 100_000, headers={"content-type": "application/x-www-form-urlencoded"}
            ).status_code
            == 413
        )

        def parts() -> Generator[bytes, None, None]:
            for _ in range(100):
                yield b"x" * 1000

        assert (
            site.client.post(path, content=parts(), headers={"content-type": "application/x-www-form-urlencoded"}).status_code
            == 413
        )
    assert (
        site.client.post(
            "/subscribe/",
            content="&".join(f"a{n}=1" for n in range(500)),
            headers={"content-type": "application/x-www-form-urlencoded"},
        ).status_code
        == 400
    )
    assert site.client.post(
        "/subscribe/", content=b"address=%ff\xff", headers={"content-type": "application/x-www-form-urlencoded"}
    ).status_code in (400, 422)
    assert site.client.post("/subscribe/", json={"address": "ada@example.org"}).status_code == 415


def test_an_address_that_is_none_is_said_to_be_none(site: Served) -> None:
    for address in ("", "ada", "ada@example.org\r\nBcc: eve@example.org", "a@b, c@d.example", '"><script>alert(1)</script>@x'):
        answer = site.client.post("/subscribe/", data={"address": address})
        assert answer.status_code == 422 and "no mail address" in answer.text and "<script>alert" not in answer.text
    assert site.posted == []


def test_one_network_cannot_send_forms_without_end(tmp_path: Path) -> None:
    with served(tmp_path, posts_per_minute=2) as site:
        codes = [site.client.post("/links/", data={"address": "ada@example.org"}).status_code for _ in range(3)]
        assert codes == [200, 200, 429]


def test_one_address_is_not_flooded_and_the_answer_stays_the_same(site: Served) -> None:
    answers = [site.client.post("/subscribe/", data={"address": "ada@example.org"}) for _ in range(6)]
    assert {answer.text for answer in answers} == {answers[0].text}
    assert len(site.posted) == 3


def test_where_sign_up_is_closed_nothing_offers_it(tmp_path: Path) -> None:
    archive_of(tmp_path, 1)
    with served(tmp_path, sign_up=False) as site:
        assert "/subscribe/" not in site.client.get("/").text
        assert site.client.get("/subscribe/").status_code == 403
        assert site.client.post("/subscribe/", data={"address": "ada@example.org"}).status_code == 403
        assert site.posted == []


def test_secret_pages_are_kept_by_nobody(site: Served) -> None:
    links = _subscribed(site)
    for path in links.values():
        answer = site.client.get(path)
        assert answer.headers["cache-control"] == "no-store"
        assert "noindex" in answer.text and "canonical" not in answer.text
