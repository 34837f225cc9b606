"""The batch endpoint: many calls in one multipart/mixed request.

Sources: https://developers.google.com/workspace/gmail/api/guides/batch and
https://developers.google.com/workspace/calendar/api/guides/batch
"""

import http.client
import secrets
from collections.abc import Callable
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser, BytesParser
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from multidict import CIMultiDict, MultiDict
from yarl import URL

from emulator.errors import ApiError, invalid_argument
from emulator.rest.call import Answer, RestRequest

MOST_CALLS: Final = 100
MOST_CALENDAR_CALLS: Final = 50
_CALENDAR_PATH: Final = "/batch/calendar/"
_NEWLINE: Final = b"\r\n"


def handle(request: RestRequest, run: Callable[[RestRequest], Answer]) -> Answer:
    """Return the multipart answer with the parts in the order of the request."""
    try:
        parts = _parts(request)
    except ApiError as exc:
        return Answer.error(exc)
    boundary = f"batch_{secrets.token_urlsafe(24)}"
    lines = []
    for part in parts:
        lines += [b"--" + boundary.encode(), *_answer_part(part, _inner(part, request, run))]
    lines += [b"--" + boundary.encode() + b"--", b""]
    headers = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    return Answer(HTTPStatus.OK, _NEWLINE.join(lines), headers)


def _parts(request: RestRequest) -> list[Message]:
    # Clients end lines with a bare LF, which strict multipart readers refuse.
    head = f"Content-Type: {request.headers.get('Content-Type', '')}\r\n\r\n".encode()
    parsed = BytesParser(policy=policy.compat32).parsebytes(head + request.body)
    parts = parsed.get_payload()
    if parsed.get_content_type() != "multipart/mixed" or not isinstance(parts, list):
        raise invalid_argument("Failed to parse batch request, error: no multipart/mixed body.")
    most = MOST_CALENDAR_CALLS if request.path.startswith(_CALENDAR_PATH) else MOST_CALLS
    if len(parts) > most:
        raise invalid_argument(f"The batch request holds more than {most} calls.")
    return [part for part in parts if isinstance(part, Message)]


def _inner(part: Message, outer: RestRequest, run: Callable[[RestRequest], Answer]) -> Answer:
    try:
        return run(_request(part, outer))
    except ApiError as exc:
        return Answer.error(exc)


def _request(part: Message, outer: RestRequest) -> RestRequest:
    content = part.get_payload(decode=True)
    text = content if isinstance(content, bytes) else b""
    first, _, rest = text.lstrip().partition(b"\n")
    words = first.decode("latin-1").split()
    target = _target(words)
    head, _, body = rest.replace(b"\r\n", b"\n").partition(b"\n\n")
    if rest.startswith((b"\n", b"\r\n")):
        head, body = b"", rest.lstrip(b"\r\n")
    headers = _headers(outer, BytesHeaderParser(policy=policy.compat32).parsebytes(head + b"\n\n"))
    # The path stays as it was sent; only the query is decoded.
    query: MultiDict[str] = MultiDict(target.query)
    query.extend({k: v for k, v in outer.query.items() if k == "access_token"})
    verb = headers.get("x-http-method-override", words[0]).upper()
    return RestRequest(verb, target.raw_path, query, headers, body.strip())


def _target(words: list[str]) -> URL:
    """Return the path and query of a request line; a whole address is not allowed there."""
    try:
        if not urlsplit(words[1]).netloc:
            return URL(words[1], encoded=True)
    except (IndexError, ValueError):
        pass
    raise invalid_argument("Failed to parse batch request, error: a part needs verb and path.")


def _headers(outer: RestRequest, inner: Message) -> CIMultiDict[str]:
    merged: CIMultiDict[str] = CIMultiDict(
        (name, value)
        for name, value in outer.headers.items()
        if not name.lower().startswith("content-")
    )
    for name, value in inner.items():
        merged[name] = str(value)
    return merged


def _answer_part(part: Message, answer: Answer) -> list[bytes]:
    lines = [b"Content-Type: application/http"]
    content_id = str(part.get("Content-ID", "")).strip()
    if content_id:
        lines.append(f"Content-ID: <response-{content_id.strip('<>')}>".encode())
    lines += [
        b"",
        f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}".encode(),
    ]
    lines += [f"{name}: {value}".encode() for name, value in answer.headers.items()]
    lines += [f"Content-Length: {len(answer.body)}".encode(), b"", answer.body]
    return lines
