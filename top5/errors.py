"""The two kinds of failure, each with a sentence that a user can act on.

Belongs here: error types only. What to do about a failure (retry, row with a reason, exit code) is decided by the caller.
"""


class Top5Error(Exception):
    """A failure that has a name.

    `reason` is a short slug that is counted and stored (`not_found`, `too_large`); `message` is one sentence that names the
    thing and the fix. URLs in messages are masked by the caller with `top5.urls.mask_url`.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class PermanentError(Top5Error):
    """Trying again with the same input gives the same failure: recorded, not retried."""


class TransientError(Top5Error):
    """Trying again later may help. `retry_after` is the wait that the other side asked for, in seconds."""

    def __init__(self, reason: str, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(reason, message)
        self.retry_after = retry_after
