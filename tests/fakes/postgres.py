"""A real Postgres for the length of the tests: the one of $TOP5_TEST_POSTGRES, or one that is started on a socket of its own.

Belongs here: starting, stopping, and empty databases. Tests that need it skip with a reason where there is none.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

_numbers = count()


class Postgres:
    """A server; `database()` is the URL of a new, empty database."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql+psycopg")

    def database(self, template: str | None = None) -> str:
        name = f"top5_test_{os.getpid()}_{next(_numbers)}"
        self._execute(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{make_url(template).database}"' if template else ""))
        return self._url.set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        self._execute(f'DROP DATABASE IF EXISTS "{make_url(url).database}" WITH (FORCE)')

    def _execute(self, statement: str) -> None:
        engine = create_engine(self._url, isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that is there or can be started; skips the test otherwise."""
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra `postgres`)")
    if given := os.environ.get("TOP5_TEST_POSTGRES"):
        yield Postgres(given)
        return
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("no Postgres: set TOP5_TEST_POSTGRES to a server's URL, or install the package postgresql")
    binaries = programs[-1].parent
    # The server refuses to run as root.
    runner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="top5-pg-", dir="/tmp"))  # a socket's path has to be short
    try:
        if runner:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "timeout": 60, "cwd": "/"}
        subprocess.run([*runner, binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"], **quiet)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off -c max_connections=60"
        control = [*runner, binaries / "pg_ctl", "-D", data, "-w", "-l", folder / "log"]
        subprocess.run([*control, "-o", options, "start"], **quiet)
        try:
            yield Postgres(f"postgresql+psycopg://postgres@/postgres?host={folder}")
        finally:
            subprocess.run([*control, "-m", "immediate", "stop"], **quiet)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
