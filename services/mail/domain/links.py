"""Which of a message's people may stand for an entity of the CRM, and what says so."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from uuid import UUID

from libs.common.addresses import domain_of, fold_address
from libs.common.events import mail as events
from services.mail.domain.blocklist import canonical
from services.mail.domain.message import Content, Direction, Fetched, direction
from services.mail.domain.preferences import Preferences

SHARED_DOMAINS = frozenset({"gmail.com", "googlemail.com"})
"""There everybody is a neighbour: only the exact address is one's own."""

MOST_PARTICIPANTS = 100
LONGEST_SNIPPET = 500


@dataclass(frozen=True, slots=True)
class OwnAddresses:
    """Those of the tenant's own people: mail among them concerns no entity."""

    addresses: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    def __contains__(self, address: str) -> bool:
        """Say whether a folded address is the tenant's own."""
        known = canonical(address)
        return known in self.addresses or domain_of(known) in self.domains

    def others(self, addresses: Iterable[str]) -> frozenset[str]:
        """Return the addresses, folded, that are not the tenant's own."""
        folded = (fold_address(one) for one in addresses)
        return frozenset(one for one in folded if one not in self)


def own_addresses(
    mailboxes: Iterable[str], *, domains: Iterable[str] = (), aliases: Iterable[str] = ()
) -> OwnAddresses:
    """Return what is the tenant's own.

    Args:
        mailboxes: addresses of connected ones: everybody of their domains is a colleague.
        domains: more of the tenant's domains.
        aliases: more of its addresses, which say nothing of their domains.
    """
    return _own_addresses(frozenset(mailboxes), frozenset(domains), frozenset(aliases))


@lru_cache(maxsize=256)  # asked with every message, and hardly ever another answer
def _own_addresses(
    mailboxes: frozenset[str], domains: frozenset[str], aliases: frozenset[str]
) -> OwnAddresses:
    addresses = frozenset(canonical(one) for one in mailboxes)
    of_mailboxes = frozenset(domain_of(one) for one in addresses)
    more = frozenset(canonical(one) for one in aliases)
    return OwnAddresses(addresses | more, (of_mailboxes | domains) - SHARED_DOMAINS - {""})


def moved_own(before: Preferences, after: Preferences) -> OwnAddresses:
    """Return what one of both settings calls the tenant's own, and the other does not."""
    return OwnAddresses(
        frozenset(before.own_aliases) ^ frozenset(after.own_aliases),
        frozenset(before.own_domains) ^ frozenset(after.own_domains),
    )


def matchable(content: Content, own: OwnAddresses) -> frozenset[str]:
    """Return the folded addresses of a message's people that may be an entity's."""
    return own.others(person.address for person in content.people())


def hashes_of(addresses: Iterable[str], key: bytes) -> tuple[bytes, ...]:
    """Return the keyed hashes of folded addresses, as they are stored with messages."""
    return tuple(sorted(hmac.digest(key, one.encode(), hashlib.sha256) for one in addresses))


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What an activity says of a message."""

    message_id: UUID
    google_id: str
    thread_id: str
    occurred_at: datetime
    direction: Direction
    content: Content
    snippet: str
    activity_id: UUID | None = None
    """Of which activity it is a copy; None: it is linked to nobody."""

    @classmethod
    def of(cls, message_id: UUID, message: Fetched, activity_id: UUID | None) -> "Facts":
        """Return those of a message just fetched."""
        return cls(
            message_id=message_id,
            google_id=message.google_id,
            thread_id=message.thread_id,
            occurred_at=message.internal_date,
            direction=direction(message.labels),
            content=message.content,
            snippet=message.snippet,
            activity_id=activity_id,
        )


def participants(content: Content) -> tuple[events.Participant, ...]:
    """Return who wrote and who got it, at most a hundred."""
    sender = () if content.sender is None else (content.sender,)
    named: list[events.Participant] = []
    named += [events.Participant(address=one.address, name=one.name, role="from") for one in sender]
    named += [
        events.Participant(address=one.address, name=one.name, role="to") for one in content.to
    ]
    named += [
        events.Participant(address=one.address, name=one.name, role="cc") for one in content.cc
    ]
    named += [
        events.Participant(address=one.address, name=one.name, role="bcc") for one in content.bcc
    ]
    return tuple(named[:MOST_PARTICIPANTS])
