"""The queue in which a service learns contacts as entities.

Those that are a tenant's only: a contact that is nobody's but its owner's concerns no colleague's
mail and no colleague's meetings.
"""

from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Protocol

from libs.common import inbox
from libs.common.addresses import fold_address, is_address
from libs.common.bus import Subscription
from libs.common.db import Connection, Pool, transaction
from libs.common.directory.fields import MOST_EMAILS, MOST_PHONES
from libs.common.directory.model import Entity, EntityRef
from libs.common.directory.told import UNTOLD, News
from libs.common.events import contacts
from libs.common.events.envelope import Envelope

LONGEST_NAME = 500
LONGEST_PHONE = 64


class Learner(Protocol):
    """Keeps what concerns entities in step with what is told of contacts."""

    async def learn(self, conn: Connection, tenant_id: str, news: News) -> bool:
        """Take in what was told of a contact; say whether that was news."""
        ...


def subscription(pool: Pool, learner: Learner, *, queue: str) -> Subscription:
    """Return the queue of what is told of contacts, which may come in any order."""

    async def handle(envelope: Envelope) -> None:
        news = news_of(
            contacts.read_contact(envelope), sequence=int(envelope.sequence), at=envelope.time
        )
        if news is None:
            return
        async with transaction(pool) as conn:
            if await inbox.first_time(conn, queue, envelope.id):
                await learner.learn(conn, envelope.tenantid, news)

    return Subscription(queue=queue, types=tuple(contacts.CONTACTS_BY_TYPE), handler=handle)


def news_of(event: contacts.ContactEvent, *, sequence: int, at: datetime) -> News | None:
    """Return what an event of a contact means for the directory; None: nothing.

    A contact is known by its own id until the CRM has it, and by the CRM's from then on: what it
    was known by before is gone, even if the event that made it known comes later than this one.
    """
    ref = EntityRef(event.entity.type, event.entity.id)
    own = EntityRef(event.entity.type, str(event.contact_id))
    is_new = isinstance(event, contacts.ContactCreated)
    before = () if is_new or own == ref else (own,)
    news = partial(News, contact_id=event.contact_id, sequence=sequence, at=at)
    if event.visible_to == "owner":
        was_ours = isinstance(event, contacts.ContactUpdated)  # the tenant's, until now
        return news(gone=(ref, *before)) if was_ours else None
    if isinstance(event, contacts.ContactCreated | contacts.ContactUpdated):
        return news(entity=_entity(event, ref), gone=before)
    return news(gone=(ref, *before))


def _entity(event: contacts.ContactCreated | contacts.ContactUpdated, ref: EntityRef) -> Entity:
    addresses = (fold_address(one.address) for one in event.emails)
    numbers = ((one.e164 or one.number)[:LONGEST_PHONE] for one in event.phones)
    return Entity(
        entity_type=ref.entity_type,
        entity_id=ref.entity_id,
        version=UNTOLD,
        name=event.name[:LONGEST_NAME],
        emails=tuple(sorted(_some((one for one in addresses if is_address(one)), MOST_EMAILS))),
        phones=tuple(_some(numbers, MOST_PHONES)),
        owner_user_id=event.owner_user_id,
    )


def _some(values: Iterable[str], most: int) -> list[str]:
    """Return the first of the values, each once: the directory has room for no more."""
    return list(dict.fromkeys(values))[:most]
