"""Requests described by Google's discovery documents, built without sending anything.

Building a resource makes all of its methods anew (a millisecond), using one does not (20 µs).
So the leaves are built once and shared by every account: they hold no token.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any
from urllib.parse import quote

import orjson
from googleapiclient.discovery import build_from_document
from googleapiclient.discovery_cache import get_static_doc
from googleapiclient.http import MediaInMemoryUpload

from libs.common.google.roots import GoogleRoots

_PLACEHOLDER = "PLACEHOLDER0"
_NO_HTTP = object()  # None would make the library look for credentials of its own
_OWN_HEADERS = frozenset({"accept-encoding", "content-length", "user-agent", "x-goog-api-client"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """Content that goes up in a stream: it is never in memory as a whole."""

    content_type: str
    size: int
    """Bytes; exactly so many."""
    open: Callable[[], AsyncIterator[bytes]] = field(repr=False)
    """Begins the content; called anew for every attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """One call of one API method, not yet anybody's: the token is added when it is sent."""

    method: str
    uri: str = field(repr=False)  # may name a mailbox
    method_id: str  # such as gmail.users.messages.get; a metric label
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    body: bytes | None = field(default=None, repr=False)
    stream: Media | None = field(default=None, repr=False)
    """Instead of a body."""


class Upload:
    """An upload of media with its metadata, in one request (`uploadType=multipart`).

    The library would build the whole body in memory; here only the address is its work.

    Args:
        method: of a resource, such as `drafts.create`.
        fixed: its parameters.

    Source: https://developers.google.com/workspace/gmail/api/guides/uploads#multipart
    """

    def __init__(self, method: Callable[..., ApiRequest], **fixed: Any) -> None:
        placeholder = MediaInMemoryUpload(b"x", mimetype="message/rfc822")
        made = method(**fixed, body={}, media_body=placeholder)
        self._request = replace(made, body=None, headers={})

    def of(self, metadata: Mapping[str, Any], media: Media) -> ApiRequest:
        """Return the request that sends `media` described by `metadata` (JSON)."""
        boundary = f"causeway-{secrets.token_hex(16)}"
        head = (
            f"--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n".encode()
            + orjson.dumps(metadata)
            + f"\r\n--{boundary}\r\nContent-Type: {media.content_type}\r\n\r\n".encode()
        )
        tail = f"\r\n--{boundary}--\r\n".encode()

        async def whole() -> AsyncIterator[bytes]:
            yield head
            async for chunk in media.open():
                yield chunk
            yield tail

        stream = Media(
            content_type=f"multipart/related; boundary={boundary}",
            size=len(head) + media.size + len(tail),
            open=whole,
        )
        return replace(self._request, stream=stream)


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
    send_as: Any


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
        send_as=users.settings().sendAs(),
    )


@dataclass(frozen=True, slots=True)
class CalendarResources:
    """The parts of Calendar's API, as those of `GmailResources`."""

    calendar_list: Any
    events: Any
    channels: Any
    freebusy: Any


@lru_cache(maxsize=8)
def calendar(roots: GoogleRoots) -> CalendarResources:
    """Return Calendar's resources at `roots.calendar`; the same object for the same roots.

    Source: https://developers.google.com/workspace/calendar/api/v3/reference
    """
    service = _service("calendar", "v3", roots.calendar)
    return CalendarResources(
        calendar_list=service.calendarList(),
        events=service.events(),
        channels=service.channels(),
        freebusy=service.freebusy(),
    )


@dataclass(frozen=True, slots=True)
class PeopleResources:
    """The parts of the People API, as those of `GmailResources`."""

    people: Any
    connections: Any
    groups: Any
    members: Any


@lru_cache(maxsize=8)
def people(roots: GoogleRoots) -> PeopleResources:
    """Return the People API's resources at `roots.people`; the same object for the same roots.

    Source: https://developers.google.com/people/api/rest
    """
    service = _service("people", "v1", roots.people)
    return PeopleResources(
        people=service.people(),
        connections=service.people().connections(),
        groups=service.contactGroups(),
        members=service.contactGroups().members(),
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
