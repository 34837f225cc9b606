"""Partial responses: the `fields` parameter.

Source: https://developers.google.com/workspace/gmail/api/guides/performance#partial-response
"""

import re
from typing import Any

from emulator.errors import ApiError

Json = dict[str, Any]
Selection = dict[str, "Selection"]  # an empty selection keeps everything below

_TOKEN = re.compile(r"[\w.$@-]+|\*|[,/()]")


def parse(text: str) -> Selection:
    """Return the tree of names in a `fields` value.

    Raises:
        ApiError: 400, the value does not parse.
    """
    tokens = _TOKEN.findall(text)
    if "".join(tokens) != re.sub(r"\s", "", text):
        raise _invalid(text)
    selection, rest = _group(tokens, text)
    if rest:
        raise _invalid(text)
    return selection


def check(selection: Selection, schema: Json, schemas: Json) -> None:
    """Raise a 400 when the selection names a field that answers of this schema do not have."""
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    if "items" in schema:
        return check(selection, schema["items"], schemas)
    known = schema.get("properties", {})
    other = schema.get("additionalProperties")
    for name, inner in selection.items():
        if name == "*":
            continue
        found = known.get(name) or other
        if found is None:
            raise _invalid(name)
        check(inner, found, schemas)
    return None


def select(value: Any, selection: Selection) -> Any:
    """Return `value` reduced to the selection; arrays are reduced item by item."""
    if not selection:
        return value
    if isinstance(value, list):
        return [select(item, selection) for item in value]
    if not isinstance(value, dict):
        return value
    every = selection.get("*")
    kept = {}
    for name, item in value.items():
        inner = selection.get(name, every)
        if inner is not None:
            kept[name] = select(item, inner)
    return kept


def _group(tokens: list[str], text: str) -> tuple[Selection, list[str]]:
    selection: Selection = {}
    while True:
        tokens = _path(tokens, selection, text)
        if not tokens or tokens[0] == ")":
            return selection, tokens
        if tokens[0] != ",":
            raise _invalid(text)
        tokens = tokens[1:]


def _path(tokens: list[str], into: Selection, text: str) -> list[str]:
    if not tokens or tokens[0] in ",/()":
        raise _invalid(text)
    here = into.setdefault(tokens[0], {})
    rest = tokens[1:]
    if rest and rest[0] == "/":
        return _path(rest[1:], here, text)
    if rest and rest[0] == "(":
        inner, rest = _group(rest[1:], text)
        if not rest:
            raise _invalid(text)
        here.update(inner)
        return rest[1:]
    return rest


def _invalid(text: str) -> ApiError:
    message = f"Invalid field selection {text}"
    extra = {"location": "fields", "locationType": "parameter"}
    return ApiError(400, message, "invalidParameter", extra=extra)
