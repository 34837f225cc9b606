"""What goes in and out over HTTP of contacts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from libs.common.addresses import LONGEST_ADDRESS, is_address
from libs.common.directory.fields import EntityId, UserId
from libs.common.errors import InvalidInput
from libs.common.fields import plain_text
from libs.common.pagination import Page, PageQuery
from services.contacts.domain.card import LISTS, SINGLE, Address, Card, Email, Url
from services.contacts.domain.contact import Contact
from services.contacts.domain.items import led_card
from services.contacts.domain.person import Link
from services.contacts.domain.phones import phone_of

LONGEST_TEXT = 1_024
LONGEST_NOTES = 65_536
"""What Google takes."""
LONGEST_TYPE = 100
LONGEST_CUSTOM_NAME = 100
LONGEST_QUERY = 200
MOST_ITEMS = 100
"""Of each list; Google lists no more of a person."""
MOST_CUSTOM = 100
LAST_VERSION = 2**63 - 1


def _trimmed(value: str) -> str:
    return plain_text(value).strip()


def _said(value: str) -> str:
    trimmed = _trimmed(value)
    if not trimmed:
        raise ValueError("must not be empty")
    return trimmed


Text = Annotated[str, Field(max_length=LONGEST_TEXT), AfterValidator(_trimmed)]
Said = Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT), AfterValidator(_said)]
Notes = Annotated[str, Field(max_length=LONGEST_NOTES), AfterValidator(plain_text)]
Kind = Annotated[str, Field(max_length=LONGEST_TYPE), AfterValidator(_trimmed)]
CustomName = Annotated[
    str, Field(min_length=1, max_length=LONGEST_CUSTOM_NAME), AfterValidator(_said)
]


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class _ItemIn(_In):
    type: Kind = Field(
        default="", description="`home`, `work`, `mobile`, or a word of the person's own"
    )
    primary: bool = Field(default=False, description="Of one at most; without any, the first")


class EmailIn(_ItemIn):
    """An e-mail address, as it is typed; one that could be none is kept, and flagged."""

    address: Annotated[str, Field(min_length=1, max_length=LONGEST_ADDRESS), AfterValidator(_said)]


class PhoneIn(_ItemIn):
    """A number, as it is typed; one that cannot be understood is kept, and flagged."""

    number: Said
    e164: Annotated[str, Field(max_length=LONGEST_TYPE)] | None = Field(
        default=None, description="As it was answered; it is worked out anew from `number`"
    )


class AddressIn(_ItemIn):
    """A postal address by its parts."""

    street: Text = ""
    extended: Text = ""
    po_box: Text = ""
    postal_code: Text = ""
    city: Text = ""
    region: Text = ""
    country: Text = ""
    country_code: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = Field(
        default="", description="ISO 3166-1 alpha-2"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(self.model_dump(exclude={"type", "primary"}).values()):
            raise ValueError("must have a part")
        return self


class UrlIn(_ItemIn):
    """A page of the person's."""

    value: Said


def _one_primary(items: list[Any] | None) -> list[Any] | None:
    if sum(one.primary for one in items or ()) > 1:
        raise ValueError("must have one primary item at most")
    return items


Custom = Annotated[dict[CustomName, Text | None], Field(max_length=MOST_CUSTOM)]


class ContactFields(_In):
    """What is known of a person; null, or an empty text or list, is nothing."""

    prefix: Text | None = None
    given_name: Text | None = None
    middle_name: Text | None = None
    family_name: Text | None = None
    suffix: Text | None = None
    organization: Text | None = None
    title: Text | None = Field(default=None, description="What they are there")
    department: Text | None = None
    birthday: Text | None = Field(
        default=None, description="`1980-05-02`, or `--05-02` without a year; else as typed"
    )
    notes: Notes | None = None
    emails: Annotated[
        list[EmailIn] | None, Field(max_length=MOST_ITEMS), AfterValidator(_one_primary)
    ] = None
    phones: Annotated[
        list[PhoneIn] | None, Field(max_length=MOST_ITEMS), AfterValidator(_one_primary)
    ] = None
    addresses: Annotated[
        list[AddressIn] | None, Field(max_length=MOST_ITEMS), AfterValidator(_one_primary)
    ] = None
    urls: Annotated[
        list[UrlIn] | None, Field(max_length=MOST_ITEMS), AfterValidator(_one_primary)
    ] = None
    custom: Custom | None = Field(
        default=None, description="The tenant's own fields, by name; null removes one"
    )

    def card(self, before: Card, *, region: str) -> Card:
        """Return a card after what is said here; what is not, stays.

        Args:
            before: what is known until now.
            region: where numbers without a country code are from.

        Raises:
            InvalidInput: names `custom`: there would be too many.
        """
        given: dict[str, Any] = before_parts(before)
        for name in self.model_fields_set & {*SINGLE}:
            given[name] = getattr(self, name) or ""
        for name in self.model_fields_set & {*LISTS}:
            items: Sequence[Any] = getattr(self, name) or ()
            given[name] = tuple(_item(one, region) for one in items)
        if "custom" in self.model_fields_set:
            given["custom"] = _custom(before.custom, self.custom)
        return led_card(Card(**given))


def before_parts(card: Card) -> dict[str, Any]:
    """Return a card's fields by name."""
    return {name: getattr(card, name) for name in (*SINGLE, *LISTS, "custom")}


def _custom(before: Mapping[str, str], changes: Mapping[str, str | None] | None) -> dict[str, str]:
    if changes is None:
        return {}
    after: dict[str, str | None] = {**before, **changes}
    kept = {name: value for name, value in after.items() if value}
    if len(kept) > max(MOST_CUSTOM, len(before)):
        raise InvalidInput.field("custom", f"would have more than {MOST_CUSTOM} fields")
    return kept


def _item(one: EmailIn | PhoneIn | AddressIn | UrlIn, region: str) -> Any:
    if isinstance(one, PhoneIn):
        return phone_of(one.number, region, kind=one.type, primary=one.primary)
    made = {EmailIn: Email, AddressIn: Address, UrlIn: Url}[type(one)]
    return made(**one.model_dump())


class NewContactIn(ContactFields):
    """A contact to make."""

    owner_user_id: UserId | None = Field(
        default=None,
        description="Whose it is. A user makes their own; without it a service makes the tenant's",
    )
    entity_id: EntityId | None = Field(
        default=None, description="The CRM's own id of it; with one, the whole tenant sees it"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self.card(Card(), region="ZZ") == Card():
            raise ValueError("must say something of a person")
        return self


class ContactChange(ContactFields):
    """What changes of a contact: lists as a whole, the tenant's own fields one by one."""

    owner_user_id: UserId | None = Field(default=None, description="Only services give it away")
    entity_id: EntityId | None = Field(
        default=None, description="The CRM's own id of it, once; it is the same for ever"
    )
    version: Annotated[int, Field(ge=1, le=LAST_VERSION)] | None = Field(
        default=None, description="Only if it is still this one"
    )

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set - {"version"}:
            raise ValueError("must change something")
        return self


class EmailOut(BaseModel):
    """An e-mail address, as typed."""

    model_config = ConfigDict(from_attributes=True)

    address: str
    type: str
    primary: bool


class PhoneOut(BaseModel):
    """A number."""

    model_config = ConfigDict(from_attributes=True)

    number: str = Field(description="As typed")
    e164: str | None = Field(description="Null: it is not understood")
    type: str
    primary: bool


class AddressOut(BaseModel):
    """A postal address by its parts."""

    model_config = ConfigDict(from_attributes=True)

    street: str
    extended: str
    po_box: str
    postal_code: str
    city: str
    region: str
    country: str
    country_code: str
    type: str
    primary: bool


class UrlOut(BaseModel):
    """A page of the person's."""

    model_config = ConfigDict(from_attributes=True)

    value: str
    type: str
    primary: bool


class LinkOut(BaseModel):
    """Where a contact is at Google."""

    model_config = ConfigDict(from_attributes=True)

    connection_id: UUID
    resource: str


class FieldProblemOut(BaseModel):
    """What is kept as it is typed, though it cannot be used."""

    field: str = Field(description="Such as `emails[0].address`")
    detail: str


class ContactOut(BaseModel):
    """A contact."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    entity_id: str | None = Field(description="The CRM's own id of it")
    owner_user_id: str | None
    visible_to: Literal["tenant", "owner"]
    version: int = Field(description="Rises with every change; the ETag")
    name: str = Field(description="What it is shown as: by name, organization, address or number")
    prefix: str
    given_name: str
    middle_name: str
    family_name: str
    suffix: str
    organization: str
    title: str
    department: str
    birthday: str
    notes: str
    emails: list[EmailOut]
    phones: list[PhoneOut]
    addresses: list[AddressOut]
    urls: list[UrlOut]
    custom: dict[str, str]
    groups: list[UUID] = Field(description="Of a user: their own")
    links: list[LinkOut] = Field(description="The people it is at Google; of a user: in their own")
    problems: list[FieldProblemOut]
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, contact: Contact, *, groups: frozenset[UUID], links: Sequence[Link]) -> Self:
        """Return a contact as the API shows it."""
        card = contact.card
        return cls.model_validate(
            {
                **before_parts(card),
                "id": contact.id,
                "entity_id": contact.entity_id,
                "owner_user_id": contact.owner_user_id,
                "visible_to": "owner" if contact.is_private else "tenant",
                "version": contact.version,
                "name": card.shown_name,
                "groups": sorted(groups),
                "links": links,
                "problems": problems(card),
                "created_at": contact.created_at,
                "updated_at": contact.updated_at,
            }
        )


def problems(card: Card) -> list[FieldProblemOut]:
    """Return what of a card is kept as typed, but is no address and no number."""
    emails = [
        FieldProblemOut(field=f"emails[{place}].address", detail="is no e-mail address")
        for place, one in enumerate(card.emails)
        if not is_address(one.address)
    ]
    phones = [
        FieldProblemOut(field=f"phones[{place}].number", detail="is no number of one person")
        for place, one in enumerate(card.phones)
        if one.e164 is None
    ]
    return [*emails, *phones]


ContactPage = Page[ContactOut]


class ContactsQuery(PageQuery):
    """Which contacts."""

    group_id: UUID | None = Field(default=None, description="Only members of this group")
    q: Annotated[str, Field(max_length=LONGEST_QUERY)] | None = Field(
        default=None,
        description="Words that all are in the name, organization, title, addresses or numbers",
    )


class ContactPosition(BaseModel):
    """Where a contact stands in a list in the order in which they were made."""

    id: UUID


class DeletionQuery(_In):
    """How a contact is deleted."""

    from_google: bool = Field(
        default=False,
        description="It goes from the caller's own address book, too, whoever put it there",
    )
    version: Annotated[int, Field(ge=1, le=LAST_VERSION)] | None = Field(
        default=None, description="Only if it is still this one"
    )


class MergeIn(_In):
    """Which contact another one becomes a part of."""

    into: UUID
