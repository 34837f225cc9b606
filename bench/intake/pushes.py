"""Pushes as Pub/Sub sends them, signed and spelled out before any clock starts."""

import base64
import json
import secrets
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import jwt
from cryptography.hazmat.primitives import serialization

from emulator.keys import SigningKey, signing_key

PATH = "/webhooks/google/gmail"
AUDIENCE = "https://causeway.example/webhooks/google/gmail"
ACCOUNT = "gmail-push@bench.iam.gserviceaccount.com"
ISSUER = "https://accounts.google.com"
SUBSCRIPTION = "projects/bench/subscriptions/gmail"
TOKEN_LIFE_S = 3600
LENGTH_BYTES = 4
AGENT = "APIs-Google; (+https://developers.google.com/webmasters/APIs-Google.html)"


@dataclass(frozen=True)
class Pushes:
    """Makes requests; every token names the one key."""

    key: SigningKey = field(default_factory=lambda: signing_key("google"))

    def token(self) -> str:
        """Return a token like no other before."""
        now = int(time.time())
        claims = {
            "aud": AUDIENCE,
            "azp": str(secrets.randbits(64)),
            "email": ACCOUNT,
            "email_verified": True,
            "exp": now + TOKEN_LIFE_S,
            "iat": now,
            "iss": ISSUER,
            "sub": "112233445566778899001",
        }
        return jwt.encode(
            claims, self.key.private, algorithm="RS256", headers={"kid": self.key.kid}
        )

    def tokens(self, count: int) -> list[str]:
        """Return so many different tokens (about 1 ms each)."""
        return [self.token() for _ in range(count)]

    def public_pem(self) -> bytes:
        """Return the public half of the key."""
        return self.key.private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def certificates(self) -> bytes:
        """Return the document that /oauth2/v1/certs answers."""
        return json.dumps({self.key.kid: self.key.certificate_pem}).encode()


def address(number: int) -> str:
    """Return the mailbox of that number."""
    return f"person.{number:07d}@customer.example"


def request(token: str, number: int) -> bytes:
    """Return one push for the mailbox `number`, as it goes over the wire."""
    notice = json.dumps({"emailAddress": address(number), "historyId": 9_876_543_210 + number})
    moment = "2026-11-22T12:00:00.123Z"
    identity = str(11_000_000_000_000_000 + secrets.randbits(40))
    message = {
        "data": base64.b64encode(notice.encode()).decode(),
        "messageId": identity,
        "message_id": identity,
        "publishTime": moment,
        "publish_time": moment,
    }
    body = json.dumps({"message": message, "subscription": SUBSCRIPTION}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: causeway.example\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: {len(body)}\r\n"
        f"Accept: application/json\r\nAccept-Encoding: gzip,deflate,br\r\n"
        f"From: noreply@google.com\r\nUser-Agent: {AGENT}\r\n\r\n"
    )
    return head.encode() + body


def write(path: Path, requests: Iterable[bytes]) -> None:
    """Write requests to a file for the load generator."""
    with path.open("wb") as file:
        for one in requests:
            file.write(len(one).to_bytes(LENGTH_BYTES, "big"))
            file.write(one)


def read(path: Path) -> Iterator[bytes]:
    """Yield what `write` wrote."""
    content, at = path.read_bytes(), 0
    while at < len(content):
        length = int.from_bytes(content[at : at + LENGTH_BYTES], "big")
        at += LENGTH_BYTES
        yield content[at : at + length]
        at += length
