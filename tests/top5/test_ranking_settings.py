"""[ranking] of the settings: what a reader may turn, what is refused, and what reaches dbt."""

from pathlib import Path

import pytest

from top5.errors import PermanentError
from top5.lake import content_key
from top5.settings import RANKING_WEIGHTS, load_settings
from top5.warehouse import default_variables, ranking_variables, rules_version


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TOP5_CONFIG", raising=False)


def variables(text: str) -> dict[str, object]:
    Path("top5.toml").write_text(text)
    return ranking_variables(load_settings())


def test_without_settings_the_project_decides() -> None:
    assert variables("") == {"digest_size": 5, "feed_weights": {}, "topics": []}


def test_weights_feeds_and_topics_reach_dbt() -> None:
    given = variables(
        '[ranking.weights]\nnovelty = 0.5\n[ranking.feeds]\n"Signal Path " = 2\n"https://x.example/feed" = 0.5\n'
        '[ranking.topics]\nchips = 1.5\nenergy = {words = ["grid", "battery"]}\n'
    )
    assert given["weight_novelty"] == 0.5
    assert given["feed_weights"] == {"signal path": 2.0, content_key("feed", "https://x.example/feed")[:16]: 0.5}
    assert given["topics"] == [
        {"name": "chips", "weight": 1.5, "words": ["chips"]},
        {"name": "energy", "weight": 2.0, "words": ["grid", "battery"]},
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[ranking.weights]\nnovelti = 1", "'novelti' is no component of the score; the nearest valid key is 'novelty'"),
        ("[ranking.weights]\nnovelty = -1", "the weight of 'novelty' is -1.0; give a number from 0 to 100"),
        ("[ranking.weights]\n" + "\n".join(f"{name} = 0" for name in RANKING_WEIGHTS), "all weights are 0"),
        ('[ranking.feeds]\n"A" = 99', "the weight of the feed 'A' is 99.0; give a title or URL and a number from 0 to 10"),
        ("[ranking.topics]\nchips = 99", "less than or equal to 10"),
        ("[ranking.topics]\nchips = {wort = 1}", "'ranking.topics.chips.wort' is no setting"),
    ],
)
def test_what_cannot_be_is_one_sentence(text: str, words: str) -> None:
    with pytest.raises(PermanentError) as failure:
        variables(text)
    assert words in failure.value.message
    assert failure.value.reason == "bad_settings"


def test_every_component_has_its_variable() -> None:
    assert {f"weight_{name}" for name in RANKING_WEIGHTS} == {name for name in default_variables() if name.startswith("weight_")}
    assert len(rules_version()) == 64
