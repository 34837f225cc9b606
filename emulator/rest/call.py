"""One API call without its transport: what came in, what a handler sees, what goes out."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson
from multidict import CIMultiDict, MultiDict

from emulator.errors import ApiError

if TYPE_CHECKING:
    from emulator.oauth.grants import AccessToken
    from emulator.rest.methods import Method
    from emulator.world import World

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RestRequest:
    """An HTTP request whose verb already obeys `x-http-method-override`.

    Attributes:
        path: still percent-encoded, with its leading slash.
        media: the uploaded file, when the call came in over an upload path; else None.
    """

    verb: str
    path: str
    query: MultiDict[str]
    headers: CIMultiDict[str]
    body: bytes = b""
    media: bytes | None = None
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, ready for a socket or for a part of a batch."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Answer":
        """Return `value` as Google prints JSON: UTF-8, indented by two."""
        try:
            body = orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
        except orjson.JSONEncodeError:
            # A lone surrogate cannot be printed as UTF-8; the wire never carries one.
            text = json.dumps(value, ensure_ascii=False, indent=2) + "\n"
            body = text.encode("utf-8", "replace")
        return cls(status, body, {"Content-Type": "application/json; charset=UTF-8"})

    @classmethod
    def error(cls, error: ApiError) -> "Answer":
        """Return the error's envelope."""
        answer = cls.json(error.envelope, error.code)
        return cls(answer.status, answer.body, {**answer.headers, **error.headers})


class NotModified(Exception):
    """A get whose client has the current state already: an empty 304."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


@dataclass(frozen=True, slots=True)
class Call:
    """What an operation is given: everything is decoded and checked against the document.

    Attributes:
        body: without members that were null, which to Google are unset.
        given: of a patch, the body with them: there null takes a value away.
    """

    world: "World"
    method: "Method"
    path: Mapping[str, str]
    query: Mapping[str, Any]  # booleans and integers are converted, repeated ones are lists
    body: Json
    media: bytes | None
    token: "AccessToken | None"
    headers: CIMultiDict[str] = field(default_factory=CIMultiDict)
    given: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """How one method of a document is served.

    Attributes:
        run: returns the JSON answer, or None for an empty 204.
        units: quota units that one call costs.
        costs: what one call costs of several quotas, by the quota's name; for People.
        needs_token: False for the parts that local tools call without credentials.
    """

    run: Callable[[Call], Json | None]
    units: int = 0
    costs: Mapping[str, int] = field(default_factory=dict)
    needs_token: bool = True
