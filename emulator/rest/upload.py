"""Media uploads: simple, multipart and resumable.

Source: https://developers.google.com/workspace/gmail/api/guides/uploads
"""

import re
from dataclasses import dataclass, field
from email import policy
from email.message import Message
from email.parser import BytesParser
from fnmatch import fnmatchcase

from emulator.errors import ApiError, invalid_argument
from emulator.rest import jsontext
from emulator.rest.call import Answer, RestRequest
from emulator.rest.methods import Method
from emulator.rest.sessions import Sessions

_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)")
_RESUME_INCOMPLETE = 308
_FIRST_FAILURE = 300
_CANCELLED = 499


@dataclass(slots=True)
class UploadSession:
    """A resumable upload that has begun; `answer` is what its completion brought."""

    request: RestRequest
    method: Method
    received: bytearray = field(default_factory=bytearray)
    answer: Answer | None = None

    def complete(self, answer: Answer) -> Answer:
        """Keep a success, so that a client that missed it is told again; return the answer."""
        if answer.status < _FIRST_FAILURE:
            self.answer = answer
            self.received.clear()
        return answer


Uploads = Sessions[UploadSession]


def begin(sessions: Uploads, request: RestRequest, method: Method) -> Answer:
    """Return the answer that tells the client where to send the bytes.

    Raises:
        ApiError: 413, 400; the client announces more, or something else, than the method takes.
    """
    announced = request.headers.get("X-Upload-Content-Length", "")
    if announced.isascii() and announced.isdigit():
        check_size(method, int(announced[:18]))
    check_type(method, request.headers.get("X-Upload-Content-Type", ""))
    upload_id = sessions.add(UploadSession(request, method))
    address = f"{request.origin}{request.path}?uploadType=resumable&upload_id={upload_id}"
    return Answer(200, b"", {"Location": address, "X-GUploader-UploadID": upload_id})


def find(sessions: Uploads, upload_id: str) -> UploadSession:
    """Return the session, or raise the 404 that makes a client start again."""
    session = sessions.find(upload_id)
    if session is None:
        raise ApiError(404, "Not Found", "notFound")
    return session


def cancel(sessions: Uploads, upload_id: str) -> Answer:
    """Forget a session, and everything that was received."""
    sessions.drop(upload_id)
    return Answer(_CANCELLED)


def receive(session: UploadSession, request: RestRequest) -> Answer | None:
    """Take one chunk; return the 308 answer, or None when the file is complete.

    Raises:
        ApiError: 400; the range has no form, or does not follow what is there.
    """
    text = request.headers.get("Content-Range")
    if text is None:
        session.received = bytearray(request.body)
        return None
    match = _CONTENT_RANGE.fullmatch(text)
    if match is None:
        raise invalid_argument("Failed to parse Content-Range header.")
    if match[1] is not None:
        start, end = int(match[1]), int(match[2])
        if start > len(session.received) or end - start + 1 != len(request.body):
            raise invalid_argument("Invalid request. The number of bytes does not match the range.")
        del session.received[start:]
        session.received += request.body
    if match[3] != "*" and len(session.received) >= int(match[3]):
        return None
    have = len(session.received)
    headers = {"Range": f"bytes=0-{have - 1}"} if have else {}
    return Answer(_RESUME_INCOMPLETE, b"", headers)


def split_related(content_type: str, body: bytes) -> tuple[bytes, bytes, str]:
    """Return the JSON, the media and the media's type of a multipart/related upload.

    Raises:
        ApiError: 400; it does not have exactly those two parts.
    """
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parsed = BytesParser(policy=policy.compat32).parsebytes(head + body)
    parts = parsed.get_payload()
    if not isinstance(parts, list) or len(parts) != len(("metadata", "media")):
        raise invalid_argument("A multipart upload has one JSON part and one media part.")
    first, second = parts
    if not isinstance(first, Message) or not isinstance(second, Message):
        raise invalid_argument("A multipart upload has one JSON part and one media part.")
    media_type = str(second.get("Content-Type", ""))
    return _content(first), _media(second, content_type, body), media_type


def check_size(method: Method, size: int) -> None:
    """Raise 413 when a file of `size` bytes is larger than the method takes."""
    most = int((method.upload or {}).get("maxSize", 0))
    if most and size > most:
        raise ApiError(413, "Request Too Large", "uploadTooLarge", status="INVALID_ARGUMENT")


def check_type(method: Method, content_type: str) -> None:
    """Raise 400 when the method does not take files of that type; none given is let through."""
    accepted = (method.upload or {}).get("accept", ())
    given = content_type.partition(";")[0].strip().lower()
    if given and not any(fnmatchcase(given, pattern) for pattern in accepted):
        message = f"Media type '{given}' is not supported. Valid media types: {list(accepted)}"
        raise ApiError(400, message, "badContent")


def decoded_metadata(raw: bytes) -> bytes:
    """Return the JSON metadata of an upload, `{}` when there is none."""
    try:
        jsontext.loads(raw or b"{}")
    except ValueError as exc:
        raise ApiError(400, "Parse Error", "parseError") from exc
    return raw or b"{}"


def _content(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _media(part: Message, content_type: str, body: bytes) -> bytes:
    """Return the media part's bytes as they came: the parser would read a message inside it."""
    outer = Message()
    outer["Content-Type"] = content_type
    boundary = b"--" + str(outer.get_boundary() or "").encode()
    last = body.split(boundary)[2]
    text = re.split(rb"\r?\n\r?\n", last, maxsplit=1)[-1]
    text = re.sub(rb"\r?\n\Z", b"", text)
    if str(part.get("Content-Transfer-Encoding", "")).lower() != "base64":
        return text
    holder = Message()
    holder["Content-Transfer-Encoding"] = "base64"
    holder.set_payload(text.decode("ascii", "replace"))
    return _content(holder)
