"""Names: the known mishearings are repaired, right names and everyday words are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver
from top5.transcripts.model import Segment


def resolver(
    spoken: str, notes: str = "", people: tuple[str, ...] = (), title: str = "", glossary: dict[str, str] | None = None
) -> NameResolver:
    return NameResolver(EpisodeText(title=title, description=notes, people=people, segments=(Segment(text=spoken),)), glossary)


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
