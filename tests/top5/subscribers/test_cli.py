"""`top5 subscribers`, `top5 deliveries` and `top5 preview`, as an operator types them."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from tests.top5.digests import samples
from top5.cli import app, guarded
from top5.digests.render import render_json
from top5.errors import Top5Error
from top5.subscribers.cli import read_list


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TOP5_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TOP5_START_DATE", "2026-01-01")
    return tmp_path / "home"


def run(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(app, list(arguments), input=stdin, catch_exceptions=True)


def failure(*arguments: str) -> str:
    result = run(*arguments)
    assert isinstance(result.exception, Top5Error), result.output
    return result.exception.message


def exported() -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(run("subscribers", "export").stdout)))


def test_add_list_show_remove() -> None:
    said = run(
        "subscribers",
        "add",
        "Rita <rita@example.com>",
        "--hour",
        "7",
        "--timezone",
        "Europe/Berlin",
        "--days",
        "mon,Tuesday",
        "--topic",
        "chips",
    )
    assert said.stdout == "1 added, 0 were there already.\n"
    (row,) = json.loads(run("subscribers", "list", "--json").stdout)
    assert (row["address"], row["hour"], row["weekdays"], row["topics"]) == ("rita@example.com", 7, ["mon", "tue"], ["chips"])
    assert "07:00" in run("subscribers", "list").stdout
    assert json.loads(run("subscribers", "show", "rita@example.com").stdout)["deliveries"] == []
    assert run("subscribers", "remove", "rita@example.com", "--dry-run").stdout == "1 would be unsubscribed.\n"
    assert exported()[0]["state"] == "active"
    run("subscribers", "remove", "RITA@example.com")
    assert exported()[0]["state"] == "unsubscribed"
    assert run("subscribers", "remove", "rita@example.com", "--forget").stdout == "1 forgotten.\n"
    assert exported() == []


def test_an_exported_list_can_be_imported_whole_and_dry_first(tmp_path: Path) -> None:
    run("subscribers", "add", "rita@example.com", "--show", "Volts & Amps; live", "--mute-topic", "x,y", "--count", "3", "--text")
    file = tmp_path / "list.csv"
    file.write_text(run("subscribers", "export").stdout)
    run("subscribers", "remove", "rita@example.com", "--forget")
    assert (
        run("subscribers", "import", str(file), "--dry-run").stdout
        == "1 would be added, 0 were there already, 0 lines cannot be used.\n"
    )
    assert exported() == []
    run("subscribers", "import", str(file))
    (row,) = exported()
    assert (row["count"], row["format"], row["shows"], row["muted_topics"]) == ("3", "text", "Volts & Amps, live", "x,y")


def test_bad_lines_are_named_and_the_others_taken() -> None:
    result = run("subscribers", "import", "-", stdin="address,count\na@example.com,3\nnobody,3\nb@example.com,11\n")
    assert (result.exit_code, len(exported())) == (1, 1)
    assert "Line 3: 'nobody' is no mail address" in result.stderr and "Line 4: 'count' is not usable" in result.stderr


def test_a_plain_list_is_one_address_a_line() -> None:
    entries, problems = read_list("a@example.com\n\n  b@example.com \r\nnobody\n")
    assert ([address for address, _ in entries], len(problems)) == (["a@example.com", "b@example.com"], 1)


def test_what_a_spreadsheet_would_run_is_exported_as_text() -> None:
    run("subscribers", "add", "+rita@example.com", "--topic", "=HYPERLINK(1)")
    assert exported()[0]["topics"] == "'=HYPERLINK(1)"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "nobody"], "'nobody' is no mail address"),
        (["add", "a@example.com", "--timezone", "Europe/Berln"], "did you mean 'Europe/Berlin'?"),
        (["add", "a@example.com", "--days", "mon,someday"], "'som' is no day"),
        (["add", "a@example.com", "--hour", "24"], "'hour' is not usable"),
        (["list", "--state", "asleep"], "'asleep' is no state"),
        (["show", "a@example.com"], "a…@example.com is no subscriber"),
        (["import", "/nowhere.csv"], "/nowhere.csv cannot be read"),
    ],
)
def test_mistakes_are_one_sentence(arguments: list[str], said: str) -> None:
    assert said in failure("subscribers", *arguments)
    assert exported() == []


def freeze(home: Path) -> None:
    folder = home / "lake" / "digests"
    folder.mkdir(parents=True)
    (folder / f"{samples.DAY}.r001.json").write_text(render_json(samples.full()))


def test_a_preview_is_shown_or_mailed(home: Path) -> None:
    assert "There is no digest yet" in failure("preview")
    freeze(home)
    shown = run("preview").stdout
    assert shown.startswith("Subject: Groq keeps") and "THE DAY'S FIVE" in shown
    assert "went to me@example.com" in run("preview", "--to", "me@example.com").stdout
    assert [path.name for path in (home / "outbox").iterdir()] == [f"{samples.DAY}-me@example.com.eml"]


def test_the_ledger_is_listed_resolved_and_approved(home: Path) -> None:
    freeze(home)
    day = samples.DAY.isoformat()
    assert run("deliveries", "send", "--date", day, "--send-old").stdout.startswith(f"{day}: 1 sent now")
    (row,) = json.loads(run("deliveries", "list", "--date", day, "--json").stdout)
    assert (row["recipient"], row["state"], row["channel"]) == ("y…@localhost", "sent", "outbox")
    assert run("deliveries", "send", "--date", day).stdout == f"{day}: nothing was sent, for it is older than yesterday.\n"
    assert run("deliveries", "resolve", day, "--sent").stdout == "0 mails are taken as sent.\n"
    assert "Say what you found" in failure("deliveries", "resolve", day)
    assert f"Revision 1 of {day} is approved" in run("deliveries", "approve").stdout


def test_an_error_is_one_line_and_exit_code_one(capsys: pytest.CaptureFixture[str]) -> None:
    def command() -> None:
        app(["subscribers", "show", "nobody@example.com"], standalone_mode=False)

    assert guarded(command) == 1
    assert capsys.readouterr().err.count("\n") == 1
