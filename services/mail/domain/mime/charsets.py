"""Text from octets, whatever the declared charset says.

Labels are read as browsers read them: mail says `gb2312` and means GBK, says `iso-8859-1` and
means Windows-1252.

Source: https://encoding.spec.whatwg.org/#names-and-labels
"""

import codecs
import re
from functools import lru_cache

LONGEST_LABEL = 60
SAMPLE = 16 * 1024
FEWEST_TO_GUESS = 16
"""Octets beyond ASCII from which on statistics say more than Windows-1252 does."""
TOLERATED = 50
"""One wrong character in so many is damage, not a wrong label."""
LIKELY = [
    *("cp1252", "cp1250", "cp1251", "koi8_r", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("gb18030", "big5", "cp932", "euc_jp", "cp949", "cp874", "cp866", "utf_16"),
]
MEANT = {
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
LABELS = {
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "ks_c_5601": "cp949",
    "ksc5601": "cp949",
    "x-windows-949": "cp949",
    "x-sjis": "cp932",
    "x-ms-cp932": "cp932",
    "x-euc-jp": "euc_jp",
    "x-gbk": "gb18030",
    "x-euc-tw": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "cn-big5": "big5hkscs",
    "cn-gb": "gb18030",
    "unicode-1-1-utf-7": "utf-7",
    "unicode-1-1-utf-8": "utf-8",
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "unicode": "utf-16",
    "iso-8859-8-i": "iso8859-8",
    "iso-8859-8-e": "iso8859-8",
    "iso-8859-6-i": "iso8859-6",
    "iso-8859-6-e": "iso8859-6",
    "x-mac-roman": "mac_roman",
    "macintosh": "mac_roman",
    "x-mac-cyrillic": "mac_cyrillic",
    "x-user-defined": "cp1252",
    "windows-874": "cp874",
    "windows-31j": "cp932",
    "koi": "koi8_r",
}
PAGE = re.compile(r"(?:x-)?(?:cp|ibm|dos|win|windows|ms|x-cp)[-_ ]?0*([0-9]{3,5})")
LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:()+ -]*")
UNSAFE = frozenset(
    {"idna", "punycode", "unicode-escape", "raw-unicode-escape", "undefined", "mbcs", "oem"}
)
"""Python's codecs that are no charset of mail; some take minutes over a megabyte."""


@lru_cache(maxsize=256)
def codec(label: str | None) -> str | None:
    """Return Python's name of the charset that `label` means; None: there is no such charset."""
    name = (label or "").strip(" \t'\"").lower()
    if len(name) > LONGEST_LABEL or not LABEL.fullmatch(name):
        return None
    name = LABELS.get(name, name)
    if page := PAGE.fullmatch(name):
        name = f"cp{page[1]}"
    try:
        known = codecs.lookup(name)
        b"a".decode(name, "ignore")
    except (LookupError, ValueError, TypeError):  # unknown, or not of text
        return None
    if known.name.replace("_", "-") in UNSAFE:
        return None
    return MEANT.get(known.name, known.name)


def decode_text(data: bytes, charset: str | None) -> str:
    """Return `data` as text: by its charset if that is true, else as UTF-8, else as guessed."""
    names = dict.fromkeys(name for name in (codec(charset), "utf-8") if name is not None)
    for name in names:
        try:
            return data.decode(name)
        except (ValueError, LookupError):
            continue
    declared = next(iter(names))
    if declared != "ascii":
        text = data.decode(declared, "replace")
        if text.count("\ufffd") * TOLERATED <= len(text):
            return text
    return data.decode(_guess(data), "replace")


def _guess(data: bytes) -> str:
    sample = data[:SAMPLE]
    if sum(octet > 0x7F for octet in sample) < FEWEST_TO_GUESS:  # noqa: PLR2004 - ASCII's last
        return "cp1252"
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 3 MB that are seldom needed

    best = from_bytes(sample, steps=4, chunk_size=512, cp_isolation=LIKELY).best()
    return "cp1252" if best is None else MEANT.get(best.encoding, best.encoding)
