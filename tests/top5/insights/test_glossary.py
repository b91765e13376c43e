"""The reader's own list: read, refused with one sentence that says what to write, and part of what is kept."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.top5.insights.material import episode
from top5.catalog.store import Catalog
from top5.engines import insight_tools
from top5.errors import PermanentError
from top5.insights.glossary import Glossary, GlossaryEntry, read_glossary
from top5.insights.model import EpisodeText
from top5.insights.names import NameResolver
from top5.lake import Lake
from top5.settings import Settings
from top5.transcripts.model import Segment

GROQ = GlossaryEntry(written="Groq", heard=("Grok",), when=("chip", "inference"), unless=("Musk",))


def printed(text: str, entry: GlossaryEntry = GROQ, spoken: tuple[str, ...] = ()) -> str:
    source = EpisodeText(segments=tuple(Segment(text=each) for each in (spoken or (text,))))
    return NameResolver(source, Glossary(entries=(entry,))).repair(text)[0]


def test_the_example_in_the_documentation_is_a_glossary() -> None:
    glossary = read_glossary(ROOT / "docs" / "glossary.example.toml")
    assert [entry.written for entry in glossary.entries] == ["Groq", "Cerebras", "SQLite", "Hugging Face"]
    assert glossary.entries[0].when[0] == "chip"


def test_without_a_file_nothing_changes() -> None:
    assert read_glossary(None) == Glossary()
    assert Glossary().fingerprint == "-"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[Groq", "is no valid TOML"),
        ('Groq = "Grok"', """write ["Groq"] and below it heard = ["..."]"""),
        ('["Groq"]\nhaerd = ["Grok"]', "unknown key 'haerd'; did you mean 'heard'?"),
        ('["Groq"]\nwhen = ["chip"]', "does not say what is heard"),
        ('["Groq"]\nheard = "Grok"', "unusable heard"),
        ('["Groq"]\nheard = []', "unusable heard"),
        ('["Groq"]\nheard = ["G"]', "at least 2 characters"),
        ('["Groq"]\nheard = ["--"]', "is no word"),
        ('["Groq"]\nheard = ["Groq"]', "heard as itself"),
        ('["Groq"]\nheard = ["Grok"]\n["Grog"]\nheard = ["grok"]', "give both a `when`"),
        ('[""]\nheard = ["Grok"]', "unusable written"),
    ],
)
def test_a_bad_file_is_one_sentence_with_the_fix(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "glossary.toml"
    file.write_text(text)
    with pytest.raises(PermanentError) as caught:
        read_glossary(file)
    assert caught.value.reason == "bad_glossary"
    assert str(file) in caught.value.message
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"insights\.glossary_file"):
        read_glossary(tmp_path / "none.toml")
    (tmp_path / "latin.toml").write_bytes(b'["Caf\xe9"]')
    with pytest.raises(PermanentError, match="not UTF-8"):
        read_glossary(tmp_path / "latin.toml")


def test_context_decides_word_by_word() -> None:
    assert printed("The chip by Grok is fast.") == "The chip by Groq is fast."
    assert printed("Grok's CHIP is fast.") == "Groq's CHIP is fast."
    assert printed("Grok answers on X.") == "Grok answers on X."
    assert printed("A chipped Grok cup.") == "A chipped Grok cup."
    assert printed("Musk wants a chip for Grok.") == "Musk wants a chip for Grok."
    assert printed("To grok a chip takes time.") == "To grok a chip takes time."


def test_a_passage_without_context_follows_the_talk_around_it_only_where_that_is_unanimous() -> None:
    near = "We asked Grok about it. Their chip runs inference."
    far = "x " * 400 + "Grok mocks people on the web. " + "y " * 400
    assert printed("We asked Grok about it.", spoken=(near,)) == "We asked Groq about it."
    assert printed("We asked Grok about it.", spoken=(near, far)) == "We asked Grok about it."


def test_small_letters_are_found_in_any_case_and_the_change_tells_what_was_heard() -> None:
    entry = GlossaryEntry(written="SQLite", heard=("sequel light",))
    source = EpisodeText(segments=(Segment(text="Sequel Light is a file."),))
    text, changes = NameResolver(source, Glossary(entries=(entry,))).repair("Sequel Light is a file.")
    assert text == "SQLite is a file."
    assert [(change.heard, change.written, change.reason) for change in changes] == [("Sequel Light", "SQLite", "glossary")]


def test_two_names_may_share_a_mishearing_where_each_says_when() -> None:
    both = (
        GlossaryEntry(written="Heliq", heard=("Helic",), when=("cells",)),
        GlossaryEntry(written="Helyk", heard=("Helic",), when=("opera",)),
    )
    source = EpisodeText(segments=(Segment(text="x"),))
    names = NameResolver(source, Glossary(entries=both))
    assert names.repair("Helic sings in the opera.")[0] == "Helyk sings in the opera."
    assert names.repair("Helic sells cells.")[0] == "Heliq sells cells."


def test_another_glossary_is_another_key_and_the_words_come_out_right(tmp_path: Path) -> None:
    file = tmp_path / "glossary.toml"
    file.write_text('["Norlandia Nett"]\nheard = ["Norlandia Grid"]\n')
    plain = Settings.model_validate({"home": tmp_path})
    with_file = Settings.model_validate({"home": tmp_path, "insights": {"glossary_file": file}})
    catalog, lake = Catalog.at_home(tmp_path), Lake(tmp_path / "lake")
    engines = [insight_tools(each, lake, catalog, plain.start_date).engine for each in (plain, with_file)]
    assert engines[0].fingerprint != engines[1].fingerprint
    before = engines[1].fingerprint
    found = next(each for each in engines[1].extract(episode()).insights if "deposit" in each.body)
    assert found.body.startswith("Norlandia Nett")
    assert found.quotes[0].text.startswith("Norlandia Grid"), "quotes stay as spoken"
    assert ("Norlandia Grid", "Norlandia Nett", "glossary") in [(c.heard, c.written, c.reason) for c in found.names]
    assert "Norlandia Grid" not in found.headline
    file.write_text('["Norlandia Net"]\nheard = ["Norlandia Grid"]\n')
    assert insight_tools(with_file, lake, catalog, plain.start_date).engine.fingerprint != before
