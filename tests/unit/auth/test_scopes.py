import pytest

from services.auth.domain.model import Access, Product, Wish
from services.auth.domain.scopes import ASKED, asked, granted

ROOT = "https://www.googleapis.com/auth/"
READ, WRITE = Access.READ, Access.WRITE


@pytest.mark.parametrize(
    ("product", "wanted", "scopes", "access"),
    [
        (Product.MAIL, READ, "gmail.readonly", READ),
        (Product.MAIL, READ, "gmail.modify", READ),
        (Product.MAIL, READ, "gmail.metadata", None),
        (Product.MAIL, READ, "", None),
        (Product.MAIL, WRITE, "gmail.modify", WRITE),
        (Product.MAIL, WRITE, "gmail.readonly", READ),
        (Product.MAIL, WRITE, "gmail.send", None),
        (Product.CALENDAR, READ, "calendar.readonly", READ),
        (Product.CALENDAR, WRITE, "calendar.events calendar.calendarlist.readonly", WRITE),
        (Product.CALENDAR, WRITE, "calendar.events", None),
        (Product.CALENDAR, WRITE, "calendar.calendarlist.readonly", None),
        (Product.CALENDAR, WRITE, "calendar", WRITE),
        (Product.CALENDAR, WRITE, "calendar.readonly", READ),
        (Product.CONTACTS, READ, "contacts", READ),
        (Product.CONTACTS, WRITE, "contacts.readonly", READ),
        (Product.CONTACTS, WRITE, "contacts", WRITE),
        (Product.CONTACTS, READ, "contacts.other.readonly", None),
    ],
)
def test_granted_scopes_decide_how_far_a_product_goes(
    product: Product, wanted: Access, scopes: str, access: Access | None
) -> None:
    full = frozenset(ROOT + scope for scope in scopes.split())

    [grant] = granted([Wish(product, wanted)], full)

    assert grant.access is access


def test_full_mail_access_is_enough_to_write() -> None:
    [grant] = granted([Wish(Product.MAIL, WRITE)], frozenset({"https://mail.google.com/"}))

    assert grant.access is WRITE


def test_a_grant_names_only_scopes_of_its_product() -> None:
    scopes = frozenset(
        {"openid", ROOT + "userinfo.email", ROOT + "gmail.modify", ROOT + "contacts"}
    )

    [grant] = granted([Wish(Product.MAIL, WRITE)], scopes)

    assert grant.scopes == (ROOT + "gmail.modify",)


@pytest.mark.parametrize(("product", "access"), list(ASKED))
def test_what_is_asked_for_is_enough_for_what_was_wished(product: Product, access: Access) -> None:
    wish = Wish(product, access)

    [grant] = granted([wish], frozenset(asked([wish])))

    assert grant.access is access


def test_the_identity_is_always_asked_for_first() -> None:
    assert asked([Wish(Product.MAIL, READ)]) == ("openid", "email", ROOT + "gmail.readonly")
