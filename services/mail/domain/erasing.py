"""What stays of a message when somebody's data is erased. Pure: no I/O, no clock."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from libs.common.addresses import fold_address, is_address
from libs.common.events import mail as events
from libs.common.events.base import Origin
from libs.common.scrubbing import MARK, Scrubber
from services.mail.domain.connection import Connection
from services.mail.domain.links import Facts, OwnAddresses
from services.mail.domain.message import Content, Person

ERASED = Person(address=MARK)
LONGEST_SNIPPET = 200
"""Characters, as Gmail's are."""


class Fate(StrEnum):
    """What becomes of a message."""

    REMOVED = "removed"
    """Nobody else's is left: only its ids and date stay, so that it is not fetched again."""
    REDACTED = "redacted"
    """Others wrote it, or took part: it stays without the person."""
    UNTOUCHED = "untouched"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remains:
    """What is kept of a message that stays."""

    content: Content
    snippet: str


def fate(
    content: Content, *, mailbox: str, own: OwnAddresses, erased: frozenset[str]
) -> Fate | None:
    """Return what becomes of a message by its people; None: the person is not among them.

    What they wrote goes as a whole, and so does what nobody outside but them took part in. Of
    mail with one of the tenant's own people (who is erased) it counts whether anybody but the
    mailbox's owner took part.

    Args:
        mailbox: the address of the mailbox it lies in.
        erased: the person's addresses, folded.
    """
    people = {fold_address(one.address) for one in content.people()}
    if not people & erased:
        return None
    if content.sender is not None and fold_address(content.sender.address) in erased:
        return Fate.REMOVED
    is_outsider = any(one not in own for one in people & erased)
    others = people - erased
    others -= {one for one in others if one in own} if is_outsider else {fold_address(mailbox)}
    return Fate.REDACTED if others else Fate.REMOVED


def names_of(content: Content, erased: frozenset[str]) -> frozenset[str]:
    """Return the names the headers give the person."""
    named = (one for one in content.people() if fold_address(one.address) in erased)
    return frozenset(one.name for one in named if one.name)


def without(content: Content, scrubber: Scrubber) -> Remains:
    """Return a message that stays, without the person.

    What it quotes may be theirs, so the quoted history goes, also from the snippet; and so does
    the HTML, in which an address can be written in too many ways to be sure of.
    """
    text = scrubber.text
    report = content.report
    return Remains(
        content=replace(
            content,
            sender=None if content.sender is None else _person(content.sender, scrubber),
            to=_people(content.to, scrubber),
            cc=_people(content.cc, scrubber),
            bcc=_people(content.bcc, scrubber),
            subject=text(content.subject),
            rfc822_message_id=_maybe(content.rfc822_message_id, scrubber),
            in_reply_to=_maybe(content.in_reply_to, scrubber),
            references=tuple(text(one) for one in content.references),
            text=text(content.new_text),
            new_text=text(content.new_text),
            html=None,
            attachments=tuple(
                replace(
                    one,
                    filename=_maybe(one.filename, scrubber),
                    content_id=_maybe(one.content_id, scrubber),
                )
                for one in content.attachments
            ),
            calendar=tuple(
                replace(one, uids=tuple(text(uid) for uid in one.uids)) for one in content.calendar
            ),
            report=None
            if report is None
            else replace(report, recipient=_maybe(report.recipient, scrubber)),
        ),
        snippet=" ".join(text(content.new_text).split())[:LONGEST_SNIPPET],
    )


def _people(people: Sequence[Person], scrubber: Scrubber) -> tuple[Person, ...]:
    return tuple(_person(one, scrubber) for one in people)


def _person(person: Person, scrubber: Scrubber) -> Person:
    if fold_address(person.address) in scrubber.addresses:
        return ERASED
    is_others = is_address(person.address) and person.address.count("@") == 1
    address = person.address if is_others else scrubber.text(person.address)
    return Person(address, _maybe(person.name, scrubber))


def _maybe(text: str | None, scrubber: Scrubber) -> str | None:
    return None if text is None else scrubber.text(text)


def told(
    connection: Connection,
    facts: Facts,
    became: Fate,
) -> events.MessageRedacted:
    """Return the event of a message of which less is held from now on."""
    is_gone = became is Fate.REMOVED
    return events.MessageRedacted(
        origin=Origin.REPAIR,
        message_id=facts.message_id,
        connection_id=connection.id,
        user_id=connection.user_id,
        google_message_id=facts.google_id,
        thread_id=facts.thread_id,
        occurred_at=facts.occurred_at,
        what="removed" if is_gone else "reduced",
        kept="nothing" if is_gone else "others",
        reason="erasure",
    )
