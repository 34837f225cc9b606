"""Moments as callers write them."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AwareDatetime, BeforeValidator, TypeAdapter

AWARE = TypeAdapter[datetime](AwareDatetime)
DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]", re.ASCII)
USUAL = re.compile(
    r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{3}|\.\d{6})?(Z|[+-]\d{2}:\d{2})", re.ASCII
)


def _as_written(value: Any) -> Any:
    if isinstance(value, datetime):
        return value if value.tzinfo is None else _in_utc(value)
    # A bare number would be read as seconds since 1970, or as milliseconds if it is large.
    if not (isinstance(value, str) and DATE_TIME.match(value)):
        raise ValueError("must be an RFC 3339 date-time")
    try:
        if USUAL.fullmatch(value):
            moment = datetime.fromisoformat(value)
        else:
            moment = AWARE.validate_python(value)  # also where bodies are read strictly
    except ValueError:  # a ValidationError is one
        raise ValueError("must be an RFC 3339 date-time with its offset") from None
    return _in_utc(moment)


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must lie between the years 1 and 9999 in UTC") from None


Moment = Annotated[AwareDatetime, BeforeValidator(_as_written)]
"""An RFC 3339 date-time with its offset, kept in UTC: a few that can be written do not exist there.

Source: https://www.rfc-editor.org/rfc/rfc3339#section-5.6
"""
