"""Settings of the mail service; the only module of it that reads the environment."""

import base64
import binascii
import hmac
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from libs.common.settings import PostgresUrl, ServiceSettings, load_settings

HASH_KEY_BYTES = 32
HASH_KEY_PURPOSE = b"causeway mail address hashes v1"


def _hash_key(value: SecretStr) -> SecretStr:
    try:
        key = base64.b64decode(value.get_secret_value(), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("must be base64") from None
    if len(key) != HASH_KEY_BYTES:
        raise ValueError(f"must be {HASH_KEY_BYTES} bytes in base64")
    return value


HashKey = Annotated[SecretStr, AfterValidator(_hash_key)]


class MailSettings(ServiceSettings):
    """What the mail service needs to run."""

    database_url: PostgresUrl = Field(
        validation_alias="CAUSEWAY_MAIL_DATABASE_URL",
        description="The mail service's own database, postgresql://...",
    )
    port: int = Field(
        default=8082,
        ge=0,
        le=65535,
        validation_alias="CAUSEWAY_MAIL_PORT",
        description="Port to listen on",
    )
    push_audience: str = Field(
        min_length=1,
        validation_alias="CAUSEWAY_PUSH_AUDIENCE",
        description="Audience the Pub/Sub push subscription claims",
    )
    push_service_account: str = Field(
        min_length=3,
        validation_alias="CAUSEWAY_PUSH_SERVICE_ACCOUNT",
        description="E-mail of the service account the push subscription signs as",
    )
    gmail_topic: str = Field(
        pattern=r"^projects/[^/\s]+/topics/[^/\s]+$",
        validation_alias="CAUSEWAY_GMAIL_TOPIC",
        description="Pub/Sub topic Gmail publishes to, projects/<project>/topics/<topic>",
    )
    poll_interval: float = Field(
        default=900,
        gt=0,
        le=86400,
        validation_alias="CAUSEWAY_MAIL_POLL_INTERVAL",
        description="Seconds after which a quiet mailbox is read without a push",
    )
    watch_interval: float = Field(
        default=86400,
        gt=0,
        le=6 * 86400,
        validation_alias="CAUSEWAY_MAIL_WATCH_INTERVAL",
        description="Seconds between renewals of a mailbox's watch",
    )
    policy: Literal["all", "known", "none"] = Field(
        default="known",
        validation_alias="CAUSEWAY_MAIL_POLICY",
        description="What is kept of a new connection's mail: all, known correspondents only, or "
        "none",
    )
    backfill_days: int = Field(
        default=30,
        ge=0,
        le=3650,
        validation_alias="CAUSEWAY_MAIL_BACKFILL_DAYS",
        description="Days of mail from before a new connection that are taken in; 0: none",
    )
    audit_interval: float = Field(
        default=86400,
        gt=0,
        le=30 * 86400,
        validation_alias="CAUSEWAY_MAIL_AUDIT_INTERVAL",
        description="Seconds between comparisons of all ids at Google with all ids here",
    )
    tombstone_retention: float = Field(
        default=90 * 86400,
        gt=0,
        validation_alias="CAUSEWAY_MAIL_TOMBSTONE_RETENTION",
        description="Seconds after which what is left of deleted messages and entities goes",
    )
    units_per_minute: int = Field(
        default=6000,
        ge=100,
        validation_alias="CAUSEWAY_GMAIL_UNITS_PER_MINUTE",
        description="Gmail quota units per mailbox and minute (projects from before May 2026: "
        "15000)",
    )
    project_units_per_minute: int = Field(
        default=1_200_000,
        ge=100,
        validation_alias="CAUSEWAY_GMAIL_PROJECT_UNITS_PER_MINUTE",
        description="Gmail quota units of the whole Google project per minute",
    )
    project_units_per_day: int = Field(
        default=80_000_000,
        ge=100,
        validation_alias="CAUSEWAY_GMAIL_PROJECT_UNITS_PER_DAY",
        description="Gmail quota units of the whole Google project per day",
    )
    backfill_units_per_day: int = Field(
        default=2_000_000,
        ge=100,
        validation_alias="CAUSEWAY_GMAIL_BACKFILL_UNITS_PER_DAY",
        description="Gmail quota units per mailbox and day that backfill and repair may use",
    )
    background_concurrency: int = Field(
        default=4,
        ge=1,
        le=256,
        validation_alias="CAUSEWAY_MAIL_BACKGROUND_CONCURRENCY",
        description="Backfills, repairs and audits one worker process runs at a time",
    )
    hash_key: HashKey | None = Field(
        default=None,
        validation_alias="CAUSEWAY_MAIL_HASH_KEY",
        description="Key of the hashes kept of strangers' addresses, 32 bytes in base64; "
        "by default derived from CAUSEWAY_SERVICE_KEY: set it before that one changes",
    )
    reconcile_interval: float = Field(
        default=3600,
        gt=0,
        validation_alias="CAUSEWAY_RECONCILE_INTERVAL",
        description="Seconds between comparisons of our connections with auth's",
    )
    feed_concurrency: int = Field(
        default=8,
        ge=1,
        le=256,
        validation_alias="CAUSEWAY_MAIL_CONCURRENCY",
        description="Mailboxes one worker process reads at a time",
    )

    @property
    def audit_every(self) -> timedelta:
        """Return the time between audits of a mailbox."""
        return timedelta(seconds=self.audit_interval)

    @property
    def watch_every(self) -> timedelta:
        """Return the time between renewals of a watch."""
        return timedelta(seconds=self.watch_interval)

    @property
    def hash_key_bytes(self) -> bytes:
        """Return the key of the address hashes, 32 bytes."""
        if self.hash_key is not None:
            return base64.b64decode(self.hash_key.get_secret_value())
        secret = self.service_key.get_secret_value().encode()
        return hmac.digest(secret, HASH_KEY_PURPOSE, "sha256")


def from_environment() -> MailSettings:
    """Return the settings, or end the process with a line for each wrong one."""
    return load_settings(MailSettings)
