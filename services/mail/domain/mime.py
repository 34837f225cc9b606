"""MIME, read with Python's email library and made clean: the only module that touches raw mail.

Real mail breaks every rule there is, so nothing here trusts a header: charsets are guessed when
they lie, NUL and lone surrogates go, long values are cut, and what is odd is left out rather
than refused. What still raises is for the caller to put aside.
"""

import binascii
import html
import re
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from email.message import Message as Part
from email.utils import collapse_rfc2231_value, getaddresses, unquote
from typing import Any

from services.mail.domain.message import Attachment, Content, Person

LONGEST_HEADER = 100_000
LONGEST_SUBJECT = 2_000
LONGEST_NAME = 200
LONGEST_ADDRESS = 320
LONGEST_ID = 998
LONGEST_FILENAME = 500
LONGEST_TEXT = 200_000
LONGEST_HTML = 500_000
MOST_PEOPLE = 1_000
MOST_REFERENCES = 100
MOST_ATTACHMENTS = 500
MOST_PARTS = 2_000
DEEPEST = 60

ENCODED_WORD = re.compile(r"=\?([!-<>@-~]+?)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=")
BETWEEN_WORDS = re.compile(r"(\?=)\s+(=\?)")
MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")


def parse(raw: bytes) -> Content:
    """Return what the RFC 5322 message `raw` says.

    Raises:
        Exception: of whatever kind the email library stumbles over; such a message is put
            aside, its neighbours are not.
    Source: https://www.rfc-editor.org/rfc/rfc5322 and RFC 2045-2049, 2183, 2231
    """
    message = message_from_bytes(raw, policy=policy.compat32)
    texts, attachments = _walk(message)
    return Content(
        sender=next(iter(_people(message, "From")), None),
        to=_people(message, "To"),
        cc=_people(message, "Cc"),
        bcc=_people(message, "Bcc"),
        subject=_header(message, "Subject")[:LONGEST_SUBJECT],
        rfc822_message_id=_id(message, "Message-ID"),
        in_reply_to=next(iter(_ids(message, "In-Reply-To")), None),
        references=tuple(_ids(message, "References"))[-MOST_REFERENCES:],
        text="\n\n".join(texts)[:LONGEST_TEXT].strip(),
        attachments=tuple(attachments[:MOST_ATTACHMENTS]),
    )


def parse_people(headers: Iterable[tuple[str, str]]) -> Content:
    """Return a content with nothing but the people that `headers` (name, value) mention."""
    message = Part(policy=policy.compat32)
    for name, value in headers:
        message[name] = UNPRINTABLE.sub(" ", value)
    return Content(
        sender=next(iter(_people(message, "From")), None),
        to=_people(message, "To"),
        cc=_people(message, "Cc"),
        bcc=_people(message, "Bcc"),
    )


def clean(text: str, longest: int) -> str:
    """Return `text` as Postgres can hold it, at most `longest` characters."""
    return UNSTORABLE.sub("", text[: longest * 2])[:longest]


def decode_words(text: str) -> str:
    """Return header text with its encoded words decoded.

    Neighbouring words of one charset are joined before decoding: some senders split a
    character between two.

    Source: https://www.rfc-editor.org/rfc/rfc2047
    """
    pieces: list[tuple[str, bytes] | str] = []
    joined = BETWEEN_WORDS.sub(r"\1\2", text)
    end = 0
    for word in ENCODED_WORD.finditer(joined):
        charset, data = word[1].lower(), _word_bytes(word[2], word[3])
        last = pieces[-1] if pieces and word.start() == end else None
        if isinstance(last, tuple) and last[0] == charset:
            pieces[-1] = (charset, last[1] + data)
        else:
            pieces += [joined[end : word.start()], (charset, data)]
        end = word.end()
    pieces.append(joined[end:])
    return "".join(
        piece if isinstance(piece, str) else decode_text(piece[1], piece[0]) for piece in pieces
    )


def _word_bytes(encoding: str, data: str) -> bytes:
    if encoding in "Bb":
        try:
            return binascii.a2b_base64(data + "=" * (-len(data) % 4))
        except binascii.Error:
            return data.encode()
    return binascii.a2b_qp(data.encode(), header=True)


def decode_text(data: bytes, charset: str | None) -> str:
    """Return `data` as text: by its charset if that is true, else as UTF-8, else as Windows'."""
    for name in (charset, "utf-8"):
        if name is None:
            continue
        try:
            return data.decode(name)
        except (LookupError, ValueError, TypeError):  # unknown, untrue, or no text encoding
            continue
    return data.decode("cp1252", errors="replace")


def _raw_header(message: "Part[Any, Any]", name: str) -> str:
    """Return the first header of that name, unfolded; bytes beyond ASCII are guessed."""
    wanted = name.lower()
    for key, value in message.raw_items():
        if key.lower() == wanted:
            octets = str(value).encode("ascii", "surrogateescape") if _is_escaped(value) else None
            text = str(value) if octets is None else decode_text(octets, None)
            return re.sub(r"\r?\n[ \t]?", " ", text[:LONGEST_HEADER])
    return ""


def _is_escaped(value: object) -> bool:
    try:
        str(value).encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _header(message: "Part[Any, Any]", name: str) -> str:
    return UNPRINTABLE.sub(" ", decode_words(_raw_header(message, name))).strip()


def _people(message: "Part[Any, Any]", name: str) -> tuple[Person, ...]:
    values = [
        _raw_header_value(value)
        for key, value in message.raw_items()
        if key.lower() == name.lower()
    ]
    found = (_person(*pair) for pair in getaddresses(values[:20]))
    return tuple(person for person in found if person is not None)[:MOST_PEOPLE]


def _raw_header_value(value: Any) -> str:
    holder = Part(policy=policy.compat32)
    holder.set_raw("X", value)
    return _raw_header(holder, "X")


def _person(name: str, address: str) -> Person | None:
    address = UNPRINTABLE.sub("", decode_words(address)).strip()
    if "@" not in address or " " in address or len(address) > LONGEST_ADDRESS:
        return None
    shown = UNPRINTABLE.sub(" ", decode_words(name)).strip()[:LONGEST_NAME]
    return Person(address=address, name=shown or None)


def _id(message: "Part[Any, Any]", name: str) -> str | None:
    return _header(message, name)[:LONGEST_ID] or None


def _ids(message: "Part[Any, Any]", name: str) -> list[str]:
    return MESSAGE_ID.findall(_header(message, name))


def _walk(message: "Part[Any, Any]") -> tuple[list[str], list[Attachment]]:
    """Return the texts to read, in order, and what is attached."""
    texts: list[str] = []
    attachments: list[Attachment] = []
    for path, part in _leaves(message):
        if _is_text(part):
            texts.append(_text(part))
        else:
            attachments.append(_attachment(path, part))
    return texts, attachments


def _leaves(message: "Part[Any, Any]") -> Iterator[tuple[str, "Part[Any, Any]"]]:
    """Yield path and part of every leaf; of alternatives only the one worth reading."""
    stack: list[tuple[str, Part[Any, Any]]] = [("1", message)]
    seen = 0
    while stack and seen < MOST_PARTS:
        path, part = stack.pop()
        seen += 1
        children = part.get_payload() if part.get_content_maintype() == "multipart" else None
        if not isinstance(children, list):
            yield path, part
        elif path.count(".") < DEEPEST:
            prefix = "" if part is message else f"{path}."
            numbered = [(f"{prefix}{n}", child) for n, child in enumerate(children, start=1)]
            if part.get_content_subtype() == "alternative":
                numbered = _best(numbered)
            stack.extend(reversed(numbered))


def _best(alternatives: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Keep the plain text of alternatives, else the last; calendars and the like stay attached."""
    plain = [item for item in alternatives if item[1].get_content_type() == "text/plain"]
    chosen = (plain or alternatives)[-1:]
    others = [
        item
        for item in alternatives
        if item not in chosen and item[1].get_content_maintype() not in ("text", "multipart")
    ]
    nested = [
        item
        for item in alternatives
        if plain and item not in chosen and item[1].get_content_type() == "multipart/related"
    ]
    return [*chosen, *others, *(kept for item in nested for kept in _attached_of(item))]


def _attached_of(item: tuple[str, Any]) -> list[tuple[str, Any]]:
    """Return what hangs on an HTML alternative that is not read: its pictures."""
    path, part = item
    children = part.get_payload()
    if not isinstance(children, list):
        return []
    numbered = [(f"{path}.{n}", child) for n, child in enumerate(children, start=1)]
    return [one for one in numbered if one[1].get_content_maintype() != "text"]


def _is_text(part: "Part[Any, Any]") -> bool:
    if part.get_content_type() not in ("text/plain", "text/html"):
        return False
    return part.get_content_disposition() != "attachment" and not part.get_filename()


def _bytes(part: "Part[Any, Any]") -> bytes:
    payload = part.get_payload(decode=True)
    return payload if isinstance(payload, bytes) else b""


def _text(part: "Part[Any, Any]") -> str:
    text = decode_text(_bytes(part), part.get_content_charset())
    if part.get_content_subtype() == "html":
        text = html_to_text(text[:LONGEST_HTML])
    return clean(text.replace("\r\n", "\n"), LONGEST_TEXT).strip()


def _attachment(path: str, part: "Part[Any, Any]") -> Attachment:
    content_id = MESSAGE_ID.search(_header(part, "Content-ID"))
    return Attachment(
        part=path,
        filename=_filename(part),
        content_type=clean(part.get_content_type(), LONGEST_ID),
        size=_size(part),
        inline=part.get_content_disposition() == "inline" or content_id is not None,
        content_id=content_id[0].strip("<>") if content_id else None,
    )


def _filename(part: "Part[Any, Any]") -> str | None:
    value = part.get_param("filename", None, "content-disposition") or part.get_param("name")
    if not value:
        return None
    text = collapse_rfc2231_value(value) if isinstance(value, tuple) else str(value)
    text = UNPRINTABLE.sub(" ", decode_words(unquote(text))).strip()
    return text[:LONGEST_FILENAME] or None


def _size(part: "Part[Any, Any]") -> int:
    if part.is_multipart():  # message/rfc822: a message within the message
        children: Any = part.get_payload()
        return sum(len(child.as_bytes()) for child in children)
    return len(_bytes(part))


BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
UNREAD = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "head", "title", "template")
}
"""What nobody reads, and how it ends."""
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")


def html_to_text(source: str) -> str:
    """Return the readable text of an HTML body: lines by block, no more.

    One pass, never back: the standard library's parser takes minutes over a megabyte of
    unclosed tags, and mail is what anybody may send.
    """
    text = unescape("".join(_readable(source)))
    lines = (re.sub(r"[^\S\n]+", " ", line).strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def unescape(text: str) -> str:
    """Return text with HTML's character references resolved."""
    try:
        return html.unescape(text)
    except ValueError:  # a reference of thousands of digits
        return text


def _readable(source: str) -> Iterator[str]:
    """Yield the pieces between tags, and a line break for every block."""
    unclosed = set[str]()
    at = 0
    while (start := source.find("<", at)) >= 0:
        yield re.sub(r"\s+", " ", source[at:start])
        tag = TAG.match(source, start)
        if tag is None and not source.startswith(("<!", "<?"), start):
            yield "<"
            at = start + 1
            continue
        at = _end_of_markup(source, start)
        if at < 0:
            return
        name = "" if tag is None else tag[1].lower()
        if name in BLOCKS:
            yield "\n"
        if name in UNREAD.keys() - unclosed and source[start + 1] != "/":
            end = UNREAD[name].search(source, at)
            if end is None:
                unclosed.add(name)
            else:
                at = end.start()
    yield re.sub(r"\s+", " ", source[at:])


def _end_of_markup(source: str, start: int) -> int:
    """Return where the tag or comment that begins at `start` is over; -1: nowhere."""
    mark = "-->" if source.startswith("<!--", start) else ">"
    end = source.find(mark, start + 1)
    return -1 if end < 0 else end + len(mark)
