"""What goes in and out over HTTP of a connection's and a tenant's settings."""

from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from libs.common.fields import plain_text
from libs.common.writes import MergePolicy
from services.contacts.domain.naming import LONGEST_TARGET, is_target
from services.contacts.domain.phones import is_region
from services.contacts.domain.preferences import (
    TENANT_DEFAULT,
    CrmDeletes,
    GoogleDeletes,
    Import,
    Language,
    Preferences,
    Push,
    TenantDefaults,
)

MOST_CHOSEN = 200
MOST_NAMES = 200
LONGEST_NAME = 100
LABEL = r"^contactGroups/[^/\s]+$"


def _region(value: str) -> str:
    if not is_region(value):
        raise ValueError("must be a region with telephone numbers, such as BR or FR")
    return value


def _target(value: str) -> str:
    if not is_target(value):
        raise ValueError("must be a field, such as given_name, phone/mobile or custom/colour")
    return value


def _each_once(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _groups_once(values: list[UUID]) -> list[UUID]:
    return list(dict.fromkeys(values))


Label = Annotated[str, Field(max_length=200, pattern=LABEL), AfterValidator(plain_text)]
Region = Annotated[str, Field(min_length=2, max_length=2), AfterValidator(_region)]
CrmName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(plain_text)]
Target = Annotated[str, Field(min_length=1, max_length=LONGEST_TARGET), AfterValidator(_target)]


class ConnectionSettings(BaseModel):
    """What somebody wants of a connection's contacts. What is left out has its default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    enabled: bool = Field(default=True, description="False: nothing goes either way until it is")
    imports: Import = Field(
        default=Import.ALL,
        description="Which people of the address book become contacts. None: people who are "
        "contacts already are still kept in step",
    )
    import_labels: Annotated[list[Label], AfterValidator(_each_once)] = Field(
        default=[],
        max_length=MOST_CHOSEN,
        description="Of `labels`: whose members; resource names, `contactGroups/...`",
    )
    push: Push = Field(
        default=Push.OWNED, description="Which contacts are written into the address book"
    )
    push_groups: Annotated[list[UUID], AfterValidator(_groups_once)] = Field(
        default=[], max_length=MOST_CHOSEN, description="Of `groups`: whose members"
    )
    conflict_policy: MergePolicy = Field(
        default=MergePolicy.NEWEST,
        description="Whose value stays when both sides changed a field, each to another one",
    )
    google_deletes: GoogleDeletes = Field(
        default=GoogleDeletes.UNLINK,
        description="What becomes of a contact of the CRM that somebody deleted in Google",
    )
    crm_deletes: CrmDeletes = Field(
        default=CrmDeletes.MADE_BY_US,
        description="Which people go from the address book when their contact is deleted",
    )

    def preferences(self) -> Preferences:
        """Return what it says."""
        given = self.model_dump(include=set(ConnectionSettings.model_fields))
        given["import_labels"] = tuple(self.import_labels)
        given["push_groups"] = tuple(self.push_groups)
        return Preferences(**given)

    @classmethod
    def of(cls, preferences: Preferences) -> Self:
        """Return those of a connection."""
        given = {name: getattr(preferences, name) for name in ConnectionSettings.model_fields}
        lists = {
            "import_labels": list(preferences.import_labels),
            "push_groups": list(preferences.push_groups),
        }
        return cls(**{**given, **lists})


class TenantSettings(BaseModel):
    """What holds for all connections of a tenant."""

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    region: Region = Field(
        default=TENANT_DEFAULT.region,
        description="Where numbers without a country code are from: ISO 3166-1 alpha-2",
    )
    language: Language = Field(
        default=TENANT_DEFAULT.language,
        description="Of the CRM's names of fields in what is told",
    )
    mapping: dict[CrmName, Target] = Field(
        default={},
        max_length=MOST_NAMES,
        description="The CRM's own names of fields, before those that everybody may use, and what "
        "they mean: `{'client_no': 'custom/client_no', 'portable': 'phone/mobile'}`",
    )

    def defaults(self) -> TenantDefaults:
        """Return what it says."""
        return TenantDefaults(**self.model_dump())
