"""What all arms make of a message in the same way: the product's own parser and index."""

import resource
from dataclasses import dataclass

from bench.house.letters import letter
from services.mail.domain import mime
from services.mail.domain.message import Content
from services.mail.domain.search import vector

LETTERS = 500


@dataclass(frozen=True, slots=True)
class Read:
    """A message and the text of its tsvector."""

    content: Content
    search: str


def read(raw: bytes) -> Read:
    """Return what a message says and by which words it is found."""
    content = mime.parse(raw)
    search = vector(
        subject=content.subject,
        sender=content.sender,
        recipients=(*content.to, *content.cc, *content.bcc),
        text=content.text,
    )
    return Read(content, search)


def used_s() -> float:
    """Return the CPU seconds, user and system, of this process and its children."""
    mine, theirs = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return mine.ru_utime + mine.ru_stime + theirs.ru_utime + theirs.ru_stime


def reading_us() -> float:
    """Return the CPU microseconds that reading a message takes alone."""
    letters = [letter(number) for number in range(LETTERS)]
    for raw in letters[:50]:
        read(raw)
    before = used_s()
    for raw in letters:
        read(raw)
    return (used_s() - before) / LETTERS * 1e6
