"""Understanding all numbers of a tenant anew, after it said where it is."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.events.base import Origin
from services.contacts.domain.card import Card
from services.contacts.domain.contact import Contact
from services.contacts.domain.items import led_card
from services.contacts.domain.person import Known
from services.contacts.domain.phones import dialled
from services.contacts.store import connections, people
from services.contacts.store import contacts as store
from services.contacts.sync.changing.turn import Turn

CHUNK: Final = 500


async def redial(conn: Conn, tenant_id: str, region: str, *, now: datetime) -> None:
    """Let the numbers of contacts and of people at Google be those of a region.

    What is known of both changes alike, so that nothing is written to Google for it.

    Args:
        conn: inside a transaction that has the tenant's lock.
        tenant_id: whose.
        region: where numbers without a country code are from.
        now: the present moment.
    """
    after: UUID | None = None
    while found := await store.list_contacts(
        conn, tenant_id, user_id=None, after=after, limit=CHUNK
    ):
        after = found[-1].id
        linked = await people.list_of_contacts(conn, tenant_id, [one.id for one in found])
        known = [one for each in linked.values() for one in each]
        await _redial(conn, tenant_id, found, known, region=region, now=now)
    for connection in await connections.list_connections(conn, tenant_id, None):
        resource = ""
        while known := await people.list_unlinked(
            conn, tenant_id, connection.id, after=resource, limit=CHUNK
        ):
            resource = known[-1].resource
            await _redial(conn, tenant_id, [], known, region=region, now=now)


async def _redial(
    conn: Conn,
    tenant_id: str,
    contacts: Sequence[Contact],
    known: Sequence[Known],
    *,
    region: str,
    now: datetime,
) -> None:
    turn = await Turn.begin(conn, tenant_id, now=now)
    for person in known:
        base = _anew(person.base, region)
        if base != person.base:
            turn.keep_person(replace(person, base=base))
    for one in contacts:
        card = _anew(one.card, region)
        if card != one.card:
            turn.change(one, card, origin=Origin.REPAIR, ours=False)
    await turn.end()


def _anew(card: Card, region: str) -> Card:
    after = dialled(card, region)
    return card if after is card else led_card(after)
