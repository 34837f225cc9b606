"""A stub of the People API, and of auth's internal calls: `python -m bench.contacts.stub PORT`.

It answers at once, from bytes that are made when a page is asked for the first time, where the
emulator would take its time. An access token is the connection's id, and that ends with how many
people its address book has (`mailbox_id`). An address book changes when it is told to
(`/_change`): one person of it is another then, which the sync token that was given before leads
to. Calls are counted (`/_calls`), those of labels for themselves.
"""

import sys
from collections import Counter
from functools import lru_cache
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson
import uvloop

from bench.contacts.book import contact, labels
from bench.house.stub import FOREVER, response, serve

PEOPLE, LABELS = "/v1/people/me/connections", "/v1/contactGroups"


class Stub:
    """Answers by path."""

    def __init__(self) -> None:
        self._calls = Counter[str]()
        self._changes = Counter[str]()

    def answer(self, target: str, head: bytes) -> bytes:
        """Return the whole response to a request for `target`."""
        url = urlsplit(target)
        if url.path in (PEOPLE, LABELS):
            self._calls[url.path] += 1
            owner = head.lower().partition(b"authorization: bearer ")[2].partition(b"\r\n")[0]
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            return self._people(owner.decode(), query) if url.path == PEOPLE else _labels(query)
        if url.path == "/internal/v1/connections":
            return response(b'{"items": [], "next_cursor": null}')
        if url.path.endswith("/token"):
            granted = {"access_token": url.path.split("/")[-2], "expires_at": FOREVER}
            return response(orjson.dumps(granted | {"scopes": []}))
        if url.path == "/_calls":
            return response(orjson.dumps({PEOPLE: 0, LABELS: 0, **self._calls}))
        if url.path.startswith("/_change/"):
            self._changes[url.path.rpartition("/")[2]] += 1
            return response(b"{}")
        return response(b'{"error": {"code": 404, "message": "no"}}', "404 Not Found")

    def _people(self, owner: str, query: dict[str, str]) -> bytes:
        if "syncToken" in query:
            known, now = int(query["syncToken"]), self._changes[owner]
            people = [contact(one, version=one) for one in range(known + 1, now + 1)]
            return response(orjson.dumps({"connections": people, "nextSyncToken": str(now)}))
        count, size = UUID(owner).int & 0xFFFFFFFF, int(query.get("pageSize", "100"))
        return _page(int(query.get("pageToken", "0")), size, count)


@lru_cache(maxsize=1_000)
def _page(start: int, size: int, count: int) -> bytes:
    end = min(start + size, count)
    more = {"nextPageToken": str(end)} if end < count else {"nextSyncToken": "0"}
    people = [contact(number) for number in range(start, end)]
    counts = {"totalPeople": count, "totalItems": count}
    return response(orjson.dumps({"connections": people, **more, **counts}))


def _labels(query: dict[str, str]) -> bytes:
    found = [] if "syncToken" in query else labels()
    return response(orjson.dumps({"contactGroups": found, "nextSyncToken": "0"}))


if __name__ == "__main__":
    uvloop.run(serve(Stub(), int(sys.argv[1])))
