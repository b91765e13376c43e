"""Personal fives: a real DuckDB file, golden choices, and the rules that hold for any wishes."""

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fakes.smtp_server import SmtpServer
from tests.top5.deliveries import candidates
from tests.top5.deliveries.candidates import Row
from tests.top5.deliveries.helpers import DAY, Clock, Home
from tests.top5.deliveries.test_day import send, subscribe
from tests.top5.digests import samples
from top5.deliveries.personal import SHOW_CAP, Wishes, choose, personal_digests, wishes_of
from top5.errors import PermanentError
from top5.subscribers.model import Preferences

ROWS = (
    Row("a", 0.9, text="Chips are scarce.", fate="chosen", rank=2),
    Row("b", 0.8, show="Body of Work", text="Vaccines help.", fate="chosen", rank=1, entities=("Moderna",)),
    Row("c", 0.7, text="More on chips.", episode="e-a"),
    Row("d", 0.6, show="Soil Talk", text="Farming with robots.", too_near_to="a"),
    Row("e", 0.5, show="Soil Talk", text="Water is dear."),
    Row("f", 0.4, show='O\'Reilly "Quoted"', text="It's about chips' prices."),
    Row("told", 0.99, fate="already_told"),
    Row("weak", 0.98, fate="below_floor"),
    Row("copy", 0.97, duplicate_of="a"),
)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return candidates.write(tmp_path_factory.mktemp("it's a home"), DAY, ROWS)


def chosen(day: tuple[Path, Path], *wishes: Preferences) -> list[str]:
    return ["".join(ids) for ids in choose(*day, DAY, [wishes_of(one) for one in wishes])]


def test_the_days_picks_come_first_then_the_next_best(day: tuple[Path, Path]) -> None:
    assert chosen(day, Preferences(count=10)) == ["baefc"], "d is too near to a, and c is the second of a's episode"


@pytest.mark.parametrize(
    ("wishes", "ids"),
    [
        ({"count": 1}, "b"),
        ({"topics": ("chips",)}, "afc"),
        ({"topics": ("CHIPS", "water")}, "aefc"),
        ({"topics": ("chip",)}, ""),
        ({"topics": ("moderna",)}, "b"),
        ({"topics": ("more on chips",)}, "c"),
        ({"muted_topics": ("chips", "vaccines")}, "de"),
        ({"shows": ("soil talk",)}, "de"),
        ({"shows": ("feedvolts",)}, "ac"),
        ({"shows": ("Volts & Amps",), "topics": ("water",)}, ""),
        ({"muted_shows": ("Volts & Amps",)}, "bdef"),
        ({"shows": ("O'Reilly “Quoted”",)}, "f"),
        ({"topics": ("chips' prices",)}, "f"),
        ({"topics": ("'); drop table fct_insights; --",)}, ""),
    ],
)
def test_wishes(day: tuple[Path, Path], wishes: dict[str, object], ids: str) -> None:
    assert chosen(day, Preferences.model_validate({"count": 10, **wishes})) == [ids]


def test_two_that_say_the_same_are_not_both_chosen(tmp_path: Path) -> None:
    rows = [
        Row("x", 0.9, show="X", vector=(1.0, 0.0)),
        Row("y", 0.8, show="Y", vector=(0.9, 0.1)),
        Row("z", 0.7, show="Z", vector=(0.0, 1.0)),
    ]
    assert chosen(candidates.write(tmp_path, DAY, rows), Preferences()) == ["xz"]


@pytest.mark.slow
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8)
@given(st.data())
def test_caps_hold_and_wishes_are_kept_for_any_readers(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    words = ("chips", "water", "robots", "tax")
    chance = random.Random(data.draw(st.integers(0, 999)))
    rows = [
        Row(
            f"i{number}",
            chance.random(),
            f"Show {chance.randrange(6)}",
            f"e{chance.randrange(12)}",
            " ".join(chance.sample(words, 2)),
        )
        for number in range(40)
    ]
    known = {row.insight_id: row for row in rows}
    day = candidates.write(tmp_path_factory.mktemp("day"), DAY, rows)
    names = st.lists(st.sampled_from(words), max_size=2).map(lambda found: tuple(sorted(set(found))))
    wishes = data.draw(
        st.lists(st.builds(Wishes, count=st.integers(1, 10), topics=names, muted_topics=names), min_size=1, max_size=8)
    )
    for one, ids in zip(wishes, choose(*day, DAY, wishes), strict=True):
        found = [known[item] for item in ids]
        assert len(set(ids)) == len(ids) <= one.count
        assert all(not one.topics or set(one.topics) & set(row.text.split()) for row in found)
        assert not any(set(one.muted_topics) & set(row.text.split()) for row in found)
        assert max([[row.show for row in found].count(show) for show in {row.show for row in found}], default=0) <= SHOW_CAP
        assert [*choose(*day, DAY, [one])] == [ids], "other readers change nothing"


def test_who_filters_nothing_gets_the_frozen_digest_without_asking_the_warehouse(tmp_path: Path) -> None:
    digest = samples.full()
    nothing = tmp_path / "none"
    digests = personal_digests(digest, [Wishes(5), Wishes(2)], nothing, nothing)
    assert digests[Wishes(5)] is digest
    shorter = digests[Wishes(2)]
    assert shorter is not None and [insight.rank for insight in shorter.insights] == [1, 2] and shorter.short_because is None
    with pytest.raises(PermanentError, match="run a day first"):
        personal_digests(digest, [Wishes(5, ("chips",))], nothing, nothing)


def test_a_narrow_choice_is_short_and_says_so_and_an_empty_one_is_no_mail(home: Home, clock: Clock) -> None:
    home.path.mkdir(exist_ok=True)
    candidates.write(home.path, DAY, ROWS)
    home.recipients = []
    subscribe(home, "narrow@example.com", topics=("vaccines",))
    subscribe(home, "none@example.com", topics=("sailing",))
    subscribe(home, "text@example.com", topics=("chips",), format="text")
    server = SmtpServer()
    report = send(home, clock, server, connections=1)
    assert (report.sent, report.nothing_for) == (2, 1)
    narrow, text = server.messages
    plain = narrow.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "1 of the day's insights fit your topics and shows" in plain and "Vaccines help." in plain and "Chips" not in plain
    assert text.get_content_type() == "text/plain" and text["Subject"].startswith("Headline a")
