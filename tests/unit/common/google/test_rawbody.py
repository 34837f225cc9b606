import base64
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.common.google import rawbody
from libs.common.google.rawbody import RawBody

OCTETS = bytes(range(256)) + b"the end"
RAW = base64.urlsafe_b64encode(OCTETS).decode()


def split(answer: bytes, *sizes: int) -> tuple[object, bytes]:
    sink = io.BytesIO()
    body = RawBody("raw", sink)
    at = 0
    for size in sizes:
        body.feed(answer[at : at + size])
        at += size
    body.feed(answer[at:])
    return json.loads(body.close()), sink.getvalue()


ANSWER = json.dumps(
    {"id": "1", "snippet": 'he said "raw": "x"', "raw": RAW, "labelIds": ["raw"]}, indent=1
).encode()


@pytest.mark.parametrize("at", range(len(ANSWER) + 1))
def test_the_value_is_found_wherever_a_chunk_ends(at: int) -> None:
    rest, octets = split(ANSWER, at)
    assert octets == OCTETS
    assert rest == {
        "id": "1",
        "snippet": 'he said "raw": "x"',
        "raw": "",
        "labelIds": ["raw"],
    }


def test_chunks_of_one_byte_give_the_same() -> None:
    assert split(ANSWER, *[1] * len(ANSWER))[1] == OCTETS


@pytest.mark.parametrize("size", range(10))
@pytest.mark.parametrize("padded", [True, False])
def test_padding_may_be_there_or_not(size: int, padded: bool) -> None:  # noqa: FBT001 - a case
    raw = base64.urlsafe_b64encode(b"\xff" * size).decode()
    answer = json.dumps({"raw": raw if padded else raw.rstrip("=")}).encode()
    assert split(answer)[1] == b"\xff" * size


@pytest.mark.parametrize("at", range(30))
def test_escapes_within_the_value_are_undone(at: int) -> None:
    assert split(rb'{"raw":"\u002d_8\/QUI\u003d"}', at)[1] == base64.b64decode("+/8/QUI=")


def test_an_answer_without_the_key_is_returned_whole() -> None:
    assert split(b'{"id":"raw"}') == ({"id": "raw"}, b"")


def test_an_answer_that_ends_within_the_value_is_refused() -> None:
    with pytest.raises(ValueError, match="within"):
        split(b'{"raw":"QUJD')


def test_what_surrounds_the_value_is_bounded() -> None:
    with pytest.raises(ValueError, match="too long"):
        split(b'{"a":"' + b"x" * rawbody.MAX_REST_BYTES + b'"}')


@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=20), st.text(max_size=20))
def test_any_octets_in_any_chunks_come_out_again(
    octets: bytes, sizes: list[int], snippet: str
) -> None:
    raw = base64.urlsafe_b64encode(octets).decode()
    answer = json.dumps({"snippet": snippet, "raw": raw, "z": snippet}).encode()
    rest, read = split(answer, *sizes)
    assert read == octets
    assert rest == {"snippet": snippet, "raw": "", "z": snippet}
