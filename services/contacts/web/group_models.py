"""What goes in and out over HTTP of groups."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from libs.common.directory.fields import UserId
from libs.common.fields import plain_text
from libs.common.pagination import Page, PageQuery

LONGEST_NAME = 200
MOST_MEMBERS = 500
"""In one call."""


def _one_line(value: str) -> str:
    trimmed = plain_text(value).strip()
    if not trimmed or not trimmed.isprintable():
        raise ValueError("must be one line of text")
    return trimmed


GroupName = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_one_line)]


class _In(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GroupIn(_In):
    """A group to make."""

    name: GroupName
    owner_user_id: UserId | None = Field(
        default=None, description="Whose it is; a service has to say, a user's is their own"
    )


class GroupChange(_In):
    """Another name of a group."""

    name: GroupName


class MembersChange(_In):
    """Who joins a group, and who leaves it."""

    add: list[UUID] = Field(default=[], max_length=MOST_MEMBERS)
    remove: list[UUID] = Field(default=[], max_length=MOST_MEMBERS)

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if not self.add and not self.remove:
            raise ValueError("must change something")
        if {*self.add} & {*self.remove}:
            raise ValueError("add and remove must not name the same contact")
        return self


class GroupOut(BaseModel):
    """A group of contacts; a person's own, as labels are at Google."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    name: str
    owner_user_id: str
    version: int
    members: int = Field(description="How many contacts are in it")
    created_at: datetime
    updated_at: datetime


GroupPage = Page[GroupOut]


class GroupsQuery(PageQuery):
    """Whose groups."""

    owner_user_id: UserId | None = Field(default=None, description="Only of this user")


class GroupPosition(BaseModel):
    """Where a group stands in a list in the order in which they were made."""

    id: UUID
