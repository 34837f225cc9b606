"""Contacts as CSV: columns are the CRM's names of fields, in any language.

Source: https://www.rfc-editor.org/rfc/rfc4180
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from typing import Any, Final

from services.contacts.domain.card import LISTS, Card
from services.contacts.domain.mapping import card_of_crm, crm_fields
from services.contacts.domain.naming import CUSTOM, NAME, names_of, target_of
from services.contacts.domain.preferences import TenantDefaults
from services.contacts.domain.rows import Row

DELIMITERS: Final = ",;\t"
LONGEST_CELL: Final = 131_072
MOST_COLUMNS: Final = 200
NOTES: Final = "notes"
ADDRESSES: Final = "addresses"
"""Has no column: the primary one is in columns of its parts."""
SEPARATOR: Final = re.compile(r"[\n;]")
FORMULA: Final = ("=", "+", "-", "@", "\t")
"""What spreadsheets take for more than text when a cell begins so."""
NUMBER: Final = re.compile(r"[+\-\d][\d\s().\-/]*")
QUOTE: Final = "'"


class NotCsv(ValueError):
    """The file is no table with a header."""


def read_csv(text: str, defaults: TenantDefaults) -> Iterator[Row]:
    """Yield the rows of a file, each by itself: a broken one takes none along.

    Args:
        text: of the file; its first row has the names of the columns.
        defaults: of the tenant: what names mean, and where numbers are from.

    Raises:
        NotCsv: there is no header.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    header = _header(reader)
    number = 0
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:
            number += 1
            yield Row(number=number, line=line, card=None, problem="is no row of CSV")
            continue
        if any(one.strip() for one in cells):
            number += 1
            yield _row(header, cells, number, line, defaults)


def _header(reader: Any) -> list[str]:
    try:
        header = [_plain(one) for one in next(reader)]
    except (StopIteration, csv.Error) as exc:
        raise NotCsv("has no header") from exc
    named = [one for one in header if one]
    if not named or len(header) > MOST_COLUMNS or len({*named}) < len(named):
        raise NotCsv("must have a header that names each column once")
    return header


def _row(
    header: Sequence[str], cells: Sequence[str], number: int, line: int, defaults: TenantDefaults
) -> Row:
    if any(one.strip() for one in cells[len(header) :]):
        return Row(number=number, line=line, card=None, problem="has more cells than the header")
    fields: dict[str, Any] = {}
    for name, cell in zip(header, cells, strict=False):
        text = _plain(cell)
        if name and text:
            is_list = target_of(name, defaults)[1] in LISTS
            fields[name] = SEPARATOR.split(text) if is_list else text
    card = card_of_crm(fields, Card(), defaults)
    if card == Card():
        return Row(number=number, line=line, card=None, problem="says nothing of a person")
    return Row(number=number, line=line, card=card)


def _delimiter(text: str) -> str:
    """Return what is between the cells of the header: what is there most often."""
    header = text.partition("\n")[0]
    return max(DELIMITERS, key=header.count)


class Sheet:
    """Writes contacts as rows, under the names a tenant's CRM has for fields.

    Args:
        defaults: of the tenant.
        custom: the tenant's own fields that have a column.
    """

    def __init__(self, defaults: TenantDefaults, custom: Sequence[str]) -> None:
        self._defaults = defaults
        names = names_of(defaults)
        self._notes = names[NOTES]
        columns = [
            name
            for target, name in names.items()
            if target not in (NAME, ADDRESSES) and not target.startswith(f"{CUSTOM}/")
        ]
        own = [names.get(f"{CUSTOM}/{one}", one) for one in custom]
        self._columns = list(dict.fromkeys([*columns, *own]))[:MOST_COLUMNS]

    def header(self) -> str:
        """Return the first line."""
        return _line([_guarded(one) for one in self._columns])

    def row(self, card: Card) -> str:
        """Return a contact's line; a cell with several texts has a line for each."""
        fields = {**crm_fields(card, self._defaults), self._notes: card.notes}
        return _line([_guarded(_cell(fields.get(name, ""))) for name in self._columns])


def _cell(value: Any) -> str:
    if not isinstance(value, list):
        return str(value)
    keys = ("address", "number", "value")
    return "\n".join(str(next(one[key] for key in keys if key in one)) for one in value)


def _guarded(text: str) -> str:
    """Return a cell that no spreadsheet takes for a formula."""
    is_formula = text.lstrip().startswith(FORMULA) and not NUMBER.fullmatch(text)
    return f"{QUOTE}{text}" if is_formula else text


def _plain(cell: str) -> str:
    text = cell.strip()
    is_guarded = text.startswith(QUOTE) and text[1:].lstrip().startswith(FORMULA)
    return text[1:] if is_guarded else text


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO(newline="")
    csv.writer(out).writerow(cells)
    return out.getvalue()
