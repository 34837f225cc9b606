"""The parts of a contacts process and how they fit together."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

from aiohttp import web

from libs.common import clock, db
from libs.common.db import POOL
from libs.common.google import discovery
from libs.common.google.accounts import AuthClient
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import client_session
from libs.common.housekeeping import Chore
from libs.common.operations import OPERATIONS, Operations
from libs.common.quota import Budgets, Ledger
from libs.common.writes.outbound import Outbound
from services.contacts.app.outgoing import carriers, decided
from services.contacts.domain.connection import Connection
from services.contacts.google import GooglePeople
from services.contacts.google.costs import Ledgers
from services.contacts.settings import ContactsSettings
from services.contacts.store.connections import ROWS
from services.contacts.sync.asking import Asking, SyncJobs
from services.contacts.sync.changing.conflicts import FieldConflicts
from services.contacts.sync.connections import Connections
from services.contacts.sync.erasure.privacy import desk
from services.contacts.sync.feeds import work_address
from services.contacts.sync.fetching import Fetching
from services.contacts.sync.housekeeping import chores
from services.contacts.sync.inward.comparing import Audits
from services.contacts.sync.inward.departures import Departures
from services.contacts.sync.inward.intake import Intake
from services.contacts.sync.inward.listing import Labels
from services.contacts.sync.inward.looking_again import LookingAgain
from services.contacts.sync.inward.pacing import Pace
from services.contacts.sync.inward.reading import Reader
from services.contacts.sync.inward.replaying import Replays
from services.contacts.sync.outward.looking_over import LookingOver
from services.contacts.sync.settings import SettingsWriter
from services.contacts.sync.work import Work
from services.contacts.web.conflicts import INTAKE as CONFLICTS_INTAKE
from services.contacts.web.google import FETCHING, GOOGLE
from services.contacts.web.privacy import DESK
from services.contacts.web.settings import WRITER
from services.contacts.web.status import LEDGERS
from services.contacts.web.sync import ASKING

SERVICE = "contacts"
ENDLESS = 1_000_000_000
"""Units of what is not counted."""
SETTINGS = web.AppKey("settings", ContactsSettings)
CONNECTIONS = web.AppKey("connections", Connections)
READER = web.AppKey("reader", Reader)
LABELS = web.AppKey("labels", Labels)
AUDITS = web.AppKey("audits", Audits)
WORK = web.AppKey("work", Work)
INTAKE = web.AppKey("intake", Intake)
OUTBOUND: web.AppKey[Outbound[Connection]] = web.AppKey("outbound", Outbound)
CHORES: web.AppKey[tuple[Chore, ...]] = web.AppKey("chores", tuple)


async def parts(app: web.Application) -> AsyncIterator[None]:
    """Put every part into the application, for as long as it runs."""
    settings = app[SETTINGS]
    pool, roots = app[POOL], GoogleRoots.from_settings(settings)
    async with client_session() as session:
        auth = AuthClient(
            session, settings.auth_url, settings.service_key.get_secret_value(), caller=SERVICE
        )
        ledgers = _ledgers(pool, settings)
        google = GooglePeople(
            ConnectedGoogle(GoogleClient(session), auth), discovery.people(roots), ledgers
        )
        app[LEDGERS] = ledgers
        _wire(app, pool, google, auth)
        yield
        await auth.close()


def _wire(app: web.Application, pool: db.Pool, google: GooglePeople, auth: AuthClient) -> None:
    settings, now = app[SETTINGS], clock.now
    pace = Pace(
        shortest_poll=settings.shortest_poll,
        longest_poll=settings.longest_poll,
        token_life=settings.token_life,
    )
    propagation = timedelta(seconds=settings.propagation)
    intake = app[INTAKE] = Intake(FieldConflicts(), propagation=propagation)
    departures = Departures(pool, now=now)
    app[READER] = Reader(pool, google, intake=intake, departures=departures, pace=pace, now=now)
    app[LABELS] = Labels(pool, google, pace=pace, propagation=propagation, now=now)
    app[AUDITS] = Audits(pool, google, intake=intake, propagation=propagation, now=now)
    app[WORK] = Work(
        pool,
        [
            LookingAgain(pool, intake, now=now),
            Replays(pool, google, intake=intake, now=now),
            LookingOver(pool, now=now),
            SyncJobs(pool, now=now),
        ],
    )
    app[GOOGLE] = google
    app[FETCHING] = Fetching(pool, google, intake, now=now)
    app[CONFLICTS_INTAKE] = intake
    app[ASKING] = Asking(now=now)
    app[OPERATIONS] = Operations(rows=ROWS, replayer=work_address, decided=decided)
    app[OUTBOUND] = Outbound(
        pool, ROWS.find, carriers(pool, google, intake, settings), now=clock.now
    )
    app[WRITER] = SettingsWriter(now=clock.now)
    app[CONNECTIONS] = Connections(pool, auth, ROWS, now=clock.now)
    app[CHORES] = chores(app[SETTINGS], now=clock.now)
    app[DESK] = desk(app[CONNECTIONS], now=clock.now)


def _ledgers(pool: db.Pool, settings: ContactsSettings) -> Ledgers:
    """Return what requests are counted in; see `google.costs`."""
    reads = Budgets(
        account_per_minute=settings.critical_reads_per_minute,
        project_per_minute=settings.project_requests_per_minute,
        project_per_day=ENDLESS,
        backfill_per_day=ENDLESS,
    )
    writes = replace(reads, counts="writes", account_per_minute=settings.critical_writes_per_minute)
    contacts = Budgets(
        counts="contacts",
        account_per_minute=settings.project_writes_per_day,
        project_per_minute=ENDLESS,
        project_per_day=settings.project_writes_per_day,
        backfill_per_day=ENDLESS,
    )
    read, written, of_a_day = (
        Ledger(pool, one, now=clock.now) for one in (reads, writes, contacts)
    )
    return Ledgers(reads=read, writes=written, contacts=of_a_day)
