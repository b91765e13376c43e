"""One extraction with replies kept in a lake, in a process of its own: `python -m tests.top5.insights.extract_once URL LAKE`."""

import sys
from pathlib import Path

from pydantic import SecretStr

from tests.top5.insights.material import TURNS, episode
from top5.engines import LakeReplies
from top5.insights.budget import Budget
from top5.insights.extract_openai import OpenAIEngine
from top5.lake import Lake
from top5.settings import OpenAISettings


def main(base_url: str, lake: Path) -> None:
    """Prints how many insights came out and how many requests were paid now."""
    settings = OpenAISettings(
        api_key=SecretStr("sk-secret"), base_url=base_url, parallel_requests=1, chunk_tokens=220, max_retries=0
    )
    engine = OpenAIEngine(settings, 12, replies=LakeReplies(Lake(lake)), budget=Budget(5.0))
    extraction = engine.extract(episode(TURNS * 2))
    sys.stdout.write(f"{len(extraction.insights)} {extraction.usage.requests}")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
