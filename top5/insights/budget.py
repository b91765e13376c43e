"""The day's limit on what model replies may cost.

Belongs here: counting and refusing. Where spend is kept between runs is the caller's: it hands in what is spent and reads it
back.
"""

import threading

from top5.errors import TransientError


class Budget:
    """A limit in US dollars that is asked before every request and told after it; safe to share between threads.

    A request reserves its estimate, so that parallel requests cannot together go over the limit that each of them alone keeps.
    """

    def __init__(self, limit_usd: float, spent_usd: float = 0.0) -> None:
        self._limit = limit_usd
        self._spent = spent_usd
        self._reserved = 0.0
        self._lock = threading.Lock()

    @property
    def limit(self) -> float:
        """US dollars a day."""
        return self._limit

    @property
    def spent(self) -> float:
        """US dollars of finished requests, those of earlier runs of the day included."""
        with self._lock:
            return self._spent

    def reserve(self, estimate_usd: float) -> None:
        """Sets `estimate_usd` aside. Raises TransientError `budget_spent` where that would go over the limit."""
        with self._lock:
            if self._spent + self._reserved + estimate_usd > self._limit:
                raise TransientError(
                    "budget_spent",
                    f"The next request (about ${estimate_usd:.4f}) would go over the day's limit of ${self._limit:.2f} "
                    f"(${self._spent:.4f} spent); raise insights.daily_budget_usd or wait for tomorrow.",
                )
            self._reserved += estimate_usd

    def settle(self, estimate_usd: float, actual_usd: float) -> None:
        """Replaces a reserved estimate by what the request cost; 0.0 for one that failed before it was billed."""
        with self._lock:
            self._reserved = max(0.0, self._reserved - estimate_usd)
            self._spent += actual_usd
