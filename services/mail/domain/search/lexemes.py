"""From text to what Postgres indexes: the same way for mail and for queries.

Postgres's own parser is not asked: it takes `either/or` for a file's name and finds neither word.

Source: https://www.postgresql.org/docs/current/datatype-textsearch.html
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

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
BETWEEN_WORDS = str.maketrans({chr(code): " " for code in range(128) if not chr(code).isalnum()})
"""What makes words of ASCII text in a fraction of the time; the same ones as `WORD`."""
BEYOND_ASCII = re.compile(r"[^\x00-\x7f]+")


class _Marks(dict[int, int | None]):
    """What becomes of a character, for `str.translate`: marks go, the others stay."""

    def __missing__(self, code: int) -> int | None:
        kept = None if unicodedata.category(chr(code))[0] == "M" else code
        self[code] = kept
        return kept


MARKS = _Marks()
FEW = 16
SHORT = 120
"""Characters of lines that are remembered: the same people come again."""
ENDS: dict[str, list[str]] = {weight: [] for weight in "ABCD"}
"""What stands between a lexeme and the next, by weight and position: made once, up to the highest
so far."""


def fold(text: str) -> str:
    """Return the form in which texts are compared: no marks, no case, no compatibility forms.

    Source: https://www.unicode.org/reports/tr15/ (NFKD)
    """
    if text.isascii():
        return text.lower()
    return _unmarked(_unmarked(text).casefold())


def _unmarked(text: str) -> str:
    text = unicodedata.normalize("NFKD", text)
    return text if text.isascii() else BEYOND_ASCII.sub(_without_marks, text)


def _without_marks(found: re.Match[str]) -> str:
    return found[0].translate(MARKS)


def placed(folded: str, position: int) -> Iterator[tuple[list[str], Iterable[int], int]]:
    """Yield the words of a folded text in runs: words, their positions, and the next position.

    Addresses come as a whole too, where their first part stands.
    """
    at = 0
    while (mark := folded.find("@", at)) >= 0:
        # No chunk goes beyond its line: most lines are words and nothing else.
        start = folded.rfind("\n", at, mark) + 1 or at
        end = folded.find("\n", mark)
        end = len(folded) if end < 0 else end
        if at < start:
            run = _words(folded[at:start], position)
            yield run
            position = run[2]
        run = _line(folded[start:end], position)
        yield run
        position, at = run[2], end
    if at < len(folded):
        yield _words(folded[at:], position)


def _words(folded: str, position: int) -> tuple[list[str], Iterable[int], int]:
    """Return the words of what holds no address."""
    found = words(folded)
    after = position + len(found)
    return found, range(position, after), after


def _line(folded: str, position: int) -> tuple[list[str], Iterable[int], int]:
    """Return the words of a line that may hold addresses."""
    read = _known_words if len(folded) <= SHORT else _words_and_addresses
    found, places, after = read(folded)
    return found, [place + position for place in places], after + position


def _words_and_addresses(folded: str) -> tuple[list[str], list[int], int]:
    found: list[str] = []
    places: list[int] = []
    position = 0
    for chunk in CHUNK.finditer(folded):
        if "@" in chunk[0] and (address := whole_address(chunk[0])) is not None:
            found.append(address)
            places.append(position)
        for word in words(chunk[0]):
            found.append(word)
            places.append(position)
            position += 1
    return found, places, position


_known_words = lru_cache(maxsize=1_024)(_words_and_addresses)


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
    is_ascii = folded.isascii()
    found: list[str] = folded.translate(BETWEEN_WORDS).split() if is_ascii else WORD.findall(folded)
    if max(map(len, found), default=0) > LONGEST_WORD:
        return [word[:LONGEST_WORD] for word in found]
    return found


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
            for lexemes, places, after in placed(part, start):
                taken, left = _fitting(lexemes, left)
                if taken:
                    last = min(after - 1, LAST_POSITION)
                if after > LAST_POSITION:
                    places = [min(one, LAST_POSITION) for one in places]  # noqa: PLW2901
                if taken:
                    pieces.append(_placed(lexemes[:taken], places, weight))
                if taken < len(lexemes):
                    return " ".join(pieces)
            start = min(last + GAP, LAST_POSITION)
    return " ".join(pieces)


def _fitting(lexemes: list[str], left: int) -> tuple[int, int]:
    """Return how many of the lexemes the vector has room for, and the room that is left."""
    size = POSITION_BYTES * len(lexemes) + len("".join(lexemes).encode())
    if size <= left:
        return len(lexemes), left - size
    for taken, lexeme in enumerate(lexemes):
        left -= len(lexeme.encode()) + POSITION_BYTES
        if left < 0:
            return taken, left
    return len(lexemes), left


def _placed(lexemes: list[str], places: Iterable[int], weight: str) -> str:
    """Return lexemes as a tsvector names them; none of them has anything to be escaped."""
    if isinstance(places, range) and len(places) > FEW:
        ends = ENDS[weight]
        ends += [f"':{place}{weight} '" for place in range(len(ends), places.stop)]
        pieces = [""] * (2 * len(lexemes))
        pieces[::2] = lexemes
        pieces[1::2] = ends[places.start : places.start + len(lexemes)]
        return "'" + "".join(pieces)[:-2]
    return " ".join(
        f"'{lexeme}':{place}{weight}" for lexeme, place in zip(lexemes, places, strict=False)
    )


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
