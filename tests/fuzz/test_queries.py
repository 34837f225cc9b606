"""Whatever is asked for is understood, or refused by name of the field: cursors and searches."""

import base64
from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from libs.common.errors import InvalidInput
from libs.common.moments import Moment
from libs.common.pagination import decode_cursor, encode_cursor
from services.mail.domain.search import compile_query
from tests.fuzz.effort import tries
from tests.fuzz.json_strategies import almost, anything, nested, texts, written
from tests.fuzz.outcomes import fields, outcome


class Position(BaseModel):
    """Where something stands, as most lists have it."""

    date: Moment
    id: UUID


class Named(BaseModel):
    """Where something stands in a list by name."""

    name: str


RIGHT = {"date": "2026-01-01T00:00:00Z", "id": "6f9619ff-8b86-4011-b42d-00cf4fc964ff", "name": "x"}
WORDS = (
    *("from:", "to:", "subject:", "after:", "before:", "has:", "label:", "entity:", "FROM:", "x:"),
    *(
        "OR",
        "or",
        "-",
        "--",
        "(",
        ")",
        '"',
        "attachment",
        "2026-01-01",
        "2026-13-01",
        "deal/7",
        "/",
    ),
    *(
        "a@b.test",
        "0.5",
        "9" * 40,
        "\0",
        "\ud800",
        "é",
        "e\u0301",
        "İ",
        "ﷺ",
        "\u200b",
        "\U0001d538",
        "'",
        "\\",
    ),
    *(
        ":*",
        "!",
        "&",
        "|",
        "<->",
        ":A",
        "\u3000",
        "\t",
        "\n",
        "ORx",
        "a" * 70,
        "9999-12-31T23:59-14",
    ),
)

cursors = st.one_of(
    st.text(max_size=60),
    st.one_of(written(almost(RIGHT)), written(anything), nested.map(str.encode)).map(
        lambda raw: base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    ),
)
queries = st.one_of(
    st.lists(st.one_of(st.sampled_from(WORDS), texts), max_size=30).map("".join),
    st.lists(st.one_of(st.sampled_from(WORDS), texts), max_size=30).map(" ".join),
    st.builds(lambda word, times: word * times, st.sampled_from(WORDS), st.integers(1, 400)),
)


@tries(200)
@given(cursors, st.sampled_from([Position, Named]))
def test_a_cursor_is_one_of_ours_or_named_as_wrong(cursor: str, model: type[BaseModel]) -> None:
    found = outcome(decode_cursor, cursor, model)
    if isinstance(found, InvalidInput):
        assert fields(found) == ["cursor"]
        return
    assert found is not None
    assert decode_cursor(encode_cursor(found), model) == found
    assert "\0" not in found.model_dump_json()


@tries(300)
@given(queries)
def test_a_search_is_understood_or_named_as_wrong(query: str) -> None:
    found = outcome(compile_query, query)
    if isinstance(found, InvalidInput):
        assert fields(found) == ["q"]
        return
    said = (found.text or "", *found.labels, *found.without_labels, *sum(found.entities, ()))
    assert not [text for text in said if "\0" in text]
    "".join(said).encode()  # no lone surrogate
    assert all(isinstance(one, datetime | None) for one in (found.after, found.before))


@pytest.mark.parametrize("query", ["(" * 500, "a OR " * 99, "-" * 500, '"' * 499])
def test_a_search_of_nothing_but_one_sign_is_named_as_wrong(query: str) -> None:
    with pytest.raises(InvalidInput):
        compile_query(query)
