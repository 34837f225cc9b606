"""Erasing a correspondent from the mail that is held, some messages at a time.

Every message of the tenant is looked at, since what mentions an address is in no index. The place
is in the request's row: a step that breaks off is done again, and finds what is left.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.common.connections.model import Purge
from libs.common.db import Connection as Conn
from libs.common.directory import EntityRef
from libs.common.directory import privacy as directory_privacy
from libs.common.directory import store as directory
from libs.common.privacy import Person, Request, Step
from libs.common.scrubbing import Scrubber, needles
from services.mail.domain import links as rules
from services.mail.domain.connection import Connection
from services.mail.domain.erasing import Fate, fate, without
from services.mail.domain.links import OwnAddresses
from services.mail.store import connections
from services.mail.store import privacy_messages as store
from services.mail.store.privacy_messages import Held
from services.mail.sync.erasure.letting_go import Taker
from services.mail.sync.meaning.linking import own_addresses

AT_ONCE = 200
MOST_NAMES = 50
MOST_ENTITIES = 1_000
FIRST = UUID(int=0)
REMOVED, REDACTED, TRACES = "messages", "messages with others", "traces of messages"


class ErasedMessages:
    """The part that goes through messages."""

    name = "messages"

    def __init__(self, *, hash_key: bytes, now: Callable[[], datetime]) -> None:
        """Find traces by hashes under that key."""
        self._hash_key = hash_key
        self._now = now

    async def step(self, conn: Conn, request: Request, person: Person) -> Step:
        """Look through the next messages, and take the person out of those that concern them."""
        if not person.addresses:
            return Step()
        hashes = rules.hashes_of(person.addresses, self._hash_key)
        place = request.place or {
            "after": str(FIRST),
            "names": await self._names(conn, person),
            "done": [],
        }
        await directory.lock_shared(conn, person.tenant_id)  # before any row is locked
        ids, last = await store.list_concerned(
            conn,
            person.tenant_id,
            after=UUID(place["after"]),
            limit=AT_ONCE,
            hashes=hashes,
            needles=needles(person.addresses),
        )
        by_mailbox = await store.by_mailbox(conn, person.tenant_id, ids)
        left = [one for one in by_mailbox if str(one) not in place["done"]]
        if not left:
            return Step(place=_behind(place, last))
        chunk = await _Chunk.begin(conn, person, place["names"], self._hash_key, self._now())
        found: Counter[str] = Counter()
        for one in left[:1] if request.erases else left:
            found += await chunk.treat(one, by_mailbox[one], apply=request.erases)
        if request.erases and len(left) > 1:
            return Step(found=found, place={**place, "done": [*place["done"], str(left[0])]})
        return Step(found=found, place=_behind(place, last))

    async def _names(self, conn: Conn, person: Person) -> list[str]:
        hashes = rules.hashes_of(person.addresses, self._hash_key)
        return await store.list_names(
            conn, person.tenant_id, hashes, person.addresses, limit=MOST_NAMES
        )


def _behind(place: Mapping[str, Any], last: UUID | None) -> Mapping[str, Any] | None:
    return None if last is None else {**place, "after": str(last), "done": []}


class _Chunk:
    """What one step knows of the tenant."""

    def __init__(  # noqa: PLR0917 - made in one place
        self,
        conn: Conn,
        person: Person,
        scrubber: Scrubber,
        own: OwnAddresses,
        entities: Mapping[EntityRef, Sequence[bytes]],
        hashes: Sequence[bytes],
        now: datetime,
    ) -> None:
        self._conn = conn
        self._tenant_id = person.tenant_id
        self._scrubber = scrubber
        self._own = own
        self._entities = entities
        self._hashes = hashes
        self._now = now

    @classmethod
    async def begin(
        cls, conn: Conn, person: Person, names: Sequence[str], hash_key: bytes, now: datetime
    ) -> "_Chunk":
        """Read what decides on the messages of this step."""
        named = await directory_privacy.list_named(
            conn, person.tenant_id, person.addresses, after=None, limit=MOST_ENTITIES
        )
        entities = {
            one.ref: rules.hashes_of(one.others(person.addresses), hash_key) for one in named
        }
        return cls(
            conn,
            person,
            Scrubber(person.addresses, names),
            await own_addresses(conn, person.tenant_id),
            entities,
            rules.hashes_of(person.addresses, hash_key),
            now,
        )

    async def treat(self, connection_id: UUID, ids: Sequence[UUID], *, apply: bool) -> Counter[str]:
        """Take the person out of messages of one mailbox; return what was found, by kind."""
        mailbox = await connections.find_connection(self._conn, self._tenant_id, connection_id)
        if mailbox is not None and mailbox.purge is not Purge.NONE:
            mailbox = None  # all of it goes anyway, and nobody waits for news of it
        taker = Taker(self._conn, self._tenant_id, mailbox, now=self._now)
        found: Counter[str] = Counter()
        for held in await store.lock_content(self._conn, self._tenant_id, ids):
            kind = await self._treat(held, mailbox, taker if apply else None)
            found.update([kind] if kind else [])
        if apply:
            await taker.tell()
        return found

    async def _treat(
        self, held: Held, mailbox: Connection | None, taker: Taker | None
    ) -> str | None:
        if held.traced or held.deleted:
            if taker is not None:
                await taker.empty(held)
            return TRACES
        became = fate(
            held.content,
            mailbox=mailbox.email if mailbox else "",
            own=self._own,
            erased=self._scrubber.addresses,
        )
        if became is Fate.REMOVED:
            if taker is not None:
                await taker.remove(held)
            return REMOVED
        if became is None and not self._is_named(held):
            return None
        if taker is not None:
            remains = without(held.content, self._scrubber)
            await taker.redact(held, remains, hashes=self._hashes, entities=self._entities)
        return REDACTED

    def _is_named(self, held: Held) -> bool:
        """Say whether an address really stands there, and not a longer one."""
        content, mentions = held.content, self._scrubber.mentions
        texts = (content.text, content.html, content.new_text, content.subject, held.snippet)
        ids = (content.rfc822_message_id, content.in_reply_to, *content.references)
        uids = (uid for one in content.calendar for uid in one.uids)
        names = (one.name for one in content.people())
        files = (one.filename for one in content.attachments)
        reported = content.report.recipient if content.report else None
        return any(mentions(one) for one in (*texts, *ids, *uids, *names, *files, reported))
