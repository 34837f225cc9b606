"""What people do with their contacts in Google's own app: add, edit, label, merge, star."""

from collections.abc import Callable
from typing import Any, Final, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from emulator.contacts import masks, members, render, values
from emulator.contacts.book import Book
from emulator.contacts.contact import GROUP_PREFIX, STARRED, Contact
from emulator.contacts.group import Group
from emulator.control.calendar import checked
from emulator.control.http import PREFIX, ControlError, body, breathe, person
from emulator.people import Person
from emulator.world import WORLD, World

Json = dict[str, Any]

_FILES: Final = frozenset({"text/vcard", "text/x-vcard", "text/directory"})


class NewContact(BaseModel):
    """A contact, as the API describes it.

    Attributes:
        groups: ids or names of labels it gets; a new name makes a label.
        count: so many of them; the number of each is added to its names and addresses.
        resource_name: what it is called; made up by default.
        other: it becomes one of the "other contacts", which are in no group.
    """

    model_config = ConfigDict(extra="forbid")
    contact: Json = Field(default_factory=dict)
    groups: list[str] = Field(default_factory=list)
    count: int = Field(default=1, ge=1, le=100_000)
    resource_name: str = Field(default="", pattern=r"^(people/[^/:]+)?$")
    other: bool = False


class ContactEdit(BaseModel):
    """What happens to a contact.

    Attributes:
        changes: of `change`: fields that are replaced; null takes one away.
        group: of `label` and `unlabel`: id or name of the label; a new name makes one.
        into: of `merge`: the contact that stays.
        leads: of `merge`: the old resource name leads to the other contact.
        trace: of `merge`: a synchronisation shows the old contact as deleted.
        name: of `rename`: the new resource name; made up by default.
    """

    model_config = ConfigDict(extra="forbid")
    contact: str
    action: Literal["change", "delete", "star", "unstar", "label", "unlabel", "merge", "rename"]
    changes: Json = Field(default_factory=dict)
    group: str = ""
    into: str = ""
    leads: bool = True
    trace: bool = False
    name: str = Field(default="", pattern=r"^(people/[^/:]+)?$")


class GroupName(BaseModel):
    """What a label is called."""

    model_config = ConfigDict(extra="forbid")
    name: str = Field(min_length=1)


async def list_contacts(request: web.Request) -> web.Response:
    """Show the person's contacts as they are, whatever the API shows yet."""
    mine = _book(request)
    shown = [contact_shown(one) for one in mine.contacts.values() if not one.is_deleted]
    return web.json_response({"contacts": shown, "count": len(mine), "unseen": _unseen(mine)})


async def create_contact(request: web.Request) -> web.Response:
    """Add a contact, or `count` of them, or load a vCard file."""
    mine, world = _book(request), request.app[WORLD]
    changed_at = world.clock.now_ms()
    if request.content_type in _FILES:
        from emulator.control import vcards  # noqa: PLC0415 - only who has a file waits for it

        loaded = await vcards.load(mine, await request.read())
        return web.json_response({**loaded, "changed_at": changed_at}, status=201)
    wanted = await body(request, NewContact)
    given = checked(wanted.contact, "Person", api=("people", "v1"))
    groups = [group_of(mine, name, is_new=True).key for name in wanted.groups]
    if mine.find(wanted.resource_name) is not None:
        raise ControlError(409, "there is a contact with this resource name")
    made = []
    for number in range(wanted.count):
        fields = values.accepted(_numbered(given, number, wanted.count), masks.writable())
        if wanted.other:
            made.append(mine.add_other(fields))
        else:
            made.append(mine.add(fields, groups, name=wanted.resource_name if not number else ""))
        await breathe(number)
    answer = {**contact_shown(made[0]), "changed_at": changed_at}
    if wanted.count > 1:
        answer = {"resourceNames": [one.name for one in made], "changed_at": changed_at}
    return web.json_response(answer, status=201)


async def edit_contact(request: web.Request) -> web.Response:
    """Do to a contact what a person can do with it."""
    mine, world = _book(request), request.app[WORLD]
    changed_at = world.clock.now_ms()
    wanted = await body(request, ContactEdit)
    found = _contact(mine, wanted.contact)
    now = _EDITS[wanted.action](mine, found, wanted)
    return web.json_response({**contact_shown(now), "changed_at": changed_at})


async def list_groups(request: web.Request) -> web.Response:
    """Show the person's labels and Google's groups, with their members."""
    mine = _book(request)
    shown = [group_shown(mine, group) for group in mine.groups.values() if not group.is_deleted]
    return web.json_response({"groups": shown})


async def create_group(request: web.Request) -> web.Response:
    """Make a label."""
    mine = _book(request)
    made = mine.add_group((await body(request, GroupName)).name)
    return web.json_response(group_shown(mine, made), status=201)


async def rename_group(request: web.Request) -> web.Response:
    """Call a label something else."""
    mine = _book(request)
    found = _own_group(mine, request)
    renamed = mine.change_group(found, name=(await body(request, GroupName)).name)
    return web.json_response(group_shown(mine, renamed))


async def delete_group(request: web.Request) -> web.Response:
    """Delete a label; with `?contacts=true` also who has it."""
    mine = _book(request)
    found = _own_group(mine, request)
    mine.remove_group(found, with_contacts=request.query.get("contacts") == "true")
    return web.json_response({"deleted": found.resource})


def contact_shown(one: Contact) -> Json:
    """Return a contact with all its fields, and whether it is gone."""
    shown = render.contact(one, masks.readable())
    if one.former:
        shown["metadata"]["previousResourceNames"] = list(one.former)
    return {**shown, **({"deleted": True} if one.is_deleted else {})}


def group_shown(mine: Book, group: Group) -> Json:
    """Return a group with everybody in it."""
    found = group.shown(masks.GROUP, mine.member_count(group.key))
    return {**found, "memberResourceNames": [one.name for one in mine.members(group.key)]}


def contacts_state(world: World, owner: Person) -> Json:
    """Return a person's contacts in numbers, for the dump of everything."""
    mine = world.contacts.book(owner.sub)
    own = [group for group in mine.groups.values() if not group.is_system and not group.is_deleted]
    return {
        "contacts": len(mine),
        "otherContacts": sum(one.is_other and not one.is_deleted for one in mine.contacts.values()),
        "deleted": sum(one.is_deleted for one in mine.contacts.values()),
        "unseen": _unseen(mine),
        "groups": {group.name: mine.member_count(group.key) for group in own},
    }


def group_of(mine: Book, name: str, *, is_new: bool = False) -> Group:
    """Return a group by id, resource name or name, or raise a 404; `is_new` makes it first."""
    plain = name.removeprefix(GROUP_PREFIX)
    found = mine.find_group(plain)
    live = (group for group in mine.groups.values() if not group.is_deleted)
    found = found or next((group for group in live if group.name == name), None)
    if found is None and is_new and name:
        return mine.add_group(name)
    if found is None:
        raise ControlError(404, "there is no such group")
    return found


def routes() -> list[web.RouteDef]:
    """Return the routes of this module."""
    one = f"{PREFIX}/people/{{email}}"
    return [
        web.get(f"{one}/contacts", list_contacts),
        web.post(f"{one}/contacts", create_contact),
        web.post(f"{one}/contact-edits", edit_contact),
        web.get(f"{one}/contact-groups", list_groups),
        web.post(f"{one}/contact-groups", create_group),
        web.patch(f"{one}/contact-groups/{{group}}", rename_group),
        web.delete(f"{one}/contact-groups/{{group}}", delete_group),
    ]


def _book(request: web.Request) -> Book:
    return request.app[WORLD].contacts.book(person(request).sub)


def _contact(mine: Book, name: str) -> Contact:
    found = mine.find(name)
    if found is None:
        raise ControlError(404, "there is no such contact")
    return found


def _own_group(mine: Book, request: web.Request) -> Group:
    found = group_of(mine, request.match_info["group"])
    if found.is_system:
        raise ControlError(400, "Google's own groups stay as they are")
    return found


def _unseen(mine: Book) -> int:
    """Return how many changes `connections.list` does not show yet."""
    mine.settle()
    return mine.listed.coming


def _numbered(given: Json, number: int, count: int) -> Json:
    """Return the contact with a number in its names and addresses, when there are several."""
    if count == 1:
        return given
    numbered = dict(given)
    if "names" in given:
        names = given["names"]
        last = [f"{name.get('familyName', '')} {number}".strip() for name in names]
        numbered["names"] = [
            {**name, "familyName": text} for name, text in zip(names, last, strict=True)
        ]
    numbered["emailAddresses"] = [
        {**one, "value": f"{number}.{one.get('value', '')}"}
        for one in given.get("emailAddresses", ())
    ]
    return numbered


def _change(mine: Book, found: Contact, wanted: ContactEdit) -> Contact:
    gone = [name for name, value in wanted.changes.items() if value is None]
    given = {name: value for name, value in wanted.changes.items() if value is not None}
    checked(given, "Person", api=("people", "v1"))
    strange = [name for name in wanted.changes if name not in masks.writable()]
    if strange or "memberships" in wanted.changes:
        raise ControlError(400, "these fields cannot be changed like this", strange)
    kept = {name: items for name, items in found.fields.items() if name not in {*gone, *given}}
    return mine.keep(found.changed(fields={**kept, **values.accepted(given, given)}))


def _label(mine: Book, found: Contact, wanted: ContactEdit) -> Contact:
    key = STARRED if wanted.action == "star" else group_of(mine, wanted.group, is_new=True).key
    members.join(mine, found.name, key)
    return mine.contacts[found.key]


def _unlabel(mine: Book, found: Contact, wanted: ContactEdit) -> Contact:
    key = STARRED if wanted.action == "unstar" else group_of(mine, wanted.group).key
    if not members.leave(mine, found.name, key):
        raise ControlError(400, "a contact is in one group at least")
    return mine.contacts[found.key]


def _merge(mine: Book, found: Contact, wanted: ContactEdit) -> Contact:
    other = _contact(mine, wanted.into)
    if other.key == found.key:
        raise ControlError(400, "a contact is not merged with itself")
    return mine.merge(found, other, leads=wanted.leads, leaves_trace=wanted.trace)


def _rename(mine: Book, found: Contact, wanted: ContactEdit) -> Contact:
    if mine.find(wanted.name) is not None:
        raise ControlError(409, "there is a contact with this resource name")
    return mine.rename(found, wanted.name)


_EDITS: Final[dict[str, Callable[[Book, Contact, ContactEdit], Contact]]] = {
    "change": _change,
    "delete": lambda mine, found, _wanted: mine.remove(found),
    "star": _label,
    "unstar": _unlabel,
    "label": _label,
    "unlabel": _unlabel,
    "merge": _merge,
    "rename": _rename,
}
