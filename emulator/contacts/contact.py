"""One contact as it was after one change; changing it makes another one."""

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

Json = dict[str, Any]
Fields = dict[str, list[Json]]

PREFIX: Final = "people/"
GROUP_PREFIX: Final = "contactGroups/"
MY_CONTACTS: Final = "myContacts"
STARRED: Final = "starred"
_DEFAULT_PHOTO: Final = "https://lh3.googleusercontent.com/cm/default-user=s100"


@dataclass(frozen=True)
class Contact:
    """A state of a contact.

    Attributes:
        key: the id of its source, which never changes.
        name: its resource name, which may.
        fields: what it says, as it was checked and completed; without memberships.
        groups: ids of the groups that it is in.
        serial: rises with every change in the book; what etags are made of.
        former: resource names that lead to it since they were renamed or merged.
        is_merged: whether it ended as a part of another one, which a synchronisation does not tell.
        is_other: whether it is one of the "other contacts", which are in no group.
    """

    key: str
    name: str
    fields: Fields = field(default_factory=dict)
    groups: tuple[str, ...] = ()
    serial: int = 0
    updated_s: float = 0.0
    former: tuple[str, ...] = ()
    is_deleted: bool = False
    is_merged: bool = False
    is_other: bool = False

    def changed(self, **changes: Any) -> "Contact":
        """Return what becomes of it."""
        return replace(self, **changes)

    @cached_property
    def etag(self) -> str:
        """Return `person.etag`."""
        return "%Eg" + _digest("person", self.key, self.serial)

    @cached_property
    def source_etag(self) -> str:
        """Return the etag of its only source."""
        return "#" + _digest("source", self.key, self.serial)

    @cached_property
    def shown(self) -> Json:
        """Return all its fields as readers see them; nobody may change the lists."""
        kind = "OTHER_CONTACT" if self.is_other else "CONTACT"
        source = {"type": kind, "id": self.key}
        found: Json = {name: _marked(items, source) for name, items in self.fields.items()}
        if self.groups:
            found["memberships"] = [_membership(group, source) for group in self.groups]
        photo = {"metadata": {"primary": True, "source": source}, "url": _DEFAULT_PHOTO}
        found["photos"] = [{**photo, "default": True}]
        return found

    @property
    def source(self) -> Json:
        """Return its source with etag and time of the last change."""
        return {
            "type": "OTHER_CONTACT" if self.is_other else "CONTACT",
            "id": self.key,
            "etag": self.source_etag,
            "updateTime": instant(self.updated_s),
        }

    def text(self, name: str, part: str = "value") -> Iterator[str]:
        """Yield one member of every item of a field."""
        for item in self.fields.get(name, ()):
            value = item.get(part)
            if value:
                yield value


def fresh_names() -> tuple[str, str]:
    """Return an id for a source and the resource name that Google would make of it."""
    number = secrets.randbits(62) | (1 << 62)
    return f"{number:x}", f"{PREFIX}c{number}"


def instant(seconds: float) -> str:
    """Return a time as the People API prints it."""
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")
    return text.replace("+00:00", "Z")


def _digest(*values: object) -> str:
    return hashlib.sha256(repr(values).encode()).hexdigest()[:20]


def _marked(items: list[Json], source: Json) -> list[Json]:
    """Return the items of a field with their source, one of them as the primary one."""
    wished = [number for number, item in enumerate(items) if item.get("metadata")]
    primary = wished[0] if wished else 0
    marked = []
    for number, item in enumerate(items):
        about: Json = {"source": source}
        if number == primary:
            about = {"primary": True, "source": source, "sourcePrimary": True}
        marked.append({**item, "metadata": about})
    return marked


def _membership(group: str, source: Json) -> Json:
    return {
        "metadata": {"source": source},
        "contactGroupMembership": {
            "contactGroupId": group,
            "contactGroupResourceName": f"{GROUP_PREFIX}{group}",
        },
    }
