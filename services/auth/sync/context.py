"""What every use case works with."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from libs.common.db import Connection as Database
from libs.common.db import Pool
from services.auth.domain import secrets
from services.auth.domain.model import Consent
from services.auth.domain.rules import AlarmRule
from services.auth.domain.sealing import Keyring
from services.auth.domain.urls import ReturnUrls
from services.auth.google import GoogleAuth
from services.auth.settings import AuthSettings
from services.auth.store import consents


@dataclass(slots=True)
class AlarmBell:
    """Whether this process last saw the alarm ring, so that the log says it once."""

    is_ringing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The service's tools, made once by the composition root."""

    pool: Pool
    google: GoogleAuth
    keyring: Keyring
    return_urls: ReturnUrls
    alarm: AlarmRule
    settings: AuthSettings
    bell: AlarmBell = field(default_factory=AlarmBell)


async def issue_link(
    conn: Database, context: Context, consent: Consent, *, now: datetime, ttl_s: float
) -> str:
    """Add a one-use ticket for `consent`; return the link to give to the person."""
    ticket = secrets.new_secret()
    expires_at = now + timedelta(seconds=ttl_s)
    await consents.add_ticket(conn, secrets.digest(ticket), consent, expires_at=expires_at)
    return f"{context.settings.public_url}/v1/oauth/start?ticket={ticket}"
