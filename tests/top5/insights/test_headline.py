"""Headlines: verbatim, short, with actor and verb."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.top5.insights.material import CHIPS, FOLDING, QUEUE, SODIUM
from top5.insights.headline import headline
from top5.insights.sentences import split_text


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (CHIPS, "Corventa runs its inference chips at 350 watts instead of 1,000"),
        (QUEUE, "Norlandia Grid started charging a refundable deposit of 20,000 dollars"),
        (SODIUM, "Helic's sodium cells will not cost less than lithium iron phosphate"),
        (
            "Doubling a large battery from two hours to four raises construction costs by about 70 percent but annual revenue by only 35.",
            "Doubling a large battery from two hours to four raises construction costs",
        ),
        # The main clause, not the reason or the concession beside it.
        (
            "Wider tyres protect the topsoil beautifully while the subsoil underneath gets crushed for decades.",
            "Wider tyres protect the topsoil beautifully",
        ),
        (
            "Cheap chargers still sell very well, because buyers hardly ever measure what they waste.",
            "Cheap chargers still sell very well",
        ),
        # A relative clause is no statement: its sentence is cut, and shows it.
        (
            "The algorithms that you would use to protect the model from drift and from noise are different.",
            "The algorithms that you would use to protect the model from drift…",
        ),
        ("The price of a cell is a decision that a maker of large batteries takes alone.", "The price of a cell is a decision…"),
        (
            "Codes that demand six metres between containers raise project costs.",
            "Codes that demand six metres between containers raise project costs",
        ),
        # What was spoken of before says little alone: the opening of a longer clause says more, cut where nobody waits for the next word.
        (
            "Certificates lasting a full year fail more painfully than certificates lasting thirty days. Arborcare moved to automatic monthly "
            "renewal, and three failures surfaced within ten weeks, each caught while the previous certificate still had ten days remaining.",
            "Certificates lasting a full year fail more painfully…",
        ),
        # A whole statement beats a better opening.
        (
            "Second-hand servers now sell for about 46 percent of their original price after three years on the racks. "
            "Buyers want the memory modules rather than the processors, because memory ages more slowly.",
            "Buyers want the memory modules rather than the processors",
        ),
        # What needs its "to" is not cut before it without a sign.
        (
            "Eclair adds the ability of every single small home node to pay a provider.",
            "Eclair adds the ability of every single small home node…",
        ),
        (
            "Intel and other vendors of processors are starting to push environments of their own making into products.",
            "Intel and other vendors of processors are starting to push environments…",
        ),
        (
            "Outputs of the first version were not allowed to be bigger than 10,000 bytes.",
            "Outputs of the first version were not allowed to be bigger…",
        ),
        ("Obviously the counterparty would not proceed with any announcement of a new channel.", None),
        ("Bound by rules, of course.", None),
        ("", None),
    ],
)
def test_golden_headlines(body: str, expected: str | None) -> None:
    assert headline(split_text(body)) == expected


def test_a_condition_is_never_cut_from_a_fact() -> None:
    assert headline(["The plant pays its debt in full only if the price stays."]) != "The plant pays its debt in full"


@given(st.lists(st.sampled_from([*CHIPS.split(), *FOLDING.split(), "because", "if", "the", "and,"]), max_size=30).map(" ".join))
def test_any_words_give_a_short_verbatim_stretch_or_nothing(text: str) -> None:
    found = headline([text])
    if found is not None:
        assert len(found.split()) <= 12
        assert found.removesuffix("…").lower() in text.lower()
        assert found[-1] not in ",;: "
        assert found.removesuffix("…").split()[-1].lower() not in ("the", "of", "and", "with", "because")
