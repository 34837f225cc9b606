"""`Idempotency-Key`: a repeated request is answered again, and done once.

`claim` and `keep` run in the handler's own transaction, so the key, the effect and the
answer are committed together or not at all. A twin that arrives meanwhile waits in
`claim` until the first has ended, then gets its answer.

The answer may hold what only the caller should see (a link with a ticket), so it is
encrypted under a key made from the `Idempotency-Key`, of which only a hash is stored: the
table alone tells nothing, as far as callers' keys are hard to guess.
Source: https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
"""

import hashlib
import os
from dataclasses import dataclass
from datetime import datetime

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common import clock
from libs.common.db import Connection
from libs.common.errors import Conflict, InvalidInput
from libs.common.web import caller

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEPT_HEADERS = ("Content-Type", "Location", "ETag")
MAX_KEY = 255
NONCE_BYTES = 12

CLAIM = """
INSERT INTO idempotency_keys (tenant_id, scope, request_hash, created_at)
VALUES ($1, $2, $3, $4)
ON CONFLICT (tenant_id, scope) DO NOTHING
RETURNING true
"""

FIND = """
SELECT request_hash, answer FROM idempotency_keys WHERE tenant_id = $1 AND scope = $2
"""

KEEP = """
UPDATE idempotency_keys SET answer = $3 WHERE tenant_id = $1 AND scope = $2
"""

PURGE = """
DELETE FROM idempotency_keys
 WHERE (tenant_id, scope) IN (
       SELECT tenant_id, scope FROM idempotency_keys
        WHERE created_at < $1
        ORDER BY created_at
        LIMIT $2)
"""


@dataclass(frozen=True)
class _Claim:
    """What a request's key stands for: one caller, one operation, one key."""

    tenant_id: str
    scope: bytes
    seal: AESGCM


async def claim(conn: Connection, request: web.Request, body: bytes) -> web.Response | None:
    """Return the answer already given under this request's key; None when the work is ours.

    Without the header there is nothing to do: None. After None the handler must `keep` its
    answer in the same transaction.

    Args:
        conn: inside the handler's transaction, at read committed.
        request: of a route with a caller; the key's scope is tenant, caller, method, path.
        body: as received; the same key with another body or query is a mistake.

    Raises:
        InvalidInput: field `Idempotency-Key`: empty, too long, or not printable ASCII.
        Conflict: `idempotency-key-reused`, for another request than the first.
    """
    mine = _claim_of(request)
    if mine is None:
        return None
    hashed = _hash("request", request.rel_url.raw_query_string.encode(), body)
    if await conn.fetchval(CLAIM, mine.tenant_id, mine.scope, hashed, clock.now()):
        return None
    answered = await _answered(conn, mine, hashed)
    if answered is None:  # purged meanwhile, or never kept
        raise Conflict("The first request has no answer yet.", slug="idempotency-key-in-use")
    return answered


async def replay(conn: Connection, request: web.Request, body: bytes) -> web.Response | None:
    """Return the answer already given under this request's key; None: there is none yet.

    For a handler that has much to do before it can `claim`: it need not do it twice.

    Raises:
        InvalidInput, Conflict: as `claim`.
    """
    mine = _claim_of(request)
    if mine is None:
        return None
    hashed = _hash("request", request.rel_url.raw_query_string.encode(), body)
    return await _answered(conn, mine, hashed)


async def _answered(conn: Connection, mine: _Claim, hashed: bytes) -> web.Response | None:
    row = await conn.fetchrow(FIND, mine.tenant_id, mine.scope)
    if row is None or row["answer"] is None:
        return None
    if row["request_hash"] != hashed:
        raise Conflict("This key was used for a different request.", slug="idempotency-key-reused")
    return _opened(mine, row["answer"])


async def keep(conn: Connection, request: web.Request, response: web.Response) -> None:
    """Remember `response` for the request's key; without the header, nothing happens.

    Call it last in the transaction that called `claim`.
    """
    mine = _claim_of(request)
    if mine is not None:
        await conn.execute(KEEP, mine.tenant_id, mine.scope, _sealed(mine, response))


async def purge(conn: Connection, *, before: datetime, limit: int = 1000) -> int:
    """Forget up to `limit` keys older than `before`; return how many were."""
    done = await conn.execute(PURGE, before, limit)
    return int(done.rpartition(" ")[2])


def _claim_of(request: web.Request) -> _Claim | None:
    keys = request.headers.getall(HEADER, [])
    if not keys:
        return None
    key = keys[0]
    if len(keys) > 1:
        raise InvalidInput.field(HEADER, "must be given once")
    if not 0 < len(key) <= MAX_KEY or not (key.isascii() and key.isprintable()):
        raise InvalidInput.field(HEADER, f"must be 1 to {MAX_KEY} printable ASCII characters")
    who = caller(request)
    parts = tuple(
        part.encode()
        for part in (who.tenant_id, who.kind, who.subject, request.method, request.path, key)
    )
    return _Claim(who.tenant_id, _hash("scope", *parts), AESGCM(_hash("seal", *parts)))


def _hash(purpose: str, *parts: bytes) -> bytes:
    """Return SHA-256 over parts whose borders cannot be moved."""
    digest = hashlib.sha256()
    for part in (purpose.encode(), *parts):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def _sealed(mine: _Claim, response: web.Response) -> bytes:
    headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
    head = orjson.dumps({"status": response.status, "headers": headers})
    body = response.body if isinstance(response.body, bytes | bytearray) else b""
    nonce = os.urandom(NONCE_BYTES)
    return nonce + mine.seal.encrypt(nonce, head + b"\n" + body, mine.scope)


def _opened(mine: _Claim, answer: bytes) -> web.Response:
    plain = mine.seal.decrypt(answer[:NONCE_BYTES], answer[NONCE_BYTES:], mine.scope)
    head, _, body = plain.partition(b"\n")
    facts = orjson.loads(head)
    headers = {**facts["headers"], REPLAYED: "true"}
    return web.Response(status=facts["status"], headers=headers, body=body)
