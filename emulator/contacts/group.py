"""One contact group as it was after one change, and the groups that Google makes itself."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from typing import Any, Final

from emulator.contacts.contact import GROUP_PREFIX, MY_CONTACTS, STARRED, Json, instant

SYSTEM: Final = {
    MY_CONTACTS: "My Contacts",
    STARRED: "Starred",
    "friends": "Friends",
    "family": "Family",
    "coworkers": "Coworkers",
    "chatBuddies": "Chat contacts",
    "all": "All Contacts",
    "blocked": "Blocked",
}
JOINABLE: Final = frozenset({MY_CONTACTS, STARRED})
"""The system groups that contacts can be put into."""


@dataclass(frozen=True)
class Group:
    """A state of a group. `key` is its id, which never changes."""

    key: str
    name: str
    is_system: bool = False
    client_data: tuple[tuple[str, str], ...] = ()
    serial: int = 0
    updated_s: float = 0.0
    is_deleted: bool = False

    @property
    def resource(self) -> str:
        """Return its resource name."""
        return f"{GROUP_PREFIX}{self.key}"

    @property
    def etag(self) -> str:
        """Return its etag."""
        return hashlib.sha256(repr((self.key, self.serial)).encode()).hexdigest()[:16]

    def changed(self, **changes: Any) -> "Group":
        """Return what becomes of it."""
        return replace(self, **changes)

    def shown(self, mask: frozenset[str], members: int) -> Json:
        """Return it as the API shows it."""
        found: Json = {"resourceName": self.resource, "etag": self.etag}
        if "groupType" in mask:
            found["groupType"] = "SYSTEM_CONTACT_GROUP" if self.is_system else "USER_CONTACT_GROUP"
        if "name" in mask:
            found["name"] = self.name
            found["formattedName"] = SYSTEM.get(self.key, self.name)
        if "metadata" in mask and not self.is_system:
            found["metadata"] = {"updateTime": instant(self.updated_s)}
        if "memberCount" in mask and members:
            found["memberCount"] = members
        if "clientData" in mask and self.client_data:
            found["clientData"] = [{"key": key, "value": value} for key, value in self.client_data]
        return found

    def tombstone(self) -> Json:
        """Return what is left of it in a synchronisation."""
        return {
            "resourceName": self.resource,
            "etag": self.etag,
            "metadata": {"updateTime": instant(self.updated_s), "deleted": True},
        }


def fresh_key() -> str:
    """Return an id for a group of the person's own."""
    return f"{secrets.randbits(60) | (1 << 59):x}"
