"""Page and sync tokens: opaque, and bound to the query they belong to.

Source: https://developers.google.com/workspace/calendar/api/guides/sync
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from emulator.calendar.errors import bad_request, full_sync_required, invalid
from emulator.changelog import ChangeLog

Json = dict[str, Any]

NOT_WITH_SYNC_TOKEN: Final = (
    "iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin",
    "timeMax", "updatedMin",
)  # fmt: skip
"""Parameters of `events.list` that a sync token excludes."""
FREE: Final = frozenset({"maxResults", "pageToken", "syncToken", "showDeleted", "showHidden"})
"""Parameters that may differ between a first and a later synchronisation."""


@dataclass(frozen=True, slots=True)
class Page:
    """Where a listing stands.

    Attributes:
        position: what the listing counts by.
        within: how many instances of the series at `position` were given out.
        revision: what the sync token at the end of the listing will continue from.
        is_blank: whether the page before came without items, to be followed by one that has some.
    """

    position: int = 0
    within: int = 0
    revision: int = 0
    is_blank: bool = False


def page_token(page: Page, mark: str) -> str:
    """Return the token of a page of the query with that mark."""
    return _packed(["p", mark, page.position, page.within, page.revision, int(page.is_blank)])


def read_page(token: str | None, mark: str, first: Page) -> Page:
    """Return where a page starts: at `first` without a token.

    Raises:
        ApiError: 400; the token is not of this query.
    """
    if not token:
        return first
    match _unpacked(token):
        case ["p", found, int(position), int(within), int(revision), int(blank)] if found == mark:
            return Page(position, within, revision, bool(blank))
    raise invalid("Invalid page token value.", parameter="pageToken")


def sync_token(log: ChangeLog, revision: int, *, place: str, query: str, now_s: float) -> str:
    """Return the token that a later synchronisation continues from.

    Args:
        log: the changes that it counts by.
        revision: the change that was seen last.
        place: mark of whose view of which collection it is.
        query: mark of the parameters that have to stay the same.
        now_s: when it is given out.
    """
    return _packed(["s", place, query, min(revision, log.revision), int(now_s)])


def read_sync(token: str, log: ChangeLog, *, place: str, query: str, oldest_s: float) -> int:
    """Return the revision that a sync token continues from.

    Raises:
        ApiError: 410; it is no token of this collection, or too old. 400; the other parameters
            are not those of the first synchronisation.
    """
    match _unpacked(token):
        case ["s", found, given, int(revision), int(made_s)] if found == place:
            if made_s < oldest_s or not log.knows(revision):
                raise full_sync_required()
            if given != query:
                raise bad_request(
                    "The parameters differ from those that the sync token was given for.",
                    parameter="syncToken",
                )
            return revision
    raise full_sync_required()


def refuse_mixed(query: Mapping[str, Any], excluded: tuple[str, ...]) -> None:
    """Raise Google's 400 for a parameter that cannot stand beside a sync token."""
    for name in excluded:
        if name in query:
            message = f"Sync token cannot be combined with the parameter {name}."
            raise bad_request(message, parameter=name)
    for name in ("showDeleted", "showHidden"):
        if query.get(name) is False:
            message = f"Sync token cannot be combined with {name}=false."
            raise bad_request(message, parameter=name)


def mark(*values: Any) -> str:
    """Return a short digest of whatever a token is bound to."""
    return hashlib.sha256(json.dumps(values, default=str, sort_keys=True).encode()).hexdigest()[:12]


def kept(query: Mapping[str, Any]) -> Json:
    """Return the parameters that have to stay the same from one synchronisation to the next."""
    return {
        name: value
        for name, value in query.items()
        if name not in FREE and name not in NOT_WITH_SYNC_TOKEN
    }


def size(wanted: int | None, *, default: int, most: int) -> int:
    """Return the page size that is served.

    Raises:
        ApiError: 400; less than one is wanted.
    """
    if wanted is None:
        return default
    if wanted < 1:
        message = f"Invalid value '{wanted}'. Values must be within the range: [1, {most}]"
        raise invalid(message, parameter="maxResults")
    return min(wanted, most)


def _packed(values: list[Any]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(token: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, RecursionError):
        return None
