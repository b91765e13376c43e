"""What is added to the words: chapters, speakers, transcripts in notes, repeated words, hot words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.errors import PermanentError
from top5.transcripts.chapters import chapters_in_notes, parse_chapters
from top5.transcripts.embedded import transcript_in_notes
from top5.transcripts.hotwords import hot_words
from top5.transcripts.model import Segment
from top5.transcripts.repeats import fingerprint, mark_repeats
from top5.transcripts.speakers import introduced, name_speakers
from top5.transcripts.sponsors import mark

# Chapters


def test_chapters_as_json() -> None:
    body = b"""{"version": "1.2.0", "chapters": [{"startTime": 90, "title": "Pumps <b>fail</b>", "url": "javascript:x"},
      {"startTime": 0, "title": "Intro", "url": "https://a.example/"}, {"startTime": 50, "toc": false, "title": "Picture"},
      {"startTime": "x", "title": "bad"}, {"startTime": 200.5, "endTime": 210, "title": "End"}, 7]}"""
    found = parse_chapters(body)
    assert [(c.start, c.end, c.title, c.url) for c in found] == [
        (0.0, 90.0, "Intro", "https://a.example/"), (90.0, 200.5, "Pumps fail", None), (200.5, 210.0, "End", None),
    ]  # fmt: skip


def test_chapters_as_podlove() -> None:
    body = b"""<psc:chapters version="1.2" xmlns:psc="http://podlove.org/simple-chapters">
      <psc:chapter start="00:00:00.000" title="Hallo" /><psc:chapter start="3:07" title="Frage" href="https://a.example/x"/>
      <psc:chapter start="1:02:03.5" title="Ende"/></psc:chapters>"""
    assert [(c.start, c.title) for c in parse_chapters(body)] == [(0.0, "Hallo"), (187.0, "Frage"), (3723.5, "Ende")]


def test_chapters_in_show_notes() -> None:
    notes = "<p>We talk.</p><ul><li>00:00 - Intro</li><li>(12:30) The pump</li><li>1:02:00 – 3 questions</li></ul>"
    assert [(c.start, c.end, c.title) for c in chapters_in_notes(notes)] == [
        (0.0, 750.0, "Intro"), (750.0, 3720.0, "The pump"), (3720.0, None, "3 questions"),
    ]  # fmt: skip
    assert chapters_in_notes("<p>00:00 Intro<br>05:10 Heat<br/>06:00 Cold</p>")[1].title == "Heat"
    assert chapters_in_notes(notes, duration=600) == ()
    assert chapters_in_notes("<p>At 12:30 she says it. 1:02:00 was the time.</p>") == ()
    assert chapters_in_notes("<p>12:30 pump</p><p>05:00 valve</p><p>20:00 seal</p>") == ()


@pytest.mark.parametrize("body", [b"{}", b"[1]", b'{"chapters": 3}', b"<rss/>", b"<", b"{" * 5000, b"plain words"])
def test_what_is_no_chapters_file(body: bytes) -> None:
    with pytest.raises(PermanentError) as failed:
        parse_chapters(body)
    assert failed.value.reason == "not_chapters"


@pytest.mark.corpus
def test_the_corpus_chapters(corpus: Path) -> None:
    files = sorted((corpus / "transcripts" / "chapters").glob("*.json"))
    assert len(files) == 12
    for path in files:
        found = parse_chapters(path.read_bytes())
        assert len(found) >= 2, path.name
        assert [c.start for c in found] == sorted(c.start for c in found)


# A transcript in the notes

TALK = [
    f"The pump number {n} failed in winter because its seal had shrunk, and nobody had replaced it since spring."
    for n in range(60)
]


def turns(count: int) -> str:
    return "".join(f"<p><strong>{'Swyx' if n % 2 else 'Ann Roe'}</strong> [00:{n:02d}:10]: {TALK[n]}</p>" for n in range(count))


def test_a_newsletter_s_transcript_is_read_from_its_item() -> None:
    notes = f"<p>In this post we talk about pumps. {'More. ' * 300}</p><h2>Show notes</h2><ul><li>Pump</li></ul><h2>Full Transcript</h2>"
    found = transcript_in_notes(f"{notes}{turns(30)}<h3>Subscribe</h3><p>Get this in your inbox.</p>")
    assert found is not None
    assert len(found.segments) == 30
    assert {segment.speaker for segment in found.segments} == {"Swyx", "Ann Roe"}
    assert found.segments[1].start == 70.0
    assert "inbox" not in found.segments[-1].text
    assert transcript_in_notes(turns(60)) is not None


def test_notes_and_essays_are_no_transcripts() -> None:
    essay = "".join(f"<p>{text}</p>" for text in TALK)
    assert transcript_in_notes(essay) is None
    assert transcript_in_notes(f"<h2>Transcript</h2><p>Soon on our page.</p>{'<p></p>' * 400}") is None
    assert transcript_in_notes(f"<h2>Transcript</h2>{essay}") is None
    assert transcript_in_notes("") is None


@given(st.text(max_size=3000))
def test_any_notes_can_be_looked_through(notes: str) -> None:
    transcript_in_notes(notes + "<p>" * 800)
    chapters_in_notes(notes)
    assert len(hot_words("t", "s", ["A B"], notes)) <= 300


# Speakers


def said(*pairs: tuple[str | None, str]) -> list[Segment]:
    return [Segment(speaker=speaker, text=text) for speaker, text in pairs]


def speakers(segments: list[Segment], people: list[str], title: str = "") -> list[str | None]:
    return [segment.speaker for segment in name_speakers(segments, people, title=title)]


def test_a_voice_that_says_who_it_is() -> None:
    talk = said(
        ("Speaker 1", "Welcome. I'm Ann Roe."), ("Speaker 2", "Hi. My name is Bo Strand, glad to be here."), ("Speaker 1", "So.")
    )
    assert speakers(talk, ["Ann Roe"], "Bo Strand on pumps") == ["Ann Roe", "Bo Strand", "Ann Roe"]
    # The feed knows nobody: what a transcript hears is no proof of a name.
    assert speakers(talk, []) == ["Speaker 1", "Speaker 2", "Speaker 1"]


def test_two_voices_with_one_name_stay_unnamed() -> None:
    talk = said(("SPEAKER_00", "I'm Ann Roe."), ("SPEAKER_01", "I'm Ann Roe."))
    assert speakers(talk, ["Ann Roe"]) == ["SPEAKER_00", "SPEAKER_01"]
    assert speakers(said(("Speaker 1", "I'm Ann Roe. I'm Bo Strand.")), ["Ann Roe", "Bo Strand"]) == ["Speaker 1"]
    assert introduced("She said that I'm Ann Roe") is None


def test_first_names_and_initials_are_completed_where_one_person_fits() -> None:
    talk = said(("Adam", "Yes."), ("JS", "No."), ("Chris", "Well."))
    people = ["Adam Stacoviak", "Jerod Santo", "Chris Benson", "Chris Coyier"]
    assert speakers(talk, people) == ["Adam Stacoviak", "Jerod Santo", "Chris"]


def test_without_labels_only_the_words_that_prove_it() -> None:
    talk = said((None, "Hello, I'm Ann Roe."), (None, "Heat is the limit."))
    assert speakers(talk, ["Ann Roe"]) == ["Ann Roe", None]


# Repeated words

SLOGAN = "Remember that all of this is for your information only and nothing here is meant as financial advice to anybody."


def test_what_other_episodes_say_too_is_marked() -> None:
    first = [Segment(text=text) for text in [*TALK[:10], SLOGAN]]
    second = [
        Segment(text=f"On day {n} the valve closed at {n * 7 % 24} and {n * 3} litres of oil ran into tank {n}.")
        for n in range(10)
    ]
    second.insert(4, Segment(text=SLOGAN.upper()))
    found = mark_repeats(second, [fingerprint(first)])
    assert [segment.repeated for segment in found].index(True) == 4
    assert sum(segment.repeated for segment in found) == 1
    marks = mark(found)
    assert marks[4] is not None
    assert marks[4].kind == "repeat"
    assert "repeated" not in found[0].model_dump()


def test_an_episode_published_twice_marks_nothing() -> None:
    first = [Segment(text=text) for text in TALK]
    assert not any(segment.repeated for segment in mark_repeats(first, [fingerprint(first)]))
    assert mark_repeats(first, []) == first


def test_music_labels() -> None:
    labels = [
        "[Music]",
        "♪ ♪",
        "(upbeat music playing)",
        "Outro: \\[01:53:10\\] - \\[01:54:40\\]",
        "Music industry sales fell by a third.",
    ]
    found = mark([Segment(text=text) for text in labels])
    assert [bool(item) and item.kind == "music" for item in found] == [True, True, True, True, False]


# Hot words


def test_hot_words() -> None:
    notes = (
        '<p>We talk with <b>Ines Kallaway</b> of Corvanta about GPT-5 and <a href="https://x.example/LongAddress">OpenAI</a>.</p>'
    )
    found = hot_words("Why Cerebras wins", "Signal Path", ["Mara Oyelaran"], notes)
    assert found.split(", ")[:2] == ["Mara Oyelaran", "Signal Path"]
    assert {"Ines Kallaway", "Corvanta", "GPT-5", "OpenAI", "Cerebras"} <= set(found.split(", "))
    assert "LongAddress" not in found
