"""The product as it runs: service processes with databases of their own, and what they cost."""

import asyncio
import base64
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from cli.local import web
from cli.local.process import free_ports, wait_until
from cli.local.programs import Program
from libs.common.migrate import MigrationSet
from tests.databases import connected, create, run
from tests.servers import Servers

HOST = "127.0.0.1"
START_S = 60
TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024
TOPIC = "projects/bench/topics/gmail"
PUSHER = "push@bench.iam.gserviceaccount.com"
CALLER_ISSUER, CALLER_AUDIENCE = "https://crm.bench", "causeway"
PLENTY = "1000000000"
"""Units of quota: the ledger counts, and paces nobody."""


@dataclass
class House:
    """What a bench has started; all of it ends with the block that made it."""

    servers: Servers
    directory: Path
    keys: dict[str, str] = field(default_factory=dict, repr=False)
    _ports: Iterator[int] = field(default_factory=free_ports, repr=False)
    _programs: list[Program] = field(default_factory=list, repr=False)
    _databases: list[str] = field(default_factory=list, repr=False)

    def port(self) -> int:
        """Return a free port."""
        return next(self._ports)

    def database(self, *sets: MigrationSet) -> str:
        """Return the address of a new database with these migrations."""

        async def make() -> str:
            async with connected(self.servers.postgres.url()) as admin:
                return await create(admin, self.servers.postgres.url, sets)

        name = asyncio.run(make())
        self._databases.append(name)
        return self.servers.postgres.url(name)

    def start(self, *arguments: str, **environment: str) -> Program:
        """Start `python -m ARGUMENTS`; nobody waits for it."""
        log = self.directory / f"{len(self._programs)}.log"
        program = Program([*arguments], self.inherited() | environment, log)
        self.add(program)
        return program

    def add(self, program: Program) -> None:
        """Start a program; it ends with the house."""
        self._programs.append(program)
        program.start()

    @staticmethod
    def inherited() -> dict[str, str]:
        """Return our environment without any setting of the product."""
        ours = ("CAUSEWAY_", "GOOGLE_")
        return {name: value for name, value in os.environ.items() if not name.startswith(ours)}

    def environment(self, *, google: str, auth: str, port: int) -> dict[str, str]:
        """Return what every process of the product is told."""
        return {
            "CAUSEWAY_HOST": HOST,
            "CAUSEWAY_AMQP_URL": self.servers.rabbit.url(),
            "CAUSEWAY_PUBLIC_URL": f"http://{HOST}:{port}",
            "CAUSEWAY_AUTH_URL": auth,
            "CAUSEWAY_GOOGLE_ORIGIN": google,
            "CAUSEWAY_SERVICE_KEY": self._key("service"),
            "CAUSEWAY_CALLER_KEY": self._key("caller"),
            "CAUSEWAY_CALLER_ISSUER": CALLER_ISSUER,
            "CAUSEWAY_CALLER_AUDIENCE": CALLER_AUDIENCE,
            "CAUSEWAY_LOG_FORMAT": "json",
        }

    def mail(self, database: str, *, google: str, auth: str, port: int) -> dict[str, str]:
        """Return the environment of a mail process that no budget paces."""
        return {
            **self.environment(google=google, auth=auth, port=port),
            "CAUSEWAY_MAIL_DATABASE_URL": database,
            "CAUSEWAY_MAIL_PORT": str(port),
            "CAUSEWAY_MAIL_POLICY": "all",
            "CAUSEWAY_MAIL_HASH_KEY": base64.b64encode(b"bench hash key".ljust(32)).decode(),
            "CAUSEWAY_GMAIL_TOPIC": TOPIC,
            "CAUSEWAY_PUSH_AUDIENCE": "https://causeway.bench/push",
            "CAUSEWAY_PUSH_SERVICE_ACCOUNT": PUSHER,
            "CAUSEWAY_GMAIL_UNITS_PER_MINUTE": PLENTY,
            "CAUSEWAY_GMAIL_PROJECT_UNITS_PER_MINUTE": PLENTY,
            "CAUSEWAY_GMAIL_PROJECT_UNITS_PER_DAY": PLENTY,
            "CAUSEWAY_GMAIL_BACKFILL_UNITS_PER_DAY": PLENTY,
        }

    def calendar(self, database: str, *, google: str, auth: str, port: int) -> dict[str, str]:
        """Return the environment of a calendar process that no budget paces."""
        return {
            **self.environment(google=google, auth=auth, port=port),
            "CAUSEWAY_CALENDAR_DATABASE_URL": database,
            "CAUSEWAY_CALENDAR_PORT": str(port),
            "CAUSEWAY_CALENDAR_REQUESTS_PER_MINUTE": PLENTY,
            "CAUSEWAY_CALENDAR_PROJECT_REQUESTS_PER_MINUTE": PLENTY,
            "CAUSEWAY_CALENDAR_PROJECT_REQUESTS_PER_DAY": PLENTY,
        }

    def contacts(self, database: str, *, google: str, auth: str, port: int) -> dict[str, str]:
        """Return the environment of a contacts process that no budget paces."""
        return {
            **self.environment(google=google, auth=auth, port=port),
            "CAUSEWAY_CONTACTS_DATABASE_URL": database,
            "CAUSEWAY_CONTACTS_PORT": str(port),
            "CAUSEWAY_CONTACTS_REQUESTS_PER_MINUTE": PLENTY,
            "CAUSEWAY_CONTACTS_CRITICAL_READS_PER_MINUTE": PLENTY,
            "CAUSEWAY_CONTACTS_CRITICAL_WRITES_PER_MINUTE": PLENTY,
            "CAUSEWAY_CONTACTS_PROJECT_REQUESTS_PER_MINUTE": PLENTY,
            "CAUSEWAY_CONTACTS_PROJECT_WRITES_PER_DAY": PLENTY,
            # Nobody is asked but for what is measured.
            "CAUSEWAY_CONTACTS_SHORTEST_POLL": "3600",
            "CAUSEWAY_CONTACTS_LONGEST_POLL": "3600",
        }

    def _key(self, name: str) -> str:
        return self.keys.setdefault(name, base64.b64encode(secrets.token_bytes(48)).decode())

    def close(self) -> None:
        """End the processes and drop the databases."""
        for program in self._programs:
            program.ask_to_stop()
        for program in self._programs:
            program.stop()

        async def drop() -> None:
            async with connected(self.servers.postgres.url()) as admin:
                for name in self._databases:
                    await run(admin, "DROP DATABASE %I WITH (FORCE)", name)

        asyncio.run(drop())


@contextmanager
def house(servers: Servers) -> Iterator[House]:
    """Yield a place to start processes and databases in."""
    with tempfile.TemporaryDirectory(prefix="causeway-bench-") as directory:
        made = House(servers, Path(directory))
        try:
            yield made
        finally:
            made.close()


def answers(url: str) -> None:
    """Return once something answers 200 there.

    Raises:
        TimeoutError: nothing does.
    """

    def fine() -> bool:
        answer = web.request("GET", url)
        return answer is not None and answer.ok

    if not wait_until(fine, timeout_s=START_S):
        raise TimeoutError(f"nothing answers at {url}")


def pid_of(program: Program) -> int:
    """Return the process's id."""
    if program.process is None:
        raise ProcessLookupError(" ".join(program.arguments))
    return program.process.pid


def cpu_s(program: Program) -> float:
    """Return the CPU seconds, user and system, that a process and its children have used."""
    return sum(_cpu_ticks(pid) for pid in _family(pid_of(program))) / TICKS


def rss_mib(program: Program) -> float:
    """Return the resident memory of a process and its children."""
    return sum(_pages(pid) for pid in _family(pid_of(program))) * PAGE / MIB


def _family(pid: int) -> list[int]:
    found = [pid]
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in tasks.read_text().split():
            found += _family(int(child))
    return found


def _cpu_ticks(pid: int) -> int:
    """Add what the process used and what its children that ended had used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15])


def _pages(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1])
