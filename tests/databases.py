"""A database per test, cloned from a template that holds the migrations it asks for."""

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.resources.abc import Traversable
from typing import Protocol

import asyncpg

from libs.common import migrate

CONNECT_TIMEOUT_S = 30
TEMPLATE_LOCK = 7_260_401  # any number; workers of one session build templates one by one


class NewDatabase(Protocol):
    """The `new_database` fixture: an async factory of migrated databases."""

    async def __call__(self, *sets: migrate.MigrationSet) -> str:
        """Return the URL of a fresh database with these migration sets applied."""


def _digest(files: Traversable) -> str:
    parts = sorted((file.name, file.read_bytes()) for file in files.iterdir() if file.is_file())
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def template_name(sets: tuple[migrate.MigrationSet, ...]) -> str:
    """Return the template's name: the same sets with the same files share one."""
    key = repr([(item.name, _digest(item.files)) for item in sets])
    return f"template_{hashlib.sha256(key.encode()).hexdigest()[:24]}"


@asynccontextmanager
async def connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    """Yield a connection that is closed afterwards."""
    connection = await asyncpg.connect(url, timeout=CONNECT_TIMEOUT_S, command_timeout=60)
    try:
        yield connection
    finally:
        await connection.close()


async def run(connection: "asyncpg.Connection[asyncpg.Record]", shape: str, *names: str) -> None:
    """Run a statement on databases; `shape` holds one %I for each name."""
    quoted = await connection.fetchval("SELECT format($1, VARIADIC $2::text[])", shape, [*names])
    await connection.execute(quoted)


async def create(
    admin: "asyncpg.Connection[asyncpg.Record]",
    url_of: Callable[[str], str],
    sets: tuple[migrate.MigrationSet, ...],
) -> str:
    """Create a database with `sets` applied; return its name."""
    name = f"test_{secrets.token_hex(8)}"
    if not sets:
        await run(admin, "CREATE DATABASE %I", name)
        return name
    template = template_name(sets)
    await admin.execute("SELECT pg_advisory_lock($1)", TEMPLATE_LOCK)
    try:
        if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", template):
            await _build(admin, url_of, template, sets)
    finally:
        await admin.execute("SELECT pg_advisory_unlock($1)", TEMPLATE_LOCK)
    await run(admin, "CREATE DATABASE %I TEMPLATE %I", name, template)
    return name


async def _build(
    admin: "asyncpg.Connection[asyncpg.Record]",
    url_of: Callable[[str], str],
    template: str,
    sets: tuple[migrate.MigrationSet, ...],
) -> None:
    draft = f"draft_{secrets.token_hex(8)}"
    await run(admin, "CREATE DATABASE %I", draft)
    await migrate.migrate(url_of(draft), *sets)
    await run(admin, "ALTER DATABASE %I RENAME TO %I", draft, template)
