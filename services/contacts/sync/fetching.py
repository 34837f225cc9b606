"""One contact or one person brought into step at once, because somebody asks for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import store as directory
from libs.common.errors import Conflict, NotFound
from libs.common.events.base import Origin
from libs.common.waiting import wait_until
from libs.common.writes import Write, WriteState
from libs.common.writes import store as ledger
from libs.common.writes.model import OPEN
from services.contacts.domain.connection import Connection
from services.contacts.domain.person import Known
from services.contacts.google import GooglePeople
from services.contacts.store import connections, people
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.outward.pushes import PERSON
from services.contacts.sync.outward.queueing import queue_wish

SHOWN: Final = frozenset({"created", "updated"})


@dataclass(frozen=True, slots=True)
class Pushed:
    """What writing a contact came to."""

    resource: str | None
    action: str
    """`created`, `updated` or `unchanged`."""


@dataclass(frozen=True, slots=True)
class Pulled:
    """What taking a person in came to."""

    contact_id: UUID | None
    resource: str
    action: str
    """`created`, `updated` or `unchanged`."""


class Fetching:
    """Writes a contact, or reads a person, while somebody waits."""

    def __init__(
        self, pool: Pool, google: GooglePeople, intake: Intake, *, now: Callable[[], datetime]
    ) -> None:
        """Read through `google`, and take in through `intake`."""
        self._pool = pool
        self._google = google
        self._intake = intake
        self._now = now

    async def queue(
        self, conn: Conn, connection: Connection, contact_id: UUID, *, now: datetime
    ) -> UUID:
        """Queue that a contact is brought into step; return the write's id.

        Raises:
            Conflict: `not-confirmed`: nobody has said yes to what is written first;
                `not-pushing`: nothing is written into this address book.
            TooManyWrites: it was asked for too often.
        """
        await directory.lock_shared(conn, connection.tenant_id)
        now_is = await connections.lock_connection(conn, connection.tenant_id, connection.id)
        if now_is is None or now_is.read_at is None or now_is.confirmed_at is None:
            raise Conflict("What is written first is not confirmed.", slug="not-confirmed")
        if not now_is.may_write:
            raise Conflict("Nothing is written into this address book.", slug="not-pushing")
        return await queue_wish(conn, now_is, PERSON, contact_id, now=now)

    async def wait(self, tenant_id: str, write_id: UUID, *, timeout_s: float) -> Pushed | None:
        """Return what a write came to; None: it is not over yet.

        Raises:
            Conflict: `push-failed`: Google refused it, or nobody knows what became of it.
        """

        async def look() -> tuple[Write | None, bool]:
            async with transaction(self._pool) as conn:
                found = await ledger.find(conn, tenant_id, write_id)
            return found, found is None or found.state not in OPEN

        write = await wait_until(look, timeout_s=timeout_s)
        if write is None or write.state in OPEN:
            return None
        if write.state is not WriteState.DONE:
            raise Conflict("Google did not take it.", slug="push-failed", reason=write.reason)
        answer = write.answer or {}
        action = str(answer.get("action"))
        return Pushed(answer.get("resource"), action if action in SHOWN else "unchanged")

    async def pull(self, connection: Connection, resource: str) -> Pulled:
        """Take in a person as Google has them now; whoever is nobody's contact becomes one.

        Raises:
            NotFound: Google has no such person.
            Conflict: `ambiguous`: they may be several contacts, and somebody has to choose.
        """
        box = self._google.box(connection)
        person = await box.get_person(resource)
        if person is None:
            raise NotFound("Google has no such person.")
        where = connection.tenant_id, connection.id
        async with transaction(self._pool) as conn:
            turn = await Turn.begin(conn, connection.tenant_id, now=self._now())
            before = await self._find(turn, connection, person.resource)
            taken = await self._intake.take(
                turn, connection, [person], origin=Origin.CRM, imports=True
            )
            if not taken.is_anything and before is not None and before.contact_id is None:
                taken = await self._intake.relook(
                    turn, connection, [before], origin=Origin.CRM, imports=True
                )
            await turn.end()
            known = (await people.find_people(conn, *where, [person.resource])).get(person.resource)
        if known is None or known.contact_id is None:
            raise Conflict("They may be several contacts.", slug="ambiguous")
        action = "created" if taken.added else "updated" if taken.changed else "unchanged"
        return Pulled(known.contact_id, known.resource, action)

    async def _find(self, turn: Turn, connection: Connection, resource: str) -> Known | None:
        """Return what is known of a person; if their contact was deleted, they are nobody's."""
        where = turn.conn, turn.tenant_id
        known = (await people.find_people(*where, connection.id, [resource])).get(resource)
        if known is None or known.contact_id is None:
            return known
        contact = (await turn.find([known.contact_id])).get(known.contact_id)
        if contact is None or contact.is_live or contact.merged_into is not None:
            return known
        free = replace(known, contact_id=None, etag="", made_by_us=False)
        await people.put_people(*where, [free], now=turn.now)
        return free
