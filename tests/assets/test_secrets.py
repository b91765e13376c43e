"""Canaries planted in every place for a secret, and every store searched for them after a real run whose servers repeat them."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from demo.publish import opml, publish
from demo.server import PodcastServer
from orchestration.run import run_day
from tests.assets.conftest import DAY, NOW
from tests.fakes.openai_server import FakeOpenAI, Reply
from top5.settings import load_settings

pytestmark = pytest.mark.slow

CANARIES = {
    "OpenAI key": "sk-canary-0001",
    "SMTP password": "canary-0002-password",
    "feed token": "canary-0003-token",
    "Apprise URL": "canary-0004-apprise",
    "health-check ping": "canary-0005-ping",
    "keys of signed links": "canary-0006-links-0123456789abcdef",
    "Podcast Index secret": "canary-0007-index",
}


def texts(home: Path) -> Iterator[tuple[str, str]]:
    """Every store of a home as text, unpacked: (where, what)."""
    for path in sorted(home.rglob("*")):
        name = path.relative_to(home).as_posix()
        if not path.is_file() or name.startswith(("www/", "models/")) or name == "feeds.opml":
            continue
        yield f"name of {name}", name
        yield name, path.read_bytes().decode("utf-8", errors="replace") if path.name != "catalog.db" else ""
        if path.suffix == ".parquet":
            yield name, json.dumps(pq.ParquetFile(path).read().to_pylist(), default=str)
        elif path.suffix == ".duckdb":
            with duckdb.connect(str(path), read_only=True) as connection:
                for (table,) in connection.execute("select table_name from duckdb_tables()").fetchall():
                    yield f"{name}: {table}", str(connection.execute(f'from "{table}"').fetchall())
        elif path.suffix == ".db":
            with closing(sqlite3.connect(path)) as connection:
                for (table,) in connection.execute("select name from sqlite_master where type = 'table'").fetchall():
                    cursor = connection.execute(f'select * from "{table}"')
                    columns = [column[0] for column in cursor.description]
                    for row in cursor:
                        # The one place where a feed's address belongs whole.
                        told = [
                            v for c, v in zip(columns, row, strict=True) if (name, table, c) != ("catalog.db", "feeds", "url")
                        ]
                        yield f"{name}: {table}", str(told)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("canaries")
    publish(home / "www", 2)
    subscriptions = opml().decode().replace('"/>', f'?token={CANARIES["feed token"]}"/>')
    (home / "feeds.opml").write_text(subscriptions)

    def repeats_the_key(_request: object) -> Reply:
        told = f"Incorrect API key provided: {CANARIES['OpenAI key']}"
        return Reply(status=401, error={"message": told, "type": "invalid_request_error", "code": "invalid_api_key"})

    variables = {
        "TOP5_HOME": str(home),
        "TOP5_FEEDS_FILE": str(home / "feeds.opml"),
        "OPENAI_API_KEY": CANARIES["OpenAI key"],
        "TOP5_INSIGHTS__ENGINE": "openai",
        "TOP5_TRANSCRIPTS__SPEECH": "off",
        # Nobody listens there: delivery fails, and says why.
        "TOP5_DELIVERY__SMTP_HOST": "127.0.0.1",
        "TOP5_DELIVERY__SMTP_PORT": "9",
        "TOP5_DELIVERY__SMTP_USER": "top5",
        "TOP5_DELIVERY__SMTP_PASSWORD": CANARIES["SMTP password"],
        "TOP5_DELIVERY__PATIENCE": "0",
        "TOP5_ALERTS__URLS": json.dumps([f"json://127.0.0.1:9/{CANARIES['Apprise URL']}"]),
        "TOP5_ALERTS__PING_URL": f"http://127.0.0.1:9/{CANARIES['health-check ping']}",
        "TOP5_SUBSCRIBERS__SECRET_KEYS": CANARIES["keys of signed links"],
        "TOP5_DISCOVER__PODCAST_INDEX_SECRET": CANARIES["Podcast Index secret"],
        "TOP5_OBSERVE__LOG": "json",
        "TOP5_OBSERVE__LOG_FILE": str(home / "logs" / "top5.jsonl"),
    }
    with PodcastServer(home / "www") as server, FakeOpenAI(repeats_the_key) as api, pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.setenv("TOP5_SCAN__ALLOW_PRIVATE", json.dumps([server.address]))
        patch.setenv("TOP5_SCAN__CONNECT_TO", json.dumps({".example": server.address}))
        patch.setenv("TOP5_OPENAI__BASE_URL", api.base_url)
        run_day(DAY, load_settings(), now=NOW)
        assert api.steps(), "the key was never used"
        yield home


def test_the_canaries_were_planted_and_the_run_got_far(home: Path):
    with closing(sqlite3.connect(home / "catalog.db")) as connection:
        (urls,) = connection.execute("select count(*) from feeds where url like ?", (f"%{CANARIES['feed token']}",)).fetchone()
    assert urls > 5
    assert (home / "digests" / str(DAY) / "digest.json").exists()
    stores = {where.split("/")[0] for where, _ in texts(home)}
    assert {"dagster", "lake", "digests", "logs", "warehouse.duckdb: daily_summary"} <= stores
    told = (home / "logs" / "top5.jsonl").read_text()
    assert all(f'"stage": "{stage}"' in told for stage in ("feeds", "insights", "ranking", "deliveries"))


@pytest.mark.parametrize("secret", CANARIES)
def test_no_store_holds(home: Path, secret: str):
    found = sorted({where for where, text in texts(home) if CANARIES[secret] in text})
    assert found == [], f"{secret} in {found[:5]}"
