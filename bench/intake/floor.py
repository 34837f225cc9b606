"""The floor of taking pushes in: `python -m bench.intake.floor PORT DATABASE_URL KEY_FILE`.

What a careful programmer writes in an afternoon: aiohttp without middlewares or access log, PyJWT
with the key at hand, one UPDATE and commit per push, a pool without its reset query, uvloop.
"""

import base64
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import orjson
import uvloop
from aiohttp import web
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bench.intake.pushes import ACCOUNT, AUDIENCE, ISSUER, PATH

POOL_SIZE = 16
UPDATE = """
UPDATE mailboxes SET generation = generation + 1, touched_at = now() WHERE address = $1
"""
POOL: web.AppKey["asyncpg.Pool[asyncpg.Record]"] = web.AppKey("pool", asyncpg.Pool)
KEY: web.AppKey[Any] = web.AppKey("key", object)
BEARER = len("Bearer ")


async def receive(request: web.Request) -> web.Response:
    """Check the token, find the mailbox, write, answer."""
    token = request.headers["Authorization"][BEARER:]
    try:
        claims = jwt.decode(
            token, request.app[KEY], algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER
        )
    except jwt.PyJWTError:
        return web.Response(status=401)
    if claims["email"] != ACCOUNT or claims["email_verified"] is not True:
        return web.Response(status=401)
    message = orjson.loads(await request.read())["message"]
    address = orjson.loads(base64.b64decode(message["data"]))["emailAddress"].lower()
    await request.app[POOL].execute(UPDATE, address)
    return web.Response(status=204)


async def _no_reset(_connection: object) -> None:
    """Send nothing when a connection returns to the pool."""


def main(port: str, database_url: str, key_file: str) -> None:
    """Serve until SIGTERM."""

    async def pool(app: web.Application) -> AsyncIterator[None]:
        async with asyncpg.create_pool(
            database_url, min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_no_reset
        ) as opened:
            app[POOL] = opened
            yield

    app = web.Application()
    app[KEY] = load_pem_public_key(Path(key_file).read_bytes())
    app.cleanup_ctx.append(pool)
    app.router.add_post(PATH, receive)
    loop = uvloop.new_event_loop()
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=loop)


if __name__ == "__main__":
    main(*sys.argv[1:])
