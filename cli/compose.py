"""The stack of docker-compose.yml as this machine sees it: published addresses, secret files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cli.demo.stage import Stage
from cli.local.process import LocalStackError
from cli.local.state import Environments
from cli.settings import PROJECT

SECRETS = PROJECT / "deploy" / "compose" / "secrets"
PORTS = {"CAUSEWAY_HTTP": 8080, "CAUSEWAY_AMQP": 5672, "CAUSEWAY_EMULATOR": 9100}
"""The variables docker-compose.yml takes a published port from, and its defaults."""


@dataclass(frozen=True, slots=True)
class Published:
    """Where Docker listens for us, `host:port` each."""

    http: str
    amqp: str
    emulator: str

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Published":
        """Return the addresses that the variables of docker-compose.yml name, or its defaults."""
        http, amqp, emulator = (
            _listening(given.get(name, f"127.0.0.1:{port}:{port}")) for name, port in PORTS.items()
        )
        return cls(http, amqp, emulator)


def stage(given: Mapping[str, str]) -> Stage:
    """Return where the story is played when Compose runs the stack.

    Args:
        given: the environment `docker compose` was started in.

    Raises:
        LocalStackError: `deploy/compose/secrets.sh` was not run here.
    """
    published = Published.of(given)
    secrets = Path(given.get("CAUSEWAY_COMPOSE_SECRETS", SECRETS))
    web: dict[str, str] = {
        "CAUSEWAY_CALLER_KEY": _secret(secrets, "CAUSEWAY_CALLER_KEY"),
        "CAUSEWAY_CALLER_ISSUER": given.get("CAUSEWAY_CALLER_ISSUER", "https://crm.local"),
        "CAUSEWAY_CALLER_AUDIENCE": given.get("CAUSEWAY_CALLER_AUDIENCE", "causeway"),
        "CAUSEWAY_RETURN_URLS": given.get("CAUSEWAY_RETURN_URLS", "http://localhost:3000/crm/"),
        "CAUSEWAY_AMQP_URL": f"amqp://causeway:{_secret(secrets, 'rabbitmq_password')}"
        f"@{published.amqp}/",
        "CAUSEWAY_GOOGLE_ORIGIN": f"http://{published.emulator}",
    }
    environments: Environments = {"auth/web": web}
    origin = f"http://{published.http}"
    return Stage(
        environments,
        auth_url=origin,
        mail_url=origin,
        calendar_url=origin,
        contacts_url=origin,
    )


def _secret(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text().strip()
    except OSError as exc:
        raise LocalStackError(f"no {folder / name}: run `sh deploy/compose/secrets.sh`") from exc


def _listening(mapping: str) -> str:
    """Return host:port of a port mapping (`[host:]published:target`)."""
    host, _, port = mapping.rpartition(":")[0].rpartition(":")
    return f"{host or '127.0.0.1'}:{port}"
