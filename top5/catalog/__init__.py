"""The catalog: state that changes row by row, in SQLite or Postgres.

Belongs here: tables (`tables`), their migrations, and the questions the stages ask (`store`). Rows of analysis live in the lake.
"""

from top5.catalog.store import Catalog, CatalogEpisode, DayEpisode, FeedState

__all__ = ["Catalog", "CatalogEpisode", "DayEpisode", "FeedState"]
