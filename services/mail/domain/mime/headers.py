"""Headers: encoded words, people, ids and file names, as far as they can be made out.

Source: https://www.rfc-editor.org/rfc/rfc5322#section-3.6 and RFC 2047, 2183, 2231
"""

import binascii
import re
from email import policy
from email.message import Message
from email.parser import BytesHeaderParser
from email.utils import collapse_rfc2231_value, getaddresses, unquote
from functools import lru_cache
from typing import Any

from services.mail.domain.message import Person
from services.mail.domain.mime.bounds import (
    LONGEST_ADDRESS,
    LONGEST_FILENAME,
    LONGEST_HEADER,
    LONGEST_NAME,
    MOST_PEOPLE,
)
from services.mail.domain.mime.charsets import decode_text
from services.mail.domain.mime.text import UNPRINTABLE, one_line

MOST_FIELDS = 20
"""Fields of one name that are read."""
LONGEST_PARAMETERS = 20_000
SHORT = 200
"""Characters of what is remembered once it is read: the same types and people come again."""
REMEMBERED = 1_024
ENCODED_WORD = re.compile(r"=\?([!-<>@-~]+?)(?:\*[^?\s]*)?\?([BbQq])\?([^?\s]*)\?=")
BETWEEN_WORDS = re.compile(r"(\?=)\s+(=\?)")
FOLD = re.compile(r"\r?\n[ \t]?|\r")
MESSAGE_ID = re.compile(r"<[^<>\s]{1,996}>")
PATH = re.compile(r"^.*[\\/](?=[^\\/])", re.DOTALL)

BROKEN = (ValueError, LookupError, TypeError, AttributeError, IndexError)


class Headed(Message):
    """A message that finds its fields by name; they are complete when they are asked for."""

    _fields: dict[str, list[str]] | None = None

    def values_of(self, name: str) -> list[str]:
        """Return the raw values of the fields of a name, which is in small letters."""
        if self._fields is None:
            self._fields = {}
            for key, value in self.raw_items():
                self._fields.setdefault(key.lower(), []).append(str(value))
        return self._fields.get(name, [])


def decode_words(text: str) -> str:
    """Return header text with its encoded words decoded.

    Neighbouring words of one charset are joined before decoding: some senders split a
    character between two.

    Source: https://www.rfc-editor.org/rfc/rfc2047
    """
    if "=?" not in text:
        return text
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
    octets = data.encode("utf-8", "surrogateescape")
    if encoding in "Bb":
        try:
            return binascii.a2b_base64(octets + b"=" * (-len(octets) % 4))
        except binascii.Error:
            return octets
    return binascii.a2b_qp(octets, header=True)


def raw_fields(message: "Message[Any, Any]", name: str) -> list[str]:
    """Return the values of the fields of that name, unfolded; octets beyond ASCII are guessed."""
    wanted = name.lower()
    if isinstance(message, Headed):
        return [_unfolded(value) for value in message.values_of(wanted)[:MOST_FIELDS]]
    found = [str(value) for key, value in message.raw_items() if key.lower() == wanted]
    return [_unfolded(value) for value in found[:MOST_FIELDS]]


def _first_field(message: "Message[Any, Any]", name: str) -> str | None:
    """Return the first of `raw_fields`; None: there is none."""
    if not isinstance(message, Headed):
        return next(iter(raw_fields(message, name)), None)
    values = message.values_of(name.lower())
    return _unfolded(values[0]) if values else None


def _unfolded(value: str) -> str:
    value = value[:LONGEST_HEADER]
    if not value.isascii():
        try:
            value = decode_text(value.encode("ascii", "surrogateescape"), None)
        except UnicodeEncodeError:  # it is text already
            value = value.encode("utf-8", "replace").decode()
    return FOLD.sub(" ", value) if "\n" in value or "\r" in value else value


def field(message: "Message[Any, Any]", name: str) -> str:
    """Return the first field of that name as it is shown; empty: there is none."""
    found = _first_field(message, name)
    return "" if found is None else one_line(decode_words(found))


def people(message: "Message[Any, Any]", name: str) -> tuple[Person, ...]:
    """Return who the fields of that name mention; groups are resolved, comments are names."""
    fields = raw_fields(message, name)
    if not fields:
        return ()
    is_short = len(fields) == 1 and len(fields[0]) <= SHORT
    return _known_people(fields[0]) if is_short else _people(fields)


@lru_cache(maxsize=REMEMBERED)
def _known_people(value: str) -> tuple[Person, ...]:
    return _people([value])


def _people(fields: list[str]) -> tuple[Person, ...]:
    try:
        pairs = getaddresses(fields)
    except RecursionError:  # comments within comments, thousands deep
        return ()
    found = (_person(*pair) for pair in pairs)
    return tuple(person for person in found if person is not None)[:MOST_PEOPLE]


def _person(name: str, address: str) -> Person | None:
    address = UNPRINTABLE.sub("", decode_words(address)).strip()
    if "@" not in address or " " in address or len(address) > LONGEST_ADDRESS:
        return None
    shown = one_line(decode_words(name))[:LONGEST_NAME]
    return Person(address=address, name=shown or None)


def ids(message: "Message[Any, Any]", name: str) -> list[str]:
    """Return the message ids that the first field of that name holds."""
    return MESSAGE_ID.findall(field(message, name))


def param(message: "Message[Any, Any]", name: str, header: str = "content-type") -> str | None:
    """Return a parameter with its continuations joined and its charset undone.

    Source: https://www.rfc-editor.org/rfc/rfc2231
    """
    found = _first_field(message, header)
    if found is None or len(found) > LONGEST_PARAMETERS:
        return None
    read = _known_param if len(found) <= SHORT else _param
    return read(found, name, header)


def _param(field: str, name: str, header: str) -> str | None:
    holder: Message[str, str] = Message(policy=policy.compat32)
    holder.set_raw(header, field)
    try:
        value = holder.get_param(name, None, header)
        if value is None:
            return None
        if isinstance(value, tuple):
            return _collapsed(value)
        return unquote(str(value))
    except BROKEN:  # the library stumbles over broken continuations
        return None


_known_param = lru_cache(maxsize=REMEMBERED)(_param)


def _collapsed(value: tuple[str | None, str | None, str]) -> str:
    charset, _, text = value
    try:
        return decode_text(text.encode("latin-1"), charset)
    except UnicodeEncodeError:
        return collapse_rfc2231_value(value)


def filename(message: "Message[Any, Any]") -> str | None:
    """Return the name a part is to be saved under, without any folders."""
    value = param(message, "filename", "content-disposition") or param(message, "name")
    if not value:
        return None
    text = PATH.sub("", one_line(decode_words(value)))
    return text[:LONGEST_FILENAME] or None


def of_fields(fields: list[tuple[str, str]]) -> Headed:
    """Return a message that has nothing but these headers (name, value)."""
    message = Headed(policy=policy.compat32)
    for name, value in fields:
        message[name] = UNPRINTABLE.sub(" ", value)
    return message


def parse_head(octets: bytes) -> "Message[str, str]":
    """Return a message with the headers that `octets` begin with."""
    return BytesHeaderParser(policy=policy.compat32).parsebytes(octets)
