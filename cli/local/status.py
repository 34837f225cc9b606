"""How the parts of the stack are, asked now."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import TypedDict

import aiormq
import asyncpg

from cli.local import web
from cli.local.state import Environments, Part

TIMEOUT_S = 5.0
POSTGRES, RABBITMQ, EMULATOR = "postgres", "rabbitmq", "emulator"


class PartStatus(TypedDict):
    """One row of `causeway status --json`."""

    name: str
    role: str
    url: str
    healthy: bool
    version: str | None
    pid: int | None


def ready(name: str, url: str) -> bool:
    """Tell whether a service process or the emulator says that it is ready."""
    path = "/_emulator" if name == EMULATOR else "/readyz"
    answer = web.request("GET", url + path, timeout_s=TIMEOUT_S)
    return answer is not None and answer.ok


def look(parts: Sequence[Part], environments: Environments) -> list[PartStatus]:
    """Return every part with its health as of now, asked all at once (5 seconds at most)."""

    async def ask() -> list[PartStatus]:
        return list(await asyncio.gather(*(_look(part, environments) for part in parts)))

    return asyncio.run(ask())


async def _look(part: Part, environments: Environments) -> PartStatus:
    process = part.process()
    if process and not process.alive():
        is_healthy, version = False, None
    elif part.name == POSTGRES:
        is_healthy, version = await _postgres(environments)
    elif part.name == RABBITMQ:
        is_healthy, version = await _rabbitmq(environments)
    else:
        is_healthy, version = await asyncio.to_thread(_http, part)
    return PartStatus(
        name=part.name,
        role=part.role,
        url=part.url,
        healthy=is_healthy,
        version=version,
        pid=part.pid,
    )


def _http(part: Part) -> tuple[bool, str | None]:
    index = "/_emulator" if part.name == EMULATOR else "/"
    answer = web.request("GET", part.url + index, timeout_s=TIMEOUT_S)
    facts = answer.body if answer and isinstance(answer.body, dict) else {}
    version = facts.get("version")
    return ready(part.name, part.url), str(version) if version else None


def _first(environments: Environments, ending: str) -> str | None:
    every: list[Mapping[str, str]] = list(environments.values())
    return next((env[name] for env in every for name in env if name.endswith(ending)), None)


async def _postgres(environments: Environments) -> tuple[bool, str | None]:
    url = _first(environments, "_DATABASE_URL")
    try:
        connection = await asyncpg.connect(url, timeout=TIMEOUT_S, command_timeout=TIMEOUT_S)
        try:
            version: str = await connection.fetchval("SHOW server_version")
            return True, version.partition(" ")[0]  # the rest is how Debian packed it
        finally:
            await connection.close(timeout=TIMEOUT_S)
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return False, None


async def _rabbitmq(environments: Environments) -> tuple[bool, str | None]:
    url = _first(environments, "CAUSEWAY_AMQP_URL")
    try:
        async with asyncio.timeout(TIMEOUT_S):
            connection = await aiormq.connect(url or "")
            version = connection.server_properties.get("version")
            await connection.close()
    except (OSError, TimeoutError, ValueError, aiormq.exceptions.AMQPError):
        return False, None
    return True, version.decode() if isinstance(version, bytes) else str(version)
