"""Creating, updating and deleting contacts, one by one.

Source: https://developers.google.com/people/api/rest/v1/people
"""

from typing import Final

from emulator.contacts import access, masks, quotas, render, values
from emulator.contacts.book import Book
from emulator.contacts.contact import Contact, Json
from emulator.contacts.errors import etag_differs, etag_required, invalid, not_found
from emulator.contacts.group import JOINABLE
from emulator.rest.call import Call, Operation

_CONTACT: Final = "CONTACT"


def create(call: Call) -> Json:
    """Create a contact."""
    mask = masks.person_fields(call, "people/createContact", default=masks.readable())
    return render.contact(made(access.book(call), call.body), mask)


def update(call: Call) -> Json:
    """Replace the fields that the mask names."""
    wanted = masks.named(
        call.query.get("updatePersonFields", ""),
        "updatePersonFields",
        masks.writable(),
        "people/updateContact",
    )
    mask = masks.person_fields(call, "people/updateContact", default=masks.readable())
    mine = access.book(call)
    body = dict(call.body)
    found = current(call, mine, call.path["resourceName"], body)
    return render.contact(mine.keep(changed(mine, found, body, wanted)), mask)


def delete(call: Call) -> Json:
    """Delete a contact."""
    mine = access.book(call)
    found = mine.find(call.path["resourceName"])
    if found is None:
        raise not_found()
    mine.remove(found)
    return {}


def copy_other(call: Call) -> Json:
    """Make one of the "other contacts" a contact."""
    access.needs_others(call)
    page = "otherContacts/copyOtherContactToMyContactsGroup"
    wanted = masks.named(call.body.get("copyMask", ""), "copyMask", masks.COPIED, page)
    read = call.body.get("readMask", "")
    mask = wanted | {"metadata", "memberships"}
    mask = masks.named(read, "readMask", masks.readable(), page) if read else mask
    mine = access.book(call)
    other = mine.find(call.path["resourceName"])
    if other is None:
        raise not_found()
    kept = {name: items for name, items in other.fields.items() if name in wanted}
    mine.remove(other)
    return render.contact(mine.add(kept), mask)


def made(mine: Book, body: Json) -> Contact:
    """Return the contact that a body describes, created."""
    return mine.add(values.accepted(body, masks.writable()), checked_groups(mine, body))


def current(call: Call, mine: Book, name: str, body: Json) -> Contact:
    """Return the contact that a body updates.

    Raises:
        ApiError: 404; there is none. 400; the body does not say what state it is an update of, or
            says another one than the current.
    """
    found = mine.find(name)
    if found is None or found.is_other:
        raise not_found()
    sources = [
        source
        for source in body.get("metadata", {}).get("sources", ())
        if source.get("type") == _CONTACT
    ]
    counts = call.world.switches.contact_etag
    given = []
    if counts != "source":
        given.append(("person", body.get("etag"), found.etag))
    if counts != "person":
        tags = [source.get("etag") for source in sources]
        given += [("person.metadata.sources", tag, found.source_etag) for tag in tags]
    if not any(tag for _, tag, _ in given):
        raise etag_required()
    for what, tag, now in given:
        if tag and tag != now:
            raise etag_differs(what)
    return found


def changed(mine: Book, found: Contact, body: Json, wanted: frozenset[str]) -> Contact:
    """Return the contact with the named fields replaced, or taken away where the body has none.

    Raises:
        ApiError: 400; what is written cannot be.
    """
    kept = {name: items for name, items in found.fields.items() if name not in wanted}
    groups = found.groups
    if "memberships" in wanted:
        groups = tuple(checked_groups(mine, body, found.groups))
        if not groups:
            raise invalid("At least one contact group membership is required.")
    return found.changed(fields={**kept, **values.accepted(body, wanted)}, groups=groups)


def checked_groups(mine: Book, body: Json, already: tuple[str, ...] = ()) -> list[str]:
    """Return the groups that a body names; those that nobody can join only if they are kept.

    Raises:
        ApiError: 400; there is no such group, or nobody can join it.
    """
    keys = values.memberships(body)
    for key in keys:
        group = mine.find_group(key)
        if group is None:
            raise invalid(f"Contact group contactGroups/{key} was not found.")
        if group.is_system and key not in JOINABLE and key not in already:
            raise invalid(f"Contacts cannot be added to the group contactGroups/{key}.")
    return keys


OPERATIONS: Final = {
    "people.people.createContact": Operation(create, units=1, costs=quotas.WRITE),
    "people.people.updateContact": Operation(update, units=1, costs=quotas.WRITE),
    "people.people.deleteContact": Operation(delete, units=1, costs=quotas.DELETE),
    "people.otherContacts.copyOtherContactToMyContactsGroup": Operation(
        copy_other, units=1, costs=quotas.WRITE
    ),
}
