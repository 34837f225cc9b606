"""Settings of the contacts service; the only module of it that reads the environment."""

from datetime import timedelta

from pydantic import Field

from libs.common.settings import PostgresUrl, ServiceSettings, load_settings


class ContactsSettings(ServiceSettings):
    """What the contacts service needs to run."""

    database_url: PostgresUrl = Field(
        validation_alias="CAUSEWAY_CONTACTS_DATABASE_URL",
        description="The contacts service's own database, postgresql://...",
    )
    port: int = Field(
        default=8084,
        ge=0,
        le=65535,
        validation_alias="CAUSEWAY_CONTACTS_PORT",
        description="Port to listen on",
    )
    shortest_poll: float = Field(
        default=30,
        gt=0,
        le=3600,
        validation_alias="CAUSEWAY_CONTACTS_SHORTEST_POLL",
        description="Seconds between readings of an address book in which something happens; "
        "quiet ones are read less and less often",
    )
    longest_poll: float = Field(
        default=3600,
        gt=0,
        le=3600,
        validation_alias="CAUSEWAY_CONTACTS_LONGEST_POLL",
        description="Seconds after which a quiet address book is read at the latest",
    )
    token_life: float = Field(
        default=5 * 86400,
        gt=0,
        le=6.5 * 86400,
        validation_alias="CAUSEWAY_CONTACTS_TOKEN_LIFE",
        description="Seconds after which an address book is read in full again, well before "
        "Google's sync token ends (7 days)",
    )
    audit_interval: float = Field(
        default=86_400,
        gt=0,
        le=30 * 86400,
        validation_alias="CAUSEWAY_CONTACTS_AUDIT_INTERVAL",
        description="Seconds between comparisons of all of an address book with what is here",
    )
    batch_size: int = Field(
        default=200,
        ge=1,
        le=200,
        validation_alias="CAUSEWAY_CONTACTS_BATCH_SIZE",
        description="Contacts created or changed in one request",
    )
    critical_reads_per_minute: int = Field(
        default=60,
        ge=10,
        validation_alias="CAUSEWAY_CONTACTS_CRITICAL_READS_PER_MINUTE",
        description="Critical reads per person and minute; a batch costs six",
    )
    critical_writes_per_minute: int = Field(
        default=60,
        ge=10,
        validation_alias="CAUSEWAY_CONTACTS_CRITICAL_WRITES_PER_MINUTE",
        description="Critical writes per person and minute; a batch costs six, a deleting one ten",
    )
    project_requests_per_minute: int = Field(
        default=10_000,
        ge=10,
        validation_alias="CAUSEWAY_CONTACTS_PROJECT_REQUESTS_PER_MINUTE",
        description="People requests of the whole Google project per minute",
    )
    project_writes_per_day: int = Field(
        default=90_000,
        ge=100,
        validation_alias="CAUSEWAY_CONTACTS_PROJECT_WRITES_PER_DAY",
        description="Contacts created or changed by the whole Google project per day",
    )
    write_timeout: float = Field(
        default=60,
        gt=0,
        le=300,
        validation_alias="CAUSEWAY_CONTACTS_WRITE_TIMEOUT",
        description="Seconds Google is given for one request that changes contacts",
    )
    settle_after: float = Field(
        default=15,
        gt=0,
        le=600,
        validation_alias="CAUSEWAY_CONTACTS_SETTLE_AFTER",
        description="Seconds for which a change whose answer was lost may still take effect; "
        "then it is found out what became of it",
    )
    propagation: float = Field(
        default=300,
        gt=0,
        le=3600,
        validation_alias="CAUSEWAY_CONTACTS_PROPAGATION",
        description="Seconds for which lists at Google may lag behind what was written",
    )
    log_retention: float = Field(
        default=30 * 86400,
        gt=0,
        validation_alias="CAUSEWAY_CONTACTS_LOG_RETENTION",
        description="Seconds after which lines of the sync log, resolved conflicts and ended "
        "changes go",
    )
    tombstone_retention: float = Field(
        default=90 * 86400,
        gt=0,
        validation_alias="CAUSEWAY_CONTACTS_TOMBSTONE_RETENTION",
        description="Seconds after which what is left of deleted contacts, people and groups goes",
    )
    background_concurrency: int = Field(
        default=4,
        ge=1,
        le=256,
        validation_alias="CAUSEWAY_CONTACTS_BACKGROUND_CONCURRENCY",
        description="Comparisons and other long work one worker process does at a time",
    )
    feed_concurrency: int = Field(
        default=8,
        ge=1,
        le=256,
        validation_alias="CAUSEWAY_CONTACTS_CONCURRENCY",
        description="Address books one worker process reads or writes at a time",
    )
    reconcile_interval: float = Field(
        default=3600,
        gt=0,
        validation_alias="CAUSEWAY_RECONCILE_INTERVAL",
        description="Seconds between comparisons of our connections with auth's",
    )

    @property
    def audit_every(self) -> timedelta:
        """Return the time between comparisons of an address book."""
        return timedelta(seconds=self.audit_interval)


def from_environment() -> ContactsSettings:
    """Return the settings, or end the process with a line for each wrong one."""
    return load_settings(ContactsSettings)
