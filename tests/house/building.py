"""Building a house: databases, Google, processes with their settings, wires."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
import asyncpg

from cli.local.process import free_ports
from services.auth.app import migrations as auth_migrations
from services.calendar.app import migrations as calendar_migrations
from services.contacts.app import migrations as contacts_migrations
from services.mail.app import migrations as mail_migrations
from tests import messaging
from tests.databases import NewDatabase
from tests.emulated import running_emulator
from tests.house.house import House
from tests.house.points import Watch
from tests.house.programs import Program, Zygote
from tests.house.wires import Fork, Wire
from tests.integration.auth import stand as auth_stand
from tests.integration.mail.stand import AUDIENCE, HASH_KEY, PUSHER, TOPIC, subscribe
from tests.support import CALLER_AUDIENCE, CALLER_ISSUER, CALLER_KEY, SERVICE_KEY

AUTH_ROLES = {"auth": ("auth", "web"), "auth-worker": ("auth", "worker,relay")}
HOUSES = {
    "mail": {
        **AUTH_ROLES,
        "web": ("mail", "web"),
        "worker": ("mail", "worker"),
        "relay": ("mail", "relay"),
        "consumer": ("mail", "consumer"),
    },
    "calendar": {
        **AUTH_ROLES,
        "calendar-web": ("calendar", "web"),
        "calendar-worker": ("calendar", "worker"),
        "calendar-relay": ("calendar", "relay"),
        "calendar-consumer": ("calendar", "consumer"),
    },
    "contacts": {
        **AUTH_ROLES,
        "contacts-web": ("contacts", "web"),
        "contacts-worker": ("contacts", "worker"),
        "contacts-relay": ("contacts", "relay"),
        "contacts-consumer": ("contacts", "consumer"),
    },
}
"""The processes of a house by what people connect there: by name, service and roles."""
ROLES = HOUSES["mail"]
DOORS = {
    "mail": ("auth", "web"),
    "calendar": ("auth", "calendar-web"),
    "contacts": ("auth", "contacts-web"),
}
"""Those that are called; what calls several alike comes through one door."""
GENEROUS = {
    "contact_critical_reads_per_minute": 1_000_000,
    "contact_critical_writes_per_minute": 1_000_000,
    "contact_full_syncs_per_minute": 1_000_000,
}
"""Google's quotas of contacts: one person does in minutes what others do in days."""
TIMEOUT = aiohttp.ClientTimeout(total=30)
PLENTY = "1000000"
"""Of requests: what is too much, Google says."""
FIXED = {
    "PATH": "/usr/bin:/bin",
    "CAUSEWAY_SERVICE_KEY": SERVICE_KEY,
    "CAUSEWAY_CALLER_KEY": CALLER_KEY,
    "CAUSEWAY_CALLER_ISSUER": CALLER_ISSUER,
    "CAUSEWAY_CALLER_AUDIENCE": CALLER_AUDIENCE,
    "CAUSEWAY_SEALING_KEYS": auth_stand.SEALING_KEYS,
    "CAUSEWAY_RETURN_URLS": auth_stand.RETURN_URL,
    "GOOGLE_CLIENT_ID": "emulator-client.apps.googleusercontent.com",
    "GOOGLE_CLIENT_SECRET": "emulator-secret",
    "CAUSEWAY_MAIL_HASH_KEY": HASH_KEY,
    "CAUSEWAY_MAIL_POLICY": "all",
    "CAUSEWAY_GMAIL_TOPIC": TOPIC,
    "CAUSEWAY_PUSH_AUDIENCE": AUDIENCE,
    "CAUSEWAY_PUSH_SERVICE_ACCOUNT": PUSHER,
    # A poll or an audit would mend what a lost push broke, and hide that it was lost.
    "CAUSEWAY_MAIL_POLL_INTERVAL": "86400",
    "CAUSEWAY_MAIL_AUDIT_INTERVAL": "864000",
    "CAUSEWAY_AUTH_WORKER_INTERVAL": "1",
    # What became of a lost answer is found out in seconds.
    "CAUSEWAY_MAIL_WRITE_TIMEOUT": "2",
    "CAUSEWAY_MAIL_SETTLE_AFTER": "0.5",
    "CAUSEWAY_CALENDAR_POLL_INTERVAL": "86400",
    "CAUSEWAY_CALENDAR_LIST_INTERVAL": "86400",
    "CAUSEWAY_CALENDAR_AUDIT_INTERVAL": "864000",
    "CAUSEWAY_CALENDAR_WRITE_TIMEOUT": "2",
    "CAUSEWAY_CALENDAR_SETTLE_AFTER": "0.5",
    # Address books are looked at when somebody asks for it (`House.look`).
    "CAUSEWAY_CONTACTS_SHORTEST_POLL": "3600",
    "CAUSEWAY_CONTACTS_LONGEST_POLL": "3600",
    "CAUSEWAY_CONTACTS_AUDIT_INTERVAL": "864000",
    "CAUSEWAY_CONTACTS_WRITE_TIMEOUT": "2",
    "CAUSEWAY_CONTACTS_SETTLE_AFTER": "0.5",
    # Lists at this Google show at once what was written.
    "CAUSEWAY_CONTACTS_PROPAGATION": "1",
    "CAUSEWAY_CONTACTS_REQUESTS_PER_MINUTE": PLENTY,
    "CAUSEWAY_CONTACTS_CRITICAL_READS_PER_MINUTE": PLENTY,
    "CAUSEWAY_CONTACTS_CRITICAL_WRITES_PER_MINUTE": PLENTY,
    "CAUSEWAY_LOG_FORMAT": "json",
}


@asynccontextmanager
async def built(
    new_database: NewDatabase,
    amqp_url: str,
    *,
    wired: tuple[str, ...] = (),
    replicas: int = 1,
    calendars: bool = False,
    contacts: bool = False,
    environment: Mapping[str, str] | None = None,
    **more: str,
) -> AsyncIterator[House]:
    """Yield a house in which nothing runs yet but Google.

    Args:
        new_database: the fixture.
        amqp_url: of a virtual host of its own.
        wired: the processes that have wires; others speak to their servers directly.
        replicas: how many of each role there are; the second is called `worker-2`.
        calendars: calendars are connected in it, not mailboxes.
        contacts: address books are.
        environment: settings that differ, by name.
        more: likewise.
    """
    async with AsyncExitStack() as stack:
        google = await stack.enter_async_context(running_emulator())
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="causeway-house-")))
        zygote = await stack.enter_async_context(Zygote.running())
        kind = "calendar" if calendars else "contacts" if contacts else "mail"
        roles, doors = HOUSES[kind], DOORS[kind]
        targets = await _targets(new_database, kind)
        targets |= {"CAUSEWAY_AMQP_URL": amqp_url, "CAUSEWAY_GOOGLE_ORIGIN": google.origin}
        programs = _programs(roles, home, zygote, replicas)
        watches = {name: Watch(program.kill) for name, program in programs.items()}
        wires = {}
        # Whoever calls a wired process comes through its wire: its callers are watched too.
        front = {name: program.origin for name, program in programs.items()}
        for name in wired:
            watch = watches[name]
            wire = Wire("inbound", front[name], watch.passes, inbound=True)
            wires[name, "inbound"] = await stack.enter_async_context(wire.laid())
            front[name] = wire.url
        if replicas > 1:
            for role in doors:
                alike = [front[f"{role}-{number}"] for number in range(2, replicas + 1)]
                fork = Fork("door", front[role], inbound=True, others=alike)
                front[role] = (await stack.enter_async_context(fork.laid())).url
        targets["CAUSEWAY_AUTH_URL"] = front["auth"]
        for name, program in programs.items():
            own = {
                "CAUSEWAY_PUBLIC_URL": _public(program, front, replicas=replicas),
                f"CAUSEWAY_{program.service.upper()}_PORT": str(program.port),
            }
            program.env.update(FIXED | targets | own | dict(environment or {}) | more)
            if name not in wired:
                continue
            for setting, wire in _wires(program, targets, watches[name]):
                wires[name, wire.name] = await stack.enter_async_context(wire.laid())
                program.env[setting] = wire.url
        house = House(
            google=google,
            programs=programs,
            wires=wires,
            watches=watches,
            doors={role: front[role] if replicas > 1 else programs[role].origin for role in doors},
            session=await stack.enter_async_context(
                # A connection for each request reaches all behind a door.
                aiohttp.ClientSession(
                    timeout=TIMEOUT, connector=aiohttp.TCPConnector(force_close=replicas > 1)
                )
            ),
            auth_db=await stack.enter_async_context(
                asyncpg.create_pool(targets["CAUSEWAY_AUTH_DATABASE_URL"], min_size=1, max_size=3)
            ),
            mail_db=await stack.enter_async_context(
                asyncpg.create_pool(targets["CAUSEWAY_MAIL_DATABASE_URL"], min_size=1, max_size=3)
            ),
            calendar_db=await _pool(stack, targets, "CALENDAR"),
            contacts_db=await _pool(stack, targets, "CONTACTS"),
            amqp_url=amqp_url,
            published=await stack.enter_async_context(messaging.listening(amqp_url)),
        )
        await google.control("PUT", "settings", {"notification_interval_s": 0})
        if contacts:
            await google.control("PUT", "settings", GENEROUS)
        elif not calendars:
            await subscribe(google, f"{front['web']}/webhooks/google/gmail")
        yield house


async def _targets(new_database: NewDatabase, kind: str) -> dict[str, str]:
    """Return the databases of a house, each by the setting that says where it is."""
    wanted = {"AUTH": auth_migrations(), "MAIL": mail_migrations()}
    if kind == "calendar":
        wanted["CALENDAR"] = calendar_migrations()
    if kind == "contacts":
        wanted["CONTACTS"] = contacts_migrations()
    return {
        f"CAUSEWAY_{service}_DATABASE_URL": await new_database(*sets)
        for service, sets in wanted.items()
    }


def _public(program: Program, front: Mapping[str, str], *, replicas: int) -> str:
    """Return where others reach what a process speaks for."""
    if program.service in ("calendar", "contacts"):  # Google is told so by the worker
        return front[f"{program.service}-web"]
    return front["auth"] if replicas > 1 else program.origin


async def _pool(
    stack: AsyncExitStack, targets: dict[str, str], service: str
) -> "asyncpg.Pool[asyncpg.Record] | None":
    url = targets.get(f"CAUSEWAY_{service}_DATABASE_URL")
    if url is None:
        return None
    return await stack.enter_async_context(asyncpg.create_pool(url, min_size=1, max_size=3))


def _programs(
    roles: Mapping[str, tuple[str, str]], home: Path, zygote: Zygote, replicas: int
) -> dict[str, Program]:
    ports, programs = free_ports(), dict[str, Program]()
    for number in range(1, replicas + 1):
        for role, (service, does) in roles.items():
            name = role if number == 1 else f"{role}-{number}"
            log = home / f"{name}.log"
            programs[name] = Program(name, service, does, {}, log, next(ports), zygote)
    return programs


def _wires(program: Program, targets: dict[str, str], watch: Watch) -> list[tuple[str, Wire]]:
    """Return the wires of a process, with the setting that says where each leads."""
    places = {
        "postgres": f"CAUSEWAY_{program.service.upper()}_DATABASE_URL",
        "amqp": "CAUSEWAY_AMQP_URL",
        "google": "CAUSEWAY_GOOGLE_ORIGIN",
        "auth": "CAUSEWAY_AUTH_URL",
    }
    return [
        (setting, Wire(name, targets[setting], watch.passes)) for name, setting in places.items()
    ]
