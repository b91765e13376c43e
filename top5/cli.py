"""The command line: everything that needs no run. `top5 run` is added by `orchestration.cli`, which knows of runs.

Belongs here: arguments, output, exit codes (0; 1 bad input, one sentence on stderr; 2 usage). The plumbing commands (`feeds parse`,
`transcripts parse`, `transcribe`, `insights extract`) touch no state and print one JSON document on stdout and nothing else there;
docs/formats.md describes it.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer
from rich.console import Console

from top5.deliveries.cli import app as deliveries_app
from top5.deliveries.cli import preview
from top5.errors import PermanentError, Top5Error
from top5.settings import Settings, load_settings
from top5.subscribers.cli import app as subscribers_app
from top5.urls import mask_url

# Each command imports what it needs: together these modules take seconds, one alone a fraction.
if TYPE_CHECKING:
    from top5.catalog.model import FeedState, SuggestedShow
    from top5.catalog.store import Catalog
    from top5.doctor import DamageSearch
    from top5.feeds.scan import ScanRow

app = typer.Typer(
    help="Scans new podcasts and sends the day's five best insights.", no_args_is_help=True, pretty_exceptions_enable=False
)
feeds_app = typer.Typer(help="What is followed.", no_args_is_help=True)
transcripts_app = typer.Typer(help="One transcript file.", no_args_is_help=True)
insights_app = typer.Typer(help="One episode's insights.", no_args_is_help=True)
app.add_typer(feeds_app, name="feeds")
app.add_typer(transcripts_app, name="transcripts")
app.add_typer(insights_app, name="insights")
app.add_typer(subscribers_app, name="subscribers")
app.add_typer(deliveries_app, name="deliveries")
app.command("preview")(preview)

damage_searches: "list[DamageSearch]" = []
"""Where `doctor` looks besides the domain's own stores; whoever runs the runs adds to it."""

ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file; top5.toml by default.")]
DateOption = Annotated[str | None, typer.Option("--date", help="YYYY-MM-DD, `today` or `yesterday`.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on one line, for programs.")]
# Whether a file can be read is found out by reading it, so that every failure has the same form.
FileArgument = Annotated[Path, typer.Argument(show_default=False, readable=False)]

errors = Console(stderr=True)
_MOST_INPUT = 300_000_000  # bytes that a plumbing command reads


def guarded(command: Callable[[], object]) -> int:
    """Run the command line; a named failure is one sentence on stderr and exit code 1."""
    try:
        command()
    except Top5Error as error:
        errors.print(f"top5: {error.message}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`).
        sys.stderr.close()
        return 0
    except KeyboardInterrupt:
        errors.print("top5: interrupted; run the same command again to go on.", style="yellow")
        return 130
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0


def parse_day(text: str | None, settings: Settings, now: datetime) -> date:
    """A day from the command line; by default yesterday, the last day that is over."""
    today = now.astimezone(settings.tz).date()
    match text:
        case None | "yesterday":
            return today - timedelta(days=1)
        case "today":
            return today
        case _:
            try:
                day = date.fromisoformat(text)
            except ValueError as error:
                raise PermanentError("bad_date", f"{text!r} is no date; write it as YYYY-MM-DD.") from error
            if not settings.start_date <= day <= today:
                raise PermanentError("bad_date", f"{day} is outside {settings.start_date} (start_date in top5.toml) to {today}.")
            return day


def print_json(value: Any, *, compact: bool) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=None if compact else 2) + "\n")


@contextmanager
def naming(file: Path) -> "Generator[None, None, None]":
    """A failure inside names the file, whatever it says otherwise."""
    try:
        yield
    except Top5Error as error:
        if str(file) in error.message or file.name in error.message:
            raise
        raise PermanentError(error.reason, f"{file}: {error.message}") from error


@contextmanager
def open_catalog(settings: Settings) -> "Generator[Catalog, None, None]":
    """The catalog for the length of the block."""
    from top5.catalog.store import Catalog

    catalog = Catalog.of(settings)
    try:
        yield catalog
    finally:
        catalog.close()


@app.command("scan")
def scan_command(
    everything: Annotated[bool, typer.Option("--all", help="Every followed feed, due or not.")] = False,
    config: ConfigOption = None,
) -> None:
    """Poll the feeds that are due and show what is new."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from top5.feeds import subscriptions
    from top5.feeds.scan import scan
    from top5.lake import Lake

    settings, now = load_settings(config), datetime.now(UTC)
    with open_catalog(settings) as catalog:
        added = subscriptions.import_defaults(catalog, settings.feeds_file, now)
        if added:
            errors.print(f"Following {added} feeds of {settings.feeds_file}.")
        due = catalog.feeds("active") if everything else catalog.due_feeds(now)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.completed}/{task.total}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=errors, transient=True) as progress:
            task = progress.add_task("Scanning", total=len(due))

            def advance(row: "ScanRow") -> None:
                progress.update(task, advance=1, description=f"{row.title[:30]}: {row.reason}")

            rows = asyncio.run(scan(catalog, settings.scan, now=now, tz=settings.tz, feeds=due, on_row=advance))
        waiting = [feed.next_poll for feed in catalog.feeds("active") if feed.next_poll is not None]
    if rows:
        Lake(settings.lake_path).write_table("scans", now.strftime("%Y-%m-%dT%H%M%SZ"), [asdict(row) for row in rows])
    console = Console()
    console.print(
        f"{len(rows)} feeds, {sum(row.new for row in rows)} new episodes, {sum(row.bytes for row in rows) / 1e6:.1f} MB"
    )
    if not rows and waiting:
        console.print(f"No feed is due before {min(waiting):%Y-%m-%d %H:%M} UTC; `top5 scan --all` polls them all the same.")
    for reason, count in Counter(row.reason for row in rows).most_common():
        console.print(f"  {count:4}  {reason}")
    for row in rows:
        if not row.ok:
            console.print(f"  {row.title}: {row.message}", style="yellow", markup=False, highlight=False, soft_wrap=True)


@app.command("show")
def show_command(day: DateOption = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show a day's digest; the latest one by default."""
    from top5.digests.day import latest_digest
    from top5.digests.render import render_json, render_text
    from top5.lake import Lake

    settings = load_settings(config)
    wanted = parse_day(day, settings, datetime.now(UTC)) if day else None
    digest = latest_digest(Lake(settings.lake_path), wanted)
    sys.stdout.write(render_json(digest) if as_json else render_text(digest))


@app.command("diff")
def diff_command(
    day: Annotated[str, typer.Argument(help="YYYY-MM-DD, `today` or `yesterday`.", show_default=False)],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what ranking a day again would change in its digest, and why; nothing is changed."""
    from top5.digests.day import compare
    from top5.lake import Lake

    settings = load_settings(config)
    wanted = parse_day(day, settings, datetime.now(UTC))
    with errors.status(f"Ranking {wanted} on a copy of the warehouse ..."):
        found = compare(wanted, settings, Lake(settings.lake_path))
    if as_json:
        document = {"date": f"{wanted}", "revision": found.revision, "changes": found.changes, "reasons": found.reasons}
        print_json(document, compact=True)
        return
    lines = [
        f"{wanted}, revision {found.revision}: " + ("ranking it again would change" if found.changes else "nothing would change.")
    ]
    lines += [f"  {change}" for change in found.changes]
    if found.reasons:
        lines += ["Because:" if found.changes else "Though something is different:", *(f"  {reason}" for reason in found.reasons)]
    Console().print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)


@app.command("doctor")
def doctor_command(
    fix: Annotated[bool, typer.Option("--fix", help="Mend what can be mended without you.")] = False,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what works, what is missing or broken and what to do about it; exit 1 where something must be done."""
    from top5 import doctor as checkup

    settings = load_settings(config)
    findings = [*checkup.examine(settings), *checkup.broken(settings, datetime.now(UTC), fix=fix, also=damage_searches)]
    if as_json:
        print_json([finding.model_dump() for finding in findings], compact=True)
    else:
        console = Console()
        for finding in findings:
            mark, style = {"ok": ("ok  ", "green"), "note": ("note", "yellow"), "problem": ("FIX ", "red")}[finding.level]
            console.print(mark, style=style, end="  ")
            console.print(f"{finding.subject}: {finding.message}", markup=False, highlight=False, soft_wrap=True)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(1)


@feeds_app.command("add")
def feeds_add(url: str, config: ConfigOption = None) -> None:
    """Follow a feed, by its address, its site's or an Apple Podcasts link; says what it found there."""
    from top5.feeds import subscriptions

    settings, now = load_settings(config), datetime.now(UTC)
    with open_catalog(settings) as catalog:
        found = asyncio.run(subscriptions.look_at(url, settings))
        parsed = found.feed
        _, changed = catalog.add_feed(found.url, now, title=parsed.podcast.title)
    console = Console()
    verb = "Following" if changed else "Already following"
    console.print(f"{verb} {parsed.podcast.title}: {len(parsed.episodes)} episodes", markup=False, highlight=False)
    console.print(f"Found by {found.how}: {mask_url(found.url)}", markup=False, highlight=False, soft_wrap=True)
    for other in found.others:
        console.print(f"The site also names {mask_url(other)}", markup=False, highlight=False, soft_wrap=True)
    newest = sorted(parsed.episodes, key=lambda e: e.published.timestamp() if e.published else 0.0, reverse=True)
    for episode in newest[:3]:
        published = f"{episode.published:%Y-%m-%d}" if episode.published else "no date   "
        console.print(f"  {published}  {episode.title}", markup=False, highlight=False)


@feeds_app.command("check")
def feeds_check(url: str, config: ConfigOption = None) -> None:
    """Explain one poll of a feed step by step, by URL or id; nothing is stored."""
    from top5.feeds import subscriptions

    settings, now = load_settings(config), datetime.now(UTC)
    with open_catalog(settings) as catalog:
        for line in asyncio.run(subscriptions.check(catalog, url, settings, now)):
            Console().print(line, markup=False, highlight=False, soft_wrap=True)


@feeds_app.command("discover")
def feeds_discover(topics: list[str], config: ConfigOption = None) -> None:
    """Look for shows on topics that are not followed yet; `feeds accept ID` follows one."""
    from top5.feeds import subscriptions

    settings, now = load_settings(config), datetime.now(UTC)
    with open_catalog(settings) as catalog:
        shows, troubles, _ = asyncio.run(subscriptions.find_shows(catalog, topics, settings, now))
    for trouble in troubles:
        errors.print(trouble, style="yellow", markup=False, highlight=False, soft_wrap=True)
    _print_suggestions(shows)


@feeds_app.command("suggestions")
def feeds_suggestions(config: ConfigOption = None) -> None:
    """Shows that were suggested and neither accepted nor dismissed."""
    with open_catalog(load_settings(config)) as catalog:
        _print_suggestions(catalog.suggestions())


@feeds_app.command("accept")
def feeds_accept(suggestion: str, config: ConfigOption = None) -> None:
    """Follow a suggested show, by its id."""
    from top5.feeds import subscriptions

    with open_catalog(load_settings(config)) as catalog:
        show = subscriptions.accept(catalog, suggestion, datetime.now(UTC))
    Console().print(f"Following {show.title}.", markup=False, highlight=False)


@feeds_app.command("dismiss")
def feeds_dismiss(suggestion: str, config: ConfigOption = None) -> None:
    """Never suggest a show again, by its id."""
    with open_catalog(load_settings(config)) as catalog:
        show = catalog.decide_suggestion(suggestion, "dismissed", datetime.now(UTC))
    Console().print(f"{show.title} is not suggested again.", markup=False, highlight=False)


def _print_suggestions(shows: "Sequence[SuggestedShow]") -> None:
    console = Console()
    for show in shows:
        console.print(
            f"{show.feed_id}  {show.score:4.1f}  {show.title}  {mask_url(show.url)}",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
        console.print(f"                  {'; '.join(show.reasons)}", markup=False, highlight=False, soft_wrap=True)
    if not shows:
        console.print("No suggestions; name topics with `top5 feeds discover TOPIC` or in [discover] of top5.toml.")


@feeds_app.command("remove")
def feeds_remove(url: str, config: ConfigOption = None) -> None:
    """Stop following a feed, by URL or id."""
    with open_catalog(load_settings(config)) as catalog:
        feed = catalog.remove_feed(url)
    Console().print(f"No longer following {feed.title or mask_url(feed.url)}.", markup=False, highlight=False)


@feeds_app.command("list")
def feeds_list(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """What is followed, and how each feed's last scan went."""
    from rich.markup import escape
    from rich.table import Table

    with open_catalog(load_settings(config)) as catalog:
        followed = catalog.feeds()
    if as_json:
        print_json([_feed_row(feed) for feed in followed], compact=True)
        return
    table = Table("id", "title", "status", "last scan", "next poll", "URL")
    # Other commands take it.
    table.columns[0].no_wrap = True
    for feed in followed:
        health = "never scanned" if feed.scanned_at is None else f"{feed.scanned_at:%Y-%m-%d %H:%M} {feed.reason}"
        health += f" ({feed.failures} in a row)" if feed.failures > 1 else ""
        following = f"{feed.next_poll:%Y-%m-%d %H:%M}" if feed.next_poll and feed.status == "active" else "-"
        cells = (feed.feed_id, feed.title, feed.status, health, following, mask_url(feed.url))
        table.add_row(*(escape(text) for text in cells))
    Console().print(table if followed else "Nothing is followed yet; `top5 feeds add URL` or `top5 feeds import FILE.opml`.")


def _feed_row(feed: "FeedState") -> dict[str, Any]:
    return {
        "feed_id": feed.feed_id,
        "title": feed.title,
        "status": feed.status,
        "scanned_at": feed.scanned_at.isoformat() if feed.scanned_at else None,
        "next_poll": feed.next_poll.isoformat() if feed.next_poll else None,
        "reason": feed.reason,
        "message": feed.message,
        "failures": feed.failures,
        "url": mask_url(feed.url),
    }


@feeds_app.command("import")
def feeds_import(file: FileArgument, config: ConfigOption = None) -> None:
    """Follow every feed of an OPML file."""
    from top5.feeds import subscriptions

    with open_catalog(load_settings(config)) as catalog, naming(file):
        added, known = subscriptions.import_opml(catalog, file, datetime.now(UTC))
    Console().print(f"{added} feeds added, {known} were followed already.")


@feeds_app.command("export")
def feeds_export(config: ConfigOption = None) -> None:
    """Print what is followed as OPML, with whole URLs: private ones can be read by whoever reads the file."""
    from top5.feeds import subscriptions

    with open_catalog(load_settings(config)) as catalog:
        sys.stdout.buffer.write(subscriptions.export_opml(catalog, datetime.now(UTC)))


@feeds_app.command("parse")
def feeds_parse(file: FileArgument, as_json: JsonOption = False) -> None:
    """Plumbing: read one feed file."""
    from top5.feeds.parse import parse_feed

    with naming(file):
        parsed = parse_feed(read_input(file))
    print_json(parsed.model_dump(mode="json"), compact=as_json)


@transcripts_app.command("parse")
def transcripts_parse(file: FileArgument, as_json: JsonOption = False) -> None:
    """Plumbing: read one transcript or caption file."""
    from top5.transcripts.formats import parse_transcript

    with naming(file):
        transcript = parse_transcript(read_input(file), name=file.name)
    print_json(transcript.model_dump(mode="json"), compact=as_json)


@app.command("transcribe")
def transcribe_command(
    audio: FileArgument,
    language: Annotated[str | None, typer.Option(help="Language code; detected by default.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Plumbing: speech to text of one audio file."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from top5.engines import transcriber
    from top5.transcripts.audio import check_duration

    settings = load_settings(config)
    try:
        is_file = audio.is_file()
    except OSError as error:
        raise PermanentError("no_file", f"{audio} cannot be read ({error.strerror}); check the path.") from error
    if not is_file:
        raise PermanentError("no_file", f"{audio} is no file; give the path of an audio file.")
    with naming(audio):
        check_duration(audio, settings.transcripts.max_audio_minutes)
    engine = transcriber(settings)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[speed]}"),
        console=errors,
        transient=True,
        disable=not errors.is_terminal,
    ) as progress:
        task = progress.add_task(f"Transcribing {audio.name}", total=None, speed="")
        started = monotonic()

        def advance(done: float, total: float) -> None:
            progress.update(task, completed=done, total=total, speed=f"{done / max(0.1, monotonic() - started):.1f} x realtime")

        with naming(audio):
            transcript = engine.transcribe(audio, language=language, on_progress=advance)
    print_json(transcript.model_dump(mode="json"), compact=as_json)


@app.command("forecast")
def forecast_command(
    first: Annotated[str | None, typer.Option("--from", help="YYYY-MM-DD, the first day; by default 30 days ago.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="YYYY-MM-DD, the last day; by default yesterday.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """What a backfill will take: minutes of audio, machine minutes, dollars. Nothing is fetched or decoded."""
    from top5.engines import transcriber
    from top5.lake import Lake
    from top5.transcripts.forecast import CatalogReader, forecast, sentences

    settings, now = load_settings(config), datetime.now(UTC)
    end = parse_day(last, settings, now)
    begin = parse_day(first, settings, now) if first else max(settings.start_date, end - timedelta(days=29))
    if begin > end:
        raise PermanentError("bad_date", f"{begin} is after {end}; give --from a day that is not later than --to.")
    catalog = CatalogReader.of(settings)
    try:
        found = catalog.available_by_day(begin, end)
    finally:
        catalog.close()
    wanted = settings.transcripts
    engine, model_comes = None, False
    try:
        # A forecast waits for no download.
        engine = transcriber(
            settings.model_copy(update={"transcripts": wanted.model_copy(update={"allow_download": False})})
        ) if found else None  # fmt: skip
    except PermanentError as error:
        model_comes = error.reason == "no_speech_model" and wanted.allow_download and wanted.model_path is None
    said = forecast(
        [facts for _, facts in found],
        first=begin,
        last=end,
        lake=Lake(settings.lake_path),
        settings=settings,
        engine=engine,
        days=[day for day, _ in found],
        model_comes=model_comes,
    )
    if as_json:
        print_json({**said.model_dump(mode="json"), "usd": said.usd}, compact=True)
        return
    Console().print("\n".join(sentences(said, settings)), markup=False, highlight=False, soft_wrap=True)


@insights_app.command("extract")
def insights_extract(
    transcript: FileArgument,
    engine: Annotated[str, typer.Option(help="local, openai or auto.")] = "auto",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Plumbing: the insights of one transcript or caption file, or of JSON with title, show, description and segments."""
    from top5.engines import stateless_tools
    from top5.insights.model import EpisodeText
    from top5.transcripts.formats import parse_transcript

    if engine not in ("auto", "local", "openai"):
        raise typer.BadParameter("must be local, openai or auto", param_hint="--engine")
    settings = load_settings(config)
    settings = settings.model_copy(update={"insights": settings.insights.model_copy(update={"engine": engine})})
    with naming(transcript):
        body = read_input(transcript)
        segments = parse_transcript(body, name=transcript.name).segments
    facts = _episode_facts(body)
    extraction = stateless_tools(settings).engine.extract(EpisodeText(segments=segments, **facts))
    print_json(extraction.model_dump(mode="json"), compact=as_json)


@insights_app.command("score")
def insights_score(file: FileArgument, config: ConfigOption = None) -> None:
    """Plumbing: the salience of each line `{"text": ...}` with its largest reasons, one JSON line each; `-` is standard input."""
    from top5.engines import stateless_tools
    from top5.insights.salience import reasons
    from top5.insights.score import score_texts

    texts: list[str] = []
    for number, line in enumerate(read_input(file).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            texts.append(str(json.loads(line)["text"]))
        except (ValueError, TypeError, KeyError) as error:
            raise PermanentError("bad_line", f'{file}: line {number} is no JSON object with a "text"; correct it.') from error
    settings = load_settings(config)
    settings = settings.model_copy(update={"insights": settings.insights.model_copy(update={"engine": "local"})})
    for salience, measured in score_texts(texts, stateless_tools(settings).embedder):
        print_json({"salience": salience, "reasons": list(reasons(measured))}, compact=True)


def _episode_facts(body: bytes) -> dict[str, Any]:
    """Title, show, description and people where the input is our own JSON; nothing for captions."""
    try:
        data: Any = json.loads(body)
    except ValueError:
        return {}
    if not isinstance(data, dict):
        return {}
    given = cast("dict[str, Any]", data)
    facts: dict[str, Any] = {key: given[key] for key in ("title", "show", "description") if isinstance(given.get(key), str)}
    people: Any = given.get("people")
    if isinstance(people, list):
        facts["people"] = tuple(person for person in cast("list[object]", people) if isinstance(person, str))
    return facts


def read_input(file: Path) -> bytes:
    """The bytes of a file; `-` is standard input. Raises PermanentError where it cannot be read, or never ends."""
    try:
        if str(file) == "-":
            body = sys.stdin.buffer.read(_MOST_INPUT + 1)
        else:
            with file.open("rb") as opened:
                body = opened.read(_MOST_INPUT + 1)
    except OSError as error:
        raise PermanentError("no_file", f"{file} cannot be read ({error.strerror}); check the path.") from error
    if len(body) > _MOST_INPUT:
        raise PermanentError("too_large", f"{file} has more than {_MOST_INPUT // 1_000_000} MB; is it the right file?")
    return body
