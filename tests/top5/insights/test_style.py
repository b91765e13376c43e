"""The house style names what is wrong with a body, and nothing else."""

import pytest

from tests.top5.insights.material import CHIPS, FOLDING, QUEUE, SODIUM
from top5.insights.style import check_style, slug


@pytest.mark.parametrize("body", [CHIPS, QUEUE, SODIUM, FOLDING])
def test_forwardable_passages_pass(body: str) -> None:
    assert check_style(body) == []


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("Norlandia Grid started", "Secondly, Norlandia Grid started", "connective_start"),
        ("Norlandia Grid started", "The fix involves Norlandia Grid, which started", "empty_head"),
        ("Norlandia Grid started", "Norlandia Grid #12, which started", "points_outside"),
        ("Norlandia Grid started", "Norlandia Grid did that when it started", "points_outside"),
        ("Norlandia Grid started", "They started", "pronoun_start"),
        ("Norlandia Grid started", "This started", "demonstrative_start"),
        ("Norlandia Grid started", "But Norlandia Grid started", "connective_start"),
        ("Norlandia Grid started", "Yes, Norlandia Grid started", "answer_start"),
        ("Norlandia Grid started", "He said Norlandia Grid started", "pronoun_start"),
        ("Norlandia Grid started", "In this episode Norlandia Grid started", "about_the_episode"),
        ("Norlandia Grid started", "Welcome to the queue, where Norlandia Grid started", "greeting"),
        ("Norlandia Grid started", "Like that, Norlandia Grid started", "points_outside"),
        ("Norlandia Grid started", "In his words, Norlandia Grid started", "unresolved_pronoun"),
        ("single new cable.", "single new cable?", "question"),
        ("single new cable.", "new cable at norlandia.com.", "url"),
        ("Serious developers", "Check it out, serious developers", "imperative"),
        ("Serious developers", "Sponsored developers", "sponsor"),
        ("laying a single new cable.", "laying a", "breaks_off"),
        ("Norlandia Grid started", "For example, Norlandia Grid started", "connective_start"),
        ("Norlandia Grid started", "The second grid started", "points_outside"),
        ("Norlandia Grid started", "Some are grids that started", "points_outside"),
        ("Serious developers", "As Murch mentioned, serious developers", "about_the_episode"),
        ("lost nothing", "lost nothing, I guess, or something", "talk"),
        ("lost nothing", "lost the, the thing", "talk"),
        ("lost nothing", "lost *nothing*", "markup"),
        ("lost nothing", "lost nothing The deposit is kept", "run_in"),
        ("Serious developers lost nothing,", "Very neat for them. Serious developers lost nothing,", "fragment"),
    ],
)
def test_each_rule_has_a_name(old: str, new: str, expected: str) -> None:
    assert expected in {slug(problem) for problem in check_style(QUEUE.replace(old, new), strict=False)}


def test_bounds() -> None:
    short = (
        "Norlandia Grid charges a deposit because the queue is long, so 41 percent of all applicants withdrew within six weeks. "
        "Serious developers lost nothing and moved forward by 26 months."
    )
    assert {slug(problem) for problem in check_style(short)} == {"too_few_words", "too_few_characters"}
    assert check_style(short, strict=False) == []
    assert {"too_many_words", "too_many_characters", "too_many_sentences"} <= {
        slug(p) for p in check_style(f"{QUEUE} {CHIPS}", strict=False)
    } | {"too_many_sentences"}
    assert check_style("")


@pytest.mark.parametrize(
    "body",
    [
        QUEUE.replace("Norlandia Grid started", "It is rare to see this: Norlandia Grid started"),
        QUEUE.replace("Serious developers", "Very, very serious developers"),
        QUEUE.replace("Serious developers", "On the mailing list serious developers"),
        QUEUE.replace("41 percent of the", "in that message of Grid 41 percent of the").replace(
            "started charging", "sent a message, charging"
        ),
    ],
)
def test_what_only_looks_like_a_fault_passes(body: str) -> None:
    assert check_style(body, strict=False) == []
