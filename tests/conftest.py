"""Fixtures shared by all layers."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real test material; tests marked `corpus` skip where it is missing."""
    path = Path(os.environ.get("TOP5_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}; set TOP5_CORPUS to its folder")
    return path
