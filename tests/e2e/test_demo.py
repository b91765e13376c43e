"""The whole of it, as `make demo` runs it: five days in order, killed, repeated, rebuilt."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT
from top5.digests.compose import inputs_hash
from top5.digests.model import Digest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
DAYS = [f"2026-09-{day}" for day in range(14, 19)]


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOP5_") and name != "DAGSTER_HOME"}
    return {**kept, "TOP5_HOME": str(home)}


def demo(home: Path, *days: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo", *map(str, days)]
    done = subprocess.run(command, cwd=ROOT, env=environment(home), capture_output=True, text=True, timeout=800)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    return done


def digest(home: Path, day: str) -> Digest:
    return Digest.model_validate_json((home / "digests" / day / "digest.json").read_bytes())


def mails(home: Path) -> dict[str, tuple[int, bytes]]:
    return {path.name: (path.stat().st_mtime_ns, path.read_bytes()) for path in (home / "outbox").iterdir()}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("a home with spaces") / "demo"
    shown = demo(home).stdout
    assert "1. " in shown and "5. " in shown
    return home


def test_every_day_has_its_digest_and_one_mail(home: Path):
    assert sorted(path.name for path in (home / "digests").iterdir()) == DAYS
    assert sorted(mails(home)) == [f"{day}-you@localhost.eml" for day in DAYS]


def test_the_thin_day_is_short_and_says_why(home: Path):
    thin = digest(home, DAYS[1])
    assert 0 < len(thin.insights) < 5
    assert thin.short_because
    assert all(len(digest(home, day).insights) == 5 for day in DAYS if day != DAYS[1])


def test_every_insight_is_quoted_verbatim_from_a_second_of_the_audio(home: Path):
    from demo.script import read_scripts

    spoken = {script.title: " ".join(text for _, text in script.turns) for script in read_scripts().values()}
    for day in DAYS:
        for insight in digest(home, day).insights:
            assert insight.start is not None
            assert insight.quotes
            if insight.show == "Two Minute Teardown":
                continue  # heard by speech to text, which has its own words
            for quote in insight.quotes:
                assert quote.text in spoken[insight.episode_title]
                assert quote.start is not None and quote.end is not None and quote.start < quote.end


def test_names_that_were_misheard_are_right(home: Path):
    wrong = {"Corventa", "Helic", "Fold Right", "Ferro Watt", "Calloway", "Tesseli", "Brandwold"}
    shown = " ".join(f"{insight.headline} {insight.body}" for day in DAYS for insight in digest(home, day).insights)
    assert not {name for name in wrong if name in shown}
    assert any(name in shown for name in ("Corvanta", "Foldwright", "Ferrowatt", "Tessaly"))


def test_the_claim_of_three_shows_is_told_once(home: Path):
    told = [
        insight.show
        for day in DAYS
        for insight in digest(home, day).insights
        if "40 hours" in insight.body and "Norlandia" in insight.body
    ]
    assert told == ["The Load Curve"]


def test_a_claim_that_was_told_is_heard_again_at_the_foot(home: Path):
    """Two more shows say on days 3 and 5 what The Load Curve said on day 1: corroborated, not mailed again."""
    again = {day: [(item.told_by, [link.show for link in item.also]) for item in digest(home, day).heard_again] for day in DAYS}
    assert again[DAYS[2]] == [("The Load Curve", ["Signal Path"])]
    assert again[DAYS[4]] == [("The Load Curve", ["Unit of Account"])]
    mail = (home / "digests" / DAYS[2] / "digest.txt").read_text()
    assert "of 14 September (The Load Curve), now also on" in " ".join(mail.split())


def test_the_contradiction_is_named(home: Path):
    """One guest says on day 3 that sodium cells will cost less by 2028, another on day 4 that they will not."""
    said = [insight for day in DAYS for insight in digest(home, day).insights if "Disagrees with" in (insight.memory or "")]
    assert [(insight.show, insight.memory) for insight in said] == [("The Load Curve", "Disagrees with Unit of Account, 16 Sep.")]
    assert [link.show for link in said[0].memory_links] == ["Unit of Account"]


def diff(home: Path, day: str, **variables: str) -> dict[str, object]:
    command = [str(Path(sys.executable).with_name("top5")), "diff", day, "--json", "--config", "demo/top5.toml"]
    done = subprocess.run(command, cwd=ROOT, env=environment(home) | variables, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_day_ranked_again_would_change_nothing_and_a_weight_would(home: Path):
    before = {path: path.read_bytes() for path in sorted((home / "lake").rglob("*.json"))}
    assert diff(home, DAYS[2]) == {"date": DAYS[2], "revision": 1, "changes": [], "reasons": []}
    weighed = diff(
        home,
        DAYS[2],
        TOP5_RANKING__WEIGHTS='{"salience": 0, "specificity": 0, "topics": 5}',
        TOP5_RANKING__TOPICS='{"battery": 2}',
    )
    assert weighed["changes"]
    assert {"weight_salience is 0.0, was 0.3.", "weight_topics is 5.0, was 0.05."} <= set(weighed["reasons"])
    assert {path: path.read_bytes() for path in sorted((home / "lake").rglob("*.json"))} == before


def test_a_late_transcript_comes_the_next_day_marked_late(home: Path):
    waiting = [left for left in digest(home, DAYS[2]).left_out if left.state == "pending"]
    assert [(left.reason, left.episodes) for left in waiting] == [("transcript_not_found", 1)]
    late = [insight for insight in digest(home, DAYS[3]).insights if insight.late]
    assert {insight.show for insight in late} == {"Quiet Exploit"}


def test_the_episode_without_transcript_was_heard(home: Path):
    assert any(insight.show == "Two Minute Teardown" for insight in digest(home, DAYS[3]).insights)


def test_feeds_that_moved_ended_or_never_were_feeds_are_told_apart(home: Path):
    rows = sqlite3.connect(home / "catalog.db").execute("select title, url, status, reason from feeds").fetchall()
    by_url = {url.split("/")[2]: (status, reason, url) for _, url, status, reason in rows}
    assert by_url["gone-quiet.example"][:2] == ("gone", "gone")
    assert by_url["landing-page.example"][:2] == ("active", "not_a_feed")
    assert by_url["slow-orbit.example"][2] == "http://slow-orbit.example/feed.xml"


def test_an_episode_of_two_feeds_and_one_with_a_new_title_are_one_each(home: Path):
    rows = sqlite3.connect(home / "catalog.db").execute("select facts from episodes").fetchall()
    titles = sorted(json.loads(facts)["title"] for (facts,) in rows)
    assert len(titles) == 20
    assert sum("After the Harvest" in title for title in titles) == 1
    assert [title for title in titles if title.startswith("Best of")]


def test_the_third_day_again_gives_the_same_five_and_no_second_mail(home: Path):
    before, sent = (home / "digests" / DAYS[2] / "digest.json").read_bytes(), mails(home)
    demo(home, 3)
    assert (home / "digests" / DAYS[2] / "digest.json").read_bytes() == before
    assert mails(home) == sent
    assert digest(home, DAYS[2]).revision == 1


def test_all_again_gives_the_same_digests_and_no_second_mail(home: Path):
    before = {day: (home / "digests" / day / "digest.json").read_bytes() for day in DAYS}
    sent = mails(home)
    demo(home)
    assert {day: (home / "digests" / day / "digest.json").read_bytes() for day in DAYS} == before
    assert mails(home) == sent


MOMENTS = [f"lake/transcripts/{DAYS[0]}.parquet", "warehouse.duckdb", f"digests/{DAYS[0]}/digest.html"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_in_the_middle_the_next_run_gives_the_same(home: Path, tmp_path: Path, moment: str):
    """Killed as soon as a file appears: between two stages, inside dbt, before the mail."""
    command = [sys.executable, "-m", "demo", "1"]
    victim = subprocess.Popen(command, cwd=ROOT, env=environment(tmp_path), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while not (tmp_path / moment).exists():
        assert victim.poll() is None, "it ended before it could be killed"
        time.sleep(0.01)  # a look at the file system, not a wait for luck
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    demo(tmp_path, 1)
    assert (tmp_path / "digests" / DAYS[0] / "digest.json").read_bytes() == (
        home / "digests" / DAYS[0] / "digest.json"
    ).read_bytes()
    assert sorted(mails(tmp_path)) == [f"{DAYS[0]}-you@localhost.eml"]


def test_the_hash_names_what_is_in_the_digest(home: Path):
    for day in DAYS:
        assert digest(home, day).inputs_hash == inputs_hash(digest(home, day))
