"""Where the latest reply ends: what it answers, signatures and disclaimers, in many languages.

The patterns are the library's: it knows how mail programs of a dozen languages introduce what they
quote. They are dear, and all of them begin with a line. So lines are looked at first: only the
languages that a line may be of are tried, and only from that line on. What the library would find
is found; a test holds both against each other.
"""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from mailparser_reply import (  # type: ignore[import-untyped]  # it ships no types
    EmailReplyParser,
)
from mailparser_reply.parser import EmailMessage  # type: ignore[import-untyped]  # nor here

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pl", "sv", "da", "cs", "ja", "ko", "zh")
_WHOLE = EmailReplyParser(languages=[*LANGUAGES])
ODD = "\u0131\u017f\u0130"
"""Letters that patterns take for an i or an s, and lower case does not."""
DASHES = "-_"
RULES = tuple(dash * 32 for dash in DASHES)
IN_FRONT = "> *"
"""What may stand before the words of a line."""

_DAYS = "den man tir ons tor fre l\u00f8r s\u00f8n"
_DAGAR = "den m\u00e5n tis ons tor fre l\u00f6r s\u00f6n"
_SAID = {
    "en": ("on", "wrote:"),
    "de": ("am", "schrieb"),
    "fr": ("le", "a \u00e9crit"),
    "es": ("el", "escribi\u00f3:"),
    "it": ("il", "ha scritto:"),
    "nl": ("op", "schreef:"),
    "pl": ("dnia", "a\u0142"),
    "sv": (_DAGAR, "skrev"),
    "da": (_DAYS, "skrev"),
    "cs": ("dne", "napsal(a):"),
}
"""How lines begin that introduce what is quoted, and what the text must then have."""
_DATED = {"sv": "skrev", "da": "skrev", "ja": "\u5e74", "zh": "\u5e74", "ko": "\ub144"}
"""Where such a line may begin with a number."""
_FIELDS = {
    "en": "from sent to subject date cc organization",
    "de": "von gesendet an betreff datum cc organisation",
    "es": "de enviado para asunto fecha cc organizaci\u00f3n",
    "it": "da inviato a oggetto data cc",
    "nl": "van verzonden aan onderwerp datum cc",
    "pl": "od wys\u0142ano do temat data dw",
    "sv": "fr\u00e5n skickat till \u00e4mne datum kopia",
    "da": "fra sendt til emne dato cc kopi vedh\u00e6ftet",
    "cs": "od odesl\u00e1no komu p\u0159edm\u011bt datum kopie",
    "zh": "\u53d1\u4ef6\u4eba \u53d1\u9001\u65f6\u95f4 \u6536\u4ef6\u4eba \u4e3b\u9898 "
    "\u6284\u9001 \u7ec4\u7ec7",
}
"""Names of headers that are shown above what is quoted."""
_SPACED = {
    "fr": ("de :", "envoy\u00e9 :", "\u00e0 :", "objet :", ":", "cc :"),
    "ko": ("\ubcf4\ub0b8", "\ubc1b\ub294", "\uc81c\ubaa9", "\ucc38\uc870"),
}
_ENDINGS = {
    "en": "best regards|kind regards|thanks,|thank you,|best,|all the best|regards,|sent from my|"
    "get outlook for",
    "de": "mit freundlichen gr|beste|liebe|viele|gr|gesendet von",
    "fr": "cordialement|salutations|bonne |envoy\u00e9 depuis",
    "es": "saludos,|atentamente,|gracias,|un saludo,|cordialmente,|muchas gracias,|"
    "enviado desde mi",
    "it": "cordiali saluti|inviato da",
    "nl": "met vriendelijke groet|hartelijke groeten|bedankt,|dank u,|verzonden vanaf mijn",
    "pl": "z powa|pozdrawiam|w przypadku niejasno\u015bci, prosz\u0119 o kontakt|wys\u0142ano z",
    "sv": "med v\u00e4nliga h\u00e4lsningar|v\u00e4nliga h\u00e4lsningar|h\u00e4lsningar|"
    "b\u00e4sta h\u00e4lsningar|mvh|/|skickat fr\u00e5n min",
    "da": "med venlig hilsen|venlig hilsen|hilsen|mvh|dbh|bedste hilsner|de bedste hilsner|kh|"
    "knus|tak|p\u00e5 forh\u00e5nd tak|sendt fra|hent outlook til",
    "cs": "s pozdravem,|s \u00factou,|d\u011bkuji,|d\u011bkujeme,|s p\u0159\u00e1n\u00edm|"
    "odesl\u00e1no z m\u00e9ho",
    "ko": "\uac10\uc0ac\ud569\ub2c8\ub2e4|\uc548\ubd80 \uc804\ud569\ub2c8\ub2e4,|"
    "\uc88b\uc740 \ud558\ub8e8 \ub418\uc138\uc694,|\uace0\ub9d9\uc2b5\ub2c8\ub2e4,|\ub0b4 ",
    "zh": "\u6b64\u81f4\uff0c|\u656c\u793c\uff0c|\u8c22\u8c22|\u795d\u597d\uff0c|"
    "\u4ece\u6211\u7684",
}
"""How signatures and the marks of telephones begin."""


class Reply(NamedTuple):
    """The latest reply of a text."""

    body: str
    is_all: bool
    """Nothing is quoted and there is no signature: what follows the text belongs to it too."""


class _Sign(NamedTuple):
    """What a line may begin with, and of what language that would be."""

    begins: str
    language: str
    needs: str = ""
    """Without this somewhere in the text it is none."""


def _table(signs: Iterable[_Sign]) -> dict[str, tuple[_Sign, ...]]:
    table: dict[str, tuple[_Sign, ...]] = {}
    for sign in signs:
        table[sign.begins[0]] = (*table.get(sign.begins[0], ()), sign)
    return table


_HEADERS = _table(
    [
        *(
            _Sign(begins, language, needs)
            for language, (words, needs) in _SAID.items()
            for begins in words.split()
        ),
        *(
            _Sign(f"{name}:", language)
            for language, names in _FIELDS.items()
            for name in names.split()
        ),
        *(_Sign(begins, language) for language, some in _SPACED.items() for begins in some),
        _Sign("-----oprindelig meddelelse-----", "da"),
        _Sign("-----", "en", "original message"),
    ]
)
_SIGNATURES = _table(
    [
        *(
            _Sign(begins, language)
            for language, some in _ENDINGS.items()
            for begins in some.split("|")
        ),
        *(_Sign(dash, "en") for dash in DASHES),
    ]
)


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


def latest_reply(outline: list[str]) -> Reply | None:
    """Return the first reply of a text given in stripped lines; None: there is none."""
    text = "\n".join(outline)
    low = text.lower()
    if _is_odd(text, low):
        return _by_library(text)
    lines = low.split("\n")
    numbers = {language for language, needs in _DATED.items() if needs in low}
    languages, start = _look(lines, _HEADERS, low, numbers)
    end = len(text)
    if languages:
        found = _patterns(languages).header.search(text, start)
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
    languages, start = _look(low.split("\n"), _SIGNATURES, low, set())
    if languages:
        start = len(content[:start].rstrip())
        found = _patterns(languages).signature.search(content, start)
        signature = found.group().strip() if found else ""
    disclaimers = _patterns(LANGUAGES).disclaimer.findall(content) if "mail" in low else []
    stripped = body
    for disclaimer in disclaimers:
        stripped = stripped.replace(disclaimer.strip(), "")
    if signature:
        stripped = stripped.replace(signature, "")
    return Reply(stripped.strip() or body, not quotes and not signature)


def _look(
    lines: list[str], table: dict[str, tuple[_Sign, ...]], low: str, numbers: set[str]
) -> tuple[tuple[str, ...], int]:
    """Return the languages that lines may be of, and where the first such line begins.

    English is always among them, unless there are none.
    """
    found, first, at = set[str](), -1, 0
    for line in lines:
        words = line.lstrip(IN_FRONT)
        if words:
            hit = numbers if numbers and words[0].isdecimal() else set[str]()
            for sign in table.get(words[0], ()):
                if words.startswith(sign.begins) and (not sign.needs or sign.needs in low):
                    hit = hit | {sign.language}
            if hit:
                first = at if first < 0 else first
                found |= hit
        at += len(line) + 1
    if first < 0:
        return (), 0
    found.add("en")
    return tuple(one for one in LANGUAGES if one in found), max(0, first - 1)
