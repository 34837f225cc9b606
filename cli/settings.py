"""The only reader of the environment in `cli`: what the stack starts, and what it must not."""

import os
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

PROJECT = Path(__file__).resolve().parent.parent
SERVICES = ("auth", "mail", "calendar", "contacts")


class StackSettings(BaseSettings):
    """What a person may say about the local stack; everything is optional."""

    model_config = SettingsConfigDict(frozen=True, env_ignore_empty=True, extra="ignore")

    state_dir: Path = Field(
        PROJECT / ".causeway",
        validation_alias="CAUSEWAY_STATE_DIR",
        description="Where the local stack keeps data, secrets and logs",
    )
    database_admin_url: SecretStr | None = Field(
        None,
        validation_alias="CAUSEWAY_DATABASE_ADMIN_URL",
        description="An existing PostgreSQL on which databases and roles are created",
    )
    amqp_url: SecretStr | None = Field(
        None, validation_alias="CAUSEWAY_AMQP_URL", description="An existing RabbitMQ"
    )
    google_origin: str | None = Field(
        None,
        validation_alias="CAUSEWAY_GOOGLE_ORIGIN",
        description="Another server that is Google; no emulator is started",
    )
    start_timeout_s: float = Field(
        180,
        validation_alias="CAUSEWAY_START_TIMEOUT",
        gt=0,
        description="Seconds the stack may take until it is healthy",
    )

    def environment(self) -> dict[str, str]:
        """Return a copy of the environment, empty variables left out: what services inherit."""
        return {name: value for name, value in os.environ.items() if value}

    def database_url(self, service: str) -> str | None:
        """Return the address of an existing database a person named for `service`."""
        return self.environment().get(f"CAUSEWAY_{service.upper()}_DATABASE_URL")

    def uses_real_google(self) -> bool:
        """Tell whether Google is Google: an OAuth client is given, and no other server named."""
        return self.google_origin is None and any(
            name in self.environment() for name in ("GOOGLE_CLIENT_ID", "GOOGLE_CREDENTIALS_FILE")
        )

    def needs_postgres(self) -> bool:
        """Tell whether the stack must bring a PostgreSQL of its own."""
        return self.database_admin_url is None and any(
            self.database_url(service) is None for service in SERVICES
        )
