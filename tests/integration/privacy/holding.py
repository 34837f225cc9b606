"""Services that are full of one person; and a way to look through every column of every table."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from libs.common import clock
from libs.common.db import Connection
from libs.common.ids import new_id
from services.mail.domain.links import hashes_of
from tests.integration.auth.stand import Answer
from tests.integration.mail.letters import letter, post, sent
from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE, Json, ServiceStand
from tests.support import bearer, caller_token, eventually, service_caller_token

ADDRESS = "zsofia.quartz@canary.example"
ALIAS = "zq@alias-canary.example"
THIRD = "third@alias-canary.example"
"""No entity has it: of mail under it only a trace is kept where that is the policy."""
NAME = "Zsofia Quartz"
WORD = "xylocanary"
"""Stands in whatever the person wrote, and in names of attachments."""
BEA = "bea@example.com"
OTHERS = "otto@umbrella.example"
CARL = "carl@else.example"
PREFIXES = {
    "auth": "/v1/connections/privacy",
    "mail": "/v1/mail/privacy",
    "calendar": "/v1/calendar/privacy",
    "contacts": "/v1/contacts/privacy",
}
SERVICE = service_caller_token()

MOVING = frozenset({"feeds", "signals", "watches", "channels", "quota_usage", "privacy_requests"})
"""Tables that change on their own, or by the asking, and hold nothing of a correspondent."""

TABLES = """
SELECT table_name FROM information_schema.tables
 WHERE table_schema = 'public' AND table_type = 'BASE TABLE' ORDER BY table_name
"""


@dataclass
class Held:
    """What lies where, as text in small letters: a line for each row."""

    rows: dict[str, list[str]] = field(default_factory=dict)

    def places(self, needles: Iterable[str]) -> dict[str, set[str]]:
        """Return which needles are in which table."""
        found = {
            table: {needle for needle in needles if any(needle.lower() in row for row in rows)}
            for table, rows in self.rows.items()
        }
        return {table: some for table, some in found.items() if some}


async def look_through(conn: Connection, *, only: str | None = None) -> Held:
    """Read every column of every table.

    With `only`, the rows that begin with that tenant, of tables that do not move on their own.
    """
    held = Held()
    for row in await conn.fetch(TABLES):
        name = row["table_name"]
        rows = await conn.fetch(f'SELECT t::text AS line FROM "{name}" AS t')  # noqa: S608
        lines = [one["line"].lower() for one in rows]
        if only is None or name not in MOVING:
            held.rows[name] = sorted(one for one in lines if only is None or f"({only}," in one)
    return held


def spellings(stand: Stand) -> set[str]:
    """Return all by which the person may be found: in the clear, in bytes, hashed, in words."""
    clear = {ADDRESS, ALIAS, THIRD, NAME, WORD, "zsofia", "quartz"}
    hashed = hashes_of([ADDRESS, ALIAS, THIRD], stand.settings.hash_key_bytes)
    in_bytes = {one.encode().hex() for one in clear} | {NAME.lower().encode().hex()}
    return clear | in_bytes | {one.hex() for one in hashed}


async def fill(stand: Stand) -> dict[str, str]:
    """Let the person appear wherever somebody can; return the connections by whose they are."""
    await stand.google.add_person(BEA, name="Bea")
    await stand.google.add_person(OTHERS, name="Otto")
    await _old_mail(stand)
    ids = {"ada": await stand.connect(access="write")}
    ids["bea"] = await stand.connect(person=BEA, token=caller_token(user="bea"))
    umbrella = caller_token(tenant="umbrella")
    ids["otto"] = await stand.connect(person=OTHERS, token=umbrella)
    known = {"policy": "known"}
    path = f"/v1/mail/connections/{ids['bea']}/settings"
    assert (await stand.call("PUT", path, known, token=caller_token(user="bea"))).status == 200
    await _entities(stand, SERVICE)
    await _entities(stand, service_caller_token(tenant="umbrella"))
    await _new_mail(stand)
    await _outgoing(stand, ids["ada"])
    await stand.quiet()
    await _what_went_wrong(stand, ids["ada"])
    return ids


async def _old_mail(stand: Stand) -> None:
    days = int((clock.now() - timedelta(days=3)).timestamp() * 1000)
    for box in (ALICE, OTHERS):
        await stand.deliver(box, **_from_them("old"), internal_date_ms=days)


def _from_them(what: str) -> Json:
    return {
        "from": f"{NAME} <{ADDRESS}>",
        "subject": f"{WORD} {what}",
        "text": f"I say {WORD}.",
        "html": f"<p>I say <b>{WORD}</b>.</p>",
        "attachments": [
            {
                "filename": f"{WORD}.pdf",
                "content": base64.b64encode(WORD.encode()).decode(),
                "mime_type": "application/pdf",
            }
        ],
    }


async def _new_mail(stand: Stand) -> None:
    for box in (ALICE, OTHERS):
        await stand.deliver(box, **_from_them("new"))
    await stand.deliver(
        ALICE, **{"from": ALICE, "sent": True, "to": ALIAS, "subject": WORD, "text": WORD}
    )
    await stand.deliver(  # others take part: this one stays, without them
        ALICE,
        **{"from": f"Carl <{CARL}>", "cc": f'"{NAME}" <{ADDRESS.upper()}>'},
        subject=f"Meeting {NAME} soon",
        text=f"Carl says: write to {ADDRESS}, that is {NAME}.\n\n"
        f"On Monday {NAME} <{ADDRESS}> wrote:\n> I say {WORD}.\n",
        html=f"<p>Carl says: write to <a href='mailto:{ADDRESS}'>{NAME}</a></p>",
    )
    await stand.deliver(  # and here they are only mentioned
        ALICE, **{"from": CARL}, subject="Tip", text=f"Ask {ALIAS}."
    )
    doomed = await stand.deliver(ALICE, **_from_them("doomed"))
    await stand.deliver(BEA, **{**_from_them("stranger"), "from": THIRD})
    await eventually(lambda: _is_here(stand, 9))
    await stand.edit(doomed["id"], "delete")
    await stand.quiet()


async def _is_here(stand: Stand, messages: int) -> bool:
    rows = await stand.fetch("SELECT count(*) AS n FROM messages")
    return bool(rows[0]["n"] >= messages)


async def _entities(stand: Stand, token: str) -> None:
    lead = {"version": 1, "name": NAME, "emails": [ADDRESS], "phones": ["+361555"]}
    deal = {"version": 1, "name": f"Deal with {ADDRESS}", "emails": [ALIAS, CARL]}
    for path, body in (("lead/zq", lead), ("deal/big", deal)):
        answer = await stand.call("PUT", f"/v1/mail/entities/{path}", body, token=token)
        assert answer.status == 200, answer


async def _outgoing(stand: Stand, connection_id: str) -> None:
    to = [{"address": ADDRESS, "name": NAME}]
    body = letter(connection_id=connection_id, to=to, subject=WORD, text=WORD)
    await sent(stand, body, (f"{WORD}.txt", "text/plain", WORD.encode()))
    later = (clock.now() + timedelta(days=2)).isoformat()
    answer = await post(stand, {**body, "send_at": later}, (f"{WORD}.txt", "text/plain", b"1"))
    assert answer.status == 202, answer
    draft = {
        "connection_id": connection_id,
        "to": [{"address": CARL}],
        "subject": "For Carl",
        "text": f"Ask {ADDRESS}",
    }
    answer = await post(stand, draft, path="/v1/mail/drafts")
    assert answer.status in (201, 202), answer


async def _what_went_wrong(stand: Stand, connection_id: str) -> None:
    """Put there what only happens when something fails."""
    data = base64.b64encode(orjson.dumps({"emailAddress": ADDRESS, "historyId": "x"})).decode()
    push = orjson.dumps({"message": {"data": data}})
    event = {
        "id": str(new_id()),
        "type": "mail.message.received.v1",
        "tenantid": "acme",
        "subject": f"message/{new_id()}",
        "sequence": "00000000000000000001",
        "data": {"from": {"address": ADDRESS}, "subject": "dead"},
    }
    async with stand.pool() as conn:
        await conn.execute(
            "INSERT INTO dead_items (id, kind, item, cause, payload, created_at)"
            " VALUES ($1, 'gmail.push', 'x', 'unusable-body', $2, now())",
            new_id(),
            push,
        )
        await conn.execute(
            "INSERT INTO outbox_dead (id, event_id, type, body, created_at, reason)"
            " VALUES (1, $1, $2, $3, now(), 'unroutable')",
            UUID(str(event["id"])),
            event["type"],
            orjson.dumps(event),
        )
        await conn.execute(
            "INSERT INTO holds (tenant_id, id, connection_id, feed_id, kind, affected, total,"
            " state, created_at, decided_at, decided_by)"
            " SELECT tenant_id, $2, connection_id, id, 'many-links', 1, 1, 'approved', now(),"
            " now(), 'user:ada' FROM feeds WHERE connection_id = $1 LIMIT 1",
            UUID(connection_id),
            new_id(),
        )


async def ask(
    stand: ServiceStand, service: str, path: str, body: Any, token: str = SERVICE
) -> Answer:
    """Ask one of the services about a person."""
    of = stand.auth if service == "auth" else stand
    return await of.call("POST", f"{PREFIXES[service]}/{path}", body, token=token)


async def exported(
    stand: ServiceStand, service: str, person: Json, token: str = SERVICE
) -> list[Json]:
    """Return what an export holds, its last line included."""
    of = stand.auth if service == "auth" else stand
    url = f"{of.origin}{PREFIXES[service]}/exports"
    async with stand.session.post(url, json=person, headers=bearer(token)) as answer:
        assert answer.status == 200, answer
        return [orjson.loads(line) for line in (await answer.read()).splitlines()]


async def erased(stand: ServiceStand, service: str, person: Json, token: str = SERVICE) -> Json:
    """Have a person erased (or counted); return the request once it has ended."""
    answer = await ask(stand, service, "erasures", person, token)
    assert answer.status == 202, answer
    of = stand.auth if service == "auth" else stand

    async def look() -> Json:
        found = await of.call("GET", answer.headers["Location"], token=token)
        assert found.body["finished_at"], found.body
        return dict(found.body)

    ended = await eventually(look)
    assert ended["state"] == "done", ended
    return ended
