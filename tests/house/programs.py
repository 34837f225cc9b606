"""Processes of the house: forked, killed and started again."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from cli.local.process import ProcessId, log_tail
from cli.settings import PROJECT
from tests.support import eventually

ANSWER = aiohttp.ClientTimeout(total=2)
END_S = 20


class Zygote:
    """Forks services; see `tests.house.zygote`."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._one = asyncio.Lock()
        """An order and its answer belong together."""

    @classmethod
    @asynccontextmanager
    async def running(cls) -> AsyncIterator["Zygote"]:
        """Yield one that ends, with all its children, when the block does."""
        environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("CAUSEWAY_", "GOOGLE_", "COVERAGE_", "PYTEST_"))
        }
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-m", "tests.house.zygote"],
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            yield cls(process)
        finally:
            assert process.stdin
            assert process.stdout
            with contextlib.suppress(BrokenPipeError):  # it is gone, which is told elsewhere
                process.stdin.close()
            await asyncio.to_thread(process.wait, END_S)
            process.stdout.close()

    async def fork(self, service: str, roles: str, env: Mapping[str, str], log: Path) -> ProcessId:
        """Return a new process that serves `roles`."""
        order = {"service": service, "roles": roles, "env": dict(env), "log": str(log)}
        async with self._one:
            pid = await asyncio.to_thread(self._ask, json.dumps(order).encode() + b"\n")
        identity = ProcessId.find(pid)
        assert identity, log_tail(log)
        return identity

    def _ask(self, order: bytes) -> int:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(order)
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


@dataclass
class Program:
    """One process of the product, by name, that can end and begin again."""

    name: str
    service: str
    roles: str
    env: dict[str, str] = field(repr=False)
    log: Path
    port: int
    zygote: Zygote = field(repr=False)
    process: ProcessId | None = None

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        assert self.process, f"{self.name} was not started"
        return self.process.pid

    async def start(self, *, ready: bool = True) -> None:
        """Start it; return once it listens and, unless told otherwise, is ready."""
        self.process = await self.zygote.fork(self.service, self.roles, self.env, self.log)
        path = "/readyz" if ready else "/healthz"
        await eventually(
            lambda: self._answers(path), timeout_s=60, what=f"{self.name} answers {path}"
        )

    def kill(self) -> None:
        """End it as `kill -9` does."""
        if self.process:
            self.process.send(signal.SIGKILL)

    async def stop(self) -> None:
        """End it as a supervisor does, and wait for it."""
        if self.process:
            self.process.send(signal.SIGTERM)
            await self.gone()

    async def gone(self) -> None:
        """Wait until nothing is left of it, so that its port is free."""
        await eventually(self._is_gone, timeout_s=END_S, what=f"{self.name} ended")

    def _is_gone(self) -> bool:
        # A process whose first thread has ended counts as dead while others still hold its sockets.
        if self.process is None or not Path(f"/proc/{self.process.pid}").exists():
            return True
        successor = ProcessId.find(self.process.pid)
        return successor is not None and successor != self.process

    def alive(self) -> bool:
        """Tell whether its process lives."""
        return self.process is not None and self.process.alive()

    async def _answers(self, path: str) -> bool:
        assert self.alive(), f"{self.name} ended:\n{log_tail(self.log)}"
        try:
            async with (
                aiohttp.ClientSession(timeout=ANSWER) as session,
                session.get(f"{self.origin}{path}") as answer,
            ):
                return answer.ok
        except (aiohttp.ClientError, TimeoutError):
            return False
