"""The domain: how feeds are scanned, transcripts read, insights chosen and proven, digests made and sent.

Belongs here: pure functions and the clients at the edge (HTTP, models, mail, stores).
Does not belong here: anything that knows about runs, partitions or schedules. This package never imports dagster.
"""

__version__ = "0.1.0"
