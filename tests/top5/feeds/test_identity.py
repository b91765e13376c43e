from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.feeds.identity import episode_guid, peel_enclosure, same_episode_key
from top5.feeds.model import Enclosure, ParsedEpisode

AUDIO = "traffic.megaphone.fm/ABC1234567.mp3"


@pytest.mark.parametrize(
    "prefix",
    [
        "",
        "www.podtrac.com/pts/redirect.mp3/",
        "dts.podtrac.com/redirect.mp3/",
        "play.podtrac.com/npr-344098539/",
        "chtbl.com/track/1A2B3/",
        "chrt.fm/track/9EE2G/",
        "media.blubrry.com/some_show/",
        "op3.dev/e/",
        "op3.dev/e,pg=0cdd1fc0-8656-5fcf-88d2-0cdd1fc08656/",
        "op3.dev/e/https://",
        "pscrb.fm/rss/p/",
        "verifi.podscribe.com/rss/p/",
        "mgln.ai/e/94/",
        "claritaspod.com/measure/",
        "clrtpod.com/m/",
        "pdst.fm/e/",
        "pdcn.co/e/",
        "arttrk.com/p/PRGN3/",
        "2.gum.fm/",
        "s.gum.fm/s-64df757f86d495f3f8ac7af4/",
        "tracking.swap.fm/track/0bDcdoop59bdTYSfajQW/",
        "prfx.byspotify.com/e/",
        "pfx.vpixl.com/j0JIg/",
        "pdrl.fm/f3efd0/",
        "www.podtrac.com/pts/redirect.mp3/pdst.fm/e/mgln.ai/e/94/claritaspod.com/measure/verifi.podscribe.com/rss/p/pfx.vpixl.com/j0/",
    ],
)
@pytest.mark.parametrize("query", ["", "?updated=1727834300"])
def test_prefixes_and_query_go(prefix: str, query: str) -> None:
    assert peel_enclosure(f"https://{prefix}{AUDIO}{query}") == f"https://{AUDIO}"
    assert peel_enclosure(f"http://{prefix}{AUDIO}{query}#t=10") == f"https://{AUDIO}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "http://www.podtrac.com/pts/redirect.mp3?http://www.taverncast.com/shows/a-62.mp3",
            "https://www.taverncast.com/shows/a-62.mp3",
        ),
        ("https://EXAMPLE.com:443/A.mp3", "https://example.com/A.mp3"),
        ("https://example.com:8443/a.mp3", "https://example.com:8443/a.mp3"),
        # Here the query alone tells one episode from the next.
        ("https://example.com/download.php?id=7", "https://example.com/download.php?id=7"),
        # A host name in a path means something only behind a tracker.
        ("https://cdn.example.com/pdst.fm/e/a.mp3", "https://cdn.example.com/pdst.fm/e/a.mp3"),
        ("https://op3.dev/about", "https://op3.dev/about"),
        ("https://chtbl.com/track/1/https%3A%2F%2Fexample.com%2Fa.mp3", "https://example.com/a.mp3"),
        ("not a url", "not a url"),
        ("https://[broken/a.mp3", "https://[broken/a.mp3"),
    ],
)
def test_peel(url: str, expected: str) -> None:
    assert peel_enclosure(url) == expected


@given(st.text(max_size=200))
def test_peeling_text_never_raises(text: str) -> None:
    peel_enclosure(text)


@given(
    st.lists(
        st.sampled_from(
            ["podtrac.com/redirect.mp3", "op3.dev/e", "pdst.fm/e", "chtbl.com/track/X", "a.example", "x.mp3", "https:", ""]
        )
    ).map(lambda parts: "https://" + "/".join(parts))
)
def test_peeling_twice_is_peeling_once(url: str) -> None:
    once = peel_enclosure(url)
    assert peel_enclosure(once) == once


def test_the_chain_of_names() -> None:
    everything = {"enclosure_url": f"https://op3.dev/e/{AUDIO}?x=1", "link": "https://example.com/7", "title": "Seven"}
    assert episode_guid(guid=" abc-7\n", **everything) == "abc-7"
    assert episode_guid(guid="  ", **everything) == f"https://{AUDIO}"
    assert episode_guid(link="https://example.com/7", title="Seven") == "https://example.com/7"
    when = datetime(2024, 1, 31, tzinfo=UTC)
    hashed = episode_guid(title="Seven", published=when)
    assert hashed.startswith("sha256:") and len(hashed) == 71
    assert hashed == episode_guid(title="  SEVEN ", published=when, published_raw="31 Jan 2024")
    assert hashed != episode_guid(title="Eight", published=when)
    assert hashed != episode_guid(title="Seven", published_raw="some day")


@given(st.text(), st.text(), st.text())
def test_a_guid_is_never_empty_nor_long(guid: str, link: str, title: str) -> None:
    name = episode_guid(guid=guid, link=link, title=title)
    assert 0 < len(name) <= 512
    assert name.encode("utf-8")
    assert name == episode_guid(guid=guid, link=link, title=title)


def test_long_guids_stay_apart() -> None:
    assert episode_guid(guid="x" * 600 + "1") != episode_guid(guid="x" * 600 + "2")


def test_the_same_audio_in_two_feeds() -> None:
    def episode(url: str | None) -> ParsedEpisode:
        return ParsedEpisode(guid="g", title="t", enclosure=Enclosure(url=url) if url else None)

    key = same_episode_key(episode(f"https://dts.podtrac.com/redirect.mp3/{AUDIO}?feed=public"))
    assert key == same_episode_key(episode(f"http://{AUDIO}?feed=network")) == f"https://{AUDIO}"
    assert same_episode_key(episode(None)) is None
    assert same_episode_key(episode("https://example.com/")) is None
