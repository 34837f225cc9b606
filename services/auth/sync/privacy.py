"""One person's data in auth: a user's connections, accounts and tokens; shown, or erased."""

from dataclasses import dataclass
from uuid import UUID

from libs.common import clock
from libs.common.db import Connection as Database
from libs.common.errors import NotFound
from libs.common.privacy import Coverage, Desk, Page, Person, Record, Request, Step
from libs.common.privacy.coverage import KERNEL
from libs.common.privacy.outgoing_events import OutgoingEvents
from services.auth.store import accounts, dues
from services.auth.store import privacy as store
from services.auth.sync.disconnect import disconnect

AT_ONCE = 100
REVOKING_S = 2.0
"""How long the next look at a grant waits that Google is still to be told of."""
USER_NOTE = "also-a-user:"
SHARED_NOTE = "account-kept: another connection uses it"

COVERAGE = {
    "accounts": Coverage(shown="google account", erased="connections"),
    "connections": Coverage(shown="connection", erased="connections"),
    "connection_products": Coverage(shown="connection", erased="connections"),
    "tickets": Coverage(shown="open link", erased="connections"),
    "consents": Coverage(shown="open link", erased="connections"),
    "refreshes": Coverage(shown="refresh", erased="connections"),
    **KERNEL,
}


@dataclass(frozen=True, slots=True)
class OfUser:
    """One kind of record about a user."""

    kind: str

    async def __call__(self, conn: Database, person: Person, after: str, /) -> Page:
        """Return the next ones."""
        if person.user_id is None:
            return Page((), None)
        rows = await store.read_of_user(
            conn, self.kind, person.tenant_id, person.user_id, after=after, limit=AT_ONCE
        )
        records = [Record(self.kind, record) for _, record in rows]
        return Page(records, rows[-1][0] if len(rows) == AT_ONCE else None)


class ErasedConnections:
    """All connections of a user, ended and removed; then the accounts nobody else connected.

    The other services hear that all is to be purged. A grant is revoked at Google before its
    account goes, or given up as `disconnect.revoke` does.
    """

    name = "connections"

    async def step(self, conn: Database, request: Request, person: Person) -> Step:
        """End and remove the next connection or account."""
        if request.place is None and person.addresses:
            return await _of_addresses(conn, request, person)
        if person.user_id is None:
            return Step()
        found = await store.list_of_user(conn, person.tenant_id, person.user_id)
        if not request.erases:
            return Step(found={"connections": len(found)} if found else {})
        accounts_left: list[str] = list((request.place or {}).get("accounts", ()))
        if found:
            first = found[0]
            await disconnect(conn, first, None, purge=True, now=clock.now())
            await store.delete_connection(conn, first)
            if first.account_id is not None:
                accounts_left = sorted({*accounts_left, str(first.account_id)})
            return Step(found={"connections": 1}, place={"accounts": accounts_left})
        if not accounts_left:
            return Step()
        return await _account(conn, UUID(accounts_left[0]), accounts_left)


async def _of_addresses(conn: Database, request: Request, person: Person) -> Step:
    """Make links void that begin with an address; say whose mailbox it is."""
    of, wanted = person.tenant_id, person.addresses
    treat = store.forget_hinted if request.erases else store.count_hinted
    links = await treat(conn, of, wanted)
    users = await store.list_users_with(conn, of, wanted)
    return Step(
        found={"open links": links} if links else {},
        notes=[f"{USER_NOTE}{one}" for one in users if one != person.user_id],
        place={"accounts": []},
    )


async def _account(conn: Database, account_id: UUID, left: list[str]) -> Step:
    """Remove an account once its grant is gone; one that others connected stays theirs."""
    rest = {"accounts": left[1:]}
    try:
        vault = await accounts.lock_vault(conn, account_id)
    except NotFound:
        return Step(place=rest)
    if await store.is_named(conn, account_id):
        return Step(notes=[SHARED_NOTE], place=rest)
    if await store.has_grant(conn, account_id):
        await dues.ask_revocation(conn, vault.account.id, now=clock.now())
        return Step(place={"accounts": left}, wait_s=REVOKING_S)
    await store.delete_account(conn, account_id)
    return Step(found={"google accounts": 1}, place=rest)


DESK = Desk(
    extracts={f"user: {kind}": OfUser(kind) for kind in store.OF_A_USER},
    parts=(ErasedConnections(), OutgoingEvents(drops_users=False)),
    coverage=COVERAGE,
)
