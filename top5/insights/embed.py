"""Sentence embeddings: a small model on ONNX Runtime, and word hashing where no model is at hand.

Belongs here: text to vectors. What near or far means is decided by those who compare them.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from top5.errors import PermanentError
from top5.insights.words import VOCABULARY, content_stems

Vectors = NDArray[np.float32]
DIMENSIONS = 384
_BATCH = 12
_MAX_TOKENS = 192


class TextEmbedder(Protocol):
    """What turns texts into unit vectors. `name` goes into fingerprints: other name, other vectors."""

    @property
    def name(self) -> str:
        """Names model and method."""
        ...

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One row of length 1 per text, shape [len(texts), 384]."""
        ...


class _Session(Protocol):
    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, NDArray[np.int64]]) -> Sequence[object]: ...

    def get_inputs(self) -> Sequence["_Named"]: ...


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class _Options(Protocol):
    intra_op_num_threads: int
    inter_op_num_threads: int
    log_severity_level: int


class _Runtime(Protocol):
    """The part of onnxruntime that is used; the library carries no types."""

    def SessionOptions(self) -> _Options: ...  # noqa: N802

    def InferenceSession(self, model: str, *, sess_options: _Options, providers: Sequence[str]) -> _Session: ...  # noqa: N802


class _Encoding(Protocol):
    @property
    def ids(self) -> list[int]: ...


class _Tokenizer(Protocol):
    def encode_batch(self, input: list[str]) -> list[_Encoding]: ...


class Embedder:
    """all-MiniLM-L6-v2 (or a model of its shape) on ONNX Runtime: mean pooling over the attention mask, L2-normalised.

    Pooling as in the model's card (Reimers and Gurevych 2019, Sentence-BERT). Raises PermanentError where the file is no such
    model.
    """

    def __init__(self, model: Path, *, threads: int = 2) -> None:
        self._session = _open_session(model, threads)
        self._tokenizer = _open_tokenizer()
        self._inputs = frozenset(entry.name for entry in self._session.get_inputs())

    @property
    def name(self) -> str:
        """Names model and pooling, not the path."""
        return "all-MiniLM-L6-v2-int8/mean"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector per text, float32 [n, 384]; texts are cut after 192 tokens, sorted by length to waste no padding."""
        encoded = [encoding.ids for encoding in self._tokenizer.encode_batch([text.lower() for text in texts])]
        order = sorted(range(len(texts)), key=lambda position: len(encoded[position]))
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for begin in range(0, len(order), _BATCH):
            rows = order[begin : begin + _BATCH]
            vectors[rows] = self._embed_batch([encoded[row] for row in rows])
        return vectors

    def _embed_batch(self, batch: list[list[int]]) -> Vectors:
        width = max(len(ids) for ids in batch)
        ids = np.zeros((len(batch), width), dtype=np.int64)
        mask = np.zeros((len(batch), width), dtype=np.int64)
        for row, tokens in enumerate(batch):
            ids[row, : len(tokens)] = tokens
            mask[row, : len(tokens)] = 1
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        output = self._session.run(None, {name: value for name, value in feed.items() if name in self._inputs})[0]
        states = cast("Vectors", output)
        if states.ndim == 3:
            weight = mask[:, :, None].astype(np.float32)
            states = (states * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1.0)
        return _unit(states.astype(np.float32))


class HashedEmbedder:
    """Stems hashed into 384 dimensions with sublinear term frequency: no meaning, but enough to see repetition.

    The hashing trick with signs (Weinberger et al. 2009). Equal in every process: BLAKE2, never the built-in `hash`.
    """

    @property
    def name(self) -> str:
        """Names the method and its version."""
        return "hashed-stems/1"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One unit vector per text, float32 [n, 384]; a text without content words gives a zero vector."""
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for row, text in enumerate(texts):
            for word, count in Counter(content_stems(text)).items():
                digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
                sign = 1.0 if digest[3] & 1 else -1.0
                vectors[row, int.from_bytes(digest[:3], "little") % DIMENSIONS] += sign * (1.0 + math.log(count))
        return _unit(vectors)


def _unit(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(lengths, 1e-9)).astype(np.float32)


def _open_session(model: Path, threads: int) -> _Session:
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

    runtime = cast("_Runtime", onnxruntime)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    if not model.is_file():
        raise PermanentError(
            "no_embedding_model", f"There is no embedding model at {model}; correct insights.embedding_model_path."
        )
    try:
        return runtime.InferenceSession(str(model), sess_options=options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no public base class
        message = f"{model} cannot be read as an ONNX model; replace it or empty insights.embedding_model_path."
        raise PermanentError("bad_embedding_model", message) from error


def _open_tokenizer() -> _Tokenizer:
    from tokenizers.implementations.bert_wordpiece import BertWordPieceTokenizer

    tokenizer = BertWordPieceTokenizer(str(VOCABULARY), lowercase=True)
    tokenizer.enable_truncation(max_length=_MAX_TOKENS)
    tokenizer.no_padding()
    return cast("_Tokenizer", tokenizer)
