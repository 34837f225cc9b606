"""Every SQL statement on feeds and signals. The caller owns the transaction.

Locks are taken signal first, then feed, each in key order: claims, finishes and pushes
cannot deadlock, and page commits (feed only) never wait for a push.
"""

from libs.common.feeds.store.leases import advance, claim, finish, renew
from libs.common.feeds.store.rows import list_feeds, next_sequence, open_feed, stop_feed, stop_feeds
from libs.common.feeds.store.signals import (
    CHANNEL,
    PAYLOADS,
    hurry,
    raise_later,
    raise_signal,
    raise_signals,
)

__all__ = [
    "CHANNEL",
    "PAYLOADS",
    "advance",
    "claim",
    "finish",
    "hurry",
    "list_feeds",
    "next_sequence",
    "open_feed",
    "raise_later",
    "raise_signal",
    "raise_signals",
    "renew",
    "stop_feed",
    "stop_feeds",
]
