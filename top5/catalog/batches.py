"""Long lists in parts: a database takes only so many parameters in one statement."""

from collections.abc import Generator, Iterable
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Generator[list[T], None, None]:
    """Lists of at most `size` items, in order."""
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part
