"""What the archive may show: which revision of a day readers have, and which feeds are somebody's own.

Belongs here: questions of the site to the catalog. Sending and approving are `top5.deliveries`.
"""

import re
from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select

from top5.catalog.batches import batched
from top5.catalog.store import Catalog
from top5.catalog.tables import Approval, Delivery, Feed
from top5.urls import mask_url


def revisions_out(catalog: Catalog, days: Sequence[date]) -> dict[date, int]:
    """The newest revision of each of `days` that was sent to somebody or approved; a day where neither happened is left out."""
    out: dict[date, int] = {}
    with catalog.transaction() as session:
        for some in batched(days, 500):
            sent = select(Delivery.day, func.max(Delivery.revision)).where(Delivery.day.in_(some), Delivery.state == "sent")
            approved = select(Approval.day, Approval.revision).where(Approval.day.in_(some))
            for day, revision in [*session.execute(sent.group_by(Delivery.day)), *session.execute(approved)]:
                out[day] = max(revision, out.get(day, 0))
    return out


def private_feeds(catalog: Catalog) -> frozenset[str]:
    """Ids of the feeds whose URL may carry a subscriber's token: what comes by them may carry it too, and is not for everybody."""
    with catalog.transaction() as session:
        return frozenset(feed_id for feed_id, url in session.execute(select(Feed.feed_id, Feed.url)) if is_private(url))


_SAYS_PUBLIC = re.compile(r"/public/", re.IGNORECASE)
_SAYS_PRIVATE = re.compile(r"/(private|premium|members?|patrons?|subscribers?)(/|$)", re.IGNORECASE)


def is_private(url: str) -> bool:
    """Whether a URL has what looks like a token, or says itself that it is for some only. Better one too many than one too few."""
    return bool(_SAYS_PRIVATE.search(url)) or (mask_url(url) != url and not _SAYS_PUBLIC.search(url))
