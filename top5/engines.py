"""The engines that the settings ask for, built from the models that are there.

Belongs here: putting parts together. What a part does is in its own module; which model files exist is asked of `top5.weights`.
"""

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

from top5.catalog.store import Catalog
from top5.errors import PermanentError
from top5.insights.budget import Budget
from top5.insights.embed import Embedder, HashedEmbedder, TextEmbedder
from top5.insights.engines import choose_engine
from top5.insights.extract_local import LocalEngine
from top5.insights.glossary import read_glossary
from top5.insights.model import EpisodeText, Extraction, InsightEngine
from top5.lake import Lake
from top5.settings import Settings
from top5.transcripts.speech import SpeechToText, Transcriber
from top5.transcripts.speech_openai import OpenAITranscriber
from top5.weights import find_embedding_model, find_speech_model

# What a person must mend before the API answers at all: until then the embedded engine reads, where settings allow.
_UNUSABLE_API = frozenset({"no_api_key", "bad_api_key", "bad_model", "quota"})


@dataclass(frozen=True)
class InsightTools:
    """What a day's transcripts are read with."""

    engine: InsightEngine
    embedder: TextEmbedder
    at_once: int = 1
    """How many episodes to read at the same time: more than one only where a server, not this machine, does the work."""


def transcriber(settings: Settings) -> Transcriber:
    """Speech to text as the settings ask for it: on this machine where a model is at hand, else the API where it is configured.

    Raises PermanentError `no_speech_model` or `speech_off`.
    """
    wanted = settings.transcripts
    if wanted.speech == "off":
        raise PermanentError("speech_off", "Speech to text is off; set speech in [transcripts] of top5.toml to auto.")
    if wanted.speech == "openai":
        return OpenAITranscriber(settings.openai, wanted)
    cache = settings.home.resolve() / "models"
    try:
        return _speech(wanted.model, wanted.model_path, cache, wanted.allow_download, wanted.beam_size, wanted.batch_size)
    except PermanentError as error:
        if error.reason != "no_speech_model" or wanted.speech != "auto" or settings.openai.api_key is None:
            raise
        return OpenAITranscriber(settings.openai, wanted)


@lru_cache(maxsize=1)
def _speech(name: str, path: Path | None, cache: Path, allow_download: bool, beam_size: int, batch_size: int) -> Transcriber:
    files = find_speech_model(name, path=path, cache_dir=cache, allow_download=allow_download)
    return SpeechToText(files, beam_size=beam_size, batch_size=batch_size)


@lru_cache(maxsize=1)
def _embedder(path: Path | None) -> TextEmbedder:
    # Without a model likeness is judged by hashed words, so that there is a digest all the same.
    files = find_embedding_model(path)
    return Embedder(files.path) if files else HashedEmbedder()


def insight_tools(settings: Settings, lake: Lake, catalog: Catalog, today: date) -> InsightTools:
    """Engine and embedder, with replies kept in the lake and money counted against `today` in the catalog."""
    budget = _LedgerBudget(settings.insights.daily_budget_usd, catalog, today)
    return _tools(settings, LakeReplies(lake), budget)


def stateless_tools(settings: Settings) -> InsightTools:
    """The same for one file: nothing is kept, nothing is charged to a day, and a failure of the API is shown as such."""
    alone = settings.insights.model_copy(update={"fallback_to_local": False})
    return _tools(settings.model_copy(update={"insights": alone}), _NoReplies(), Budget(settings.insights.daily_budget_usd))


def _tools(settings: Settings, replies: "LakeReplies | _NoReplies", budget: Budget) -> InsightTools:
    wanted, embedder = settings.insights, _embedder(settings.insights.embedding_model_path)
    glossary = read_glossary(wanted.glossary_file)
    local = LocalEngine(embedder, wanted.per_episode, glossary=glossary)
    try:
        engine = choose_engine(wanted, settings.openai, embedder=embedder, replies=replies, budget=budget, glossary=glossary)
    except PermanentError as error:
        if error.reason not in _UNUSABLE_API or not wanted.fallback_to_local:
            raise
        engine = _Marked(local, error)
    if wanted.fallback_to_local and not isinstance(engine, LocalEngine | _Marked):
        engine = _WithFallback(engine, local)
    return InsightTools(engine, embedder, 1 if isinstance(engine, LocalEngine | _Marked) else settings.openai.parallel_requests)


class _Marked:
    """An engine that took another's place, and says so with every extraction."""

    def __init__(self, engine: InsightEngine, error: PermanentError) -> None:
        self._engine = engine
        self._warning = f"Read with the embedded engine: {error.message}"

    @property
    def fingerprint(self) -> str:
        return f"{self._engine.fingerprint} instead of another"

    def extract(self, episode: EpisodeText) -> Extraction:
        extraction = self._engine.extract(episode)
        return extraction.model_copy(update={"warnings": (*extraction.warnings, self._warning)})


class _WithFallback:
    """An engine that hands over to another when it cannot work at all, once for the whole run."""

    def __init__(self, engine: InsightEngine, other: InsightEngine) -> None:
        self._engine: InsightEngine = engine
        self._other = other

    @property
    def fingerprint(self) -> str:
        return self._engine.fingerprint

    def extract(self, episode: EpisodeText) -> Extraction:
        try:
            return self._engine.extract(episode)
        except PermanentError as error:
            if error.reason not in _UNUSABLE_API:
                raise
            self._engine = _Marked(self._other, error)
            return self._engine.extract(episode)


class LakeReplies:
    """Model replies kept in the lake, so that none is paid twice."""

    def __init__(self, lake: Lake) -> None:
        self._lake = lake

    def get(self, key: str) -> bytes | None:
        """What was kept under `key`, or None."""
        return self._lake.get("replies", key)

    def put(self, key: str, body: bytes) -> None:
        """Keeps `body` under `key`."""
        self._lake.put("replies", key, body)


class _NoReplies:
    """Nothing is kept."""

    def get(self, key: str) -> bytes | None:
        return None

    def put(self, key: str, body: bytes) -> None:
        return None


class _LedgerBudget(Budget):
    """The day's budget over the catalog: each request is on record when it is answered, so that a kill forgets none."""

    def __init__(self, limit_usd: float, catalog: Catalog, today: date) -> None:
        super().__init__(limit_usd, catalog.spent(today))
        self._catalog = catalog
        self._today = today

    def settle(self, estimate_usd: float, actual_usd: float) -> None:
        super().settle(estimate_usd, actual_usd)
        if actual_usd:
            self._catalog.add_spend(self._today, "insights", actual_usd, 1)
