"""Which claims stand near to a day's candidates, by their vectors.

Belongs here: the matrix product that a dbt Python model runs, because SQL would compare each pair by itself. What nearness means
(bonuses, thresholds, denial) is SQL and variables in `dbt_project`.
"""

from collections.abc import Iterable, Mapping
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
_SORT_AFTER: Final = 100_000


@dataclass(frozen=True)
class _Space:
    """The candidates with vectors of one model and length: ids, and unit vectors of shape (candidates, length)."""

    ids: Texts
    unit: Floats


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
    for key, _, ids, unit in _unit_vectors(candidates.to_batches()):
        before = spaces.get(key)
        spaces[key] = _Space(
            ids=ids if before is None else np.concatenate([before.ids, ids]),
            unit=unit if before is None else np.concatenate([before.unit, unit]),
        )
    found: list[dict[str, Any]] = []
    for role, batches in others.items():
        nearest: dict[tuple[str, int], _Nearest] = {}
        for key, days, ids, unit in _unit_vectors(batches):
            space = spaces.get(key)
            if space is None:
                continue
            so_far = nearest.setdefault(key, _Nearest(len(space.ids), floor, keep))
            close = np.flatnonzero(space.unit @ unit.T >= (so_far.bar - _SLACK)[:, None])
            mine, theirs = np.divmod(close, len(unit))
            similarity = _cosines(space.unit, unit, mine, theirs)
            near = similarity >= floor
            if role == "candidate":
                near &= space.ids[mine] != ids[theirs]
            mine, theirs = mine[near], theirs[near]
            so_far.add(_Claims(mine, similarity[near], days[theirs], ids[theirs]))
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
    """The cosine of each pair of unit vectors, summed in the same order whoever else is compared; six digits."""
    exact = np.empty(len(rows))
    for start in range(0, len(rows), 8_192):
        part = slice(start, start + 8_192)
        exact[part] = np.einsum("ij,ij->i", left[rows[part]], right[columns[part]])
    return np.round(exact, 6)


def _unit_vectors(batches: "Batches") -> Iterable[tuple[tuple[str, int], Any, Texts, Floats]]:
    """Days, ids and unit vectors of each batch by space and length."""
    for batch in batches:
        vectors = batch.column("embedding")
        lengths = np.asarray(vectors.value_lengths().fill_null(0).to_numpy(zero_copy_only=False))
        spaces: Texts = np.asarray(batch.column("vector_space").to_pylist(), dtype=object)
        days: npt.NDArray[np.datetime64] = np.asarray(batch.column("day").to_numpy(zero_copy_only=False), dtype="datetime64[D]")
        ids: Texts = np.asarray(batch.column("insight_id").to_pylist(), dtype=object)
        for space, length in sorted({pair for pair in zip(spaces.tolist(), lengths.tolist(), strict=True) if pair[1]}):
            rows = np.flatnonzero((spaces == space) & (lengths == length))
            taken = vectors if len(rows) == len(ids) else vectors.take(rows)
            flat = np.asarray(taken.flatten().to_numpy(zero_copy_only=False), dtype=np.float32)
            matrix = flat.reshape(-1, length)
            norms = np.sqrt(np.einsum("ij,ij->i", matrix, matrix))
            usable = np.isfinite(norms) & (norms > 0)
            rows, matrix, norms = rows[usable], matrix[usable], norms[usable]
            yield (str(space), int(length)), days[rows], ids[rows], matrix / norms[:, None]
