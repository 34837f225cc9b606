"""The methods of a discovery document, found by verb and path."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Json = dict[str, Any]

_PARAMETER = re.compile(r"\{(\+?)(\w+)\}")


@dataclass(frozen=True, slots=True)
class Method:
    """One method: its place in the document and what the document says of it."""

    id: str
    api: str
    verb: str
    pattern: re.Pattern[str]
    segments: int
    parameters: Json
    scopes: frozenset[str]
    request: Json | None
    response: Json | None
    document: Json
    upload: Json | None


class MethodTable:
    """All methods of several documents."""

    def __init__(self, *documents: Json) -> None:
        self._found: dict[tuple[str, int], list[Method]] = defaultdict(list)
        self.uploads: dict[str, Method] = {}
        self.by_id: dict[str, Method] = {}
        for document in documents:
            for method in _methods(document, document):
                self._found[method.verb, method.segments].append(method)
                self.by_id[method.id] = method

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """Return the method and its decoded path parameters, or None."""
        plain = path.lstrip("/")
        for method in self._found.get((verb, plain.count("/")), ()):
            match = method.pattern.fullmatch(plain)
            if match:
                return method, {k: unquote(v) for k, v in match.groupdict().items()}
        return None


def _methods(node: Json, document: Json) -> Iterator[Method]:
    for entry in node.get("methods", {}).values():
        yield _method(entry, document)
    for inner in node.get("resources", {}).values():
        yield from _methods(inner, document)


def _method(entry: Json, document: Json) -> Method:
    path = document["servicePath"] + entry["path"]
    parameters = entry.get("parameters", {})
    pattern, segments = _compile(path, parameters)
    return Method(
        id=entry["id"],
        api=document["name"],
        verb=entry["httpMethod"],
        pattern=pattern,
        segments=segments,
        parameters=parameters,
        scopes=frozenset(entry.get("scopes", ())),
        request=entry.get("request"),
        response=entry.get("response"),
        document=document,
        upload=entry.get("mediaUpload"),
    )


def _compile(path: str, parameters: Json) -> tuple[re.Pattern[str], int]:
    expression, sample, last = "", "", 0
    for match in _PARAMETER.finditer(path):
        literal = path[last : match.start()]
        inner = r"[^/:]+" if path[match.end() : match.end() + 1] == ":" else r"[^/]+"
        if match[1]:  # {+name} spans segments; the document gives the shape of the whole
            inner = parameters[match[2]]["pattern"].removeprefix("^").removesuffix("$")
            # The last segment ends where a custom verb begins: `topics/t:publish`.
            inner = re.sub(r"\[\^/\]\+\Z", "[^/:]+", inner)
        expression += re.escape(literal) + f"(?P<{match[2]}>{inner})"
        sample += literal + re.sub(r"\[[^]]*\]\+?\*?", "x", inner)
        last = match.end()
    return re.compile(expression + re.escape(path[last:])), (sample + path[last:]).count("/")
