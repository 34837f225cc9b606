"""AMQP handlers: what the CRM tells of its entities; what auth tells is `Following`'s."""

from libs.common.bus import Subscription
from libs.common.db import Pool
from libs.common.directory import consuming
from services.mail.sync.linking import Linker

QUEUE = "mail.connections"
DIRECTORY_QUEUE = "mail.directory"


def directory_subscription(pool: Pool, linker: Linker) -> Subscription:
    """Return the queue of the CRM's entity events, which may come in any order."""
    return consuming.subscription(pool, linker, queue=DIRECTORY_QUEUE)
