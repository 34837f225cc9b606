"""Field masks: which fields of a person or a group are read or written.

The valid names are those that Google's discovery document lists in words.
"""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any, Final

from emulator.contacts.errors import mask_path, mask_required
from emulator.rest import documents
from emulator.rest.call import Call

Json = dict[str, Any]

_NAME: Final = re.compile(r"\* (\w+)")
_PREFIX: Final = "person."
GROUP_DEFAULT: Final = frozenset({"metadata", "groupType", "memberCount", "name"})


@cache
def _people() -> Json:
    methods: Json = documents.load("people", "v1")["resources"]["people"]["methods"]
    return methods


def _listed(description: str) -> frozenset[str]:
    return frozenset(_NAME.findall(description.rpartition("alid values are:")[2]))


@cache
def readable() -> frozenset[str]:
    """Return the fields that `personFields` can name."""
    return _listed(_people()["get"]["parameters"]["personFields"]["description"])


@cache
def writable() -> frozenset[str]:
    """Return the fields that `updatePersonFields` can name."""
    return _listed(_people()["updateContact"]["parameters"]["updatePersonFields"]["description"])


OTHER: Final = frozenset({"emailAddresses", "metadata", "names", "phoneNumbers", "photos"})
COPIED: Final = frozenset({"emailAddresses", "names", "phoneNumbers"})
GROUP: Final = frozenset({"clientData", "groupType", "memberCount", "metadata", "name"})
GROUP_WRITABLE: Final = frozenset({"clientData", "name"})


def person_fields(
    call: Call, page: str, *, default: frozenset[str] | None = None
) -> frozenset[str]:
    """Return what `personFields` names, or the older `requestMask.includeField`.

    Raises:
        ApiError: 400; there is neither and no default, or one names what there is not.
    """
    text = call.query.get("personFields", "")
    if not text:
        old = call.query.get("requestMask.includeField", "")
        text = ",".join(path.strip().removeprefix(_PREFIX) for path in old.split(","))
    if not text.strip(", ") and default is not None:
        return default
    return named(text, "personFields", readable(), page)


def named(text: str, name: str, valid: Iterable[str], page: str) -> frozenset[str]:
    """Return the paths of a mask.

    Raises:
        ApiError: 400; it is empty, or names what there is not.
    """
    paths = [path.strip() for path in text.split(",") if path.strip()]
    if not paths:
        raise mask_required(name, page)
    for path in paths:
        if path not in valid:
            raise mask_path(name, path, page)
    return frozenset(paths)


def group_fields(text: str | None, name: str = "groupFields") -> frozenset[str]:
    """Return what a mask over a group names; the documented default without one."""
    if not text or not text.strip(", "):
        return GROUP_DEFAULT
    return named(text, name, GROUP, "contactGroups/get")
