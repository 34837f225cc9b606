"""How what went either way ended, and since when all of it is in step: as statuses show it."""

from collections.abc import Iterable
from datetime import datetime

from pydantic import BaseModel, Field

from libs.common.sync_logs import Rate


class RateOut(BaseModel):
    """How what went either way in the last 24 hours ended."""

    succeeded: int
    failed: int
    success_rate: float | None = Field(description="0..1; null: nothing went either way")


def rate_out(rate: Rate | None) -> RateOut:
    """Return a connection's rate as a call shows it; None: nothing went either way."""
    if rate is None:
        return RateOut(succeeded=0, failed=0, success_rate=None)
    ended = rate.succeeded + rate.failed
    return RateOut(
        succeeded=rate.succeeded,
        failed=rate.failed,
        success_rate=rate.succeeded / ended if ended else None,
    )


def furthest_behind(moments: Iterable[datetime | None]) -> datetime | None:
    """Return since when all are in step: the earliest; None: there is none, or one never was."""
    given = list(moments)
    known = [one for one in given if one is not None]
    return min(known) if known and len(known) == len(given) else None
