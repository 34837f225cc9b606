"""Pages of a list and what changed since: the rules of the People API's tokens.

Source: https://developers.google.com/people/api/rest/v1/people.connections/list
"""

import base64
import hashlib
import json
from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, Generic

from emulator.contacts.errors import invalid, parameters_differ, sync_token_expired
from emulator.contacts.view import T, View
from emulator.rest.call import Call

ASCENDING: Final = "LAST_MODIFIED_ASCENDING"
DESCENDING: Final = "LAST_MODIFIED_DESCENDING"
_FREE: Final = frozenset({"pageToken", "syncToken", "requestSyncToken"})

Position = list[Any]


@dataclass(frozen=True, slots=True)
class Listing:
    """What is asked for.

    Attributes:
        place: whose list of what it is.
        size: of a page.
        mask: what is shown; a later call has to ask for the same.
        gives_token: whether the last page comes with a sync token.
        order: of a full list.
        by: what orders that are not of time sort by.
    """

    place: str
    size: int
    mask: frozenset[str]
    gives_token: bool
    order: str = ASCENDING
    by: Callable[[Any], str] = str


@dataclass(slots=True)
class Feed(Generic[T]):
    """One page. `is_sync`: of what changed since a token, not of everything."""

    is_sync: bool
    items: list[T] = field(default_factory=list)
    tokens: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Start:
    """Where a page begins.

    Attributes:
        since: the revision after which changes are shown; None for everything.
        revision: what the sync token at the end will continue from.
        full_s: when the full list was asked for, from which its tokens age.
        after: the place of the last item of the page before.
    """

    since: int | None
    revision: int
    full_s: int
    after: Position


def read(call: Call, view: View[T], wanted: Listing) -> Feed[T]:
    """Return one page of everything, or of what changed since a sync token.

    Raises:
        ApiError: 400; a token is not of this list, or was given for other parameters, or is too
            old (see the switch `contact_sync_expiry`).
    """
    mark = _mark(call, wanted)
    start = _start(call, view, wanted, mark)
    found = list(islice(_after(view, wanted, start), wanted.size + 1))
    feed: Feed[T] = Feed(start.since is not None, [item for _, item in found[: wanted.size]])
    if len(found) > wanted.size:
        after = found[wanted.size - 1][0]
        values = ["p", mark, call.query.get("syncToken"), start.since, start.revision,
                  start.full_s, after]  # fmt: skip
        feed.tokens["nextPageToken"] = _packed(values)
    elif wanted.gives_token:
        revision = start.revision if start.since is None else view.log.revision
        feed.tokens["nextSyncToken"] = _packed(["s", mark, revision, start.full_s])
    return feed


def size(wanted: int | None, *, default: int, most: int = 1000) -> int:
    """Return the page size that is served; 0 stands for the default.

    Raises:
        ApiError: 400; it is out of range.
    """
    if not wanted:
        return default
    if not 1 <= wanted <= most:
        raise invalid(f"Page size must be between 1 and {most}.")
    return wanted


def _start(call: Call, view: View[T], wanted: Listing, mark: list[str]) -> _Start:
    token, sync = call.query.get("pageToken"), call.query.get("syncToken")
    if token:
        match _unpacked(token):
            case ["p", found, of, since, int(revision), int(full_s), list(after)]:
                _check_mark(found, mark, "page token")
                if of != sync:
                    raise parameters_differ("page token")
                return _Start(since, revision, full_s, after)
        raise invalid("Invalid page token.")
    if sync:
        since, full_s = _read_sync(call, view, sync, mark)
        return _Start(since, since, full_s, [since])
    now_s = int(call.world.clock.now_s())
    first: Position = [] if wanted.order != ASCENDING else [0]
    return _Start(None, view.log.revision, now_s, first)


def _read_sync(call: Call, view: View[T], token: str, mark: list[str]) -> tuple[int, int]:
    match _unpacked(token):
        case ["s", found, int(revision), int(full_s)]:
            switches = call.world.switches
            oldest_s = call.world.clock.now_s() - switches.contact_sync_token_ttl_s
            is_mine = isinstance(found, list) and found[:1] == mark[:1]
            if is_mine and (full_s < oldest_s or not view.log.knows(revision)):
                raise sync_token_expired(switches.contact_sync_expiry)
            _check_mark(found, mark, "sync token")
            return revision, full_s
    raise invalid("Invalid sync token.")


def _after(view: View[T], wanted: Listing, start: _Start) -> Iterator[tuple[Position, T]]:
    """Yield what follows the page before, each with its place."""
    if start.since is not None:
        for revision, key in view.log.since(start.after[0]):
            yield [revision], view.states[key]
    elif wanted.order == ASCENDING:
        for revision, key in view.log.since(start.after[0]):
            if not view.states[key].is_deleted:
                yield [revision], view.states[key]
    else:
        yield from _sorted(view, wanted, start)


def _sorted(view: View[T], wanted: Listing, start: _Start) -> Iterator[tuple[Position, T]]:
    """Yield everything in an order of its own; it is made once for each state of the list."""
    places = view.ordered(wanted.order, lambda: _places(view, wanted))
    first = bisect_right(places, tuple(start.after)) if start.after else 0
    for place in islice(places, first, None):
        yield list(place), view.states[place[1]]


def _places(view: View[T], wanted: Listing) -> list[tuple[Any, str]]:
    """Return sort key and key of everything, sorted."""
    found: list[tuple[Any, str]]
    if wanted.order == DESCENDING:
        found = [(-revision, key) for revision, key in view.log.since(0)]
    else:
        found = [(wanted.by(state), key) for key, state in view.states.items()]
    return sorted(place for place in found if not view.states[place[1]].is_deleted)


def _mark(call: Call, wanted: Listing) -> list[str]:
    """Return digests of whose list it is and of what has to stay the same."""
    kept = {name: value for name, value in call.query.items() if name not in _FREE}
    for name in ("personFields", "readMask", "groupFields", "requestMask.includeField"):
        kept.pop(name, None)
    query = json.dumps([kept, sorted(wanted.mask)], sort_keys=True, default=str)
    return [hashlib.sha256(text.encode()).hexdigest()[:12] for text in (wanted.place, query)]


def _check_mark(found: Any, mark: list[str], kind: str) -> None:
    if not isinstance(found, list) or found[:1] != mark[:1]:
        raise invalid(f"Invalid {kind}.")
    if found != mark:
        raise parameters_differ(kind)


def _packed(values: list[Any]) -> str:
    text = json.dumps(values, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _unpacked(token: str) -> Any:
    try:
        return json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (ValueError, RecursionError):
        return None
