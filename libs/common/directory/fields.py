"""The fields of an entity as it comes in, from a call or an event: checked and folded."""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field

from libs.common.addresses import fold_address, is_address
from libs.common.directory.model import Entity
from libs.common.fields import plain_id, plain_text

MOST_EMAILS = 50
MOST_PHONES = 50
LONGEST_ID = 128
LONGEST_VERSION = 2**63 - 1
TYPE_PATTERN = r"^[a-z][a-z0-9_]{0,31}$"
TYPE = re.compile(TYPE_PATTERN)


def _type(value: str) -> str:
    if not TYPE.fullmatch(value) or value.endswith("\n"):
        raise ValueError("must be lower-case letters, digits and underscores, a letter first")
    return value


def _email(value: str) -> str:
    folded = fold_address(value)
    if not is_address(folded):
        raise ValueError("must be an e-mail address")
    return folded


def _each_once(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted(set(values)))


EntityType = Annotated[str, Field(max_length=32), AfterValidator(_type)]
EntityId = Annotated[str, Field(min_length=1, max_length=LONGEST_ID), AfterValidator(plain_id)]
Version = Annotated[int, Field(ge=1, le=LONGEST_VERSION, strict=True)]
Name = Annotated[str, Field(max_length=500), AfterValidator(plain_text)]
Email = Annotated[str, Field(max_length=1000), AfterValidator(_email)]
Emails = Annotated[tuple[Email, ...], Field(max_length=MOST_EMAILS), AfterValidator(_each_once)]
Phone = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(plain_text)]
Phones = Annotated[tuple[Phone, ...], Field(max_length=MOST_PHONES)]
UserId = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(plain_text)]


class EntityFields(BaseModel):
    """What is known of an entity besides which one it is."""

    version: Version = Field(description="Rises with every change; an older one changes nothing")
    name: Name = ""
    emails: Emails = Field(default=(), description="Whose mail concerns the entity")
    phones: Phones = ()
    owner_user_id: UserId | None = None

    def entity(self, entity_type: str, entity_id: str) -> Entity:
        """Return the entity these are the fields of."""
        return Entity(
            entity_type=entity_type,
            entity_id=entity_id,
            version=self.version,
            name=self.name,
            emails=self.emails,
            phones=self.phones,
            owner_user_id=self.owner_user_id,
        )
