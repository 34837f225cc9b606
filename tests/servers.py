"""The private PostgreSQL and RabbitMQ of one test session: started when first needed."""

import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from cli.local.postgres import PostgresServer
from cli.local.process import ProcessId
from cli.local.rabbitmq import RabbitServer

PREFIX = "causeway-tests-"
OWNER = "owner"
TOLD = "CAUSEWAY_TEST_SERVERS"
"""Variable: the addresses of servers that the starter of this session runs for it, as JSON."""
NOWHERE = Path(os.devnull)
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it
ROOM_BYTES = 4 << 30


class Addresses(TypedDict):
    """What a session is told about servers that another process runs for it."""

    postgres_port: int
    postgres_password: str
    rabbit_port: int
    rabbit_management_port: int
    rabbit_password: str


@dataclass
class Servers:
    """Both servers in one throw-away directory; they die with this process whatever happens."""

    directory: Path
    durable: bool = False
    """Whether PostgreSQL keeps what it says it keeps: tests need not survive a power cut."""
    _postgres: PostgresServer | None = field(default=None, repr=False)
    _rabbit: RabbitServer | None = field(default=None, repr=False)

    @classmethod
    def create(cls, *, durable: bool = False) -> "Servers":
        """Return servers that will live in a new directory; nothing is started yet."""
        home = Path(tempfile.gettempdir()) if durable else scratch()
        _sweep(home)
        directory = Path(tempfile.mkdtemp(prefix=PREFIX, dir=home))
        directory.chmod(0o711)  # PostgreSQL runs as another user when we are root
        owner = ProcessId.find(os.getpid())
        assert owner
        (directory / OWNER).write_text(f"{owner.pid} {owner.started}")
        return cls(directory, durable=durable)

    @classmethod
    def attach(cls, addresses: Addresses) -> "Servers":
        """Return the servers that another process started."""
        return cls(
            NOWHERE,
            _postgres=PostgresServer(
                NOWHERE,
                port=addresses["postgres_port"],
                password=addresses["postgres_password"],
            ),
            _rabbit=RabbitServer(
                NOWHERE,
                port=addresses["rabbit_port"],
                management_port=addresses["rabbit_management_port"],
                password=addresses["rabbit_password"],
            ),
        )

    @property
    def postgres(self) -> PostgresServer:
        """The PostgreSQL server, running."""
        if self._postgres is None:
            server = PostgresServer(self.directory / "postgres", durable=self.durable)
            server.start()
            self._postgres = server
        return self._postgres

    @property
    def rabbit(self) -> RabbitServer:
        """The RabbitMQ node, running."""
        if self._rabbit is None:
            server = RabbitServer(self.directory / "rabbitmq", management=True)
            server.start()
            self._rabbit = server
        return self._rabbit

    def addresses(self) -> Addresses:
        """Return what another process needs to attach; starts both servers."""
        return {
            "postgres_port": self.postgres.port,
            "postgres_password": self.postgres.password,
            "rabbit_port": self.rabbit.port,
            "rabbit_management_port": self.rabbit.management_port,
            "rabbit_password": self.rabbit.password,
        }

    def close(self) -> None:
        """End what was started here and remove the directory; what is attached goes on."""
        if self.directory == NOWHERE:
            return
        for server in (self._rabbit, self._postgres):
            if server:
                server.kill()
        shutil.rmtree(self.directory, ignore_errors=True)


def scratch() -> Path:
    """Return where servers that nobody needs to keep live: in memory where there is room.

    A database per test is hundreds of files made and removed: on a disk's file system that costs
    more than the tests themselves.
    """
    try:
        memory = os.statvfs(MEMORY)
    except OSError:
        return Path(tempfile.gettempdir())
    roomy = memory.f_bavail * memory.f_frsize >= ROOM_BYTES and os.access(MEMORY, os.W_OK)
    return MEMORY if roomy else Path(tempfile.gettempdir())


def _sweep(home: Path) -> None:
    """Remove the directories of sessions that were killed."""
    for directory in home.glob(f"{PREFIX}*"):
        try:
            pid, started = (int(word) for word in (directory / OWNER).read_text().split())
        except (OSError, ValueError):
            continue
        if not ProcessId(pid, started).alive():
            shutil.rmtree(directory, ignore_errors=True)
