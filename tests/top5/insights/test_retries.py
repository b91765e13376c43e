"""When it is asked again: what the server says, with jitter, for all threads at once. The clock is the test's own."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from top5.errors import PermanentError, Top5Error, TransientError
from top5.insights.retries import LONGEST_WAIT, Retrier, retry_after


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


def retrier(time: Time, retries: int = 3, chance: float = 0.0) -> Retrier:
    return Retrier(retries, wait=time.wait, clock=lambda: time.now, chance=lambda: chance)


def failing(*errors: Top5Error) -> "tuple[list[int], object]":
    calls: list[int] = []
    left = list(errors)

    def call() -> str:
        calls.append(1)
        if left:
            raise left.pop(0)
        return "done"

    return calls, call


def limited(seconds: float | None = 7.0) -> TransientError:
    return TransientError("rate_limited", "slow down", retry_after=seconds)


def test_the_server_says_how_long() -> None:
    time = Time()
    calls, call = failing(limited(7.0), limited(3.0))
    assert retrier(time).run(call) == "done"  # type: ignore[arg-type]
    assert len(calls) == 3
    assert time.waits == [7.0, 3.0]


def test_jitter_only_ever_waits_longer_than_the_server_asks() -> None:
    time = Time()
    _, call = failing(limited(8.0))
    retrier(time, chance=1.0).run(call)  # type: ignore[arg-type]
    assert 8.0 < time.waits[0] <= 8.0 * 1.25 + 0.25


def test_without_a_word_from_the_server_waits_double() -> None:
    time = Time()
    _, call = failing(*(TransientError("server_error", "down") for _ in range(3)))
    retrier(time, chance=0.5).run(call)  # type: ignore[arg-type]
    assert time.waits == [0.5, 1.0, 2.0]


def test_one_refusal_holds_back_every_other_call() -> None:
    time = Time()
    shared = retrier(time, retries=0)
    _, refused = failing(limited(5.0))
    with pytest.raises(TransientError):
        shared.run(refused)  # type: ignore[arg-type]
    assert time.waits == []
    shared = retrier(time, retries=1)
    _, refused = failing(limited(5.0))

    def between() -> str:
        return "after the pause"

    shared.run(refused)  # type: ignore[arg-type]
    assert sum(time.waits) == 5.0
    assert shared.run(between) == "after the pause"


@pytest.mark.parametrize(
    "error",
    [
        PermanentError("quota", "no credit"),
        PermanentError("bad_api_key", "no"),
        TransientError("budget_spent", "enough"),
        TransientError("bad_response", "a login page"),
        limited(LONGEST_WAIT + 1),
    ],
)
def test_what_waiting_does_not_mend_is_not_asked_again(error: Top5Error) -> None:
    time = Time()
    calls, call = failing(error)
    with pytest.raises(Top5Error) as caught:
        retrier(time).run(call)  # type: ignore[arg-type]
    assert caught.value is error
    assert (len(calls), time.waits) == (1, [])


def test_it_gives_up_after_so_many_tries() -> None:
    time = Time()
    calls, call = failing(*(limited(1.0) for _ in range(9)))
    with pytest.raises(TransientError, match="slow down"):
        retrier(time, retries=2).run(call)  # type: ignore[arg-type]
    assert len(calls) == 3


def test_the_three_forms_of_retry_after() -> None:
    now = datetime(2026, 11, 22, 7, 28, 0, tzinfo=UTC)
    assert retry_after({"retry-after": "7"}) == 7.0
    assert retry_after({"retry-after-ms": "1500", "retry-after": "2"}) == 1.5
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 07:28:30 GMT"}, now) == 30.0
    assert retry_after({"retry-after": "Sun, 22 Nov 2026 07:00:00 GMT"}, now) == 0.0
    assert retry_after({}) is None


@given(st.text(max_size=40))
def test_any_header_is_read_or_left_alone(text: str) -> None:
    found = retry_after({"retry-after": text, "retry-after-ms": text})
    assert found is None or found >= 0 or found != found
