"""HTML bodies: made safe to show, and made readable text.

Mail is what anybody may send, so both are bounded: what nests too deep for the libraries is
only stripped of its tags.
"""

import html
import re
from collections import Counter
from collections.abc import Iterator

import nh3

from services.mail.domain.mime.bounds import LONGEST_HTML
from services.mail.domain.mime.text import storable

SCHEMES = {"http", "https", "mailto", "cid"}
CLEANER = nh3.Cleaner(url_schemes=SCHEMES, link_rel="noopener noreferrer")
DEEPEST_HTML = 150
"""Elements within one another: the library loses what is below 256, and gets slow."""
MOST_WORK = 200_000
MOST_REFERENCES = 50_000
FORMATTING = frozenset(
    "a b big code em font i nobr s small strike strong tt u".split()  # noqa: SIM905 - one line
)
UNNESTED = frozenset(
    "area base br col embed hr img input link meta param source track wbr p html body".split()  # noqa: SIM905
)
"""What has no content, or ends where the next of its kind begins."""
ANY_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:]*)")
BLOCKS = frozenset({"p", "div", "br", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table"})
UNREAD = {
    name: re.compile(f"</{name}", re.IGNORECASE)
    for name in ("script", "style", "head", "title", "template")
}
"""What nobody reads, and how it ends."""
TAG = re.compile(r"</?([a-zA-Z][a-zA-Z0-9]*)")


def sanitise(source: str) -> str | None:
    """Return HTML that is safe to show; None: nothing is left, or it is too deep to clean.

    Addresses lead to http, https, mailto and cid only; links open without a way back.

    Source: https://nh3.readthedocs.io/
    """
    if not is_tame(source):
        return None
    source = storable(source)
    cleaned = _clean(source)
    if len(cleaned) > LONGEST_HTML:  # it is longer than its source, by what is closed and escaped
        cleaned = _clean(source[: len(source) * LONGEST_HTML // len(cleaned) // 2])
    return cleaned if 0 < len(cleaned) <= LONGEST_HTML else None


def _clean(source: str) -> str:
    cleaned: str = CLEANER.clean(source)
    return cleaned.strip()


def html_to_text(source: str) -> str:
    """Return the readable text of an HTML body: tables, lists and blocks laid out."""
    source = storable(source)
    if not is_tame(source):
        return strip_tags(source)
    from services.mail.domain.mime.layout import lay_out  # noqa: PLC0415 - see there

    text = lay_out(source)
    return strip_tags(source) if text is None else _tidy(text)


def is_tame(source: str) -> bool:
    """Say whether the libraries read `source` in good time: not too deep, not too tangled.

    Source: https://html.spec.whatwg.org/#reconstruct-the-active-formatting-elements (what is
    open there is opened again in every block: the work is one times the other)
    """
    if source.count("&") > MOST_REFERENCES:
        return False
    if source.count("<") <= DEEPEST_HTML:  # of so few tags neither can come to too much
        return True
    opened = Counter[str]()
    depth = work = formatting = 0
    for tag in ANY_TAG.finditer(source):
        name = tag[2].lower()
        if name in UNNESTED:
            work += formatting
        elif not tag[1]:
            opened[name] += 1
            depth += 1
            formatting += name in FORMATTING
            work += formatting
        elif opened[name]:
            opened[name] -= 1
            depth -= 1
            formatting -= name in FORMATTING
        if depth > DEEPEST_HTML or work > MOST_WORK:
            return False
    return True


def strip_tags(source: str) -> str:
    """Return the text of an HTML body too wild for the libraries: lines by block, no more.

    One pass, never back: the standard library's parser takes minutes over a megabyte of
    unclosed tags, and mail is what anybody may send.
    """
    text = unescape("".join(_readable(source)))
    return _tidy("\n".join(re.sub(r"[^\S\n]+", " ", line) for line in text.split("\n")))


def _tidy(text: str) -> str:
    """Return text without spaces around lines, and with no more than one line empty."""
    lines = (line.replace("\xa0", " ").strip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def unescape(text: str) -> str:
    """Return text with HTML's character references resolved."""
    try:
        return html.unescape(text)
    except ValueError:  # a reference of thousands of digits
        return text


def _readable(source: str) -> Iterator[str]:
    """Yield the pieces between tags, and a line break for every block."""
    unclosed = set[str]()
    at = 0
    while (start := source.find("<", at)) >= 0:
        yield re.sub(r"\s+", " ", source[at:start])
        tag = TAG.match(source, start)
        if tag is None and not source.startswith(("<!", "<?"), start):
            yield "<"
            at = start + 1
            continue
        at = _end_of_markup(source, start)
        if at < 0:
            return
        name = "" if tag is None else tag[1].lower()
        if name in BLOCKS:
            yield "\n"
        if name in UNREAD.keys() - unclosed and source[start + 1] != "/":
            end = UNREAD[name].search(source, at)
            if end is None:
                unclosed.add(name)
            else:
                at = end.start()
    yield re.sub(r"\s+", " ", source[at:])


def _end_of_markup(source: str, start: int) -> int:
    """Return where the tag or comment that begins at `start` is over; -1: nowhere."""
    mark = "-->" if source.startswith("<!--", start) else ">"
    end = source.find(mark, start + 1)
    return -1 if end < 0 else end + len(mark)
