"""Feeds: things at Google with a cursor of their own, kept in step by whoever holds the lease.

A push only raises a feed's *signal* (`Door`). A `Runner` claims due feeds, hands each as a
`Lease` to the function the service registered for its kind, and finishes it. Every commit
of a run goes through `Lease.advance`, which fences out a worker whose lease was taken over.

    push -> Door.knock -> signals -> Runner -> Lease -> the service's pages -> Lease.advance
"""

from libs.common.feeds.door import Door
from libs.common.feeds.lease import Lease, LeaseLost
from libs.common.feeds.model import Feed, FeedState, NewFeed
from libs.common.feeds.runner import FeedKind, Runner

__all__ = ["Door", "Feed", "FeedKind", "FeedState", "Lease", "LeaseLost", "NewFeed", "Runner"]
