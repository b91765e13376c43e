"""What the numbers were measured on."""

import os
import platform
from datetime import UTC, datetime


def line() -> str:
    """Cores, memory, system, Python and date, for the head of a table."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    today = datetime.now(UTC).date()
    return f"{os.cpu_count()} cores, {memory:.0f} GiB, {platform.system()} {platform.machine()}, Python {platform.python_version()}, {today}"
