"""Keeping less of messages that are held, and telling of it."""

from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from services.mail.domain import events
from services.mail.domain.connection import Connection
from services.mail.domain.keeping import Rules, Verdict, reduced_content
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Direction, Keep
from services.mail.store import keeping as store
from services.mail.store import links
from services.mail.store.keeping import Held
from services.mail.sync.keeper import Keeper
from services.mail.sync.linking import Linker, tell


async def judge(
    conn: Conn,
    connection: Connection,
    held: list[Held],
    *,
    rules: Rules,
    keeper: Keeper,
    linker: Linker,
) -> list[Verdict]:
    """Return of each message that is held in full or in part how much of it may be."""
    refs = await linker.match_all(conn, connection, [one.content for one in held])
    ours = await keeper.ours(conn, connection, [one.google_id for one in held])
    return [
        rules.decide(
            people=(person.address for person in one.content.people()),
            labels=one.labels,
            date=one.internal_date,
            known=bool(some),
            sent_by_us=one.google_id in ours,
        )
        for one, some in zip(held, refs, strict=True)
    ]


async def redact(
    conn: Conn,
    connection: Connection,
    held: Held,
    verdict: Verdict,
    *,
    origin: Origin,
    now: datetime,
) -> list[Envelope]:
    """Keep no more of a message than the verdict says; return the events that tell of it.

    It is locked, and more of it is held. What it is linked to loses it, unless people, date and
    entities may stay: then its activity is told anew if it said more.
    """
    if held.kept <= Keep.TRACE:
        if verdict.keep < held.kept:
            await store.empty_trace(conn, connection.tenant_id, held.id)
        return []
    refs = await links.list_links(conn, connection.tenant_id, held.id)
    if verdict.keep <= Keep.TRACE:
        return await _empty(conn, connection, held, verdict, bool(refs), origin, now)
    content = reduced_content(held.content, verdict.keep)
    snippet = held.snippet if verdict.keep is Keep.SNIPPET else ""
    sequence = await store.trim_message(
        conn, connection.tenant_id, held.id, keep=verdict.keep, content=content, snippet=snippet
    )
    event = events.redacted(connection, held, verdict, origin)
    told = [_told(event, connection, held.id, sequence=sequence, time=now)]
    if refs and (content.subject, snippet) != (held.content.subject, held.snippet):
        facts = _facts(held, content, snippet)
        told.append(await tell(conn, connection, facts, origin=origin, time=now))
    return told


async def _empty(  # noqa: PLR0917 - of one caller
    conn: Conn,
    connection: Connection,
    held: Held,
    verdict: Verdict,
    linked: bool,  # noqa: FBT001
    origin: Origin,
    now: datetime,
) -> list[Envelope]:
    tenant_id = connection.tenant_id
    sequence = await store.empty_message(conn, tenant_id, held.id, verdict.keep)
    event = events.redacted(connection, held, verdict, origin)
    told = [_told(event, connection, held.id, sequence=sequence, time=now)]
    if linked:
        await links.remove_links(conn, tenant_id, held.id)
        facts = _facts(held, Content(), "")
        told.append(await tell(conn, connection, facts, origin=origin, time=now))
    return told


def _facts(held: Held, content: Content, snippet: str) -> Facts:
    return Facts(
        message_id=held.id,
        google_id=held.google_id,
        occurred_at=held.internal_date,
        direction=held.direction or Direction.INBOUND,
        content=content,
        snippet=snippet,
    )


def _told(
    event: Event, connection: Connection, message_id: UUID, *, sequence: int, time: datetime
) -> Envelope:
    return Envelope.of(
        event,
        tenant_id=connection.tenant_id,
        aggregate_id=str(message_id),
        sequence=sequence,
        time=time,
    )
