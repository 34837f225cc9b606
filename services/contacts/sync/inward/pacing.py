"""How often address books are read: Google tells nobody that a contact changed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from libs.common.feeds import Lease


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How often feeds are read, and how long their tokens are trusted; in seconds."""

    shortest_poll: float
    longest_poll: float
    token_life: float

    def keep(self, lease: Lease, *, was_busy: bool, now: datetime) -> None:
        """Say when to look again: soon after something changed, later and later when nothing does.

        A quiet feed waits twice as long as it had been left alone.
        """
        wait_s = self.shortest_poll
        last = lease.feed.last_sync_at
        if not was_busy and last is not None:
            doubled = 2 * (now - last).total_seconds()
            wait_s = min(self.longest_poll, max(self.shortest_poll, doubled))
        lease.poll_within(wait_s)

    def is_old(self, taken_at: datetime | None, *, now: datetime) -> bool:
        """Say whether a sync token will soon end: it does so long after a reading in full."""
        return taken_at is None or taken_at + timedelta(seconds=self.token_life) <= now
