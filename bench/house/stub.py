"""A stub of Gmail, and of auth's internal calls: bytes prepared beforehand, sent at once.

It stands in where the emulator would be what is measured. Nobody's state is kept: an access
token is the connection's id, and that ends with how many messages the mailbox has (`mailbox_id`),
so that any number of mailboxes of any size are there. `python -m bench.house.stub PORT`.
"""

import asyncio
import sys
from base64 import urlsafe_b64encode
from datetime import timedelta
from typing import Protocol, cast
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import orjson
import uvloop

from bench.house.letters import FIRST, letter

LETTERS = 500
"""Different ones; a larger mailbox has them again."""
PAGE = 500
HISTORY_ID = 900_000
LABELS = (["INBOX", "UNREAD"], ["INBOX", "CATEGORY_UPDATES"], ["SENT"], ["INBOX", "IMPORTANT"])
HOST = "127.0.0.1"
FOREVER = "9000-01-01T00:00:00Z"


def mailbox_id(number: int, messages: int) -> UUID:
    """Return the id of the connection whose mailbox has so many messages."""
    return UUID(int=(number + 1) << 64 | messages)


def message_id(number: int) -> str:
    """Return Gmail's id of a message."""
    return f"{number + 1:016x}"


def response(body: bytes, status: str = "200 OK") -> bytes:
    """Return the bytes of a whole response."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=UTF-8\r\n"
    return f"{head}Vary: Origin\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _content(number: int) -> bytes:
    raw = letter(number)
    moment = FIRST + timedelta(minutes=number)
    fields = {
        "labelIds": LABELS[number % len(LABELS)],
        "snippet": f"Hello Alice, this is what letter {number} says &amp; asks, as far as a list "
        "of letters can show it to whoever looks at it in passing",
        "sizeEstimate": len(raw),
        "raw": urlsafe_b64encode(raw).decode(),
        "historyId": str(HISTORY_ID),
        "internalDate": str(int(moment.timestamp() * 1000)),
    }
    return orjson.dumps(fields)[1:]


class Stub:
    """Answers by path."""

    def __init__(self) -> None:
        self._contents = [_content(number) for number in range(LETTERS)]
        self._refusal = response(b'{"error": {"code": 404, "message": "no"}}', "404 Not Found")
        self._nobody = response(b'{"items": [], "next_cursor": null}')

    def answer(self, target: str, head: bytes, body: bytes) -> bytes:
        """Return the whole response to a request for `target`."""
        del body
        if target.startswith("/gmail/v1/users/me/messages/"):
            return self._message(target[28:44])
        url = urlsplit(target)
        if url.path == "/gmail/v1/users/me/messages":
            return self._list(url.query, head)
        if url.path == "/internal/v1/connections":
            return self._nobody
        if url.path.endswith("/token"):
            granted = {"access_token": url.path.split("/")[-2], "expires_at": FOREVER}
            return response(orjson.dumps(granted | {"scopes": []}))
        return self._refusal

    def _message(self, google_id: str) -> bytes:
        number = int(google_id, 16) - 1
        thread = message_id(number - number % 3)
        ids = f'{{"id":"{google_id}","threadId":"{thread}",'.encode()
        return response(ids + self._contents[number % LETTERS])

    def _list(self, query: str, head: bytes) -> bytes:
        owner = head.lower().partition(b"authorization: bearer ")[2].partition(b"\r\n")[0]
        messages = UUID(owner.decode()).int & 0xFFFFFFFF
        start = int(parse_qs(query).get("pageToken", ["0"])[0])
        end = min(start + PAGE, messages)
        listed = [{"id": message_id(number), "threadId": "1"} for number in range(start, end)]
        page: dict[str, object] = {"messages": listed, "resultSizeEstimate": messages}
        if end < messages:
            page["nextPageToken"] = str(end)
        return response(orjson.dumps(page))


class Answering(Protocol):
    """Whoever answers requests."""

    def answer(self, target: str, head: bytes, body: bytes) -> bytes:
        """Return the whole response to a request for `target`."""


class Door(asyncio.Protocol):
    """HTTP/1.1 as clients speak it: one request after the other, bodies with a length."""

    def __init__(self, stub: Answering) -> None:
        self._stub = stub
        self._held = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep where answers go."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._held += data
        while (end := self._held.find(b"\r\n\r\n")) >= 0:
            head = self._held[:end]
            length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or b"0")
            if len(self._held) < end + 4 + length:
                return
            body = self._held[end + 4 : end + 4 + length]
            self._held = self._held[end + 4 + length :]
            target = head.split(b" ", 2)[1].decode()
            if self._transport is not None:
                self._transport.write(self._stub.answer(target, head, body))


async def serve(stub: Answering, port: int) -> None:
    """Answer for ever."""
    server = await asyncio.get_running_loop().create_server(lambda: Door(stub), HOST, port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(Stub(), int(sys.argv[1])))
