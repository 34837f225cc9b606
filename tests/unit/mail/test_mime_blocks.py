"""A message says the same in whatever pieces it is read."""

import gc
import weakref
from io import BytesIO
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.mail.domain.mime.tree import Node, read_tree

LINES = [
    *(b"Subject: x", b"Content-Type: multipart/mixed; boundary=b", b" folded", b"no header", b""),
    *(b'Content-Type: multipart/alternative; boundary="c"', b"Content-Type: text/html", b""),
    *(b"Content-Transfer-Encoding: quoted-printable", b"Content-Transfer-Encoding: base64", b""),
    *(b"--b", b"--b--", b"--c", b"--c--", b"-- ", b"--d: x", b"hello", b"a=", b"=41", b"=4", b"=="),
    *(b"= \t", b"x  ", b"QUJD", b"QUI=", b"=C3=A9", b"\xc3\xa9", b"From x@y.test Mon"),
]
MESSAGES = st.lists(
    st.builds(bytes.__add__, st.sampled_from(LINES), st.sampled_from([b"\n", b"\r\n", b"\r"])),
    max_size=25,
).map(b"".join)


class Dribble(BytesIO):
    """A file that gives a few bytes at a time."""

    def __init__(self, content: bytes, most: int) -> None:
        super().__init__(content)
        self._most = most

    def read(self, _size: int | None = -1) -> bytes:
        return super().read(self._most)


def said(node: Node) -> list[Any]:
    """Return all that is known of a part."""
    headers = list(node.raw_items())
    return [node.kind, node.size, bytes(node.body), headers, [said(one) for one in node.children]]


@settings(max_examples=300, deadline=None)
@given(MESSAGES, st.integers(min_value=1, max_value=40))
def test_pieces_make_the_same_tree(raw: bytes, most: int) -> None:
    assert said(read_tree(Dribble(raw, most))) == said(read_tree(BytesIO(raw)))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_a_boundary_right_behind_the_headers_opens_a_part(end: bytes) -> None:
    lines = [b"Content-Type: multipart/mixed; boundary=b", b"--b", b"", b"hello", b"--b--", b""]
    root = read_tree(BytesIO(end.join(lines)))

    assert [bytes(node.body) for node in root.children] == [b"hello"]


def test_a_well_formed_message_goes_without_the_collector() -> None:
    part = b"--b\nContent-Type: text/plain\n\nhello\n"
    raw = b"Content-Type: multipart/mixed; boundary=b\n\n" + part + part + b"--b--\n"
    gc.disable()
    try:
        root = read_tree(BytesIO(raw))
        parts = [weakref.ref(one) for one in (root, *root.children)]
        del root
        left = [one() for one in parts]
    finally:
        gc.enable()

    assert left == [None, None, None]
