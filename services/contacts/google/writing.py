"""What is changed in an address book; one request at a time for each account.

No request is ever tried twice by itself: whether one whose answer was lost took effect is found out
first, by whoever asked.

Source: https://developers.google.com/people/api/rest/v1/people
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from libs.common.google.answers import parsed
from services.contacts.domain.label import Label
from services.contacts.domain.person import Person
from services.contacts.google.answers import (
    GROUP_FIELDS,
    PERSON_FIELDS,
    PeoplePage,
    label_of,
    people_page,
    person_of,
)
from services.contacts.google.base import PeopleApi
from services.contacts.google.bodies import Change, Json

NEWEST: Final = 200
"""People of a page of those that changed last."""
SOURCES: Final = "READ_SOURCE_TYPE_CONTACT"


class MembersAnswer(BaseModel):
    """contactGroups.members.modify."""

    model_config = ConfigDict(frozen=True)

    not_found: tuple[str, ...] = Field(default=(), alias="notFoundResourceNames")
    stuck: tuple[str, ...] = Field(default=(), alias="canNotRemoveLastContactGroupResourceNames")
    """Those whom nothing else holds in the address book: they stay in the label."""


class WritingBox(PeopleApi):
    """Creates, updates and deletes people and labels."""

    async def create_person(self, body: Json, *, timeout_s: float) -> Person:
        """Add a person.

        Source: https://developers.google.com/people/api/rest/v1/people/createContact
        """
        await self._written(1)
        request = self._api.people.createContact(
            body=body, personFields=PERSON_FIELDS, sources=SOURCES
        )
        return person_of(await self._write(request, timeout_s))

    async def create_people(
        self, bodies: Sequence[Json], *, timeout_s: float
    ) -> list[Person | None]:
        """Add up to 200 people, all or none; return them in the order of their bodies.

        None: Google says of that one that it could not be done.

        Source: https://developers.google.com/people/api/rest/v1/people/batchCreateContacts
        """
        await self._written(len(bodies))
        body = {
            "contacts": [{"contactPerson": one} for one in bodies],
            "readMask": PERSON_FIELDS,
            "sources": [SOURCES],
        }
        request = self._api.people.batchCreateContacts(body=body)
        answer = await self._write(request, timeout_s) or {}
        return [_one(found) for found in answer.get("createdPeople", ())]

    async def update_person(self, resource: str, change: Change, *, timeout_s: float) -> Person:
        """Replace those fields of a person that changed.

        Raises:
            Absent: there is no such person.
            Conflict: it is not as `change` says it was.
        Source: https://developers.google.com/people/api/rest/v1/people/updateContact
        """
        await self._written(1)
        request = self._api.people.updateContact(
            resourceName=resource,
            body={"resourceName": resource, **change.body},
            updatePersonFields=",".join(change.mask),
            personFields=PERSON_FIELDS,
            sources=SOURCES,
        )
        return person_of(await self._write(request, timeout_s))

    async def update_people(
        self, changes: Mapping[str, Change], *, timeout_s: float
    ) -> dict[str, Person | None]:
        """Replace the same fields of up to 200 people, by resource name.

        None: Google says of that one that it could not be done; others were.

        Raises:
            Absent, Conflict, RequestRefused: nothing was done, because of one of them.
        Source: https://developers.google.com/people/api/rest/v1/people/batchUpdateContacts
        """
        await self._written(len(changes))
        masks = {one.mask for one in changes.values()}
        (mask,) = masks
        body = {
            "contacts": {name: {"resourceName": name, **one.body} for name, one in changes.items()},
            "updateMask": ",".join(mask),
            "readMask": PERSON_FIELDS,
            "sources": [SOURCES],
        }
        request = self._api.people.batchUpdateContacts(body=body)
        answer = await self._write(request, timeout_s) or {}
        results = answer.get("updateResult", {})
        return {name: _one(results.get(name)) for name in changes}

    async def delete_person(self, resource: str, *, timeout_s: float) -> None:
        """Delete a person; one that is gone is gone.

        Source: https://developers.google.com/people/api/rest/v1/people/deleteContact
        """
        request = self._api.people.deleteContact(resourceName=resource)
        await self._absent_is_none(request, repeatable=False, timeout_s=timeout_s)

    async def delete_people(self, resources: Sequence[str], *, timeout_s: float) -> None:
        """Delete up to 500 people, all or none.

        Raises:
            Absent: one of them is gone already; nothing was done.
        Source: https://developers.google.com/people/api/rest/v1/people/batchDeleteContacts
        """
        body = {"resourceNames": list(resources)}
        await self._write(self._api.people.batchDeleteContacts(body=body), timeout_s)

    async def list_newest(self, page_token: str | None = None, *, size: int = NEWEST) -> PeoplePage:
        """Return a page of the address book, those that changed last first.

        Raises:
            RequestRefused: Google does not know the page token.

        Source: https://developers.google.com/people/api/rest/v1/people.connections/list
        """
        given = {} if page_token is None else {"pageToken": page_token}
        request = self._api.connections.list(
            resourceName="people/me",
            pageSize=size,
            personFields=PERSON_FIELDS,
            sources=SOURCES,
            sortOrder="LAST_MODIFIED_DESCENDING",
            **given,
        )
        return people_page(await self._execute(request), after=page_token)

    async def create_label(self, name: str, *, timeout_s: float) -> Label:
        """Add a label.

        Raises:
            Conflict: there is one of that name.
        Source: https://developers.google.com/people/api/rest/v1/contactGroups/create
        """
        body = {"contactGroup": {"name": name}, "readGroupFields": GROUP_FIELDS}
        return label_of(await self._write(self._api.groups.create(body=body), timeout_s))

    async def rename_label(self, resource: str, name: str, *, timeout_s: float) -> Label:
        """Give a label another name.

        Raises:
            Absent: there is no such label.
            Conflict: there is another one of that name.
        Source: https://developers.google.com/people/api/rest/v1/contactGroups/update
        """
        body = {
            "contactGroup": {"resourceName": resource, "name": name},
            "updateGroupFields": "name",
            "readGroupFields": GROUP_FIELDS,
        }
        request = self._api.groups.update(resourceName=resource, body=body)
        return label_of(await self._write(request, timeout_s))

    async def delete_label(self, resource: str, *, timeout_s: float) -> None:
        """Delete a label, and none of its members; one that is gone is gone.

        Source: https://developers.google.com/people/api/rest/v1/contactGroups/delete
        """
        request = self._api.groups.delete(resourceName=resource, deleteContacts=False)
        await self._absent_is_none(request, repeatable=False, timeout_s=timeout_s)

    async def modify_members(
        self, resource: str, *, add: Sequence[str], remove: Sequence[str], timeout_s: float
    ) -> MembersAnswer:
        """Put up to 1,000 people into a label or take them out of it.

        Raises:
            Absent: there is no such label.
        Source: https://developers.google.com/people/api/rest/v1/contactGroups.members/modify
        """
        body = {"resourceNamesToAdd": list(add), "resourceNamesToRemove": list(remove)}
        request = self._api.members.modify(resourceName=resource, body=body)
        return parsed(MembersAnswer, await self._write(request, timeout_s) or {})

    async def _write(self, request: Any, timeout_s: float) -> Any:
        return await self._execute(request, repeatable=False, timeout_s=timeout_s)


def _one(found: Any) -> Person | None:
    """Return the person of an answer about several; None: it could not be done."""
    person = found.get("person") if isinstance(found, dict) else None
    return None if person is None else person_of(person)
