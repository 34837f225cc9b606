"""Whether Google may be asked on behalf of a connection, and what the caller hears if not."""

from typing import TypeVar

from libs.common.connections.model import Access, Connected, State
from libs.common.errors import Conflict, Forbidden

C = TypeVar("C", bound=Connected)


def readable(connection: C | None) -> C:
    """Return the connection, which can be read now.

    Raises:
        Conflict: `not-connected`, `reauthorization-required` or `connection-disabled`.
    """
    if connection is None or connection.state is State.DISCONNECTED:
        raise Conflict("The account is not connected.", slug="not-connected")
    if connection.state is State.REAUTHORIZATION_REQUIRED:
        raise revoked(connection)
    if connection.state is State.DISABLED:
        raise Conflict("The connection is switched off.", slug="connection-disabled")
    return connection


def writable(connection: C | None) -> C:
    """Return the connection, on whose behalf Google can be changed now.

    Raises:
        Conflict: as `readable`, or `connection-paused`: nothing goes out before it is resumed.
        Forbidden: `read-only-connection`: the person granted reading only.
    """
    found = readable(connection)
    if found.is_paused:
        raise Conflict("The connection is paused.", slug="connection-paused")
    if found.access is not Access.WRITE:
        raise Forbidden("The connection may only read.", slug="read-only-connection")
    return found


def revoked(connection: Connected) -> Conflict:
    """Return the error that says where the person gives access again."""
    known = (
        {} if connection.reauthorize_url is None else {"connect_url": connection.reauthorize_url}
    )
    return Conflict(
        "The person has to give access again.", slug="reauthorization-required", **known
    )
