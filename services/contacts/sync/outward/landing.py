"""What becomes of contacts and people once Google has answered a write."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.common.db import Pool, transaction
from libs.common.events.base import Origin
from libs.common.writes import WriteState
from libs.common.writes import store as ledger
from services.contacts.domain.card import Card
from services.contacts.domain.connection import Connection
from services.contacts.domain.contact import Contact
from services.contacts.domain.person import Known, Person
from services.contacts.domain.phones import dialled
from services.contacts.domain.pushing import Op
from services.contacts.store import people, sync_logs, tenant_defaults
from services.contacts.store.sync_logs import Line
from services.contacts.sync.changing.turn import Turn
from services.contacts.sync.changing.uniting import unite
from services.contacts.sync.outward.planning import Step

ACTIONS = {Op.CREATE: "created", Op.UPDATE: "updated", Op.DELETE: "deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """How a step ended."""

    step: Step
    state: WriteState = WriteState.DONE
    person: Person | None = None
    """What Google answered; None to what deletes, or was not done."""
    found: bool = False
    """The person was found again, after the answer to their creation had been lost."""
    unlinked: bool = False
    """The person stays in the address book, and is nobody's contact any more."""
    agreed: bool = False
    """There was nothing that could be written: both sides say the same in their own ways."""
    reason: str | None = None
    """A short constant, unless it is done."""

    @property
    def action(self) -> str:
        """Return what it came to, in a word."""
        done = self.state is WriteState.DONE and not self.agreed
        return ACTIONS.get(self.step.op, "unchanged") if done else "unchanged"


async def land(
    pool: Pool, connection: Connection, landed: Sequence[Landed], *, now: datetime
) -> list[str]:
    """End writes, and keep what Google answered; return people who turned out to be doubles.

    What was written is what both sides agree on from now on, however Google spells it: what it
    answered is kept beside that, for writing it back. A read that was newer stays.
    """
    async with transaction(pool) as conn:
        turn = await Turn.begin(conn, connection.tenant_id, now=now)
        ids = [one.step.contact.id for one in landed if one.step.contact is not None]
        linked = await people.list_of_contacts(conn, connection.tenant_id, ids)
        region = (await tenant_defaults.find_defaults(conn, connection.tenant_id)).region
        doubles = []
        for one in landed:
            contact = one.step.contact
            here = [] if contact is None else linked[contact.id]
            mine = [known for known in here if known.connection_id == connection.id]
            kept = _kept(connection, one, mine, region=region, now=now)
            if contact is not None and one.step.op is Op.DELETE:
                turn.touch(contact.id)  # it may be back already
            if kept is not None and contact is not None and one.step.op is Op.CREATE:
                turn.linked(contact.id)  # also of what it has joined since
                if kept.contact_id is None:
                    doubles.append(kept.resource)
                    await _unite(turn, kept, contact)
            if kept is not None:  # last, so that uniting does not keep a double that goes
                turn.keep_person(kept)
        await ledger.finish_all(conn, connection.tenant_id, [_end(one) for one in landed], now=now)
        lines = [line for one in landed if (line := _line(connection, one)) is not None]
        await sync_logs.add_lines(conn, connection.tenant_id, lines, now=now)
        await turn.end()
    return doubles


async def _unite(turn: Turn, double: Known, contact: Contact) -> None:
    """Let the contact that a double of somebody was read as be a part of whose double it is.

    Where both are the CRM's, the CRM means two: that one is created anew, without the double.
    """
    where = turn.tenant_id, double.connection_id, [double.resource]
    read = (await people.find_people(turn.conn, *where)).get(double.resource)
    if read is None or read.contact_id in (None, contact.id):
        return
    found = await turn.find([read.contact_id, contact.id])
    other, into = found.get(read.contact_id), found.get(contact.id)
    if other is None or into is None or not (other.is_live and into.is_live):
        return
    if None not in (other.entity_id, into.entity_id):
        turn.touch(other.id)
        return
    await unite(turn, other, into, user_id=None, origin=Origin.REPAIR)


def _kept(
    connection: Connection, one: Landed, mine: Sequence[Known], *, region: str, now: datetime
) -> Known | None:
    """Return what is known of a person from now on; None: what is known already.

    Args:
        connection: whose address book.
        one: how a step ended.
        mine: the people of the address book that the contact is now.
        region: of the tenant.
        now: the present moment.
    """
    step, person, contact = one.step, one.person, one.step.contact
    if one.state is WriteState.CANCELLED and one.unlinked and step.known is not None:
        return replace(step.known, contact_id=None)
    if one.state is not WriteState.DONE or contact is None:
        return None
    before = next((known for known in mine if known.resource == _resource(one)), None)
    if step.op is Op.DELETE:
        # Nobody's from now on: the contact may come back, and is to be written as anew then.
        return None if before is None else replace(before, gone_at=now, groups=(), contact_id=None)
    if one.agreed:
        return None if before is None else replace(before, base=contact.card)
    if person is None or (before is not None and _is_older(person, before)):
        return None
    is_double = step.op is Op.CREATE and any(
        known.is_live and known.resource != person.resource for known in mine
    )
    return Known(
        tenant_id=connection.tenant_id,
        connection_id=connection.id,
        resource=person.resource,
        account_id=connection.account_id,
        contact_id=None if is_double else contact.id,
        etag=person.etag,
        google_updated=person.updated_at,
        base=_base(one, contact.card, person, region),
        items=person.items,
        groups=person.groups if before is None or not before.is_live else before.groups,
        made_by_us=step.op is Op.CREATE or (before is not None and before.made_by_us),
        gone_at=now if is_double else None,
    )


def _base(one: Landed, written: Card, person: Person, region: str) -> Card:
    """Return what both sides agree on: what was written; what is there if that is not known."""
    return dialled(person.card, region) if one.found else written


def _is_older(person: Person, known: Known) -> bool:
    read, written = known.google_updated, person.updated_at
    return read is not None and written is not None and read > written


def _resource(one: Landed) -> str | None:
    if one.person is not None:
        return one.person.resource
    return None if one.step.known is None else one.step.known.resource


def _end(one: Landed) -> ledger.Ending:
    answer = {"action": one.action, "resource": _resource(one)}
    return ledger.Ending(one.step.write, one.state, one.reason, answer)


def _line(connection: Connection, one: Landed) -> Line | None:
    if one.step.op is Op.NOTHING or one.agreed:
        return None
    status = "success" if one.state is WriteState.DONE else "error"
    contact = one.step.contact
    return Line(
        connection_id=connection.id,
        direction="to_google",
        action=one.step.op.value,
        status="skipped" if one.state is WriteState.CANCELLED else status,
        item_id=None if contact is None else contact.id,
        resource=_resource(one),
        error=one.reason,
    )
