"""One day of the stage: the rows of the lake table `episodes`.

Belongs here: the shape of a row. Which episodes a day has is decided in `top5.catalog`.
"""

from collections.abc import Sequence
from typing import Any

from top5.catalog.model import DayEpisode


def episode_rows(episodes: Sequence[DayEpisode]) -> list[dict[str, Any]]:
    """One row per episode (see `top5.tables.EPISODES`)."""
    return [
        {
            "day": episode.day,
            "episode_id": episode.episode_id,
            "feed_id": episode.feed_id,
            "show": episode.show,
            "show_url": episode.show_url,
            "network": episode.network,
            "guid": episode.facts.guid,
            "title": episode.facts.title,
            "episode_url": episode.facts.link,
            "audio_url": episode.facts.enclosure.url if episode.facts.enclosure else None,
            "published": episode.facts.published,
            "first_seen": episode.first_seen,
            "available_on": episode.available_on,
            "late": episode.late,
            "duration": episode.facts.duration,
            "transcript_links": len(episode.facts.transcripts),
            "feed_weight": episode.feed_weight,
        }
        for episode in episodes
    ]
