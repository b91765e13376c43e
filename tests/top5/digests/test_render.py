"""How a digest looks: golden files, what a mail program needs, and what hostile texts must not become.

The golden files are rewritten by `python -m tests.top5.digests.refresh_golden`; read the difference before it is kept.
"""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from lxml import html

from tests.top5.digests import samples
from tests.top5.digests.golden_cases import GOLDEN, cases, digests
from tests.top5.digests.refresh_golden import SCHEMA
from tests.top5.digests.samples import DAY, pick
from top5.digests.compose import Counts, compose
from top5.digests.model import Digest, LeftOut
from top5.digests.render import (
    MAX_HTML_BYTES,
    MAX_SUBJECT,
    digest_view,
    json_schema,
    render_html,
    render_json,
    render_markdown,
    render_text,
    subject,
    timestamp,
)
from top5.insights.model import Quote

COUNTS = Counts(episodes_considered=1, shows_considered=1, candidates_considered=9)
ALL = pytest.mark.parametrize("name", ["full", "short", "empty", "hostile"])


def one(**changes: object) -> Digest:
    return compose(DAY, [pick(1, **changes)], (), COUNTS)


@pytest.mark.parametrize("name", sorted(cases()))
def test_golden(name: str) -> None:
    assert cases()[name] == (GOLDEN / name).read_text("utf-8"), (
        "run `python -m tests.top5.digests.refresh_golden`, read the difference"
    )


def test_no_golden_file_is_left_over() -> None:
    assert sorted(path.name for path in GOLDEN.iterdir()) == sorted(cases())


def test_the_published_schema_is_current() -> None:
    assert SCHEMA.read_text("utf-8") == json_schema(), "run `python -m tests.top5.digests.refresh_golden`"


@ALL
def test_json_reads_back(name: str) -> None:
    digest = digests()[name]
    assert Digest.model_validate_json(render_json(digest)) == digest
    assert set(json.loads(render_json(digest))) == set(json.loads(json_schema())["properties"])


def test_only_the_time_of_building_differs() -> None:
    digest = samples.full()
    early, late = (render_html(digest, built_at=datetime(2026, 5, 4, hour, 0, tzinfo=UTC)) for hour in (5, 6))
    assert early != late
    assert early.replace("05:00", "06:00") == late
    assert render_html(digest) == render_html(digest)


# What a mail program needs


@ALL
def test_mail_html_is_safe_and_accessible(name: str) -> None:
    page = render_html(digests()[name], unsubscribe_url="https://top5.example/u/1")
    root = html.document_fromstring(page)
    assert root.get("lang") == "en" and root.findtext("head/title")
    assert {element.tag for element in elements(root)} <= {
        "html", "head", "meta", "title", "style", "body", "div", "table", "tbody", "tr", "td",
        "h1", "h2", "p", "span", "strong", "bdi", "a", "blockquote", "br", "ul", "li",
    }  # fmt: skip
    for element in elements(root):
        assert set(element.attrib) <= {
            "lang", "charset", "name", "content", "class", "style", "role", "width", "cellpadding", "cellspacing",
            "border", "align", "valign", "dir", "href", "aria-hidden", "data-css-inline",
        }  # fmt: skip
        if element.tag == "table":
            assert element.get("role") == "presentation"
        if element.get("href") is not None:
            assert re.match(r"https?://[a-z0-9.-]+/", element.get("href", ""))
    assert len(root.findall(".//h1")) == 1
    assert len(root.findall(".//h2")) == len(digests()[name].insights)
    (style,) = root.findall(".//style")
    assert "prefers-color-scheme: dark" in str(style.text) and "max-width: 480px" in str(style.text)
    styles = [str(style.text), *(element.get("style", "") for element in elements(root))]
    assert not any("url(" in text or "@import" in text for text in styles)
    assert len(page.encode()) <= MAX_HTML_BYTES


def elements(root: html.HtmlElement) -> Iterator[html.HtmlElement]:
    return (element for element in root.iter() if isinstance(element.tag, str))


def test_texts_are_shown_as_they_are_not_run() -> None:
    root = html.document_fromstring(render_html(samples.hostile()))
    shown = root.text_content()
    assert "<script>alert(1)</script> Bcc: everyone@example.com" in shown
    assert "{{ 7 * 7 }}{% raw %} & more" in shown
    assert '"><style>*{display:none}</style>' in shown
    assert "--> <!-- <![endif]-->" in shown


def test_markdown_holds_no_html_and_no_foreign_link() -> None:
    text = render_markdown(samples.hostile())
    assert "<" not in text
    assert "](javascript" not in text.replace("\\]", "")
    assert "\\[click\\](javascript" in text


def test_markdown_prints_no_link_with_a_token() -> None:
    private = one(audio_url="https://cdn.example/secret.mp3?token=abc123", episode_url="https://example.com/open")
    text = render_markdown(private)
    assert "abc123" not in text and "Listen to the episode" in text
    assert "](https://example.com/open)" in text
    assert "token=abc123" in render_html(private), "the reader needs it"


def test_whatever_the_length_of_texts_the_mail_stays_small() -> None:
    monster = compose(
        DAY,
        [
            pick(
                rank,
                headline="\U0001f600&" * 5000, body="<&" * 9000, show="&" * 9000, episode_title='"' * 9000, speaker="'" * 9000,
                quotes=(Quote(text="> quoted & " * 2000, start=1.0, end=2.0, speaker="&" * 900),),
                why="&" * 9000, memory="&" * 9000, also_in=("&" * 9000,) * 9, late=True, engine="&" * 900,
                episode_url="https://x.example/" + "a&" * 1000, audio_url="https://x.example/" + "b&" * 1000,
            )
            for rank in range(1, 11)
        ],
        [LeftOut(state="<&>" * 30 + str(number), reason="&" * 60, episodes=number) for number in range(1, 40)],
        COUNTS, size=10, notes=("&" * 900,) * 30, title="&" * 900,
    )  # fmt: skip
    page = render_html(monster)
    assert len(page.encode()) <= MAX_HTML_BYTES
    assert len(html.document_fromstring(page).findall(".//h2")) == 10


def luminance(colour: str) -> float:
    channels = [int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("sheet", ["light.css", "screen.css"])
@pytest.mark.parametrize("kind", ["ink", "muted", "accent"])
def test_contrast_is_at_least_4_5_to_1(sheet: str, kind: str) -> None:
    """The ratio of WCAG 2.2, success criterion 1.4.3."""
    css = (files("top5.digests") / "templates" / sheet).read_text("utf-8")
    (front,) = re.findall(rf"\.{kind} {{[^}}]*\bcolor: (#[0-9a-f]{{6}})", css)
    (back,) = re.findall(r"\.page {[^}]*\bbackground-color: (#[0-9a-f]{6})", css)
    lighter, darker = sorted((luminance(front), luminance(back)), reverse=True)
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_each_text_has_a_colour_in_the_dark() -> None:
    """A colour that is only inlined stays as it is in the dark, where it cannot be read."""
    root = html.document_fromstring(render_html(samples.full()))
    for element in root.find("body").iter():
        if isinstance(element.tag, str) and "color: #" in element.get("style", "").replace("background-color", ""):
            assert {"ink", "muted", "accent", "preheader"} & set(element.get("class", "").split())


def test_text_is_72_columns_wide_but_for_links() -> None:
    for name, text in cases().items():
        if name.endswith(".txt") and name != "subjects.txt":
            assert all(len(line) <= 72 or " " not in line.strip() for line in text.splitlines()), name


# The words


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0.0, "0:00"), (7.9, "0:07"), (754.3, "12:34"), (3599.99, "59:59"), (3723.0, "1:02:03"), (None, None)]
)
def test_timestamps(seconds: float | None, shown: str | None) -> None:
    assert timestamp(seconds) == shown


SPOKEN = (
    "So, um, the city, you know, closed the bridge because the cables had rusted through, and uh traffic moved to the tunnel."
)
CLEANED = "The city closed the bridge because the cables had rusted through, and traffic moved to the tunnel."


def test_a_quote_that_is_the_body_with_fillers_is_not_shown_twice() -> None:
    (insight,) = digest_view(one(body=CLEANED, quotes=(Quote(text=SPOKEN, start=754.3, end=760.0),))).insights
    assert insight.quote is None
    assert insight.evidence == "Quoted verbatim, from 12:34"


def test_where_the_link_says_from_when_the_evidence_does_not() -> None:
    quotes = (Quote(text=SPOKEN, start=754.3, end=760.0),)
    (insight,) = digest_view(one(body=CLEANED, quotes=quotes, audio_url="https://x.example/a.mp3#t=9")).insights
    assert (insight.listen_label, insight.listen_href) == ("Listen from 12:34", "https://x.example/a.mp3#t=754")
    assert insight.evidence == "Quoted verbatim"


def test_a_body_over_two_quotes_is_verbatim_too() -> None:
    first, second = CLEANED.split(" because ")
    quotes = (Quote(text=first, start=1.0, end=2.0), Quote(text="Um, because " + second, start=2.0, end=3.0))
    (insight,) = digest_view(one(body=CLEANED, quotes=quotes)).insights
    assert insight.evidence == "Quoted verbatim, from 0:01"


def test_the_first_quote_that_adds_something_is_set_apart() -> None:
    body = "Rust closed the bridge: inspectors found its cables eaten through, so the city sends traffic through the tunnel."
    quotes = (
        Quote(text="the city sends traffic through the tunnel", start=5.0, end=6.0),
        Quote(text="You could have put your thumb into that cable.", start=65.0, end=68.0, speaker="Mo"),
    )
    (insight,) = digest_view(one(body=body, quotes=quotes)).insights
    assert (insight.quote, insight.quote_by) == ("You could have put your thumb into that cable.", "Mo, 1:05")


def test_another_number_or_a_denial_is_no_cleaning() -> None:
    body = "The pump moves 400 litres a minute."
    (insight,) = digest_view(
        one(body=body, quotes=(Quote(text="It will not move 500 litres in a minute, ever.", start=1.0, end=2.0),))
    ).insights
    assert insight.evidence != "Quoted verbatim, from 0:01"
    assert insight.quote is not None


def test_no_audio_no_link() -> None:
    (insight,) = digest_view(one(quotes=(Quote(text="quite another thing", start=9.0, end=10.0),))).insights
    assert insight.listen_href is None
    assert ">Listen" not in render_html(one(quotes=(Quote(text="quite another thing", start=9.0, end=10.0),)))


def test_links_from_elsewhere_are_checked_again() -> None:
    digest = samples.full()
    insights = tuple(
        insight.model_copy(update={"audio_url": "javascript:1", "episode_url": "data:,x"}) for insight in digest.insights
    )
    forged = digest.model_copy(update={"insights": insights})
    for text in (render_html(forged), render_text(forged), render_markdown(forged), render_json(forged)):
        assert "javascript:" not in text and "data:," not in text


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("mailto:top5@example.org?subject=unsubscribe", True),
        ("https://top5.example/u/1", True),
        ("javascript:alert(1)", False),
        ("mailto:a@b\r\nX: y", False),
        ('mailto:a@b"onclick="x', False),
        (None, False),
    ],
)
def test_how_to_unsubscribe(url: str | None, shown: bool) -> None:
    page = render_html(samples.full(), unsubscribe_url=url)
    assert (f'href="{url}"' in page) == shown
    assert ("reply with the word" in page) != shown
    assert ("reply with the word" in render_text(samples.full(), unsubscribe_url=url)) != shown


def test_an_empty_day_is_still_a_good_mail() -> None:
    for text in (render_text(samples.empty()), html.document_fromstring(render_html(samples.empty())).text_content()):
        assert "No insight today." in text
        assert "None of 14 candidates from 3 episodes was chosen" in " ".join(text.split())
        assert "4 episodes wait for tomorrow" in " ".join(text.split())


# The subject


def test_the_subject_says_something() -> None:
    assert subject(samples.full()) == "Groq keeps model weights in on-chip memory, so answers start in milliseconds (+4 more)"
    assert subject(samples.empty()) == "The day's five: nothing cleared the bar on Monday, 4 May 2026"


def test_a_long_headline_is_cut_at_a_word() -> None:
    line = subject(one(headline="Memory bandwidth limits inference because " + "weights are fetched for each word " * 9))
    assert len(line) <= MAX_SUBJECT
    assert line.endswith(" weights are fetched for each…")


@given(st.text(), st.text(), st.text(), st.integers(0, 3))
@example("a\r\nBcc: x@example.com", "", "", 0)
@example("", "", "", 1)
@example("\u200b\u202e", "\ufeff", "\r\n", 2)
@example("x" * 10_000, "", "", 3)
@example("=?=?=?" * 40, "", "", 1)
def test_any_subject_is_one_short_visible_line(headline: str, body: str, title: str, more: int) -> None:
    picks = [pick(1, headline=headline, body=body), *(pick(rank) for rank in range(2, 2 + more))]
    for digest in (compose(DAY, picks, (), COUNTS, title=title), compose(DAY, (), (), COUNTS, title=title)):
        line = subject(digest)
        assert 0 < len(line) <= MAX_SUBJECT
        assert line == line.strip() and line.splitlines() == [line]
        assert "=?" not in line
        assert not set(line) & set("\r\n\x00\x0b\x0c\x85\u2028\u2029\u200b\u202e\u2066\ufeff")
        line.encode("utf-8")
