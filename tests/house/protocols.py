"""Reading protocols as they go by: where a message ends, and which ones have an effect.

Each reader takes the bytes of one direction and gives them back in pieces; a piece that begins
an effect, or brings its answer, carries a label. Holding that piece back keeps the effect from
happening (sent) or from being known (got).
"""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from pamqp.commands import INDEX_MAPPING

Piece = tuple[bytes, str | None, str]
"""Bytes, the label if it counts, and the kind."""

SSL_REQUEST, CANCEL_REQUEST = 80877103, 80877102
PREFACE = b"AMQP\x00\x00\x09\x01"
METHOD = 1
IDENTITY = re.compile(r"/(?=[^/]*\d)[^/]{6,}(?=/|$)")
TARGET = {
    "INSERT": re.compile(r"INSERT INTO (\w+)", re.IGNORECASE),
    "UPDATE": re.compile(r"(?<!FOR )UPDATE (\w+)", re.IGNORECASE),
    "DELETE": re.compile(r"DELETE FROM (\w+)", re.IGNORECASE),
}


class Reader(Protocol):
    """One direction of one connection."""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield all complete pieces, in order; every byte comes out once, perhaps later."""
        ...


@dataclass
class PostgresTalk:
    """What both directions of one connection know.

    Source: https://www.postgresql.org/docs/current/protocol-message-formats.html
    """

    statements: dict[bytes, str] = field(default_factory=dict)
    portals: dict[bytes, str] = field(default_factory=dict)
    current: str = "connect"
    asked_for_ssl: bool = False


class PostgresRequests:
    """From a client: a query, or the Sync that ends an extended one, is an effect."""

    def __init__(self, talk: PostgresTalk) -> None:
        self._talk = talk
        self._rest = b""
        self._started = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """See `Reader`."""
        self._rest += data
        while (size := self._next()) is not None:
            piece, self._rest = self._rest[:size], self._rest[size:]
            yield self._read(piece)

    def _next(self) -> int | None:
        head = 1 if self._started else 0
        if len(self._rest) < head + 4:
            return None
        size = head + int(struct.unpack_from("!I", self._rest, head)[0])
        return size if len(self._rest) >= size else None

    def _read(self, piece: bytes) -> Piece:
        talk = self._talk
        if not self._started:
            (code,) = struct.unpack_from("!I", piece, 4)
            if code == SSL_REQUEST:
                talk.asked_for_ssl = True
                return piece, None, ""
            self._started = True
            return piece, None, ""
        kind, body = piece[:1], piece[5:]
        if kind == b"P":
            name, _, rest = body.partition(b"\0")
            talk.statements[name] = rest.partition(b"\0")[0].decode()
        elif kind == b"B":
            portal, _, rest = body.partition(b"\0")
            talk.current = talk.portals[portal] = talk.statements.get(
                rest.partition(b"\0")[0], "unknown"
            )
        elif kind == b"Q":
            talk.current = body.rstrip(b"\0").decode()
            return piece, *named(talk.current)
        elif kind == b"S":
            return piece, *named(talk.current)
        return piece, None, ""


class PostgresAnswers:
    """From the server: ReadyForQuery says that an effect is done."""

    def __init__(self, talk: PostgresTalk) -> None:
        self._talk = talk
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Piece]:
        """See `Reader`."""
        self._rest += data
        if self._talk.asked_for_ssl and self._rest:
            self._talk.asked_for_ssl = False
            piece, self._rest = self._rest[:1], self._rest[1:]
            yield piece, None, ""
        while len(self._rest) >= 5:
            size = 1 + int(struct.unpack_from("!I", self._rest, 1)[0])
            if len(self._rest) < size:
                return
            piece, self._rest = self._rest[:size], self._rest[size:]
            match piece[:1]:
                case b"Z":
                    yield piece, *named(self._talk.current)
                case b"A":
                    yield piece, "NOTIFY", "notify"
                case _:
                    yield piece, None, ""


def named(sql: str) -> tuple[str, str]:
    """Return a statement's label (verb and table) and its kind."""
    text = " ".join(line.partition("--")[0] for line in sql.splitlines()).strip().rstrip(";")
    verb = text.partition(" ")[0].upper()
    if verb in {"COMMIT", "BEGIN", "ROLLBACK"}:
        return verb, "commit" if verb == "COMMIT" else "read"
    for name, pattern in TARGET.items():
        if found := pattern.search(text):
            return f"{name} {found[1]}", "write"
    source = re.search(r"\bFROM (\w+)", text)
    return (f"{verb} {source[1]}" if source else verb[:20] or "empty"), "read"


class Amqp:
    """AMQP frames of one direction: publishes, deliveries, acknowledgements.

    Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf section 2.3
    """

    def __init__(self) -> None:
        self._rest = b""
        self._begun = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """See `Reader`."""
        self._rest += data
        if not self._begun and len(self._rest) >= len(PREFACE):
            self._begun = True
            if self._rest.startswith(b"AMQP"):
                piece, self._rest = self._rest[: len(PREFACE)], self._rest[len(PREFACE) :]
                yield piece, None, ""
        while self._begun and len(self._rest) >= 8:
            kind, _channel, size = struct.unpack_from("!BHI", self._rest)
            whole = 7 + size + 1
            if len(self._rest) < whole:
                return
            piece, self._rest = self._rest[:whole], self._rest[whole:]
            yield piece, *self._label(kind, piece)

    def _label(self, kind: int, piece: bytes) -> tuple[str | None, str]:
        if kind != METHOD:
            return None, ""
        (index,) = struct.unpack_from("!I", piece, 7)
        name = str(getattr(INDEX_MAPPING.get(index), "name", f"method {index}"))
        if name.startswith("Basic."):
            return name, name.partition(".")[2].lower()
        return name, "setup"


@dataclass
class HttpTalk:
    """What both directions of one HTTP/1.1 connection know: whose turn it is."""

    label: str = ""
    answering: bool = False


class HttpRequests:
    """From a client that asks one thing at a time: the beginning of each request counts."""

    def __init__(self, talk: HttpTalk) -> None:
        self._talk = talk
        self._asking = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """See `Reader`."""
        if self._asking and not self._talk.answering:
            yield data, None, ""
            return
        self._asking, self._talk.answering = True, False
        line = data.partition(b"\r\n")[0].decode("latin-1").split(" ")
        path = line[1].partition("?")[0] if len(line) > 1 else ""
        self._talk.label = f"{line[0]} {IDENTITY.sub('/{id}', path)}"
        yield data, self._talk.label, "request"


class HttpAnswers:
    """From the server: the beginning of each answer counts."""

    def __init__(self, talk: HttpTalk) -> None:
        self._talk = talk

    def feed(self, data: bytes) -> Iterator[Piece]:
        """See `Reader`."""
        if self._talk.answering:
            yield data, None, ""
            return
        self._talk.answering = True
        yield data, self._talk.label, "answer"
