"""A stub of Calendar, and of auth's internal calls: `python -m bench.calendar.stub PORT`.

It answers at once, from bytes that are made when a page is asked for the first time, where the
emulator would take its time. An access token is the connection's id, and that ends with how many
events its calendar has (`mailbox_id`). A calendar changes when it is told to (`/_change`): one
event of it is another then, which the sync token that was given before leads to. Calls of
Calendar are counted (`/_calls`).
"""

import sys
from collections import Counter
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson
import uvloop

from bench.calendar.agenda import event
from bench.house.stub import FOREVER, response, serve

EVENTS = "/calendar/v3/calendars/primary/events"


class Stub:
    """Answers by path."""

    def __init__(self) -> None:
        self._calls = 0
        self._changes = Counter[str]()

    def answer(self, target: str, head: bytes, body: bytes) -> bytes:
        """Return the whole response to a request for `target`."""
        del body
        url = urlsplit(target)
        if url.path == EVENTS:
            self._calls += 1
            owner = head.lower().partition(b"authorization: bearer ")[2].partition(b"\r\n")[0]
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            return self._list(owner.decode(), query)
        if url.path == "/internal/v1/connections":
            return response(b'{"items": [], "next_cursor": null}')
        if url.path.endswith("/token"):
            granted = {"access_token": url.path.split("/")[-2], "expires_at": FOREVER}
            return response(orjson.dumps(granted | {"scopes": []}))
        if url.path == "/_calls":
            return response(orjson.dumps(self._calls))
        if url.path.startswith("/_change/"):
            self._changes[url.path.rpartition("/")[2]] += 1
            return response(b"{}")
        return response(b'{"error": {"code": 404, "message": "no"}}', "404 Not Found")

    def _list(self, owner: str, query: dict[str, str]) -> bytes:
        size = int(query.get("maxResults", "250"))
        if "syncToken" in query:
            known, now = int(query["syncToken"]), self._changes[owner]
            items = [
                event(change, mark=owner, version=change) for change in range(known + 1, now + 1)
            ]
            return response(_page(items, {"nextSyncToken": str(now)}))
        return _first_page(owner, int(query.get("pageToken", "0")), size)


@lru_cache(maxsize=1_000)
def _first_page(owner: str, start: int, size: int) -> bytes:
    count = UUID(owner).int & 0xFFFFFFFF
    end = min(start + size, count)
    more = {"nextPageToken": str(end)} if end < count else {"nextSyncToken": "0"}
    return response(_page([event(number, mark=owner) for number in range(start, end)], more))


def _page(items: list[dict[str, object]], more: dict[str, str]) -> bytes:
    head = {
        "kind": "calendar#events",
        "etag": '"p33"',
        "summary": "alice@example.com",
        "updated": "2026-11-20T10:11:12.123Z",
        "timeZone": "Europe/Paris",
        "accessRole": "owner",
        "defaultReminders": [{"method": "popup", "minutes": 10}],
    }
    return orjson.dumps(head | more | {"items": items})


if __name__ == "__main__":
    uvloop.run(serve(Stub(), int(sys.argv[1])))
