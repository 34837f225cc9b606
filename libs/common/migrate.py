"""Forward-only migrations, applied once whoever runs them, each in a transaction of its own.

A set is a folder of `NNNN_pre_slug.sql` and `NNNN_post_slug.sql` files: *pre* is what new
code needs before it runs and the running release must survive, *post* what may happen only
when no old code is left. What was applied is kept by name and checksum in
`schema_migrations`.

A file whose first line is `-- no-transaction` holds one statement that Postgres refuses
inside a transaction (CREATE INDEX CONCURRENTLY). It runs without a statement time-out, and
must be written so that running it again after a failure is right (IF NOT EXISTS).
"""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

import structlog
from pydantic import SecretStr

from libs.common import db
from libs.common.errors import AppError

LOCK_KEY = 0x0CA05E3A7
"""Of the advisory lock that lets one migrator work at a time in a database."""
LOCK_WAIT_S = 60.0
LOCK_POLL_S = 0.1
STATEMENT_TIMEOUT_S = 5.0
NO_TRANSACTION = "-- no-transaction"

FILE_NAME = re.compile(r"\d{4}_(?P<phase>pre|post)_[a-z0-9_]+\.sql")

Phase = Literal["all", "pre", "post"]

log = structlog.stdlib.get_logger(__name__)


class MigrationError(AppError):
    """The schema cannot be brought to what this code wants; `migration` in `data` says which."""

    slug = "migration"


class SchemaNewer(MigrationError):
    """The database was migrated by a later release: this code must not touch it."""

    slug = "schema-newer"


class SchemaChanged(MigrationError):
    """A file that was applied is no longer what it was."""

    slug = "schema-changed"


class MigrationBusy(MigrationError):
    """Another migrator did not finish in time."""

    slug = "migration-busy"


@dataclass(frozen=True, slots=True)
class MigrationSet:
    """A named folder of migrations; the name is part of what is kept in the database."""

    name: str
    files: Traversable


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of a set."""

    part: str
    slug: str
    phase: str
    sql: str

    @property
    def name(self) -> str:
        """Return `<set>/<file without .sql>`."""
        return f"{self.part}/{self.slug}"

    @property
    def checksum(self) -> str:
        """Return the SHA-256 of the file's text, in hexadecimal."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def kernel(part: str) -> MigrationSet:
    """Return the kernel's set `part`: a folder of `libs/common/migrations`."""
    return MigrationSet(part, files("libs.common") / "migrations" / part)


def service(name: str) -> MigrationSet:
    """Return the set of the service `name`: its folder `migrations`."""
    return MigrationSet(name, files(f"services.{name}") / "migrations")


async def migrate(
    url: str | SecretStr,
    *sets: MigrationSet,
    phase: Phase = "all",
) -> list[str]:
    """Apply what is missing, set by set in the given order; return the names applied.

    Any number may run at once: one works, the others wait and find nothing left to do.

    Raises:
        SchemaNewer: the database has a migration of these sets that is not among the files.
        SchemaChanged: an applied file has another checksum now.
        MigrationBusy: another migrator held the lock for a minute.
    """
    async with _locked(url) as conn:
        await conn.execute(CREATE_TABLE)
        known = await _applied(conn)
        _refuse_unknown(known, sets)
        missing = [m for m in _all(sets) if _is_missing(m, known) and phase in ("all", m.phase)]
        for migration in missing:
            await _apply(conn, migration)
            log.info("migration_applied", migration=migration.name)
    return [migration.name for migration in missing]


async def pending(conn: db.Connection, *sets: MigrationSet, phase: Phase = "pre") -> list[str]:
    """Return the names not applied yet, by default those this code needs before it may run.

    Raises:
        SchemaChanged: an applied file has another checksum now.
    """
    known = await _applied(conn) if await conn.fetchval(TABLE_EXISTS) else {}
    return [m.name for m in _all(sets) if _is_missing(m, known) and phase in ("all", m.phase)]


CREATE_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name text PRIMARY KEY,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""

TABLE_EXISTS = "SELECT to_regclass('schema_migrations') IS NOT NULL"

LIST_APPLIED = "SELECT name, checksum FROM schema_migrations"


async def _applied(conn: db.Connection) -> dict[str, str]:
    return {row["name"]: row["checksum"] for row in await conn.fetch(LIST_APPLIED)}


ADD_APPLIED = "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)"


async def _apply(conn: db.Connection, migration: Migration) -> None:
    if migration.sql.startswith(NO_TRANSACTION):
        await conn.execute("SET statement_timeout = 0")
        await conn.execute(migration.sql, timeout=float("inf"))
        await conn.execute("RESET statement_timeout")
        await conn.execute(ADD_APPLIED, migration.name, migration.checksum)
        return
    async with conn.transaction():
        await conn.execute(migration.sql)
        await conn.execute(ADD_APPLIED, migration.name, migration.checksum)


@asynccontextmanager
async def _locked(url: str | SecretStr) -> AsyncIterator[db.Connection]:
    conn = await db.connect(
        url, application_name="causeway-migrate", statement_timeout_s=STATEMENT_TIMEOUT_S
    )
    try:
        await conn.execute("SET lock_timeout = '4s'")
        await _lock(conn)
        yield conn
    finally:
        await conn.close(timeout=db.CLOSE_TIMEOUT_S)


async def _lock(conn: db.Connection) -> None:
    # Asked again and again rather than waited for: a statement that waits holds a snapshot,
    # and the other migrator's CREATE INDEX CONCURRENTLY would wait for that in turn.
    deadline = time.monotonic() + LOCK_WAIT_S
    while not await conn.fetchval("SELECT pg_try_advisory_lock($1)", LOCK_KEY):
        if time.monotonic() > deadline:
            raise MigrationBusy("Another migrator holds the lock.")
        await asyncio.sleep(LOCK_POLL_S)


def _all(sets: tuple[MigrationSet, ...]) -> Iterator[Migration]:
    for one in sets:
        for file in sorted(one.files.iterdir(), key=lambda f: f.name):
            if not file.name.endswith(".sql"):
                continue
            if (match := FILE_NAME.fullmatch(file.name)) is None:
                raise MigrationError("A migration's name is malformed.", migration=file.name)
            yield Migration(
                part=one.name,
                slug=file.name.removesuffix(".sql"),
                phase=match["phase"],
                sql=file.read_text(encoding="utf-8"),
            )


def _is_missing(migration: Migration, known: dict[str, str]) -> bool:
    if migration.name not in known:
        return True
    if known[migration.name] != migration.checksum:
        raise SchemaChanged("An applied migration was edited.", migration=migration.name)
    return False


def _refuse_unknown(known: dict[str, str], sets: tuple[MigrationSet, ...]) -> None:
    ours = {migration.name for migration in _all(sets)}
    parts = {one.name for one in sets}
    for name in sorted(known):
        if name.partition("/")[0] in parts and name not in ours:
            raise SchemaNewer("The database is newer than this release.", migration=name)
