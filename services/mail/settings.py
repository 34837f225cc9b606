"""Settings of the mail service; the only module of it that reads the environment."""

import base64
import binascii
import hmac
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationInfo, field_validator

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
    gmail_subscription: str | None = Field(
        default=None,
        pattern=r"^projects/[^/\s]+/subscriptions/[^/\s]+$",
        validation_alias="CAUSEWAY_GMAIL_SUBSCRIPTION",
        description="Pub/Sub subscription that notifications are pulled from, "
        "projects/<project>/subscriptions/<subscription>; unset: they are pushed",
    )
    pubsub_emulator_host: str | None = Field(
        default=None,
        pattern=r"^[^/\s]+:[0-9]+$",
        validate_default=True,
        validation_alias="PUBSUB_EMULATOR_HOST",
        description="host:port of an emulator that notifications are pulled from, not Google",
    )
    push_audience: str | None = Field(
        default=None,
        min_length=1,
        validate_default=True,
        validation_alias="CAUSEWAY_PUSH_AUDIENCE",
        description="Audience the Pub/Sub push subscription claims; needed unless "
        "CAUSEWAY_GMAIL_SUBSCRIPTION is set",
    )
    push_service_account: str | None = Field(
        default=None,
        min_length=3,
        validate_default=True,
        validation_alias="CAUSEWAY_PUSH_SERVICE_ACCOUNT",
        description="E-mail of the service account the push subscription signs as; needed "
        "unless CAUSEWAY_GMAIL_SUBSCRIPTION is set",
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
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=36_500,
        validation_alias="CAUSEWAY_MAIL_RETENTION_DAYS",
        description="Days after which mail is let go of in every mailbox; by default never, "
        "but for what a mailbox's own settings say",
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
    sends_per_day: int = Field(
        default=2000,
        ge=1,
        validation_alias="CAUSEWAY_GMAIL_SENDS_PER_DAY",
        description="Messages Google lets one account send within 24 hours (trial accounts: 500)",
    )
    recipients_per_day: int = Field(
        default=10_000,
        ge=1,
        validation_alias="CAUSEWAY_GMAIL_RECIPIENTS_PER_DAY",
        description="Recipients Google lets one account send to within 24 hours",
    )
    send_expiry: float = Field(
        default=86400,
        gt=0,
        validation_alias="CAUSEWAY_MAIL_SEND_EXPIRY",
        description="Seconds a message may wait past its time; later it fails and is not sent",
    )
    merge_policy: Literal["newest", "google", "crm", "manual"] = Field(
        default="newest",
        validation_alias="CAUSEWAY_MERGE_POLICY",
        description="Whose value stays when both sides changed a field, each to another one; "
        "manual: a person chooses",
    )
    write_timeout: float = Field(
        default=20,
        gt=0,
        le=300,
        validation_alias="CAUSEWAY_MAIL_WRITE_TIMEOUT",
        description="Seconds Google is given for one change; uploads get more, by their size",
    )
    settle_after: float = Field(
        default=15,
        gt=0,
        le=600,
        validation_alias="CAUSEWAY_MAIL_SETTLE_AFTER",
        description="Seconds for which a change whose answer was lost may still take effect; "
        "then it is found out what became of it",
    )
    outgoing_retention: float = Field(
        default=30 * 86400,
        gt=0,
        validation_alias="CAUSEWAY_MAIL_OUTGOING_RETENTION",
        description="Seconds after which outgoing messages that ended, and ended changes, go",
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

    @field_validator("pubsub_emulator_host", mode="after")
    @classmethod
    def _nothing_half_emulated(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Keep a service that knows an emulator from pulling at Google."""
        pulls, origin = info.data.get("gmail_subscription"), info.data.get("google_origin")
        if pulls and origin and value is None:
            raise ValueError("must be set with both CAUSEWAY_GOOGLE_ORIGIN and a subscription")
        return value

    @field_validator("push_audience", "push_service_account", mode="after")
    @classmethod
    def _pushed_or_pulled(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Keep a service from starting that no notification could reach."""
        pulls = info.data.get("gmail_subscription", "wrong")
        if value is None and pulls is None:
            raise ValueError("missing; or set CAUSEWAY_GMAIL_SUBSCRIPTION, to pull")
        if "push_audience" in info.data and (info.data["push_audience"] is None) != (value is None):
            raise ValueError("must be set, or left out, together with CAUSEWAY_PUSH_AUDIENCE")
        return value

    @property
    def audit_every(self) -> timedelta:
        """Return the time between audits of a mailbox."""
        return timedelta(seconds=self.audit_interval)

    @property
    def send_expiry_time(self) -> timedelta:
        """Return how long a message may wait past its time."""
        return timedelta(seconds=self.send_expiry)

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
