"""A calendar service that is full of one person."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from libs.common import clock
from libs.common.directory import Entity
from libs.common.ids import new_id
from services.calendar.app.parts import LINKER
from tests.integration.calendar.stand import Stand, at
from tests.integration.privacy.holding import (
    ADDRESS,
    ALIAS,
    BEA,
    CARL,
    NAME,
    OTHERS,
    WORD,
)
from tests.integration.service_stand import ALICE
from tests.support import caller_token, eventually

PHONE = "+361555"
CLEAR = {ADDRESS, ALIAS, NAME, WORD, PHONE, "zsofia", "quartz"}
SPELLINGS = CLEAR | {one.encode().hex() for one in CLEAR}
MIRROR = "mirrorofappointment"
APPOINTMENT = {
    "appointment_id": "a1",
    "version": 3,
    "service": "Fitting",
    "duration": 30,
    "zone": None,
    "status": "scheduled",
    "client": {"name": NAME, "phone": PHONE, "email": ADDRESS.title()},
    "professional": {"user_id": "ada", "name": "Ada"},
    "notes": f"{WORD} likes green",
    "price": None,
}
WISHED = {"summary": f"Fitting - {NAME}", "description": f"{NAME}\n{PHONE}\n{ADDRESS}"}
PUT_APPOINTMENT = """
INSERT INTO appointments (tenant_id, appointment_id, version, user_id, body, status, starts_at,
                          ends_at, connection_id, calendar_id, google_id, wished, updated_at)
SELECT tenant_id, 'a1', 3, 'ada', $2, 'scheduled', now(), now(), connection_id, id, $3, $4, now()
  FROM calendars WHERE connection_id = $1 AND is_primary
"""
PUT_CONFLICT = """
INSERT INTO conflicts (tenant_id, id, connection_id, calendar_id, google_id, appointment_id, base,
                       ours, theirs, created_at, state, resolved_at, resolved_by)
SELECT tenant_id, $2, connection_id, id, 'g1', $4, $3, $3, $3, now(), 'resolved', now(), 'user:ada'
  FROM calendars WHERE connection_id = $1 AND is_primary
"""
PUT_WRITE = """
INSERT INTO writes (tenant_id, id, group_id, connection_id, kind, item, base, desired, answer,
                    state, due_at, created_at, finished_at)
VALUES ('acme', $1, $1, $2, 'calendar.event', 'event:g1', $3, $3, $3, $4, now() + interval '1 day',
        now(), CASE $4 WHEN 'done' THEN now() END)
"""
PUT_DEAD_ITEM = """
INSERT INTO dead_items (id, tenant_id, feed_id, kind, item, cause, payload, created_at)
SELECT $2, tenant_id, id, 'calendar.event', 'g9', 'unusable', $3, now()
  FROM feeds WHERE connection_id = $1 AND kind = 'calendar.events'
"""
PUT_DEFAULTS = """
INSERT INTO tenant_defaults (tenant_id, defaults, version) VALUES ('acme', $1, 1)
"""
PUT_WORK = """
INSERT INTO link_work VALUES ('acme', $1, 'lead', 'zq', $2)
"""
PUT_HOLD = """
INSERT INTO holds (tenant_id, id, connection_id, feed_id, kind, affected, total, state, created_at,
                   decided_at, decided_by)
SELECT tenant_id, $2, connection_id, id, 'wave', 1, 1, 'approved', now(), now(), 'user:ada'
  FROM feeds WHERE connection_id = $1 LIMIT 1
"""
PUT_LOST_EVENT = """
INSERT INTO outbox_dead (id, event_id, type, body, created_at, reason)
VALUES (1, $1, $2, $3, now(), 'unroutable')
"""


def guests(*emails: str) -> list[dict[str, str]]:
    """Return attendees; the person by their name."""
    names = {ADDRESS: NAME, ALIAS: NAME}
    return [{"email": one, "displayName": names.get(one, one)} for one in emails]


async def fill(stand: Stand) -> dict[str, str]:
    """Let the person appear wherever somebody can; return the connections by whose they are."""
    for email, name in ((BEA, "Bea"), (OTHERS, "Otto"), (ADDRESS, NAME)):
        await stand.google.add_person(email, name=name)
    ids = {"ada": await stand.connect()}
    ids["bea"] = await stand.connect(person=BEA, token=caller_token(user="bea"))
    ids["otto"] = await stand.connect(person=OTHERS, token=caller_token(tenant="umbrella"))
    async with stand.pool() as conn, conn.transaction():
        for tenant in ("acme", "umbrella"):
            lead = Entity(
                entity_type="lead",
                entity_id="zq",
                version=1,
                name=NAME,
                emails=(ADDRESS,),
                phones=(PHONE,),
                owner_user_id="ada",
            )
            deal = Entity(
                entity_type="deal",
                entity_id="big",
                version=1,
                name=f"Deal with {ADDRESS}",
                emails=(ALIAS, CARL),
            )
            await stand.app[LINKER].upsert(conn, tenant, [lead, deal])
    await _meet(stand)
    await stand.quiet()
    await _remember(stand, UUID(ids["ada"]))
    await stand.quiet()
    return ids


async def _meet(stand: Stand) -> None:
    both = guests(ALICE, BEA, ADDRESS.upper(), CARL)
    made = [
        await stand.happens(
            at(3, summary=f"Meeting {NAME} soon", description=f"Write to {ADDRESS}", attendees=both)
        ),
        await stand.happens(at(5, summary="Tip", description=f"Ask {ALIAS}.")),
        await stand.happens(
            at(6, summary=f"Fitting - {NAME}", description=f"Client: {NAME}, {PHONE}", id=MIRROR)
        ),
        await stand.happens(
            at(7, summary=WORD, location=WORD, description=WORD, attendees=guests(ALICE)),
            person=ADDRESS,
        ),
        await stand.happens(
            at(8, summary=f"With {NAME}", attendees=guests(ADDRESS)), person=OTHERS
        ),
    ]

    async def all_are_told() -> bool:
        return all(stand.told_of(one["id"]) for one in made)

    await eventually(all_are_told)


async def _remember(stand: Stand, ada: UUID) -> None:
    """Put there what else may name somebody."""
    start = (clock.now() + timedelta(hours=6)).isoformat()
    wish: dict[str, Any] = {
        "summary": f"For {ADDRESS}",
        "attendees": [{"email": ADDRESS, "displayName": NAME}, {"email": CARL}],
    }
    lost = {
        "id": str(new_id()),
        "type": "calendar.event.updated.v1",
        "tenantid": "acme",
        "subject": f"event/{new_id()}",
        "sequence": "00000000000000000001",
        "data": {"title": NAME, "attendees": [{"email": ADDRESS, "name": NAME}]},
    }
    async with stand.pool() as conn:
        await conn.execute(PUT_APPOINTMENT, ada, APPOINTMENT | {"start": start}, MIRROR, WISHED)
        await conn.execute(PUT_CONFLICT, ada, new_id(), wish, None)
        await conn.execute(PUT_CONFLICT, ada, new_id(), {"summary": f"Fitting - {NAME}"}, "a1")
        for state in ("queued", "done"):
            await conn.execute(PUT_WRITE, new_id(), ada, wish, state)
        mirrored = {"fields": {"summary": f"Fitting - {NAME}"}, "appointment_id": "a1"}
        await conn.execute(PUT_WRITE, new_id(), ada, mirrored, "done")
        await conn.execute(PUT_DEAD_ITEM, ada, new_id(), orjson.dumps(wish))
        await conn.execute(PUT_DEFAULTS, {"variables": {"contact": f"Call {ADDRESS}"}})
        await conn.execute(PUT_WORK, ada, [ADDRESS, CARL])
        await conn.execute(PUT_HOLD, ada, new_id())
        await conn.execute(PUT_LOST_EVENT, UUID(str(lost["id"])), lost["type"], orjson.dumps(lost))
