"""HTML that is to be sent: refused when it would run something, cleaned of what is left over.

A recipient's reader would throw scripts away, and many would throw the whole mail away with
them: whoever wrote it has to know.

Source: https://nh3.readthedocs.io/
"""

import re
from collections.abc import Callable

import nh3

from services.mail.domain.mime.html import is_tame

ACTIVE = frozenset(
    "script iframe frame frameset object embed applet form input button base".split()  # noqa: SIM905
)
"""Elements that run, load or ask for something."""
NAMED = re.compile(r"<(" + "|".join(sorted(ACTIVE)) + r")[\s>]", re.IGNORECASE)
ADDRESSED = frozenset({"href", "src", "action", "formaction", "background", "poster", "cite"})
SCHEMES = frozenset({"http", "https", "mailto", "tel", "cid"})
RUNNING_SCHEMES = frozenset({"javascript", "vbscript", "data", "file"})
STYLED = {"style", "class", "align", "valign", "width", "height", "bgcolor", "dir", "lang"}
TAGS = nh3.ALLOWED_TAGS | {"font"}
ATTRIBUTES = {**nh3.ALLOWED_ATTRIBUTES, "*": STYLED, "font": {"color", "face", "size"}}
Look = Callable[[str, str, str], str]
CLEANER = nh3.Cleaner(tags=TAGS, attributes=ATTRIBUTES, url_schemes=set(SCHEMES), link_rel=None)


def why_unsendable(source: str) -> str | None:
    """Return what is wrong with HTML that somebody wants to send; None: nothing."""
    if not is_tame(source):
        return "nests too deeply"
    found: list[str] = []

    def look(_element: str, name: str, value: str) -> str:
        if name.startswith("on"):
            found.append("must not contain event handlers")
        elif not _is_harmless(value):
            found.append("must not link to anything but web, mail and phone")
        return value

    # With and without what is active: if that makes a difference, there is some.
    lenient = _cleaned(source, TAGS | ACTIVE, look)
    if lenient != _cleaned(source, TAGS, None):
        named = NAMED.search(lenient)
        found.append(f"must not contain <{named[1].lower()}>" if named else "must not run anything")
    return found[0] if found else None


def _cleaned(source: str, tags: set[str] | frozenset[str], look: Look | None) -> str:
    cleaned: str = nh3.clean(
        source,
        tags=set(tags),
        clean_content_tags=set(),
        attributes={"*": set(ADDRESSED)},
        generic_attribute_prefixes={"on"},
        attribute_filter=look,
        url_schemes=set(SCHEMES | RUNNING_SCHEMES),
        link_rel=None,
    )
    return cleaned


def sendable(source: str) -> str:
    """Return HTML as it is sent: styles stay, whatever could run goes."""
    cleaned: str = CLEANER.clean(source)
    return cleaned.strip()


def _is_harmless(address: str) -> bool:
    text = "".join(char for char in address if char > " ")  # browsers skip what is below
    scheme, colon, _ = text.partition(":")
    is_relative = not colon or any(char in scheme for char in "/?#")
    return is_relative or scheme.lower() in SCHEMES
