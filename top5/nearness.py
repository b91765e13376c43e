"""Which claims stand near to a day's candidates, by their vectors.

Belongs here: the matrix product that a dbt Python model runs, because SQL would compare each pair by itself. What nearness means
(bonuses, thresholds, denial) is SQL and variables in `dbt_project`.
"""

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa

    Batches = Iterable[pa.RecordBatch]

Floats = npt.NDArray[np.float32]
Texts = npt.NDArray[np.object_]

# A product of two matrices sums in an order that depends on their shapes; what it lets through is measured again, pair by pair.
_SLACK: Final = 1e-4
_ONE: Final = 1e-6
_SORT_AFTER: Final = 100_000


@dataclass(frozen=True)
class _Space:
    """The candidates with vectors of one model and length: ids, and unit vectors of shape (candidates, length)."""

    ids: Texts
    unit: Floats


class _Scratch:
    """Room for the product of one batch, used again for the next: fresh memory costs more than the comparison that is made in it."""

    def __init__(self) -> None:
        self._product: Floats = np.empty(0, dtype=np.float32)
        self._reached: npt.NDArray[np.bool_] = np.empty(0, dtype=np.bool_)

    def close(self, mine: Floats, theirs: Floats, bar: Floats) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
        """Rows of `mine` and of `theirs` whose product reaches the bar of the former."""
        size = len(mine) * len(theirs)
        if size > len(self._product):
            self._product, self._reached = np.empty(size, dtype=np.float32), np.empty(size, dtype=np.bool_)
        product = self._product[:size].reshape(len(mine), len(theirs))
        reached = self._reached[:size].reshape(product.shape)
        np.matmul(mine, theirs.T, out=product)
        np.greater_equal(product, bar[:, None], out=reached)
        return np.divmod(np.flatnonzero(reached), len(theirs))


class _Nearest:
    """The nearest claims of one role so far, at most `keep` for each candidate.

    `bar` is, per candidate, the similarity that a further claim must reach.
    """

    def __init__(self, candidates: int, floor: float, keep: int) -> None:
        self.bar: Floats = np.full(candidates, floor, dtype=np.float32)
        self._keep = keep
        self._waiting: list[_Claims] = []

    def add(self, claims: "_Claims") -> None:
        """Join further claims; sorted out only now and then, since sorting costs more than a claim too many."""
        self._waiting.append(claims)
        if sum(len(part.candidate) for part in self._waiting[1:]) > _SORT_AFTER:
            self.settle()

    def settle(self) -> "_Claims":
        """The nearest of each candidate, best first; equal ones by day (latest first) and id, so that no order of rows decides."""
        found = _Claims(
            np.concatenate([part.candidate for part in self._waiting]),
            np.concatenate([part.similarity for part in self._waiting]),
            np.concatenate([part.day for part in self._waiting]),
            np.concatenate([part.insight_id for part in self._waiting]),
        )
        order = np.lexsort((found.insight_id.astype(str), -found.day.astype(np.int64), -found.similarity, found.candidate))
        found = found.at(order)
        place = np.arange(len(order)) - np.searchsorted(found.candidate, found.candidate)
        last = place == self._keep - 1
        self.bar[found.candidate[last]] = found.similarity[last]
        found = found.at(np.flatnonzero(place < self._keep))
        self._waiting = [found]
        return found


class _Claims(NamedTuple):
    """Claims beside candidates, as columns: the candidate's row, the cosine, the claim's day and id."""

    candidate: npt.NDArray[np.intp]
    similarity: npt.NDArray[np.float64]
    day: npt.NDArray[np.datetime64]
    insight_id: Texts

    def at(self, rows: npt.NDArray[np.intp]) -> "_Claims":
        """Those of the given rows, in that order."""
        return _Claims(self.candidate[rows], self.similarity[rows], self.day[rows], self.insight_id[rows])


def nearest_pairs(candidates: "pa.Table", others: "Mapping[str, Batches]", *, floor: float, keep: int) -> "pa.Table":
    """For each candidate the `keep` nearest claims of each role whose cosine is at least `floor`, by brute force.

    `candidates` and the batches of `others` (by role) have the columns `day`, `insight_id`, `vector_space` and `embedding`; only
    vectors of one space and length are compared, and vectors of zeros or with NaN with nothing. A candidate is not compared with
    itself: the same id in the role `candidate`. Returns columns insight_id, other_role, other_day, other_insight_id and similarity
    (six digits), the same whatever the order or the size of the batches. Memory: one batch times the number of candidates.
    """
    import pyarrow as pa

    spaces: dict[tuple[str, int], _Space] = {}
    for key, rows, unit in _unit_vectors(candidates.to_batches()):
        before = spaces.get(key)
        ids = _texts(rows.column("insight_id"))
        spaces[key] = _Space(
            ids=ids if before is None else np.concatenate([before.ids, ids]),
            unit=unit if before is None else np.concatenate([before.unit, unit]),
        )
    found: list[dict[str, Any]] = []
    scratch = _Scratch()
    for role, batches in others.items():
        nearest: dict[tuple[str, int], _Nearest] = {}
        for key, rows, unit in _unit_vectors(batches):
            space = spaces.get(key)
            if space is None:
                continue
            so_far = nearest.setdefault(key, _Nearest(len(space.ids), floor, keep))
            mine, theirs = scratch.close(space.unit, unit, so_far.bar - np.float32(_SLACK))
            similarity = _cosines(space.unit, unit, mine, theirs)
            near = similarity >= floor
            mine, theirs, similarity = mine[near], theirs[near], similarity[near]
            named = rows.select(["day", "insight_id"]).take(pa.array(theirs))
            claims = _Claims(mine, similarity, _days(named.column("day")), _texts(named.column("insight_id")))
            if role == "candidate":
                claims = claims.at(np.flatnonzero(space.ids[mine] != claims.insight_id))
            so_far.add(claims)
        for key, so_far in nearest.items():
            claims = so_far.settle()
            found.append(
                {
                    "insight_id": spaces[key].ids[claims.candidate],
                    "other_role": np.full(len(claims.candidate), role, dtype=object),
                    "other_day": claims.day,
                    "other_insight_id": claims.insight_id,
                    "similarity": claims.similarity,
                }
            )
    schema = pa.schema(
        {
            "insight_id": pa.string(),
            "other_role": pa.string(),
            "other_day": pa.date32(),
            "other_insight_id": pa.string(),
            "similarity": pa.float64(),
        }
    )
    return pa.concat_tables([pa.table(columns, schema=schema) for columns in found]) if found else schema.empty_table()


def _cosines(left: Floats, right: Floats, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> npt.NDArray[np.float64]:
    """The cosine of each pair of vectors, summed in the same order whoever else is compared; six digits."""
    exact = np.empty(len(rows))
    for start in range(0, len(rows), 8_192):
        part = slice(start, start + 8_192)
        mine, theirs = left[rows[part]], right[columns[part]]
        exact[part] = np.einsum("ij,ij->i", mine, theirs) / np.sqrt(_squares(mine).astype(np.float64) * _squares(theirs))
    return np.round(exact, 6)


def _squares(matrix: Floats) -> Floats:
    return np.einsum("ij,ij->i", matrix, matrix)


def _texts(column: "pa.Array") -> Texts:
    return np.asarray(column.to_pylist(), dtype=object)


def _days(column: "pa.Array") -> npt.NDArray[np.datetime64]:
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype="datetime64[D]")


def _unit_vectors(batches: "Batches") -> Iterable[tuple[tuple[str, int], "pa.RecordBatch", Floats]]:
    """Rows with a usable vector and these as unit vectors, of each batch by space and length."""
    for batch in _read_ahead(batches):
        encoded = batch.column("vector_space").dictionary_encode()
        spaces = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False))
        lengths = np.asarray(batch.column("embedding").value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
        for number, space in enumerate(encoded.dictionary.to_pylist()):
            of_space = spaces == number
            for length in np.unique(lengths[of_space & (lengths > 0)]).tolist():
                rows, unit = _unit(_taken(batch, of_space & (lengths == length)), length)
                yield (str(space), length), rows, unit


def _read_ahead(batches: "Batches") -> "Batches":
    """The same batches, each read while its predecessor is compared."""
    source = iter(batches)
    with ThreadPoolExecutor(1, thread_name_prefix="nearness") as reader:
        coming = reader.submit(next, source, None)
        while (batch := coming.result()) is not None:
            coming = reader.submit(next, source, None)
            yield batch


def _unit(batch: "pa.RecordBatch", length: int) -> "tuple[pa.RecordBatch, Floats]":
    """The rows of `batch` whose vector has a direction, and unit vectors of shape (rows, length)."""
    flat = batch.column("embedding").flatten().to_numpy(zero_copy_only=False)
    matrix = np.asarray(flat, dtype=np.float32).reshape(-1, length)
    norms = np.sqrt(_squares(matrix))
    usable = np.isfinite(norms) & (norms > 0)
    if not usable.all():
        batch, matrix, norms = _taken(batch, usable), matrix[usable], norms[usable]
    # Engines give unit vectors as a rule: dividing them all by one would cost as much as reading them.
    askew = np.abs(norms - 1) > _ONE
    if askew.any():
        matrix = np.where(askew[:, None], matrix / norms[:, None], matrix)
    return batch, matrix


def _taken(batch: "pa.RecordBatch", wanted: npt.NDArray[np.bool_]) -> "pa.RecordBatch":
    import pyarrow as pa

    return batch if wanted.all() else batch.filter(pa.array(wanted))
