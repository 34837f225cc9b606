"""JSON as nobody should send it: any value, and values that are almost right."""

import copy
import json
from typing import Any

from hypothesis import strategies as st

NUMBERS = (0, -1, 1, 2**31, 2**53, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**400, 0.5, 1e308, -0.0)
TEXTS = (
    *("", " ", "\0", "a\0b", "\ud800", "x\udc00", "\u202e", "é" * 300, "a" * 5000, "null", "true"),
    *("0", "-1", "1e9", "18446744073709551616", "9" * 5000, "NaN", "@", "a@b.test", "A@B.TEST "),
    *("2026-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "../..", "'; DROP TABLE x; --", "%s"),
    *("00000000-0000-0000-0000-000000000000", "{}", "[]", "\r\n", "İ" * 200, "ß@ẞ.test"),
)

numbers = st.one_of(st.sampled_from(NUMBERS), st.integers(), st.floats(allow_nan=False))
texts = st.one_of(st.sampled_from(TEXTS), st.text(st.characters(), max_size=20))
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
anything = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=6,
)
"""Any JSON value, lone surrogates included."""


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all that is within `value`."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [place for key, one in inner for place in [(*path, key), *places(one, (*path, key))]]


@st.composite
def almost(draw: st.DrawFn, right: Any) -> Any:
    """Return `right` with up to three of its parts gone, replaced, wrapped or repeated."""
    value = copy.deepcopy(right)
    for _ in range(draw(st.integers(0, 3))):
        found = places(value)
        if not found:
            break
        *path, last = draw(st.sampled_from(found))
        holder = value
        for key in path:
            holder = holder[key]
        match draw(st.sampled_from(["lose", "replace", "replace", "replace", "wrap", "add"])):
            case "lose":
                del holder[last]
            case "replace":
                holder[last] = draw(anything)
            case "wrap":
                holder[last] = draw(st.sampled_from([[holder[last]], {"a": holder[last]}]))
            case _ if isinstance(holder, dict):
                holder[draw(texts)] = draw(anything)
    return value


def deep(opening: str, depth: int) -> str:
    """Return what nests so deep: `[` or `{"a":`, closed."""
    return opening * depth + "1" + {"[": "]"}.get(opening, "}") * depth


nested = st.builds(deep, st.sampled_from(["[", '{"a":']), st.sampled_from([40, 300, 9000]))


@st.composite
def written(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> bytes:
    """Return JSON text of a value, now and then torn or not UTF-8."""
    escaped = draw(st.booleans())
    text = json.dumps(draw(values), ensure_ascii=escaped).encode("utf-8", "surrogatepass")
    at = draw(st.integers(0, len(text)))
    match draw(st.sampled_from(["whole"] * 8 + ["cut", "junk", "twice", "bom"])):
        case "cut":
            return text[:at]
        case "junk":
            return text[:at] + draw(st.binary(max_size=8)) + text[at:]
        case "twice":
            return text + text
        case "bom":
            return b"\xef\xbb\xbf" + text
    return text
