"""Telling how a feed is doing."""

from datetime import datetime

from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from libs.common.events.feeds import FeedStateEvent
from libs.common.feeds.model import Feed, FeedState

TROUBLED = (FeedState.DEGRADED, FeedState.PAUSED)


def changed_feed(
    feed: Feed,
    *,
    before: Feed,
    user_id: str,
    now: datetime,
    degraded: type[FeedStateEvent],
    recovered: type[FeedStateEvent],
) -> Envelope | None:
    """Return the event of a feed that fell into trouble or is out of it; None of other changes.

    Args:
        feed: as it is now, under the sequence of this change.
        before: as it was.
        user_id: whose it is.
        now: the present.
        degraded: the service's event of trouble.
        recovered: the service's event of its end.
    """
    if feed.state in TROUBLED:
        kind = degraded
    elif before.state in TROUBLED:
        kind = recovered
    else:
        return None
    event = kind(
        origin=Origin.LIVE,
        feed_id=feed.id,
        connection_id=feed.connection_id,
        user_id=user_id,
        kind=feed.kind,
        state=feed.state.value,
        reason=feed.reason,
        since=now,
    )
    return Envelope.of(
        event,
        tenant_id=feed.tenant_id,
        aggregate_id=str(feed.id),
        sequence=feed.sequence,
        time=now,
    )
