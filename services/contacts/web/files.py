"""HTTP handlers on files: contacts brought in, and taken along, as vCards or CSV."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Literal
from uuid import UUID

from aiohttp import hdrs, web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from libs.common import clock, idempotency
from libs.common.db import POOL, Pool, transaction
from libs.common.directory.fields import UserId
from libs.common.errors import Forbidden, InvalidInput, NotFound
from libs.common.web import (
    Access,
    Caller,
    Route,
    UnsupportedMediaType,
    caller,
    read_bytes,
    read_query,
    reply,
    seen_by,
)
from libs.common.web.requests import invalid
from services.contacts.domain.card import Card
from services.contacts.domain.preferences import TenantDefaults
from services.contacts.domain.rows import MOST_ROWS, Row, decoded
from services.contacts.domain.sheets import NotCsv, Sheet, read_csv
from services.contacts.domain.vcards import read_vcards, vcard_of
from services.contacts.store import contacts as store
from services.contacts.store import tenant_defaults
from services.contacts.sync.changing.importing import Outcome, take_cards
from services.contacts.sync.changing.regrouping import get_group
from services.contacts.sync.changing.turn import Turn
from services.contacts.web.contacts import owner_of
from services.contacts.web.models import LONGEST_QUERY, FieldProblemOut, NewContactIn

MAX_BODY = 10_485_760
TIMEOUT_S = 120.0
PAGE = 500
MOST_OWN_COLUMNS = 100
VCARD, CSV = "text/vcard", "text/csv"
VCARDS = (VCARD, "text/x-vcard", "text/directory")
AMBIGUOUS = "could be several contacts"


class ImportQuery(BaseModel):
    """Whose contacts a file has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    owner_user_id: UserId | None = Field(
        default=None, description="A user's are their own; without it a service's are the tenant's"
    )


class RowError(BaseModel):
    """A row that became no contact."""

    row: int = Field(description="From 1 on; a header is none")
    line: int = Field(description="Where it begins in the file, from 1 on")
    errors: list[FieldProblemOut]


class ImportOut(BaseModel):
    """What became of a file's rows."""

    total: int
    created: int
    updated: int = Field(description="Contacts already, who got what is new")
    unchanged: int
    errors: list[RowError]


class ExportQuery(BaseModel):
    """Which contacts, and as what."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["vcard", "csv"] = Field(
        default="vcard", description="CSV has of several addresses only the primary one"
    )
    group_id: UUID | None = Field(default=None, description="Only members of this group")
    q: str | None = Field(
        default=None, max_length=LONGEST_QUERY, description="As in the list of contacts"
    )


async def import_contacts(request: web.Request) -> web.Response:
    """POST /v1/contacts/import: good rows are taken in, and of each bad one it is said why."""
    who, query = caller(request), read_query(request, ImportQuery)
    if request.content_type not in (*VCARDS, CSV):
        raise UnsupportedMediaType(f"The body must be {VCARD} or {CSV}.")
    raw, owner = await read_bytes(request), owner_of(who, query.owner_user_id)
    async with request.app[POOL].acquire() as conn:
        defaults = await tenant_defaults.find_defaults(conn, who.tenant_id)
    # Thousands of rows take seconds: neither this process nor the tenant waits for them.
    rows = await asyncio.to_thread(_rows, raw, request.content_type, defaults)
    good, errors = await asyncio.to_thread(_checked, rows)
    async with transaction(request.app[POOL]) as conn:
        turn = await Turn.begin(conn, who.tenant_id, now=clock.now())
        if (answered := await idempotency.claim(conn, request, raw)) is not None:
            return answered
        outcomes = await take_cards(turn, [card for _, card in good], owner_user_id=owner)
        await turn.end()
        response = reply(_report(rows, good, outcomes, errors))
        await idempotency.keep(conn, request, response)
    return response


def _rows(raw: bytes, kind: str, defaults: TenantDefaults) -> list[Row]:
    """Return the rows of a file.

    Raises:
        InvalidInput: it is no such file, or has too many.
    """
    text = decoded(raw)
    if "\0" in text:
        raise InvalidInput.field("body", "must be text without NUL")
    try:
        found = (
            read_csv(text, defaults) if kind == CSV else read_vcards(text, region=defaults.region)
        )
        rows = [row for row, _ in zip(found, range(MOST_ROWS + 1), strict=False)]
    except NotCsv as exc:
        raise InvalidInput.field("body", str(exc)) from exc
    if len(rows) > MOST_ROWS:
        raise InvalidInput.field("body", f"must have at most {MOST_ROWS} contacts")
    if not rows:
        raise InvalidInput.field("body", "has no contacts")
    return rows


def _checked(rows: Sequence[Row]) -> tuple[list[tuple[Row, Card]], list[RowError]]:
    """Return the rows that can be kept, and what is wrong with the others."""
    good: list[tuple[Row, Card]] = []
    errors: list[RowError] = []
    for row in rows:
        if row.card is None:
            errors.append(_error(row, [FieldProblemOut(field="row", detail=row.problem)]))
            continue
        try:
            NewContactIn.model_validate(row.card.stored)
        except ValidationError as exc:
            errors.append(_error(row, _wrong(exc)))
            continue
        good.append((row, row.card))
    return good, errors


def _wrong(exc: ValidationError) -> list[FieldProblemOut]:
    found: Any = invalid(exc).data["errors"]
    return [FieldProblemOut.model_validate(one) for one in found]


def _error(row: Row, errors: list[FieldProblemOut]) -> RowError:
    return RowError(row=row.number, line=row.line, errors=errors)


def _report(
    rows: Sequence[Row],
    good: Sequence[tuple[Row, Card]],
    outcomes: Sequence[Outcome],
    errors: list[RowError],
) -> ImportOut:
    unclear = [
        _error(row, [FieldProblemOut(field="row", detail=AMBIGUOUS)])
        for (row, _), outcome in zip(good, outcomes, strict=True)
        if outcome.action == "ambiguous"
    ]
    actions = [one.action for one in outcomes]
    return ImportOut(
        total=len(rows),
        created=actions.count("created"),
        updated=actions.count("updated"),
        unchanged=actions.count("unchanged"),
        errors=sorted([*errors, *unclear], key=lambda one: one.row),
    )


async def export_contacts(request: web.Request) -> web.StreamResponse:
    """GET /v1/contacts/export: the contacts the caller may see, as a file."""
    who, query = caller(request), read_query(request, ExportQuery)
    pool = request.app[POOL]
    async with transaction(pool) as conn:
        if query.group_id is not None:
            await get_group(conn, who.tenant_id, query.group_id, seen_by(who))
        defaults = await tenant_defaults.find_defaults(conn, who.tenant_id)
        own = await store.list_custom_names(
            conn, who.tenant_id, user_id=seen_by(who), limit=MOST_OWN_COLUMNS
        )
    sheet = Sheet(defaults, own) if query.format == "csv" else None
    name = "contacts.vcf" if sheet is None else "contacts.csv"
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: f"{VCARD if sheet is None else CSV}; charset=utf-8",
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{name}"',
        }
    )
    await response.prepare(request)
    if sheet is not None:
        await response.write(sheet.header().encode())
    write: Callable[[Card], str] = vcard_of if sheet is None else sheet.row
    async for cards in _pages(pool, who, query):
        await response.write("".join(map(write, cards)).encode())
    await response.write_eof()
    return response


async def _pages(pool: Pool, who: Caller, query: ExportQuery) -> AsyncIterator[list[Card]]:
    after: UUID | None = None
    while True:
        async with pool.acquire() as conn:
            found = await store.list_contacts(
                conn,
                who.tenant_id,
                user_id=seen_by(who),
                words=(query.q or "").casefold().split(),
                group_id=query.group_id,
                after=after,
                limit=PAGE,
            )
        if found:
            yield [one.card for one in found]
            after = found[-1].id
        if len(found) < PAGE:
            return


ROUTES = (
    Route(
        method="POST",
        path="/v1/contacts/import",
        handler=import_contacts,
        access=Access.USER_OR_SERVICE,
        summary="Take in the contacts of a file: text/vcard, or text/csv with a header",
        query=ImportQuery,
        max_body=MAX_BODY,
        returns=ImportOut,
        idempotent=True,
        timeout_s=TIMEOUT_S,
        errors=(Forbidden, UnsupportedMediaType),
        tags=("files",),
    ),
    Route(
        method="GET",
        path="/v1/contacts/export",
        handler=export_contacts,
        access=Access.USER_OR_SERVICE,
        summary="Take contacts along as a file: text/vcard or text/csv",
        query=ExportQuery,
        timeout_s=TIMEOUT_S,
        errors=(NotFound,),
        tags=("files",),
    ),
)
