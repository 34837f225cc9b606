"""An outgoing message on its way up, its attachments read from the store piece by piece."""

from collections.abc import AsyncIterator
from datetime import datetime

from libs.common.db import Pool
from services.mail.domain.sending.composing import compose
from services.mail.domain.sending.outgoing import Enclosure, Outgoing
from services.mail.google.writing import Upload
from services.mail.store import enclosures as store


def upload_of(pool: Pool, outgoing: Outgoing, *, date: datetime) -> Upload:
    """Return the message as it goes to Gmail; `date` is what its Date header says."""
    composed = compose(
        outgoing.id,
        outgoing.head,
        outgoing.text,
        outgoing.html,
        outgoing.enclosures,
        date=date,
    )

    async def content(enclosure: Enclosure) -> AsyncIterator[bytes]:
        number = 0
        while True:
            async with pool.acquire() as conn:
                chunk = await store.find_chunk(conn, outgoing, enclosure.place, number)
            if chunk is None:
                return
            yield chunk
            number += 1

    return Upload(composed.size, lambda: composed.octets(content))
