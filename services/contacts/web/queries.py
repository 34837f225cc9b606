"""Queries that several handlers have in common."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class ConnectionQuery(BaseModel):
    """Whose address book."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    connection_id: UUID | None = Field(
        default=None, description="Whose address book; not needed where there is only one"
    )
