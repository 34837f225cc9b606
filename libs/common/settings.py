"""Settings every service has, read once at start from the environment.

Only modules named `settings` read the environment. A service subclasses `CommonSettings`,
adds its own fields and calls `load_settings`.
"""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    DirectoryPath,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)

MIN_KEY_BYTES = 32
EVENT_LOG_S = 14 * 86_400
"""How long the event log may deliver an event again (`bus.topology`)."""
WRONG_SETTINGS = 2
"""Exit status of a process whose settings are missing or wrong."""

LogFormat = Literal["auto", "json", "console"]


def _http_root(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must be an absolute http(s) URL")
    if parts.username is not None or parts.query or parts.fragment:
        raise ValueError("must have no credentials, query or fragment")
    return value.rstrip("/")


def _origin(value: str) -> str:
    if urlsplit(_http_root(value)).path:
        raise ValueError("must be scheme://host[:port], without a path")
    return value


def _long_enough(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value().encode()) < MIN_KEY_BYTES:
        raise ValueError(f"must have at least {MIN_KEY_BYTES} bytes")
    return value


def _address_of(*schemes: str) -> AfterValidator:
    def check(value: SecretStr) -> SecretStr:
        parts = urlsplit(value.get_secret_value())
        if parts.scheme not in schemes or not (parts.hostname or parts.query):
            raise ValueError(f"must start with {schemes[0]}:// and name a host")
        return value

    return AfterValidator(check)


def _split(value: object) -> object:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


HttpRoot = Annotated[str, AfterValidator(_http_root)]
"""An absolute http(s) URL, kept without its trailing slash."""
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]
"""Texts between commas."""
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
]
"""Origins (`https://crm.example`) between commas."""
SharedSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""A key of at least 32 bytes."""
PostgresUrl = Annotated[SecretStr, _address_of("postgresql", "postgres")]
AmqpUrl = Annotated[SecretStr, _address_of("amqp", "amqps")]


class CommonSettings(BaseSettings):
    """What every service needs; each field's description is what an operator reads."""

    model_config = SettingsConfigDict(
        frozen=True,
        populate_by_name=True,
        # Populating by name would also read variables called like fields: HOST, PORT, ... are
        # other programs'. Behind this prefix, which aliases do not have, nobody sets them.
        env_prefix="CAUSEWAY_NOT_A_VARIABLE_",
        env_ignore_empty=True,
        hide_input_in_errors=True,
    )

    secrets_dir: DirectoryPath | None = Field(
        default=None,
        validation_alias="CAUSEWAY_SECRETS_DIR",
        description="Directory of files, each named like a setting and holding its value; "
        "the environment wins",
    )
    host: str = Field(
        default="127.0.0.1", validation_alias="CAUSEWAY_HOST", description="Address to listen on"
    )
    amqp_url: AmqpUrl = Field(
        validation_alias="CAUSEWAY_AMQP_URL",
        description="RabbitMQ address, amqp://user:password@host:port/vhost",
    )
    public_url: HttpRoot = Field(
        validation_alias="CAUSEWAY_PUBLIC_URL",
        description="Where browsers and Google reach us, https://causeway.example",
    )
    auth_url: HttpRoot = Field(
        validation_alias="CAUSEWAY_AUTH_URL",
        default="http://127.0.0.1:8081",
        description="Where the other services reach auth",
    )
    service_key: SharedSecret = Field(
        validation_alias="CAUSEWAY_SERVICE_KEY",
        description="Key the services share to recognise each other, at least 32 bytes",
    )
    caller_key: SharedSecret | None = Field(
        default=None,
        validation_alias="CAUSEWAY_CALLER_KEY",
        description="HS256 key of the CRM's tokens, at least 32 bytes; or a JWKS address",
    )
    caller_jwks_url: HttpRoot | None = Field(
        default=None,
        validate_default=True,
        validation_alias="CAUSEWAY_CALLER_JWKS_URL",
        description="Address of the CRM's published keys (RS256, ES256); or a shared key",
    )
    caller_issuer: str = Field(
        validation_alias="CAUSEWAY_CALLER_ISSUER",
        min_length=1,
        description="`iss` of the CRM's tokens",
    )
    caller_audience: str = Field(
        validation_alias="CAUSEWAY_CALLER_AUDIENCE",
        min_length=1,
        description="`aud` of the CRM's tokens that are meant for us",
    )
    cors_origins: Origins = Field(
        default=(),
        validation_alias="CAUSEWAY_CORS_ORIGINS",
        description="Origins whose pages may call the API, between commas; default none",
    )
    google_origin: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_ORIGIN",
        description="Replaces every Google host, for the emulator",
    )
    google_accounts_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_ACCOUNTS_ROOT",
        description="Replaces https://accounts.google.com",
    )
    google_oauth2_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_OAUTH2_ROOT",
        description="Replaces https://oauth2.googleapis.com",
    )
    google_gmail_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_GMAIL_ROOT",
        description="Replaces https://gmail.googleapis.com",
    )
    google_calendar_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_CALENDAR_ROOT",
        description="Replaces the Calendar API's host",
    )
    google_people_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_PEOPLE_ROOT",
        description="Replaces https://people.googleapis.com",
    )
    google_certs_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_CERTS_ROOT",
        description="Replaces the host of Google's certificates",
    )
    google_pubsub_root: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_GOOGLE_PUBSUB_ROOT",
        description="Replaces https://pubsub.googleapis.com",
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        le=300,
        validation_alias="CAUSEWAY_DRAIN_DELAY",
        description="Seconds in which a process that ends still takes requests, unready; "
        "a balancer needs some",
    )
    clock_offset: float = Field(
        default=0.0,
        allow_inf_nan=False,
        validation_alias="CAUSEWAY_CLOCK_OFFSET",
        description="Seconds this process lives in the future; for tests and rehearsals",
    )
    log_format: LogFormat = Field(
        default="auto",
        validation_alias="CAUSEWAY_LOG_FORMAT",
        description="json, console, or auto: console on a terminal",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", validation_alias="CAUSEWAY_LOG_LEVEL", description="Least level written"
    )
    pool_size: int = Field(
        default=8,
        ge=1,
        le=100,
        validation_alias="CAUSEWAY_POOL_SIZE",
        description="Database connections per process",
    )
    statement_timeout: float = Field(
        default=10.0,
        gt=0,
        le=600,
        validation_alias="CAUSEWAY_STATEMENT_TIMEOUT",
        description="Seconds a database statement may take",
    )
    housekeeping_interval: float = Field(
        default=86_400,
        gt=0,
        validation_alias="CAUSEWAY_HOUSEKEEPING_INTERVAL",
        description="Seconds between two clean-ups of what is over",
    )
    inbox_retention: float = Field(
        default=2_592_000,
        gt=EVENT_LOG_S,
        validation_alias="CAUSEWAY_INBOX_RETENTION",
        description="Seconds a handled event is remembered; more than the log's 14 days",
    )
    dead_retention: float = Field(
        default=7_776_000,
        gt=0,
        validation_alias="CAUSEWAY_DEAD_RETENTION",
        description="Seconds after which what waits for an operator in vain goes: events no broker "
        "took, notifications nobody could read, decided holds",
    )
    idempotency_retention: float = Field(
        default=604_800,
        gt=0,
        validation_alias="CAUSEWAY_IDEMPOTENCY_RETENTION",
        description="Seconds an Idempotency-Key is remembered",
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the environment, then the directory of secrets it names."""
        del dotenv_settings, file_secret_settings
        directory = Path(os.environ.get("CAUSEWAY_SECRETS_DIR") or os.devnull)
        if not directory.is_dir():  # when one was named, the field itself says what is wrong
            return init_settings, env_settings
        files = SecretsSettingsSource(settings_cls, secrets_dir=directory)
        return init_settings, env_settings, files

    @field_validator("caller_key", mode="after")
    @classmethod
    def _keys_differ(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        """Keep callers' tokens from being taken for services' own."""
        if value is not None and value == info.data.get("service_key"):
            raise ValueError("must differ from CAUSEWAY_SERVICE_KEY")
        return value

    @field_validator("caller_jwks_url", mode="after")
    @classmethod
    def _one_kind_of_key(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Keep a published key from ever being tried as a shared one."""
        if "caller_key" in info.data and (info.data["caller_key"] is None) == (value is None):
            raise ValueError("exactly one of this and CAUSEWAY_CALLER_KEY must be set")
        return value


class ServiceSettings(CommonSettings):
    """A service's settings: each declares these two again, under variables of its own name."""

    port: int
    database_url: PostgresUrl


S = TypeVar("S", bound=BaseSettings)


def load_settings(settings: type[S]) -> S:
    """Return the settings; with wrong or missing ones say which, one line each, and exit.

    Values are never printed.

    Raises:
        SystemExit: with status 2.
    """
    try:
        return settings()
    except ValidationError as exc:
        for line in complaints(settings, exc):
            print(line, file=sys.stderr)  # noqa: T201 - before logs are set up, for a person
        raise SystemExit(WRONG_SETTINGS) from None


def complaints(settings: type[BaseSettings], exc: ValidationError) -> list[str]:
    """Return one line per wrong setting: its variable, what is wrong, what it is for."""
    named = {name: doc for doc in documented(settings) for name in (doc.variable, doc.field)}
    lines: dict[str, str] = {}
    for error in exc.errors(include_url=False, include_context=False, include_input=False):
        place = str(error["loc"][0]) if error["loc"] else ""
        doc = named.get(place)
        what = _complaint(error["type"], error["msg"])
        if doc is None:
            lines.setdefault(place, f"{place or 'settings'}: {what}")
        else:
            lines.setdefault(doc.variable, f"{doc.variable}: {what} ({doc.description})")
    return list(lines.values())


def _complaint(kind: str, message: str) -> str:
    if kind == "missing":
        return "missing"
    text = message.removeprefix("Value error, ").removeprefix("Input ")
    return text.replace("should be", "must be", 1) if text.startswith("should") else text


@dataclass(frozen=True)
class SettingDoc:
    """One setting, as documentation needs it."""

    field: str
    variable: str
    description: str
    default: Any
    """None also when there is none; see `required`."""
    required: bool
    secret: bool


def documented(settings: type[BaseSettings]) -> Iterator[SettingDoc]:
    """Yield every setting of a class, in the order of declaration."""
    for name, field in settings.model_fields.items():
        yield SettingDoc(
            field=name,
            variable=_variable(name, field),
            description=field.description or name,
            default=None if field.is_required() else field.get_default(),
            required=field.is_required(),
            secret="SecretStr" in str(field.annotation),
        )


def _variable(name: str, field: FieldInfo) -> str:
    return field.validation_alias if isinstance(field.validation_alias, str) else name
