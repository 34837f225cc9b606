"""Drafts that two sides edit: their fields, and what becomes of them when both did."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from libs.common.writes import MergePolicy, merge
from services.mail.domain import mime
from services.mail.domain.message import Person
from services.mail.domain.sending.html import sendable
from services.mail.domain.sending.outgoing import MOST_RECIPIENTS, Head, Outgoing

ATTACHMENTS = "attachments"
PEOPLE = ("to", "cc", "bcc")
DEEPEST = 20
"""Parts within one another that are looked at."""

Fields = dict[str, Any]
"""to, cc, bcc: [[address, name], ...]; subject, text, html; attachments: [[name, bytes], ...]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a draft as Gmail shows it: attachments come without their content."""

    content_type: str
    filename: str
    headers: Mapping[str, str]
    """By name in small letters."""
    data: str | None
    """base64url; None: it is an attachment, or has parts."""
    size: int
    parts: Sequence["Part"] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What both sides come to."""

    draft: Outgoing
    """As it should be now."""
    must_write: bool
    """Google's side has to follow."""
    conflicts: frozenset[str]
    """Fields that wait for a person: then nothing is written."""


def fields_of(draft: Outgoing) -> Fields:
    """Return the fields of a draft as we have them."""
    head = draft.head
    return {
        "to": _named(head.to),
        "cc": _named(head.cc),
        "bcc": _named(head.bcc),
        "subject": head.subject,
        "text": _line_ends(draft.text),
        "html": _line_ends(draft.html),
        ATTACHMENTS: sorted([one.filename, one.size] for one in draft.enclosures),
    }


def fields_at_google(root: Part) -> Fields:
    """Return the fields of a draft as Gmail has them."""
    people = mime.parse_people(
        (name, root.headers[name]) for name in ("from", *PEOPLE) if name in root.headers
    )
    leaves = list(_leaves(root, DEEPEST))
    attached = [one for one in leaves if one.filename]
    return {
        "to": _named(people.to),
        "cc": _named(people.cc),
        "bcc": _named(people.bcc),
        "subject": mime.decode_words(root.headers.get("subject", "")),
        "text": _body(leaves, "text/plain"),
        "html": _body(leaves, "text/html"),
        ATTACHMENTS: sorted([one.filename, one.size] for one in attached),
    }


def reconcile(
    draft: Outgoing,
    theirs: Fields,
    *,
    policy: MergePolicy,
    ours_at: datetime,
    theirs_at: datetime,
) -> Outcome:
    """Return what a draft comes to that we want edited, and that may be edited in Gmail.

    Attachments that were changed in Gmail are a conflict as soon as we have something to write:
    their content is not here.
    """
    agreed = dict(draft.agreed or {})
    found = merge(
        agreed, fields_of(draft), theirs, policy=policy, ours_at=ours_at, theirs_at=theirs_at
    )
    conflicts = set(found.conflicts)
    if found.write and theirs[ATTACHMENTS] not in (agreed.get(ATTACHMENTS), _ours(draft)):
        conflicts.add(ATTACHMENTS)
    return Outcome(
        draft=_with(draft, found.values),
        must_write=bool(found.write) and not conflicts,
        conflicts=frozenset(conflicts),
    )


def _ours(draft: Outgoing) -> list[list[Any]]:
    attachments: list[list[Any]] = fields_of(draft)[ATTACHMENTS]
    return attachments


def _with(draft: Outgoing, values: Mapping[str, Any]) -> Outgoing:
    if all(values[name] == value for name, value in fields_of(draft).items()):
        return draft  # as it was written, to the letter
    html = values["html"]
    head: Head = replace(
        draft.head,
        subject=values["subject"],
        to=_people(values["to"]),
        cc=_people(values["cc"]),
        bcc=_people(values["bcc"]),
    )
    return replace(
        draft, head=head, text=values["text"], html=None if html is None else sendable(html)
    )


def _named(people: Iterable[Person]) -> list[list[str | None]]:
    return [[one.address, one.name] for one in people]


def _people(named: Iterable[Sequence[str | None]]) -> tuple[Person, ...]:
    found = [Person(str(address), name) for address, name in named]
    return tuple(found[:MOST_RECIPIENTS])


def _line_ends(text: str | None) -> str | None:
    return None if text is None else text.replace("\r\n", "\n").rstrip("\n")


def _leaves(part: Part, depth: int) -> Iterator[Part]:
    if not part.parts:
        yield part
    elif depth > 0:
        for one in part.parts:
            yield from _leaves(one, depth - 1)


def _body(leaves: Iterable[Part], kind: str) -> str | None:
    for one in leaves:
        if one.content_type == kind and not one.filename and one.data is not None:
            try:
                octets = base64.urlsafe_b64decode(one.data + "=" * (-len(one.data) % 4))
            except (binascii.Error, ValueError):
                return None
            return _line_ends(mime.clean(octets.decode("utf-8", "replace"), mime.LONGEST_TEXT))
    return None
