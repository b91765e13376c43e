"""What is no content is marked; talk about it is not."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.transcripts.model import Segment
from top5.transcripts.sponsors import mark

FILLER = ["Pumps fail in winter.", "Valves stick, because seals shrink.", "The fix costs a third of the line."] * 8


def kinds(*texts: str, speaker: str | None = "ANN") -> list[str | None]:
    marks = mark([Segment(speaker=speaker, text=text) for text in texts])
    return [found.kind if found else None for found in marks]


def inside(*texts: str) -> list[str | None]:
    """The kinds of `texts` spoken in the middle of an episode."""
    return kinds(*FILLER, *texts, *FILLER)[len(FILLER) : -len(FILLER)]


@pytest.mark.parametrize(
    "text",
    [
        "This episode is brought to you by Larkrack.",
        "Today's show is sponsored by our friends at Bellhop.",
        "And now a quick word from our sponsor.",
        "Thanks to Pellow for sponsoring this episode.",
        "Use promo code SIGNAL for your first week free.",
        "Enter the code TALL at checkout.",
        "Go to larkrack dot com slash signal to sign up.",
        "Head over to larkrack.com slash signal.",
        "Support for this podcast comes from the Foundation.",
    ],
)
def test_sponsor_reads(text: str) -> None:
    assert inside(text) == ["sponsor"]


@pytest.mark.parametrize(
    "text",
    [
        "Please leave us a five-star review.",
        "Subscribe to our newsletter.",
        "Rate and review us on Apple Podcasts.",
        "Like and subscribe.",
        "Tell a friend.",
    ],
)
def test_house_promotion(text: str) -> None:
    assert inside(text) == ["promo"]


@pytest.mark.parametrize(
    "text",
    [
        "The race was sponsored by a tobacco firm, which is why the rule changed.",
        "Sponsors left the league because ratings fell by a third.",
        "Discount codes train customers to wait, so margins fall.",
        "A promo code in an advertisement tells you which channel sold.",
        "We use code review to spread knowledge.",
        "They use code generation for half of the tests.",
        "Peer review slows science down, and newsletters speed rumours up.",
        "People subscribe to the paper because of the crossword.",
        "Half of the free trials never convert.",
        "Amazon dot com lost money for nine years.",
        "Suppliers fund two thirds of every promotion in a supermarket.",
        "The listener pays with attention; the sponsor pays with money.",
        "I'd go to the moon for that margin.",
        "Retention fell after they added a referral code to the app.",
    ],
)
def test_talk_about_it_is_content(text: str) -> None:
    assert inside(text) == [None]


def test_a_read_goes_on_while_it_sells() -> None:
    texts = [
        "Before we go on, a short break.",
        "This episode is brought to you by Larkrack.",
        "Larkrack rents you a rack by the week.",
        "Their hands are quick and their fans are quiet.",
        "Sign up at larkrack dot example for ten percent off.",
        "So, back to decode: memory is the limit.",
        "Bandwidth doubles every four years.",
    ]
    assert inside(*texts) == ["sponsor"] * 5 + [None] * 2


def test_a_read_ends_with_its_speaker() -> None:
    segments = [
        Segment(speaker="ANN", text="This episode is brought to you by Larkrack."),
        Segment(speaker="BOB", text="Larkrack is also where my first server burned."),
    ]
    filler = [Segment(speaker="BOB", text=text) for text in FILLER]
    found = mark([*filler, *segments, *filler])
    assert [bool(item) for item in found].count(True) == 1


def test_greetings_and_goodbyes_only_at_the_edges() -> None:
    texts = [
        "Hello and welcome to The Load Curve.",
        *FILLER,
        "Thanks for having me on the board, she said.",
        *FILLER,
        "Thanks for listening.",
        "Bye!",
    ]
    found = kinds(*texts)
    assert found[0] == "greeting"
    assert found[-2:] == ["outro", "outro"]
    assert set(found[1:-2]) == {None}


def test_a_sentence_over_several_cues_marks_them_all() -> None:
    cues = ["This episode is", "brought to you by", "Larkrack.", "Memory is the limit", "and stays it."]
    segments = [Segment(start=600.0 + i, end=601.0 + i, text=text) for i, text in enumerate(cues)]
    filler = [Segment(start=400.0 + i, end=401.0 + i, text=text) for i, text in enumerate(FILLER)]
    after = [Segment(start=700.0 + i, end=701.0 + i, text=text) for i, text in enumerate(FILLER)]
    found = mark([*filler, *segments, *after], total=1200.0)[len(filler) : len(filler) + len(cues)]
    assert [item.kind if item else None for item in found] == ["sponsor"] * 3 + [None] * 2


def test_a_long_turn_with_a_short_read_stays() -> None:
    assert kinds(" ".join([*FILLER, "This episode is brought to you by Larkrack.", *FILLER])) == [None]


@given(
    st.lists(
        st.tuples(st.sampled_from([*FILLER[:3], "Use promo code X1.", "Bye.", "", "a.com"]), st.sampled_from(["A", None])),
        max_size=30,
    )
)
def test_one_mark_or_none_for_each_segment(rows: list[tuple[str, str | None]]) -> None:
    found = mark([Segment(text=text, speaker=speaker) for text, speaker in rows])
    assert len(found) == len(rows)
    assert all(item is None or (0 < item.score <= 1 and item.rule) for item in found)


STORY = [
    "Every Friday the old pump ran dry.",
    "My neighbour tried to fix it twice.",
    "You can imagine the smell.",
    "One evening we gave up.",
    "And then the lights came on.",
]


def test_a_read_that_tells_a_story_is_one_read() -> None:
    """Between "about our sponsor" and the thanks nothing sells, and all of it is the read."""
    texts = ["Let me tell everyone about our sponsor.", *STORY * 4, "Thank you to Larkrack for supporting the show."]
    assert inside(*texts) == ["sponsor"] * len(texts)
    asked = ["Let me tell you about our sponsor, Larkrack.", *STORY * 3, "Please use that link, so they know you came from us."]
    assert kinds(*FILLER, *FILLER, *asked, *FILLER)[2 * len(FILLER) : -len(FILLER)] == ["sponsor"] * len(asked)


def test_a_read_ends_with_the_voice_or_the_sponsor_that_began_it() -> None:
    segments = [Segment(speaker="ANN", text=text) for text in (*FILLER, "Let me tell you about our sponsor, Larkrack.")]
    segments += [Segment(speaker="BOB", text=text) for text in STORY]
    segments += [Segment(speaker="ANN", text="Thank you to Larkrack for supporting the show.")]
    segments += [Segment(speaker="ANN", text=text) for text in FILLER]
    marks = mark(segments)
    assert not any(found for found, segment in zip(marks, segments, strict=True) if segment.speaker == "BOB")
    two = ["This episode is brought to you by Larkrack.", *STORY * 2, "Thank you to Bellhop for sponsoring the show."]
    assert inside(*two)[1:-1] == [None] * len(STORY) * 2


def test_what_is_announced_at_the_head_is_read_later() -> None:
    texts = ["This episode is brought to you by Larkrack.", "We will tell you more about them later.", *STORY, *FILLER]
    found = kinds(*texts, "If you use that link, the page shows the numbers.", *FILLER)
    assert found[:2] == ["sponsor", "sponsor"]
    assert found[2:] == [None] * (len(texts) - 2 + 1 + len(FILLER))


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("This episode is brought to you by us.", "promo"),
        ("We do have a sponsor today.", "sponsor"),
        ("They are big supporters of the show.", "sponsor"),
        ("We will talk about them more later in the show.", "sponsor"),
        ("If you want to connect with us, we are on Mastodon.", "promo"),
        ("You can be part of the live audience on YouTube.", "promo"),
        ("And thank you to our Patreon supporters.", "promo"),
        ("I will say more about that later.", None),
        ("The utility connects with its regulators on a platform.", None),
        ("Supporters of the plant thanked the mayor.", None),
        ("The sponsor of the bill talked about the pumps.", None),
        ("They became part of the audience for live opera.", None),
    ],
)
def test_words_of_the_house_and_words_like_them(text: str, kind: str | None) -> None:
    assert inside(text) == [kind]


# The house's own, as captions have it: no speakers, other words each week

HEAD = [
    "Hello and welcome to Pump Weekly.",
    "This episode is sponsored by Larkrack.",
    "Listen to their portion later in the episode.",
    "If you would like to reach us, we are all on Mastodon.",
    "A few of you do that.",
    "And it is fun.",
    "We record Mondays at 10 a.m. Pacific time, and you can watch us live.",
    "That is that.",
    "So what do you have for us first?",
]


def captions(*texts: str) -> list[str | None]:
    marks = mark([Segment(start=4.0 * number, end=4.0 * number + 4, text=text) for number, text in enumerate(texts)])
    return [found.kind if found else None for found in marks]


def test_the_head_of_a_show_is_the_house_s_until_the_first_topic() -> None:
    found = captions(*HEAD, *FILLER * 4)
    assert found[:2] == ["greeting", "sponsor"]
    assert set(found[2:8]) <= {"sponsor", "promo"}
    assert set(found[8:]) == {None}


def test_an_own_product_is_sold_as_long_as_it_is_spoken_of() -> None:
    pitch = [
        "I have three new courses coming out this week.",
        "One is about valves.",
        "You can sign up for the course now.",
    ]
    found = captions(*FILLER * 3, *pitch, *FILLER * 3)
    assert found[3 * len(FILLER) : 3 * len(FILLER) + 3] == ["promo"] * 3
    assert set(found[3 * len(FILLER) + 3 :]) == {None}


@pytest.mark.parametrize(
    "text",
    [
        "The university sells courses because its grants ran out.",
        "Of course we have a rule for that, and it is out of date.",
        "She wrote a book about sales that came out in May.",
        "The newsletter of the bank made the mailing list a product.",
        "They record it live, which is why the audience pays.",
    ],
)
def test_what_others_sell_is_content(text: str) -> None:
    assert captions(*FILLER * 3, text, *FILLER * 3) == [None] * (6 * len(FILLER) + 1)


def test_where_nobody_punctuates_a_read_does_not_swallow_the_episode() -> None:
    cues = ["memory is the limit and stays it", "bandwidth doubles every four years"] * 150
    found = captions(*cues[:100], "this episode is brought to you by larkrack use promo code signal", *cues[100:])
    assert found[100] == "sponsor"
    assert found.count(None) > 150


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["a" * 300_000, "a." * 150_000, "we have " + "a-" * 150_000, "@" * 300_000])
def test_hostile_words_take_no_hour(text: str) -> None:
    assert len(mark([Segment(text=text)] * 3)) == 3


@pytest.mark.corpus
def test_real_episodes(corpus: Path) -> None:
    """Python Bytes reads a sponsor in most episodes; the optech recaps never do."""
    counts: dict[str, int] = {}
    for show, limit in (("pythonbytes", 30), ("optech", 30)):
        episodes = (corpus / "shows" / show / "episodes.jsonl").read_text("utf-8").splitlines()[:limit]
        for episode in (json.loads(line) for line in episodes):
            segments = [Segment(start=s["start"], speaker=s["speaker"], text=s["text"]) for s in episode["segments"]]
            counts[show] = counts.get(show, 0) + any(found and found.kind == "sponsor" for found in mark(segments))
    # In the others the hosts are "brought to you by us".
    assert counts["pythonbytes"] >= 14
    assert counts["optech"] == 0
