"""Rows of the write ledger as values."""

from typing import Any

from libs.common.writes.model import Write, WriteState


def write_of(row: Any) -> Write:
    """Return a row of writes; its `position` is no part of it."""
    columns = {name: value for name, value in row.items() if name != "position"}
    return Write(**{**columns, "state": WriteState(row["state"])})
