"""The stage of one example: people at Google, tenants of the CRM, and what should be true of them.

Nothing here asks the product anything. Whoever is not connected still gets mail; names and
addresses are new in every example, so that one house serves many.
"""

import time
from collections import Counter
from dataclasses import dataclass, field

from libs.common.events.envelope import Envelope
from tests.house.house import House

STRANGERS = tuple(f"{name}@example.org" for name in ("bob", "cat", "dan", "eve"))
"""Who writes and is written to; any of them may be an entity of the CRM."""
SEATS = 2
"""Tenants, and users of each: a mailbox is somebody's of some tenant."""


@dataclass
class Person:
    """Somebody at Google."""

    email: str
    letters: list[str] = field(default_factory=list)
    """Google's ids of the mail there is, drafts excepted, as it came."""
    drafts: list[str] = field(default_factory=list)
    revoked: bool = False
    """They took our access away, and have not given it back."""
    forgotten: bool = False
    """Gmail forgot its history, and nothing has happened in the mailbox since."""


@dataclass(frozen=True)
class Mailbox:
    """A connection: a person's mailbox, as a user of a tenant has it."""

    connection_id: str
    person: Person = field(compare=False)
    tenant: str
    user: str


@dataclass(frozen=True)
class Kept:
    """What a user lets be kept of a mailbox's mail."""

    policy: str = "all"
    blocked: frozenset[str] = frozenset()
    """Strangers whose mail is not."""


@dataclass
class Send:
    """A message that the CRM wanted sent, and was told it would be."""

    id: str
    mailbox: Mailbox
    people: frozenset[str]
    """Whom it goes to."""
    about: bool
    """It is to be logged with the deal."""
    far: bool
    """It is to leave when the story is over."""
    taken_back: bool = False


@dataclass
class Entity:
    """An entity of the CRM as it was told last."""

    version: int
    emails: frozenset[str] | None
    """None: it is gone."""
    told: list[Envelope] = field(default_factory=list)


@dataclass
class Stage:
    """One example in a house."""

    house: House
    people: list[Person]
    tenants: tuple[str, ...]
    mailboxes: list[Mailbox] = field(default_factory=list)
    purged: list[str] = field(default_factory=list)
    """Connections that ended and of whose mail nothing may be left."""
    concerns: dict[str, frozenset[str]] = field(default_factory=dict)
    """Strangers whom a message concerns, by Google's id."""
    entities: dict[tuple[str, str], Entity] = field(default_factory=dict)
    """By tenant and id; all are leads."""
    settings: dict[str, Kept] = field(default_factory=dict)
    """By connection."""
    paused: set[str] = field(default_factory=set)
    """Connections that somebody paused."""
    sends: list[Send] = field(default_factory=list)
    ours: set[tuple[str, str]] = field(default_factory=set)
    """What the CRM sent, by connection and Google's id."""
    asked: dict[tuple[str, str], str] = field(default_factory=dict)
    """What a message is logged with because somebody said so, by connection and Google's id."""
    written: dict[str, set[str]] = field(default_factory=dict)
    """Connections by which the CRM changed a message's labels, by Google's id."""
    edited: set[str] = field(default_factory=set)
    """What people did something to, by Google's id."""
    faults: list[dict[str, object]] = field(default_factory=list)
    quota_is_short: bool = False
    killed: Counter[str] = field(default_factory=Counter)
    dead: set[str] = field(default_factory=set)
    """Programs that were killed and not started since."""
    patience_s: float = 60.0
    """How long it may take until all is right."""
    since_ms: int = field(default_factory=lambda: int(time.time() * 1000))
    """Pushes that were dropped before are made up for."""

    @classmethod
    def of(cls, house: House, number: int, *, people: int = 2) -> "Stage":
        """Return a stage of people and tenants that were on none before."""
        return cls(
            house,
            [Person(f"person{one}-{number}@house.example") for one in range(people)],
            tuple(f"tenant{one}-{number}" for one in range(SEATS)),
        )

    def mailbox(self, which: int) -> Mailbox | None:
        """Return a connected mailbox, if there is one."""
        return self.mailboxes[which % len(self.mailboxes)] if self.mailboxes else None

    def person(self, who: int) -> Person:
        """Return somebody."""
        return self.people[who % len(self.people)]

    def keeps(self, mailbox: Mailbox, google_id: str) -> bool:
        """Say whether a mailbox has more than a trace of a message."""
        if (mailbox.connection_id, google_id) in self.ours:
            return True
        kept = self.settings.get(mailbox.connection_id, Kept())
        if kept.policy == "none" or kept.blocked & self.concerns.get(google_id, frozenset()):
            return False
        return kept.policy == "all" or bool(self.expected(mailbox.tenant, google_id))

    def logged_with(self, mailbox: Mailbox, google_id: str) -> set[str]:
        """Return the ids of all that a message in a mailbox is logged with."""
        asked = self.asked.get((mailbox.connection_id, google_id))
        return self.expected(mailbox.tenant, google_id) | ({asked} if asked else set())

    def expected(self, tenant: str, google_id: str) -> set[str]:
        """Return the ids of the tenant's leads that a message concerns."""
        concerned = self.concerns.get(google_id, frozenset())
        return {
            name
            for (whose, name), entity in self.entities.items()
            if whose == tenant and entity.emails and entity.emails & concerned
        }
