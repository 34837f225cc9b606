"""What every service publishes about how its feeds are read."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from libs.common.events.base import Event


class FeedEvent(Event):
    """About one feed; a service gives it its source."""

    aggregate: ClassVar[str] = "feed"

    feed_id: UUID
    connection_id: UUID
    user_id: str


class FeedStateEvent(FeedEvent):
    """How a feed is doing now."""

    kind: str
    """What is read: `mail.live`."""
    state: Literal["active", "degraded", "paused", "closed"]
    reason: str | None
    """A short constant: why it is not `active`."""
    since: datetime
