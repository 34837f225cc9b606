"""The part that looks through events which are not published yet, or never could be."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import orjson

from libs.common.db import Connection
from libs.common.privacy.model import Person, Request, Step
from libs.common.scrubbing import MARK, Scrubber

AT_ONCE = 200

Event = Mapping[str, Any]
Stale = Callable[[Connection, Person, Sequence[Event]], Awaitable[Collection[str]]]
"""Returns the ids of those events of a person's tenant that tell of what was erased."""

FOUND = "unpublished events"
OF_A_USER = {
    "user_id": "erased",
    "owner_user_id": "erased",
    "created_by": "erased",
    "email": MARK,
    "reauthorize_url": "",
}
"""What stands in a user's events instead of what names them."""

LIST_WAITING = """
SELECT id, body FROM outbox WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE
"""
LIST_DEAD = """
SELECT id, body FROM outbox_dead WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE
"""
REWRITE_WAITING = "UPDATE outbox SET body = $2 WHERE id = $1"
REWRITE_DEAD = "UPDATE outbox_dead SET body = $2 WHERE id = $1"
DROP_WAITING = "DELETE FROM outbox WHERE id = $1"
DROP_DEAD = "DELETE FROM outbox_dead WHERE id = $1"


class OutgoingEvents:
    """Takes a person out of the outbox. What was published is the log's, until it is too old.

    Args:
        drops_users: events about a user go as a whole, since nobody may need them any more;
            otherwise only what names them goes.
        stale: names those that go though they do not mention the person.
    """

    name = "outbox"

    def __init__(self, *, drops_users: bool, stale: Stale | None = None) -> None:
        self._drops_users = drops_users
        self._stale = stale

    async def step(self, conn: Connection, request: Request, person: Person) -> Step:
        """Look through some rows of the outbox, then of those that never could be published."""
        place = request.place or {"table": "waiting", "after": 0}
        is_dead = place["table"] == "dead"
        rows = await conn.fetch(LIST_DEAD if is_dead else LIST_WAITING, place["after"], AT_ONCE)
        events = {
            row["id"]: event
            for row in rows
            if (event := _event(row["body"])) and event.get("tenantid") == person.tenant_id
        }
        changed = await self._changed(conn, person, events)
        for row_id, rest in changed.items() if request.erases else ():
            if rest is None:
                await conn.execute(DROP_DEAD if is_dead else DROP_WAITING, row_id)
            else:
                rewrite = REWRITE_DEAD if is_dead else REWRITE_WAITING
                await conn.execute(rewrite, row_id, orjson.dumps(rest))
        found = {FOUND: len(changed)} if changed else {}
        return Step(found=found, place=_next(place, rows))

    async def _changed(
        self, conn: Connection, person: Person, events: Mapping[int, Event]
    ) -> dict[int, Event | None]:
        """Return what becomes of those events that do not stay as they are."""
        scrubber = Scrubber(person.addresses)
        stale: Collection[str] = ()
        if self._stale and events:
            stale = await self._stale(conn, person, [*events.values()])
        changed: dict[int, Event | None] = {}
        for row_id, event in events.items():
            cleaned = None if event["id"] in stale else self._cleaned(event, person, scrubber)
            if cleaned != event:
                changed[row_id] = cleaned
        return changed

    def _cleaned(self, event: Event, person: Person, scrubber: Scrubber) -> Event | None:
        """Return the event without the person; None: it goes."""
        data = event.get("data")
        if person.user_id is not None and _is_about(data, person.user_id):
            if self._drops_users:
                return None
            return {**event, "data": _without_user(data)}
        cleaned: Event = scrubber.value(event)
        return cleaned


def _event(body: bytes) -> dict[str, Any] | None:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return value if isinstance(value, dict) else None


def _is_about(data: Any, user_id: str) -> bool:
    if not isinstance(data, dict):
        return False
    activity = data.get("activity")
    maker = activity.get("created_by") if isinstance(activity, dict) else None
    return user_id in (data.get("user_id"), data.get("owner_user_id"), maker)


def _without_user(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: OF_A_USER[key] if key in OF_A_USER and one is not None else _without_user(one)
            for key, one in value.items()
        }
    return [_without_user(one) for one in value] if isinstance(value, list) else value


def _next(place: Mapping[str, Any], rows: list[Any]) -> Mapping[str, Any] | None:
    if len(rows) == AT_ONCE:
        return {**place, "after": rows[-1]["id"]}
    return {"table": "dead", "after": 0} if place["table"] == "waiting" else None
