import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from pydantic import BaseModel

from libs.common.errors import InvalidInput
from libs.common.pagination import PageQuery, cut, decode_cursor, encode_cursor


class Position(BaseModel):
    at: datetime
    id: UUID


HERE = Position(
    at=datetime(2026, 11, 22, tzinfo=UTC), id=UUID("0199a3f2-5d1c-7c3e-9a53-0f4f7c2b1e10")
)


def encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


def test_a_cursor_brings_back_the_position_it_was_made_from() -> None:
    assert decode_cursor(encode_cursor(HERE), Position) == HERE


def test_no_cursor_is_the_first_page() -> None:
    assert decode_cursor(None, Position) is None


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "a",
        "not base64!",
        "é",
        encoded(b"{}"),
        encoded(b"\xff\xfe"),
        encoded(b'{"at": 1, "id": "x"}'),
        encoded(b'{"text": "\\u0000"}'),
        encode_cursor(HERE)[:-9],
    ],
)
def test_a_cursor_we_did_not_make_is_named_as_the_wrong_field(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        decode_cursor(cursor, Position)
    assert refused.value.data["errors"] == [
        {"field": "cursor", "detail": "is not a cursor of this list"}
    ]


class ByName(BaseModel):
    name: str


def test_a_position_never_holds_what_a_database_cannot() -> None:
    with pytest.raises(InvalidInput):
        decode_cursor(encoded(b'{"name": "a\\u0000"}'), ByName)


def test_the_row_too_many_becomes_the_next_cursor() -> None:
    rows = [Position(at=HERE.at, id=UUID("0199a3f2-5d1c-7c3e-9a53-0f4f7c2b1e10")) for _ in range(3)]

    page, cursor = cut(rows, limit=2, position=lambda row: row)

    assert page == rows[:2]
    assert decode_cursor(cursor, Position) == rows[1]


def test_the_last_page_has_no_next_cursor() -> None:
    assert cut([HERE], limit=1, position=lambda row: row) == ([HERE], None)


def test_a_page_has_fifty_items_unless_told() -> None:
    assert PageQuery().limit == 50
