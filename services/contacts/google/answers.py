"""People's answers, checked: JSON in, the domain's values out."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, TypeVar

import structlog
from pydantic import TypeAdapter, ValidationError
from pydantic.alias_generators import to_snake

from libs.common.google.answers import next_page, parsed, places_of
from libs.common.google.wire import AnswerUnreadable
from services.contacts.domain.card import Address, Card, Email, Phone, Url
from services.contacts.domain.items import led
from services.contacts.domain.label import Label, LabelKind
from services.contacts.domain.person import Person
from services.contacts.google.bodies import ADDRESS_PARTS, JOB_PARTS, NAME_PARTS, OURS
from services.contacts.google.models import (
    CONTACT,
    AddressAnswer,
    BirthdayAnswer,
    GroupAnswer,
    GroupsAnswer,
    Item,
    NameAnswer,
    PairAnswer,
    PeopleAnswer,
    PersonAnswer,
    PersonResponses,
)

log = structlog.get_logger(__name__)

KEPT: Final = (
    "names",
    "emailAddresses",
    "phoneNumbers",
    "addresses",
    "organizations",
    "birthdays",
    "biographies",
    "urls",
    "userDefined",
    "clientData",
)
"""Fields of a person that are written back, and therefore kept as Google has them."""
PERSON_FIELDS: Final = ",".join((*KEPT, "memberships", "metadata"))
GROUP_FIELDS: Final = "name,groupType,memberCount,metadata"
LONGEST_NAME: Final = 256
MONTHS: Final = 12
DAYS: Final = 31
GONE: Final = 404

PERSON = TypeAdapter(PersonAnswer)
GROUP = TypeAdapter(GroupAnswer)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An item of a page that makes no sense; the page has others."""

    resource: str | None
    """None: not even its name can be read."""
    places: tuple[str, ...]
    """What was wrong; never with what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeoplePage:
    """A page of an address book."""

    people: tuple[Person, ...]
    unreadable: tuple[Unreadable, ...]
    next_page_token: str | None
    next_sync_token: str | None
    """Only on the last page."""
    total: int | None
    """People in the address book; only in lists of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelsPage:
    """A page of labels."""

    labels: tuple[Label, ...]
    unreadable: tuple[Unreadable, ...]
    next_page_token: str | None
    next_sync_token: str | None
    """Only on the last page."""


def people_page(answer: Any, *, after: str | None = None) -> PeoplePage:
    """Return a page of people; one who cannot be read does not lose the others.

    Args:
        answer: what people.connections.list said.
        after: the token that the page was asked for with.

    Raises:
        AnswerUnreadable: it is no page.
    """
    page = parsed(PeopleAnswer, answer)
    found = [_person_or_not(one) for one in page.connections]
    return PeoplePage(
        people=tuple(one for one in found if isinstance(one, Person)),
        unreadable=tuple(one for one in found if isinstance(one, Unreadable)),
        next_page_token=next_page(page.next_page_token, after=after),
        next_sync_token=page.next_sync_token or None,
        total=page.total_items,
    )


def person_of(answer: Any) -> Person:
    """Return a person as the domain's value.

    Args:
        answer: what people.get, createContact or updateContact said.

    Raises:
        AnswerUnreadable: it is none.
    """
    found = _person_or_not(answer)
    if isinstance(found, Unreadable):
        log.warning("google_answer_unreadable", model="PersonAnswer", places=list(found.places))
        raise AnswerUnreadable("Google's answer is not readable.")
    return found


def people_of(answer: Any) -> dict[str, Person | None]:
    """Return people by the name they were asked for with; None: there is no such one.

    Args:
        answer: what people.getBatchGet said. Whoever is not readable or could not be read now is
            left out.

    Raises:
        AnswerUnreadable: it is none.
    """
    found: dict[str, Person | None] = {}
    for one in parsed(PersonResponses, answer).responses:
        if one.http_status_code == GONE or (one.person is None and not one.http_status_code):
            found[one.requested_resource_name] = None
            continue
        person = _person_or_not(one.person)
        if isinstance(person, Person):
            found[one.requested_resource_name] = None if person.is_deleted else person
    return found


def labels_page(answer: Any, *, after: str | None = None) -> LabelsPage:
    """Return a page of labels; one that cannot be read does not lose the others.

    Raises:
        AnswerUnreadable: it is no page.
    """
    page = parsed(GroupsAnswer, answer)
    found = [_label_or_not(one) for one in page.contact_groups]
    return LabelsPage(
        labels=tuple(one for one in found if isinstance(one, Label)),
        unreadable=tuple(one for one in found if isinstance(one, Unreadable)),
        next_page_token=next_page(page.next_page_token, after=after),
        next_sync_token=page.next_sync_token or None,
    )


def label_of(answer: Any) -> Label:
    """Return a label as the domain's value.

    Args:
        answer: what contactGroups.get, create or update said.

    Raises:
        AnswerUnreadable: it is none.
    """
    found = _label_or_not(answer)
    if isinstance(found, Unreadable):
        log.warning("google_answer_unreadable", model="GroupAnswer", places=list(found.places))
        raise AnswerUnreadable("Google's answer is not readable.")
    return found


def our_ids(items: Mapping[str, Any]) -> tuple[str, ...]:
    """Return what was written into a person's `clientData` as the ids of contacts, by any tenant.

    Args:
        items: a person's fields as Google has them.
    """
    marks = (one for one in items.get("clientData", ()) if one.get("key") == OURS)
    return tuple(dict.fromkeys(value for one in marks if (value := one.get("value"))))


def _person_or_not(item: Any) -> Person | Unreadable:
    try:
        answer = PERSON.validate_python(item)
    except ValidationError as exc:
        return _unreadable(item, places_of(exc))
    contact = next((one for one in answer.metadata.sources if one.type == CONTACT), None)
    kept: dict[str, Any] = {name: item[name] for name in KEPT if item.get(name)}
    if sources := item.get("metadata", {}).get("sources"):
        kept["metadata"] = {"sources": sources}
    groups = (one.contact_group_membership for one in answer.memberships)
    return Person(
        resource=answer.resource_name,
        etag=answer.etag,
        updated_at=None if contact is None else contact.update_time,
        card=Card() if answer.metadata.deleted else card_of(answer),
        items=kept,
        groups=tuple(sorted({name for one in groups if (name := one.contact_group_resource_name)})),
        former=answer.metadata.previous_resource_names,
        our_ids=our_ids(kept),
        is_deleted=answer.metadata.deleted,
    )


def card_of(answer: PersonAnswer) -> Card:
    """Return what a person's own note of somebody says; of fields with one text the main item."""
    given: dict[str, str] = {}
    if (name := _main(answer.names)) is not None:
        given |= _name(name)
    if (job := _main(answer.organizations)) is not None:
        given |= _JOB(job)
    if (birthday := _main(answer.birthdays)) is not None:
        given["birthday"] = _birthday(birthday)
    if (notes := _main(answer.biographies)) is not None:
        given["notes"] = notes.value
    return Card(
        **given,
        emails=led(
            [
                Email(address=one.value, type=one.type, primary=one.metadata.primary)
                for one in _own(answer.email_addresses)
                if one.value.strip()
            ]
        ),
        phones=led(
            [
                Phone(number=one.value, type=one.type, primary=one.metadata.primary)
                for one in _own(answer.phone_numbers)
                if one.value.strip()
            ]
        ),
        addresses=led([made for one in _own(answer.addresses) if (made := _address(one))]),
        urls=led(
            [
                Url(value=one.value, type=one.type, primary=one.metadata.primary)
                for one in _own(answer.urls)
                if one.value.strip()
            ]
        ),
        custom=_custom(answer.user_defined),
    )


I = TypeVar("I", bound=Item)  # noqa: E741 - an item


def _own(items: Sequence[I]) -> list[I]:
    """Return the items of the contact itself: those of a profile are the other person's."""
    return [one for one in items if one.metadata.source.type == CONTACT]


def _main(items: Sequence[I]) -> I | None:
    own = _own(items)
    return next((one for one in own if one.metadata.primary), own[0] if own else None)


def _reader(parts: Mapping[str, str]) -> Callable[[Item], dict[str, str]]:
    """Return what reads parts of an item, by our names for Google's."""
    values = attrgetter(*map(to_snake, parts.values()))
    return lambda item: dict(zip(parts, values(item), strict=True))


_NAME: Final = _reader(NAME_PARTS)
_JOB: Final = _reader(JOB_PARTS)
_ADDRESS: Final = _reader(ADDRESS_PARTS)


def _name(item: NameAnswer) -> dict[str, str]:
    parts = _NAME(item)
    if not any(parts.values()):
        parts["given_name"] = item.unstructured_name
    return parts


def _birthday(item: BirthdayAnswer) -> str:
    day = item.day
    if day is None or not (1 <= day.month <= MONTHS and 1 <= day.day <= DAYS):
        return item.text
    year = f"{day.year:04}" if day.year else "-"
    return f"{year}-{day.month:02}-{day.day:02}"


def _address(item: AddressAnswer) -> Address | None:
    """Return an address; what Google made of it as a whole is its street if there is no more."""
    parts = _ADDRESS(item)
    if not any(parts.values()):
        parts["street"] = item.formatted_value
    if not any(parts.values()):
        return None
    return Address(**parts, type=item.type, primary=item.metadata.primary)


def _custom(items: Iterable[PairAnswer]) -> dict[str, str]:
    """Return the person's own fields; of several under one key the first."""
    found: dict[str, str] = {}
    for one in items:
        if one.key and one.value and one.metadata.source.type == CONTACT:
            found.setdefault(one.key, one.value)
    return found


def _label_or_not(item: Any) -> Label | Unreadable:
    try:
        answer = GROUP.validate_python(item)
    except ValidationError as exc:
        return _unreadable(item, places_of(exc))
    is_own = answer.group_type != "SYSTEM_CONTACT_GROUP"
    return Label(
        resource=answer.resource_name,
        etag=answer.etag,
        name=answer.name.strip(),
        kind=LabelKind.USER if is_own else LabelKind.SYSTEM,
        updated_at=answer.metadata.update_time,
        members=answer.member_count,
        is_deleted=answer.metadata.deleted,
    )


def _unreadable(item: Any, places: Iterable[str]) -> Unreadable:
    name = item.get("resourceName") if isinstance(item, dict) else None
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME:
        return Unreadable(None, tuple(places))
    return Unreadable(name, tuple(places))
