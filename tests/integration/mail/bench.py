"""A database with mailboxes in it, and the parts that link mail to entities, without Google."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson

from libs.common import clock, db, outbox
from libs.common.connections.model import Access, State
from libs.common.db import Connection as Conn
from libs.common.db import Pool
from libs.common.directory import Entity, EntityRef
from libs.common.directory import store as directory
from libs.common.events.base import Origin
from libs.common.feeds import Feed, Lease, NewFeed
from libs.common.feeds import store as feeds
from libs.common.ids import new_id
from services.mail.domain.connection import Connection
from services.mail.domain.history import Change
from services.mail.domain.message import Content, Fetched, Person, Policy
from services.mail.store import connections
from services.mail.store.messages import NewMessage, add_messages, add_traces, lock_known
from services.mail.sync.feeds import work_address
from services.mail.sync.inward.fetching import Fetches
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.overtaking import Overtaking
from services.mail.sync.inward.writes import Writes
from services.mail.sync.meaning.activities import Activities
from services.mail.sync.meaning.link_work import LinkWork
from services.mail.sync.meaning.linking import Linker

KEY = b"k" * 32
SENT = datetime(2026, 1, 1, 12, tzinfo=UTC)
BOB = EntityRef("lead", "bob")


@dataclass
class Google:
    """What a fetch of whole messages would bring."""

    read: dict[str, Fetched] = field(default_factory=dict)
    unreadable: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    async def fetch(
        self, _feed: Feed, _connection: Connection, google_ids: Sequence[str]
    ) -> Fetches:
        self.asked += google_ids
        return Fetches(read=dict(self.read), unreadable=dict(self.unreadable))


@dataclass
class Bench:
    """A database, one mailbox, and the parts that link."""

    pool: Pool
    linker: Linker = field(default_factory=lambda: Linker(hash_key=KEY, now=clock.now))
    google: Google = field(default_factory=Google)
    keeper: Keeper = field(default_factory=lambda: Keeper(now=clock.now))
    holds: list[tuple[str, str, int, int]] = field(default_factory=list)

    @property
    def overtaking(self) -> Overtaking:
        nobody: Any = None  # no live feed goes on here
        return Overtaking(self.pool, nobody)

    def work(self, *, most: int = 5_000) -> LinkWork:
        return LinkWork(
            self.pool,
            self.linker,
            fetch=self.google.fetch,
            hold=self.hold,
            keeper=self.keeper,
            overtaking=self.overtaking,
            now=clock.now,
            most=most,
        )

    async def hold(
        self, _conn: Conn, _feed: Feed, *, kind: str, subject: str, affected: int, total: int
    ) -> None:
        self.holds.append((kind, subject, affected, total))

    async def connect(self, email: str = "alice@example.com", **more: Any) -> Connection:
        given: dict[str, Any] = {
            "tenant_id": "acme",
            "id": uuid4(),
            "account_id": uuid4(),
            "user_id": "ada",
            "access": Access.READ,
            "policy": Policy.ALL,
            "state": State.ACTIVE,
            "updated_at": clock.now(),
            **more,
        }
        connection = Connection(email=email, **given)
        async with db.transaction(self.pool) as conn:
            await connections.put_connection(conn, connection)
            new = NewFeed(
                tenant_id=connection.tenant_id,
                connection_id=connection.id,
                account_id=connection.account_id,
                kind="mail.work",
                resource="work",
                address=work_address(connection.id),
            )
            await feeds.open_feed(conn, new, now=clock.now())
        return connection

    async def lease(self, connection: Connection) -> Lease:
        """Take the lease of a mailbox's work from whoever has it."""
        async with db.transaction(self.pool) as conn:
            await conn.execute(
                "UPDATE signals SET due_at = '-infinity' WHERE address = $1",
                work_address(connection.id),
            )
            ((feed, epoch, generation),) = await feeds.claim(
                conn,
                limit=1,
                now=clock.now() - timedelta(days=1),
                lease_until=clock.now() + timedelta(hours=1),
            )
        return Lease(feed, epoch=epoch, generation=generation)

    async def run(self, connection: Connection, *, most: int = 5_000) -> None:
        lease, work = await self.lease(connection), self.work(most=most)
        while await work.step(lease, connection):
            pass

    async def arrive(
        self, connection: Connection, message: Fetched, *, traced: bool = False
    ) -> UUID:
        async with db.transaction(self.pool) as conn:
            return await self.store(conn, connection, message, traced=traced)

    async def store(
        self, conn: Conn, connection: Connection, message: Fetched, *, traced: bool = False
    ) -> UUID:
        message_id = new_id()
        add = add_traces if traced else add_messages
        new = [NewMessage(message_id, message)]
        await add(conn, connection.tenant_id, connection.id, new, now=clock.now())
        activities = Activities(conn, connection, origin=Origin.LIVE)
        await self.linker.link(
            conn, connection, message_id, message=message, activities=activities, traced=traced
        )
        await outbox.append(conn, *await activities.tell())
        return message_id

    async def take(
        self, connection: Connection, messages: Sequence[Fetched], *, gone: Sequence[str] = ()
    ) -> None:
        """Commit a chunk as the intake does: what is gone, and what is new."""
        async with db.transaction(self.pool) as conn:
            await directory.lock_shared(conn, connection.tenant_id)
            known = await lock_known(conn, connection.tenant_id, connection.id, sorted(gone))
            connection, rules = await self.keeper.current(conn, connection)
            writes = Writes(
                conn,
                connection,
                self.linker,
                Origin.LIVE,
                clock.now(),
                rules=rules,
                keeper=self.keeper,
            )
            for google_id in sorted(gone):
                await writes.change(known[google_id], Change(google_id, deleted=True))
            await writes.arrive(sorted(messages, key=lambda one: one.google_id))
            await writes.finish()
            await outbox.append(conn, *writes.told)

    async def tell(
        self, version: int, *emails: str, ref: EntityRef = BOB, tenant_id: str = "acme"
    ) -> bool:
        entity = Entity(
            entity_type=ref.entity_type, entity_id=ref.entity_id, version=version, emails=emails
        )
        async with db.transaction(self.pool) as conn:
            return (await self.linker.upsert(conn, tenant_id, [entity]))[0]

    async def fetch(self, sql: str, *args: object) -> list[Any]:
        async with self.pool.acquire() as conn:
            return [tuple(row) for row in await conn.fetch(sql, *args)]

    async def links(self) -> list[tuple[str, str, UUID]]:
        return await self.fetch(
            "SELECT tenant_id, entity_id, message_id FROM message_links ORDER BY 1, 2, message_id"
        )

    async def told(self) -> list[Mapping[str, Any]]:
        rows = await self.fetch("SELECT body FROM outbox ORDER BY id")
        return [orjson.loads(row[0]) for row in rows]

    async def waiting(self) -> list[tuple[str, str]]:
        return await self.fetch("SELECT entity_id, state FROM link_work ORDER BY 1")


def message(google_id: str = "g1", *, sender: str = "bob@x.test", **more: Any) -> Fetched:
    given: dict[str, Any] = {
        "thread_id": "t1",
        "history_id": 7,
        "labels": frozenset({"INBOX"}),
        "internal_date": clock.now(),
        "snippet": "Hello",
        "size": 10,
        **more,
    }
    content = Content(
        sender=Person(sender), to=(Person("alice@example.com"),), subject="Hi", text="Hello"
    )
    return Fetched(google_id=google_id, content=content, **given)


def copy(google_id: str, name: str = "1", **content: Any) -> Fetched:
    """Return a mailbox's copy of the mail of that name."""
    one = message(google_id)
    named = {"rfc822_message_id": f"<{name}@x.test>", "date": SENT, **content}
    return replace(one, content=replace(one.content, **named))
