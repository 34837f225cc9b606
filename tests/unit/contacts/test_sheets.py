"""Contacts as CSV: columns are the CRM's names of fields, and broken rows take none along."""

import pytest

from services.contacts.domain.card import Address, Card, Email, Phone
from services.contacts.domain.preferences import Language, TenantDefaults
from services.contacts.domain.rows import Row
from services.contacts.domain.sheets import NotCsv, Sheet, read_csv

FR = TenantDefaults(region="FR")
ZOE = Card(
    given_name="Zoé",
    family_name='Martin "Z"',
    notes="two\nlines; and more",
    emails=(
        Email(address="zoe@example.org", primary=True),
        Email(address="zoe@home.example"),
    ),
    phones=(Phone(number="+33 6 12 34 56 78", e164="+33612345678", primary=True),),
    addresses=(Address(street="1 rue A", city="Paris", primary=True),),
    custom={"couleur": "bleu"},
)


def rows(text: str, defaults: TenantDefaults = FR) -> list[Row]:
    return list(read_csv(text, defaults))


@pytest.mark.parametrize("language", list(Language))
def test_what_is_written_is_read_again(language: Language) -> None:
    defaults = TenantDefaults(region="FR", language=language)
    sheet = Sheet(defaults, ["couleur"])
    text = sheet.header() + sheet.row(ZOE) + sheet.row(Card(given_name="Ana"))

    assert [one.card for one in rows(text, defaults)] == [ZOE, Card(given_name="Ana")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_header_says_what_is_between_cells(delimiter: str) -> None:
    text = "Prénom;NOM;Téléphone;Couleur\nZoé;Martin;06 12 34 56 78;bleu\n"
    (row,) = rows(text.replace(";", delimiter))

    assert row.card == Card(
        given_name="Zoé",
        family_name="Martin",
        phones=(Phone(number="06 12 34 56 78", e164="+33612345678", primary=True),),
        custom={"Couleur": "bleu"},
    )


def test_several_texts_in_a_cell_are_several_items() -> None:
    (row,) = rows('nom,emails\nMartin,"a@x.example; b@x.example"\n')

    assert row.card is not None
    assert [one.address for one in row.card.emails] == ["a@x.example", "b@x.example"]


def test_broken_rows_take_no_other_along() -> None:
    huge = "x" * 131_073
    text = f'nom,prenom\nMartin,Zoé,more\n\n,\nA,"two\nlines"\n{huge},x\nB,b\n'
    found = rows(text)

    assert [(one.number, one.line, one.problem) for one in found] == [
        (1, 2, "has more cells than the header"),
        (2, 5, ""),
        (3, 7, "is no row of CSV"),
        (4, 8, ""),
    ]
    assert [one.card.family_name for one in found if one.card] == ["A", "B"]


def test_a_row_that_says_nothing_is_no_person() -> None:
    (row,) = rows("emails\n;\n")
    assert row.problem == "says nothing of a person"


@pytest.mark.parametrize("text", ["", "\n", ",,\n", "nom,nom\n", ",".join("x" * 201)])
def test_what_has_no_header_is_no_table(text: str) -> None:
    with pytest.raises(NotCsv):
        rows(text)


def test_no_cell_is_a_formula() -> None:
    sheet = Sheet(FR, [])
    card = Card(
        given_name="=1+1",
        family_name="-2+3 x",
        organization="@SUM(A1)",
        phones=(Phone(number="+33 6 12 34 56 78", e164="+33612345678", primary=True),),
    )
    text = sheet.header() + sheet.row(card)

    assert "'=1+1" in text
    assert "'@SUM(A1)" in text
    assert "'-2+3 x" in text
    assert ",+33 6 12 34 56 78" in text
    assert [one.card for one in rows(text)] == [card]


def test_no_name_of_a_column_and_no_cell_behind_a_line_break_is_a_formula() -> None:
    sheet = Sheet(FR, ["=HYPERLINK(1)"])
    card = Card(given_name="Zoé", notes="\r\n=1+1", custom={"=HYPERLINK(1)": "x"})
    text = sheet.header() + sheet.row(card)
    assert "'=HYPERLINK(1)" in sheet.header()
    assert "'\r\n=1+1" in text
    (row,) = rows(text)
    assert row.card is not None
    assert dict(row.card.custom) == {"=HYPERLINK(1)": "x"}
