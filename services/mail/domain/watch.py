"""Watches: Google tells us of changes for at most seven days at a time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

LAPSING = timedelta(hours=48)
"""A watch with less than this left should have been renewed by now."""


class WatchState(StrEnum):
    """What the expiry says; there is no flag that could say otherwise."""

    ABSENT = "absent"
    WATCHING = "watching"
    LAPSING = "lapsing"
    LAPSED = "lapsed"


@dataclass(frozen=True, slots=True)
class Watch:
    """What Google answered to users.watch."""

    history_id: int
    expires_at: datetime


def watch_state(expires_at: datetime | None, *, now: datetime) -> WatchState:
    """Return the state of a watch that ends at `expires_at` (None: there is none)."""
    if expires_at is None:
        return WatchState.ABSENT
    if expires_at <= now:
        return WatchState.LAPSED
    return WatchState.LAPSING if expires_at - now < LAPSING else WatchState.WATCHING


def renewal_at(expires_at: datetime, *, now: datetime, every: timedelta) -> datetime:
    """Return when to renew: after `every`, and at the latest halfway to the expiry."""
    return min(now + every, now + (expires_at - now) / 2)
