"""Connections to the service's own Postgres: the pool, and lone connections for locks and LISTEN.

Connections of the pool are returned without asyncpg's reset query (it would double the
round trips of every short statement). An open transaction is still rolled back, but
anything else a session keeps (SET, LISTEN, advisory locks) would leak to the next user of
the connection: use `connect` for those.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import asyncpg
import orjson
from aiohttp import web
from pydantic import SecretStr

from libs.common.errors import Transient

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

POOL: web.AppKey["Pool"] = web.AppKey("pool", asyncpg.Pool)

CONNECT_TIMEOUT_S = 10.0
ACQUIRE_TIMEOUT_S = 10.0
CLOSE_TIMEOUT_S = 5.0

# The client gives up a little after the server should have: only when the server cannot answer.
CLIENT_GRACE_S = 5.0

UNAVAILABLE: tuple[type[Exception], ...] = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, terminated, timed out
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # deadlock, serialization
    asyncpg.LockNotAvailableError,
    asyncpg.InterfaceError,  # the connection is closed
    asyncpg.InternalClientError,  # what asyncpg says when it was closed between two statements
)
"""Errors that say the database is away or busy: the same work may succeed later."""

FAILURES: tuple[type[Exception], ...] = (asyncpg.PostgresError, *UNAVAILABLE)
"""What a process loop survives: besides the above, a statement the database refuses."""

JSONB_VERSION = b"\x01"
"""First byte of jsonb's binary form."""


async def open_pool(
    url: str | SecretStr,
    *,
    size: int = 8,
    statement_timeout_s: float = 10.0,
    application_name: str = "causeway",
) -> Pool:
    """Return a pool of at most `size` connections, opened when they are first needed.

    A database that is down therefore does not keep a service from starting; its readiness
    says so instead. jsonb columns are Python values both ways, read and written by orjson.
    The caller closes the pool.

    Args:
        url: `postgresql://user:password@host:port/database`.
        size: 1 or more; replicas x roles x size is the connection budget of the database.
        statement_timeout_s: longest any one statement may run.
        application_name: shown in `pg_stat_activity`.
    """
    pool: Pool = await asyncpg.create_pool(
        _reveal(url),
        min_size=0,
        max_size=size,
        init=_set_codecs,
        reset=_no_reset,
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s + CLIENT_GRACE_S,
        server_settings=_server_settings(application_name, statement_timeout_s),
    )
    return pool


async def connect(
    url: str | SecretStr,
    *,
    application_name: str,
    statement_timeout_s: float = 10.0,
) -> "asyncpg.Connection[asyncpg.Record]":
    """Return a connection of the caller's own, for what a session keeps (locks, LISTEN, SET).

    The server looks whether its other end is still there every few seconds, so that a lock
    does not outlive the machine of its holder for long. The caller closes it.
    """
    conn: asyncpg.Connection[asyncpg.Record] = await asyncpg.connect(
        _reveal(url),
        timeout=CONNECT_TIMEOUT_S,
        command_timeout=statement_timeout_s + CLIENT_GRACE_S,
        server_settings=_server_settings(application_name, statement_timeout_s),
    )
    await _set_codecs(conn)
    return conn


@asynccontextmanager
async def acquired(
    pool: Pool, *, timeout_s: float = ACQUIRE_TIMEOUT_S
) -> AsyncIterator[Connection]:
    """Yield a connection on which each statement is a transaction of its own.

    One statement needs no more: BEGIN and COMMIT would be two more round trips.

    Raises:
        Transient: no connection became free (or could be opened) within `timeout_s` seconds.
        TimeoutError: there was no answer. The network may have lost the connection, and the
            pool's others with it: they are made anew before they are used again, or each of
            them would cost somebody such a wait.
    """
    try:
        conn = await pool.acquire(timeout=timeout_s)
    except TimeoutError as exc:
        raise Transient("The database has no free connection.") from exc
    try:
        yield conn
    except TimeoutError:
        await pool.expire_connections()
        raise
    finally:
        await pool.release(conn)


@asynccontextmanager
async def transaction(
    pool: Pool, *, timeout_s: float = ACQUIRE_TIMEOUT_S
) -> AsyncIterator[Connection]:
    """Yield a connection inside a transaction: committed on leaving, rolled back on an error.

    Raises:
        Transient, TimeoutError: as `acquired` does.
    """
    async with acquired(pool, timeout_s=timeout_s) as conn, conn.transaction():
        yield conn


def database(
    url: str | SecretStr,
    *,
    size: int = 8,
    statement_timeout_s: float = 10.0,
    application_name: str = "causeway",
) -> Callable[[web.Application], AsyncIterator[None]]:
    """Return a cleanup context that keeps the pool in `app[POOL]`; arguments as `open_pool`."""

    async def context(app: web.Application) -> AsyncIterator[None]:
        app[POOL] = pool = await open_pool(
            url,
            size=size,
            statement_timeout_s=statement_timeout_s,
            application_name=application_name,
        )
        yield
        await close_pool(pool)

    return context


async def close_pool(pool: Pool, *, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
    """Close the pool, giving work on borrowed connections `timeout_s` seconds to end."""
    try:
        async with asyncio.timeout(timeout_s):
            await pool.close()
    except TimeoutError:
        pool.terminate()


async def ping(pool: Pool, *, timeout_s: float = 2.0) -> None:
    """Return when the database answers.

    Raises:
        TimeoutError, OSError, asyncpg.PostgresError: it does not.
    """
    async with asyncio.timeout(timeout_s), pool.acquire() as conn:
        await conn.execute("SELECT 1")


def _reveal(url: str | SecretStr) -> str:
    return url.get_secret_value() if isinstance(url, SecretStr) else url


def _server_settings(application_name: str, statement_timeout_s: float) -> dict[str, str]:
    return {
        "application_name": application_name,
        "timezone": "UTC",
        "statement_timeout": str(round(statement_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": "60000",
        "jit": "off",  # our statements are short: compiling them costs more than it saves
        "tcp_keepalives_idle": "10",
        "tcp_keepalives_interval": "5",
        "tcp_keepalives_count": "3",
    }


async def _set_codecs(conn: Connection) -> None:
    await conn.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=_encode_jsonb,
        decoder=_decode_jsonb,
        format="binary",
    )


def _encode_jsonb(value: Any) -> bytes:
    return JSONB_VERSION + orjson.dumps(value)


def _decode_jsonb(data: bytes) -> Any:
    return orjson.loads(memoryview(data)[1:])


async def _no_reset(_conn: Connection) -> None:
    """Send nothing when a connection returns to the pool (see the module's docstring)."""
