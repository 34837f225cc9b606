"""The fields of a contact as the CRM sends them: under its own names, checked and bounded."""

from typing import Annotated, Any

from pydantic import AfterValidator

from libs.common.fields import plain_text

MOST_FIELDS = 200
LONGEST_NAME = 100
LONGEST_TEXT = 65_536
"""Of notes; what Google takes."""
MOST_ITEMS = 100
MOST_DEPTH = 3


def _checked(value: dict[str, Any]) -> dict[str, Any]:
    if len(value) > MOST_FIELDS:
        raise ValueError(f"must be at most {MOST_FIELDS} fields")
    for name, one in value.items():
        if not name or len(name) > LONGEST_NAME:
            raise ValueError(f"names must have 1 to {LONGEST_NAME} characters")
        plain_text(name)
        _check(name, one, depth=1)
    return value


def _check(name: str, value: Any, *, depth: int) -> None:
    """Refuse what no field of a person can be: values are texts, or lists and objects of them."""
    if value is None or isinstance(value, bool | int | float):
        return
    if isinstance(value, str):
        plain_text(value)
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"{name} must have at most {LONGEST_TEXT} characters")
        return
    inner = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(inner, list) or depth > MOST_DEPTH:
        raise ValueError(f"{name} must be a text, or a list or object of texts")
    if len(inner) > MOST_ITEMS:
        raise ValueError(f"{name} must have at most {MOST_ITEMS} items")
    for one in inner:
        _check(name, one, depth=depth + 1)


ContactFields = Annotated[dict[str, Any], AfterValidator(_checked)]
