"""`top5 serve` and `top5 site build`.

Belongs here: arguments and output. The application is `app`, the static copy `export`.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from top5.cli import ConfigOption, errors, open_catalog
from top5.errors import PermanentError
from top5.settings import Settings, load_settings

# Each command imports what it needs, as in `top5.cli`.
if TYPE_CHECKING:
    from top5.catalog.store import Catalog

site_app = typer.Typer(help="The archive as a web site.", no_args_is_help=True)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; site.host by default.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; site.port by default.", min=1, max=65535)] = None,
    config: ConfigOption = None,
) -> None:
    """Serve the archive, its search and feeds, and the pages of subscribers, until interrupted."""
    import uvicorn

    from top5.site.app import create_app

    settings = load_settings(config)
    changed: dict[str, object] = {"host": host or settings.site.host, "port": port or settings.site.port}
    settings = settings.model_copy(update={"site": settings.site.model_copy(update=changed)})
    if settings.site.url is None:
        # Without it no link in a mail leads anywhere; on one's own machine this address does.
        shown = "localhost" if settings.site.host in ("127.0.0.1", "0.0.0.0", "::") else settings.site.host  # noqa: S104
        site = settings.site.model_copy(update={"url": f"http://{shown}:{settings.site.port}"})
        settings = settings.model_copy(update={"site": site})
    with open_catalog(settings) as catalog:
        _read_digests(settings, catalog)
        _refuse_taken_port(settings.site.host, settings.site.port)
        Console().print(
            f"Serving {settings.site.url} from {settings.home}; stop with Ctrl-C.", markup=False, highlight=False, soft_wrap=True
        )
        uvicorn.run(
            create_app(settings, catalog),
            host=settings.site.host,
            port=settings.site.port,
            access_log=False,
            log_level="warning",
            server_header=False,
            proxy_headers=True,
            forwarded_allow_ips=list(settings.site.trusted_proxies),
            limit_concurrency=500,
            timeout_keep_alive=15,
            timeout_graceful_shutdown=10,
        )


@site_app.command("build")
def build(
    folder: Annotated[Path, typer.Argument(help="An empty folder, or that of an earlier build.", show_default=False)],
    url: Annotated[str | None, typer.Option(help="Where the copy will be found; site.url by default.")] = None,
    config: ConfigOption = None,
) -> None:
    """Write the whole archive as static files for any web host: pages, feeds, sitemap, and a search that needs no server."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from top5.site.archive import Archive
    from top5.site.export import export
    from top5.site.feeds import Morning
    from top5.site.pages import Pages, site_facts

    settings = load_settings(config)
    address = url or settings.site.url
    if address is None:
        errors.print(
            "site.url is not set: feeds and the sitemap will name localhost; give --url.", style="yellow", soft_wrap=True
        )
    elif not address.startswith(("http://", "https://")):
        raise PermanentError("bad_url", f"{address!r} is no web address; write it as https://example.org/digest.")
    with open_catalog(settings) as catalog:
        _read_digests(settings, catalog)
    archive = Archive(settings.home)
    morning = Morning(settings.tz, settings.schedule.digest_hour, settings.schedule.digest_minute)
    try:
        pages = Pages(archive, site_facts(settings, interactive=False, url=address.rstrip("/") if address else None))
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed} files"), TimeElapsedColumn())
        with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
            task = progress.add_task("Writing", total=None)
            done = export(pages, folder, morning, on_file=lambda number: progress.update(task, completed=number))
    finally:
        archive.close()
    Console().print(
        f"{done.files} files ({done.bytes / 1e6:.1f} MB) in {folder}: {done.changed} new or changed, {done.removed} removed.",
        markup=False,
        highlight=False,
        soft_wrap=True,
    )


def _read_digests(settings: Settings, catalog: "Catalog") -> None:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    from top5.site.source import refresh

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=errors, transient=True, disable=not errors.is_terminal) as progress:
        task = progress.add_task("Reading digests", total=None)
        synced = refresh(settings, catalog, on_day=lambda number, total: progress.update(task, completed=number, total=total))
    for problem in synced.problems:
        errors.print(problem, style="yellow", markup=False, highlight=False, soft_wrap=True)


def _refuse_taken_port(host: str, port: int) -> None:
    """uvicorn itself would end the process with a line in its log."""
    import socket

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind((host, port))
        except OSError as error:
            raise PermanentError(
                "port", f"Cannot listen on {host} port {port} ({error.strerror}); choose another with --port."
            ) from error
