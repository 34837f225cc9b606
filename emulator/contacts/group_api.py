"""The methods of contact groups.

Source: https://developers.google.com/people/api/rest/v1/contactGroups
"""

from typing import Final

from emulator.contacts import access, feeds, masks, quotas
from emulator.contacts.book import Book
from emulator.contacts.contact import GROUP_PREFIX, Json
from emulator.contacts.errors import etag_differs, invalid, not_found
from emulator.contacts.group import Group
from emulator.rest.call import Call, Operation

MOST_AT_ONCE: Final = 200
_DEFAULT_SIZE: Final = 30
_LONGEST_NAME: Final = 1024
_NOT_FOUND: Final = 5


def list_groups(call: Call) -> Json:
    """Return one page of the person's groups, or of what changed since a sync token."""
    mine = access.book(call)
    wanted = feeds.Listing(
        place=f"contactGroups {access.person(call).sub}",
        size=feeds.size(call.query.get("pageSize"), default=_DEFAULT_SIZE),
        mask=masks.group_fields(call.query.get("groupFields")),
        gives_token=True,
    )
    feed = feeds.read(call, mine.group_listed, wanted)
    shown = [
        group.tombstone() if group.is_deleted else _shown(mine, group, wanted.mask)
        for group in feed.items
    ]
    groups = {"contactGroups": shown} if shown else {}
    return {**groups, "totalItems": mine.group_listed.live, **feed.tokens}


def get(call: Call) -> Json:
    """Return one group, with members if any are asked for."""
    mask = masks.group_fields(call.query.get("groupFields"))
    mine = access.book(call)
    found = _fetched(mine, call.path["resourceName"])
    if found is None:
        raise not_found()
    return _with_members(call, mine, found, mask)


def get_batch(call: Call) -> Json:
    """Return several groups; those that are not found have a status that says so."""
    mask = masks.group_fields(call.query.get("groupFields"))
    names = call.query.get("resourceNames", [])
    if not names:
        raise invalid("At least one resource name is required.")
    if len(names) > MOST_AT_ONCE:
        raise invalid(f"At most {MOST_AT_ONCE} resource names can be requested.")
    mine = access.book(call)
    responses = []
    for name in names:
        found = _fetched(mine, name)
        about: Json = {"code": _NOT_FOUND, "message": "Requested entity was not found."}
        entry: Json = {"requestedResourceName": name, "status": about}
        if found is not None:
            shown = _with_members(call, mine, found, mask)
            entry = {"requestedResourceName": name, "status": {}, "contactGroup": shown}
        responses.append(entry)
    return {"responses": responses}


def create(call: Call) -> Json:
    """Create a group."""
    given = call.body.get("contactGroup", {})
    mask = masks.group_fields(call.body.get("readGroupFields"), "readGroupFields")
    mine = access.book(call)
    return _shown(mine, mine.add_group(_name(given), _client_data(given)), mask)


def update(call: Call) -> Json:
    """Rename a group, or replace its client data."""
    given = call.body.get("contactGroup", {})
    mask = masks.group_fields(call.body.get("readGroupFields"), "readGroupFields")
    text = call.body.get("updateGroupFields") or "name"
    page = "contactGroups/update"
    wanted = masks.named(text, "updateGroupFields", masks.GROUP_WRITABLE, page)
    mine = access.book(call)
    found = _own(mine, call.path["resourceName"])
    if given.get("etag") and given["etag"] != found.etag:
        raise etag_differs("contactGroup")
    changes: Json = {"name": _name(given)} if "name" in wanted else {}
    if "clientData" in wanted:
        changes["client_data"] = tuple(_client_data(given))
    return _shown(mine, mine.change_group(found, **changes), mask)


def delete(call: Call) -> Json:
    """Delete a group, and with `deleteContacts` who is in it."""
    mine = access.book(call)
    found = _own(mine, call.path["resourceName"])
    mine.remove_group(found, with_contacts=call.query.get("deleteContacts", False))
    return {}


def _fetched(mine: Book, name: str) -> Group | None:
    found = mine.group_fetched.states.get(name.removeprefix(GROUP_PREFIX))
    return None if found is None or found.is_deleted else found


def _own(mine: Book, name: str) -> Group:
    """Return a group that the person made."""
    found = mine.find_group(name.removeprefix(GROUP_PREFIX))
    if found is None:
        raise not_found()
    if found.is_system:
        raise invalid("Cannot modify a system contact group.")
    return found


def _shown(mine: Book, group: Group, mask: frozenset[str]) -> Json:
    return group.shown(mask, mine.member_count(group.key))


def _with_members(call: Call, mine: Book, group: Group, mask: frozenset[str]) -> Json:
    most = call.query.get("maxMembers", 0)
    if most < 0:
        raise invalid("maxMembers must not be negative.")
    shown = _shown(mine, group, mask)
    if most:
        names = [one.name for one, _ in zip(mine.members(group.key), range(most), strict=False)]
        shown |= {"memberResourceNames": names} if names else {}
    return shown


def _name(given: Json) -> str:
    name = str(given.get("name", "")).strip()
    if not name:
        raise invalid("Contact group name is required.")
    if len(name) > _LONGEST_NAME:
        raise invalid("Contact group name is too long.")
    return name


def _client_data(given: Json) -> list[tuple[str, str]]:
    return [(one.get("key", ""), one.get("value", "")) for one in given.get("clientData", ())]


_GROUP_WRITE: Final = {quotas.READS: 1, quotas.WRITES: 1}
_PREFIX: Final = "people.contactGroups."
OPERATIONS: Final = {
    f"{_PREFIX}list": Operation(list_groups, units=1, costs=quotas.READ),
    f"{_PREFIX}get": Operation(get, units=1, costs=quotas.READ),
    f"{_PREFIX}batchGet": Operation(get_batch, units=1, costs=quotas.READ),
    f"{_PREFIX}create": Operation(create, units=1, costs=_GROUP_WRITE),
    f"{_PREFIX}update": Operation(update, units=1, costs=_GROUP_WRITE),
    f"{_PREFIX}delete": Operation(delete, units=1, costs=_GROUP_WRITE),
}
