"""Where the site gets its facts: the home's digests, the lake and the catalog, brought together into the index.

Belongs here: one step that brings everything up to date, for the server, the export and tests.
"""

from collections.abc import Callable
from datetime import date

from top5.catalog.publication import private_feeds, revisions_out
from top5.catalog.store import Catalog
from top5.settings import Settings
from top5.site.index import Publication, Synced, synchronise
from top5.site.quality import refresh_quality


def refresh(settings: Settings, catalog: Catalog, *, on_day: Callable[[int, int], None] | None = None) -> Synced:
    """Bring the index and the copy of the quality mart up to date. Raises as `synchronise`.

    Where the operator approves what is sent, a day is shown once it was approved or sent; otherwise once it is frozen.
    """

    def out(days: list[date]) -> dict[date, int]:
        return revisions_out(catalog, days)

    publication = Publication(out, private_feeds(catalog), settings.delivery.approval, settings.site.audio)
    synced = synchronise(settings.home, settings.lake_path, publication, on_day=on_day)
    refresh_quality(settings.home, settings.warehouse_path)
    return synced
