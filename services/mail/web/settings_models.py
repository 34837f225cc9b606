"""What goes in and out over HTTP of a connection's settings and pauses."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.mail.domain.blocklist import address_entry, domain_entry, entry
from services.mail.domain.connection import Connection
from services.mail.domain.links import SHARED_DOMAINS
from services.mail.domain.message import Policy
from services.mail.domain.preferences import Body, Preferences, Suggest
from services.mail.domain.visibility import Visibility

MOST_DAYS = 3650
MOST_RETENTION = 36_500
MOST_BLOCKED = 1_000
MOST_OWN = 500
MOST_LABELS = 100
LONGEST_ENTRY = 320
LONGEST_LABEL = 225


def _own_domain(text: str) -> str:
    domain = domain_entry(text)
    if domain in SHARED_DOMAINS:
        raise ValueError("is nobody's own: name the addresses in own_aliases")
    return domain


Text = Annotated[str, Field(min_length=1, max_length=LONGEST_ENTRY)]
BlockEntry = Annotated[Text, AfterValidator(entry)]
OwnDomain = Annotated[Text, AfterValidator(_own_domain)]
OwnAlias = Annotated[Text, AfterValidator(address_entry)]
LabelName = Annotated[str, Field(min_length=1, max_length=LONGEST_LABEL)]


class LabelFilter(BaseModel):
    """Which mail is kept, by the labels it wears; names without regard to case, or Gmail's ids."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    only: list[LabelName] = Field(
        default=[], max_length=MOST_LABELS, description="Mail has to wear one; empty: it has not"
    )
    without: list[LabelName] = Field(
        default=[],
        max_length=MOST_LABELS,
        alias="except",
        description="Mail that wears one is not kept",
    )


class ConnectionSettings(BaseModel):
    """What is kept of a connection's mail. What is left out has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Policy = Field(
        default=Policy.KNOWN,
        description="all: everything; known: only mail with known correspondents; none: nothing. "
        "Of what is not kept there are ids, dates and keyed hashes of addresses",
    )
    backfill_days: int | None = Field(
        default=None,
        ge=0,
        le=MOST_DAYS,
        description="Days of mail from before the connection; left out: as it is",
    )
    suggest_contacts: Suggest = Field(
        default=Suggest.NONE,
        description="Whose addresses, unknown to the CRM, are told as mail.contact.suggested.v1",
    )
    blocklist: list[BlockEntry] = Field(
        default=[],
        max_length=MOST_BLOCKED,
        description="Addresses, or domains with all below them: mail with any of them is not kept",
    )
    own_domains: list[OwnDomain] = Field(
        default=[],
        max_length=MOST_OWN,
        description="Domains of the tenant's own people, beside those of its mailboxes; they "
        "count for all of the tenant's connections",
    )
    own_aliases: list[OwnAlias] = Field(
        default=[],
        max_length=MOST_OWN,
        description="Addresses of the tenant's own people; they count for all of its connections",
    )
    labels: LabelFilter = Field(default=LabelFilter())
    body: Body = Field(
        default=Body.FULL,
        description="full; snippet: subject and a snippet, never the body nor attachments; "
        "metadata: people and date alone",
    )
    retention_days: int | None = Field(
        default=None,
        ge=1,
        le=MOST_RETENTION,
        description="How old mail may become here; null: as old as it likes",
    )
    visibility: Visibility | None = Field(
        default=None,
        description="What colleagues see of mail that concerns an entity: team: all of it; "
        "metadata: people, dates and ids; private: nothing. Left out: as it is. Acts at once",
    )

    def preferences(self) -> Preferences:
        """Return what it says beside policy and days, each entry once."""
        return Preferences(
            suggest_contacts=self.suggest_contacts,
            blocklist=tuple(dict.fromkeys(self.blocklist)),
            own_domains=tuple(dict.fromkeys(self.own_domains)),
            own_aliases=tuple(dict.fromkeys(self.own_aliases)),
            only_labels=tuple(dict.fromkeys(self.labels.only)),
            except_labels=tuple(dict.fromkeys(self.labels.without)),
            body=self.body,
            retention_days=self.retention_days,
        )

    @classmethod
    def of(cls, connection: Connection) -> Self:
        """Return those of a connection."""
        mine = connection.preferences
        return cls(
            policy=connection.policy,
            backfill_days=connection.backfill_days,
            suggest_contacts=mine.suggest_contacts,
            blocklist=list(mine.blocklist),
            own_domains=list(mine.own_domains),
            own_aliases=list(mine.own_aliases),
            labels=LabelFilter.model_validate(
                {"only": list(mine.only_labels), "except": list(mine.except_labels)}
            ),
            body=mine.body,
            retention_days=mine.retention_days,
            visibility=connection.visibility,
        )


class Paused(BaseModel):
    """Why a mailbox is not read, though auth lets it be."""

    reason: str = Field(description="paused: it alone; tenant-paused: with all of its tenant's")
    since: datetime
    by: str | None = Field(description="`user:<id>` or `service:<name>`")

    @classmethod
    def of(cls, connection: Connection) -> "Paused | None":
        """Return why a connection is paused, None when it is not."""
        if connection.paused_at is not None:
            return cls(reason="paused", since=connection.paused_at, by=connection.paused_by)
        if connection.tenant_paused_at is not None:
            return cls(reason="tenant-paused", since=connection.tenant_paused_at, by=None)
        return None


class PauseOut(BaseModel):
    """Whether a connection is paused now."""

    connection_id: UUID
    paused: Paused | None = Field(description="Null: it is read, as far as auth lets it be")


class TenantPauseOut(BaseModel):
    """Whether all of a tenant's connections are paused now."""

    paused: bool
    connections: int = Field(description="How many it has; those to come do the same")
