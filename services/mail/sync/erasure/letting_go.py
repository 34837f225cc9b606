"""Taking an erased person out of messages of one mailbox, and telling consumers of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from libs.common import outbox
from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope
from services.mail.domain.connection import Connection
from services.mail.domain.erasing import Fate, Remains, told
from services.mail.domain.links import Facts
from services.mail.domain.message import Content, Direction
from services.mail.store import links
from services.mail.store import privacy_messages as store
from services.mail.store.privacy_messages import Held
from services.mail.sync.meaning.activities import Activities, copy_of

NOTHING = Remains(content=Content(), snippet="")


class Taker:
    """What one transaction takes out of one mailbox's messages, whose rows it has locked.

    Args:
        conn: the transaction.
        tenant_id: whose.
        mailbox: in whose name events tell of it; None: nobody is told.
        now: when.
    """

    def __init__(
        self, conn: Conn, tenant_id: str, mailbox: Connection | None, *, now: datetime
    ) -> None:
        self._conn = conn
        self._tenant_id = tenant_id
        self._mailbox = mailbox
        self._now = now
        self._told: list[Envelope] = []
        self._activities = (
            None if mailbox is None else Activities(conn, mailbox, origin=Origin.REPAIR)
        )

    async def empty(self, held: Held) -> None:
        """Leave nothing of a trace, or of what is gone, but its ids and date; nobody is told."""
        await store.empty_message(self._conn, self._tenant_id, held.id, now=self._now, told=False)

    async def remove(self, held: Held) -> None:
        """Leave nothing of a message but its ids and date."""
        sequence = await store.empty_message(
            self._conn, self._tenant_id, held.id, now=self._now, told=True
        )
        self._tell(held, NOTHING, Fate.REMOVED, sequence)

    async def redact(
        self,
        held: Held,
        remains: Remains,
        *,
        hashes: Sequence[bytes],
        entities: Mapping[EntityRef, Sequence[bytes]],
    ) -> None:
        """Keep only what remains of a message.

        Args:
            held: the message.
            remains: of it.
            hashes: of the person's addresses.
            entities: that have one of those, with the hashes of their other addresses.
        """
        conn, of = self._conn, self._tenant_id
        sequence = await store.rewrite_message(
            conn, of, held.id, remains, hashes=hashes, now=self._now
        )
        for ref, others in entities.items() if held.activity_id is not None else ():
            entity = (ref.entity_type, ref.entity_id)
            await store.drop_unexplained(conn, of, held.id, entity=entity, hashes=others)
        if held.activity_id is not None and not await links.list_links(conn, of, held.id):
            await links.set_activity(conn, of, held.id, None)
        self._tell(held, remains, Fate.REDACTED, sequence)

    def _tell(self, held: Held, remains: Remains, became: Fate, sequence: int) -> None:
        if self._mailbox is None or self._activities is None:
            return
        facts = _facts(held, remains)
        self._told.append(
            Envelope.of(
                told(self._mailbox, facts, became),
                tenant_id=self._tenant_id,
                aggregate_id=str(held.id),
                sequence=sequence,
                time=self._now,
            )
        )
        if held.activity_id is not None:
            self._activities.change(copy_of(self._mailbox, facts), time=self._now)

    async def tell(self) -> None:
        """Tell that consumers' copies have to shrink too; afterwards no message may be locked."""
        activities = [] if self._activities is None else await self._activities.tell()
        await outbox.append(self._conn, *self._told, *activities)


def _facts(held: Held, remains: Remains) -> Facts:
    return Facts(
        message_id=held.id,
        google_id=held.google_id,
        thread_id=held.thread_id,
        occurred_at=held.internal_date,
        direction=held.direction or Direction.INBOUND,
        content=remains.content,
        snippet=remains.snippet,
        activity_id=held.activity_id,
    )
