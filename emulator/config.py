"""What an emulator is told once, at start; the control API may replace the switches later."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

DEFAULT_CLIENT_ID = "emulator-client.apps.googleusercontent.com"
DEFAULT_CLIENT_SECRET = "emulator-secret"  # noqa: S105 - the published default of a local tool


class Switches(BaseModel):
    """The behaviours that a test may want to turn, each at Google's documented value by default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    replace_message_id: bool = True
    enforce_quota: bool = True
    units_per_minute: int = Field(default=6000, ge=1)
    project_units_per_minute: int | None = Field(default=None, ge=1)
    quota_status: Literal[403, 429] = 403
    max_refresh_tokens: int = Field(default=100, ge=1)
    access_token_ttl_s: int = Field(default=3599, ge=1)
    refresh_token_ttl_s: int | None = Field(default=None, ge=1)
    code_ttl_s: int = Field(default=600, ge=1)
    notification_interval_s: float = Field(default=1.0, ge=0)
    coalesce_notifications: bool = True
    history_labels: bool = True
    history_duplicates: bool = False
    history_ttl_s: int = Field(default=7 * 86_400, ge=1)
    watch_ttl_s: int = Field(default=7 * 86_400, ge=1)
    require_publisher_binding: bool = False
    size_estimate_cap: int | None = Field(default=None, ge=1)
    vanish_gets: int = Field(default=0, ge=0)
    calendar_requests_per_minute: int = Field(default=600, ge=1)
    calendar_project_requests_per_minute: int | None = Field(default=10_000, ge=1)
    calendar_usage_limits_exceeded: bool = False
    calendar_pages: Literal["full", "short", "empty"] = "full"
    bare_cancellations: bool = False
    sync_token_ttl_s: int = Field(default=30 * 86_400, ge=1)
    updated_min_ttl_s: int = Field(default=28 * 86_400, ge=1)
    channel_ttl_s: int = Field(default=30 * 86_400, ge=1)
    channel_http: Literal["never", "nearby", "anywhere"] = "nearby"
    conference_delay_s: float | None = Field(default=0, ge=0)
    conference_fails: bool = False
    contact_critical_reads_per_minute: int = Field(default=90, ge=1)
    contact_critical_writes_per_minute: int = Field(default=90, ge=1)
    contact_project_critical_reads_per_minute: int | None = Field(default=None, ge=1)
    contact_project_critical_writes_per_minute: int | None = Field(default=None, ge=1)
    contact_writes_per_day: int = Field(default=100_000, ge=1)
    contact_full_syncs_per_minute: int = Field(default=20, ge=1)
    contact_list_delay_s: float = Field(default=0, ge=0)
    contact_get_delay_s: float = Field(default=0, ge=0)
    contact_search_delay_s: float = Field(default=0, ge=0)
    contact_search_warmup: bool = True
    contact_sync_token_ttl_s: int = Field(default=7 * 86_400, ge=1)
    contact_sync_expiry: Literal["invalid_argument", "failed_precondition", "gone"] = (
        "invalid_argument"
    )
    contact_etag: Literal["both", "person", "source"] = "both"
    contact_batch_failures: Literal["whole", "each"] = "whole"
    contact_mutation_s: float = Field(default=0, ge=0)
    most_contacts: int = Field(default=25_000, ge=1)
    token_error: str | None = None
    check_answers: bool = False


class PushTarget(BaseModel):
    """Where the messages of every topic given at start are pushed to, and as whom.

    Attributes:
        endpoint: the address that takes the pushes.
        audience: `aud` of the tokens they carry; the endpoint itself by default.
        service_account: `email` of these tokens.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str
    audience: str = ""
    service_account: str = "gmail-push@causeway-local.iam.gserviceaccount.com"


class EmulatorConfig(BaseModel):
    """Everything needed to build one emulator.

    Attributes:
        redirect_uris: the registered ones, compared exactly; empty accepts any http(s) address.
        project_id: when given, `users.watch` only takes topics of this project.
        people: e-mail addresses that exist from the start.
        topics: full topic names (`projects/p/topics/t`) that exist from the start.
        push: a subscription of each of these topics that exists from the start, `<topic>-push`.
        pull: whether each of these topics has a subscription to pull from, `<topic>-pull`.
        pubsub_host: the address Pub/Sub's gRPC port listens on.
        pubsub_port: that port; 0 takes a free one, None opens none.
        switches: see `Switches`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    client_id: str = DEFAULT_CLIENT_ID
    client_secret: str = Field(default=DEFAULT_CLIENT_SECRET, repr=False)
    redirect_uris: tuple[str, ...] = ()
    project_id: str | None = None
    people: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    push: PushTarget | None = None
    pull: bool = False
    pubsub_host: str = "127.0.0.1"
    pubsub_port: int | None = None
    switches: Switches = Switches()
