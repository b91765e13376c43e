"""Names: the known mishearings are repaired, right names and everyday words are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.names import LEAST_RIGHT, MOST_WRONG, cases, score
from top5.insights.glossary import Glossary, GlossaryEntry
from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver
from top5.transcripts.model import Segment


def resolver(
    spoken: str,
    notes: str = "",
    people: tuple[str, ...] = (),
    chapters: tuple[str, ...] = (),
    glossary: dict[str, str] | None = None,
) -> NameResolver:
    entries = tuple(GlossaryEntry(written=written, heard=(heard,)) for heard, written in (glossary or {}).items())
    source = EpisodeText(description=notes, people=people, chapters=chapters, segments=(Segment(text=spoken),))
    return NameResolver(source, Glossary(entries=entries))


@pytest.mark.parametrize(
    ("spoken", "notes", "printed"),
    [
        ("We asked Corventa about it.", "<p>Guest from <b>Corvanta</b>.</p>", "We asked Corvanta about it."),
        ("Helic's cells are cheap.", "Cells made by Heliq today", "Heliq's cells are cheap."),
        (
            "It was designed with Fold Right in May.",
            "We discuss Foldwright and proteins.",
            "It was designed with Foldwright in May.",
        ),
        ("The software of Ferro Watt decides.", "Ferrowatt, the grid software", "The software of Ferrowatt decides."),
        ("Ask Calloway.", "<strong>Ines Kallaway</strong> is here", "Ask Kallaway."),
        ("The Tesseli database kept on.", "how Tessaly stores rows", "The Tessaly database kept on."),
        ("I am Tomas Brandwold.", "Host: Tomas Brandvold", "I am Tomas Brandvold."),
        ("Chips by Grok are fast.", "Chips from Groq and others", "Chips by Groq are fast."),
        ("Chips by Cerebrus are big.", "Chips from Cerebras, wafer-sized", "Chips by Cerebras are big."),
        ("We push it to Github now.", "Code is on GitHub", "We push it to GitHub now."),
    ],
)
def test_misheard_names_are_repaired(spoken: str, notes: str, printed: str) -> None:
    repaired, changes = resolver(spoken, notes).repair(spoken)
    assert repaired == printed
    assert len(changes) == 1
    assert changes[0].reason
    assert changes[0].heard in spoken


@pytest.mark.parametrize(
    ("spoken", "notes"),
    [
        ("You fold them, the fold right at the start decides.", "We discuss Foldwright and proteins."),
        ("Fold right here and press.", "We discuss Foldwright and proteins."),
        ("Chips by Grok are fast.", "A talk about chips"),
        ("Chips by Grok and by Groq differ.", "Chips from Groq and others"),
        ("Grok and Groq are two firms.", "We compare Grok with Groq"),
        ("We met Mark in Paris.", "With Jane Marks of Lumen"),
        ("Norwegian grids are old.", "The grids of Norway"),
        ("Most Pythonic code is short.", "A talk on Python"),
        ("A Stripe of paint and a Park bench.", "With Ana Parke about Strype"),
        ("We went to Berlin and Bergen.", "From Bergan Kraft and Berlin"),
    ],
)
def test_right_names_and_everyday_words_stay(spoken: str, notes: str) -> None:
    if "Bergen" in spoken:
        assert "Berlin" in resolver(spoken, notes).repair(spoken)[0]
    else:
        assert resolver(spoken, notes).repair(spoken) == (spoken, ())


def test_the_glossary_decides_over_everything() -> None:
    names = resolver("The fold right tool by Acme.", glossary={"fold right": "Foldwright", "Acme": "ACME Labs"})
    text, changes = names.repair("The fold right tool by Acme's people.")
    assert text == "The Foldwright tool by ACME Labs's people."
    assert {change.reason for change in changes} == {"glossary"}


@pytest.mark.parametrize(
    ("spoken", "notes", "printed"),
    [
        ("Arrays in numpy stay where they are.", "NumPy 2 and its ABI", "Arrays in NumPy stay where they are."),
        ("The treaty of Escazu names rivers.", "The Escazú treaty", "The treaty of Escazú names rivers."),
        ("It spends P2PKH outputs.", "P2WPKH in wallets", "It spends P2PKH outputs."),
        ("Boltz swaps coins.", "Why BOLTs matter", "Boltz swaps coins."),
        ("An identifier is short.", "The short channel IDentifier", "An identifier is short."),
        ("It runs on macOS.", "MacOS and its shell", "It runs on macOS."),
        ("Pay-to-contract is old.", "Pay-to-Contract for all", "Pay-to-contract is old."),
        ("Sergi Delgado helped us.", "A paper by Sergei Tikhomirov", "Sergi Delgado helped us."),
        ("We compile in Docker images.", "Sent in by Pat Decker", "We compile in Docker images."),
        ("We used the Bitcoin Dev Kit.", "Posted to the Bitcoin-Dev list", "We used the Bitcoin Dev Kit."),
        ("See CodeFund.io for it.", "CodeFund and its founder", "See CodeFund.io for it."),
        ("Elon Musk's Grok mocks its users.", "Groq and its LPU", "Elon Musk's Grok mocks its users."),
    ],
)
def test_cases_met_in_real_episodes(spoken: str, notes: str, printed: str) -> None:
    assert resolver(spoken, notes).repair(spoken)[0] == printed


def test_chapters_are_a_source_and_the_reason_says_so() -> None:
    text, changes = resolver("Anthropik published it.", chapters=("Interpretability at Anthropic",)).repair(
        "Anthropik published it."
    )
    assert text == "Anthropic published it."
    assert "in the chapters" in changes[0].reason


def test_the_labelled_set_is_repaired_as_well_as_it_must_be() -> None:
    known = cases()
    assert len(known) >= 150
    assert len({case.id for case in known}) == len({case.heard + case.episode.description for case in known}) == len(known)
    assert sum(case.must_stay for case in known) >= len(known) / 2
    for half in ("tune", "held out"):
        found = score([case for case in known if case.half == half])
        assert found.wrong <= MOST_WRONG * (found.stay + found.repair)
        assert found.right >= LEAST_RIGHT * found.repair


def test_notes_are_read_as_text_and_links_are_no_names() -> None:
    notes = '<p>With <a href="https://x.example/Secretname">Ines <b>Kallaway</b></a></p><ul><li>Norlandia Grid</li><li>Why Ferrowatt waits</li></ul>'
    known = resolver("Nothing.", notes).known_names
    assert {"Ines Kallaway", "Norlandia Grid", "Ferrowatt"} <= known
    assert not any("Secretname" in name or "Why" in name for name in known)


def test_entities_are_whole_names_in_order() -> None:
    names = resolver("x", "<p>Ines Kallaway of Corvanta, Norlandia Grid</p>")
    found = names.entities("At Corvanta, Kallaway measured what Norlandia Grid sells to Vessmark on Monday. Half stays.")
    assert found == ("Corvanta", "Kallaway", "Norlandia Grid", "Vessmark")


@given(st.text(max_size=120), st.text(max_size=120))
def test_any_text_is_answered_and_nothing_unlisted_changes(spoken: str, notes: str) -> None:
    text, changes = resolver(spoken, notes).repair(spoken)
    assert (text == spoken) or changes
