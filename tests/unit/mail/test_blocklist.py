"""Addresses and domains as settings name them."""

import pytest

from services.mail.domain.blocklist import address_entry, blocklist, domain_entry, entry


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("Bob@Example.ORG", "bob@example.org"),
        (" bob@example.org ", "bob@example.org"),
        ("@Example.org", "@example.org"),
        ("example.org", "@example.org"),
        ("example.org.", "@example.org"),
        ("bücher.example", "@xn--bcher-kva.example"),
        ("bob@BÜCHER.example", "bob@xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "@xn--bcher-kva.example"),
    ],
)
def test_an_entry_has_one_form(text: str, known: str) -> None:
    assert entry(text) == known


@pytest.mark.parametrize(
    "text", ["", "@", "org", "bob@", "bob@org", "a b@example.org", "exa mple.org", "-.org", "a..b"]
)
def test_what_is_neither_address_nor_domain_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        entry(text)


def test_an_address_is_no_domain() -> None:
    with pytest.raises(ValueError, match="must be a domain"):
        domain_entry("bob@example.org")
    with pytest.raises(ValueError, match="must be an address"):
        address_entry("example.org")


@pytest.mark.parametrize(
    ("address", "blocked"),
    [
        ("bob@x.test", True),
        ("Bob@X.test", True),
        ("rob@x.test", False),
        ("any@y.test", True),
        ("any@deep.below.y.test", True),
        ("any@noty.test", False),
        ("any@test", False),
        ("any@BÜCHER.example", True),
        ("any@xn--bcher-kva.example", True),
        ("no address", False),
        ("", False),
    ],
)
def test_an_address_is_blocked_by_itself_or_by_its_domain(address: str, *, blocked: bool) -> None:
    entries = tuple(entry(one) for one in ("bob@x.test", "y.test", "bücher.example"))
    assert blocklist(entries).blocks(["other@z.test", address]) is blocked
