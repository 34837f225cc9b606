"""One database and one role per service on a server we were given the administrator of."""

import asyncio
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from cli.local.environment import role_name
from cli.local.process import LocalStackError
from cli.local.state import Secrets

TIMEOUT_S = 30

QUOTE = "SELECT format($1, VARIADIC $2::text[])"
ROLE_EXISTS = "SELECT 1 FROM pg_roles WHERE rolname = $1"
DATABASE_EXISTS = "SELECT 1 FROM pg_database WHERE datname = $1"


def create(admin_url: str, services: list[str], secrets: Secrets) -> None:
    """Make sure each service has its role, with our password, and the database it owns.

    Raises:
        LocalStackError: the server refused or did not answer.
    """
    try:
        asyncio.run(_create(admin_url, services, secrets))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as exc:
        raise LocalStackError(f"the databases cannot be created: {type(exc).__name__}") from exc


async def _create(admin_url: str, services: list[str], secrets: Secrets) -> None:
    admin = await asyncpg.connect(admin_url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        await create_all(admin, admin_url, services, secrets)
    finally:
        await admin.close()


async def create_all(
    admin: "asyncpg.Connection[asyncpg.Record]",
    admin_url: str,
    services: list[str],
    secrets: Secrets,
) -> None:
    """Do what `create` does, on an open administrator's connection."""
    for service in services:
        name = role_name(service)
        verb = "ALTER" if await admin.fetchval(ROLE_EXISTS, name) else "CREATE"
        password = secrets.role_password(service)
        await _run(admin, f"{verb} ROLE %I LOGIN PASSWORD %L", name, password)
        if not await admin.fetchval(DATABASE_EXISTS, name):
            # An administrator who is no superuser must belong to the role to give it away.
            await _run(admin, "GRANT %I TO CURRENT_USER", name)
            await _run(admin, "CREATE DATABASE %I OWNER %I", name, name)
            await _close_to_others(admin_url, name)


async def _close_to_others(admin_url: str, name: str) -> None:
    parts = urlsplit(admin_url)
    url = urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
    inside = await asyncpg.connect(url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
    try:
        await _run(inside, "REVOKE ALL ON DATABASE %I FROM PUBLIC", name)
    finally:
        await inside.close()


async def _run(connection: "asyncpg.Connection[asyncpg.Record]", shape: str, *words: str) -> None:
    """Run a statement that takes no parameters; `shape` quotes each word (%I name, %L text)."""
    await connection.execute(await connection.fetchval(QUOTE, shape, [*words]))
