"""What the harness calls grounded, forbidden or erroneous, on picks that are wrong on purpose."""

import json
from pathlib import Path

import pytest

from evals import blind
from evals.__main__ import main, print_comparison, print_table
from evals.corpus import find_corpus
from evals.harness import METRICS, Pick, Scorer, as_json, forbidden_kind, is_grounded
from evals.passages import Episode
from tests.top5.insights.material import QUEUE
from tests.top5.insights.material import episode as small_episode
from top5.errors import PermanentError
from top5.insights.embed import HashedEmbedder
from top5.insights.extract_local import LocalEngine
from top5.insights.model import Quote

EPISODE = Episode("demo", "small", "Small Chips", small_episode().segments)
ENGINE = LocalEngine(HashedEmbedder(), 5)
INSIGHT = ENGINE.extract(small_episode()).insights[0]


def pick(*quotes: Quote, text: str = INSIGHT.body) -> Pick:
    return Pick(text, INSIGHT.headline, quotes, None, None)


def test_the_engines_own_quotes_are_grounded() -> None:
    assert is_grounded(pick(*INSIGHT.quotes), EPISODE)


@pytest.mark.parametrize(
    "change",
    [
        {"text": "Every" + INSIGHT.quotes[0].text[INSIGHT.quotes[0].text.index(" ") :]},
        {"text": f"{INSIGHT.quotes[0].text} Indeed."},
        {"start": 0.0, "end": 5.0},
        {"start": None, "end": None},
    ],
)
def test_a_changed_word_or_a_wrong_second_is_not_grounded(change: dict[str, object]) -> None:
    assert not is_grounded(pick(INSIGHT.quotes[0].model_copy(update=change)), EPISODE)


def test_no_quote_is_no_ground() -> None:
    assert not is_grounded(pick(), EPISODE)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (QUEUE, None),
        ("Use the promo code SIGNAL for your first week free.", "sponsor"),
        ("Thanks for listening to Signal Path.", "greeting"),
        ("Check out the show notes of this episode.", "housekeeping"),
        ("Do serious developers lose money?", "question"),
    ],
)
def test_forbidden_kinds(text: str, kind: str | None) -> None:
    assert forbidden_kind(pick(text=text), ()) == kind


def test_words_that_the_transcript_marks_are_forbidden_whatever_they_say() -> None:
    assert forbidden_kind(Pick(QUEUE, "", (), 2, 4), [None, None, None, "sponsor", None]) == "sponsor"


def test_every_system_is_scored_and_printed(capsys: pytest.CaptureFixture[str]) -> None:
    units = as_json(Scorer(ENGINE, HashedEmbedder()).score(EPISODE))
    assert set(units) == {"engine", "random", "first", "lexrank", "lsa"}
    assert set(units["engine"]) <= set(METRICS)
    assert units["engine"]["grounded"] == [4.0, 4.0]
    assert units["engine"]["forbidden"] == [0.0, 4.0]
    saved = {"engine": ENGINE.fingerprint, "machine": "here", "episodes": {"demo/small": units}}
    print_table(saved)
    print_comparison(saved, saved)
    printed = capsys.readouterr().out
    assert "grounded" in printed
    assert "0.00 (0.00-0.00)" in printed


def test_a_missing_corpus_and_a_file_that_is_no_run_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="TOP5_CORPUS"):
        find_corpus(tmp_path)
    bad = tmp_path / "old.json"
    bad.write_text("[]", "utf-8")
    with pytest.raises(PermanentError, match="is no run"):
        main(["--compare", str(bad)])


def test_blind_grades_are_counted_per_system(tmp_path: Path) -> None:
    key, grades = tmp_path / "key.jsonl", tmp_path / "grades.jsonl"
    systems = ["ours", "ours", "lexrank", "lexrank", "random"]
    key.write_text(
        "\n".join(json.dumps({"n": n, "system": s, "show": "a", "episode": "b"}) for n, s in enumerate(systems)), "utf-8"
    )
    grades.write_text("\n".join(json.dumps({"n": n, "grade": g}) for n, g in enumerate([3, 2, 1, 0, 0])), "utf-8")
    result = blind.score(grades, key)
    assert result["ours"]["mean grade"].value == 2.5
    assert result["ours"]["share >= 2"].value == 1.0
    assert result["lexrank"]["share of 0"].value == 0.5
    assert result["random"]["mean grade"].value == 0.0
    grades.write_text('{"n": 0, "grade": 3}', "utf-8")
    with pytest.raises(PermanentError, match="4 passages"):
        blind.score(grades, key)
