"""The domain: how feeds are scanned, transcripts read, insights chosen and proven, digests made and sent.

Belongs here: pure functions and the clients at the edge (HTTP, models, mail, stores).
Does not belong here: anything that knows about runs, partitions or schedules. This package never imports dagster.
"""

import os

__version__ = "0.1.0"

_TELEMETRY_OFF = {
    "ORT_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    "DAGSTER_DISABLE_TELEMETRY": "1",
}
for _name, _value in _TELEMETRY_OFF.items():
    # Here, because each library looks once, when it is first imported (tests/top5/test_telemetry.py).
    os.environ.setdefault(_name, _value)
