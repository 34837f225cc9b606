"""`people.get`, `people.getBatchGet` and the searches.

Source: https://developers.google.com/people/api/rest/v1/people
"""

import re
from typing import Any, Final

from emulator.contacts import access, masks, quotas, render
from emulator.contacts.contact import PREFIX, Contact, Json
from emulator.contacts.errors import invalid, not_found
from emulator.contacts.view import View
from emulator.rest.call import Call, Operation

MOST_AT_ONCE: Final = 200
_DEFAULT_RESULTS: Final = 10
_MOST_RESULTS: Final = 30
_ME: Final = "people/me"
_NOT_FOUND: Final = 5
_SEARCHED: Final = (
    ("names", "displayName"),
    ("nicknames", "value"),
    ("emailAddresses", "value"),
    ("phoneNumbers", "value"),
    ("phoneNumbers", "canonicalForm"),
    ("organizations", "name"),
    ("organizations", "title"),
)


def get(call: Call) -> Json:
    """Return a contact, or the profile of somebody who has an account."""
    mask = masks.person_fields(call, "people/get")
    found = _find(call, call.path["resourceName"], mask)
    if found is None:
        raise not_found()
    return found


def get_batch(call: Call) -> Json:
    """Return several persons; those that are not found have a status that says so."""
    mask = masks.person_fields(call, "people/getBatchGet")
    names = call.query.get("resourceNames", [])
    if not names:
        raise invalid("At least one resource name is required.")
    if len(names) > MOST_AT_ONCE:
        raise invalid(f"At most {MOST_AT_ONCE} resource names can be requested.")
    for name in names:
        if not re.fullmatch(r"people/[^/]+", name):
            raise invalid(f'Invalid resource name: "{name}".')
    return {"responses": [response(name, _find(call, name, mask)) for name in names]}


def search(call: Call) -> Json:
    """Return contacts that have words beginning like the query; an empty one warms up."""
    mask = masks.named(
        call.query.get("readMask", ""), "readMask", masks.readable(), "people/searchContacts"
    )
    mine = access.book(call)
    return _search(call, mine.searched, mask, mine.warm_up)


def search_others(call: Call) -> Json:
    """Return "other contacts" that have words beginning like the query."""
    mask = masks.named(
        call.query.get("readMask", ""), "readMask", masks.OTHER, "otherContacts/search"
    )
    return _search(call, access.book(call).others, mask, lambda: None)


def response(name: str, found: Json | None) -> Json:
    """Return one entry of an answer about several persons."""
    if found is None:
        status = {"code": _NOT_FOUND, "message": "Requested entity was not found."}
        return {"httpStatusCode": 404, "requestedResourceName": name, "status": status}
    return {"httpStatusCode": 200, "person": found, "requestedResourceName": name, "status": {}}


def _find(call: Call, name: str, mask: frozenset[str]) -> Json | None:
    who, sources = access.person(call), call.query.get("sources")
    account = who if name == _ME else call.world.people.find(name.removeprefix(PREFIX))
    if account is not None and "@" not in name and access.wants_profiles(sources):
        return render.profile(account, mask, is_me=account.sub == who.sub)
    access.needs_contacts(call)
    found = access.book(call).read(name)
    if found is None or not access.wants_contacts(sources):
        return None
    return render.contact(found, mask)


def _search(call: Call, view: View[Contact], mask: frozenset[str], warm_up: Any) -> Json:
    query = call.query["query"].strip().casefold()
    if not query:
        warm_up()
        return {}
    most = min(call.query.get("pageSize") or _DEFAULT_RESULTS, _MOST_RESULTS)
    if most < 0:
        raise invalid("Page size must not be negative.")
    results: list[Json] = []
    for one in view.states.values():
        if len(results) == most:
            break
        if not one.is_deleted and _matches(one, query):
            results.append({"person": render.contact(one, mask)})
    return {"results": results} if results else {}


def _matches(one: Contact, query: str) -> bool:
    """Return whether a word of the contact, and what follows it, begins like the query."""
    for name, part in _SEARCHED:
        for value in one.text(name, part):
            text = value.casefold()
            if text.startswith(query) or re.search(rf"(?<!\w){re.escape(query)}", text):
                return True
    return False


OPERATIONS: Final = {
    "people.people.get": Operation(get, units=1, costs=quotas.READ),
    "people.people.getBatchGet": Operation(get_batch, units=1, costs=quotas.READ),
    "people.people.searchContacts": Operation(search, units=1, costs=quotas.READ),
    "people.otherContacts.search": Operation(search_others, units=1, costs=quotas.READ),
}
