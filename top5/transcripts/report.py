"""What an operator is shown of a day's transcripts: trust with its parts, faults, speed and cost of speech to text.

Belongs here: numbers and small tables from rows of `top5.tables.TRANSCRIPTS`. Does not belong here: measuring (`quality`).
"""

from collections.abc import Mapping, Sequence
from typing import Any

_LEAST_TRUSTED = 10


def speech_metadata(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Metadata by name, JSON-able; `x realtime` is seconds of audio decoded per second of this run, null where none was."""
    decoded = [row for row in rows if row.get("decode_seconds") and not row["reused"]]
    spent = sum(row["decode_seconds"] for row in decoded)
    heard = sum(row["audio_seconds"] for row in decoded)
    judged = [row for row in rows if row.get("trust_parts")]
    doubted = sorted(
        (row for row in judged if row["trust"] < 1 or row["faults"]), key=lambda row: (row["trust"], row["episode_id"])
    )
    return {
        "minutes decoded": round(heard / 60, 1),
        "x realtime": round(heard / spent, 2) if spent else None,
        "cost (USD)": round(sum(row.get("cost_usd") or 0.0 for row in decoded), 4),
        "times may drift": sum(bool(row.get("times_may_drift")) for row in rows),
        "marked segments": sum(row.get("marked_segments") or 0 for row in rows),
        "chapters": sum(row.get("chapters") or 0 for row in rows),
        "least trusted": [
            {
                "episode": row["episode_id"],
                "trust": row["trust"],
                "parts": {name: value for name, value in row["trust_parts"].items() if value < 1},
                "faults": list(row["faults"])[:5],
            }
            for row in doubted[:_LEAST_TRUSTED]
        ],
    }
