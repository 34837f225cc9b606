from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.errors import InvalidInput
from services.mail.domain.message import Person
from services.mail.domain.search import SearchQuery, compile_query, fold, vector
from services.mail.domain.search.language import DEEPEST, LONGEST, MOST_TERMS
from services.mail.domain.search.lexemes import words


def refusal(query: str) -> str:
    with pytest.raises(InvalidInput) as exc:
        compile_query(query)
    errors = exc.value.data["errors"]
    assert isinstance(errors, list)
    (error,) = errors
    assert error["field"] == "q"
    return str(error["detail"])


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("Reunião", "('reuniao')"),
        ("one two", "('one') & ('two')"),
        ('"one two"', "('one' <-> 'two')"),
        ("-one two", "!('one') & ('two')"),
        ("one OR two three", "(('one') | (('two') & ('three')))"),
        ("(one OR two) three", "(('one') | ('two')) & ('three')"),
        ("one or two", "('one') & ('or') & ('two')"),
        ("ORCHARD", "('orchard')"),
        ("from:Bob", "('bob':B)"),
        ("FROM:bob@Example.org", "('bob@example.org':B)"),
        ('to:"Ann Lee"', "('ann':C <-> 'lee':C)"),
        ("subject:foo-bar", "('foo':A <-> 'bar':A)"),
        ("it's", "('it' <-> 's')"),
        ("12:30", "('12' <-> '30')"),
        ("form:bob", "('form' <-> 'bob')"),
        ("a\0@b.c", "('a' <-> 'b' <-> 'c')"),
        ('"write bob@b.c"', "('write' <-> 'bob' <-> 'b' <-> 'c')"),
    ],
)
def test_words_become_a_tsquery(query: str, text: str) -> None:
    assert compile_query(query) == SearchQuery(text=text)


def test_operators_become_filters() -> None:
    query = (
        "after:2026-01-01 before:2026-02-01T01:00:00+01:00 has:attachment label:INBOX "
        "-label:Label_1 entity:deal/7/8"
    )
    assert compile_query(query) == SearchQuery(
        after=datetime(2026, 1, 1, tzinfo=UTC),
        before=datetime(2026, 2, 1, tzinfo=UTC),
        has_attachment=True,
        labels=("INBOX",),
        without_labels=("Label_1",),
        entities=(("deal", "7/8"),),
    )


def test_filters_may_stand_in_brackets_and_narrow_each_other() -> None:
    found = compile_query("(after:2026-01-01 (x after:2026-01-03)) -has:attachment")
    assert found == SearchQuery(
        text="('x')", after=datetime(2026, 1, 3, tzinfo=UTC), has_attachment=False
    )


@pytest.mark.parametrize(
    ("query", "position", "expected"),
    [
        ("", 1, "a word"),
        ("  ", 3, "a word"),
        ("(", 2, "a word"),
        ("(one", 5, ")"),
        ("one)", 4, "the end"),
        ("one OR", 7, "a phrase"),
        ("OR one", 1, "a word"),
        ('one "two', 5, "closing"),
        ("from:", 6, "a value"),
        ("--one", 2, "a word"),
        ("one !!!", 5, "a letter or a digit"),
        ("after:yesterday", 7, "RFC 3339"),
        ("after:1700000000", 7, "RFC 3339"),
        ("after:2026-02-30", 7, "RFC 3339"),
        ("before:2026-01-01T00:00:00", 8, "RFC 3339"),
        ("has:wings", 5, "attachment"),
        ("has:attachment -has:attachment", 21, "contradicts"),
        ("entity:deal", 8, "type/id"),
        ('label:"a b"', 7, "label"),
        ("label:a\0b", 7, "label"),
        ("one OR label:X", 14, "inside OR"),
        ("-(one label:X)", 13, "inside OR or -"),
        ("-after:2026-01-01", 8, "negated"),
        ("x" * (LONGEST + 1), LONGEST + 1, "characters"),
        ("x " * (MOST_TERMS + 1), 2 * MOST_TERMS + 1, "terms"),
        ("(" * (DEEPEST + 1) + "x" + ")" * (DEEPEST + 1), 1, "deeper"),
        ("(" * 249 + "x" + ")" * 249, 249 - DEEPEST, "deeper"),
        ("(" * LONGEST, LONGEST + 1, "a word"),
    ],
)
def test_what_is_no_query_is_told_where_and_why(query: str, position: int, expected: str) -> None:
    detail = refusal(query)
    assert detail.endswith(f" at position {position}")
    assert expected in detail


def test_the_bounds_themselves_are_allowed() -> None:
    assert compile_query("x" * LONGEST).text
    assert compile_query("x " * MOST_TERMS).text
    assert compile_query("(" * DEEPEST + "x" + ")" * DEEPEST).text == "('x')"


@given(st.text(max_size=LONGEST + 10) | st.text(alphabet='ab()"- :ORfromhas', max_size=80))
def test_whatever_is_typed_is_a_query_or_refused_with_a_position(query: str) -> None:
    try:
        compile_query(query)
    except InvalidInput:
        assert " at position " in refusal(query)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("REUNIÃO", "reuniao"),
        ("Straße", "strasse"),
        ("ﬁne", "fine"),
        ("İ", "i"),
        ("\uff41\uff11", "a1"),
    ],
)
def test_marks_case_and_forms_do_not_matter(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text(max_size=50))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert fold(fold(text)) == fold(text)


def test_fields_have_their_weights_and_addresses_their_parts() -> None:
    found = vector(
        subject="Hello",
        sender=Person("bob@example.org", "Bob"),
        recipients=[Person("ann@example.com")],
        text="either/or",
    )
    assert found == (
        "'hello':1A 'bob':3B 'bob@example.org':4B 'bob':4B 'example':5B 'org':6B "
        "'ann@example.com':8C 'ann':8C 'example':9C 'com':10C 'either':12D 'or':13D"
    )


@given(st.text(st.characters(codec="ascii")))
def test_words_of_ascii_text_are_the_words_of_any_text(text: str) -> None:
    beyond_ascii = words(f"{text} \u00e9")

    assert [*words(text), "\u00e9"] == beyond_ascii
