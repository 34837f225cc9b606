"""Where the latest reply ends: what it answers, signatures and disclaimers, in many languages.

The patterns are the library's: it knows how mail programs of a dozen languages introduce what they
quote. They are dear, and all of them begin with a line. So lines are looked at first: only the
languages that a line may be of are tried, and only from that line on. What the library would find
is found; a test holds both against each other.
"""

from functools import lru_cache
from typing import NamedTuple

from mailparser_reply import (  # type: ignore[import-untyped]  # it ships no types
    EmailReplyParser,
)
from mailparser_reply.parser import EmailMessage  # type: ignore[import-untyped]  # nor here

from services.mail.domain.mime.reply_signs import DASHES, DATED, HEADERS, SIGNATURES

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "sv", "da", "cs", "ja", "ko", "zh")
_WHOLE = EmailReplyParser(languages=[*LANGUAGES])
ODD = "\u0131\u017f\u0130"
"""Letters that patterns take for an i or an s, and lower case does not."""
RULES = tuple(dash * 32 for dash in DASHES)


class Reply(NamedTuple):
    """The latest reply of a text."""

    body: str
    is_all: bool
    """Nothing is quoted and there is no signature: what follows the text belongs to it too."""


class _Message(EmailMessage):  # type: ignore[misc]  # the library is untyped
    """The library's message, for its patterns alone."""

    def _normalize_text(self) -> None:
        """Leave the text: outlines have their lines stripped."""


class _Patterns:
    """The library's patterns for some languages."""

    def __init__(self, languages: tuple[str, ...]) -> None:
        message = _Message("", [*languages])
        self.header = message.HEADER_REGEX
        self.signature = message.SIGNATURE_REGEX
        self.disclaimer = message.DISCLAIMERS_REGEX


@lru_cache(maxsize=256)
def _patterns(languages: tuple[str, ...]) -> _Patterns:
    return _Patterns(languages)


def _of(languages: set[str]) -> _Patterns:
    """Return the patterns of these languages, and of English in any case."""
    return _patterns(tuple(one for one in LANGUAGES if one in languages or one == "en"))


def latest_reply(outline: list[str]) -> Reply | None:
    """Return the first reply of a text given in stripped lines; None: there is none."""
    text = "\n".join(outline)
    low = text.lower()
    if _is_odd(text, low):
        return _by_library(text)
    numbers = {language for language, needs in DATED.items() if needs in low}
    languages, start = HEADERS.look(low, numbers)
    end = len(text)
    if languages:
        found = _of(languages).header.search(text, max(0, start - 1))
        if found is not None:
            header = next((group for group in found.groups() if group), "")
            end = text.find(header) if header else end
            if not text[:end].strip():
                return _by_library(text)
    return _without_ending(text[:end], low[:end], quotes=end < len(text))


def _is_odd(text: str, low: str) -> bool:
    """Say whether lines in lower case do not tell, or the library would take a rule out."""
    if not text.isascii() and (len(low) != len(text) or any(one in text for one in ODD)):
        return True
    return RULES[0] in text or RULES[1] in text or "_-" in text or "-_" in text


def _by_library(text: str) -> Reply | None:
    replies = _WHOLE.read(text).replies
    if not replies:
        return None
    first = replies[0]
    return Reply(first.body or first.content, len(replies) == 1 and not first.signatures)


def _without_ending(content: str, low: str, *, quotes: bool) -> Reply:
    """Return a reply without its signature and disclaimers."""
    body, signature = content.strip(), ""
    languages, start = SIGNATURES.look(low, set())
    if languages:
        start = len(content[: max(0, start - 1)].rstrip())
        found = _of(languages).signature.search(content, start)
        signature = found.group().strip() if found else ""
    disclaimers = _patterns(LANGUAGES).disclaimer.findall(content) if "mail" in low else []
    stripped = body
    for disclaimer in disclaimers:
        stripped = stripped.replace(disclaimer.strip(), "")
    if signature:
        stripped = stripped.replace(signature, "")
    return Reply(stripped.strip() or body, not quotes and not signature)
