"""One person's contacts and groups: what is true at once, and what readers see in time."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from emulator.clock import Clock
from emulator.config import Switches
from emulator.contacts.contact import (
    MY_CONTACTS,
    Contact,
    Fields,
    fresh_names,
)
from emulator.contacts.errors import group_exists, too_many_contacts
from emulator.contacts.group import SYSTEM, Group, fresh_key
from emulator.contacts.values import SINGLETONS
from emulator.contacts.view import View

_ALL: Final = "all"


class Book:
    """Contacts, other contacts and groups of one person.

    Attributes:
        listed: what `connections.list` sees; `fetched`, what `get` does; `searched`, what a search
            does after it was warmed up.
    """

    def __init__(self, clock: Clock, switches: Callable[[], Switches]) -> None:
        self._clock, self._switches = clock, switches
        self._serial = 0
        self.contacts: dict[str, Contact] = {}
        self.groups: dict[str, Group] = {}
        self._members: dict[str, dict[str, None]] = {}
        self._names: dict[str, str] = {}
        self._live = 0
        self.listed: View[Contact] = View()
        self.fetched: View[Contact] = View()
        self.searched: View[Contact] = View()
        self.others: View[Contact] = View()
        self.group_listed: View[Group] = View()
        self.group_fetched: View[Group] = View()
        for key in SYSTEM:
            self._keep_group(Group(key, key, is_system=True))

    def __len__(self) -> int:
        """Return how many contacts there are."""
        return self._live

    # Contacts.

    def find(self, name: str) -> Contact | None:
        """Return the contact that a resource name leads to, be it a former one."""
        found = self.contacts.get(self._names.get(name, ""))
        return None if found is None or found.is_deleted else found

    def add(self, fields: Fields, groups: Iterable[str] = (), *, name: str = "") -> Contact:
        """Create a contact, which is one of "my contacts" in any case.

        Raises:
            ApiError: 429; the account is full.
        """
        if self._live >= self._switches().most_contacts:
            raise too_many_contacts()
        key, fresh = fresh_names()
        mine = dict.fromkeys((*groups, MY_CONTACTS))
        return self.keep(Contact(key, name or fresh, fields, tuple(mine)))

    def add_other(self, fields: Fields) -> Contact:
        """Create one of the "other contacts", which are in no group."""
        key, fresh = fresh_names()
        name = fresh.replace("people/", "otherContacts/")
        return self.keep(Contact(key, name, fields, is_other=True))

    def keep(self, contact: Contact) -> Contact:
        """Store a new state of a contact; return it with its new etag."""
        self._serial += 1
        now_s = self._clock.now_s()
        kept = contact.changed(serial=self._serial, updated_s=now_s)
        before = self.contacts.get(kept.key)
        self.contacts[kept.key] = kept
        self._index(before, kept)
        views = (self.others,) if kept.is_other else (self.listed, self.fetched, self.searched)
        for view in views:
            view.tell(now_s, kept.key, kept)
        return kept

    def remove(self, contact: Contact) -> Contact:
        """Delete a contact; its trace stays."""
        return self.keep(contact.changed(is_deleted=True, groups=()))

    def rename(self, contact: Contact, name: str = "") -> Contact:
        """Give a contact another resource name; the former one leads to it."""
        former = (*contact.former, contact.name)
        return self.keep(contact.changed(name=name or fresh_names()[1], former=former))

    def merge(self, gone: Contact, into: Contact, *, leads: bool, leaves_trace: bool) -> Contact:
        """Put what one contact says into another one, as Google does with duplicates.

        Args:
            gone: the one that ends.
            into: the one that stays.
            leads: whether the resource name of `gone` leads to the other one from now on.
            leaves_trace: whether a synchronisation shows `gone` as deleted.
        """
        fields = {name: list(items) for name, items in into.fields.items()}
        for name, items in gone.fields.items():
            mine = fields.setdefault(name, [])
            if name not in SINGLETONS or not mine:
                mine += [item for item in items if item not in mine]
        groups = tuple(dict.fromkeys((*into.groups, *gone.groups)))
        former = (*into.former, *gone.former, gone.name) if leads else into.former
        self.keep(gone.changed(is_deleted=True, is_merged=not leaves_trace, groups=()))
        return self.keep(into.changed(fields=fields, groups=groups, former=former))

    # Groups.

    def find_group(self, key: str) -> Group | None:
        """Return a group by its id, unless it is deleted."""
        found = self.groups.get(key)
        return None if found is None or found.is_deleted else found

    def add_group(self, name: str, client_data: Iterable[tuple[str, str]] = ()) -> Group:
        """Create a group of the person's own.

        Raises:
            ApiError: 409; another one has the name.
        """
        self._refuse_taken(name)
        return self._keep_group(Group(fresh_key(), name, client_data=tuple(client_data)))

    def change_group(self, group: Group, **changes: Any) -> Group:
        """Return a group after a change.

        Raises:
            ApiError: 409; another one has the name.
        """
        if changes.get("name", group.name) != group.name:
            self._refuse_taken(changes["name"], but=group.key)
        return self._keep_group(group.changed(**changes))

    def remove_group(self, group: Group, *, with_contacts: bool = False) -> None:
        """Delete a group, and if so wished who is in it; nobody else is left without a group."""
        for contact in list(self.members(group.key)):
            if with_contacts:
                self.remove(contact)
            else:
                rest = tuple(key for key in contact.groups if key != group.key)
                self.keep(contact.changed(groups=rest or (MY_CONTACTS,)))
        self._keep_group(group.changed(is_deleted=True))

    def members(self, key: str) -> Iterator[Contact]:
        """Yield who is in a group, in the order in which they came."""
        if key == _ALL:
            yield from (c for c in self.contacts.values() if not c.is_deleted and not c.is_other)
            return
        for member in self._members.get(key, ()):
            yield self.contacts[member]

    def member_count(self, key: str) -> int:
        """Return how many are in a group."""
        return self._live if key == _ALL else len(self._members.get(key, ()))

    # What readers see.

    def settle(self) -> None:
        """Let readers see what has been told long enough ago."""
        now_s, switches = self._clock.now_s(), self._switches()
        for view in (self.listed, self.others, self.group_listed):
            view.settle(now_s, switches.contact_list_delay_s)
        for one in (self.fetched, self.group_fetched):
            one.settle(now_s, switches.contact_get_delay_s)
        if not switches.contact_search_warmup:
            self.warm_up()

    def warm_up(self) -> None:
        """Let searches find what has been told long enough ago."""
        self.searched.settle(self._clock.now_s(), self._switches().contact_search_delay_s)

    def read(self, name: str) -> Contact | None:
        """Return the contact as `get` sees it."""
        self.settle()
        found = self.fetched.states.get(self._names.get(name, ""))
        return None if found is None or found.is_deleted else found

    def expire(self) -> None:
        """Make every sync token that was ever given out too old."""
        self.settle()
        for log in (self.listed.log, self.others.log, self.group_listed.log):
            log.expire()

    def _index(self, before: Contact | None, now: Contact) -> None:
        was_live = before is not None and not before.is_deleted
        if not now.is_other:
            self._live += (not now.is_deleted) - was_live
        for name in (now.name, *now.former):
            self._names[name] = now.key
        for group in before.groups if before else ():
            if group not in now.groups:
                self._members.get(group, {}).pop(now.key, None)
        for group in now.groups:
            self._members.setdefault(group, {})[now.key] = None

    def _keep_group(self, group: Group) -> Group:
        self._serial += 1
        now_s = self._clock.now_s()
        kept = group.changed(serial=self._serial, updated_s=now_s)
        self.groups[kept.key] = kept
        for view in (self.group_listed, self.group_fetched):
            view.tell(now_s, kept.key, kept)
        return kept

    def _refuse_taken(self, name: str, *, but: str = "") -> None:
        taken = {*SYSTEM, *SYSTEM.values()}
        mine = (g for g in self.groups.values() if not g.is_deleted and g.key != but)
        if name in taken or any(group.name == name for group in mine):
            raise group_exists()
