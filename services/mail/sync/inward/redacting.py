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
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.meaning.activities import Activities, copy_of
from services.mail.sync.meaning.linking import Linker


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


async def hold_against(
    conn: Conn,
    connection: Connection,
    held: list[Held],
    *,
    rules: Rules,
    keeper: Keeper,
    linker: Linker,
    now: datetime,
    activities: Activities,
) -> list[tuple[Verdict, list[Envelope]]]:
    """Keep of messages no more than the rules say; return what became of those that lost some."""
    verdicts = await judge(conn, connection, held, rules=rules, keeper=keeper, linker=linker)
    return [
        (
            verdict,
            await redact(
                conn,
                connection,
                one,
                verdict,
                origin=Origin.REPAIR,
                now=now,
                activities=activities,
            ),
        )
        for one, verdict in zip(held, verdicts, strict=True)
        if verdict.keep < one.kept
    ]


async def redact(
    conn: Conn,
    connection: Connection,
    held: Held,
    verdict: Verdict,
    *,
    origin: Origin,
    now: datetime,
    activities: Activities,
) -> list[Envelope]:
    """Keep no more of a message than the verdict says; return the events that tell of it.

    It is locked, and more of it is held. Its activity loses it, unless people, date and entities
    may stay: then that is told anew if it said more. Both are gathered in `activities`.
    """
    if held.kept <= Keep.TRACE:
        if verdict.keep < held.kept:
            await store.empty_trace(conn, connection.tenant_id, held.id)
        return []
    if verdict.keep <= Keep.TRACE:
        return await _empty(
            conn, connection, held, verdict, origin=origin, now=now, activities=activities
        )
    content = reduced_content(held.content, verdict.keep)
    snippet = held.snippet if verdict.keep is Keep.SNIPPET else ""
    sequence = await store.trim_message(
        conn, connection.tenant_id, held.id, keep=verdict.keep, content=content, snippet=snippet
    )
    event = events.redacted(connection, held, verdict, origin)
    says_less = (content.subject, snippet) != (held.content.subject, held.snippet)
    if held.activity_id is not None and says_less:
        activities.change(copy_of(connection, _facts(held, content, snippet)), time=now)
    return [_told(event, connection, held.id, sequence=sequence, time=now)]


async def _empty(
    conn: Conn,
    connection: Connection,
    held: Held,
    verdict: Verdict,
    *,
    origin: Origin,
    now: datetime,
    activities: Activities,
) -> list[Envelope]:
    tenant_id = connection.tenant_id
    sequence = await store.empty_message(conn, tenant_id, held.id, verdict.keep)
    event = events.redacted(connection, held, verdict, origin)
    if held.activity_id is not None:
        await links.remove_links(conn, tenant_id, held.id)
        activities.change(copy_of(connection, _facts(held, Content(), "")), time=now)
    return [_told(event, connection, held.id, sequence=sequence, time=now)]


def _facts(held: Held, content: Content, snippet: str) -> Facts:
    return Facts(
        message_id=held.id,
        google_id=held.google_id,
        thread_id=held.thread_id,
        occurred_at=held.internal_date,
        direction=held.direction or Direction.INBOUND,
        content=content,
        snippet=snippet,
        activity_id=held.activity_id,
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
