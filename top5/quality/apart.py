"""Great Expectations in a process of its own, which ends with this one.

Belongs here: that process. Importing the library takes seconds of a core; begun early, they pass while a run imports
Dagster and reads its first stage. What is run there is in `suites` and `drift`.
"""

import atexit
import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import cache
from typing import ParamSpec, TypeVar

from top5.errors import TransientError
from top5.quality.gx import warm_up

P = ParamSpec("P")
T = TypeVar("T")


def begin() -> None:
    """Start the process and the import, and return at once. Doing it again changes nothing."""
    _process()


def run(function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """What a function of a module gives there. Raises what it raises, and TransientError `checks_died` where the process was killed."""
    try:
        return _process().submit(function, *args, **named).result()
    except BrokenProcessPool as error:
        _process.cache_clear()
        raise TransientError(
            "checks_died", "The process that checks rows was killed, as a rule because memory ran out; run the day again."
        ) from error


@cache
def _process() -> ProcessPoolExecutor:
    # Not forked: this process has threads, and what they hold would stay held in the copy.
    process = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"), initializer=_obey)
    process.submit(warm_up)
    return process


def _obey() -> None:
    # An interrupt from the keyboard reaches both; the parent decides what becomes of the work.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # Taking the library's modules apart again takes a second, for nothing.
    atexit.register(os._exit, 0)


def _end_with_parent() -> None:
    # A killed parent tells nobody, and this process holds both ends of the queue that it waits on.
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
