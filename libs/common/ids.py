"""Identifiers that sort by the time they were made."""

from uuid import UUID

from uuid_utils import uuid7 as native_uuid7
from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Return a new UUIDv7: unique, and later ones sort after earlier ones.

    Source: https://www.rfc-editor.org/rfc/rfc9562#section-5.7
    """
    return uuid7()


def new_text_id() -> str:
    """Return what `str(new_id())` would, without the object in between."""
    return str(native_uuid7())
