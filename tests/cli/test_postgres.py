"""The private PostgreSQL: durable, closed, and on its feet again after kill -9."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from cli.local import databases
from cli.local.postgres import PostgresServer
from cli.local.state import Secrets
from tests.databases import connected


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory(prefix="causeway-pg-") as folder:
        Path(folder).chmod(0o711)
        postgres = PostgresServer(Path(folder) / "postgres")
        postgres.start()
        yield postgres
        postgres.stop()


async def test_what_was_committed_survives_kill_9(server: PostgresServer) -> None:
    async with connected(server.url()) as connection:
        await connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        server.kill()
    server.start()

    async with connected(server.url()) as connection:
        assert await connection.fetchval("SELECT answer FROM kept") == 42


async def test_a_start_ends_the_server_another_left_behind(server: PostgresServer) -> None:
    left = server.process
    assert left is not None
    successor = PostgresServer(server.directory, password=server.password)
    successor.start()

    async with connected(successor.url()) as connection:
        assert await connection.fetchval("SELECT 1") == 1
    assert left.wait(5) == 0
    successor.stop()


async def test_a_stale_pid_file_that_names_a_stranger_is_no_obstacle(
    server: PostgresServer,
) -> None:
    server.stop()
    (server.data / "postmaster.pid").write_text("1\n/elsewhere\n")
    server.start()

    async with connected(server.url()) as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_nobody_gets_in_without_the_password(server: PostgresServer) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(server.url().replace(server.password, "guess"), timeout=10)


def test_the_password_is_in_no_representation(server: PostgresServer) -> None:
    assert server.password not in repr(server)


def test_databases_and_roles_are_made_once(server: PostgresServer) -> None:
    secrets = Secrets()
    for _ in range(2):
        databases.create(server.url(), ["auth", "mail"], secrets)


async def test_a_role_cannot_enter_another_services_database(server: PostgresServer) -> None:
    secrets = Secrets()
    async with connected(server.url()) as admin:
        await databases.create_all(admin, server.url(), ["auth", "mail"], secrets)
    login = f"causeway_auth:{secrets.role_password('auth')}"
    address = f"postgresql://{login}@127.0.0.1:{server.port}"

    async with connected(f"{address}/causeway_auth") as connection:
        await connection.execute("CREATE TABLE mine (id int)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(f"{address}/causeway_mail", timeout=10)
