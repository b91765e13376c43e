"""Which insights mean something alike: cosine over the vectors that the index holds.

Belongs here: arithmetic on vectors in memory. Which of the near ones a page shows is decided by `archive` and `search`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from top5.insights.embed import HashedEmbedder

Vectors = NDArray[np.float32]

FLOOR: Final = 0.32
"""Cosine of all-MiniLM-L6-v2 below which two passages have nothing to do with each other (its unrelated pairs lie around 0.1)."""
_HASHED_FLOOR: Final = 0.18


def floor_of(model: str) -> float:
    """From which cosine on vectors of `model` are called near."""
    return _HASHED_FLOOR if model == HashedEmbedder().name else FLOOR


@dataclass(frozen=True)
class Near:
    """One insight (row of the index) and its cosine."""

    id: int
    cosine: float


class Nearness:
    """All vectors of one model. `ids` are rows of the index, `vectors` unit vectors of shape [len(ids), dimensions]."""

    def __init__(self, model: str, ids: Sequence[int], vectors: Vectors) -> None:
        self.model = model
        self._ids = np.asarray(ids, dtype=np.int64)
        self._position = {number: position for position, number in enumerate(ids)}
        self._vectors = vectors
        self._table: tuple[NDArray[np.int64], Vectors] | None = None

    def around(self, number: int, limit: int) -> list[Near]:
        """The nearest to an insight of the index, nearest first, itself left out; empty where its vector is of another model."""
        position = self._position.get(number)
        if position is None:
            return []
        if self._table is not None:
            columns, cosines = self._table[0][position], self._table[1][position]
            return self._named(columns, cosines, limit, leave_out=position)
        return self.to(self._vectors[position], limit, leave_out=position)

    def to(self, vector: Vectors, limit: int, *, leave_out: int | None = None) -> list[Near]:
        """The nearest to a unit vector, nearest first."""
        if not len(self._ids):
            return []
        # Not `@`: for one vector the threads of BLAS take longer to wake than the sum takes.
        cosines = np.einsum("ij,j->i", self._vectors, vector)
        columns = _top(cosines[None, :], limit + 1)[0]
        return self._named(columns, cosines[columns], limit, leave_out=leave_out)

    def prepare(self, limit: int) -> None:
        """Find the `limit` nearest of every insight at once, for those who are about to ask for all."""
        columns, cosines = np.zeros((len(self._ids), 0), dtype=np.int64), np.zeros((len(self._ids), 0), dtype=np.float32)
        for begin in range(0, len(self._ids), 512):
            block = self._vectors[begin : begin + 512] @ self._vectors.T
            chosen = _top(block, limit + 1)
            if not begin:
                columns = np.zeros((len(self._ids), chosen.shape[1]), dtype=np.int64)
                cosines = np.zeros(columns.shape, dtype=np.float32)
            columns[begin : begin + 512] = chosen
            cosines[begin : begin + 512] = np.take_along_axis(block, chosen, axis=1)
        self._table = columns, cosines

    def _named(self, columns: NDArray[np.int64], cosines: Vectors, limit: int, *, leave_out: int | None) -> list[Near]:
        floor = floor_of(self.model)
        pairs = [(int(column), float(cosine)) for column, cosine in zip(columns, cosines, strict=True)]
        near = [Near(int(self._ids[column]), cosine) for column, cosine in pairs if column != leave_out and cosine >= floor]
        return near[:limit]


def _top(rows: Vectors, limit: int) -> NDArray[np.int64]:
    """Columns of the `limit` largest of each row, largest first; equal ones in their order."""
    limit = min(limit, rows.shape[1])
    some = np.argpartition(-rows, limit - 1, axis=1)[:, :limit]
    some.sort(axis=1)
    order = np.argsort(-np.take_along_axis(rows, some, axis=1), axis=1, kind="stable")
    return np.take_along_axis(some, order, axis=1).astype(np.int64)
