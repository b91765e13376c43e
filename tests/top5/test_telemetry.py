"""No library tells its maker anything, unless somebody asks for it."""

import os
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT

READ_SOMETHING = """
from top5.insights.embed import Embedder
from top5.weights import find_embedding_model
print(Embedder(find_embedding_model(None).path).embed(["Tea grows on hills."]).shape)
"""


def test_the_runtime_of_the_models_leaves_no_identifier_behind(tmp_path: Path):
    """On Linux it makes one and sends events from version 1.29 on; on a machine of continuous integration it never does."""
    kept = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment = {**kept, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / ".cache")}
    subprocess.run([sys.executable, "-c", READ_SOMETHING], cwd=ROOT, env=environment, check=True, capture_output=True)
    assert not list(tmp_path.rglob("deviceid"))
