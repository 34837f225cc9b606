"""What is read of an address book."""

from collections.abc import Sequence
from typing import Any, Final

from services.contacts.domain.person import Person
from services.contacts.google.answers import (
    GROUP_FIELDS,
    PERSON_FIELDS,
    LabelsPage,
    PeoplePage,
    labels_page,
    people_of,
    people_page,
    person_of,
)
from services.contacts.google.base import PeopleApi

PAGE: Final = 1000
MOST_ASKED: Final = 200
"""People of one getBatchGet."""
SOURCES: Final = "READ_SOURCE_TYPE_CONTACT"
"""Of a person we want what was noted of them: what their own profile says is not ours to write."""


class ReadingBox(PeopleApi):
    """Reads people and labels."""

    async def list_people(
        self, *, sync_token: str | None, page_token: str | None, to_follow: bool = True
    ) -> PeoplePage:
        """Return a page of the address book: everybody, or whoever changed.

        Args:
            sync_token: whoever changed since it was given; None: everybody.
            page_token: of the page before.
            to_follow: the last page is to have a sync token; a list of everybody costs more then.

        Raises:
            CursorExpired: Google no longer knows the sync token.
            RequestRefused: it does not know the page token (or a sync token of another query).
        Source: https://developers.google.com/people/api/rest/v1/people.connections/list
        """
        request = self._api.connections.list(
            resourceName="people/me",
            pageSize=PAGE,
            personFields=PERSON_FIELDS,
            sources=SOURCES,
            requestSyncToken=to_follow,
            **_given(syncToken=sync_token, pageToken=page_token),
        )
        return people_page(await self._execute(request), after=page_token)

    async def get_person(self, resource: str) -> Person | None:
        """Return a person as they are now, whatever lists show; None: there is no such one.

        The answer may have another resource name, if the asked one leads there.

        Source: https://developers.google.com/people/api/rest/v1/people/get
        """
        request = self._api.people.get(
            resourceName=resource, personFields=PERSON_FIELDS, sources=SOURCES
        )
        answer = await self._absent_is_none(request)
        person = None if answer is None else person_of(answer)
        return None if person is None or person.is_deleted else person

    async def get_people(self, resources: Sequence[str]) -> dict[str, Person | None]:
        """Return up to 200 people by the names they are asked for with; None: no such one.

        Whoever cannot be read now is left out.

        Source: https://developers.google.com/people/api/rest/v1/people/getBatchGet
        """
        request = self._api.people.getBatchGet(
            resourceNames=list(resources), personFields=PERSON_FIELDS, sources=SOURCES
        )
        return people_of(await self._execute(request))

    async def list_labels(self, *, sync_token: str | None, page_token: str | None) -> LabelsPage:
        """Return a page of the person's labels and Google's own groups: all, or what changed.

        Raises:
            CursorExpired: Google no longer knows the sync token.
            RequestRefused: it does not know the page token.
        Source: https://developers.google.com/people/api/rest/v1/contactGroups/list
        """
        request = self._api.groups.list(
            pageSize=PAGE,
            groupFields=GROUP_FIELDS,
            **_given(syncToken=sync_token, pageToken=page_token),
        )
        return labels_page(await self._execute(request), after=page_token)


def _given(**params: str | None) -> dict[str, Any]:
    return {name: value for name, value in params.items() if value is not None}
