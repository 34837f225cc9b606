"""Moments as callers write them."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]
"""An RFC 3339 date-time with its offset, kept in UTC: a few that can be written do not exist there.

Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""
