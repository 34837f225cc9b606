"""By which lines it shows that a reply ends, and in which language that would be.

The words are those of the library's patterns (`replies`), up to where they begin to differ.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

DASHES = "-_"
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
DATED = {"sv": "skrev", "da": "skrev", "ja": "\u5e74", "zh": "\u5e74", "ko": "\ub144"}
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


class Sign(NamedTuple):
    """What a line may begin with, and of what language that would be."""

    begins: str
    language: str
    needs: str = ""
    """Without this somewhere in the text it is none."""


class Signs:
    """Signs to look for, all at once: nearly every line of a text has none."""

    def __init__(self, signs: Iterable[Sign]) -> None:
        self._by_letter: dict[str, list[Sign]] = {}
        for sign in signs:
            self._by_letter.setdefault(sign.begins[0], []).append(sign)
        words = (
            re.escape(letter) + _any_of(sign.begins[1:] for sign in some)
            for letter, some in self._by_letter.items()
        )
        self._line = re.compile(rf"\n[{IN_FRONT}]*+(?=\d|{'|'.join(words)})")

    def look(self, low: str, numbers: set[str]) -> tuple[set[str], int]:
        """Return the languages that lines may be of, and where the first such line begins.

        Args:
            low: a text in small letters.
            numbers: languages that a line may be of which begins with a number.
        """
        found, first = set[str](), 0
        for line in self._line.finditer("\n" + low):  # so places in it are one higher
            words = line.end() - 1
            hit = {
                sign.language
                for sign in self._by_letter.get(low[words], ())
                if low.startswith(sign.begins, words) and sign.needs in low
            }
            if low[words].isdecimal():
                hit |= numbers
            if hit:
                first = first if found else line.start()
                found |= hit
        return found, first


def _any_of(texts: Iterable[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, texts))})"


HEADERS = Signs(
    [
        *(
            Sign(begins, language, needs)
            for language, (words, needs) in _SAID.items()
            for begins in words.split()
        ),
        *(
            Sign(f"{name}:", language)
            for language, names in _FIELDS.items()
            for name in names.split()
        ),
        *(Sign(begins, language) for language, some in _SPACED.items() for begins in some),
        Sign("-----oprindelig meddelelse-----", "da"),
        Sign("-----", "en", "original message"),
    ]
)
"""Of the headers above what is quoted."""
SIGNATURES = Signs(
    [
        *(
            Sign(begins, language)
            for language, some in _ENDINGS.items()
            for begins in some.split("|")
        ),
        *(Sign(dash, "en") for dash in DASHES),
    ]
)
"""Of signatures, and of rules in front of them."""
