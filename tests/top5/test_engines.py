"""What the settings ask for is what reads, and what cannot work hands over and says so."""

from datetime import date
from pathlib import Path

import pytest

from tests.fakes.openai_server import FakeOpenAI, Reply, answer_from_transcript
from tests.top5.insights.material import episode
from top5.catalog.store import Catalog
from top5.engines import insight_tools, stateless_tools
from top5.errors import PermanentError, TransientError
from top5.lake import Lake
from top5.settings import Settings

TODAY = date(2026, 9, 14)


def settings(tmp_path: Path, **insights: object) -> Settings:
    return Settings.model_validate({"home": tmp_path, "insights": insights})


def tools(chosen: Settings, tmp_path: Path):
    return insight_tools(chosen, Lake(tmp_path / "lake"), Catalog.at_home(tmp_path), TODAY)


def test_without_a_key_the_embedded_engine_reads(tmp_path: Path):
    extraction = tools(settings(tmp_path), tmp_path).engine.extract(episode())
    assert extraction.engine == "local"
    assert extraction.warnings == ()


def test_asked_for_without_a_key_the_api_hands_over_and_the_digest_can_say_so(tmp_path: Path):
    chosen = tools(settings(tmp_path, engine="openai"), tmp_path)
    extraction = chosen.engine.extract(episode())
    assert extraction.engine == "local"
    assert len(extraction.warnings) == 1
    assert "OPENAI_API_KEY" in extraction.warnings[0]
    assert chosen.engine.fingerprint != tools(settings(tmp_path), tmp_path).engine.fingerprint


def test_unless_settings_forbid_it(tmp_path: Path):
    with pytest.raises(PermanentError, match="OPENAI_API_KEY"):
        tools(settings(tmp_path, engine="openai", fallback_to_local=False), tmp_path)
    with pytest.raises(PermanentError, match="OPENAI_API_KEY"):
        stateless_tools(settings(tmp_path, engine="openai"))


def with_api(tmp_path: Path, server: FakeOpenAI, **insights: object) -> Settings:
    api = {"api_key": "sk-secret", "base_url": server.base_url, "max_retries": 0}
    return Settings.model_validate({"home": tmp_path, "insights": insights, "openai": api})


def test_a_refused_key_hands_over_once_for_the_whole_run(tmp_path: Path):
    refused = Reply(status=401, error={"message": "bad key", "type": "invalid_request_error", "code": "invalid_api_key"})
    with FakeOpenAI(lambda request: refused) as server:
        chosen = tools(with_api(tmp_path, server), tmp_path)
        first, second = chosen.engine.extract(episode()), chosen.engine.extract(episode())
        assert len(server.requests) == 1
    assert {first.engine, second.engine} == {"local"}
    assert "does not accept the key" in first.warnings[0]
    assert "sk-secret" not in first.model_dump_json()


def test_replies_are_kept_and_spend_is_on_record(tmp_path: Path):
    with FakeOpenAI(answer_from_transcript) as server:
        chosen = with_api(tmp_path, server)
        extraction = tools(chosen, tmp_path).engine.extract(episode())
        asked = len(server.requests)
        again = tools(chosen, tmp_path).engine.extract(episode())
        assert len(server.requests) == asked
    assert extraction.engine == "openai"
    assert extraction.insights == again.insights
    assert Catalog.at_home(tmp_path).spent(TODAY) == pytest.approx(extraction.usage.cost)
    assert extraction.usage.cost > 0


def test_a_spent_budget_defers(tmp_path: Path):
    Catalog.at_home(tmp_path).add_spend(TODAY, "insights", 4.9999, 1)
    with FakeOpenAI(answer_from_transcript) as server:
        engine = tools(with_api(tmp_path, server), tmp_path).engine
        with pytest.raises(TransientError, match="daily_budget_usd or wait for tomorrow"):
            engine.extract(episode())
        assert server.requests == []
