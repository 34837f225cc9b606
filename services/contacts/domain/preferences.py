"""What a person or a tenant wants of contacts."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any
from uuid import UUID

from libs.common.writes import MergePolicy


class Import(StrEnum):
    """Which people of an address book become contacts of the CRM."""

    NONE = "none"
    LABELS = "labels"
    ALL = "all"


class Push(StrEnum):
    """Which contacts of the CRM are written into an address book."""

    NONE = "none"
    OWNED = "owned"
    """Those of the user who connected it."""
    GROUPS = "groups"
    ALL = "all"


class GoogleDeletes(StrEnum):
    """What it means for a contact of the CRM that somebody deleted it in Google."""

    UNLINK = "unlink"
    """It stays, and is not written into that address book again."""
    DELETE = "delete"


class CrmDeletes(StrEnum):
    """Which people go from an address book when their contact is deleted on our side."""

    MADE_BY_US = "made_by_us"
    """Those that we wrote there, or whose owner said so; others stay as the person's own."""
    ALL = "all"


class Language(StrEnum):
    """In which language the CRM's fields have their names, where the tenant has none of its own."""

    FRENCH = "fr"
    PORTUGUESE = "pt"
    ENGLISH = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class TenantDefaults:
    """What holds for all connections of a tenant."""

    region: str = "BR"
    """Whose phone numbers have no country code: ISO 3166-1 alpha-2."""
    language: Language = Language.FRENCH
    """Of the names in what is told; what comes in may have any."""
    mapping: Mapping[str, str] = field(default_factory=dict)
    """The CRM's names of fields, beside and before those that everybody may use."""

    def stored(self) -> dict[str, Any]:
        """Return what a column keeps of it: whatever is not the default."""
        return _differing(asdict(self), asdict(TENANT_DEFAULT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """One connection's own."""

    enabled: bool = True
    imports: Import = Import.ALL
    import_labels: tuple[str, ...] = ()
    """Resource names of labels; their members are imported if `imports` is `labels`."""
    push: Push = Push.OWNED
    push_groups: tuple[UUID, ...] = ()
    conflict_policy: MergePolicy = MergePolicy.NEWEST
    google_deletes: GoogleDeletes = GoogleDeletes.UNLINK
    crm_deletes: CrmDeletes = CrmDeletes.MADE_BY_US

    def stored(self) -> dict[str, Any]:
        """Return what a column keeps of it: whatever is not the default."""
        kept = _differing(asdict(self), asdict(DEFAULT))
        if "push_groups" in kept:
            kept["push_groups"] = [str(one) for one in self.push_groups]
        return kept


DEFAULT = Preferences()
TENANT_DEFAULT = TenantDefaults()


def preferences_of(stored: Mapping[str, Any]) -> Preferences:
    """Return what a column keeps; what it has besides is of another release."""
    given = _known(Preferences, stored)
    for name, made in (
        ("imports", Import),
        ("push", Push),
        ("conflict_policy", MergePolicy),
        ("google_deletes", GoogleDeletes),
        ("crm_deletes", CrmDeletes),
    ):
        if name in given:
            given[name] = made(given[name])
    if "import_labels" in given:
        given["import_labels"] = tuple(given["import_labels"])
    if "push_groups" in given:
        given["push_groups"] = tuple(UUID(one) for one in given["push_groups"])
    return Preferences(**given)


def tenant_defaults_of(stored: Mapping[str, Any]) -> TenantDefaults:
    """Return what a column keeps; what it has besides is of another release."""
    given = _known(TenantDefaults, stored)
    if "language" in given:
        given["language"] = Language(given["language"])
    return TenantDefaults(**given)


def _known(made: type[Any], stored: Mapping[str, Any]) -> dict[str, Any]:
    names = {one.name for one in fields(made)}
    return {name: value for name, value in stored.items() if name in names}


def _differing(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value != defaults[name]
    }
