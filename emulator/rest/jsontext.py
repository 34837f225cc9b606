"""JSON from outside, read the way Google's parser reads it."""

import json
from typing import Any, Final

_DEEPEST: Final = 100  # nested levels, as in protobuf's parsers


def loads(raw: bytes, *, keep_nulls: bool = False) -> Any:
    """Return the decoded value without its members that are null: to Google, null means unset.

    Args:
        raw: UTF-8 text.
        keep_nulls: leave them, for patches, where null means "take it away".

    Raises:
        ValueError: it is no JSON, it is nested too deeply, or an array holds a null.
    """
    try:
        value = json.loads(raw)
        plain = _without_nulls(value, _DEEPEST)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    return value if keep_nulls else plain


def _without_nulls(value: Any, levels: int) -> Any:
    if levels < 0:
        raise ValueError("nested too deeply")
    if isinstance(value, dict):
        kept = ((name, item) for name, item in value.items() if item is not None)
        return {name: _without_nulls(item, levels - 1) for name, item in kept}
    if isinstance(value, list):
        if None in value:
            raise ValueError("an array holds a null")
        return [_without_nulls(item, levels - 1) for item in value]
    return value
