"""Real servers for every test: private, started once per session, ended whatever happens.

Without pytest-xdist a server starts when the first test asks for it; with it, the controller
starts both and tells the workers their addresses. Whoever starts many sessions may run the
servers for all of them (`tests.servers.TOLD`).
"""

import json
import os
import secrets
import sys
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import hypothesis
import pytest

from libs.common.migrate import MigrationSet
from tests.databases import NewDatabase, connected, create, run
from tests.emulated import Emulated, running_emulator
from tests.logs import Recorder, recorded
from tests.servers import TOLD, Addresses, Servers

SERVERS = pytest.StashKey[Servers]()
WORKER_INPUT = "causeway_servers"
# How long an example takes says more about the machine than about the code.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a pytest-xdist worker where the controller's servers are."""
    node.workerinput[WORKER_INPUT] = _servers(node.config).addresses()


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the servers this process started."""
    if SERVERS in config.stash:
        config.stash[SERVERS].close()


def _servers(config: pytest.Config) -> Servers:
    if SERVERS not in config.stash:
        told = _told(config)
        config.stash[SERVERS] = Servers.attach(told) if told else Servers.create()
    return config.stash[SERVERS]


def _told(config: pytest.Config) -> Addresses | None:
    """Return where the servers of the controller, or of whoever started the session, are."""
    given = getattr(config, "workerinput", {}).get(WORKER_INPUT) or os.environ.get(TOLD)
    return cast("Addresses | None", json.loads(given) if isinstance(given, str) else given)


@pytest.fixture(autouse=True)
def logs() -> Iterator[Recorder]:
    """What the test logs; it fails if that holds a token, a secret or an address."""
    with recorded() as logs:
        yield logs
    sys.stdout.write("\n".join(logs.lines))  # pytest shows it when the test fails
    assert logs.leaks() == []


@pytest.fixture(scope="session")
def servers(pytestconfig: pytest.Config) -> Servers:
    """The session's servers (an attribute starts the server it names)."""
    return _servers(pytestconfig)


@pytest.fixture
def postgres_url_admin(servers: Servers) -> str:
    """The address of an administrator's database on the session's PostgreSQL."""
    return servers.postgres.url()


@pytest.fixture
async def new_database(servers: Servers) -> AsyncIterator[NewDatabase]:
    """A factory of fresh, migrated databases, dropped after the test; see NewDatabase."""
    postgres, created = servers.postgres, list[str]()

    async def make(*sets: MigrationSet) -> str:
        async with connected(postgres.url()) as admin:
            name = await create(admin, postgres.url, sets)
        created.append(name)
        return postgres.url(name)

    yield make
    if created:
        async with connected(postgres.url()) as admin:
            for name in created:
                await run(admin, "DROP DATABASE %I WITH (FORCE)", name)


@pytest.fixture
def amqp_url(servers: Servers) -> Iterator[str]:
    """The address of a virtual host of the test's own on the session's RabbitMQ."""
    name = f"test-{secrets.token_hex(8)}"
    servers.rabbit.add_vhost(name)
    yield servers.rabbit.url(name)
    servers.rabbit.delete_vhost(name)


@pytest.fixture
async def emulator() -> AsyncIterator[Emulated]:
    """A Google of the test's own, in this process, on a free loopback port."""
    async with running_emulator() as running:
        yield running
