from uuid import UUID

import pytest
from pydantic import BaseModel, ConfigDict, Field

from libs.common.errors import InvalidInput
from libs.common.web import Access, Route, parse_json, reply
from libs.common.web.docs import show_page


class Product(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=2)
    count: int = 1


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: UUID
    products: list[Product] = []
    notes: dict[str, str] = {}


ID = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"


def refused(raw: bytes) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        parse_json(raw, Order)
    errors = caught.value.data["errors"]
    assert isinstance(errors, list)
    return [error["field"] for error in errors]


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        (b"", ["body"]),
        (b"{", ["body"]),
        (b"[]", ["body"]),
        (b"null", ["body"]),
        (b'"\\ud800"', ["body"]),
        (b'"\xff"', ["body"]),
        (b'{"id": NaN}', ["body"]),
        (b"[" * 100_000, ["body"]),
        (b"[" * 1000 + b'"\\u0000"' + b"]" * 1000, ["body"]),
        (b"{}", ["id"]),
        (b'{"id": "x"}', ["id"]),
        (b'{"id": "%s", "more": 1}' % ID.encode(), ["more"]),
        (b'{"id": "%s", "products": [{"name": "ab"}, {"name": "a"}]}' % ID.encode(),
         ["products[1].name"]),
        (b'{"id": "%s", "products": [{"name": "ab", "count": "many"}]}' % ID.encode(),
         ["products[0].count"]),
        (b'{"id": "%s", "products": [{"name": "ab", "count": "2"}]}' % ID.encode(),
         ["products[0].count"]),
        (b'{"id": "%s", "products": [{"name": "ab", "count": true}]}' % ID.encode(),
         ["products[0].count"]),
        (b'{"id": "%s", "products": [{"name": "a\\u0000b"}]}' % ID.encode(),
         ["products[0].name"]),
        (b'{"id": "%s", "notes": {"a\\u0000": "b"}}' % ID.encode(), ["notes"]),
    ],
)  # fmt: skip
def test_a_wrong_body_is_refused_by_the_path_of_its_field(raw: bytes, fields: list[str]) -> None:
    assert refused(raw) == fields


def test_a_backslash_before_u0000_is_text_like_any_other() -> None:
    order = parse_json(b'{"id": "%s", "notes": {"a": "\\\\u0000"}}' % ID.encode(), Order)

    assert order.notes == {"a": "\\u0000"}


def test_the_refusal_never_repeats_what_was_sent() -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_json(b'{"id": "hunter2", "products": "hunter2"}', Order)

    assert "hunter2" not in str(caught.value.data)


def test_at_most_twenty_fields_are_listed() -> None:
    raw = b'{"id": "%s", "products": [%s]}' % (ID.encode(), b",".join([b"{}"] * 100))

    assert len(refused(raw)) == 20


def test_answers_hold_times_and_ids_as_text() -> None:
    response = reply({"order": Order(id=UUID(ID)), "ids": [UUID(ID)]}, status=201)

    assert response.status == 201
    expected = f'{{"order":{{"id":"{ID}","products":[],"notes":{{}}}},"ids":["{ID}"]}}'
    assert response.body == expected.encode()


class Lenient(BaseModel):
    name: str


def test_a_body_that_lets_unknown_fields_through_makes_no_route() -> None:
    with pytest.raises(TypeError, match="extra='forbid'"):
        Route(
            method="POST",
            path="/x",
            handler=show_page,
            access=Access.USER,
            summary="",
            body=Lenient,
        )


def test_a_route_without_an_access_rule_cannot_be_made() -> None:
    with pytest.raises(TypeError):
        Route(method="GET", path="/x", handler=show_page, summary="")  # type: ignore[call-arg] # that is the point
    with pytest.raises(TypeError, match="no access rule"):
        Route(method="GET", path="/x", handler=show_page, access=None, summary="")  # type: ignore[arg-type] # that is the point
