"""Nearest claims by brute force, beside the plainest way of saying the same."""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from top5.nearness import nearest_pairs

DAY = date(2026, 9, 14)


def claims(vectors: Sequence[Sequence[float]], *, name: str, space: str = "m", days_ago: int = 0) -> pa.Table:
    rows = [
        {"day": DAY - timedelta(days=days_ago), "insight_id": f"{name}{n}", "vector_space": space, "embedding": list(vector)}
        for n, vector in enumerate(vectors)
    ]
    fields = [
        ("day", pa.date32()),
        ("insight_id", pa.string()),
        ("vector_space", pa.string()),
        ("embedding", pa.list_(pa.float32())),
    ]
    return pa.Table.from_pylist(rows, schema=pa.schema(fields))


def pairs(table: pa.Table) -> list[tuple[str, str, str, float]]:
    columns = ("insight_id", "other_role", "other_insight_id", "similarity")
    return sorted(tuple(row[name] for name in columns) for row in table.to_pylist())


def test_only_vectors_of_one_space_and_length_are_compared() -> None:
    mine = pa.concat_tables([claims([[1, 0]], name="a"), claims([[1, 0, 0]], name="b"), claims([[1, 0]], name="c", space="n")])
    told = pa.concat_tables([claims([[2, 0]], name="t"), claims([[0, 1]], name="far")])
    found = nearest_pairs(mine, {"told": told.to_batches()}, floor=0.5, keep=5)
    assert pairs(found) == [("a0", "told", "t0", 1.0)]


def test_a_candidate_is_not_compared_with_itself_but_may_be_with_what_it_was_before() -> None:
    mine = claims([[1, 0], [1, 0.1]], name="a")
    found = nearest_pairs(mine, {"candidate": mine.to_batches(), "told": mine.to_batches()}, floor=0.5, keep=5)
    assert [(left, role, right) for left, role, right, _ in pairs(found)] == [
        ("a0", "candidate", "a1"),
        ("a0", "told", "a0"),
        ("a0", "told", "a1"),
        ("a1", "candidate", "a0"),
        ("a1", "told", "a0"),
        ("a1", "told", "a1"),
    ]


@pytest.mark.parametrize("bad", [[0.0, 0.0], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_a_vector_without_a_direction_is_near_to_nothing(bad: list[float]) -> None:
    mine = claims([[1, 0], bad], name="a")
    found = nearest_pairs(mine, {"told": claims([bad, [1, 0]], name="t").to_batches()}, floor=-1, keep=5)
    assert pairs(found) == [("a0", "told", "t1", 1.0)]


def test_nothing_is_near_to_nothing() -> None:
    empty = claims([], name="x")
    for mine, told in ((empty, claims([[1, 0]], name="t")), (claims([[1, 0]], name="a"), empty), (empty, empty)):
        assert nearest_pairs(mine, {"told": told.to_batches()}, floor=0, keep=5).num_rows == 0


def test_equals_are_kept_by_day_and_id() -> None:
    told = pa.concat_tables([claims([[1, 0]] * 3, name="old", days_ago=9), claims([[1, 0]] * 3, name="new", days_ago=1)])
    for batches in (told.to_batches(), told.to_batches(max_chunksize=1)[::-1]):
        found = nearest_pairs(claims([[1, 0]], name="a"), {"told": batches}, floor=0.5, keep=4)
        assert [row[2] for row in pairs(found)] == ["new0", "new1", "new2", "old0"]


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 40),
    chunk=st.integers(1, 40),
    keep=st.integers(1, 6),
    floor=st.floats(-0.5, 0.9),
)
def test_it_finds_what_comparing_each_pair_finds(seed: int, size: int, chunk: int, keep: int, floor: float) -> None:
    random = np.random.default_rng(seed)
    left, right = random.standard_normal((7, 12)), random.standard_normal((size, 12))
    told = claims(right.tolist(), name="t")
    found = nearest_pairs(claims(left.tolist(), name="a"), {"told": told.to_batches(max_chunksize=chunk)}, floor=floor, keep=keep)
    unit = [matrix / np.linalg.norm(matrix, axis=1, keepdims=True) for matrix in (left, right)]
    cosine = unit[0] @ unit[1].T
    expected = {
        (f"a{row}", f"t{column}")
        for row in range(7)
        for column in np.argsort(-cosine[row])[:keep]
        if cosine[row, column] >= floor + 1e-5
    }
    shown = pairs(found)
    assert expected <= {(mine, other) for mine, _, other, _ in shown}
    assert all(abs(similarity - cosine[int(mine[1:]), int(other[1:])]) < 1e-5 for mine, _, other, similarity in shown)
    assert len(shown) <= 7 * min(keep, size)
    again = nearest_pairs(claims(left.tolist(), name="a"), {"told": told.to_batches()}, floor=floor, keep=keep)
    assert pairs(again) == shown
