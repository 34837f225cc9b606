"""docker-compose.yml as the proof runs it: a project of its own, on free ports."""

import json
import time
from collections.abc import Mapping
from pathlib import Path

from cli.local.process import free_ports
from cli.settings import PROJECT
from tests.containers import host

PROJECT_NAME = "causeway-proof"
UP_S = 300


class Stack:
    """A Compose project; every method returns when Docker has done it."""

    def __init__(self, engine: Mapping[str, str], folder: Path) -> None:
        """`engine` is how `docker` is reached; secrets are made in `folder`."""
        ports = free_ports()
        http, https, amqp, management, emulator = (next(ports) for _ in range(5))
        secrets = folder / "secrets"
        self.env = {
            **engine,
            "COMPOSE_PROJECT_NAME": PROJECT_NAME,
            "COMPOSE_PROFILES": "emulator",
            "CAUSEWAY_COMPOSE_SECRETS": str(secrets),
            "CAUSEWAY_HTTP": f"127.0.0.1:{http}:8080",
            "CAUSEWAY_HTTPS": f"127.0.0.1:{https}:8443",
            "CAUSEWAY_AMQP": f"127.0.0.1:{amqp}:5672",
            "CAUSEWAY_RABBITMQ_MANAGEMENT": f"127.0.0.1:{management}:15672",
            "CAUSEWAY_EMULATOR": f"127.0.0.1:{emulator}:9100",
            "CAUSEWAY_PUBLIC_URL": f"http://localhost:{http}",
            "CAUSEWAY_GOOGLE_ACCOUNTS_ROOT": f"http://localhost:{emulator}",
            "CAUSEWAY_MAIL_POLICY": "all",
        }
        host.run(["sh", PROJECT / "deploy/compose/secrets.sh", secrets])

    def compose(self, *words: str, timeout_s: float = UP_S) -> str:
        """Run `docker compose`; return what it prints."""
        return host.run(
            ["docker", "compose", *words], env=self.env, cwd=PROJECT, timeout_s=timeout_s
        )

    def docker(self, *words: str) -> str:
        """Run `docker`; return what it prints."""
        return host.run(["docker", *words], env=self.env)

    def up(self) -> float:
        """Start everything; return the seconds until all is healthy."""
        began = time.monotonic()
        self.compose("up", "--detach", "--wait", "--no-build", "--quiet-pull")
        return time.monotonic() - began

    def roll(self) -> float:
        """Replace every container of ours by a new one; return the seconds it took."""
        began = time.monotonic()
        host.run(["sh", PROJECT / "deploy/compose/roll.sh"], env=self.env, timeout_s=UP_S)
        return time.monotonic() - began

    def containers(self, service: str) -> list[str]:
        """Return the ids of a service's running containers."""
        return self.compose("ps", "--quiet", service).split()

    def memory(self) -> dict[str, str]:
        """Return what each container takes, as Docker says it."""
        lines = self.docker("stats", "--no-stream", "--format", "{{json .}}").splitlines()
        rows = [json.loads(line) for line in lines]
        return {row["Name"].removeprefix(f"{PROJECT_NAME}-"): row["MemUsage"] for row in rows}

    def logs(self) -> str:
        """Return the last lines of every container, for a person."""
        return self.compose("logs", "--no-color", "--tail", "15")

    def down(self) -> list[str]:
        """Remove everything; return the names of what is left all the same."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "25")
        kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
        label = f"label=com.docker.compose.project={PROJECT_NAME}"
        return [
            name
            for kind in kinds
            for name in self.docker(*kind, "--quiet", "--filter", label).split()
        ]

    def play(self) -> None:
        """Play the story of `make demo` on it.

        Raises:
            RuntimeError: a step was not seen.
        """
        host.run(
            [PROJECT / ".venv/bin/python", "-m", "cli.main", "demo", "--once", "--compose"],
            env=self.env,
            cwd=PROJECT,
            timeout_s=UP_S,
        )
