"""The command line as a user meets it: exit code, stdout and stderr."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from orchestration.cli import main
from tests.conftest import ROOT

Top5 = Callable[..., CompletedProcess[str]]

TURNS = [
    "Norlandia Grid started charging a refundable deposit of 20,000 dollars per megawatt, and 41 percent of the connection queue withdrew "
    "within six weeks. Serious developers lost nothing, while the average remaining applicant moved forward by 26 months without anybody "
    "laying a single new cable.",
    "Thank you so much for having me, it is lovely to be here again, and your coffee is as good as it was the last time I came.",
]


@pytest.fixture
def top5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Top5:
    """Runs the entry point in this process, with its state in `tmp_path/home`."""
    monkeypatch.setenv("TOP5_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "1000")

    def run(*arguments: str | Path) -> CompletedProcess[str]:
        monkeypatch.setattr(sys, "argv", ["top5", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            main()
        out, err = capfd.readouterr()
        return CompletedProcess(sys.argv, int(stopped.value.code or 0), out, err)

    return run


def one_sentence(done: CompletedProcess[str]) -> str:
    assert done.returncode == 1, done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


@pytest.fixture
def episode(tmp_path: Path) -> Path:
    segments = [{"start": 10.0 * i, "end": 10.0 * i + 9, "speaker": "Sunniva Roe", "text": text} for i, text in enumerate(TURNS)]
    path = tmp_path / "episode.json"
    path.write_text(json.dumps({"title": "Forty hours", "show": "The Load Curve", "description": "", "segments": segments}))
    return path


def test_plumbing_prints_json_and_nothing_else_and_keeps_no_state(top5: Top5, tmp_path: Path, episode: Path):
    feed = tmp_path / "feed.xml"
    feed.write_text(
        '<rss version="2.0" xmlns:p="https://podcastindex.org/namespace/1.0"><channel><title>Show</title><item><guid>1</guid>'
        '<title>One</title><enclosure url="https://a.example/1.mp3" type="audio/mpeg"/>'
        '<p:transcript url="https://a.example/1.vtt" type="text/vtt"/><p:transcript url="https://a.example/1.srt" type="text/srt"/>'
        "</item></channel></rss>"
    )
    parsed = json.loads(top5("feeds", "parse", feed, "--json").stdout)
    assert parsed["podcast"]["title"] == "Show"
    assert [link["type"] for link in parsed["episodes"][0]["transcripts"]] == ["text/vtt", "text/srt"]
    read = json.loads(top5("transcripts", "parse", episode).stdout)
    assert [segment["text"] for segment in read["segments"]] == TURNS
    found = json.loads(top5("insights", "extract", episode, "--engine", "local", "--json").stdout)
    (insight,) = found["insights"]
    assert insight["quotes"][0]["text"] in TURNS[0]
    assert 0 <= insight["salience"] <= 1
    assert not (tmp_path / "home").exists()


def test_any_passage_can_be_scored(top5: Top5, tmp_path: Path):
    lines = tmp_path / "lines.jsonl"
    lines.write_text("".join(json.dumps({"text": text}) + "\n" for text in TURNS))
    claim, thanks = (json.loads(line) for line in top5("insights", "score", lines).stdout.splitlines())
    assert claim["salience"] > 0.5 > thanks["salience"]
    assert claim["reasons"]
    lines.write_text('{"text": "fine"}\nnot json\n')
    assert "line 2 is no JSON object" in top5("insights", "score", lines).stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["feeds", "parse", "{missing}"], "cannot be read"),
        (["feeds", "parse", "{rubbish}"], "rubbish.bin: The input is neither RSS nor Atom"),
        (["transcripts", "parse", "{rubbish}"], "rubbish"),
        (["transcribe", "{missing}"], "is no file"),
        (["insights", "extract", "{rubbish}"], "rubbish"),
        (["insights", "extract", "{episode}", "--engine", "openai"], "OPENAI_API_KEY"),
        (["show"], "There is no digest yet; run `top5 run`"),
        (["show", "--date", "2026-09-16"], "2026-09-16 has no digest yet"),
        (["show", "--date", "yesteryear"], "write it as YYYY-MM-DD"),
        (["run", "--date", "1999-01-01"], "is outside"),
        (["feeds", "remove", "https://a.example/feed"], "is not followed"),
        (["feeds", "import", "{rubbish}"], "OPML"),
        (["feeds", "list", "--config", "{missing}"], "does not exist"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_1(top5: Top5, tmp_path: Path, episode: Path, arguments: list[str], said: str):
    rubbish = tmp_path / "rubbish.bin"
    rubbish.write_bytes(bytes(range(256)) * 8)
    places = {"missing": tmp_path / "missing", "rubbish": rubbish, "episode": episode}
    done = top5(*(argument.format(**places) for argument in arguments))
    assert said in one_sentence(done)


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["feeds", "parse"], ["show", "--nonsense"], ["insights", "extract", "x", "--engine", "psychic"]]
)
def test_wrong_usage_is_exit_2(top5: Top5, tmp_path: Path, arguments: list[str]):
    done = top5(*arguments)
    assert done.returncode == 2
    assert done.stdout == ""


def test_unknown_settings_are_named(top5: Top5, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TOP5_HOEM", "x")
    assert "the nearest valid key is 'home'" in one_sentence(top5("doctor"))


def test_feeds_come_and_go(top5: Top5, tmp_path: Path):
    opml = tmp_path / "mine.opml"
    opml.write_text('<opml><body><outline text="A" xmlUrl="https://reader:secret@a.example/feed"/></body></opml>')
    assert "1 feeds added" in top5("feeds", "import", opml).stdout
    listed = top5("feeds", "list", "--json")
    (feed,) = json.loads(listed.stdout)
    assert "secret" not in listed.stdout
    assert "reader:secret@a.example" in top5("feeds", "export").stdout
    assert top5("feeds", "remove", feed["feed_id"]).returncode == 0
    assert json.loads(top5("feeds", "list", "--json").stdout) == []


def test_doctor_says_which_models_are_there_and_whether_they_are_the_official_ones(top5: Top5, tmp_path: Path):
    done = top5("doctor", "--json")
    findings = {finding["subject"]: finding for finding in json.loads(done.stdout)}
    assert "SHA-256 is the official one" in findings["Embedding model"]["message"]
    assert findings["Speech model"]["level"] in ("ok", "note")
    assert done.returncode == 0


def test_the_operator_can_see_and_try_the_alerts(top5: Top5, tmp_path: Path):
    assert top5("alerts", "list").stdout == "Nothing is wrong.\n"
    done = top5("alerts", "test")
    assert done.returncode == 0
    assert "Mail to you@localhost, as a file in" in done.stdout
    (mail,) = (tmp_path / "home" / "outbox" / "alerts").iterdir()
    assert b"top5: a test, nothing is wrong" in mail.read_bytes()
    assert json.loads(top5("alerts", "list", "--all", "--json").stdout) == []


def test_a_dead_man_is_exit_1_and_listed(top5: Top5):
    assert top5("deadman", "--no-daemon").stdout == "The last digest is out.\n"
    assert "Dagster's daemon does not run. No heartbeat at all" in one_sentence(top5("deadman"))
    (alert,) = json.loads(top5("alerts", "list", "--json").stdout)
    assert alert["cause"] == "daemon-silent"
    assert "make up" in top5("alerts", "list").stdout


def test_the_installed_program_is_the_entry_point():
    done = subprocess.run(
        [str(Path(sys.executable).with_name("top5")), "--help"], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0
    assert all(
        command in done.stdout for command in ("run", "scan", "show", "feeds", "transcripts", "transcribe", "insights", "doctor")
    )
