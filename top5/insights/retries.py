"""Asking again, and when: what the other side asks for decides, with jitter, for all threads at once.

Belongs here: waiting. Which failures may pass is told by their kind and reason (`top5.errors`).
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from random import random
from time import monotonic, sleep
from typing import TypeVar

from top5.errors import TransientError

WORTH_ANOTHER_TRY = frozenset({"rate_limited", "server_error", "timeout", "no_connection"})
LONGEST_WAIT = 60.0
"""Seconds; whoever is asked to wait longer gives up for now, so that a day does not hang on one server."""
_FIRST_WAIT = 0.5
_LONGEST_BACKOFF = 16.0
_JITTER = 0.25

Answer = TypeVar("Answer")


class Retrier:
    """Repeats a call up to `retries` times. One refusal for asking too often (429) holds back every thread that shares this object.

    Waits are what Retry-After says plus up to a quarter, else 0.5 s doubled each time, give or take a quarter.
    """

    def __init__(
        self,
        retries: int,
        *,
        wait: Callable[[float], None] = sleep,
        clock: Callable[[], float] = monotonic,
        chance: Callable[[], float] = random,
    ) -> None:
        self._retries = retries
        self._wait = wait
        self._clock = clock
        self._chance = chance
        self._lock = threading.Lock()
        self._not_before = 0.0

    def run(self, call: Callable[[], Answer]) -> Answer:
        """What `call` returns. Raises its last failure: at once where trying again is useless or the wait too long."""
        attempt = 0
        while True:
            self._hold_back()
            try:
                return call()
            except TransientError as error:
                attempt += 1
                pause = self._pause(error, attempt)
                if error.reason not in WORTH_ANOTHER_TRY or attempt > self._retries or pause > LONGEST_WAIT:
                    raise
                if error.reason == "rate_limited":
                    with self._lock:
                        self._not_before = max(self._not_before, self._clock() + pause)
                else:
                    self._wait(pause)

    def _hold_back(self) -> None:
        with self._lock:
            pause = self._not_before - self._clock()
        if pause > 0:
            # Each thread wakes a little later than the moment that holds for all, not all in the same instant.
            self._wait(pause + _JITTER * self._chance() * min(1.0, pause))

    def _pause(self, error: TransientError, attempt: int) -> float:
        if error.retry_after is not None:
            return error.retry_after * (1 + _JITTER * self._chance())
        backoff = min(_LONGEST_BACKOFF, _FIRST_WAIT * 2 ** (attempt - 1))
        return backoff * (1 - _JITTER + 2 * _JITTER * self._chance())


def retry_after(headers: dict[str, str], now: datetime | None = None) -> float | None:
    """Seconds that a response asks to wait: `retry-after-ms`, or `retry-after` as seconds or HTTP date (RFC 9110, 10.2.3); else None."""
    text = headers.get("retry-after", "")
    try:
        if "retry-after-ms" in headers:
            return max(0.0, float(headers["retry-after-ms"]) / 1000)
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
