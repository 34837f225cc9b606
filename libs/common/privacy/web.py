"""The endpoints on one person's data, the same in every service, below a prefix of its own."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import orjson
import structlog
from aiohttp import hdrs, web
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from libs.common import clock, db, idempotency
from libs.common.addresses import fold_address, is_address
from libs.common.db import POOL, transaction
from libs.common.errors import AppError, Conflict, InvalidInput, NotFound, Transient
from libs.common.privacy import store
from libs.common.privacy.model import Desk, Kind, Person, Record, State
from libs.common.waiting import LONGEST_WAIT_S, WaitQuery, wait_until
from libs.common.web import Access, Route, caller, path_uuid, read_body, read_query, reply
from libs.common.web.requests import read_bytes

DESK = web.AppKey("privacy_desk", Desk)

MOST_ADDRESSES = 50
LONGEST_ADDRESS = 254
"""Source: RFC 5321 section 4.5.3.1.3"""
MAX_BODY = 16_384
WAIT_TIMEOUT_S = LONGEST_WAIT_S + 10.0
EXPORT_S = 6 * 3600.0
"""How long an export may take to send; it is read page by page, each in its own transaction."""
NDJSON = "application/x-ndjson"
BROKEN_OFF: tuple[type[Exception], ...] = (AppError, *db.FAILURES, ConnectionError)

log = structlog.stdlib.get_logger(__name__)


def _address(value: str) -> str:
    folded = fold_address(value)
    if not is_address(folded):
        raise ValueError("must be an e-mail address")
    return folded


Address = Annotated[str, Field(max_length=LONGEST_ADDRESS), AfterValidator(_address)]


class PersonIn(BaseModel):
    """Whose data: a user, a correspondent, or both in one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    user_id: str | None = Field(
        default=None, min_length=1, max_length=255, description="A user of the tenant"
    )
    addresses: list[Address] = Field(
        default=[],
        max_length=MOST_ADDRESSES,
        description="All e-mail addresses of somebody the tenant corresponds with",
    )

    @model_validator(mode="after")
    def _names_somebody(self) -> "PersonIn":
        if self.user_id is None and not self.addresses:
            raise ValueError("needs a user_id or addresses")
        return self

    def of(self, tenant_id: str) -> Person:
        """Return the person within the tenant."""
        addresses = tuple(sorted(set(self.addresses)))
        return Person(tenant_id=tenant_id, user_id=self.user_id, addresses=addresses)


class ErasureIn(PersonIn):
    """Whose data to erase."""

    dry_run: bool = Field(default=False, description="Only count what would be erased")


class ErasureOut(BaseModel):
    """How far an erasure is. Whose it is stays with whoever asked."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    kind: Kind = Field(description="`count`: a dry run")
    state: State
    reason: str | None = Field(description="Why it failed, or why its last step did")
    part: str | None = Field(description="What it is at")
    found: dict[str, int] = Field(description="How many records of which kind, so far")
    notes: list[str] = Field(description="What a person has to know or do")
    created_at: datetime
    finished_at: datetime | None


async def export(request: web.Request) -> web.StreamResponse:
    """POST .../privacy/exports: all that is held, one JSON object a line, as it is read.

    The last line is `{"end": ...}` with the number of records: without it, something is missing.
    """
    who = caller(request)
    person = (await read_body(request, PersonIn)).of(who.tenant_id)
    response = web.StreamResponse(
        headers={hdrs.CONTENT_TYPE: NDJSON, hdrs.CACHE_CONTROL: "no-store"}
    )
    await response.prepare(request)
    try:
        async for line in _lines(request.app, person):
            await response.write(line)
        await response.write_eof()
    except BROKEN_OFF as exc:
        log.warning("export_broke_off", error=type(exc).__name__)
        if request.transport is not None:  # so that it shows
            request.transport.abort()
    return response


async def _lines(app: web.Application, person: Person) -> AsyncIterator[bytes]:
    desk, pool = app[DESK], app[POOL]
    counts: dict[str, int] = {}
    for name, extract in desk.extracts.items():
        after: str | None = ""
        while after is not None:
            async with transaction(pool) as conn:
                page = await extract(conn, person, after)
            after = page.after
            for record in page.records:
                counts[record.kind] = counts.get(record.kind, 0) + 1
            # A page without records is told too: proxies end what is silent for long.
            yield b"".join(map(_line, page.records)) or orjson.dumps({"at": name}) + b"\n"
    yield orjson.dumps({"end": counts}) + b"\n"


def _line(record: Record) -> bytes:
    value: dict[str, Any] = {"record": record.kind, "data": record.data}
    return orjson.dumps(value, default=str) + b"\n"


async def erase(request: web.Request) -> web.Response:
    """POST .../privacy/erasures: 202, and where to look how far it is."""
    who, raw = caller(request), await read_bytes(request)
    wanted = await read_body(request, ErasureIn)
    kind = Kind.COUNT if wanted.dry_run else Kind.ERASE
    async with transaction(request.app[POOL]) as conn:
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        made = await store.add_request(conn, wanted.of(who.tenant_id), kind, now=clock.now())
        answer = reply(
            ErasureOut.model_validate(made),
            status=202,
            headers={hdrs.LOCATION: f"{request.path}/{made.id}"},
        )
        await idempotency.keep(conn, request, answer)
    log.info("privacy_request_taken", request_id=str(made.id), kind=kind.value)
    return answer


async def show(request: web.Request) -> web.Response:
    """GET .../privacy/erasures/{id}: how far it is, and what was found."""
    who, request_id, query = caller(request), path_uuid(request), read_query(request, WaitQuery)
    pool = request.app[POOL]

    async def look() -> tuple[ErasureOut, bool]:
        async with transaction(pool) as conn:
            found = await store.get_request(conn, who.tenant_id, request_id)
        return ErasureOut.model_validate(found), found.finished_at is not None

    return reply(await wait_until(look, timeout_s=query.wait))


def routes(prefix: str) -> tuple[Route, ...]:
    """Return the endpoints below `prefix`, which the proxies must lead to this service."""
    return (
        Route(
            method="POST",
            path=f"{prefix}/privacy/exports",
            handler=export,
            access=Access.SERVICE,
            summary="Export all that is held about one person (NDJSON)",
            body=PersonIn,
            max_body=MAX_BODY,
            timeout_s=EXPORT_S,
            errors=(InvalidInput, Transient),
            tags=("privacy",),
        ),
        Route(
            method="POST",
            path=f"{prefix}/privacy/erasures",
            handler=erase,
            access=Access.SERVICE,
            summary="Erase one person's data, or count what would be erased",
            body=ErasureIn,
            returns=ErasureOut,
            status=202,
            idempotent=True,
            max_body=MAX_BODY,
            errors=(InvalidInput, Conflict),
            tags=("privacy",),
        ),
        Route(
            method="GET",
            path=f"{prefix}/privacy/erasures/{{id}}",
            handler=show,
            access=Access.SERVICE,
            summary="Show how far an erasure is",
            query=WaitQuery,
            returns=ErasureOut,
            timeout_s=WAIT_TIMEOUT_S,
            errors=(NotFound, Transient),
            tags=("privacy",),
        ),
    )
