"""Linking mail to the CRM's entities: as it arrives, and when the directory changes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.common.db import Connection as Conn
from libs.common.directory import Change, Entity, EntityRef, told
from libs.common.directory import store as directory
from libs.common.directory.told import News
from libs.common.feeds.holds import Hold, HoldState
from libs.common.feeds.store import raise_signals
from libs.common.ids import new_id
from services.mail.domain import links as rules
from services.mail.domain.activities import activity_id
from services.mail.domain.connection import Connection
from services.mail.domain.links import Facts, OwnAddresses
from services.mail.domain.message import Content, Fetched, address_hashes
from services.mail.domain.preferences import Preferences
from services.mail.store import link_work
from services.mail.store import links as store
from services.mail.sync.feeds import work_address
from services.mail.sync.meaning.activities import Activities, copy_of

SIGNAL_TIMEOUT_S = 5.0
HOLD_KIND = "many-links"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message that is new, and whom it concerns."""

    id: UUID
    message: Fetched
    refs: tuple[EntityRef, ...]
    activity_id: UUID | None
    """Of which activity it is a copy; None: it concerns nobody, or is only a trace."""

    @classmethod
    def of(
        cls,
        tenant_id: str,
        message: Fetched,
        refs: tuple[EntityRef, ...],
        *,
        message_id: UUID | None = None,
    ) -> "Arrival":
        """Return a message under the id that was promised for it, or under one of its own."""
        message_id = message_id or new_id()
        is_copy = bool(refs) and message.whole
        named = activity_id(tenant_id, message_id, message.content) if is_copy else None
        return cls(message_id, message, refs, named)


class Linker:
    """Finds the entities a message concerns, and keeps the links.

    Args:
        hash_key: of the hashes of addresses.
    """

    def __init__(self, *, hash_key: bytes, now: Callable[[], datetime]) -> None:
        self._hash_key = hash_key
        self._now = now

    def digest(self, address: str) -> bytes:
        """Return the keyed hash of a folded address."""
        return rules.hashes_of([address], self._hash_key)[0]

    async def match(
        self, conn: Conn, connection: Connection, content: Content
    ) -> tuple[EntityRef, ...]:
        """Return the entities a message concerns as the directory is now.

        Takes no lock: it decides what to fetch. What is true in the end `link` finds out.
        """
        (refs,) = await self.match_all(conn, connection, [content])
        return refs

    async def match_all(
        self, conn: Conn, connection: Connection, contents: Sequence[Content]
    ) -> list[tuple[EntityRef, ...]]:
        """Return of each message the entities it concerns; see `match`."""
        everybody = {one.address for content in contents for one in content.people()}
        found = await directory.find_by_addresses(conn, connection.tenant_id, [*everybody])
        if not found:  # most mail is a stranger's
            return [() for _ in contents]
        own = await own_addresses(conn, connection.tenant_id)
        return [
            tuple(sorted({ref for address in some for ref in found.get(address, ())}))
            for some in (rules.matchable(one, own) for one in contents)
        ]

    async def link(
        self,
        conn: Conn,
        connection: Connection,
        message_id: UUID,
        *,
        message: Fetched,
        activities: Activities,
        named: UUID | None = None,
        traced: bool = False,
    ) -> None:
        """Link a message that this transaction has stored, and gather what is told of it.

        The caller's transaction should begin with `directory.lock_shared`, before it locks any
        row (`lease.advance` does): a disconnection that waits for a row of ours, and a change
        that waits for it, would end in a deadlock. Here it is taken in any case.

        Of a trace only the hashes are kept: when an entity appeared since `match`, the message
        is queued to be fetched whole.

        Args:
            message: what was stored.
            activities: of the transaction.
            named: the activity it is a copy of already; None: it is of none yet.
            traced: only a trace was stored.
        """
        tenant_id = connection.tenant_id
        await directory.lock_shared(conn, tenant_id)
        hashes = address_hashes(message.content.people(), self._hash_key)
        await store.add_hashes(conn, tenant_id, connection.id, message_id, hashes)
        refs = await self.match(conn, connection, message.content)
        if not refs:
            return
        if traced:
            now = self._now()
            await link_work.queue_entities(conn, tenant_id, connection.id, refs, now)
            await _raise(conn, {connection.id}, now)
            return
        if named is None:
            named = activity_id(tenant_id, message_id, message.content)
            await store.set_activity(conn, tenant_id, message_id, named)
        facts = Facts.of(message_id, message, named)
        activities.add(copy_of(connection, facts, refs))

    async def link_new(
        self,
        conn: Conn,
        connection: Connection,
        arrivals: Sequence[Arrival],
        activities: Activities,
    ) -> None:
        """Link messages this transaction has added, each with its activity.

        As `link`, for many at once: the caller's transaction has the directory's lock shared,
        and asked `match_all` under it.
        """
        tenant_id = connection.tenant_id
        hashes = [
            (digest, one.id)
            for one in arrivals
            for digest in address_hashes(one.message.content.people(), self._hash_key)
        ]
        await store.add_all_hashes(conn, tenant_id, connection.id, hashes)
        traced = {ref for one in arrivals if not one.message.whole for ref in one.refs}
        if traced:
            now = self._now()
            await link_work.queue_entities(conn, tenant_id, connection.id, sorted(traced), now)
            await _raise(conn, {connection.id}, now)
        for one in arrivals:
            if one.activity_id is not None:
                facts = Facts.of(one.id, one.message, one.activity_id)
                activities.add(copy_of(connection, facts, one.refs))

    async def upsert(self, conn: Conn, tenant_id: str, entities: Sequence[Entity]) -> list[bool]:
        """Take in entities and queue their mail; say of each whether it was newer."""
        now = self._now()
        await directory.lock_exclusive(conn, tenant_id)
        changes = await directory.upsert_entities(conn, tenant_id, entities, now)
        await self._queue(conn, tenant_id, [one for one in changes if one is not None], now)
        return [one is not None for one in changes]

    async def delete(self, conn: Conn, tenant_id: str, ref: EntityRef, version: int) -> bool:
        """Take in that an entity is gone and queue its mail; say whether that was news."""
        now = self._now()
        await directory.lock_exclusive(conn, tenant_id)
        change = await directory.delete_entity(conn, tenant_id, ref, version, now)
        if change is not None:
            await self._queue(conn, tenant_id, [change], now)
        return change is not None

    async def learn(self, conn: Conn, tenant_id: str, news: News) -> bool:
        """Take in what was told of a contact and queue its mail; say whether that was news."""
        now = self._now()
        await directory.lock_exclusive(conn, tenant_id)
        changes = await told.take_in(conn, tenant_id, news, now)
        await self._queue(conn, tenant_id, changes, now)
        return bool(changes)

    async def decide(self, conn: Conn, held: Hold) -> None:
        """Go on with, or drop, the work that was held, as a person decided; other holds pass."""
        if held.kind != HOLD_KIND:
            return
        ref, where = EntityRef.from_subject(held.subject), (held.tenant_id, held.connection_id)
        if held.state is HoldState.REJECTED:
            await link_work.end_work(conn, *where, ref)
            return
        await link_work.set_work_state(conn, *where, ref, "approved")
        await _raise(conn, {held.connection_id}, self._now())

    async def hashes_of(self, conn: Conn, tenant_id: str, ref: EntityRef) -> tuple[bytes, ...]:
        """Return the hashes by which an entity's mail is found; none of a deleted one."""
        entity = await directory.find_entity(conn, tenant_id, ref)
        if entity is None:
            return ()
        own = await own_addresses(conn, tenant_id)
        return rules.hashes_of(own.others(entity.emails), self._hash_key)

    async def reown(
        self, conn: Conn, tenant_id: str, before: Preferences, after: Preferences
    ) -> None:
        """Queue the mail of entities whose addresses become, or cease to be, the tenant's own."""
        now = self._now()
        moved = rules.moved_own(before, after)
        entities = await directory.list_entities_at(
            conn, tenant_id, addresses=moved.addresses, domains=moved.domains
        )
        changes = [
            Change(ref=one.ref, version=one.version, added=frozenset(one.emails))
            for one in entities
        ]
        await self._queue(conn, tenant_id, changes, now)

    async def hits(
        self, conn: Conn, tenant_id: str, entities: Sequence[Entity]
    ) -> list[tuple[EntityRef, int, bytes]]:
        """Return entities, with version and hash, by each address their mail is found by."""
        own = await own_addresses(conn, tenant_id)
        return [
            (one.ref, one.version, hashed)
            for one in entities
            for hashed in rules.hashes_of(own.others(one.emails), self._hash_key)
        ]

    async def _queue(
        self, conn: Conn, tenant_id: str, changes: Iterable[Change], now: datetime
    ) -> None:
        hits = [
            (one.ref, one.version, hashed)
            for one in changes
            for hashed in rules.hashes_of(one.addresses, self._hash_key)
        ]
        await _raise(conn, await link_work.queue_work(conn, tenant_id, hits, now), now)


async def own_addresses(conn: Conn, tenant_id: str) -> OwnAddresses:
    """Return what is the tenant's own."""
    return await store.find_own(conn, tenant_id)


async def _raise(conn: Conn, connection_ids: set[UUID], now: datetime) -> None:
    if connection_ids:
        addresses = sorted(work_address(one) for one in connection_ids)
        await raise_signals(conn, addresses, now=now, timeout_s=SIGNAL_TIMEOUT_S)
