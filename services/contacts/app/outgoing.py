"""How what goes out to Google fits together."""

from datetime import timedelta

from libs.common import clock, db
from libs.common.feeds.holds import Hold
from libs.common.writes import store as ledger
from libs.common.writes.outbound import Carrier
from libs.common.writes.patience import Patience
from services.contacts.domain.connection import Connection
from services.contacts.google import GooglePeople
from services.contacts.settings import ContactsSettings
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.outward.carrier import PersonCarrier
from services.contacts.sync.outward.group_carrier import GroupCarrier, MembersCarrier
from services.contacts.sync.outward.queueing import HELD
from services.contacts.sync.outward.underway import Terms


def carriers(
    pool: db.Pool, google: GooglePeople, intake: Intake, settings: ContactsSettings
) -> list[Carrier[Connection]]:
    """Return who carries which writes."""
    patience = Patience(timeout_s=settings.write_timeout, settle_after_s=settings.settle_after)
    return [
        PersonCarrier(
            Terms(
                pool=pool,
                google=google,
                intake=intake,
                patience=patience,
                propagation=timedelta(seconds=settings.propagation),
                at_once=settings.batch_size,
                now=clock.now,
            )
        ),
        GroupCarrier(pool, google, patience=patience, now=clock.now),
        MembersCarrier(pool, google, patience=patience, now=clock.now),
    ]


async def decided(conn: db.Connection, held: Hold) -> None:
    """Let deletions go on that a person has decided on; whoever reads looks for itself."""
    if held.kind == HELD:
        await ledger.hasten(conn, held.tenant_id, held.connection_id, reason=HELD, now=clock.now())
