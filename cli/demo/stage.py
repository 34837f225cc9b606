"""Where a story is played: a running stack, whoever runs it."""

from dataclasses import dataclass
from pathlib import Path

from cli.local.state import Environments, StackState, StateDirectory


@dataclass(frozen=True, slots=True)
class Stage:
    """What a story must know of the stack.

    Attributes:
        environments: by `service/role`, the settings of its processes, as far as they are known;
            those of `auth/web` at least.
        auth_url: where callers reach auth.
        mail_url: where callers reach mail.
        calendar_url: where callers reach the calendar.
        contacts_url: where callers reach contacts; None: it has none.
        logs: the folder of its processes' logs, if there is one.
    """

    environments: Environments
    auth_url: str
    mail_url: str
    calendar_url: str
    contacts_url: str | None = None
    logs: Path | None = None

    @classmethod
    def local(cls, state: StackState, home: StateDirectory) -> "Stage":
        """Return the stage that the local stack is.

        Raises:
            LocalStackError: a service is missing.
        """
        return cls(
            home.environments(),
            auth_url=state.url("auth", "web"),
            mail_url=state.url("mail", "web"),
            calendar_url=state.url("calendar", "web"),
            contacts_url=state.url("contacts", "web"),
            logs=home.logs,
        )

    @property
    def amqp_url(self) -> str:
        """The address of its RabbitMQ."""
        return self.environments["auth/web"]["CAUSEWAY_AMQP_URL"]

    @property
    def google_origin(self) -> str | None:
        """Where its Google is; None: the real one."""
        return self.environments["auth/web"].get("CAUSEWAY_GOOGLE_ORIGIN")

    def log_files(self) -> list[Path]:
        """Return the logs of its processes, as far as they are files here."""
        return sorted(self.logs.glob("*.log")) if self.logs else []
