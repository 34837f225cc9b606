"""RFC 5322 bytes as Gmail shows them: headers, a part tree, a snippet, search text.

Source: https://developers.google.com/workspace/gmail/api/reference/rest/v1/users.messages#MessagePart
"""

import base64
import html
import re
import secrets
from collections.abc import Collection, Iterator
from email import policy
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesParser
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

Json = dict[str, Any]

SNIPPET_CHARS = 200
_PARSER = BytesParser(policy=policy.compat32)
_TAG = re.compile(r"(?s)<(script|style)\b.*?</\1\s*>|<[^>]*>")
_SPACE = re.compile(r"\s+")
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_ATTACHMENT_PREFIX = "ANGjdJ"


def parse(raw: bytes) -> Message:
    """Return the parsed message; anything at all parses to something."""
    return _PARSER.parsebytes(raw)


def parse_head(raw: bytes) -> Message:
    """Return the message without what is behind its headers, which takes the time."""
    match = _HEAD_END.search(raw)
    return parse(raw[: match.end()] if match else raw)


def encode(data: bytes) -> str:
    """Return base64url as Gmail writes it, with padding."""
    return base64.urlsafe_b64encode(data).decode()


def decode(text: str) -> bytes:
    """Return the bytes of base64 in either alphabet, padded or not.

    Raises:
        ValueError: it is not base64.
    """
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def header(message: Message, name: str) -> str:
    """Return the first header of that name, decoded; empty when there is none."""
    return next((v for n, v in _headers(message) if n.lower() == name.lower()), "")


def addresses(message: Message, *names: str) -> list[str]:
    """Return the lower-case addresses of those headers, in order."""
    values = [value for n, value in _headers(message) if n.lower() in names]
    return [address.lower() for _, address in getaddresses(values) if address]


def date_ms(message: Message) -> int | None:
    """Return the Date header in milliseconds since 1970, or None when it is not readable."""
    try:
        return int(parsedate_to_datetime(header(message, "date")).timestamp() * 1000)
    except (ValueError, TypeError, OverflowError):
        return None


def text(message: Message) -> str:
    """Return the readable text: the first text/plain part, else the first text/html one."""
    for wanted in ("text/plain", "text/html"):
        for part in message.walk():
            if part.get_content_type() == wanted and not part.get_filename():
                body = _utf8(part).decode("utf-8", "replace")
                return html.unescape(_TAG.sub(" ", body)) if wanted == "text/html" else body
    return ""


def snippet(message: Message) -> str:
    """Return the start of the text on one line, escaped as Gmail escapes it."""
    plain = _SPACE.sub(" ", text(message)).strip()
    return html.escape(plain[:SNIPPET_CHARS], quote=True)


def payload(message: Message) -> Json:
    """Return the whole part tree."""
    return _part(message, "")


def metadata(message: Message, names: Collection[str]) -> Json:
    """Return the top headers only; `names` limits them, empty means all."""
    wanted = {name.lower() for name in names}
    kept = [
        {"name": name, "value": value}
        for name, value in _headers(message)
        if not wanted or name.lower() in wanted
    ]
    result: Json = {"mimeType": message.get_content_type()}
    return {**result, "headers": kept} if kept else result


def attachment(message: Message, attachment_id: str) -> bytes | None:
    """Return the decoded bytes behind an attachment id, or None when there is no such part."""
    if not attachment_id.startswith(_ATTACHMENT_PREFIX):
        return None
    part_id = attachment_id.removeprefix(_ATTACHMENT_PREFIX).partition("-")[0].replace("_", ".")
    found = next((part for name, part in _walk(message, "") if name == part_id), None)
    return None if found is None else _content(found)


def _headers(message: Message) -> Iterator[tuple[str, str]]:
    for name, value in message.items():
        unfolded = re.sub(r"\r?\n(?=[ \t])", "", str(value))
        yield name, _readable(unfolded)


def _readable(value: str) -> str:
    try:
        decoded = str(make_header(decode_header(value)))
    except (HeaderParseError, UnicodeError, LookupError, ValueError):
        decoded = value
    # Bytes that were no ASCII arrive as surrogates: they are UTF-8 or nothing.
    return decoded.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _children(part: Message) -> list[Message]:
    content = part.get_payload()
    return [p for p in content if isinstance(p, Message)] if isinstance(content, list) else []


def _walk(part: Message, part_id: str) -> Iterator[tuple[str, Message]]:
    yield part_id, part
    for index, child in enumerate(_children(part)):
        yield from _walk(child, f"{part_id}.{index}" if part_id else str(index))


def _part(part: Message, part_id: str) -> Json:
    filename = _readable(part.get_filename() or "")
    result: Json = {
        "partId": part_id,
        "mimeType": part.get_content_type(),
        "filename": filename,
        "headers": [{"name": name, "value": value} for name, value in _headers(part)],
        "body": _body(part, part_id, filename),
    }
    children = _children(part)
    if children:
        result["parts"] = [
            _part(child, f"{part_id}.{index}" if part_id else str(index))
            for index, child in enumerate(children)
        ]
    return result


def _body(part: Message, part_id: str, filename: str) -> Json:
    if part.is_multipart() and part.get_content_type() != "message/rfc822":
        return {"size": 0}
    is_text = part.get_content_maintype() == "text"
    if filename or not is_text:
        # The id of one part differs from answer to answer at Google, too.
        name = f"{_ATTACHMENT_PREFIX}{part_id.replace('.', '_')}-{secrets.token_urlsafe(40)}"
        return {"attachmentId": name, "size": len(_content(part))}
    data = _utf8(part)
    return {"size": len(data), "data": encode(data)} if data else {"size": 0}


def _content(part: Message) -> bytes:
    if part.is_multipart():
        return b"".join(child.as_bytes() for child in _children(part))
    content = part.get_payload(decode=True)
    return content if isinstance(content, bytes) else b""


def _utf8(part: Message) -> bytes:
    """Return a text body as Gmail serves it: UTF-8, whatever the part's charset says."""
    data = _content(part)
    charset = part.get_content_charset("utf-8")
    try:
        return data.decode(charset).encode("utf-8", "replace")
    except (LookupError, UnicodeError):
        return data.decode("utf-8", "replace").encode()
