"""Text as it is stored: without what Postgres refuses, with soft line breaks undone."""

import re
from collections.abc import Iterator

UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
QUOTES = re.compile(r">*")
SIGNATURE = "-- "


def clean(text: str, longest: int) -> str:
    """Return `text` as Postgres can hold it, at most `longest` characters."""
    return storable(text[: longest * 2])[:longest]


def storable(text: str) -> str:
    """Return `text` without what Postgres cannot hold: NUL and lone surrogates."""
    if "\0" not in text:
        try:
            text.encode()
        except UnicodeEncodeError:
            pass
        else:
            return text
    return UNSTORABLE.sub("", text)


def one_line(text: str) -> str:
    """Return `text` without control characters, as a header's value is shown."""
    return (text if text.isprintable() else UNPRINTABLE.sub(" ", text)).strip()


def with_newlines(text: str) -> str:
    """Return `text` with every line end as a newline."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def unflow(text: str, *, delete_space: bool) -> str:
    """Return text of `format=flowed` with its paragraphs on one line each.

    Args:
        text: lines end with a newline.
        delete_space: the parameter DelSp: the space before a soft break is not of the text.
    Source: https://www.rfc-editor.org/rfc/rfc3676#section-4
    """
    return "\n".join(_paragraphs(text.split("\n"), delete_space=delete_space))


def _paragraphs(lines: list[str], *, delete_space: bool) -> Iterator[str]:
    pieces: list[str] = []
    depth = 0
    for line in lines:
        quoted = len(QUOTES.match(line)[0])  # type: ignore[index]  # it matches anything
        content = line[quoted:].removeprefix(" ")
        if pieces and (quoted != depth or content == SIGNATURE):
            yield _quoted("".join(pieces), depth)
            pieces = []
        depth = quoted
        flows = content.endswith(" ") and content != SIGNATURE
        pieces.append(content[:-1] if flows and delete_space else content)
        if not flows:
            yield _quoted("".join(pieces), depth)
            pieces = []
    if pieces:
        yield _quoted("".join(pieces), depth)


def _quoted(text: str, depth: int) -> str:
    return text if depth == 0 else f"{'>' * depth} {text}"
