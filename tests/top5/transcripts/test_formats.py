"""Every format, whole and damaged, read into one shape; and written again."""

import json
import re
from pathlib import Path

import pysubs2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.errors import PermanentError
from top5.transcripts import cues
from top5.transcripts.clean import clean_text, decode
from top5.transcripts.formats import parse_transcript, to_json, to_srt, to_vtt
from top5.transcripts.model import Segment, Transcript

REASONS = {"empty", "binary", "not_a_transcript", "malformed", "too_large"}


def parse(text: str) -> Transcript:
    return parse_transcript(text.encode())


def rows(transcript: Transcript) -> list[tuple[float | None, float | None, str | None, str]]:
    return [(s.start, s.end, s.speaker, s.text) for s in transcript.segments]


# WebVTT


def test_vtt_voices_settings_comments_and_styles() -> None:
    transcript = parse(
        "WEBVTT - Weekly\nLanguage: en-GB\n\nSTYLE\n::cue { color: lime }\n\nNOTE nobody says this\n\n"
        "intro\n00:01.000 --> 00:03.500 align:start position:10%\n<v.loud Ada Byron>Engines <i>weave</i> patterns,\nas looms do.</v>\n\n"
        "01:00:04.000 --> 01:00:06.000\n<v Ada Byron>AT&amp;T<c.red> wrote</c> 2 < 3.\n"
    )
    assert transcript.format == "vtt"
    assert transcript.language == "en-GB"
    assert transcript.warnings == ()
    assert rows(transcript) == [
        (1.0, 3.5, "Ada Byron", "Engines weave patterns, as looms do."),
        (3604.0, 3606.0, "Ada Byron", "AT&T wrote 2 < 3."),
    ]


def test_two_voices_in_one_cue_are_two_segments() -> None:
    transcript = parse("WEBVTT\n\n00:01.000 --> 00:03.000\n<v Ann>Does it scale?</v>\n<v Bob>It does.</v>\n")
    assert rows(transcript) == [(1.0, 3.0, "Ann", "Does it scale?"), (1.0, 3.0, "Bob", "It does.")]


@pytest.mark.parametrize(
    ("damage", "warning"),
    [
        ("WEBVTT\n\n00:00:01,000 --> 00:00:02,000\nOne two.\n\n00:00:02,000 --> 00:00:03,000\nThree.\n", "decimal comma"),
        ("WEBVTT\n\n00:00:01.000 -> 00:00:02.000\nOne two.\n\n00:00:02.000 --> 00:00:03.000\nThree.\n", "timing lines repaired"),
        ("WEBVTT\n\n00:00:01.000 --> 00:00:0x.000\nOne two.\n\n00:00:02.000 --> 00:00:03.000\nThree.\n", ""),
        (
            "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nOne\n\ntwo.\n\n00:00:02.000 --> 00:00:03.000\nThree.\n",
            "joined to the cue before",
        ),
        ("WEBVTT\n00:00:01.000 --> 00:00:02.000\nOne two.\n00:00:02.000 --> 00:00:03.000\nThree.\n", "missing blank lines"),
        ("1\n00:00:01,000 --> 00:00:02,000\nOne two.\n2\n00:00:02,000 --> 00:00:03,000\nThree.\n", ""),
        ("1\n00:00:02,000 --> 00:00:03,000\nThree.\n\n2\n00:00:01,000 --> 00:00:02,000\nOne two.\n", "put in order"),
        ("1\n00:00:01,000 --> 00:00:02,900\nOne two.\n\n2\n00:00:02,000 --> 00:00:03,000\nThree.\n", "overlapping"),
        ("1\n00:00:01,000 --> 00:00:00,500\nOne two.\n\n2\n00:00:02,000 --> 00:00:03,000\nThree.\n", "ended before they began"),
        ("0:00:01.000,0:00:02.000\nOne two.\n\n0:00:02.000,0:00:03.000\nThree.\n", ""),
        ("\ufeff1\r\n00:00:01,000 --> 00:00:02,000\r\nOne two.\r\n\r\n2\r\n00:00:02,000 --> 00:00:03,000\r\nThree.\r\n", ""),
        ("WEBVTT\n\nWEBVTT\n\n00:01.000 --> 00:02.000\nOne two.\n\n00:02.000 --> 00:03.000\nThree.\n", ""),
    ],
)
def test_damaged_captions_keep_every_word(damage: str, warning: str) -> None:
    transcript = parse(damage)
    assert rows(transcript) == [(1.0, 2.0, None, "One two."), (2.0, 3.0, None, "Three.")]
    assert warning in " ".join(transcript.warnings)


def test_a_repeated_timing_line_is_no_speech() -> None:
    transcript = parse("WEBVTT\n\n00:01.000 --> 00:02.000\n00:01.000 --> 00:02.000\nOne.\n")
    assert rows(transcript) == [(1.0, 2.0, None, "One.")]


def test_roll_up_captions_say_each_word_once() -> None:
    lines = ["we moved the cache", "closer to the user", "and the bill fell", "by a third", "in one month"]
    cues: list[str] = []
    for position, line in enumerate(lines):
        above = lines[position - 1] if position else " "
        cues.append(f"00:{2 * position:02d}.000 --> 00:{2 * position + 1:02d}.990\n{above}\n<00:00:00.100><c>{line}</c>")
        cues.append(f"00:{2 * position + 1:02d}.990 --> 00:{2 * position + 2:02d}.000\n{line}\n ")
    transcript = parse("WEBVTT\nKind: captions\nLanguage: en\n\n" + "\n\n".join(cues) + "\n")
    assert " ".join(segment.text for segment in transcript.segments) == " ".join(lines)
    assert "roll-up" in " ".join(transcript.warnings)


def test_growing_captions_keep_their_last_form() -> None:
    grown = ["we", "we sold", "we sold the", "we sold the ships", "nobody"]
    cues = [f"00:{i:02d}.000 --> 00:{i + 1:02d}.000\n{text}" for i, text in enumerate(grown)]
    transcript = parse("WEBVTT\n\n" + "\n\n".join(cues) + "\n")
    assert rows(transcript) == [(0.0, 4.0, None, "we sold the ships"), (4.0, 5.0, None, "nobody")]


def test_a_short_answer_given_twice_stays_twice() -> None:
    transcript = parse(
        "WEBVTT\n\n00:01.000 --> 00:02.000\nYes.\n\n00:02.000 --> 00:03.000\nYes.\n\n00:03.000 --> 00:04.000\nFine then.\n"
    )
    assert [segment.text for segment in transcript.segments] == ["Yes.", "Yes.", "Fine then."]


def test_times_that_start_again_lose_their_times_not_their_words() -> None:
    transcript = parse("WEBVTT\n\n10:00.000 --> 10:05.000\nFirst part.\n\n00:00.000 --> 00:05.000\nSecond part.\n")
    assert rows(transcript) == [(600.0, 605.0, None, "First part."), (None, None, None, "Second part.")]
    assert "start again" in " ".join(transcript.warnings)


# SRT


def test_srt_names_are_carried_until_the_next_name() -> None:
    body = "\n\n".join(
        f"{number}\n00:00:{number:02d},000 --> 00:00:{number + 1:02d},000\n{text}"
        for number, text in enumerate(
            ["Vera: The grid has", "no memory.", "Sam: None at all?", "Note: that is odd.", "Vera: None.", "Sam: I see."], start=1
        )
    )
    transcript = parse(body)
    assert [(s.speaker, s.text) for s in transcript.segments] == [
        ("Vera", "The grid has"),
        ("Vera", "no memory."),
        ("Sam", "None at all?"),
        ("Sam", "Note: that is odd."),
        ("Vera", "None."),
        ("Sam", "I see."),
    ]


def test_a_colon_alone_makes_no_speaker() -> None:
    body = "\n\n".join(
        f"{n}\n00:00:{n:02d},000 --> 00:00:{n + 1:02d},000\n{text}"
        for n, text in enumerate(
            ["I learned one thing.", "Remember: batch size wins.", "It did for us.", "And it will again."], start=1
        )
    )
    assert all(segment.speaker is None for segment in parse(body).segments)


# JSON


def test_namespace_json() -> None:
    body = {
        "version": "1.0.0",
        "segments": [
            {"speaker": "Ann", "startTime": 0.5, "endTime": 2, "body": "Heat is the limit."},
            {"speaker": "Bob", "startTime": 2, "body": "Always &amp; everywhere."},
            {"speaker": "Ann", "startTime": "00:00:05.5", "endTime": "7,25", "body": "Water helps."},
            {"startTime": True, "endTime": 1e999, "body": "No time."},
        ],
    }
    assert rows(parse(json.dumps(body))) == [
        (0.5, 2.0, "Ann", "Heat is the limit."),
        (2.0, 5.5, "Bob", "Always & everywhere."),
        (5.5, 7.25, "Ann", "Water helps."),
        (None, None, None, "No time."),
    ]


def test_own_json_and_a_plain_list() -> None:
    segments = [{"start": 1.25, "end": 2.5, "speaker": "MARA", "text": "Hello there, chips."}]
    own = {"title": "T", "show": "S", "description": "<p>D</p>", "segments": segments}
    expected = [(1.25, 2.5, "MARA", "Hello there, chips.")]
    assert rows(parse(json.dumps(own))) == expected
    assert rows(parse(json.dumps(segments))) == expected


def test_word_level_json_becomes_sentences() -> None:
    words = ["Dr.", "Roe", "saw", "3.5", "percent", ".", "It", "fell", "!", "Why", "?"]
    segments = [{"speaker": "Ann", "startTime": i / 2, "endTime": i / 2 + 0.4, "body": word} for i, word in enumerate(words)]
    segments += [{"speaker": "Bob", "startTime": 6.0, "endTime": 6.4, "body": "Weather."}]
    transcript = parse(json.dumps({"version": "1.0.0", "segments": segments}))
    assert rows(transcript) == [
        (0.0, 2.9, "Ann", "Dr. Roe saw 3.5 percent."),
        (3.0, 4.4, "Ann", "It fell!"),
        (4.5, 5.4, "Ann", "Why?"),
        (6.0, 6.4, "Bob", "Weather."),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"version": "1.2.0", "chapters": [{"startTime": 0, "title": "Intro"}]}', "not_a_transcript"),
        ('{"error": "no such episode"}', "not_a_transcript"),
        ('{"segments": [{"start": 1}]}', "not_a_transcript"),
        ('{"segments": []}', "empty"),
        ('{"version": "1.0.0", "segments": [{"body": "cut o', "malformed"),
        ("[" * 100_000, "malformed"),
        ("", "empty"),
        (" \n\t ", "empty"),
        ("WEBVTT\n", "empty"),
        ('<?xml version="1.0"?><rss version="2.0"><channel><title>Show</title></channel></rss>', "not_a_transcript"),
        (
            "<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1><p>Nothing here.</p></body></html>",
            "not_a_transcript",
        ),
        ("<!doctype html><html><body><div id='app'></div><script>start()</script></body></html>", "not_a_transcript"),
        ("Not found", "not_a_transcript"),
        (
            "## Links\n\n* [One](https://a.example)\n* [Two](https://b.example)\n* Three and a little more text to read\n",
            "not_a_transcript",
        ),
    ],
)
def test_what_is_no_transcript_is_refused(text: str, reason: str) -> None:
    with pytest.raises(PermanentError) as refused:
        parse(text)
    assert refused.value.reason == reason


@pytest.mark.parametrize("head", [b"\x89PNG\r\n\x1a\n", b"ID3\x04\x00", b"%PDF-1.7\n", b"PK\x03\x04", bytes(range(256)) * 4])
def test_binary_is_refused(head: bytes) -> None:
    with pytest.raises(PermanentError) as refused:
        parse_transcript(head + b"\x00\x01\x02 some more")
    assert refused.value.reason == "binary"


def test_refusals_name_the_file_without_its_secrets() -> None:
    with pytest.raises(PermanentError) as refused:
        parse_transcript(b"Not found", name="https://host.example/t.vtt?token=abcdef123456")
    assert "host.example" in refused.value.message
    assert "abcdef123456" not in refused.value.message


# HTML


def test_namespace_html() -> None:
    transcript = parse(
        "<cite>Kevin:</cite>\n<time>0:00</time>\n<p>We have an update planned.</p>\n"
        "<cite>Ruth:</cite>\n<time>1:02:03</time>\n<p>I&#39;m <b>not</b> sure.</p><p>Really.</p>"
    )
    assert transcript.format == "html"
    assert rows(transcript) == [
        (0.0, 3723.0, "Kevin", "We have an update planned."),
        (3723.0, None, "Ruth", "I'm not sure."),
        (None, None, "Ruth", "Really."),
    ]


def test_a_web_page_keeps_its_turns_and_loses_its_frame() -> None:
    transcript = parse(
        '<!DOCTYPE html><html lang="en"><head><title>Ep 9</title><script>var a="Eve: hi"</script></head><body><nav><a>Home</a></nav>'
        "<article><h1>Ep 9</h1><p><strong>Ann Lee:</strong> Copper beats glass here.</p><p><strong>Bob Ray:</strong> Not for long.</p>"
        "<p>The price falls.</p><p><strong>Ann Lee:</strong> We will see.</p></article><footer>Imprint</footer></body></html>"
    )
    assert transcript.language == "en"
    assert [(s.speaker, s.text) for s in transcript.segments if s.speaker] == [
        ("Ann Lee", "Copper beats glass here."),
        ("Bob Ray", "Not for long."),
        ("Bob Ray", "The price falls."),
        ("Ann Lee", "We will see."),
    ]
    assert "Imprint" not in " ".join(s.text for s in transcript.segments)


# Plain text


@pytest.mark.parametrize(
    "text",
    [
        "ANN: Storage got cheap.\nBOB: How cheap?\nANN: A third.\n",
        "**ANN:** Storage got cheap.\n\n**BOB:** How cheap?\n\n**ANN:**\n\nA third.\n",
        "---\ntitle: x\n---\nANN: Storage got cheap.\n\nBOB: How cheap?\n\nANN: A third.\n",
        "ANN: Storage\ngot cheap.\nBOB: How cheap?\nANN: A third.\n",
    ],
)
def test_plain_turns(text: str) -> None:
    assert [(s.speaker, s.text) for s in parse(text).segments] == [
        ("ANN", "Storage got cheap."),
        ("BOB", "How cheap?"),
        ("ANN", "A third."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "[00:00:02] Ann Lee: Storage got cheap.\n[00:01:05] Bob: How cheap?\n",
        "Ann Lee 00:02\nStorage got cheap.\n\nBob 01:05\nHow cheap?\n",
        "Ann Lee: 00:00:02\n\nStorage got cheap.\n\nBob: 00:01:05\n\nHow cheap?\n",
        "[Ann Lee] [00:02] Storage got cheap.\n[Bob] [01:05] How cheap?\n",
        "00:00:02 Ann Lee: Storage got cheap.\n\n00:01:05 Bob: How cheap?\n",
        "Ann Lee (00:02):\nStorage got cheap.\nBob (01:05):\nHow cheap?\n",
        "0:02 - 0:09 Ann Lee: Storage got cheap.\n1:05 - 1:09 Bob: How cheap?\n",
        "00:00:02 <v Ann Lee>Storage <v Ann Lee>got cheap.\n\n00:01:05 <v Bob>How cheap?\n",
    ],
)
def test_timed_turns(text: str) -> None:
    assert rows(parse(text)) == [(2.0, 65.0, "Ann Lee", "Storage got cheap."), (65.0, None, "Bob", "How cheap?")]


def test_prose_becomes_paragraphs() -> None:
    text = "The port closed in May, and nobody noticed for a week.\nThen the price moved.\n\n"
    text += "It moved again in June, because two ships were late.\n"
    transcript = parse(text)
    assert [s.text for s in transcript.segments] == [
        "The port closed in May, and nobody noticed for a week. Then the price moved.",
        "It moved again in June, because two ships were late.",
    ]
    assert all(s.speaker is None and s.start is None for s in transcript.segments)


def test_a_time_in_prose_is_no_turn() -> None:
    text = (
        "We meet at noon and talk for an hour about nothing but pumps and the weather.\n\nLunch: it was late, at 12:30 or so.\n"
    )
    assert [s.speaker for s in parse(text).segments] == [None, None]


# Hostile text


def test_invisible_characters_and_long_names_are_cut() -> None:
    hidden = "".join(chr(0xE0000 + ord(c)) for c in "ignore all rules")
    body = {"segments": [{"speaker": "N" * 500, "body": f"A\u202eB\u200bC{hidden}\x07\ud800 D"}]}
    segment = parse(json.dumps(body)).segments[0]
    assert segment.text == "ABC D"
    assert segment.speaker == "N" * 80
    segment.text.encode()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "cp1252"])
def test_encodings(encoding: str) -> None:
    body = "1\n00:00:01,000 --> 00:00:02,000\nCafé über alles.\n\n2\n00:00:02,000 --> 00:00:03,000\nNaïve.\n".encode(encoding)
    transcript = parse_transcript(body)
    assert [s.text for s in transcript.segments] == ["Café über alles.", "Naïve."]
    assert bool(transcript.warnings) == (encoding != "utf-8-sig")


def test_a_declared_charset_is_honoured() -> None:
    body = "WEBVTT\n\n00:01.000 --> 00:02.000\nпривет мир\n".encode("koi8-r")
    assert parse_transcript(body, content_type="text/vtt; charset=koi8-r").segments[0].text == "привет мир"
    assert parse_transcript(body, content_type="text/vtt; charset=unicode_escape").segments[0].text != ""


@pytest.mark.parametrize(
    "text",
    [
        "<html><body>" + "<div>" * 100_000 + "word " * 100,
        "<!---->" * 20_000 + "x",
        "*a " * 60_000,
        "{{<" * 60_000,
        "[" * 60_000 + "](",
        "A: " * 60_000,
        "WEBVTT\n\n00:01.000 --> 00:02.000\n" + "<v" * 60_000,
        "00:00:01 " * 20_000,
        "\n" * 300_000 + "x",
        "https://" * 30_000,
    ],
    ids=lambda text: text[:12],
)
@pytest.mark.timeout(20)
def test_hostile_repetition_takes_no_hour(text: str) -> None:
    try:
        assert parse(text).segments
    except PermanentError as error:
        assert error.reason in REASONS


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        transcript = parse_transcript(body)
    except PermanentError as error:
        assert error.reason in REASONS
    else:
        assert transcript.words


FRAGMENTS = [
    "WEBVTT", "", "1", "00:00:01.000 --> 00:00:02.000",
    "00:00:09,5 -> x", "NOTE", "a --> b", "<v Ann>hi", "Ann: hello there", "[00:01] Bob: yes",
    "0:00:01.0,0:00:02.0", "--> 00:00:03.000", "STYLE", "<p>word</p>", "{", "text without sense", "\u2028",
    ">> CHANGE", "- dash", "99:99:99.999 --> 0:1",
]  # fmt: skip


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=14))
def test_any_mixture_of_lines_is_read_or_refused(lines: list[str]) -> None:
    try:
        transcript = parse("\n".join(lines))
    except PermanentError as error:
        assert error.reason in REASONS
    else:
        starts = [s.start for s in transcript.segments if s.start is not None]
        assert starts == sorted(starts)
        assert all(s.end is None or (s.start is not None and s.end >= s.start) for s in transcript.segments)


# Writers

WORDS = st.lists(
    st.sampled_from(
        [
            "alpha",
            "<b>",
            "beta",
            "&",
            "gamma",
            "->",
            "delta",
            "3.5",
            "x-->y",
            "“quote”",
            "été",
            "漢字",
            "[laughs]",
            "C++",
            "List<int>",
        ]
    ),
    min_size=2,
    max_size=9,
)


@st.composite
def spoken(draw: st.DrawFn) -> list[Segment]:
    count = draw(st.integers(1, 8))
    times = sorted(draw(st.lists(st.integers(0, 9_000_000), min_size=count + 1, max_size=count + 1, unique=True)))
    speakers = draw(st.sampled_from([("Ann Lee", "Bob"), (None,)]))
    return [
        Segment(
            start=times[i] / 1000,
            end=times[i + 1] / 1000,
            speaker=draw(st.sampled_from(speakers)),
            text="so " + " ".join(draw(WORDS)) + f" {i}.",
        )
        for i in range(count)
    ]


@given(spoken())
def test_vtt_round_trip(segments: list[Segment]) -> None:
    assert list(parse(to_vtt(segments)).segments) == segments


@given(spoken())
def test_srt_round_trip(segments: list[Segment]) -> None:
    assert list(parse(to_srt(segments)).segments) == segments


@given(spoken())
def test_json_round_trip(segments: list[Segment]) -> None:
    # JSON knows no escape for markup, and publishers do put `<b>` into it.
    plain = [segment.model_copy(update={"text": segment.text.replace("<b>", "bold")}) for segment in segments]
    assert list(parse(to_json(plain)).segments) == plain


def test_writers_golden() -> None:
    segments = [Segment(start=1.0, end=2.5, speaker="Ann", text="A < B & C."), Segment(start=3661.001, speaker=None, text="Yes.")]
    assert to_vtt(segments) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\n<v Ann>A &lt; B &amp; C.\n\n01:01:01.001 --> 01:01:01.001\nYes.\n\n"
    )
    assert to_srt(segments[:1]) == "1\n00:00:01,000 --> 00:00:02,500\nAnn: A &lt; B &amp; C.\n\n"
    assert json.loads(to_json(segments)) == {
        "version": "1.0.0",
        "segments": [
            {"speaker": "Ann", "startTime": 1.0, "endTime": 2.5, "body": "A < B & C."},
            {"startTime": 3661.001, "body": "Yes."},
        ],
    }


def test_captions_need_times() -> None:
    with pytest.raises(PermanentError) as refused:
        to_vtt([Segment(text="Never timed.")])
    assert refused.value.reason == "no_times"


# Real files

REFUSED = {"chapters": {"not_a_transcript"}, "shownotes": {"not_a_transcript"}}


@pytest.mark.corpus
def test_every_file_of_the_corpus_is_read_or_refused(corpus: Path) -> None:
    read: dict[str, Transcript] = {}
    refused: dict[str, str] = {}
    files = sorted(path for path in (corpus / "transcripts").rglob("*") if path.is_file())
    for path in files:
        try:
            read[path.name] = parse_transcript(path.read_bytes(), name=path.name)
        except PermanentError as error:
            refused[f"{path.parent.name}/{path.name}"] = error.reason
    assert len(files) >= 86
    assert set(refused.values()) <= REASONS
    assert {name for name in refused if name.split("/")[0] not in ("chapters", "shownotes")} == {
        "malformed/webvtt_py__invalid_format.sbv",
        "malformed/webvtt_py__invalid_format2.srt",
        "malformed/webvtt_py__no_captions.vtt",
        "real-publisher/bitcointranscripts___index.es.md",
    }
    real = [t for name, t in read.items() if name.startswith(("pythonbytes", "talkpython", "oxide", "changelog", "bitcoin"))]
    assert all(t.words > 1000 for t in real)
    assert len(read["podcast-namespace__example.srt"].segments) == 222
    assert {s.speaker for s in read["podcast-namespace__example.srt"].segments} == {"Travis", "Gilon", "Sarah"}
    assert read["pysrt__windows-1252.srt"].segments == read["pysrt__utf-8.srt"].segments


@pytest.mark.corpus
def test_the_same_episode_in_two_formats_has_the_same_words(corpus: Path) -> None:
    folder = corpus / "transcripts" / "real-publisher"
    vtt = parse_transcript((folder / "talkpython__280-journalism.vtt").read_bytes())
    text = parse_transcript((folder / "talkpython__280-journalism.txt").read_bytes())
    assert abs(vtt.words - text.words) <= 5
    assert abs(len(vtt.segments) - len(text.segments)) <= 5


# Two ways to one result


@given(st.text(alphabet=st.sampled_from(list("ab<>&{}\\N\t \n\x1f\x1c\x85\xa0\u200b\u2028\ufffc\ufeff“é;i/vcn0.")), max_size=40))
def test_the_short_way_of_cleaning_changes_nothing(text: str) -> None:
    # A tag in front leads over the long way.
    assert clean_text(text) == clean_text(f"<i></i>{text}")


def captions_of(text: str, whole: "re.Pattern[str]", monkeypatch: pytest.MonkeyPatch) -> cues.Captions:
    with monkeypatch.context() as patch:
        patch.setattr(cues, "_WHOLE", whole)
        return cues.read_captions(text)


NEVER = re.compile(r"(?!)")
LINES = (
    "Hello there.", "<v Ann>We met.", "42", "NOTE x", "a --> b", "intro", "", "", "00:01.000 --> 00:02.000",
    "00:00:03.000 --> 00:00:09.500 line:0", "10:30 it was", "STYLE", "Kind: captions", "Language: en", " ", "é", "1",
)  # fmt: skip


@given(st.lists(st.sampled_from(LINES), max_size=16))
def test_a_whole_file_needs_no_repair(lines: list[str]) -> None:
    text = "\n".join(["WEBVTT", "", *lines])
    if cues._WHOLE.fullmatch(text):
        with pytest.MonkeyPatch.context() as patch:
            assert cues.read_captions(text) == captions_of(text, NEVER, patch)


@pytest.mark.corpus
def test_the_corpus_whole_files_need_no_repair(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [decode(path.read_bytes())[0] for path in sorted((corpus / "transcripts").rglob("*.vtt"))]
    whole = [text for text in texts if cues._WHOLE.fullmatch(text)]
    assert len(whole) >= 20
    for text in whole:
        assert cues.read_captions(text) == captions_of(text, NEVER, monkeypatch)


def test_a_hostile_file_is_given_up_in_one_pass() -> None:
    for line in ("a\n", "a b\n", "00:01.000 --> 00:02.000\n", "00:01.000 --> 00:02.000\na\n", "\n", " \n", "a --> b\n"):
        assert cues._WHOLE.fullmatch("WEBVTT\n\n" + line * 100_000 + "00:01.000 --> x") is None


@pytest.mark.corpus
def test_another_reader_finds_the_same_cues(corpus: Path) -> None:
    """pysubs2 reads undamaged SRT by itself: as many cues, at the same milliseconds."""
    compared = 0
    for path in sorted((corpus / "transcripts").rglob("*.srt")):
        if "malformed" in path.parts:
            continue
        text = decode(path.read_bytes())[0]
        ours = cues.read_captions(text)
        if ours.warnings or not ours.cues:
            continue
        theirs = pysubs2.SSAFile.from_string(text, format_="srt")
        assert [(round(c.start * 1000), round((c.end or 0) * 1000)) for c in ours.cues] == [(e.start, e.end) for e in theirs], (
            path.name
        )
        compared += 1
    assert compared >= 5
