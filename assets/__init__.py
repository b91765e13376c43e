"""WHAT is materialized: one thin module per asset, each reading, calling `top5`, writing, and saying what an operator wants to see.

Belongs here: asset definitions, their checks and metadata. Does not belong here: how anything is done (`top5`), when and where it
runs (`orchestration`). The code location is loaded by every process and a stage runs in one: an asset imports what it calls when it
is called.
"""

import warnings

from dagster import BetaWarning

# Backfill policies and pools are "beta" in name for years; the range of the dependency is pinned to the minor version that was tested.
warnings.filterwarnings("ignore", category=BetaWarning)
