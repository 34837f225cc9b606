"""The parts of a calendar process and how they fit together."""

from collections.abc import AsyncIterator
from datetime import timedelta

from aiohttp import web

from libs.common import clock, db
from libs.common.db import POOL
from libs.common.feeds import Door
from libs.common.feeds.holds import Hold
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
from libs.common.writes.patience import Patience
from services.calendar.domain.channel import ChannelKey
from services.calendar.domain.connection import Connection
from services.calendar.google import GoogleCalendar
from services.calendar.settings import CalendarSettings
from services.calendar.store.connections import ROWS
from services.calendar.sync.asking import Asking
from services.calendar.sync.connections import Connections
from services.calendar.sync.erasure.privacy import desk
from services.calendar.sync.feeds import work_address
from services.calendar.sync.housekeeping import chores
from services.calendar.sync.inward.appointments_back import Back
from services.calendar.sync.inward.comparing import Audits
from services.calendar.sync.inward.echoes import Echoes
from services.calendar.sync.inward.intake import Intake
from services.calendar.sync.inward.linking import Linker
from services.calendar.sync.inward.listing import CalendarLists
from services.calendar.sync.inward.notices import Notices
from services.calendar.sync.inward.reading import Reader
from services.calendar.sync.inward.replaying import Replays
from services.calendar.sync.inward.watching import Watching
from services.calendar.sync.outward.appointments import Appointments
from services.calendar.sync.outward.carrier import EventCarrier
from services.calendar.sync.outward.conflicts import Conflicts
from services.calendar.sync.outward.leaving import Leaving
from services.calendar.sync.outward.mirroring import Mirroring
from services.calendar.sync.outward.outgoing import Outgoing
from services.calendar.sync.reminders import Reminders
from services.calendar.sync.settings import SettingsWriter
from services.calendar.sync.work import Work
from services.calendar.web.appointments import APPOINTMENTS
from services.calendar.web.conflicts import CONFLICTS
from services.calendar.web.leaving import LEAVING
from services.calendar.web.outgoing import OUTGOING
from services.calendar.web.privacy import DESK
from services.calendar.web.push import KEYS, NOTICES
from services.calendar.web.settings import WRITER
from services.calendar.web.status import LEDGER
from services.calendar.web.sync import ASKING

SERVICE = "calendar"
SETTINGS = web.AppKey("settings", CalendarSettings)
CONNECTIONS = web.AppKey("connections", Connections)
LISTS = web.AppKey("calendar_lists", CalendarLists)
READER = web.AppKey("reader", Reader)
AUDITS = web.AppKey("audits", Audits)
WORK = web.AppKey("work", Work)
REMINDERS = web.AppKey("reminders", Reminders)
LINKER = web.AppKey("linker", Linker)
DOOR = web.AppKey("door", Door)
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
        ledger = app[LEDGER] = Ledger(pool, _budgets(settings), now=clock.now)
        google = GoogleCalendar(
            ConnectedGoogle(GoogleClient(session), auth), discovery.calendar(roots), ledger
        )
        _wire(app, pool, google, auth)
        yield
        await auth.close()


def _wire(app: web.Application, pool: db.Pool, google: GoogleCalendar, auth: AuthClient) -> None:
    settings = app[SETTINGS]
    keys = app[KEYS] = tuple(ChannelKey(name, secret) for name, secret in settings.token_keys())
    app[DOOR] = Door(pool, now=clock.now)
    app[NOTICES] = Notices(pool, app[DOOR], now=clock.now)
    watching = Watching(
        pool,
        google,
        keys=keys,
        address=settings.notice_address,
        life=timedelta(seconds=settings.channel_life),
        now=clock.now,
    )
    intake = Intake(Back(), Echoes(), now=clock.now)
    app[LISTS] = CalendarLists(pool, google, audit_every=settings.audit_every, now=clock.now)
    app[READER] = Reader(pool, google, intake=intake, watching=watching, now=clock.now)
    app[AUDITS] = Audits(pool, google, intake=intake, now=clock.now)
    reminders = app[REMINDERS] = Reminders(
        pool, horizon=timedelta(seconds=settings.reminder_horizon), now=clock.now
    )
    appointments = app[APPOINTMENTS] = Appointments(now=clock.now)
    app[LEAVING] = Leaving(pool, appointments, auth, now=clock.now)
    mirroring = Mirroring(pool, appointments, now=clock.now)
    replays = Replays(pool, google, intake=intake, now=clock.now)
    app[WORK] = Work(
        pool,
        intake,
        reminders=reminders,
        mirroring=mirroring,
        replays=replays,
        watching=watching,
        now=clock.now,
    )
    app[LINKER] = Linker(now=clock.now)
    conflicts = app[CONFLICTS] = Conflicts(now=clock.now)
    app[OUTGOING] = Outgoing(now=clock.now)
    patience = Patience(timeout_s=settings.write_timeout, settle_after_s=settings.settle_after)
    carrier = EventCarrier(pool, google, intake, conflicts, patience=patience, now=clock.now)
    app[OUTBOUND] = Outbound(pool, ROWS.find, [carrier], now=clock.now)
    app[CONNECTIONS] = Connections(pool, auth, watching, intake, now=clock.now)
    app[DESK] = desk(app[CONNECTIONS], now=clock.now)
    app[WRITER] = SettingsWriter(now=clock.now)
    app[ASKING] = Asking(now=clock.now)
    app[OPERATIONS] = Operations(rows=ROWS, replayer=work_address, decided=_decided)
    app[CHORES] = chores(settings, now=clock.now)


async def _decided(conn: db.Connection, held: Hold) -> None:
    """Nothing more follows from a decision: the feed that asked was woken."""
    del conn, held


def _budgets(settings: CalendarSettings) -> Budgets:
    return Budgets(
        account_per_minute=settings.requests_per_minute,
        project_per_minute=settings.project_requests_per_minute,
        project_per_day=settings.project_requests_per_day,
        backfill_per_day=settings.project_requests_per_day,
    )
