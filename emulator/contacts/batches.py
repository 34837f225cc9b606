"""Writing many contacts with one call.

Source: https://developers.google.com/people/api/rest/v1/people
"""

from collections.abc import Callable
from typing import Final

from emulator.contacts import access, masks, quotas, render, values, writing
from emulator.contacts.contact import Contact, Json
from emulator.contacts.errors import batch_failed, invalid, not_found, status_of, too_many_contacts
from emulator.contacts.reading import response
from emulator.errors import ApiError
from emulator.rest.call import Call, Operation

MOST_WRITTEN: Final = 200
MOST_DELETED: Final = 500


def create(call: Call) -> Json:
    """Create up to 200 contacts, all or none."""
    entries = call.body.get("contacts", [])
    _bounded(len(entries), MOST_WRITTEN, "contacts")
    mask = _read_mask(call)
    mine = access.book(call)
    bodies = [entry.get("contactPerson", {}) for entry in entries]
    failed: dict[str, ApiError] = {}
    for index, body in enumerate(bodies):
        try:
            values.accepted(body, masks.writable())
            writing.checked_groups(mine, body)
        except ApiError as exc:
            failed[str(index)] = exc
    if failed:
        raise batch_failed("BatchCreateContacts", failed)
    if len(mine) + len(bodies) > call.world.switches.most_contacts:
        raise too_many_contacts()
    made = [writing.made(mine, body) for body in bodies]
    if mask is None:
        return {}
    return {"createdPeople": [response(one.name, render.contact(one, mask)) for one in made]}


def update(call: Call) -> Json:
    """Update up to 200 contacts; what one failure means says `contact_batch_failures`."""
    entries = call.body.get("contacts", {})
    _bounded(len(entries), MOST_WRITTEN, "contacts")
    page = "people/batchUpdateContacts"
    wanted = masks.named(call.body.get("updateMask", ""), "updateMask", masks.writable(), page)
    mask = _read_mask(call)
    mine = access.book(call)
    failed: dict[str, ApiError] = {}
    coming: dict[str, Contact] = {}
    for name, body in entries.items():
        try:
            found = writing.current(call, mine, name, body)
            coming[name] = writing.changed(mine, found, body, wanted)
        except ApiError as exc:
            failed[name] = exc
    if failed and call.world.switches.contact_batch_failures == "whole":
        raise batch_failed("BatchUpdateContacts", failed)
    results = {name: mine.keep(one) for name, one in coming.items()}
    if mask is None:
        return {}
    shown = {name: response(name, render.contact(one, mask)) for name, one in results.items()}
    return {"updateResult": {**shown, **{name: _failure(name, e) for name, e in failed.items()}}}


def delete(call: Call) -> Json:
    """Delete up to 500 contacts, all or none."""
    names = list(dict.fromkeys(call.body.get("resourceNames", [])))
    _bounded(len(names), MOST_DELETED, "resource names")
    mine = access.book(call)
    found = [_existing(mine.find, name) for name in names]
    for one in found:
        if not mine.contacts[one.key].is_deleted:
            mine.remove(one)
    return {}


def _existing(find: Callable[[str], Contact | None], name: str) -> Contact:
    found = find(name)
    if found is None:
        raise not_found()
    return found


def _bounded(count: int, most: int, what: str) -> None:
    if not count:
        raise invalid(f"At least one of the {what} is required.")
    if count > most:
        raise invalid(f"At most {most} {what} are allowed in one request.")


def _read_mask(call: Call) -> frozenset[str] | None:
    """Return what the answer shows; nothing at all for an empty mask."""
    text = call.body.get("readMask", "")
    if not text.strip():
        return None
    return masks.named(text, "readMask", masks.readable(), "people")


def _failure(name: str, error: ApiError) -> Json:
    return {
        "httpStatusCode": error.code,
        "requestedResourceName": name,
        "status": status_of(error),
    }


_PREFIX: Final = "people.people.batch"
OPERATIONS: Final = {
    f"{_PREFIX}CreateContacts": Operation(create, units=1, costs=quotas.BATCH),
    f"{_PREFIX}UpdateContacts": Operation(update, units=1, costs=quotas.BATCH),
    f"{_PREFIX}DeleteContacts": Operation(delete, units=1, costs=quotas.BATCH_DELETE),
}
