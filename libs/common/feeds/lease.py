"""The right to run a feed for a while, and the fence that ends it."""

from libs.common.db import Connection
from libs.common.errors import AppError
from libs.common.feeds import store
from libs.common.feeds.model import Feed


class LeaseLost(AppError):
    """Another worker has the feed, or it was stopped: nothing of this run may be committed."""

    slug = "lease-lost"


class Lease:
    """One claimed run of `feed`.

    `epoch` rises with every claim; a commit under an older one is refused. `generation` is the
    feed's signal as it stood at the claim.
    """

    def __init__(self, feed: Feed, *, epoch: int, generation: int) -> None:
        """Describe the claim; `Runner` makes these."""
        self.feed = feed
        self.epoch = epoch
        self.generation = generation
        self.cursor = feed.cursor
        self.fingerprint = feed.fingerprint
        self.left_behind: str | None = None
        self.poll_s: float | None = None
        self.has_more = False
        self.closes = False

    async def advance(
        self, conn: Connection, *, cursor: str, fingerprint: str | None = None
    ) -> None:
        """Move the feed's cursor within the caller's transaction.

        Call it once in every transaction that writes rows of this feed: it is also the fence.

        Raises:
            LeaseLost: the lease is no longer ours; the transaction must not commit.
        """
        held = self.fingerprint if fingerprint is None else fingerprint
        if not await store.advance(conn, self.feed, self.epoch, cursor=cursor, fingerprint=held):
            raise LeaseLost("The lease of this feed went to another worker.")
        self.cursor, self.fingerprint = cursor, held

    def leave_behind(self, reason: str) -> None:
        """Show the feed as degraded after this run, for `reason` (a short constant)."""
        self.left_behind = reason

    def poll_within(self, seconds: float) -> None:
        """Run the feed again after `seconds` (> 0), if its kind is not polled sooner anyway."""
        self.poll_s = seconds if self.poll_s is None else min(seconds, self.poll_s)

    def again(self) -> None:
        """There is more to do: run the feed again at once, after those that are due already.

        It does not count as in step until a run ends without this.
        """
        self.has_more = True

    def close(self) -> None:
        """End the feed with this run: no push and no poll wakes it until it is opened again."""
        self.closes = True
