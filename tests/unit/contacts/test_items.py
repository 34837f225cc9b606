"""Of the items of a list exactly one is primary, and nothing is lost when cards are united."""

from services.contacts.domain.card import Card, Email, Phone
from services.contacts.domain.items import led, united


def test_the_first_is_primary_where_none_is() -> None:
    items = led((Email(address="a@x.example"), Email(address="b@x.example")))

    assert [one.primary for one in items] == [True, False]


def test_the_same_item_twice_is_one() -> None:
    items = led(
        (
            Email(address="a@x.example"),
            Email(address="b@x.example", primary=True),
            Email(address="A@x.example", type="work", primary=True),
        )
    )

    assert items == (Email(address="a@x.example", primary=True), Email(address="b@x.example"))


def test_united_cards_lose_nothing() -> None:
    main = Card(
        given_name="Ada",
        notes="one",
        emails=(Email(address="a@x.example", primary=True),),
        custom={"a": "1"},
    )
    other = Card(
        given_name="A.",
        family_name="Byron",
        title="Countess",
        notes="two",
        emails=(
            Email(address="A@x.example", type="work"),
            Email(address="ada@y.example", primary=True),
        ),
        phones=(Phone(number="1"),),
        custom={"a": "2", "b": "3"},
    )

    assert united(main, other) == Card(
        given_name="Ada",
        title="Countess",
        notes="one\n\ntwo",
        emails=(Email(address="a@x.example", primary=True), Email(address="ada@y.example")),
        phones=(Phone(number="1", primary=True),),
        custom={"a": "1", "b": "3"},
    )
    assert united(united(main, other), other) == united(main, other)
