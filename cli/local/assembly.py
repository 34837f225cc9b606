"""Putting the stack together: servers, databases, Google, services, in this order."""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from cli.local import databases, environment
from cli.local.environment import WEB, Addresses
from cli.local.members import Member
from cli.local.postgres import PostgresServer
from cli.local.process import free_ports, wait_until
from cli.local.programs import Emulator, Program, Pull, Push, is_emulator
from cli.local.rabbitmq import RabbitServer
from cli.local.state import Secrets, StateDirectory
from cli.local.status import EMULATOR, POSTGRES, RABBITMQ, ready
from cli.settings import SERVICES, StackSettings

MIGRATE_TIMEOUT_S = 120
CREDENTIALS = ("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET")


class Assembly:
    """Starts everything the settings ask for; `members` grows as parts start."""

    def __init__(
        self,
        settings: StackSettings,
        home: StateDirectory,
        *,
        secrets: Secrets,
        tell: Callable[[str], None],
    ) -> None:
        """`tell` is called at each step and whenever a process was started."""
        self.members: list[Member] = []
        self.rabbit: RabbitServer | None = None
        self._settings, self._home, self._secrets = settings, home, secrets
        self._tell = tell
        self._step = ""

    def start(self) -> None:
        """Start every part; return when all are ready.

        Raises:
            LocalStackError: one does not start; what was started is in `members`.
        """
        self._begin("starting PostgreSQL and RabbitMQ")
        amqp = self._spawn_rabbit()
        admin = self._start_postgres()
        addresses = Addresses.choose(self._settings, free_ports(), postgres_admin=admin, amqp=amqp)
        environments = environment.build(self._settings, addresses, self._secrets)
        self._remember(environments)
        self._begin("creating databases")
        self._create_databases(admin)
        self._migrate(environments)
        self._start_google(addresses, environments["mail", WEB])
        self._begin("waiting for RabbitMQ")
        if self.rabbit:
            self.rabbit.wait_ready(timeout_s=self._settings.start_timeout_s)
        self._begin("starting the services")
        self._start_services(addresses, environments)
        self._await_health()

    def _begin(self, step: str) -> None:
        self._step = step
        self._tell(step)

    def _add(self, member: Member) -> None:
        """Start a member; it is remembered first, so that a failed start is cleaned up too."""
        self.members.append(member)
        if member.server:
            member.server.start()
        self._tell(self._step)

    def _existing(self, name: str, role: str, url: str) -> None:
        self._add(Member(name, role, environment.without_login(url), server=None))

    def _spawn_rabbit(self) -> str:
        if self._settings.amqp_url:
            url = self._settings.amqp_url.get_secret_value()
            self._existing(RABBITMQ, "broker", url)
            return url
        self.rabbit = RabbitServer(self._home.rabbitmq, password=self._secrets.rabbitmq)
        member = Member(RABBITMQ, "broker", "", self.rabbit)
        self.members.append(member)
        self.rabbit.spawn()  # it takes seconds: the rest does not wait
        member.url = environment.without_login(self.rabbit.url())
        self._tell(self._step)
        return self.rabbit.url()

    def _start_postgres(self) -> str | None:
        if self._settings.needs_postgres():
            server = PostgresServer(self._home.postgres, password=self._secrets.postgres)
            member = Member(POSTGRES, "database", "", server)
            self._add(member)
            member.url = (
                urlsplit(environment.without_login(server.url()))._replace(path="").geturl()
            )
            return server.url()
        admin = self._settings.database_admin_url
        url = admin.get_secret_value() if admin else None
        self._existing(POSTGRES, "database", url or self._settings.database_url("auth") or "")
        return url

    def _create_databases(self, admin: str | None) -> None:
        ours = [name for name in SERVICES if self._settings.database_url(name) is None]
        if admin and ours:
            databases.create(admin, ours, self._secrets)

    def _migrate(self, environments: environment.ByProcess) -> None:
        for service in SERVICES:
            log = self._home.logs / f"{service}-migrate.log"
            arguments = [f"services.{service}", "migrate"]
            Program(arguments, environments[service, WEB], log).run(timeout_s=MIGRATE_TIMEOUT_S)

    def _start_google(self, addresses: Addresses, mail: dict[str, str]) -> None:
        origin = environment.google_origin(self._settings, addresses)
        if origin is None:
            return
        push = _subscription(addresses, mail)
        if self._settings.google_origin:
            if is_emulator(origin):  # one that somebody runs for several stacks
                push.subscribe(origin)
            return
        self._begin("starting the Google emulator")
        given = self._settings.environment()
        emulator = Emulator(
            [
                *("emulator", "--host", environment.HOST, "--port", str(addresses.emulator)),
                *("--pubsub-port", str(addresses.pubsub)),
            ],
            {**given, **{name: mail[name] for name in CREDENTIALS if name in mail}},
            self._home.logs / "emulator.log",
            origin=origin,
            push=push,
        )
        self._add(Member(EMULATOR, "google", origin, emulator))

    def _start_services(self, addresses: Addresses, environments: environment.ByProcess) -> None:
        for (service, role), env in environments.items():
            log = self._home.logs / f"{service}-{role}.log"
            arguments = [f"services.{service}", "--roles", environment.ROLES[role]]
            program = Program(arguments, env, log)
            self._add(Member(service, role, addresses.url(service, role), program))

    def _remember(self, environments: environment.ByProcess) -> None:
        self._home.write_environments(
            {
                f"{service}/{role}": {
                    name: value
                    for name, value in env.items()
                    if name.startswith(("CAUSEWAY_", "GOOGLE_", "PUBSUB_"))
                }
                for (service, role), env in environments.items()
            }
        )

    def _await_health(self) -> None:
        programs = [member for member in self.members if isinstance(member.server, Program)]

        def settled() -> bool:
            if any(member.crashed() for member in self.members):
                return True
            return all(ready(member.name, member.url) for member in programs)

        in_time = wait_until(settled, timeout_s=self._settings.start_timeout_s)
        for member in self.members:
            if member.crashed():
                raise member.fault("ended")
        for member in programs:
            if not in_time and not ready(member.name, member.url):
                raise member.fault("is not ready")


def _subscription(addresses: Addresses, mail: Mapping[str, str]) -> Push | Pull:
    """Return how notifications reach the mail service with this environment."""
    topic = mail["CAUSEWAY_GMAIL_TOPIC"]
    if subscription := mail.get("CAUSEWAY_GMAIL_SUBSCRIPTION"):
        return Pull(topic=topic, subscription=subscription)
    return Push(
        topic=topic,
        endpoint=addresses.url("mail") + environment.PUSH_PATH,
        audience=mail["CAUSEWAY_PUSH_AUDIENCE"],
        service_account=mail["CAUSEWAY_PUSH_SERVICE_ACCOUNT"],
    )
