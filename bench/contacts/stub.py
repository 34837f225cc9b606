"""A stub of the People API, and of auth's internal calls: `python -m bench.contacts.stub PORT`.

It answers at once, from bytes that are made when a page is asked for the first time, where the
emulator would take its time. An access token is the connection's id, and that ends with how many
people its address book has (`mailbox_id`). An address book changes when it is told to
(`/_change`): one person of it is another then, which the sync token that was given before leads
to, as it does to those who are created. Calls are counted by path (`/_calls`).
"""

import sys
from collections import Counter, defaultdict
from functools import lru_cache
from typing import Any
from urllib.parse import SplitResult, parse_qs, urlsplit
from uuid import UUID

import orjson
import uvloop

from bench.contacts.book import contact, labels
from bench.house.stub import FOREVER, response, serve

PEOPLE, LABELS = "/v1/people/me/connections", "/v1/contactGroups"
CREATE = "/v1/people:batchCreateContacts"
NEW = 9_000_000_000
"""The number of the first who is created."""


class Stub:
    """Answers by path."""

    def __init__(self) -> None:
        self._calls = Counter[str]()
        self._log = defaultdict[str, list[dict[str, Any]]](list)
        """Who changed or was created, by address book; a sync token is a place in it."""

    def answer(self, target: str, head: bytes, body: bytes) -> bytes:
        """Return the whole response to a request for `target`."""
        url = urlsplit(target)
        if url.path == "/internal/v1/connections":
            return response(b'{"items": [], "next_cursor": null}')
        if url.path.endswith("/token"):
            granted = {"access_token": url.path.split("/")[-2], "expires_at": FOREVER}
            return response(orjson.dumps(granted | {"scopes": []}))
        if url.path == "/_calls":
            return response(orjson.dumps(self._calls))
        if url.path.startswith("/_change/"):
            log = self._log[url.path.rpartition("/")[2]]
            log.append(contact(len(log) + 1, version=len(log) + 1))
            return response(b"{}")
        return self._google(url, head, body)

    def _google(self, url: SplitResult, head: bytes, body: bytes) -> bytes:
        self._calls[url.path] += 1
        owner = head.lower().partition(b"authorization: bearer ")[2].partition(b"\r\n")[0].decode()
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if url.path == PEOPLE:
            return self._people(owner, query)
        if url.path == LABELS:
            return _labels(query)
        if url.path == CREATE:
            return self._create(owner, orjson.loads(body))
        return response(b'{"error": {"code": 404, "message": "no"}}', "404 Not Found")

    def _people(self, owner: str, query: dict[str, str]) -> bytes:
        size, page = int(query.get("pageSize", "100")), query.get("pageToken", "")
        if "syncToken" not in query:
            return _page(int(page or "0"), size, UUID(owner).int & 0xFFFFFFFF)
        log, start = self._log[owner], int(page or query["syncToken"])
        end = min(start + size, len(log))
        more = {"nextPageToken": str(end)} if end < len(log) else {"nextSyncToken": str(end)}
        return response(orjson.dumps({"connections": log[start:end], **more}))

    def _create(self, owner: str, wanted: Any) -> bytes:
        log, made = self._log[owner], []
        for one in wanted["contacts"]:
            person = _created(one["contactPerson"], len(log))
            log.append(person)
            made.append({"httpStatusCode": 200, "person": person, "status": {}})
        return response(orjson.dumps({"createdPeople": made}))


def _created(body: dict[str, Any], number: int) -> dict[str, Any]:
    """Return a person as Google has them who was created like this."""
    head = contact(NEW + number)
    metadata = {name: head[name] for name in ("resourceName", "etag", "metadata", "memberships")}
    about = head["names"][0]["metadata"]
    fields = {
        name: [{**one, "metadata": {**one.get("metadata", {}), **about}} for one in items]
        for name, items in body.items()
    }
    return {**metadata, **fields}


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
