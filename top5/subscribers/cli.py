"""`top5 subscribers`: the operator's hand on the list.

Belongs here: arguments and output. What is allowed is decided by `service`. These commands show whole addresses: they are the operator's own.
"""

import csv
import io
import json
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

from top5.errors import PermanentError
from top5.settings import load_settings

if TYPE_CHECKING:
    from top5.subscribers.model import Preferences, Subscriber
    from top5.subscribers.service import Subscribers

app = typer.Typer(help="Who gets the digest.", no_args_is_help=True)

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file; top5.toml by default.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")]
TimezoneOption = Annotated[str, typer.Option(help="IANA time zone of --hour.")]
HourOption = Annotated[
    int | None, typer.Option(help="Local hour from which the digest may come; by default as soon as it is there.")
]
DaysOption = Annotated[str, typer.Option(help="Days on which it may come, such as mon,tue,fri.")]
TopicOption = Annotated[list[str], typer.Option(help="Only insights about this; may be repeated.")]
MuteTopicOption = Annotated[list[str], typer.Option(help="No insights about this; may be repeated.")]
ShowOption = Annotated[list[str], typer.Option(help="Only this show, by title or feed id; may be repeated.")]
MuteShowOption = Annotated[list[str], typer.Option(help="Not this show; may be repeated.")]
COLUMNS = (
    "address", "state", "timezone", "hour", "weekdays", "topics", "muted_topics", "shows", "muted_shows", "count", "format",
)  # fmt: skip
"""Columns of the CSV that `export` writes and `import` reads; only `address` must be there. Lists are separated by `;`."""


@app.command("add")
def add(
    addresses: Annotated[list[str], typer.Argument(help="Mail addresses, or Apprise URLs such as ntfy://ntfy.sh/topic.")],
    timezone: TimezoneOption = "UTC",
    hour: HourOption = None,
    days: DaysOption = "mon,tue,wed,thu,fri,sat,sun",
    topic: TopicOption = [],  # noqa: B006  (typer copies it)
    mute_topic: MuteTopicOption = [],  # noqa: B006
    show: ShowOption = [],  # noqa: B006
    mute_show: MuteShowOption = [],  # noqa: B006
    count: Annotated[int, typer.Option(min=1, max=10, help="Insights a day at most.")] = 5,
    text: Annotated[bool, typer.Option("--text", help="Mails without HTML.")] = False,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
) -> None:
    """Subscribe addresses without asking them: do that only where they have said yes to you."""
    wanted = _preferences(
        {
            "timezone": timezone,
            "hour": hour,
            "weekdays": days.split(","),
            "topics": topic,
            "muted_topics": mute_topic,
            "shows": show,
            "muted_shows": mute_show,
            "count": count,
            "format": "text" if text else "html",
        }
    )
    with _service(config) as service:
        added, known = service.enter([(address, wanted) for address in addresses], "operator", now=_now(), dry_run=dry_run)
    _said(f"{added} {'would be ' if dry_run else ''}added, {known} were there already.")


@app.command("remove")
def remove(
    addresses: list[str],
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete all that is kept about them, as they can do themselves.")
    ] = False,
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
) -> None:
    """End subscriptions; with --forget delete the person."""
    with _service(config) as service:
        found = [service.named(address) for address in addresses]
        for subscriber in found:
            if not dry_run:
                service.erase(subscriber, _now()) if forget else service.leave(subscriber, _now())
    verb = "forgotten" if forget else "unsubscribed"
    _said(f"{len(found)} {'would be ' if dry_run else ''}{verb}.")


@app.command("release")
def release(addresses: list[str], config: ConfigOption = None) -> None:
    """Mail an address again that was suppressed because mails to it came back."""
    with _service(config) as service:
        changed = sum(service.release(address, _now()) for address in addresses)
    _said(f"{changed} released.")


@app.command("list")
def list_(
    state: Annotated[str | None, typer.Option(help="pending, active, unsubscribed or suppressed; all by default.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on one line, for programs.")] = False,
    config: ConfigOption = None,
) -> None:
    """Who is on the list, and what they want."""
    from rich.markup import escape
    from rich.table import Table

    with _service(config) as service:
        found = service.store.all(*_states(state))
    if as_json:
        sys.stdout.write(json.dumps([_shown(subscriber) for subscriber in found], ensure_ascii=False) + "\n")
        return
    table = Table("address", "state", "when", "what", "since")
    for subscriber in found:
        cells = (
            _address(subscriber),
            subscriber.state,
            _when(subscriber),
            _what(subscriber),
            f"{subscriber.created_at:%Y-%m-%d}",
        )
        table.add_row(*(escape(cell) for cell in cells))
    Console().print(table if found else "Nobody yet; `top5 subscribers add ADDRESS`, delivery.recipients, or the site.")


@app.command("show")
def show_(address: str, config: ConfigOption = None) -> None:
    """All that is kept about one subscriber, as JSON: what they get when they ask for their data."""
    with _service(config) as service:
        everything = service.everything(service.named(address))
    sys.stdout.write(json.dumps(everything, ensure_ascii=False, indent=2) + "\n")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV with a column `address`, or one address a line; `-` is standard input.")],
    dry_run: DryRunOption = False,
    config: ConfigOption = None,
) -> None:
    """Subscribe everybody in a file who has said yes to you; those known already, whoever left among them, stay as they are."""
    from rich.progress import Progress

    entries, problems = read_list(_text_of(file))
    with _service(config) as service, Progress(console=Console(stderr=True), transient=True) as progress:
        task, added, known = progress.add_task("Importing", total=len(entries)), 0, 0
        for start in range(0, len(entries), 1000):
            part = entries[start : start + 1000]
            new, there = service.enter(part, "import", now=_now(), dry_run=dry_run)
            added, known = added + new, known + there
            progress.advance(task, len(part))
    _said(f"{added} {'would be ' if dry_run else ''}added, {known} were there already, {len(problems)} lines cannot be used.")
    for problem in problems[:20]:
        Console(stderr=True).print(problem, style="yellow", markup=False, highlight=False, soft_wrap=True)
    if problems:
        raise typer.Exit(1)


@app.command("export")
def export(
    state: Annotated[str | None, typer.Option(help="Only this state.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines in place of CSV.")] = False,
    config: ConfigOption = None,
) -> None:
    """The list on standard output, as CSV that `import` reads."""
    with _service(config) as service:
        found = [subscriber for subscriber in service.store.all(*_states(state)) if subscriber.channel == "mail"]
    if as_json:
        for subscriber in found:
            sys.stdout.write(json.dumps(_shown(subscriber), ensure_ascii=False) + "\n")
        return
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(COLUMNS)
    for subscriber in found:
        values = _shown(subscriber)
        writer.writerow([_cell(values[name]) for name in COLUMNS])


@app.command("rotate-keys")
def rotate_keys(
    keep: Annotated[int, typer.Option(min=0, help="How many old keys stay valid; 0 makes every link in old mails void.")] = 2,
    config: ConfigOption = None,
) -> None:
    """Sign links with a new key from now on."""
    from top5.subscribers.tokens import rotate_keys as rotate

    number = rotate(load_settings(config), keep=keep)
    _said(f"A new key signs; {number - 1} older ones are still accepted.")


def read_list(text: str) -> "tuple[list[tuple[str, Preferences]], list[str]]":
    """The usable entries of a list, and a sentence for each line that is not: CSV with a header that has `address`, or one address a line."""
    from top5.subscribers.address import parse_address

    header = text.partition("\n")[0].strip().lower()
    if "," in header or header == "address":
        rows: Sequence[dict[str, Any]] = list(csv.DictReader(io.StringIO(text)))
        if rows and "address" not in rows[0]:
            raise PermanentError(
                "bad_list", "The first line names no column `address`; see `top5 subscribers export` for an example."
            )
        lines = [(number, row) for number, row in enumerate(rows, start=2)]
    else:
        lines = [(number, {"address": line}) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]
    entries: list[tuple[str, Preferences]] = []
    problems: list[str] = []
    for number, row in lines:
        try:
            values = {name: row[name] for name in COLUMNS[2:] if row.get(name)}
            entries.append((parse_address((row["address"] or "").strip()).addr_spec, _preferences(_from_cells(values))))
        except PermanentError as error:
            problems.append(f"Line {number}: {error.message}")
    return entries, problems


def _from_cells(values: dict[str, str]) -> dict[str, Any]:
    lists = ("weekdays", "topics", "muted_topics", "shows", "muted_shows")
    return {name: value.split(";") if name in lists else value for name, value in values.items()}


def _cell(value: Any) -> str:
    text = (
        ";".join(str(item).replace(";", ",") for item in cast("list[object]", value))
        if isinstance(value, list)
        else ""
        if value is None
        else str(value)
    )
    # A spreadsheet would run what begins like this.
    return f"'{text}" if text[:1] in ("=", "+", "@", "\t") else text


def _preferences(values: dict[str, Any]) -> "Preferences":
    from pydantic import ValidationError

    from top5.subscribers.model import WEEKDAYS, Preferences

    days = values.get("weekdays")
    if days is not None:
        names = [str(day).strip().lower()[:3] for day in days]
        if unknown := [name for name in names if name not in WEEKDAYS]:
            raise PermanentError("bad_preferences", f"{unknown[0]!r} is no day; write mon, tue, wed, thu, fri, sat or sun.")
        values = {**values, "weekdays": tuple(WEEKDAYS.index(name) for name in names)}
    try:
        return Preferences.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        said = first["msg"].removeprefix("Value error, ").rstrip(".")
        raise PermanentError("bad_preferences", f"{where!r} is not usable: {said}{'' if said.endswith('?') else '.'}") from error


def _states(state: str | None) -> "list[Any]":
    from top5.subscribers.model import SubscriberState

    if state is None:
        return []
    try:
        return [SubscriberState(state)]
    except ValueError as error:
        raise PermanentError("bad_state", f"{state!r} is no state; write pending, active, unsubscribed or suppressed.") from error


def _shown(subscriber: "Subscriber") -> dict[str, Any]:
    from top5.subscribers.model import WEEKDAYS

    values = subscriber.model_dump(mode="json", exclude={"serial"})
    return {**values, "address": _address(subscriber), "weekdays": [WEEKDAYS[day] for day in subscriber.weekdays]}


def _address(subscriber: "Subscriber") -> str:
    from top5.deliveries.apprise import shown

    return subscriber.address if subscriber.channel == "mail" else shown(subscriber.address)


def _when(subscriber: "Subscriber") -> str:
    from top5.subscribers.model import WEEKDAYS

    hour = "at once" if subscriber.hour is None else f"{subscriber.hour:02}:00 {subscriber.timezone}"
    days = "" if len(subscriber.weekdays) == 7 else " " + " ".join(WEEKDAYS[day] for day in subscriber.weekdays)
    return hour + days


def _what(subscriber: "Subscriber") -> str:
    parts = [f"{subscriber.count}, {subscriber.format}", *subscriber.topics, *subscriber.shows]
    return "; ".join([*parts, *(f"not {name}" for name in (*subscriber.muted_topics, *subscriber.muted_shows))])


def _text_of(file: Path) -> str:
    from top5.cli import read_input

    try:
        return read_input(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise PermanentError("bad_list", f"{file} is no UTF-8 text; save it as UTF-8.") from error


@contextmanager
def _service(config: Path | None) -> "Generator[Subscribers, None, None]":
    from top5.cli import open_catalog
    from top5.subscribers.service import open_subscribers

    settings = load_settings(config)
    with open_catalog(settings) as catalog:
        yield open_subscribers(settings, catalog)


def _said(line: str) -> None:
    Console().print(line, markup=False, highlight=False)


def _now() -> datetime:
    return datetime.now(UTC)
