"""The process that checks rows: it comes back when it was killed, and goes when its parent was."""

import os
import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from top5.errors import TransientError
from top5.quality import apart


def test_killed_it_is_one_sentence_and_the_next_attempt_has_a_new_one():
    first = apart.run(os.getpid)
    assert first != os.getpid()
    os.kill(first, signal.SIGKILL)
    with pytest.raises(TransientError, match="was killed"):
        apart.run(os.getpid)
    assert apart.run(os.getpid) not in (first, os.getpid())


def test_what_a_function_raises_there_is_raised_here():
    with pytest.raises(ZeroDivisionError):
        apart.run(divmod, 1, 0)


def test_it_does_not_outlive_a_parent_that_was_killed():
    code = "import os; from top5.quality import apart; print(apart.run(os.getpid), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        assert int(parent.stdout.readline()) != parent.pid
        parent.kill()
        # It holds the other end as well: this returns when both are gone.
        assert parent.stdout.read() == b""
