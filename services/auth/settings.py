"""What auth needs from the environment."""

import base64
import binascii
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import orjson
from pydantic import AfterValidator, Field, SecretStr, TypeAdapter, ValidationInfo, field_validator

from libs.common.settings import (
    CommaSeparated,
    HttpRoot,
    PostgresUrl,
    ServiceSettings,
    load_settings,
)

MAX_CREDENTIALS_BYTES = 65_536
SEALING_KEY_BYTES = 32
_ADDRESSES = TypeAdapter(tuple[HttpRoot, ...])


def _sealing_keys(text: str) -> list[tuple[str, bytes]]:
    """Return ids and keys in `id:base64,...`, in their order.

    Raises:
        ValueError: one is malformed or repeated; its text is not in the message.
    """
    keys = [_sealing_key(part.strip()) for part in text.split(",") if part.strip()]
    if not keys or len({key_id for key_id, _ in keys}) != len(keys):
        raise ValueError("must hold at least one key, each with an id of its own")
    return keys


def _sealing_key(part: str) -> tuple[str, bytes]:
    key_id, _, encoded = part.partition(":")
    try:
        key = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key_id or len(key) != SEALING_KEY_BYTES:
        raise ValueError(f"must be id:base64 of {SEALING_KEY_BYTES} bytes, between commas")
    return key_id, key


def _check_sealing_keys(value: SecretStr) -> SecretStr:
    _sealing_keys(value.get_secret_value())
    return value


class AuthSettings(ServiceSettings):
    """The settings of the auth service."""

    port: int = Field(
        default=8081,
        ge=0,
        le=65_535,
        validation_alias="CAUSEWAY_AUTH_PORT",
        description="Port to listen on",
    )
    database_url: PostgresUrl = Field(
        validation_alias="CAUSEWAY_AUTH_DATABASE_URL",
        description="Database of auth, postgresql://user:password@host:port/name",
    )
    sealing_keys: Annotated[SecretStr, AfterValidator(_check_sealing_keys)] = Field(
        validation_alias="CAUSEWAY_SEALING_KEYS",
        description="Keys that seal tokens, id:base64 of 32 bytes, between commas, newest first",
    )
    return_urls: CommaSeparated = Field(
        min_length=1,
        validation_alias="CAUSEWAY_RETURN_URLS",
        description="Where browsers may be sent back to: origins with path, between commas",
    )
    google_credentials_file: Path | None = Field(
        default=None,
        validation_alias="GOOGLE_CREDENTIALS_FILE",
        description="The client_secret JSON of a web client; or client id and secret",
    )
    google_client_id: str = Field(
        default="",
        validate_default=True,
        validation_alias="GOOGLE_CLIENT_ID",
        description="OAuth client id of this project at Google",
    )
    google_client_secret: SecretStr = Field(
        default=SecretStr(""),
        validate_default=True,
        validation_alias="GOOGLE_CLIENT_SECRET",
        description="OAuth client secret of this project at Google",
    )
    ticket_ttl: float = Field(
        default=300,
        gt=0,
        le=3600,
        validation_alias="CAUSEWAY_AUTH_TICKET_TTL",
        description="Seconds a link that starts a consent may be opened",
    )
    renewal_ttl: float = Field(
        default=86_400,
        gt=0,
        le=604_800,
        validation_alias="CAUSEWAY_AUTH_RENEWAL_TTL",
        description="Seconds the reauthorize link in an event may be opened",
    )
    consent_ttl: float = Field(
        default=600,
        gt=0,
        le=3600,
        validation_alias="CAUSEWAY_AUTH_CONSENT_TTL",
        description="Seconds a person may take at Google",
    )
    pending_ttl: float = Field(
        default=86_400,
        gt=0,
        validation_alias="CAUSEWAY_AUTH_PENDING_TTL",
        description="Seconds after which an unconfirmed connection ends",
    )
    require_confirmation: bool = Field(
        default=False,
        validation_alias="CAUSEWAY_AUTH_REQUIRE_CONFIRMATION",
        description="Whether confirming takes the secret the browser brought to the return address",
    )
    worker_interval: float = Field(
        default=5,
        gt=0,
        validation_alias="CAUSEWAY_AUTH_WORKER_INTERVAL",
        description="Seconds between two looks for refreshes and revocations that are due",
    )
    refresh_ahead: float = Field(
        default=300,
        ge=0,
        validation_alias="CAUSEWAY_AUTH_REFRESH_AHEAD",
        description="Seconds before its end at which the worker renews an access token",
    )
    retry_after: float = Field(
        default=60,
        gt=0,
        validation_alias="CAUSEWAY_AUTH_RETRY_AFTER",
        description="Seconds after a failed refresh at which Google is asked again",
    )
    alarm_minimum: int = Field(
        default=20,
        ge=1,
        validation_alias="CAUSEWAY_AUTH_ALARM_MINIMUM",
        description="Accounts refreshed in ten minutes below which failures raise no alarm",
    )
    retention: float = Field(
        default=2_592_000,
        gt=0,
        validation_alias="CAUSEWAY_AUTH_RETENTION",
        description="Seconds an ended connection is remembered",
    )

    @field_validator("google_client_id", "google_client_secret", mode="before")
    @classmethod
    def _from_file(cls, value: Any, info: ValidationInfo) -> Any:
        """Take the client from the credentials file where it is not given itself."""
        given = value.get_secret_value() if isinstance(value, SecretStr) else value
        if given:
            return value
        path = info.data.get("google_credentials_file")
        if path is None:
            raise ValueError("missing, and there is no GOOGLE_CREDENTIALS_FILE")
        name = str(info.field_name).removeprefix("google_")
        return _web_client(path)[name]

    @field_validator("return_urls")
    @classmethod
    def _are_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        """Refuse an allow-list that would match nothing, or more than it seems to."""
        return _ADDRESSES.validate_python(value)

    @property
    def keys(self) -> list[tuple[str, bytes]]:
        """Return ids and sealing keys, newest first."""
        return _sealing_keys(self.sealing_keys.get_secret_value())

    @property
    def redirect_uri(self) -> str:
        """Return the address registered with Google for the way back."""
        return f"{self.public_url}/v1/oauth/callback"

    @property
    def is_secure(self) -> bool:
        """Return whether browsers reach us by https."""
        return urlsplit(self.public_url).scheme == "https"


def _web_client(path: Path) -> dict[str, str]:
    """Return `client_id` and `client_secret` of Google's client_secret JSON.

    Raises:
        ValueError: the file is not one of a web client; nothing of it is repeated.
    """
    try:
        with path.open("rb") as file:
            web = orjson.loads(file.read(MAX_CREDENTIALS_BYTES))["web"]
        client = {name: web[name] for name in ("client_id", "client_secret")}
    except (OSError, ValueError, KeyError, TypeError):
        raise ValueError("GOOGLE_CREDENTIALS_FILE is not a readable web client") from None
    if not all(isinstance(value, str) and value for value in client.values()):
        raise ValueError("GOOGLE_CREDENTIALS_FILE lacks the client's id or secret")
    return client


def from_environment() -> AuthSettings:
    """Return the settings, or end the process with a line for each wrong one."""
    return load_settings(AuthSettings)
