"""From rows to a digest: order, the sentence on a short day, harmless texts and links, and differences between revisions."""

import random
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from tests.top5.digests import samples
from tests.top5.digests.samples import DAY, LEDGER, PICKS, REPEATS, pick
from top5.digests.compose import Counts, Dropped, compose, diff, harmless, inputs_hash, left_out_words, visible_text, web_link
from top5.digests.model import Digest, LeftOut
from top5.errors import PermanentError
from top5.insights.model import Quote

COUNTS = Counts(episodes_considered=14, shows_considered=9, candidates_considered=61)


def composed(n: int = 0, counts: Counts = COUNTS, ledger: tuple[LeftOut, ...] = ()) -> Digest:
    return compose(DAY, [pick(rank) for rank in range(1, n + 1)], ledger, counts)


def test_the_order_of_rows_does_not_matter() -> None:
    picks, ledger = list(PICKS), list(LEDGER)
    random.Random(5).shuffle(picks)
    ledger.reverse()
    assert picks != list(PICKS)
    assert compose(DAY, picks, ledger, COUNTS) == compose(DAY, PICKS, LEDGER, COUNTS)


def test_ranks_are_closed_up_and_cut_at_the_size() -> None:
    digest = compose(DAY, [pick(rank) for rank in (9, 2, 4)], (), COUNTS, size=2)
    assert [(insight.rank, insight.insight_id) for insight in digest.insights] == [(1, "insight-2"), (2, "insight-4")]
    assert digest.short_because is None


def test_rows_may_be_mappings_with_columns_of_their_own() -> None:
    row = PICKS[0].model_dump() | {"dbt_loaded_at": "now"}
    digest = compose(
        DAY,
        [row],
        [{"state": "pending", "reason": "transcript_not_found", "episodes": 1}],
        {"episodes_considered": 1, "shows_considered": 1, "candidates_considered": 1},
    )
    assert digest == compose(
        DAY, PICKS[:1], [LEDGER[2].model_copy(update={"episodes": 1})],
        Counts(episodes_considered=1, shows_considered=1, candidates_considered=1),
    )  # fmt: skip


class _Mart(BaseModel):
    """Rows as the warehouse hands them over, under its own names."""

    model_config = ConfigDict(extra="allow")


def test_rows_of_the_warehouse_are_taken_as_they_are() -> None:
    first = PICKS[0].model_dump()
    renamed = {"show_title": first.pop("show"), "published_at": first.pop("published"), "is_late": first.pop("late")}
    also = (
        {"show_title": "Chip Talk", "day": DAY},
        {"show_title": "Rack & Row", "day": DAY},
        {"show_title": "Chip Talk", "day": DAY},
    )
    row = _Mart(**first | renamed | {"also_in": also, "claim_type": "mechanism"})
    ledger = [_Mart(state="pending", reason="transcript_not_found", episode_id=str(number)) for number in range(2)]
    fates = [
        {"fate": "below_floor", "candidates": 2},
        {"fate": "chosen", "candidates": 1},
        {"fate": "outranked", "candidates": 1},
    ]
    digest = compose(DAY, [row], ledger, _Mart(episodes_considered=1, shows_considered=1, candidates=4, fates=fates, left_out=[]))
    assert digest.insights == compose(DAY, PICKS[:1], (), COUNTS).insights
    assert digest.left_out == (LeftOut(state="pending", reason="transcript_not_found", episodes=2),)
    assert digest.short_because == (
        "Only 1 of 4 candidates from 1 episode was chosen: 2 fell below the quality floor and 1 ranked lower; "
        "2 episodes wait for their transcripts."
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [({"headline": None}, "'headline'"), ({"score": float("nan")}, "'score'"), ({"quotes": [{"text": "x"}]}, "'quotes.0.start'")],
)
def test_a_row_that_lacks_something_is_named(change: dict[str, object], words: str) -> None:
    with pytest.raises(PermanentError, match=words) as caught:
        compose(DAY, [PICKS[0].model_dump() | change], (), COUNTS)
    assert caught.value.reason == "bad_pick"


def test_one_insight_picked_twice_is_refused() -> None:
    with pytest.raises(PermanentError, match="picked twice"):
        compose(DAY, [pick(1), pick(2, insight_id="insight-1")], (), COUNTS)


def test_times_are_utc_and_start_is_the_first_quotes() -> None:
    zone = timezone(timedelta(hours=2))
    digest = compose(
        DAY,
        [
            pick(1, published=datetime(2026, 5, 4, 1, 0, tzinfo=zone), quotes=(Quote(text="a", start=3.5, end=4.0),)),
            pick(2, published=datetime(2026, 5, 4, 1, 0)),  # noqa: DTZ001 - SQL gives UTC without a zone
        ],
        (),
        COUNTS,
    )
    first, second = digest.insights
    assert first.published == datetime(2026, 5, 3, 23, 0, tzinfo=UTC)
    assert second.published == datetime(2026, 5, 4, 1, 0, tzinfo=UTC)
    assert (first.start, second.start) == (3.5, None)


@pytest.mark.parametrize(
    ("chosen", "counts", "ledger", "sentence"),
    [
        (
            2, Counts(episodes_considered=2, shows_considered=2, candidates_considered=14),
            (LeftOut(state="pending", reason="transcript_not_found", episodes=1),),
            "Only 2 of 14 candidates from 2 episodes stood on their own and cleared the quality floor; "
            "1 episode waits for its transcript.",
        ),
        (
            2,
            Counts(
                episodes_considered=2, shows_considered=2, candidates_considered=14,
                dropped=(Dropped(reason="below_floor", candidates=12), Dropped(reason="chosen", candidates=2)),
            ),
            (),
            "Only 2 of 14 candidates from 2 episodes stood on their own and cleared the quality floor.",
        ),
        (
            1, Counts(episodes_considered=1, shows_considered=1, candidates_considered=3), (),
            "Only 1 of 3 candidates from 1 episode stood on its own and cleared the quality floor.",
        ),
        (
            0, Counts(episodes_considered=3, shows_considered=2, candidates_considered=8), (),
            "None of 8 candidates from 3 episodes stood on its own and cleared the quality floor.",
        ),
        (
            3,
            Counts(
                episodes_considered=4, shows_considered=2, candidates_considered=14,
                dropped=(
                    Dropped(reason="below_floor", candidates=8), Dropped(reason="already_told", candidates=2),
                    Dropped(reason="show_cap", candidates=0), Dropped(reason="odd_thing", candidates=1),
                ),
            ),
            (),
            "Only 3 of 14 candidates from 4 episodes were chosen: 8 fell below the quality floor, "
            "2 said what an earlier digest had said and 1 fell away (odd thing).",
        ),
        (
            2, Counts(episodes_considered=1, shows_considered=1, candidates_considered=2), (),
            "Only 2 candidates came out of 1 episode, and both stand here.",
        ),
        (
            0, Counts(episodes_considered=2, shows_considered=1, candidates_considered=0), (),
            "2 episodes were read, but no passage stood on its own and could be proven.",
        ),
        (
            0, Counts(episodes_considered=0, shows_considered=0, candidates_considered=0), (),
            "No new episode came out, so there was nothing to choose from.",
        ),
        (
            0, Counts(episodes_considered=0, shows_considered=0, candidates_considered=0),
            (
                LeftOut(state="pending", reason="transcript_not_found", episodes=3),
                LeftOut(state="deferred", reason="budget_spent", episodes=1),
                LeftOut(state="rejected", reason="too_short", episodes=1),
            ),
            "No episode could be read today; 3 episodes wait for their transcripts; "
            "1 episode waits for tomorrow: today's budget is spent.",
        ),
    ],
)  # fmt: skip
def test_a_short_digest_says_why(chosen: int, counts: Counts, ledger: tuple[LeftOut, ...], sentence: str) -> None:
    assert composed(chosen, counts, ledger).short_because == sentence


def test_a_full_digest_makes_no_excuses() -> None:
    assert composed(5).short_because is None


@pytest.mark.parametrize(
    ("state", "reason", "episodes", "words"),
    [
        ("pending", "transcript_not_found", 2, "2 episodes wait for their transcripts"),
        ("given_up", "transcript_not_found", 1, "1 episode never got a transcript"),
        ("given up", "transcript not found", 1, "1 episode never got a transcript"),
        ("rejected", "transcript_not_found", 1, "1 episode has no transcript"),
        ("considered", "below_floor", 2, "2 episodes held nothing above the quality floor"),
        ("considered", "outranked", 2, "2 episodes were read, but others ranked higher"),
        ("rejected", "no_speech_model", 1, "1 episode has no published transcript, and no speech model is installed"),
        ("considered", "ranked_lower", 7, "7 episodes were read, but others ranked higher"),
        ("rejected", "repeat_loops", 1, "1 episode has a transcript that repeats itself in loops"),
        ("rejected", "repetitive", 2, "2 episodes have transcripts that repeat themselves"),
        ("rejected", "low_confidence", 1, "1 episode was heard too badly to be trusted"),
        ("rejected", "inaudible", 2, "2 episodes are inaudible in too many places"),
        ("deferred", "audio_limit", 2, "2 episodes wait for tomorrow: today's listening time is used up"),
        ("given_up", "audio_limit", 1, "1 episode never fitted into a day's minutes of listening"),
        ("pending", "moon_phase", 2, "2 episodes are not ready yet (moon phase)"),
        ("mystery", "moon_phase", 1, "1 episode is left out (moon phase)"),
        ("", "", 3, "3 episodes are left out"),
    ],
)
def test_left_out_in_words(state: str, reason: str, episodes: int, words: str) -> None:
    assert left_out_words(LeftOut(state=state, reason=reason, episodes=episodes)) == words


def test_the_account_leaves_out_what_is_in_adds_up_and_has_an_order() -> None:
    items = (
        LeftOut(state="given_up", reason="timeout", episodes=1),
        LeftOut(state="included", reason="chosen", episodes=5),
        LeftOut(state="pending", reason="timeout", episodes=1),
        LeftOut(state="Pending", reason="timeout", episodes=2),
        LeftOut(state="pending", reason="speech_off", episodes=0),
    )
    assert composed(5, ledger=items).left_out == (
        LeftOut(state="pending", reason="timeout", episodes=3),
        LeftOut(state="given_up", reason="timeout", episodes=1),
    )


def test_the_hash_is_of_everything_but_the_revision() -> None:
    first = compose(DAY, PICKS, LEDGER, COUNTS)
    assert compose(DAY, PICKS, LEDGER, COUNTS, revision=7).inputs_hash == first.inputs_hash
    assert first.inputs_hash == inputs_hash(first)
    others = [
        compose(DAY, PICKS[:4], LEDGER, COUNTS),
        compose(DAY, PICKS, LEDGER[:3], COUNTS),
        compose(DAY, PICKS, LEDGER, COUNTS, title="Other"),
        compose(DAY, PICKS, LEDGER, COUNTS, notes=("A note.",)),
        compose(DAY, PICKS, LEDGER, COUNTS.model_copy(update={"shows_considered": 8})),
        compose(DAY + timedelta(days=1), PICKS, LEDGER, COUNTS),
    ]
    assert len({first.inputs_hash, *(other.inputs_hash for other in others)}) == len(others) + 1


def test_the_hash_is_the_same_on_every_machine() -> None:
    assert samples.short().inputs_hash == "8cac17746c61507a226aa54fe3bb255371d27177fde817e2451c1109db0983f9"


def test_composing_makes_texts_and_links_harmless() -> None:
    digest = samples.hostile()
    first, second, third = digest.insights
    assert first.headline.startswith("<script>alert(1)</script> Bcc: everyone@example.com AAAA")
    assert first.episode_title == "gnp.exe zerowidth"
    assert first.speaker == "<b>x</b>[31m"
    assert (first.episode_url, first.audio_url, second.audio_url) == (None, None, None)
    assert second.episode_url == "https://ok.example/a%22onmouseover=%22alert%281%29"
    assert third.audio_url == "https://cdn.example/My%20Episode%20%281%29.mp3"
    assert third.episode_url == "https://xn--e1afmkfd.example/%D1%81%D1%82%D1%80%D0%B0%D0%BD%D0%B8%D1%86%D0%B0"
    assert third.headline == "A family \U0001f468\u200d\U0001f469\u200d\U0001f467 emoji stays whole"
    assert [insight.start for insight in digest.insights] == [None, None, 90061.5]


@pytest.mark.parametrize("digest", [samples.full(), samples.short(), samples.empty(), samples.hostile()])
def test_what_was_composed_is_harmless_already(digest: Digest) -> None:
    assert harmless(digest) == digest


@given(st.text())
@example("a\u202eb\r\nc\u2028d\ud800e\u200b \u200bf\U000e0041")
def test_visible_text_is_one_printable_line(text: str) -> None:
    shown = visible_text(text)
    assert visible_text(shown) == shown
    assert shown == shown.strip() and "  " not in shown
    assert shown.splitlines() in ([], [shown])
    shown.encode("utf-8")
    assert not set(shown) & set(
        "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff\u00ad\x00\x1b\x7f\x9b"
    )


@given(st.text(alphabet="héllo wörld שלום 👩‍👧 12.5%"))
def test_visible_text_changes_no_word(text: str) -> None:
    assert visible_text(text) == " ".join(text.split())


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)", " javascript:alert(1)", "java\nscript:alert(1)", "JAVASCRIPT:alert(1)", "data:text/html,x", "vbscript:x",
        "file:///etc/passwd", "ftp://x.example/a", "//x.example/a", "/a", "x.example/a", "https://", "https:///a", "https://@x.example",
        "https://bank.example@evil.example/", "https://u:p@x.example/", "https://evil.example\\@bank.example/", "https://x.example:99999/",
        "https://x.example:port/", "https://[::1", "https://x\u202e.example/", "https://x.example/\u202e", "https://x.example/\r\nX: y",
        "https://x example/", "https://x.example/" + "a" * 3000, "https://x.example/" + "ü" * 1000, "", None,
    ],
)  # fmt: skip
def test_what_is_no_web_link(url: str | None) -> None:
    assert web_link(url) is None


@pytest.mark.parametrize(
    ("url", "link"),
    [
        ("https://x.example/a?b=c&d=%20#t=1", "https://x.example/a?b=c&d=%20#t=1"),
        (" HTTPS://X.Example:8443/A ", "https://x.example:8443/A"),
        ("http://[::1]:8000/a", "http://[::1]:8000/a"),
        ("https://x.example/a b(c)[d]'\"<>", "https://x.example/a%20b%28c%29%5Bd%5D%27%22%3C%3E"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
    ],
)
def test_web_links(url: str, link: str) -> None:
    assert web_link(url) == link
    assert web_link(link) == link


@given(
    st.one_of(st.text(), st.text().map(lambda text: f"https://x.example/{text}"), st.text().map(lambda text: f"http://{text}"))
)
def test_a_web_link_can_break_out_of_nothing(url: str) -> None:
    link = web_link(url)
    if link is not None:
        assert link.startswith(("http://", "https://"))
        assert link.isascii() and link.isprintable() and not set(link) & set(" \"'<>()`\\{}|^")
        assert web_link(link) == link


def test_no_difference_no_sentence() -> None:
    assert (
        diff(samples.full(), compose(DAY, PICKS, LEDGER, COUNTS, revision=2, repeats=REPEATS, notes=samples.full().notes)) == []
    )


def test_differences_are_sentences() -> None:
    old = samples.full()
    changed = [
        PICKS[1].model_copy(update={"rank": 1}),
        PICKS[0].model_copy(update={"rank": 2}),
        PICKS[2].model_copy(update={"insight_id": "other-id", "headline": "Bakers who read the forecast throw less away"}),
        PICKS[3].model_copy(update={"why": "a number"}),
        pick(5, insight_id="insight-9", headline="Something else"),
    ]
    new = compose(DAY, changed, LEDGER[:3], COUNTS.model_copy(update={"candidates_considered": 62}), revision=2, notes=old.notes)
    assert diff(old, new) == [
        "“Spain's grid failed because protection tripped on voltage, not for want of power” moved from number 2 to number 1.",
        "“Groq keeps model weights in on-chip memory, so answers start in milliseconds” moved from number 1 to number 2.",
        "Number 3 was reworded (headline): “Bakers who read the forecast throw less away”.",
        "What stands around number 4 changed (source, links, remarks or score): "
        "“Sleep debt from one short week takes more than one weekend to repay”.",
        "Number 5 is new: “Something else”.",
        "Number 5 was dropped: “SQLite's authors test every branch, which is why a phone can lose power mid-write”.",
        "Candidates considered: 61 before, 62 now.",
        "What was heard again changed.",
        "The account of what was left out changed.",
    ]


def test_a_digest_that_became_short_says_so() -> None:
    changes = diff(samples.full(), compose(DAY, PICKS[:4], LEDGER, COUNTS, notes=samples.full().notes))
    assert changes[0].startswith("Number 5 was dropped: “SQLite")
    assert changes[1].startswith("The reason for being short now reads: Only 4 of 61 candidates")


@given(st.lists(st.sampled_from(range(5)), unique=True), st.lists(st.sampled_from(range(5)), unique=True))
def test_equal_hashes_and_no_difference_are_one_thing(left: list[int], right: list[int]) -> None:
    def of(order: list[int]) -> Digest:
        return compose(DAY, [PICKS[index].model_copy(update={"rank": rank}) for rank, index in enumerate(order)], LEDGER, COUNTS)

    assert (of(left).inputs_hash == of(right).inputs_hash) == (diff(of(left), of(right)) == [])
