"""Which services are asked, where they are, and with which token."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cli import compose, tokens
from cli.local.process import LocalStackError
from cli.local.state import Environments, StateDirectory
from cli.settings import StackSettings

PREFIXES = {
    "auth": "/v1/connections/privacy",
    "mail": "/v1/mail/privacy",
    "calendar": "/v1/calendar/privacy",
    "contacts": "/v1/contacts/privacy",
}
"""Of each service's endpoints on people; a service that joins gets a line here."""
TOKEN_TTL = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Target:
    """One service that may hold something about the person."""

    service: str
    url: str
    """Of its endpoints on people."""
    origin: str
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """How a person says which stack is meant: the local one, unless told otherwise."""

    tenant: str
    on_compose: bool = False
    url: str | None = None
    """Of a deployment behind one origin."""
    token_file: Path | None = None
    """Holds a token of a CRM service of the tenant; for such a deployment."""


def targets(where: Where, settings: StackSettings, home: StateDirectory) -> list[Target]:
    """Return every service of the stack, in the order in which they should be asked.

    Auth comes first: what it ends it tells the others.

    Raises:
        LocalStackError: nothing runs, or no token can be had.
    """
    if where.url is not None:
        origins = dict.fromkeys(PREFIXES, where.url.rstrip("/"))
        token = _given(where.token_file)
    elif where.on_compose:
        stage = compose.stage(settings.environment())
        origins = {
            "auth": stage.auth_url,
            "mail": stage.mail_url,
            "calendar": stage.calendar_url,
            "contacts": stage.contacts_url,
        }
        token = _issued(stage.environments, where.tenant)
    else:
        state = home.running()
        if state is None:
            raise LocalStackError("nothing is running: start it with `make up`")
        origins = {name: state.url(name, "web") for name in PREFIXES}
        token = _issued(home.environments(), where.tenant)
    return [Target(name, origins[name] + PREFIXES[name], origins[name], token) for name in PREFIXES]


def _issued(environments: Environments, tenant: str) -> str:
    return tokens.issue(
        environments, user=None, tenant=tenant, now=datetime.now(UTC), ttl=TOKEN_TTL
    )


def _given(file: Path | None) -> str:
    if file is None:
        raise LocalStackError("--url needs --token-file: a token of a CRM service of the tenant")
    try:
        return file.read_text().strip()
    except OSError as exc:
        raise LocalStackError(f"{file} cannot be read") from exc
