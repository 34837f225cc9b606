"""Postgres has no connection left, or no room, and then has again."""

import asyncio
import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg
import pytest

from cli.local.postgres import PostgresServer
from tests.databases import NewDatabase, connected
from tests.faults.conftest import databases_on, durable_enough
from tests.faults.paths import ALICE
from tests.faults.recovering import Recovery, lively, push, rare
from tests.house.building import built
from tests.house.house import House
from tests.support import eventually

pytestmark = pytest.mark.timeout(240)

PEER = {"application_name": "greedy"}
KICK = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
 WHERE backend_type = 'client backend' AND application_name <> 'greedy'
   AND pid <> pg_backend_pid()
"""
DISK = "256m"


@asynccontextmanager
async def none_free(server: PostgresServer) -> AsyncIterator[None]:
    """Hold every connection that the server has."""
    async with AsyncExitStack() as stack:
        admin = await asyncpg.connect(server.url(), server_settings=PEER)
        stack.push_async_callback(admin.close)

        async def take() -> bool:
            try:
                conn = await asyncpg.connect(server.url(), server_settings=PEER)
            except asyncpg.TooManyConnectionsError:
                return False
            stack.push_async_callback(conn.close)
            return True

        # Those who lose theirs come back at once: until all are ours it is a race.
        while await admin.fetch(KICK):
            while all(await asyncio.gather(*(take() for _ in range(10)))):
                pass
        yield


@rare
async def test_without_a_free_connection_pushes_wait_at_google(
    own_postgres: PostgresServer, own_database: NewDatabase, amqp_url: str
) -> None:
    recovery = Recovery("postgres-connections", within_s=60)
    async with built(own_database, amqp_url) as house:
        await lively(house)
        async with none_free(own_postgres):
            await house.deliver(ALICE, subject="meanwhile", count=5)
            assert await push(house) == 503

        recovery.begin()
        await recovery.until_right(house)


@pytest.fixture
def small_disk(own_folder: Path) -> Iterator[Path]:
    """A file system that can be filled."""
    disk = own_folder / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK},mode=711", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        pytest.skip(f"NOT TRIED, a disk that is full: cannot mount one ({done.stderr.strip()})")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)  # noqa: S603, S607


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """Leave no room on a disk while inside."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(65_536))
        except OSError:
            pass
    yield
    ballast.unlink()


@pytest.fixture
async def postgres_on_small_disk(small_disk: Path) -> AsyncIterator[PostgresServer]:
    server = PostgresServer(small_disk / "postgres", durable=False)
    server.start()
    await durable_enough(server)
    yield server
    server.kill()


async def big_mail(house: House) -> None:
    """Let more arrive than free pages can take."""
    for number in range(4):
        text = secrets.token_hex(200_000)
        await house.deliver(ALICE, subject=f"meanwhile {number}", text=text)


@rare
async def test_a_full_disk_holds_mail_up_and_loses_none(
    small_disk: Path, postgres_on_small_disk: PostgresServer, amqp_url: str
) -> None:
    recovery = Recovery("postgres-disk", within_s=60)
    async with built(databases_on(postgres_on_small_disk), amqp_url) as house:
        await lively(house)
        with filled(small_disk):
            await big_mail(house)

            async def refused() -> bool:
                return "No space left" in postgres_on_small_disk.log.read_text()

            await eventually(refused)
        recovery.begin()
        await recovery.until_right(house)


@rare
async def test_postgres_that_dies_of_a_full_disk_loses_nothing(
    small_disk: Path, postgres_on_small_disk: PostgresServer, amqp_url: str
) -> None:
    """The log of transactions is what it cannot be without: it stops until there is room."""
    recovery = Recovery("postgres-disk-log", within_s=60)
    server = postgres_on_small_disk
    async with built(databases_on(server), amqp_url) as house:
        await lively(house)
        with filled(small_disk):
            async with connected(server.url()) as admin:
                await admin.execute("SELECT pg_switch_wal()")
            await big_mail(house)
            await eventually(lambda: not server.running(), timeout_s=60)
            assert await push(house) == 503
        server.start()
        recovery.begin()
        await recovery.until_right(house)
