"""Settings of the calendar service; the only module of it that reads the environment."""

import base64
import hmac
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from libs.common.settings import HttpRoot, PostgresUrl, ServiceSettings, load_settings

WEBHOOK = "/webhooks/google/calendar"
CHANNEL_KEY_PURPOSE = b"causeway calendar channel tokens v1"
KEY_BYTES = 32


def _keys(value: SecretStr) -> SecretStr:
    for item in value.get_secret_value().split(","):
        name, found, key = item.partition(":")
        try:
            size = len(base64.b64decode(key, validate=True))
        except ValueError:
            size = 0
        if not found or not name.isalnum() or size != KEY_BYTES:
            raise ValueError(f"must be id:key,...; each key {KEY_BYTES} bytes in base64")
    return value


ChannelKeys = Annotated[SecretStr, AfterValidator(_keys)]


class CalendarSettings(ServiceSettings):
    """What the calendar service needs to run."""

    database_url: PostgresUrl = Field(
        validation_alias="CAUSEWAY_CALENDAR_DATABASE_URL",
        description="The calendar service's own database, postgresql://...",
    )
    port: int = Field(
        default=8083,
        ge=0,
        le=65535,
        validation_alias="CAUSEWAY_CALENDAR_PORT",
        description="Port to listen on",
    )
    webhook_url: HttpRoot | None = Field(
        default=None,
        validation_alias="CAUSEWAY_CALENDAR_WEBHOOK_URL",
        description="Where Google sends its notices, https only; "
        f"by default {WEBHOOK} below CAUSEWAY_PUBLIC_URL",
    )
    channel_keys: ChannelKeys | None = Field(
        default=None,
        validation_alias="CAUSEWAY_CALENDAR_CHANNEL_KEYS",
        description="Keys of the tokens that notices carry, id:key,... with 32 bytes in base64; "
        "the first signs; by default derived from CAUSEWAY_SERVICE_KEY",
    )
    poll_interval: float = Field(
        default=900,
        gt=0,
        le=86400,
        validation_alias="CAUSEWAY_CALENDAR_POLL_INTERVAL",
        description="Seconds after which a quiet calendar is read without a notice",
    )
    list_interval: float = Field(
        default=900,
        gt=0,
        le=86400,
        validation_alias="CAUSEWAY_CALENDAR_LIST_INTERVAL",
        description="Seconds between readings of a person's list of calendars",
    )
    channel_life: float = Field(
        default=7 * 86400,
        ge=600,
        le=30 * 86400,
        validation_alias="CAUSEWAY_CALENDAR_CHANNEL_LIFE",
        description="Seconds a watch channel is asked to live; a new one is opened well before",
    )
    audit_interval: float = Field(
        default=14_400,
        gt=0,
        le=30 * 86400,
        validation_alias="CAUSEWAY_CALENDAR_AUDIT_INTERVAL",
        description="Seconds between comparisons of all of a calendar with what is here",
    )
    requests_per_minute: int = Field(
        default=600,
        ge=10,
        validation_alias="CAUSEWAY_CALENDAR_REQUESTS_PER_MINUTE",
        description="Calendar requests per person and minute",
    )
    project_requests_per_minute: int = Field(
        default=10_000,
        ge=10,
        validation_alias="CAUSEWAY_CALENDAR_PROJECT_REQUESTS_PER_MINUTE",
        description="Calendar requests of the whole Google project per minute",
    )
    project_requests_per_day: int = Field(
        default=1_000_000,
        ge=100,
        validation_alias="CAUSEWAY_CALENDAR_PROJECT_REQUESTS_PER_DAY",
        description="Calendar requests of the whole Google project per day",
    )
    write_timeout: float = Field(
        default=20,
        gt=0,
        le=300,
        validation_alias="CAUSEWAY_CALENDAR_WRITE_TIMEOUT",
        description="Seconds Google is given for one change",
    )
    settle_after: float = Field(
        default=15,
        gt=0,
        le=600,
        validation_alias="CAUSEWAY_CALENDAR_SETTLE_AFTER",
        description="Seconds for which a change whose answer was lost may still take effect; "
        "then it is found out what became of it",
    )
    log_retention: float = Field(
        default=30 * 86400,
        gt=0,
        validation_alias="CAUSEWAY_CALENDAR_LOG_RETENTION",
        description="Seconds after which lines of the sync log, told reminders, resolved conflicts "
        "and ended changes go",
    )
    tombstone_retention: float = Field(
        default=90 * 86400,
        gt=0,
        validation_alias="CAUSEWAY_CALENDAR_TOMBSTONE_RETENTION",
        description="Seconds after which past appointments, and what is left of deleted events and "
        "entities, go",
    )
    reminder_horizon: float = Field(
        default=2 * 86400,
        ge=3600,
        le=30 * 86400,
        validation_alias="CAUSEWAY_CALENDAR_REMINDER_HORIZON",
        description="Seconds ahead for which reminders are laid out",
    )
    background_concurrency: int = Field(
        default=4,
        ge=1,
        le=256,
        validation_alias="CAUSEWAY_CALENDAR_BACKGROUND_CONCURRENCY",
        description="Comparisons and linkings one worker process runs at a time",
    )
    feed_concurrency: int = Field(
        default=8,
        ge=1,
        le=256,
        validation_alias="CAUSEWAY_CALENDAR_CONCURRENCY",
        description="Calendars one worker process reads at a time",
    )
    reconcile_interval: float = Field(
        default=3600,
        gt=0,
        validation_alias="CAUSEWAY_RECONCILE_INTERVAL",
        description="Seconds between comparisons of our connections with auth's",
    )

    @property
    def audit_every(self) -> timedelta:
        """Return the time between comparisons of a calendar."""
        return timedelta(seconds=self.audit_interval)

    @property
    def notice_address(self) -> str:
        """Return where Google is asked to send notices."""
        return self.webhook_url or f"{self.public_url}{WEBHOOK}"

    def token_keys(self) -> tuple[tuple[str, bytes], ...]:
        """Return the keys of channel tokens, each with its id; the first one signs."""
        if self.channel_keys is None:
            secret = self.service_key.get_secret_value().encode()
            return (("d", hmac.digest(secret, CHANNEL_KEY_PURPOSE, "sha256")),)
        pairs = (one.split(":", 1) for one in self.channel_keys.get_secret_value().split(","))
        return tuple((name, base64.b64decode(key)) for name, key in pairs)


def from_environment() -> CalendarSettings:
    """Return the settings, or end the process with a line for each wrong one."""
    return load_settings(CalendarSettings)
