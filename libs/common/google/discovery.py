"""Requests described by Google's discovery documents, built without sending anything.

Building a resource makes all of its methods anew (a millisecond), using one does not (20 µs).
So the leaves are built once and shared by every account: they hold no token.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc

from libs.common.google.roots import GoogleRoots

_PLACEHOLDER = "PLACEHOLDER0"
_NO_HTTP = object()  # None would make the library look for credentials of its own
_OWN_HEADERS = frozenset({"accept-encoding", "content-length", "user-agent", "x-goog-api-client"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One call of one API method, not yet anybody's: the token is added when it is sent."""

    method: str
    uri: str = field(repr=False)  # may name a mailbox
    method_id: str  # such as gmail.users.messages.get; a metric label
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)


class Template:
    """A request that differs from call to call only in one part of its address.

    Building one takes the library 60 µs, filling one in takes one.

    Args:
        method: of a resource, such as `messages.get`.
        varying: the parameter that each call gives.
        fixed: all others.
    """

    def __init__(self, method: Callable[..., ApiRequest], varying: str, **fixed: Any) -> None:
        self._request = method(**{varying: _PLACEHOLDER}, **fixed)
        self._before, found, self._after = self._request.uri.partition(_PLACEHOLDER)
        if not found:
            raise ValueError(f"{varying} is not in the address")

    def of(self, value: str) -> ApiRequest:
        """Return the request for a value, which may hold any characters."""
        uri = f"{self._before}{quote(value, safe='')}{self._after}"
        return replace(self._request, uri=uri)


@dataclass(frozen=True, slots=True)
class GmailResources:
    """The parts of Gmail's API, each with its methods: `gmail.messages.get(userId=..., id=...)`.

    A method returns an `ApiRequest`; an unknown or missing parameter is a TypeError. Bodies
    are not checked.
    """

    users: Any
    messages: Any
    attachments: Any
    history: Any
    labels: Any
    threads: Any
    drafts: Any


@lru_cache(maxsize=8)
def gmail(roots: GoogleRoots) -> GmailResources:
    """Return Gmail's resources at `roots.gmail`; the same object for the same roots.

    Source: https://developers.google.com/workspace/gmail/api/reference/rest
    """
    users = _service("gmail", "v1", roots.gmail).users()
    messages = users.messages()
    return GmailResources(
        users=users,
        messages=messages,
        attachments=messages.attachments(),
        history=users.history(),
        labels=users.labels(),
        threads=users.threads(),
        drafts=users.drafts(),
    )


def _service(name: str, version: str, root: str) -> Any:
    """Build an API with its root moved in the document itself.

    The library's own option for that (api_endpoint) moves ordinary calls but neither uploads
    nor batches.
    """
    text = get_static_doc(name, version)
    if text is None:
        raise LookupError(f"no discovery document for {name} {version}")
    document = orjson.loads(text)
    document["rootUrl"] = f"{root}/"
    document.pop("mtlsRootUrl", None)
    document["baseUrl"] = f"{root}/{document['servicePath']}"
    return build_from_document(document, http=_NO_HTTP, requestBuilder=_request)


def _request(  # noqa: PLR0917 - the library dictates this signature
    _http: object,
    _postproc: object,
    uri: str,
    method: str = "GET",
    body: str | bytes | None = None,
    headers: dict[str, str] | None = None,
    methodId: str | None = None,  # noqa: N803 - the library passes it by this name
    resumable: object = None,
) -> ApiRequest:
    if resumable is not None:
        raise TypeError("resumable uploads are not built from requests")
    return ApiRequest(
        method=method,
        uri=uri,
        method_id=methodId or "unknown",
        headers={
            name: value
            for name, value in (headers or {}).items()
            if name.lower() not in _OWN_HEADERS
        },
        body=body.encode() if isinstance(body, str) else body,
    )
