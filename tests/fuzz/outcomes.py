"""What came of reading something: the value, or its refusal."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from libs.common.errors import InvalidInput

P = ParamSpec("P")
T = TypeVar("T")


def outcome(read: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | InvalidInput:
    """Return what `read` returns, or the InvalidInput it raises; anything else is a defect."""
    try:
        return read(*args, **kwargs)
    except InvalidInput as exc:
        return exc


def fields(refusal: InvalidInput) -> list[str]:
    """Return the fields it names."""
    errors = refusal.data["errors"]
    assert isinstance(errors, list)
    return [error["field"] for error in errors]
