import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.errors import PermanentError
from top5.feeds.model import Enclosure, ParsedEpisode, ParsedFeed, Person, TranscriptLink
from top5.feeds.parse import MAX_DESCRIPTION, MAX_TITLE, parse_duration, parse_feed

URL = "https://feeds.example/show/feed.xml"
SPACES = (
    'xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd" xmlns:content="http://purl.org/rss/1.0/modules/content/"'
    ' xmlns:podcast="https://podcastindex.org/namespace/1.0"'
)


def rss(items: str, *, channel: str = "<title>Show</title>", spaces: str = SPACES, head: str = '<?xml version="1.0"?>') -> bytes:
    return f'{head}<rss version="2.0" {spaces}><channel>{channel}{items}</channel></rss>'.encode()


def only(feed: ParsedFeed) -> ParsedEpisode:
    (episode,) = feed.episodes
    return episode


ITEM = """<item><title>Seven &amp;amp; &lt;b&gt;eight&lt;/b&gt;</title><guid isPermaLink="false">show-7</guid>
<link>/episodes/7</link><pubDate>Wed, 31 Jan 2024 12:30:00 CET</pubDate><itunes:duration>1:02:03</itunes:duration>
<description>short</description><content:encoded><![CDATA[<p onclick="x()">long</p>]]></content:encoded>
<enclosure url="cover.jpg" type="image/jpeg"/><enclosure url="../audio/7.mp3?a=1&amp;b=2" length="123" type="audio/mpeg"/>
<podcast:transcript url="7.vtt" type="text/vtt"/><podcast:transcript url="7.srt" type="application/srt" language="en" rel="Captions"/>
<podcast:transcript url="7.srt" type="application/srt" language="en" rel="captions"/>
<podcast:transcript url="file:///etc/passwd" type="text/plain"/>
<podcast:person role="Guest" href="https://x.example">Grace Hopper</podcast:person><podcast:person>Ada Lovelace</podcast:person>
<podcast:chapters url="7.json" type="application/json+chapters"/></item>"""


def test_an_episode_in_full() -> None:
    assert only(parse_feed(rss(ITEM), url=URL)) == ParsedEpisode(
        guid="show-7",
        title="Seven & eight",
        link="https://feeds.example/episodes/7",
        published=datetime(2024, 1, 31, 11, 30, tzinfo=UTC),
        published_raw="Wed, 31 Jan 2024 12:30:00 CET",
        duration=3723.0,
        description='<p onclick="x()">long</p>',
        enclosure=Enclosure(url="https://feeds.example/audio/7.mp3?a=1&b=2", type="audio/mpeg", length=123),
        transcripts=(
            TranscriptLink(url="https://feeds.example/show/7.vtt", type="text/vtt"),
            TranscriptLink(url="https://feeds.example/show/7.srt", type="application/srt", language="en", rel="captions"),
        ),
        people=(Person(name="Grace Hopper", role="guest"), Person(name="Ada Lovelace", role="host")),
        chapters_url="https://feeds.example/show/7.json",
    )


def test_a_channel_in_full() -> None:
    channel = """<title>Show</title><link>https://show.example/</link><description>About</description><language>en-us</language>
    <itunes:author>Ada Lovelace</itunes:author><itunes:image href="cover.png"/><podcast:guid>917393e3-1b1e-5cef</podcast:guid>"""
    podcast = parse_feed(rss(ITEM, channel=channel), url=URL).podcast
    assert (podcast.title, podcast.link, podcast.description, podcast.language) == (
        "Show",
        "https://show.example/",
        "About",
        "en-us",
    )
    assert (podcast.author, podcast.guid) == ("Ada Lovelace", "917393e3-1b1e-5cef")
    assert podcast.image == "https://feeds.example/show/cover.png"
    assert podcast.people == (Person(name="Ada Lovelace", role="host"),)


@pytest.mark.parametrize(
    "declaration",
    [
        'xmlns:p2="https://podcastindex.org/namespace/1.0"',
        'xmlns:p2="http://podcastindex.org/namespace/1.0/"',
        'xmlns:p2="https://github.com/Podcastindex-org/podcast-namespace/blob/main/docs/1.0.md"',
    ],
)
def test_the_namespace_counts_not_the_prefix(declaration: str) -> None:
    item = "<item><guid>1</guid><p2:transcript url='https://a.example/1.vtt'/><p2:person>Ada</p2:person></item>"
    episode = only(parse_feed(rss(item, spaces=declaration)))
    assert [link.url for link in episode.transcripts] == ["https://a.example/1.vtt"]
    assert episode.people == (Person(name="Ada", role="host"),)


def test_an_undeclared_prefix_is_malformed_but_read() -> None:
    item = "<item><guid>1</guid><podcast:transcript url='https://a.example/1.vtt?a=1&b=2'/></item>"
    feed = parse_feed(rss(item, spaces=""))
    assert [link.url for link in only(feed).transcripts] == ["https://a.example/1.vtt?a=1&b=2"]
    assert any("malformed" in warning for warning in feed.warnings)


def test_another_namespace_is_not_podcasting() -> None:
    item = "<item><guid>1</guid><x:transcript url='https://a.example/1.vtt'/><x:guid>2</x:guid></item>"
    assert only(parse_feed(rss(item, spaces='xmlns:x="https://other.example/"'))).transcripts == ()


@pytest.mark.parametrize("prefix", ["podcast", "p"])
def test_a_live_item_is_no_episode_and_changes_nothing(prefix: str) -> None:
    live = f"""<{prefix}:liveItem status="live" start="2024-01-31T07:30:00Z"><title>LIVE</title><guid>live</guid>
    <link>https://live.example</link><enclosure url="https://live.example/stream.mp3" type="audio/mpeg"/>
    <{prefix}:person>Live Guest</{prefix}:person></{prefix}:liveItem>"""
    items = [f"<item><guid>{n}</guid><{prefix}:person>Guest {n}</{prefix}:person></item>" for n in (1, 2)]
    spaces = f'xmlns:{prefix}="https://podcastindex.org/namespace/1.0"'
    for body in (live + items[0] + items[1], items[0] + live + items[1], items[0] + items[1] + live):
        feed = parse_feed(rss(body, spaces=spaces, channel="<title>Schön</title><link>https://show.example/</link>"))
        assert (feed.podcast.title, feed.podcast.link) == ("Schön", "https://show.example/")
        assert [(episode.guid, episode.people[0].name) for episode in feed.episodes] == [("1", "Guest 1"), ("2", "Guest 2")]
        assert feed.podcast.people == ()


def test_guids_do_not_depend_on_where_the_feed_lies() -> None:
    body = rss("<item><guid>seven</guid></item><item><guid>tag:x,2024:1</guid></item>")
    for url in (None, URL, "https://moved.example/feed"):
        assert [episode.guid for episode in parse_feed(body, url=url).episodes] == ["seven", "tag:x,2024:1"]


def test_without_guid_the_enclosure_names_the_episode() -> None:
    item = '<item><title>T</title><enclosure url="https://op3.dev/e/cdn.example/7.mp3?token=1"/></item>'
    assert only(parse_feed(rss(item))).guid == "https://cdn.example/7.mp3"


def test_of_episodes_under_one_guid_the_oldest_keeps_it() -> None:
    def item(number: int) -> str:
        return (
            f"<item><title>{number}</title><guid>same</guid><pubDate>{number} Jan 2024</pubDate>"
            f'<enclosure url="https://cdn.example/{number}.mp3"/></item>'
        )

    before = parse_feed(rss(item(2) + item(1)))
    after = parse_feed(rss(item(3) + item(2) + item(1)))
    assert [episode.guid for episode in after.episodes] == ["https://cdn.example/3.mp3", "https://cdn.example/2.mp3", "same"]
    assert [episode.guid for episode in before.episodes] == [episode.guid for episode in after.episodes][1:]
    assert any("share the GUID" in warning for warning in after.warnings)


def test_repeated_items_are_read_once() -> None:
    feed = parse_feed(rss(ITEM + ITEM), url=URL)
    assert only(feed).guid == "show-7"
    assert feed.warnings == ("1 repeated items were left out.",)


def test_atom() -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><entry><title>One</title><id>tag:a,2024:1</id>
    <link href="/1"/><link rel="enclosure" href="/1.mp3" type="audio/mpeg" length="0"/><published>2024-01-31T12:30:00+01:00</published>
    <updated>2024-02-01T00:00:00Z</updated><summary>s</summary><content type="html">&lt;p&gt;c&lt;/p&gt;</content></entry></feed>"""
    episode = only(parse_feed(body, url=URL))
    assert episode.guid == "tag:a,2024:1"
    assert episode.link == "https://feeds.example/1"
    assert episode.enclosure == Enclosure(url="https://feeds.example/1.mp3", type="audio/mpeg")
    assert episode.published == datetime(2024, 1, 31, 11, 30, tzinfo=UTC)
    assert episode.description == "<p>c</p>"


def test_an_unreadable_date_is_kept_as_written() -> None:
    episode = only(parse_feed(rss("<item><guid>1</guid><pubDate>31 Feb 2024</pubDate></item>")))
    assert (episode.published, episode.published_raw) == (None, "31 Feb 2024")


def test_text_is_cleaned_and_capped() -> None:
    item = f"<item><guid>1</guid><title>a\nb &#133;{'t' * 1000}</title><description>{'d' * (MAX_DESCRIPTION + 10)}</description></item>"
    episode = only(parse_feed(rss(item)))
    assert episode.title.startswith("a b ") and len(episode.title) == MAX_TITLE
    assert len(episode.description) == MAX_DESCRIPTION


@pytest.mark.parametrize(
    "scheme", ["javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "http://[bad/", "ftp://a/b.mp3"]
)
def test_only_web_addresses_come_through(scheme: str) -> None:
    item = f'<item><guid isPermaLink="false">1</guid><link>{scheme}</link><enclosure url="{scheme}" type="audio/mpeg"/></item>'
    episode = only(parse_feed(rss(item), url=URL))
    assert (episode.link, episode.enclosure) == (None, None)


@pytest.mark.parametrize(
    ("declared", "encoding", "header"),
    [
        ("utf-8", "utf-8", None),
        ("iso-8859-1", "iso-8859-1", None),
        ("windows-1252", "windows-1252", "text/xml"),
        (None, "utf-8", "text/xml; charset=iso-8859-1"),
        (None, "iso-8859-15", "text/xml; charset=iso-8859-15"),
        ("utf-16", "utf-16", None),
    ],
)
def test_charsets(declared: str | None, encoding: str, header: str | None) -> None:
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    item = "<item><guid>ü</guid><title>Zoë</title><podcast:person>Zoë</podcast:person></item>"
    episode = only(parse_feed(rss(item, head=head).decode().encode(encoding), content_type=header))
    assert (episode.guid, episode.title, episode.people[0].name) == ("ü", "Zoë", "Zoë")


def test_entities_are_not_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("hunter2", "utf-8")
    bomb = "".join(f'<!ENTITY b{level} "{f"&b{level - 1};" * 10}">' for level in range(1, 12))
    head = f'<!DOCTYPE rss [<!ENTITY secret SYSTEM "{secret.as_uri()}"><!ENTITY b0 "laugh">{bomb}]>'
    item = (
        "<item><guid>1</guid><title>&secret;&b11;</title><podcast:person>&secret;&b11;</podcast:person>"
        '<podcast:transcript url="https://a.example/&b11;"/></item>'
    )
    dumped = parse_feed(rss(item, head=head)).model_dump_json()
    assert "hunter2" not in dumped
    assert len(dumped) < 10_000


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b" \n ", "empty"),
        (b"<!DOCTYPE html><html><head><title>Show</title></head><body><item>x</item></body></html>", "web page"),
        (b'{"version": "https://jsonfeed.org/version/1.1"}', "JSON"),
        (b"<opml><body/></opml>", "OPML"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "neither"),
        (b"\x1f\x8b\x08\x00junk", "neither"),
        (b"plain words", "neither"),
        (b"<note><to>you</to></note>", "neither"),
        (b"/etc/passwd", "neither"),
    ],
)
def test_what_is_no_feed_is_refused(body: bytes, said: str) -> None:
    with pytest.raises(PermanentError) as caught:
        parse_feed(body, url="https://a.example/feed?token=secret")
    assert caught.value.reason == "not_a_feed"
    assert said in caught.value.message
    assert "secret" not in caught.value.message


def test_a_feed_without_episodes_is_a_feed() -> None:
    assert parse_feed(rss("")).episodes == ()


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: rss(text)))
def test_nothing_else_is_raised(body: bytes) -> None:
    try:
        feed = parse_feed(body, url=URL)
    except PermanentError as error:
        assert error.reason == "not_a_feed"
    else:
        json.loads(feed.model_dump_json())


@given(st.text(max_size=60), st.sampled_from(["guid", "title", "pubDate", "itunes:duration", "link", "podcast:person"]))
def test_any_text_in_any_field(text: str, field: str) -> None:
    feed = parse_feed(rss(f"<item><{field}><![CDATA[{text}]]></{field}></item>"), url=URL)
    assert len({episode.guid for episode in feed.episodes}) == len(feed.episodes)
    feed.model_dump_json().encode("utf-8")


@pytest.mark.parametrize(
    "body",
    [
        rss("<item>" * 5_000),
        rss("<item>" * 1_000_000),
        rss("<a>" * 5_000),
        rss("<item><title>" + "<" * 5_000),
        rss("<item><title>" + "&" * 5_000),
        rss("<item><description>" + "<![CDATA[" * 2_000),
        rss("<item><description>" + "<!DOCTYPE " * 2_000),
        rss("<item " + " ".join(f"a{number}='1'" for number in range(100_000)) + "/>"),
        rss("<item " + " ".join(f"a{number}='1'" for number in range(20_000)) + "><b>"),
    ],
    ids=["items", "many items", "depth", "angles", "ampersands", "cdata", "doctypes", "attributes", "open attributes"],
)
@pytest.mark.timeout(20)
def test_pathological_markup_ends(body: bytes) -> None:
    try:
        parse_feed(body)
    except PermanentError as error:
        assert error.reason == "not_a_feed"


@pytest.mark.parametrize(
    ("raw", "seconds"),
    [
        ("3723", 3723.0),
        ("3723.5", 3723.0),
        ("62:03", 3723.0),
        ("1:02:03", 3723.0),
        ("01:02:03.500", 3723.0),
        ("0:45", 45.0),
        ("PT1H2M3S", 3723.0),
        ("1h 2m 3s", 3723.0),
        ("1 hour, 2 minutes", 3720.0),
        ("62 min", 3720.0),
        ("90 Minutes", 5400.0),
        ("0", None),
        ("00:00:00", None),
        ("-5", None),
        ("", None),
        ("soon", None),
        ("3723000", None),
        ("1:2:3:4", None),
    ],
)
def test_durations(raw: str, seconds: float | None) -> None:
    assert parse_duration(raw) == seconds


@given(st.text())
def test_durations_never_raise(raw: str) -> None:
    seconds = parse_duration(raw)
    assert seconds is None or seconds > 0


@pytest.mark.corpus
@pytest.mark.slow
@pytest.mark.timeout(120)
def test_every_real_file_is_read_or_refused(corpus: Path) -> None:
    read = refused = episodes = transcripts = 0
    for path in sorted((corpus / "feeds").glob("*/*")):
        try:
            feed = parse_feed(path.read_bytes(), url=URL)
        except PermanentError as error:
            assert error.reason == "not_a_feed", path
            refused += 1
            continue
        read += 1
        episodes += len(feed.episodes)
        transcripts += sum(len(episode.transcripts) for episode in feed.episodes)
        assert len({episode.guid for episode in feed.episodes}) == len(feed.episodes), path
        assert not any("disagree" in warning for warning in feed.warnings), path
    assert refused < 15
    assert read > 250
    assert episodes > 5_000
    assert transcripts > 100


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("name", "transcripts"),
    [
        ("Podcastindex-org+podcast-namespace/example.xml", [2, 1, 1]),
        ("rssblue+badpod/podcast_namespace_example.xml", [1, 1, 1]),
    ],
)
def test_the_namespaces_own_example(corpus: Path, name: str, transcripts: list[int]) -> None:
    feed = parse_feed((corpus / "feeds" / name).read_bytes(), url=URL)
    assert feed.podcast.title == "Podcasting 2.0 Namespace Example"
    assert [len(episode.transcripts) for episode in feed.episodes] == transcripts
    assert [[person.role for person in episode.people] for episode in feed.episodes] == [
        ["host", "guest", "cover art designer"]
    ] * 3
    assert all(episode.chapters_url for episode in feed.episodes)
