from collections.abc import AsyncIterator

import pytest

from services.mail.web.importing import LONGEST_LINE, lines


async def read(*chunks: bytes) -> list[tuple[int, bytes | None]]:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [one async for one in lines(source())]


@pytest.mark.parametrize("size", [1, 2, 3, 7])
async def test_lines_are_the_same_however_they_are_cut(size: int) -> None:
    body = b"a\n\nbc\r\ndef"
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    assert await read(*chunks) == [(1, b"a"), (2, b""), (3, b"bc\r"), (4, b"def")]


async def test_a_line_too_long_is_named_and_not_kept() -> None:
    long = b"x" * LONGEST_LINE
    assert await read(b"a\n", long, b"y", long, b"\nb\n") == [(1, b"a"), (2, None), (3, b"b")]
    assert await read(long) == [(1, long)]
    assert await read(long + b"y\n" + long, b"y") == [(1, None), (2, None)]


async def test_nothing_is_no_line() -> None:
    assert await read() == []
    assert await read(b"") == []
