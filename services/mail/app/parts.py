"""The parts of a mail process and how they fit together; they open nothing but Google's session."""

from collections.abc import AsyncIterator, Sequence

from aiohttp import web

from libs.common import clock, db
from libs.common.db import POOL
from libs.common.feeds import Door, Feed
from libs.common.feeds.holds import open_hold
from libs.common.google import discovery
from libs.common.google.accounts import AuthClient
from libs.common.google.connected import ConnectedGoogle
from libs.common.google.oidc import CertStore, PushVerifier
from libs.common.google.roots import GoogleRoots
from libs.common.google.transport import GoogleClient
from libs.common.google.wire import client_session
from libs.common.housekeeping import Chore
from libs.common.operations import OPERATIONS, Operations
from libs.common.quota import Budgets, Lane, Ledger
from libs.common.writes import MergePolicy
from libs.common.writes.outbound import Outbound
from libs.common.writes.patience import Patience
from services.mail.domain.connection import Connection
from services.mail.domain.message import Policy
from services.mail.google import Gmail
from services.mail.settings import MailSettings
from services.mail.store.connections import ROWS, find_connection
from services.mail.store.returns import list_ours
from services.mail.sync.asking import Asking
from services.mail.sync.connections import Connections
from services.mail.sync.erasure.privacy import desk
from services.mail.sync.feeds import work_address
from services.mail.sync.housekeeping import chores, chores_on_mail
from services.mail.sync.inward.aging import Aging
from services.mail.sync.inward.background import Background
from services.mail.sync.inward.downloads import GmailDownloader
from services.mail.sync.inward.fetching import Fetcher
from services.mail.sync.inward.intake import Intake
from services.mail.sync.inward.keep_work import KeepWorker, Refresh
from services.mail.sync.inward.keeper import Keeper
from services.mail.sync.inward.label_names import LabelNames
from services.mail.sync.inward.looking import Looking
from services.mail.sync.inward.mailbox import Mailbox
from services.mail.sync.inward.notices import Notices
from services.mail.sync.inward.overtaking import Overtaking
from services.mail.sync.inward.watching import Watching
from services.mail.sync.meaning.link_work import LinkWork
from services.mail.sync.meaning.linking import Linker
from services.mail.sync.outward.drafting import DraftCarrier
from services.mail.sync.outward.label_writes import LabelCarrier
from services.mail.sync.outward.labels import LabelWishes
from services.mail.sync.outward.sending import Sender
from services.mail.sync.outward.submitting import Limits, Submissions
from services.mail.sync.pausing import Pausing
from services.mail.sync.settings import SettingsWriter
from services.mail.sync.visibility import Retellings
from services.mail.sync.work import Work
from services.mail.web.attachments import DOWNLOADER
from services.mail.web.connections import LEDGER
from services.mail.web.entities import LINKER
from services.mail.web.label_changes import LABELS
from services.mail.web.privacy import DESK
from services.mail.web.push import NOTICES, VERIFIER
from services.mail.web.sending import SUBMISSIONS
from services.mail.web.settings import PAUSING, WRITER
from services.mail.web.sync import ASKING

SERVICE = "mail"
SETTINGS = web.AppKey("settings", MailSettings)
MAILBOX = web.AppKey("mailbox", Mailbox)
BACKGROUND = web.AppKey("background", Background)
WORK = web.AppKey("work", Work)
OUTBOUND: web.AppKey[Outbound[Connection]] = web.AppKey("outbound", Outbound)
CONNECTIONS = web.AppKey("connections", Connections)
DOOR = web.AppKey("door", Door)
CHORES: web.AppKey[tuple[Chore, ...]] = web.AppKey("chores", tuple)


async def parts(app: web.Application) -> AsyncIterator[None]:
    """Put every part into the application, for as long as it runs."""
    settings = app[SETTINGS]
    pool, roots = app[POOL], GoogleRoots.from_settings(settings)
    async with client_session() as session:
        auth = AuthClient(
            session, settings.auth_url, settings.service_key.get_secret_value(), caller=SERVICE
        )
        app[LEDGER] = ledger = Ledger(pool, _budgets(settings), now=clock.now)
        google = ConnectedGoogle(GoogleClient(session), auth)
        gmail = Gmail(google, discovery.gmail(roots), ledger)
        _wire(app, pool, gmail, auth)
        if settings.push_audience and settings.push_service_account:
            app[VERIFIER] = PushVerifier(
                CertStore(session, roots.certs_url, roots.jwks_url),
                audience=settings.push_audience,
                service_account=settings.push_service_account,
            )
        app[DOOR] = Door(pool, now=clock.now)
        app[NOTICES] = Notices(pool, app[DOOR], now=clock.now)
        yield
        await auth.close()


def _wire(app: web.Application, pool: db.Pool, gmail: Gmail, auth: AuthClient) -> None:
    settings = app[SETTINGS]
    watching = Watching(
        pool, gmail, topic=settings.gmail_topic, every=settings.watch_every, now=clock.now
    )
    linker = app[LINKER] = Linker(hash_key=settings.hash_key_bytes, now=clock.now)
    keeper = Keeper(now=clock.now, sent_by_us=_sent_by_us, retention_days=settings.retention_days)
    names = LabelNames(pool, now=clock.now)
    fetcher = Fetcher(pool, gmail, looking=Looking(pool, linker, keeper, names))
    intake = Intake(pool, fetcher, linker, keeper=keeper, now=clock.now)
    app[MAILBOX] = Mailbox(
        pool, gmail, intake=intake, watching=watching, names=names, now=clock.now
    )
    app[BACKGROUND] = Background(pool, gmail, fetcher=fetcher, intake=intake, now=clock.now)
    overtaking = Overtaking(pool, gmail)
    links = LinkWork(
        pool,
        linker,
        fetch=fetcher.fetch_known,
        hold=_hold,
        keeper=keeper,
        overtaking=overtaking,
        now=clock.now,
    )
    keeping = KeepWorker(
        pool,
        linker,
        keeper,
        fetch=fetcher.fetch_again,
        refresh=_refresh(gmail, names),
        overtaking=overtaking,
        now=clock.now,
    )
    app[WORK] = Work(
        pool,
        fetcher,
        intake=intake,
        links=links,
        keeping=keeping,
        retellings=Retellings(pool, now=clock.now),
        overtaking=overtaking,
    )
    aging = Aging(keeper, now=clock.now)
    app[CHORES] = (*chores(settings, now=clock.now), *chores_on_mail(aging, keeping))
    app[WRITER] = SettingsWriter(linker, now=clock.now)
    app[PAUSING] = Pausing(audit_every=settings.audit_every, now=clock.now)
    app[ASKING] = Asking(pool, gmail, now=clock.now)
    app[CONNECTIONS] = Connections(
        pool,
        auth,
        watching,
        policy=Policy(settings.policy),
        backfill_days=settings.backfill_days,
        audit_every=settings.audit_every,
        now=clock.now,
    )
    app[OPERATIONS] = Operations(rows=ROWS, replayer=work_address, decided=linker.decide)
    app[DESK] = desk(app[CONNECTIONS], hash_key=settings.hash_key_bytes, now=clock.now)
    app[DOWNLOADER] = downloader = GmailDownloader(gmail)
    app[LABELS] = LabelWishes(pool, gmail, now=clock.now)
    app[SUBMISSIONS] = Submissions(
        pool,
        gmail,
        downloader,
        limits=Limits(messages=settings.sends_per_day, recipients=settings.recipients_per_day),
        now=clock.now,
    )
    patience = Patience(timeout_s=settings.write_timeout, settle_after_s=settings.settle_after)
    app[OUTBOUND] = Outbound(
        pool,
        find_connection,
        [
            LabelCarrier(pool, gmail, intake, patience=patience, now=clock.now),
            DraftCarrier(
                pool,
                gmail,
                policy=MergePolicy(settings.merge_policy),
                patience=patience,
                now=clock.now,
            ),
            Sender(
                pool,
                gmail,
                patience=patience,
                expiry=settings.send_expiry_time,
                now=clock.now,
            ),
        ],
        now=clock.now,
    )


def _refresh(gmail: Gmail, names: LabelNames) -> Refresh:
    async def refresh(connection: Connection) -> None:
        await names.refresh(gmail.box(connection, Lane.BACKFILL), connection)

    return refresh


async def _sent_by_us(
    conn: db.Connection, connection: Connection, google_ids: Sequence[str]
) -> frozenset[str]:
    return await list_ours(conn, connection.tenant_id, connection.id, google_ids)


async def _hold(
    conn: db.Connection, feed: Feed, *, kind: str, subject: str, affected: int, total: int
) -> None:
    await open_hold(
        conn, feed, kind=kind, subject=subject, affected=affected, total=total, now=clock.now()
    )


def _budgets(settings: MailSettings) -> Budgets:
    return Budgets(
        account_per_minute=settings.units_per_minute,
        project_per_minute=settings.project_units_per_minute,
        project_per_day=settings.project_units_per_day,
        backfill_per_day=settings.backfill_units_per_day,
    )
