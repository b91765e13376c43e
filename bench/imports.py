"""How long the code location takes to load, against the imports that it cannot do without.

python -m bench.imports
"""

import statistics
import subprocess
import sys
import time

RUNS = 5
PEER = "import dagster, dagster_dbt"
OURS = "import orchestration.definitions"


def seconds(statement: str) -> float:
    """Wall seconds of a fresh interpreter that runs `statement`."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.monotonic() - started


def megabytes() -> float:
    """Largest resident size of an interpreter that has loaded the code location."""
    told = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", f"{OURS}; {told}"], check=True, capture_output=True, text=True)
    return int(done.stdout) / 1024


def main() -> None:
    """Both in turn, so that a machine that changes its pace changes it for both; medians and the median of the pairs' ratios."""
    for statement in (PEER, OURS):
        seconds(statement)  # the first run compiles and fills the disk cache
    pairs = [(seconds(PEER), seconds(OURS)) for _ in range(RUNS)]
    peer, ours = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(b / a for a, b in pairs)
    print(f"\ncode location load, median of {RUNS}")
    print(f"  {PEER:<36} {peer:6.2f} s")
    print(f"  {OURS:<36} {ours:6.2f} s")
    print(f"  {'ratio':<36} {ratio:6.2f}    (aim: at most 1.15)")
    print(f"  {'memory':<36} {megabytes():6.0f} MB  (aim: at most 300)")


if __name__ == "__main__":
    main()
