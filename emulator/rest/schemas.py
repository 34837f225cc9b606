"""Checks JSON against the schemas of a discovery document, for requests and for our own answers."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any, Final

Json = dict[str, Any]

_INTEGER: Final = re.compile(r"-?[0-9]{1,20}")
_INT_LIMITS: Final = {
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**63), 2**63 - 1),
    "uint64": (0, 2**64 - 1),
}


def problems(
    value: object, schema: Json, schemas: Json, *, at: str = "", lenient: bool
) -> list[str]:
    """Return what is wrong with `value`, as `path: fault`; empty when it conforms.

    Args:
        value: decoded JSON.
        schema: one schema of a discovery document.
        schemas: all schemas of that document, for `$ref`.
        at: the path of `value`, for the messages.
        lenient: accept what Google's parser accepts in requests (numbers for int64).
    """
    return list(_Walk(schemas, lenient=lenient).walk(value, schema, at))


class _Walk:
    def __init__(self, schemas: Json, *, lenient: bool) -> None:
        self._schemas = schemas
        self.lenient = lenient

    def walk(self, value: object, schema: Json, at: str) -> Iterator[str]:
        if "$ref" in schema:
            schema = self._schemas[schema["$ref"]]
        kind = schema.get("type", "any")
        if kind == "object":
            yield from self._object(value, schema, at)
        elif kind == "array":
            yield from self._array(value, schema, at)
        elif kind in _SCALARS:
            fault = _SCALARS[kind](self, value, schema)
            if fault:
                yield f"{at}: {fault}"

    def _object(self, value: object, schema: Json, at: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{at}: not an object"
            return
        known = schema.get("properties", {})
        other = schema.get("additionalProperties")
        for name, item in value.items():
            inner = known.get(name) or other
            if inner is None:
                yield f"{at}: unknown name {name!r}"
            else:
                yield from self.walk(item, inner, f"{at}.{name}" if at else name)

    def _array(self, value: object, schema: Json, at: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{at}: not an array"
            return
        for index, item in enumerate(value):
            yield from self.walk(item, schema["items"], f"{at}[{index}]")


def _string(walk: "_Walk", value: object, schema: Json) -> str | None:
    form = schema.get("format", "")
    if form in _INT_LIMITS:
        if not isinstance(value, str) and not (walk.lenient and isinstance(value, int)):
            return f"{form} must be a string"
        return _within(str(value), form)
    if not isinstance(value, str):
        return "not a string"
    allowed = schema.get("enum")
    if allowed and value not in allowed and not (walk.lenient and value.lower() in allowed):
        return f"{value!r} is not one of {allowed}"
    return _not_base64url(value) if form == "byte" else None


def _integer(walk: "_Walk", value: object, schema: Json) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int):
        if walk.lenient and isinstance(value, str):
            return _within(value, schema.get("format", "int32"))
        return "not an integer"
    return _within(str(value), schema.get("format", "int32"))


def _boolean(_walk: "_Walk", value: object, _schema: Json) -> str | None:
    return None if isinstance(value, bool) else "not a boolean"


def _number(_walk: "_Walk", value: object, _schema: Json) -> str | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return None if plain else "not a number"


_SCALARS: Final[dict[str, Callable[[_Walk, object, Json], str | None]]] = {
    "string": _string,
    "integer": _integer,
    "boolean": _boolean,
    "number": _number,
}


def _within(text: str, form: str) -> str | None:
    low, high = _INT_LIMITS.get(form, _INT_LIMITS["int64"])
    # Longer numbers fit nowhere, and Python refuses to read very long ones.
    if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
        return f"not a valid {form}"
    return None


def _not_base64url(value: str) -> str | None:
    # Google's parser takes both alphabets and either padding.
    plain = value.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except ValueError:
        return "not base64"
    return None
