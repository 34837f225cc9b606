"""The environment of every process of the stack: what the person set wins over what we choose."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from cli.local import realgoogle
from cli.local.state import Secrets
from cli.settings import SERVICES, StackSettings

HOST = "127.0.0.1"
ISSUER, AUDIENCE = "https://crm.local", "causeway"
CLIENT_ID = "causeway-local.apps.googleusercontent.com"
PROJECT_ID = "causeway-local"
TOPIC = f"projects/{PROJECT_ID}/topics/gmail"
PUSH_ACCOUNT = f"gmail-push@{PROJECT_ID}.iam.gserviceaccount.com"
RETURN_URL = "http://localhost:3000/crm/"
PUSH_PATH = "/webhooks/google/gmail"
NOTICE_PATH = "/webhooks/google/calendar"
WEB, WORKER = "web", "worker"
# The whole environment of each service process, by service and role.
ByProcess = dict[tuple[str, str], dict[str, str]]
ROLES = {WEB: "web", WORKER: "worker,relay,consumer"}


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where everything listens, chosen before anything starts."""

    ports: Mapping[tuple[str, str], int]  # by service and role
    emulator: int
    pubsub: int  # the emulator's gRPC port
    postgres_admin: str | None  # superuser address of the server that gets our databases
    amqp: str

    @classmethod
    def choose(
        cls,
        settings: StackSettings,
        ports: Iterator[int],
        *,
        postgres_admin: str | None,
        amqp: str,
    ) -> "Addresses":
        """Return free ports for all, but the web port a person asked for."""
        given = settings.environment()
        chosen = {(name, role): next(ports) for name in SERVICES for role in ROLES}
        for name in SERVICES:
            fixed = realgoogle.PORTS[name] if settings.uses_real_google() else None
            if wish := given.get(f"CAUSEWAY_{name.upper()}_PORT", fixed):
                chosen[name, WEB] = int(wish)
        return cls(chosen, next(ports), next(ports), postgres_admin, amqp)

    def url(self, service: str, role: str = WEB) -> str:
        """Return the address of a service's process."""
        return f"http://{HOST}:{self.ports[service, role]}"


def role_name(service: str) -> str:
    """Return the name of a service's database and of its role."""
    return f"causeway_{service}"


def database_url(
    settings: StackSettings, addresses: Addresses, secrets: Secrets, service: str
) -> str:
    """Return the address a service reaches its own database at."""
    if existing := settings.database_url(service):
        return existing
    admin = urlsplit(addresses.postgres_admin or "")
    host = admin.netloc.rpartition("@")[2]
    login = f"{role_name(service)}:{secrets.role_password(service)}"
    return urlunsplit(("postgresql", f"{login}@{host}", f"/{role_name(service)}", admin.query, ""))


def google_origin(settings: StackSettings, addresses: Addresses) -> str | None:
    """Return where Google is: the emulator, unless a person named another; None: where it is."""
    if settings.uses_real_google():
        return None
    return settings.google_origin or f"http://{HOST}:{addresses.emulator}"


def build(settings: StackSettings, addresses: Addresses, secrets: Secrets) -> ByProcess:
    """Return the whole environment of each service process, by service and role."""
    shared = _shared(settings, addresses, secrets)
    given = settings.environment()
    built: ByProcess = {}
    for (service, role), port in addresses.ports.items():
        own = {
            "CAUSEWAY_PUBLIC_URL": addresses.url(service),
            f"CAUSEWAY_{service.upper()}_DATABASE_URL": database_url(
                settings, addresses, secrets, service
            ),
        }
        # The port is ours alone: a person's choice went into `addresses`, for the web role only.
        forced = {f"CAUSEWAY_{service.upper()}_PORT": str(port)}
        built[service, role] = {**shared, **own, **given, **forced}
    return built


def _shared(settings: StackSettings, addresses: Addresses, secrets: Secrets) -> dict[str, str]:
    shared = {
        "CAUSEWAY_HOST": HOST,
        "CAUSEWAY_AMQP_URL": addresses.amqp,
        "CAUSEWAY_AUTH_URL": addresses.url("auth"),
        "CAUSEWAY_SERVICE_KEY": secrets.service_key,
        "CAUSEWAY_CALLER_ISSUER": ISSUER,
        "CAUSEWAY_CALLER_AUDIENCE": AUDIENCE,
        "CAUSEWAY_SEALING_KEYS": f"local:{secrets.sealing_key}",
        "CAUSEWAY_RETURN_URLS": RETURN_URL,
        "CAUSEWAY_MAIL_HASH_KEY": secrets.mail_hash_key,
        "CAUSEWAY_MAIL_POLICY": "all",
        "CAUSEWAY_LOG_FORMAT": "json",
    }
    given = settings.environment()
    shared |= _google(settings, addresses, secrets)
    if "CAUSEWAY_CALLER_JWKS_URL" not in given:
        shared["CAUSEWAY_CALLER_KEY"] = secrets.caller_key
    return shared


def _google(settings: StackSettings, addresses: Addresses, secrets: Secrets) -> dict[str, str]:
    given = settings.environment()
    if (origin := google_origin(settings, addresses)) is None:
        return realgoogle.own(given)
    own = {
        "CAUSEWAY_GOOGLE_ORIGIN": origin,
        "CAUSEWAY_GMAIL_TOPIC": TOPIC,
        "CAUSEWAY_CALENDAR_WEBHOOK_URL": addresses.url("calendar") + NOTICE_PATH,
    }
    if settings.google_origin is None:
        own["PUBSUB_EMULATOR_HOST"] = f"{HOST}:{addresses.pubsub}"
    if "CAUSEWAY_GMAIL_SUBSCRIPTION" not in given:
        own |= {
            "CAUSEWAY_PUSH_AUDIENCE": addresses.url("mail") + PUSH_PATH,
            "CAUSEWAY_PUSH_SERVICE_ACCOUNT": PUSH_ACCOUNT,
        }
    if "GOOGLE_CREDENTIALS_FILE" not in given:
        own |= {"GOOGLE_CLIENT_ID": CLIENT_ID, "GOOGLE_CLIENT_SECRET": secrets.google_client}
    return own


def without_login(url: str) -> str:
    """Return an address without its user name and password, for people and logs."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
