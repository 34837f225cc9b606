"""Taking in what somebody wants sent: checked as a whole, then written down as a whole."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from libs.common.addresses import fold_address
from libs.common.connections import access
from libs.common.db import Connection as Conn
from libs.common.db import Pool, transaction
from libs.common.directory import EntityRef
from libs.common.directory import store as directory
from libs.common.errors import (
    AccessRevoked,
    Conflict,
    InvalidInput,
    NotFound,
    RateLimited,
    TooLarge,
)
from libs.common.google.errors import PermissionDenied
from libs.common.ids import new_id
from libs.common.quota import Lane
from libs.common.writes import NewWrite
from libs.common.writes import store as ledger
from services.mail.domain.blocklist import blocklist
from services.mail.domain.connection import Connection
from services.mail.domain.message import Direction, Person
from services.mail.domain.sending.composing import compose
from services.mail.domain.sending.letter import Letter, Original, Rules, Written, may_be, write
from services.mail.domain.sending.outgoing import (
    MOST_BYTES,
    Enclosure,
    Outgoing,
    OutgoingState,
    item_of,
)
from services.mail.google import Gmail, WritingBox
from services.mail.store import connections, reading, send_as
from services.mail.store import outgoing as store
from services.mail.store.enclosures import add_chunk
from services.mail.store.reading import StoredMessage
from services.mail.store.send_limits import count_sent
from services.mail.sync.feeds import wake_writer
from services.mail.sync.inward.downloads import Downloader
from services.mail.sync.outward.drafting import PUT, queue_draft
from services.mail.sync.outward.enclosing import Enclosed, Enclosing
from services.mail.sync.outward.sending import SEND

DAY = timedelta(days=1)
MOST_ENCLOSURES = 100


class DailyLimit(RateLimited):
    """Google would refuse the message: the mailbox has sent what it may in a day."""

    status: ClassVar[int] = 429
    slug = "daily-send-limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What Google lets an account send within 24 hours.

    Source: https://support.google.com/a/answer/166852
    """

    messages: int
    recipients: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A wish to send, as a caller gave it."""

    tenant_id: str
    user_id: str | None
    """Whose mailboxes the caller may use; None: all of the tenant's."""
    subject: str
    """Who asks: `user:<id>` or `service:<name>`."""
    connection_id: UUID | None
    letter: Letter
    answers: UUID | None = None
    passes_on: UUID | None = None
    with_attachments: bool = True
    """Of the message that is passed on."""
    entities: tuple[EntityRef, ...] = ()
    send_at: datetime | None = None
    draft: bool = False
    kept: tuple[Enclosure, ...] = ()
    """Attachments that a draft has already, and keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A wish that can be fulfilled; nothing of it is written down yet."""

    connection: Connection
    outgoing: Outgoing
    enclosed: tuple[Enclosed, ...] = field(default=(), repr=False)


class Submissions:
    """Takes in messages to be sent, and drafts.

    Args:
        limits: of a day.
    """

    def __init__(
        self,
        pool: Pool,
        gmail: Gmail,
        downloader: Downloader,
        *,
        limits: Limits,
        now: Callable[[], datetime],
    ) -> None:
        self._pool = pool
        self._gmail = gmail
        self._downloader = downloader
        self.limits = limits
        self._now = now

    async def prepare(self, wish: Submission, enclosing: Enclosing) -> Ready:
        """Find out, outside any transaction, whether the wish can be fulfilled, and how.

        Args:
            wish: what is wanted.
            enclosing: its attachments; those of a message that is passed on are added.

        Raises:
            InvalidInput: names the field: a recipient, an id that is not the caller's to use, ...
            TooLarge: more than Gmail takes.
            Forbidden: `read-only-connection`.
            Conflict: `not-connected`, `reauthorization-required` or `connection-disabled`.
            DailyLimit: the account has sent what it may.
            RateLimited, Transient: Google or auth cannot now.
        """
        async with self._pool.acquire() as conn:
            connection, answered, passed_on = await self._gather(conn, wish)
            await _check_entities(conn, wish)
            await self._check_limits(conn, connection, wish)
        letter = replace(
            wish.letter,
            answers=None if answered is None else _original(answered),
            passes_on=None if passed_on is None else _original(passed_on),
        )
        rules = await self._rules(connection, letter)
        written = write(letter, rules, complete=not wish.draft)
        if passed_on is not None and wish.with_attachments:
            await self._enclose_passed_on(connection, passed_on, enclosing)
        return self._ready(wish, connection, written, enclosing.enclosed, answered)

    async def _gather(
        self, conn: Conn, wish: Submission
    ) -> tuple[Connection, StoredMessage | None, StoredMessage | None]:
        answered = await self._message(conn, wish, wish.answers, "reply_to_message_id")
        passed_on = await self._message(conn, wish, wish.passes_on, "forward_message_id")
        given = answered or passed_on
        connection_id = wish.connection_id or (given.connection_id if given else None)
        if connection_id is None:
            raise InvalidInput.field("connection_id", "must say from which mailbox it is sent")
        try:
            connection = await connections.get_connection(
                conn, wish.tenant_id, connection_id, user_id=wish.user_id
            )
        except NotFound as exc:
            raise InvalidInput.field("connection_id", "is no connection of yours") from exc
        writable = access.writable(connection)
        answered = await _in_mailbox(conn, writable, answered, "reply_to_message_id")
        passed_on = await _in_mailbox(conn, writable, passed_on, "forward_message_id")
        return writable, answered, passed_on

    async def _message(
        self, conn: Conn, wish: Submission, message_id: UUID | None, name: str
    ) -> StoredMessage | None:
        if message_id is None:
            return None
        try:
            return await reading.get_message(conn, wish.tenant_id, message_id, user_id=wish.user_id)
        except NotFound as exc:
            raise InvalidInput.field(name, "is no message that you can see") from exc

    async def check_sendable(self, conn: Conn, draft: Outgoing, *, at: datetime) -> None:
        """Let a draft go out that is complete and agreed on.

        Raises:
            InvalidInput: field `to`: it goes to nobody.
            Conflict: `draft-conflict`, or as `prepare`.
            Forbidden, DailyLimit: as `prepare`.
        """
        found = await connections.find_connection(conn, draft.tenant_id, draft.connection_id)
        connection = access.writable(found)
        if draft.reason == "conflict":
            raise Conflict("It was edited in Gmail, too: edit it first.", slug="draft-conflict")
        if not draft.head.recipients():
            raise InvalidInput.field("to", "must name somebody")
        await self._check_day(conn, connection, len(draft.head.recipients()), at=at)

    async def _check_limits(self, conn: Conn, connection: Connection, wish: Submission) -> None:
        letter = wish.letter
        more = max(len(letter.to) + len(letter.cc) + len(letter.bcc), 1)
        if not wish.draft:
            await self._check_day(conn, connection, more, at=wish.send_at or self._now())

    async def _check_day(
        self, conn: Conn, connection: Connection, more: int, *, at: datetime
    ) -> None:
        """Refuse what Google would refuse, and say when there is room again."""
        account_id = connection.account_id
        counted = await count_sent(
            conn, connection.tenant_id, [account_id], since=at - DAY, until=at
        )
        sent = counted[account_id]
        if (
            sent.messages + 1 > self.limits.messages
            or sent.recipients + more > self.limits.recipients
        ):
            oldest = sent.oldest or at
            raise DailyLimit(
                "The mailbox has sent what Google allows within 24 hours.",
                retry_after_s=max((oldest + DAY - at).total_seconds(), 1.0),
                messages=sent.messages,
                recipients=sent.recipients,
            )

    async def _rules(self, connection: Connection, letter: Letter) -> Rules:
        """Return what the mailbox may send as; Google is asked once, and for what is not known."""
        async with self._pool.acquire() as conn:
            known = await send_as.list_send_as(conn, connection.tenant_id, connection.id)
        rules = _rules_of(connection, known or ())
        if known is not None and (letter.sender is None or may_be(letter.sender, rules)):
            return rules
        box = self._gmail.box_as(WritingBox, connection, Lane.SEND)
        try:
            found = await box.send_as()
        except PermissionDenied:  # it may only be itself
            found = []
        except AccessRevoked as exc:
            raise access.revoked(connection) from exc
        async with transaction(self._pool) as conn:
            await send_as.set_send_as(conn, connection.tenant_id, connection.id, found)
        return _rules_of(connection, found)

    async def _enclose_passed_on(
        self, connection: Connection, message: StoredMessage, enclosing: Enclosing
    ) -> None:
        for one in message.content.attachments:
            spool = await self._downloader.open(connection, message.google_id, one.part)
            try:
                await enclosing.add(one.filename, one.content_type, spool)
            finally:
                await spool.aclose()

    def _ready(
        self,
        wish: Submission,
        connection: Connection,
        written: Written,
        enclosed: Sequence[Enclosed],
        answered: StoredMessage | None,
    ) -> Ready:
        now, outgoing_id = self._now(), new_id()
        enclosures = wish.kept or tuple(one.enclosure for one in enclosed)
        composed = compose(
            outgoing_id, written.head, written.text, written.html, enclosures, date=now
        )
        if composed.size > MOST_BYTES:
            raise TooLarge(
                "The message is larger than Gmail takes.",
                errors=[{"field": "attachments", "detail": "are too large together"}],
                limit_bytes=MOST_BYTES,
            )
        outgoing = Outgoing(
            tenant_id=wish.tenant_id,
            id=outgoing_id,
            connection_id=connection.id,
            created_by=wish.subject,
            state=OutgoingState.DRAFT if wish.draft else OutgoingState.QUEUED,
            send_at=wish.send_at,
            head=written.head,
            text=written.text,
            html=written.html,
            entities=wish.entities,
            enclosures=enclosures,
            size=composed.size,
            thread_id=None if answered is None else answered.thread_id,
            created_at=now,
        )
        return Ready(connection=connection, outgoing=outgoing, enclosed=tuple(enclosed))

    async def queue(self, conn: Conn, ready: Ready) -> None:
        """Write a message down and let it be sent, in the caller's transaction."""
        outgoing, now = ready.outgoing, self._now()
        await wake_writer(conn, outgoing.tenant_id, outgoing.connection_id, now=now)
        await self._keep(conn, ready)
        await queue_send(conn, outgoing, now=now)

    async def put_draft(self, conn: Conn, ready: Ready) -> None:
        """Write a draft down and let it be put into the mailbox, in the caller's transaction."""
        outgoing, now = ready.outgoing, self._now()
        await wake_writer(conn, outgoing.tenant_id, outgoing.connection_id, now=now)
        await self._keep(conn, ready)
        await queue_draft(conn, outgoing, {"op": PUT, "version": outgoing.version}, now=now)

    async def edit_draft(
        self, conn: Conn, draft: Outgoing, ready: Ready, *, keep_enclosures: bool
    ) -> int:
        """Replace what a draft says, in the caller's transaction; return its new version.

        Raises:
            Conflict: `not-a-draft`: it was sent, thrown away or edited meanwhile.
        """
        now = self._now()
        await wake_writer(conn, draft.tenant_id, draft.connection_id, now=now)
        edited = replace(ready.outgoing, id=draft.id, version=draft.version)
        if edited.thread_id is None:
            edited = replace(edited, thread_id=draft.thread_id)
        version = await store.edit_draft(conn, edited, keep_enclosures=keep_enclosures)
        if version is None:
            raise Conflict("It is no draft any more, or was edited meanwhile.", slug="not-a-draft")
        if not keep_enclosures:
            await self._keep_chunks(conn, edited, ready.enclosed)
        await queue_draft(conn, draft, {"op": PUT, "version": version}, now=now)
        return version

    async def _keep(self, conn: Conn, ready: Ready) -> None:
        """Write a message down, with its attachments, in the caller's transaction."""
        await store.add_outgoing(conn, ready.outgoing)
        await self._keep_chunks(conn, ready.outgoing, ready.enclosed)

    async def _keep_chunks(
        self, conn: Conn, outgoing: Outgoing, enclosed: Sequence[Enclosed]
    ) -> None:
        for one in enclosed:
            for number, chunk in enumerate(iter(one.file.read_next, b"")):
                await add_chunk(conn, outgoing, one.enclosure.place, number, chunk)


async def queue_send(conn: Conn, outgoing: Outgoing, *, now: datetime) -> None:
    """Put the sending of a message into the ledger; the writing feed has been woken."""
    write = NewWrite(
        id=outgoing.id,
        tenant_id=outgoing.tenant_id,
        connection_id=outgoing.connection_id,
        kind=SEND,
        item=item_of(outgoing.id),
        desired={},
        due_at=outgoing.send_at or now,
    )
    await ledger.queue(conn, [write], now=now)


async def _in_mailbox(
    conn: Conn, connection: Connection, message: StoredMessage | None, name: str
) -> StoredMessage | None:
    """Return the copy of a message that is in the mailbox."""
    if message is None or message.connection_id == connection.id:
        return message
    message_id = message.content.rfc822_message_id
    copy = (
        None
        if message_id is None
        else await reading.find_copy(conn, connection.tenant_id, connection.id, message_id)
    )
    if copy is None:
        raise InvalidInput.field(name, "is not in the mailbox it would be sent from")
    return copy


async def _check_entities(conn: Conn, wish: Submission) -> None:
    for place, ref in enumerate(wish.entities):
        if await directory.find_entity(conn, wish.tenant_id, ref) is None:
            raise InvalidInput.field(f"entities[{place}]", "is no entity that is known here")


def _original(message: StoredMessage) -> Original:
    return Original(
        content=message.content,
        occurred_at=message.internal_date,
        sent_by_us=message.direction is Direction.OUTBOUND,
    )


def _rules_of(connection: Connection, send_as: Sequence[Person]) -> Rules:
    own = fold_address(connection.email)
    named = next((one.name for one in send_as if fold_address(one.address) == own), None)
    aliases = tuple(one for one in send_as if fold_address(one.address) != own)
    blocked = blocklist(connection.preferences.blocklist)
    return Rules(
        own=Person(connection.email, named),
        aliases=aliases,
        is_blocked=lambda address: blocked.blocks([address]),
    )
