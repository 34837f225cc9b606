"""`contactGroups.members.modify`: who is in a group.

Source: https://developers.google.com/people/api/rest/v1/contactGroups.members/modify
"""

from typing import Final

from emulator.contacts import access, quotas
from emulator.contacts.book import Book
from emulator.contacts.contact import GROUP_PREFIX, Json
from emulator.contacts.errors import invalid, not_found
from emulator.contacts.group import JOINABLE
from emulator.rest.call import Call, Operation

MOST: Final = 1000


def modify(call: Call) -> Json:
    """Put contacts into a group and take others out; say which ones it could not be done with."""
    to_add = list(dict.fromkeys(call.body.get("resourceNamesToAdd", ())))
    to_remove = list(dict.fromkeys(call.body.get("resourceNamesToRemove", ())))
    if not to_add and not to_remove:
        raise invalid("At least one resource name to add or to remove is required.")
    if len(to_add) + len(to_remove) > MOST:
        raise invalid(f"At most {MOST} members can be modified in one request.")
    mine = access.book(call)
    key = call.path["resourceName"].removeprefix(GROUP_PREFIX)
    group = mine.find_group(key)
    if group is None:
        raise not_found()
    if to_add and group.is_system and key not in JOINABLE:
        raise invalid("Contacts cannot be added to this system contact group.")
    if set(to_add) & set(to_remove):
        raise invalid("The same contact cannot be added and removed.")
    missing = [name for name in to_add if not join(mine, name, key)]
    last: list[str] = []
    for name in to_remove:
        found = mine.find(name)
        if found is None:
            missing.append(name)
        elif not leave(mine, name, key):
            last.append(name)
    answer: Json = {"notFoundResourceNames": missing} if missing else {}
    return {**answer, **({"canNotRemoveLastContactGroupResourceNames": last} if last else {})}


def join(mine: Book, name: str, key: str) -> bool:
    """Put a contact into a group; return whether there is such a contact."""
    found = mine.find(name)
    if found is None or found.is_other:
        return False
    if key not in found.groups:
        mine.keep(found.changed(groups=(*found.groups, key)))
    return True


def leave(mine: Book, name: str, key: str) -> bool:
    """Take a contact out of a group; return whether it is out, for nobody leaves the last one."""
    found = mine.find(name)
    if found is None or key not in found.groups:
        return True
    rest = tuple(group for group in found.groups if group != key)
    if not rest:
        return False
    mine.keep(found.changed(groups=rest))
    return True


OPERATIONS: Final = {
    "people.contactGroups.members.modify": Operation(
        modify, units=1, costs={quotas.READS: 1, quotas.WRITES: 1}
    ),
}
