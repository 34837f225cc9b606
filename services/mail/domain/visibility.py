"""Who may see which copy of a mail, and what is withheld from those who see it in part."""

from dataclasses import dataclass
from enum import StrEnum

from services.mail.domain.message import Content


class Visibility(StrEnum):
    """What colleagues see of a mailbox's mail, as far as it concerns an entity of the CRM."""

    TEAM = "team"
    """All of it."""
    METADATA = "metadata"
    """People, dates, direction, ids and entities: nothing of what it says."""
    PRIVATE = "private"
    """Nothing: for them it does not exist."""


OPENNESS = (Visibility.TEAM, Visibility.METADATA, Visibility.PRIVATE)


@dataclass(frozen=True, slots=True)
class Sight:
    """What somebody sees of a mailbox."""

    own: bool
    """All of its mail; else only what concerns an entity."""
    in_full: bool
    """With its content; else without."""


def sight(visibility: Visibility, *, owner: str, user_id: str | None) -> Sight | None:
    """Return what a user of the same tenant (None: a service) sees of `owner`'s mailbox.

    None: nothing. The database has the same rule as `shown_mailboxes`; a test holds them together.
    """
    if user_id is None or user_id == owner:
        return Sight(own=True, in_full=True)
    if visibility is Visibility.PRIVATE:
        return None
    return Sight(own=False, in_full=visibility is Visibility.TEAM)


def most_open(some: list[Visibility]) -> Visibility:
    """Return the one under which most is seen; of none the strictest."""
    return min(some, key=OPENNESS.index, default=Visibility.PRIVATE)


def withheld(content: Content) -> Content:
    """Return what is left of a message without what it says: people, date and ids."""
    return Content(
        sender=content.sender,
        to=content.to,
        cc=content.cc,
        bcc=content.bcc,
        rfc822_message_id=content.rfc822_message_id,
        in_reply_to=content.in_reply_to,
        references=content.references,
        date=content.date,
    )
