import json
import logging
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import SecretStr

from top5.errors import PermanentError
from top5.observe import log
from top5.observe.stage import _provider, stage, write_metrics
from top5.settings import AlertSettings, DeliverySettings, ObserveSettings, Settings

NOW = datetime(2026, 9, 20, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def quiet_afterwards() -> Iterator[None]:
    yield
    log.configure(Settings())


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_each_line_names_its_run_stage_day_and_episode(tmp_path: Path):
    settings = Settings(observe=ObserveSettings(log="json", log_file=tmp_path / "logs" / "top5.jsonl"))
    with stage(settings, "transcripts", run_id="r1", days="2026-09-14"):
        log.event("Stirred\nnot shaken: ready", episode_id="e1")
    started, episode, finished = lines(tmp_path / "logs" / "top5.jsonl")
    ids = {"run_id": "r1", "stage": "transcripts", "days": "2026-09-14"}
    assert started.items() >= {"message": "stage started", "level": "info", **ids}.items()
    assert episode.items() >= {"message": "Stirred\nnot shaken: ready", "episode_id": "e1", **ids}.items()
    assert finished["message"] == "stage finished"
    assert isinstance(finished["seconds"], float)


def test_a_stage_that_fails_says_why_and_the_failure_goes_on(tmp_path: Path):
    settings = Settings(observe=ObserveSettings(log="json", log_file=tmp_path / "log", metrics_folder=tmp_path))
    with pytest.raises(PermanentError), stage(settings, "feeds", run_id="r1", days=""):
        raise PermanentError("gone", "The feed has gone.")
    assert lines(tmp_path / "log")[-1].items() >= {"message": "stage failed", "level": "error", "reason": "gone"}.items()
    assert 'top5_stage_success{stage="feeds"} 0.0' in (tmp_path / "top5_feeds.prom").read_text()


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_secret_of_the_settings_gets_into_a_line(form: str, tmp_path: Path):
    secrets = ["smtp-pa55", "ntfy://tok3n@host/topic"]
    settings = Settings(
        observe=ObserveSettings(log=form, log_file=tmp_path / "log"),  # type: ignore[arg-type]
        delivery=DeliverySettings(smtp_password=SecretStr(secrets[0])),
        alerts=AlertSettings(urls=(SecretStr(secrets[1]),)),
    )
    log.configure(settings)
    for secret in secrets:
        log.event(f"connected with {secret}", url=f"x{secret}y")
        try:
            raise ValueError(secret)
        except ValueError:
            logging.getLogger("top5.deliveries").exception("failed with %s", secret)
    told = (tmp_path / "log").read_text()
    assert told.count("***") >= 8
    assert not any(secret in told for secret in secrets)


def test_a_text_line_is_one_line(tmp_path: Path):
    log.configure(Settings(observe=ObserveSettings(log="text", log_file=tmp_path / "log")))
    log.event("a title\nwith 2026-09-20 error forged", episode_id="e1")
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.endswith("info a title with 2026-09-20 error forged episode_id=e1")


def test_off_by_default_and_then_nothing_is_written(tmp_path: Path, capfd: pytest.CaptureFixture[str]):
    with stage(Settings(), "feeds", run_id="r1", days=""):
        log.event("nobody listens")
    assert capfd.readouterr() == ("", "")


def test_metrics_are_in_prometheus_own_format(tmp_path: Path):
    from prometheus_client.parser import text_string_to_metric_families

    write_metrics(tmp_path / "new", "insights", seconds=1.5, ok=True, now=NOW)
    families = text_string_to_metric_families((tmp_path / "new" / "top5_insights.prom").read_text())
    samples = {sample.name: (sample.labels, sample.value) for family in families for sample in family.samples}
    assert samples == {
        "top5_stage_duration_seconds": ({"stage": "insights"}, 1.5),
        "top5_stage_success": ({"stage": "insights"}, 1.0),
        "top5_stage_last_run_timestamp_seconds": ({"stage": "insights"}, NOW.timestamp()),
    }


class Collector(BaseHTTPRequestHandler):
    received: ClassVar[list[tuple[str, bytes]]] = []

    def do_POST(self) -> None:
        self.received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_a_stage_is_a_span_at_the_collector():
    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}/v1/traces"
        with stage(Settings(observe=ObserveSettings(traces_url=url)), "ranking", run_id="run-1", days="2026-09-14"):
            pass
        _provider(url).shutdown()
        server.shutdown()
        thread.join()
    ((path, body),) = Collector.received
    assert path == "/v1/traces"
    assert b"ranking" in body and b"run-1" in body and b"2026-09-14" in body
