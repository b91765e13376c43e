"""`make up`: the web server and the daemon on one code server, until Ctrl-C.

Belongs here: starting and stopping them. Both are Dagster's own programs.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from rich.console import Console

from orchestration.instance import prepare_home
from top5 import warehouse
from top5.cli import guarded
from top5.errors import Top5Error
from top5.settings import Settings, load_settings

HOST = "127.0.0.1"
FIRST_PORT = 3000


def free_port(first: int) -> int:
    """The first free port from `first` on: 3000 is a favourite of many programs."""
    for port in range(first, first + 100):
        with socket.socket() as candidate:
            if candidate.connect_ex((HOST, port)) != 0:
                return port
    return first


def up() -> None:
    """Start, print the URL once it answers, wait, stop both on Ctrl-C."""
    console = Console(stderr=True)
    settings = load_settings()
    home = prepare_home(settings.home)
    port = free_port(FIRST_PORT)
    project = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(project / "workspace.yaml"), "-h", HOST, "-p", str(port)]
    console.print(f"Starting Dagster with DAGSTER_HOME {home} (half a minute) ...", markup=False, highlight=False, soft_wrap=True)
    url = f"http://{HOST}:{port}"
    server = subprocess.Popen([*command, "--log-level", "error"], cwd=project, env=_environment(home, url))  # noqa: S603
    try:
        while server.poll() is None and not _answers(url):
            time.sleep(0.5)
        if server.poll() is None:
            console.print(f"Dagster is at {url} (the asset graph: {url}/asset-groups).", highlight=False, soft_wrap=True)
            with dbt_docs(settings) as docs:
                console.print(f"The models of the warehouse (dbt docs): {docs}", markup=False, highlight=False, soft_wrap=True)
                console.print("Ctrl-C stops it; its schedules run while it is up.")
                raise SystemExit(server.wait())
        raise SystemExit(server.wait())
    except KeyboardInterrupt:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=30)


@contextmanager
def dbt_docs(settings: Settings) -> Generator[str, None, None]:
    """Serve dbt's documentation of the models on the loopback address for the length of the block; gives its URL, or why there is none."""
    try:
        page = warehouse.docs(
            warehouse.PROJECT_DIR, lake=settings.lake_path, warehouse=settings.warehouse_path, target_path=settings.dbt_path
        )
    except Top5Error as error:
        yield error.message
        return
    body = page.read_bytes()

    class OnePage(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((HOST, 0), OnePage) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{HOST}:{server.server_port}/"
        server.shutdown()


def _environment(home: Path, url: str) -> dict[str, str]:
    # `dagster dev` is Dagster's one command for both programs on one code server; its advice to use another tool is not for operators.
    return {
        "TOP5_ALERTS__UI_URL": url,
        **os.environ,
        "DAGSTER_HOME": str(home),
        "PYTHONWARNINGS": "ignore:Function `dev_command`",
    }


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/server_info", timeout=2):  # noqa: S310
            return True
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(guarded(up))
