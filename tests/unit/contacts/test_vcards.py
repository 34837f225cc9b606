"""Contacts as vCards: what is written is read again, and a broken card takes no other along."""

from hypothesis import given
from hypothesis import strategies as st

from services.contacts.domain.card import Address, Card, Email, Phone, Url
from services.contacts.domain.items import led_card
from services.contacts.domain.phones import phone_of
from services.contacts.domain.rows import decoded
from services.contacts.domain.vcards import read_vcards, vcard_of

FULL = led_card(
    Card(
        prefix="Dr",
        given_name="Zoé",
        middle_name="A.",
        family_name="Martin; fille",
        suffix="Jr",
        organization="AC;ME, Inc",
        title="CEO",
        department="Ventes",
        birthday="--05-02",
        notes="two\nlines, and a \\",
        emails=(
            Email(address="zoe@example.org", type="work"),
            Email(address="zoe@home.example", type="home", primary=True),
        ),
        phones=(
            Phone(number="(11) 98765-4321", e164="+5511987654321", type="mobile"),
            Phone(number="ask Bob"),
        ),
        addresses=(
            Address(street="1 rue, A", city="Paris", postal_code="75002", country="France"),
            Address(street="2\nB", extended="x", po_box="1", region="IDF", type="home"),
        ),
        urls=(Url(value="https://zoe.example/?a=1;b,c", type="blog"),),
        custom={"couleur": "bleu=clair\nfoncé", "taille": "M"},
    )
)


def cards(text: str) -> list[Card | None]:
    return [one.card for one in read_vcards(text, region="BR")]


def test_what_is_written_is_read_again() -> None:
    text = vcard_of(FULL)

    assert "\r\n" in text
    assert cards(decoded(text.encode())) == [FULL]


def test_cards_of_other_programs_are_read() -> None:
    text = """BEGIN:VCARD
VERSION:2.1
N;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:Mart=C3=AFn;Zo=C3=A9
TEL;CELL;PREF:(11) 98765-4321
EMAIL;INTERNET:zoe@example.org
END:VCARD
begin:vcard
VERSION:4.0
FN:Ana Souza
BDAY:19800502
TEL;VALUE=uri;TYPE="voice,home":tel:+5511987654321
item1.URL:https://ana.example
item1.X-ABLabel:_$!<HomePage>!$_
PHOTO;ENCODING=b:AAAA
END:VCARD
"""
    zoe, ana = cards(text)

    assert zoe is not None
    assert ana is not None
    assert (zoe.name, zoe.phones[0].type, zoe.phones[0].primary) == ("Zoé Martïn", "mobile", True)
    assert zoe.emails == (Email(address="zoe@example.org", primary=True),)
    assert (ana.given_name, ana.birthday) == ("Ana Souza", "1980-05-02")
    assert ana.phones == (phone_of("+5511987654321", "BR", kind="home", primary=True),)
    assert ana.urls == (Url(value="https://ana.example", type="HomePage", primary=True),)


def test_a_broken_card_takes_no_other_along() -> None:
    good = "BEGIN:VCARD\nVERSION:3.0\nFN:Good\nEND:VCARD\n"
    text = f"{good}BEGIN:VCARD\nN\nEND:VCARD\nBEGIN:VCARD\nFN:Endless\n{good}"
    found = list(read_vcards(text, region="BR"))

    assert [(one.number, one.line, one.problem) for one in found] == [
        (1, 1, ""),
        (2, 5, "is no vCard"),
        (3, 8, "has no end"),
        (4, 10, ""),
    ]
    assert cards("no card at all") == []


def test_files_of_older_programs_are_read() -> None:
    assert decoded("Zoé\r\n".encode("cp1252")) == "Zoé\n"
    assert decoded("\ufeffZoé".encode()) == "Zoé"


LINES = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"], exclude_characters="=")
    | st.just("\n"),
    min_size=1,
    max_size=12,
).map(str.strip)


@given(LINES, LINES, LINES, LINES)
def test_any_text_is_read_as_it_was_written(name: str, notes: str, street: str, own: str) -> None:
    card = Card(
        family_name=name.replace("\n", ""),
        notes=notes,
        addresses=(Address(street=street, primary=True),) if street else (),
        custom={"own": own} if own else {},
    )

    assert cards(vcard_of(card).replace("\r\n", "\n")) == [card]


PIECES = st.sampled_from(
    [
        *("N", "FN", "TEL", "ADR", "ORG", "BDAY", "EMAIL", "URL", "NOTE", "PHOTO", "X-ABLABEL"),
        *(":", ";", ",", "=", "\n", "\n ", "\\", '"', "item1.", "TYPE", "PREF", "VALUE", "uri"),
        *("ENCODING", "QUOTED-PRINTABLE", "BASE64", "b", "CHARSET", "x-none", "=C3", "é", "\x0b"),
        *("BEGIN:VEVENT", "END:VCARD", "VERSION:2.1", "a b", "\t", "\x1c", "\u2028"),
    ]
)


@given(st.lists(PIECES, max_size=25).map("".join))
def test_no_card_is_so_broken_that_reading_ends(inside: str) -> None:
    good = "BEGIN:VCARD\nVERSION:3.0\nFN:Good\nEND:VCARD\n"
    found = cards(f"BEGIN:VCARD\n{inside}\nEND:VCARD\n{good}")

    assert found[-1] == Card(given_name="Good")


def test_a_type_of_a_persons_own_breaks_no_card_and_begins_no_line() -> None:
    card = led_card(
        Card(given_name="Zoé", emails=(Email(address="z@x.example", type='my "x"\nNOTE:evil'),))
    )
    (found,) = cards(decoded(vcard_of(card).encode()))
    assert found is not None
    assert found.notes == ""
    assert [one.address for one in found.emails] == ["z@x.example"]
