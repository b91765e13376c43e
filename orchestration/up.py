"""`make up`: the web server and the daemon on one code server, until Ctrl-C.

Belongs here: starting and stopping them. Both are Dagster's own programs.
"""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from filelock import FileLock, Timeout
from rich.console import Console

from orchestration.instance import prepare_home
from top5 import warehouse
from top5.cli import guarded
from top5.errors import PermanentError, Top5Error
from top5.settings import Settings, load_settings

HOST = "127.0.0.1"
FIRST_PORT = 3000
_PR_SET_PDEATHSIG = 1


def free_port(first: int) -> int:
    """The first free port from `first` on: 3000 is a favourite of many programs."""
    for port in range(first, first + 100):
        with socket.socket() as candidate:
            if candidate.connect_ex((HOST, port)) != 0:
                return port
    return first


def up() -> None:
    """Start, print the URL once it answers, wait, stop both on Ctrl-C. Raises PermanentError `busy` where they run on this home already."""
    settings = load_settings()
    home = prepare_home(settings.home)
    # Both end it in good order, also where a shell that started it in the background had the first one ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        with FileLock(settings.home / "up.lock", timeout=0):
            _run(settings, home)
    except Timeout as error:
        raise PermanentError("busy", f"`make up` runs on {settings.home} already; stop that one first.") from error


def _run(settings: Settings, home: Path) -> None:
    console = Console(stderr=True)
    port = free_port(FIRST_PORT)
    project = Path(__file__).resolve().parent.parent
    command = [sys.executable, "-m", "dagster", "dev", "-w", str(project / "workspace.yaml"), "-h", HOST, "-p", str(port)]
    console.print(f"Starting Dagster with DAGSTER_HOME {home} (half a minute) ...", markup=False, highlight=False, soft_wrap=True)
    url = f"http://{HOST}:{port}"
    # In a session of its own: Ctrl-C reaches this process alone, and Dagster is told once. Told twice, it would leave its children behind.
    server = subprocess.Popen(  # noqa: S603
        [*command, "--log-level", "error"],
        cwd=project,
        env=_environment(home, url),
        start_new_session=True,
        preexec_fn=_end_with_parent,
    )
    try:
        while server.poll() is None and not _answers(url):
            time.sleep(0.5)
        if server.poll() is None:
            console.print(f"Dagster is at {url} (the asset graph: {url}/asset-groups).", highlight=False, soft_wrap=True)
            with dbt_docs(settings) as docs:
                console.print(f"The models of the warehouse (dbt docs): {docs}", markup=False, highlight=False, soft_wrap=True)
                console.print("Ctrl-C stops it; its schedules run while it is up.")
                server.wait()
        raise SystemExit(server.wait())
    except KeyboardInterrupt:
        console.print("Stopping ...")
    finally:
        _stop(server)


def _stop(server: "subprocess.Popen[bytes]") -> None:
    """End Dagster's programs in good order, and what is left of them after half a minute or because their parent was killed."""
    server.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        server.wait(timeout=30)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL if server.poll() is None else signal.SIGTERM)
    server.wait()


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


def _end_with_parent() -> None:
    # Killed, this process cannot stop what it started, and the next `make up` would be a second daemon on the same home. Linux only.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _answers(url: str) -> bool:
    try:
        with urlopen(f"{url}/server_info", timeout=2):  # noqa: S310
            return True
    except (URLError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(guarded(up))
