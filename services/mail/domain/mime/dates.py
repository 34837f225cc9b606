"""The Date header in all the forms it ever had.

Source: https://www.rfc-editor.org/rfc/rfc5322#section-3.3 and section 4.3
"""

import re
from datetime import UTC, datetime, timedelta

LONGEST_DATE = 200
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
FIRST_YEAR = 1970
LEAP_SECOND = 60
TIME = r"(?P<hour>\d{1,2})\s*[:.]\s*(?P<minute>\d{2})(?:\s*[:.]\s*(?P<second>\d{2})(?:[.,]\d+)?)?"
ZONE = r"(?P<zone>(?:[A-Za-z]{1,9})?\s*(?:[+-]\s*\d{1,2}:?\d{0,2})?)"
DAY = r"(?:[A-Za-z]{2,9}\.?\s*,?\s*)?"
USUAL = re.compile(
    rf"{DAY}(?P<day>\d{{1,2}})[\s-]+(?P<month>[A-Za-z]{{3,9}})\.?[\s,-]+(?P<year>\d{{2,4}})"
    rf"[\s,]+{TIME}\s*{ZONE}",
    re.ASCII,
)
ASCTIME = re.compile(
    rf"{DAY}(?P<month>[A-Za-z]{{3,9}})\s+(?P<day>\d{{1,2}})\s+{TIME}\s+{ZONE}\s*(?P<year>\d{{4}})",
    re.ASCII,
)
HOURS = {
    "edt": -4,
    "est": -5,
    "cdt": -5,
    "cst": -6,
    "mdt": -6,
    "mst": -7,
    "pdt": -7,
    "pst": -8,
    "cet": 1,
    "met": 1,
    "cest": 2,
    "mest": 2,
    "eet": 2,
    "eest": 3,
    "msk": 3,
    "jst": 9,
    "kst": 9,
}
"""Zones by name; any other name, a military letter too, means UTC (RFC 5322, section 4.3)."""


def read_date(value: str) -> datetime | None:
    """Return the moment that a Date header names, in UTC; None: it names none.

    Only years from 1970 to 9999 are believed.
    """
    text = _without_comments(value[:LONGEST_DATE]).strip()
    found = USUAL.fullmatch(text) or ASCTIME.fullmatch(text)
    if found is None or found["month"][:3].lower() not in MONTHS:
        return None
    second = int(found["second"] or 0)
    try:
        local = datetime(
            _year(found["year"]),
            MONTHS.index(found["month"][:3].lower()) + 1,
            int(found["day"]),
            int(found["hour"]),
            int(found["minute"]),
            min(second, LEAP_SECOND - 1) if second <= LEAP_SECOND else second,
            tzinfo=UTC,
        )
        moment = local - _offset(found["zone"])
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= FIRST_YEAR else None


def _year(digits: str) -> int:
    year = int(digits)
    if len(digits) == 2:  # noqa: PLR2004 - 00-49 are of this century
        return year + (2000 if year < 50 else 1900)  # noqa: PLR2004
    return year + 1900 if len(digits) == 3 else year  # noqa: PLR2004 - 1900 is 0


def _offset(zone: str) -> timedelta:
    name = zone.rstrip("0123456789:+- \t").lower()
    digits = re.sub(r"[^0-9+-]", "", zone)
    if not digits:
        return timedelta(hours=HOURS.get(name, 0))
    number = digits[1:]
    hours, minutes = (number[:-2], number[-2:]) if len(number) > 2 else (number, "0")  # noqa: PLR2004
    size = timedelta(hours=int(hours), minutes=int(minutes))
    return -size if digits.startswith("-") else size


def _without_comments(text: str) -> str:
    """Return `text` with a space for each comment; comments nest, a backslash escapes."""
    if "(" not in text and "\\" not in text:
        return text
    kept: list[str] = []
    depth = 0
    escaped = False
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "(":
            depth += 1
        elif char == ")" and depth:
            depth -= 1
            kept.append(" ")
        elif not depth:
            kept.append(char)
    return "".join(kept)
