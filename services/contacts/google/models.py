"""The shapes of People's answers, as far as they concern us."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from libs.common.moments import Moment

CONTACT = "CONTACT"
"""The type of the source that holds what a person noted of another; it alone can be written."""

Name = Annotated[str, Field(pattern=r"^people/[!-.0-~]+$", max_length=256)]
GroupName = Annotated[str, Field(pattern=r"^contactGroups/[!-.0-~]+$", max_length=256)]


class Answer(BaseModel):
    """A part of an answer, its names in Google's writing.

    Frozen, and without lists: what is absent is one value for all then, not a copy for each.
    """

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)


class SourceAnswer(Answer):
    """Where something of a person is from."""

    type: str = CONTACT
    id: str = ""
    etag: str = ""
    update_time: Moment | None = None


class FieldMetadata(Answer):
    """What is known of an item of a field."""

    primary: bool = False
    source: SourceAnswer = SourceAnswer()


class Item(Answer):
    """An item of a field."""

    metadata: FieldMetadata = FieldMetadata()


class NameAnswer(Item):
    """A name, in its parts."""

    honorific_prefix: str = ""
    given_name: str = ""
    middle_name: str = ""
    family_name: str = ""
    honorific_suffix: str = ""
    unstructured_name: str = ""


class TypedAnswer(Item):
    """A value of some type: an e-mail address, a number, a page, a biography."""

    value: str = ""
    type: str = ""


class AddressAnswer(Item):
    """A postal address."""

    street_address: str = ""
    extended_address: str = ""
    po_box: str = ""
    postal_code: str = ""
    city: str = ""
    region: str = ""
    country: str = ""
    country_code: str = ""
    formatted_value: str = ""
    type: str = ""


class OrganizationAnswer(Item):
    """Where somebody works."""

    name: str = ""
    title: str = ""
    department: str = ""


class DateAnswer(Answer):
    """A day, or a part of one."""

    year: int = 0
    month: int = 0
    day: int = 0


class BirthdayAnswer(Item):
    """A birthday, as a day or as it was typed."""

    day: DateAnswer | None = Field(default=None, alias="date")
    text: str = ""


class PairAnswer(Item):
    """A value under a key."""

    key: str = ""
    value: str = ""


class GroupMembershipAnswer(Answer):
    """A group somebody is in."""

    contact_group_resource_name: GroupName | None = None


class MembershipAnswer(Item):
    """A membership; of a domain it has no group."""

    contact_group_membership: GroupMembershipAnswer = GroupMembershipAnswer()


class PersonMetadata(Answer):
    """What is known of a person."""

    sources: tuple[SourceAnswer, ...] = ()
    previous_resource_names: tuple[Name, ...] = ()
    deleted: bool = False


class PersonAnswer(Answer):
    """A person; of a deleted one nothing but the name is certain.

    Source: https://developers.google.com/people/api/rest/v1/people#Person
    """

    resource_name: Name
    etag: str = ""
    metadata: PersonMetadata = PersonMetadata()
    names: tuple[NameAnswer, ...] = ()
    email_addresses: tuple[TypedAnswer, ...] = ()
    phone_numbers: tuple[TypedAnswer, ...] = ()
    addresses: tuple[AddressAnswer, ...] = ()
    organizations: tuple[OrganizationAnswer, ...] = ()
    birthdays: tuple[BirthdayAnswer, ...] = ()
    biographies: tuple[TypedAnswer, ...] = ()
    urls: tuple[TypedAnswer, ...] = ()
    user_defined: tuple[PairAnswer, ...] = ()
    client_data: tuple[PairAnswer, ...] = ()
    memberships: tuple[MembershipAnswer, ...] = ()


class PeopleAnswer(Answer):
    """people.connections.list; each person is read for itself."""

    connections: list[Any] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None
    total_items: int | None = None


class PersonResponse(Answer):
    """One of people.getBatchGet; the person is read for itself."""

    requested_resource_name: str = ""
    http_status_code: int = 0
    person: Any = None


class PersonResponses(Answer):
    """people.getBatchGet."""

    responses: list[PersonResponse] = []


class GroupMetadata(Answer):
    """What is known of a group."""

    update_time: Moment | None = None
    deleted: bool = False


class GroupAnswer(Answer):
    """A label, or one of Google's own groups.

    Source: https://developers.google.com/people/api/rest/v1/contactGroups#ContactGroup
    """

    resource_name: GroupName
    etag: str = ""
    name: str = ""
    group_type: str = ""
    member_count: int = 0
    metadata: GroupMetadata = GroupMetadata()


class GroupsAnswer(Answer):
    """contactGroups.list; each group is read for itself."""

    contact_groups: list[Any] = []
    next_page_token: str | None = None
    next_sync_token: str | None = None
