"""Taking a person's addresses and names out of texts. Pure: no I/O."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from libs.common.addresses import fold_address

MARK = "erased@invalid"
"""Stands where an address was. Source: https://www.rfc-editor.org/rfc/rfc6761#section-6.4"""
NAME_MARK = "[erased]"
SHORTEST_NAME = 2
AT = r"(?:@|%40|&#64;|&#x40;|&commat;)"
AT_SIGNS = ("@", "%40", "&#64;", "&#x40;", "&commat;")
BEFORE = r"(?:(?<![a-z0-9])|(?<=%[0-9a-f]{2}))"
AFTER = r"(?![a-z0-9-])"
"""Nothing that makes a longer word of it. What stands behind a dot, or before one, may belong to
another address, or be a file's name: then too much goes rather than too little."""


def needles(addresses: Iterable[str]) -> list[str]:
    """Return what texts that mention an address hold, in small letters: more than do so."""
    found = []
    for address in addresses:
        local, _, domain = fold_address(address).rpartition("@")
        found += [f"{local}{at}{domain}" for at in AT_SIGNS]
    return found


class Scrubber:
    """Replaces addresses and names, whatever their case, and no longer words that contain them.

    Args:
        addresses: of the person.
        names: whole names, as headers have them.
    """

    def __init__(self, addresses: Iterable[str], names: Iterable[str] = ()) -> None:
        self.addresses = frozenset(fold_address(one) for one in addresses)
        self._address = _any(_address_pattern(one) for one in self.addresses)
        wanted = {" ".join(one.split()) for one in names}
        usable = {one for one in wanted if len(one) >= SHORTEST_NAME and "@" not in one}
        self._name = _any(_name_pattern(one) for one in usable)

    def text(self, text: str) -> str:
        """Return the text with marks where address or name stood."""
        if self._address is not None:
            text = self._address.sub(MARK, text)
        return text if self._name is None else self._name.sub(NAME_MARK, text)

    def mentions(self, text: str | None) -> bool:
        """Say whether the text holds an address of the person."""
        return bool(text and self._address is not None and self._address.search(text))

    def value(self, value: Any) -> Any:
        """Return a JSON value with all its texts scrubbed; keys stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.value(one) for key, one in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(one) for one in value]
        return value


def _address_pattern(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{BEFORE}{re.escape(local)}{AT}{re.escape(domain)}{AFTER}"


def _name_pattern(name: str) -> str:
    return r"(?<!\w)" + r"\s+".join(re.escape(word) for word in name.split(" ")) + r"(?!\w)"


def _any(patterns: Iterable[str]) -> re.Pattern[str] | None:
    found = sorted(patterns, key=len, reverse=True)
    return re.compile("|".join(found), re.IGNORECASE) if found else None
