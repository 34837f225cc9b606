"""Servers that a test may break: its own."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from cli.local.postgres import PostgresServer
from libs.common.migrate import MigrationSet
from tests.databases import NewDatabase, connected, create
from tests.servers import scratch

# Without it a commit that was confirmed may be lost with the server, and nothing here would hold.
# (What is lost without fsync is lost only with the machine.)
KEEP_COMMITS = "ALTER ROLE CURRENT_USER SET synchronous_commit = on"


@pytest.fixture
def own_folder() -> Iterator[Path]:
    """A folder for a server of the test's own."""
    with tempfile.TemporaryDirectory(
        prefix="causeway-own-", dir=scratch(), ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as another user when we are root
        yield folder


@pytest.fixture
async def own_postgres(own_folder: Path) -> AsyncIterator[PostgresServer]:
    """A PostgreSQL of the test's own, running."""
    server = PostgresServer(own_folder / "postgres", durable=False)
    server.start()
    await durable_enough(server)
    yield server
    server.kill()


async def durable_enough(server: PostgresServer) -> None:
    """Have a server keep what it confirmed, also if it is killed."""
    async with connected(server.url()) as admin:
        await admin.execute(KEEP_COMMITS)


@pytest.fixture
def own_database(own_postgres: PostgresServer) -> NewDatabase:
    """As `new_database`, on `own_postgres`."""
    return databases_on(own_postgres)


def databases_on(server: PostgresServer) -> NewDatabase:
    """Return a factory of migrated databases that live as long as their server."""

    async def make(*sets: MigrationSet) -> str:
        async with connected(server.url()) as admin:
            return server.url(await create(admin, server.url, sets))

    return make
