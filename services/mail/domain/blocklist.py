"""Addresses and domains as settings name them, and whether an address is among them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import idna

from libs.common.addresses import fold_address, is_address

LONGEST_DOMAIN = 253


def domain_entry(text: str) -> str:
    """Return a domain in its one form: small letters, in ASCII, without an at sign.

    Raises:
        ValueError: it is none, in words for whoever sent it.
    Source: https://www.rfc-editor.org/rfc/rfc5891 with the mapping of UTS 46
    """
    name = fold_address(text).removeprefix("@").removesuffix(".")
    try:
        ascii_name = idna.encode(name, uts46=True).decode() if name else ""
    except idna.IDNAError:
        ascii_name = ""
    if "." not in ascii_name or len(ascii_name) > LONGEST_DOMAIN:
        raise ValueError("must be a domain such as example.org")
    return ascii_name


def address_entry(text: str) -> str:
    """Return an address in its one form: folded, its domain in ASCII.

    Raises:
        ValueError: it is none.
    """
    if not is_address(text.strip()):
        raise ValueError("must be an address such as bob@example.org")
    local, _, domain = fold_address(text).rpartition("@")
    return f"{local}@{domain_entry(domain)}"


def entry(text: str) -> str:
    """Return an entry of a blocklist: an address, or a domain with an at sign before it.

    Raises:
        ValueError: it is neither.
    """
    local, at, _ = text.strip().rpartition("@")
    if at and local:
        return address_entry(text)
    try:
        return "@" + domain_entry(text)
    except ValueError:
        raise ValueError("must be an address, or a domain such as example.org") from None


@dataclass(frozen=True, slots=True)
class Blocklist:
    """Whose mail is not kept."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def __contains__(self, address: str) -> bool:
        """Say whether an address is blocked, by itself or by a domain it is in or below."""
        known = canonical(address)
        return known in self.addresses or any(
            one in self.domains for one in _parents(known.rpartition("@")[2])
        )

    def blocks(self, addresses: Iterable[str]) -> bool:
        """Say whether any of them is blocked."""
        if not self.addresses and not self.domains:
            return False
        return any(one in self for one in addresses)


@lru_cache(maxsize=256)  # asked with every message of a mailbox that has one
def blocklist(entries: tuple[str, ...]) -> Blocklist:
    """Return the list that `entries`, each as `entry` writes it, make up."""
    domains = frozenset(one[1:] for one in entries if one.startswith("@"))
    return Blocklist(frozenset(one for one in entries if not one.startswith("@")), domains)


def canonical(address: str) -> str:
    """Return an address of a message in the form of `address_entry`, as far as it has one."""
    folded = fold_address(address)
    return folded if folded.isascii() else _canonical(folded)


@lru_cache(maxsize=4096)
def _canonical(folded: str) -> str:
    try:
        return address_entry(folded)
    except ValueError:
        return folded


def _parents(domain: str) -> Iterator[str]:
    while domain:
        yield domain
        domain = domain.partition(".")[2]
