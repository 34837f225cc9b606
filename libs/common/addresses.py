"""E-mail addresses as they are compared."""

LONGEST_ADDRESS = 320
"""Octets of local part, at sign and domain. Source: RFC 5321 section 4.5.3.1"""


def fold_address(address: str) -> str:
    """Return the form in which addresses are compared and mailboxes are called."""
    return address.strip().casefold()


def is_address(text: str) -> bool:
    """Say whether `text` could be an address: something, one at sign, something; no spaces.

    Deliberately no more than that: who refuses what mail servers deliver loses people.
    """
    local, at, domain = text.rpartition("@")
    is_clean = text.isprintable() and not any(char.isspace() for char in text)
    return bool(local and at and domain and is_clean and len(text.encode()) <= LONGEST_ADDRESS)


def domain_of(address: str) -> str:
    """Return the folded domain of an address, "" when it has none."""
    return fold_address(address).rpartition("@")[2] if "@" in address else ""
