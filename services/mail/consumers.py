"""AMQP handlers: the CRM's entities, and contacts; what auth tells is `Following`'s."""

from libs.common.bus import Subscription
from libs.common.db import Pool
from libs.common.directory import consuming, contacts
from services.mail.sync.meaning.linking import Linker

QUEUE = "mail.connections"
DIRECTORY_QUEUE = "mail.directory"
CONTACTS_QUEUE = "mail.contacts"


def directory_subscription(pool: Pool, linker: Linker) -> Subscription:
    """Return the queue of the CRM's entity events, which may come in any order."""
    return consuming.subscription(pool, linker, queue=DIRECTORY_QUEUE)


def contacts_subscription(pool: Pool, linker: Linker) -> Subscription:
    """Return the queue of contacts, apart from the CRM's: an import of thousands delays nobody."""
    return contacts.subscription(pool, linker, queue=CONTACTS_QUEUE)
