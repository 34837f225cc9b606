"""`connections.list` and the lists of "other contacts".

Sources: https://developers.google.com/people/api/rest/v1/people.connections/list and
https://developers.google.com/people/api/rest/v1/otherContacts/list
"""

from typing import Any, Final

from emulator.contacts import access, feeds, masks, quotas, render
from emulator.contacts.contact import Contact, Json
from emulator.contacts.view import View
from emulator.rest.call import Call, Operation

_DEFAULT_SIZE: Final = 100
_PAGE: Final = "people.connections/list"
_OTHER_PAGE: Final = "otherContacts/list"


def list_connections(call: Call) -> Json:
    """Return one page of the person's contacts, or of what changed since a sync token."""
    access.only_me(call)
    view = access.book(call).listed
    mask = masks.person_fields(call, _PAGE)
    if not access.wants_contacts(call.query.get("sources")):
        view = View()
    order = call.query.get("sortOrder", feeds.ASCENDING)
    wanted = _wanted(call, "connections", mask, order)
    feed = _read(call, view, wanted)
    people = _shown(feed, mask)
    counts = {} if feed.is_sync else {"totalPeople": view.live, "totalItems": view.live}
    return {**({"connections": people} if people else {}), **feed.tokens, **counts}


def list_others(call: Call) -> Json:
    """Return one page of the "other contacts", or of what changed since a sync token."""
    view = access.book(call).others
    mask = masks.named(call.query.get("readMask", ""), "readMask", masks.OTHER, _OTHER_PAGE)
    feed = _read(call, view, _wanted(call, "otherContacts", mask, feeds.ASCENDING))
    people = _shown(feed, mask)
    counts = {} if feed.is_sync else {"totalSize": view.live}
    return {**({"otherContacts": people} if people else {}), **feed.tokens, **counts}


def _wanted(call: Call, what: str, mask: frozenset[str], order: str) -> feeds.Listing:
    return feeds.Listing(
        place=f"{what} {access.person(call).sub}",
        size=feeds.size(call.query.get("pageSize"), default=_DEFAULT_SIZE),
        mask=mask,
        gives_token=call.query.get("requestSyncToken", False),
        order=order,
        by=_FIRST if order.startswith("FIRST") else _LAST,
    )


def _read(call: Call, view: View[Contact], wanted: feeds.Listing) -> feeds.Feed[Contact]:
    """Return a page; the first one of a full synchronisation costs extra."""
    query = call.query
    if wanted.gives_token and not query.get("pageToken") and not query.get("syncToken"):
        call.world.contacts.charge(access.person(call), quotas.FULL_SYNC)
    return feeds.read(call, view, wanted)


def _shown(feed: feeds.Feed[Contact], mask: frozenset[str]) -> list[Json]:
    return [
        render.listed(one, mask, is_sync=feed.is_sync) for one in feed.items if not one.is_merged
    ]


def _by(*parts: str) -> Any:
    def key(one: Contact) -> str:
        name = next(iter(one.fields.get("names", ())), {})
        return " ".join(str(name.get(part, "")) for part in parts).strip().casefold()

    return key


_FIRST: Final = _by("givenName", "middleName", "familyName")
_LAST: Final = _by("familyName", "givenName", "middleName")

OPERATIONS: Final = {
    "people.people.connections.list": Operation(list_connections, units=1, costs=quotas.READ),
    "people.otherContacts.list": Operation(list_others, units=1, costs=quotas.READ),
}
