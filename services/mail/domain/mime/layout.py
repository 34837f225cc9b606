"""HTML laid out as text: tables, lists and blocks.

A module of its own because it is loaded late: most mail brings its text along, and a process that
reads none has five megabytes less.
"""

from inscriptis import get_text  # type: ignore[import-untyped]  # it ships no types
from lxml.etree import LxmlError  # type: ignore[import-untyped]  # nor does it

BROKEN = (LxmlError, ValueError, LookupError, AttributeError, TypeError, RecursionError)


def lay_out(source: str) -> str | None:
    """Return the text of an HTML body; None: the libraries cannot make it out."""
    try:
        text: str = get_text(source)
    except BROKEN:
        return None
    return text
