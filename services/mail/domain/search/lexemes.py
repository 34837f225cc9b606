"""From text to what Postgres indexes: the same way for mail and for queries.

Postgres's own parser is not asked: it takes `either/or` for a file's name and finds neither word.

Source: https://www.postgresql.org/docs/current/datatype-textsearch.html
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from services.mail.domain.message import Person

LONGEST_TEXT = 100_000
"""Characters of the text, and of all recipients, that are indexed."""
LARGEST_VECTOR = 1_000_000
"""Bytes; a tsvector takes 1,048,575 of lexemes and positions."""
POSITION_BYTES = 8
"""At most, with count and alignment."""
LONGEST_SUBJECT = 2_000
LONGEST_WORD = 64
LONGEST_ADDRESS = 320
LAST_POSITION = 16_383
GAP = 2
"""Positions between two fields or people, so that no phrase spans both."""

CHUNK = re.compile(r"[^\s<>()\[\],;:\"'\\\x00-\x1f\x7f\ud800-\udfff]+")
"""Which may be an address: so without what Postgres cannot hold."""
WORD = re.compile(r"[^\W_]+")


class _Marks(dict[int, int | None]):
    """What becomes of a character, for `str.translate`: marks go, the others stay."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code))[0] == "M" else code
        self[code] = kept
        return kept


MARKS = _Marks()


def fold(text: str) -> str:
    """Return the form in which texts are compared: no marks, no case, no compatibility forms.

    Source: https://www.unicode.org/reports/tr15/ (NFKD)
    """
    if text.isascii():
        return text.lower()
    return _unmarked(_unmarked(text).casefold())


def _unmarked(text: str) -> str:
    return unicodedata.normalize("NFKD", text).translate(MARKS)


def placed(folded: str) -> Iterator[tuple[str, int]]:
    """Yield the words of a folded text with their positions, from 0 on.

    Addresses come as a whole too, where their first part stands.
    """
    position = 0
    for chunk in CHUNK.finditer(folded):
        if "@" in chunk[0] and (address := whole_address(chunk[0])) is not None:
            yield address, position
        for word in WORD.finditer(chunk[0]):
            yield word[0][:LONGEST_WORD], position
            position += 1


def whole_address(chunk: str) -> str | None:
    """Return the address that a folded text is as a whole; None when it is none."""
    if CHUNK.fullmatch(chunk) is None:
        return None
    address = chunk.rstrip(".!?")
    local, at, domain = address.partition("@")
    is_one = WORD.search(local) and WORD.search(domain) and "@" not in domain
    return address if at and is_one and len(address) <= LONGEST_ADDRESS else None


def words(folded: str) -> list[str]:
    """Return only the words, in their order."""
    return [word[0][:LONGEST_WORD] for word in WORD.finditer(folded)]


def quoted(lexeme: str) -> str:
    """Return a lexeme as tsvector and tsquery read it."""
    escaped = lexeme.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"


def vector(*, subject: str, sender: Person | None, recipients: Sequence[Person], text: str) -> str:
    """Return the tsvector, as text to be cast, by which a message is found.

    Weights: A subject, B sender, C recipients, D text (of which only the beginning).
    """
    pieces: list[str] = []
    start, left = 1, LARGEST_VECTOR
    people = _joined(recipients, LONGEST_TEXT)
    for weight, parts in (
        ("A", [_bounded(subject, LONGEST_SUBJECT)]),
        ("B", _joined([sender] if sender else [], LONGEST_SUBJECT)),
        ("C", people),
        ("D", [_bounded(text, LONGEST_TEXT)]),
    ):
        for part in parts:
            last = start
            for lexeme, position in placed(part):
                last = min(start + position, LAST_POSITION)
                left -= len(lexeme.encode()) + POSITION_BYTES
                if left < 0:
                    return " ".join(pieces)
                pieces.append(f"{quoted(lexeme)}:{last}{weight}")
            start = min(last + GAP, LAST_POSITION)
    return " ".join(pieces)


def _bounded(text: str, longest: int) -> str:
    return fold(text[:longest])[:longest]


def _joined(people: Iterable[Person], longest: int) -> list[str]:
    """Return a folded text per person, as many as fit."""
    found: list[str] = []
    left = longest
    for person in people:
        one = _bounded(f"{person.name or ''} {person.address}", LONGEST_SUBJECT)
        # An address is indexed twice: whole and by its parts.
        left -= 2 * len(one)
        if left < 0:
            break
        found.append(one)
    return found
