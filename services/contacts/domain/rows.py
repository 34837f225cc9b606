"""Rows of files that people bring their contacts in, and what was wrong with one."""

from dataclasses import dataclass

from services.contacts.domain.card import Card

MOST_ROWS = 5_000
"""Of one file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contact of a file."""

    number: int
    """From 1 on; a header is none."""
    line: int
    """Where it begins, from 1 on."""
    card: Card | None
    """None: it could not be read."""
    problem: str = ""
    """Why not."""


def decoded(raw: bytes) -> str:
    """Return the text of a file: UTF-8, or what older programs of the West write.

    Not every program says in what charset its files are.
    """
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = raw.decode("cp1252", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")
