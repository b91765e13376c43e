"""Fixtures shared by all layers."""

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

# The assets read settings when they are imported: no test may touch the state of whoever runs it.
_state = tempfile.TemporaryDirectory(prefix="top5-tests-")
for _name in [name for name in os.environ if name.startswith("TOP5_") and name not in ("TOP5_CORPUS", "TOP5_TEST_POSTGRES")]:
    del os.environ[_name]
os.environ.pop("OPENAI_API_KEY", None)
os.environ["TOP5_CONFIG"] = str(ROOT / "demo" / "top5.toml")
os.environ["TOP5_HOME"] = _state.name

settings.register_profile("ci", max_examples=200, deadline=None)
settings.register_profile("default", max_examples=50, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real test material; tests marked `corpus` skip where it is missing."""
    path = Path(os.environ.get("TOP5_CORPUS", ROOT.parent / "shared" / "corpus"))
    if not path.is_dir():
        pytest.skip(f"no corpus at {path}; set TOP5_CORPUS to its folder")
    return path
