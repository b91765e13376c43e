"""Rewrites the golden files and the published schema from what the code gives now.

    python -m tests.top5.digests.refresh_golden

Then read the difference: a change of these files is a change of what readers get.
"""

from pathlib import Path

from tests.top5.digests.golden_cases import GOLDEN, cases
from top5.digests import render

SCHEMA = Path(render.__file__).with_name("digest.schema.json")


def main() -> None:
    for name, text in cases().items():
        (GOLDEN / name).write_text(text, "utf-8")
    SCHEMA.write_text(render.json_schema(), "utf-8")


if __name__ == "__main__":
    main()
