"""Choosing the engine that settings ask for.

Belongs here: the choice alone. Both engines are built from parts that are handed in, so that tests and production build them
alike.
"""

from top5.errors import PermanentError
from top5.insights.api import ReplyStore
from top5.insights.budget import Budget
from top5.insights.embed import TextEmbedder
from top5.insights.extract_local import LocalEngine
from top5.insights.extract_openai import OpenAIEngine
from top5.insights.glossary import Glossary
from top5.insights.model import InsightEngine
from top5.settings import InsightSettings, OpenAISettings


def choose_engine(
    insights: InsightSettings,
    openai: OpenAISettings,
    *,
    embedder: TextEmbedder,
    replies: ReplyStore,
    budget: Budget,
    glossary: Glossary | None = None,
) -> InsightEngine:
    """The engine for `insights.engine`; `auto` takes the model where a key or a base URL is set, the embedded engine otherwise.

    Raises PermanentError `no_api_key` where `openai` is asked for and neither is set.
    """
    reachable = openai.api_key is not None or openai.base_url is not None
    if insights.engine == "openai" and not reachable:
        raise PermanentError(
            "no_api_key",
            'insights.engine is "openai", but there is neither OPENAI_API_KEY nor openai.base_url; set one or use "local".',
        )
    if insights.engine == "local" or not reachable:
        return LocalEngine(embedder, insights.per_episode, glossary=glossary)
    return OpenAIEngine(openai, insights.per_episode, replies=replies, budget=budget, glossary=glossary)
