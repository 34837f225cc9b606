"""Which parts of a message are its text, and which are attached to it.

Source: https://www.rfc-editor.org/rfc/rfc2046#section-5.1 and RFC 1847, 2387, 3676
"""

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from services.mail.domain.message import Attachment
from services.mail.domain.mime import headers
from services.mail.domain.mime.bounds import (
    LONGEST_FILENAME,
    LONGEST_HTML,
    LONGEST_ID,
    LONGEST_TEXT,
)
from services.mail.domain.mime.charsets import decode_text
from services.mail.domain.mime.html import html_to_text, sanitise
from services.mail.domain.mime.text import clean, unflow, with_newlines
from services.mail.domain.mime.tree import Node

MESSAGES = frozenset({"message/rfc822", "message/global"})
SHOWN = ("text/plain", "text/html")
LARGEST_HEAD = 64 * 1024


@dataclass(slots=True)
class Found:
    """What a part and its parts hold, in their order."""

    bodies: list[Node] = field(default_factory=list)
    """What is read as text; of alternatives the plain one."""
    rich: list[Node] = field(default_factory=list)
    """What is shown; of alternatives the HTML one."""
    attached: list[Node] = field(default_factory=list)

    def add(self, other: "Found") -> None:
        """Append what a neighbour holds."""
        self.bodies += other.bodies
        self.rich += other.rich
        self.attached += other.attached


def find(node: Node) -> Found:
    """Return what the tree under `node` holds; it is at most 60 parts deep."""
    if not node.children:
        if _is_body(node):
            return Found([node], [node], [])
        return Found(attached=[node])
    if node.kind == "multipart/alternative":
        return _best([find(child) for child in node.children])
    found = Found()
    for child in node.children:
        found.add(find(child))
    return found


def _best(alternatives: list[Found]) -> Found:
    """Keep the last plain and the last HTML one; what is attached to any stays attached."""
    texts = [one for one in alternatives if one.bodies]
    plain = [one for one in texts if all(body.kind == "text/plain" for body in one.bodies)]
    rich = [one for one in texts if any(body.kind == "text/html" for body in one.rich)]
    found = Found(attached=[node for one in alternatives for node in one.attached])
    if texts:
        found.bodies = (plain or texts)[-1].bodies
        found.rich = (rich or texts)[-1].rich
    else:  # enriched text and the like are better than nothing
        readable = [
            node for node in found.attached if node.kind.startswith("text/") and not _is_saved(node)
        ]
        found.bodies = found.rich = readable[-1:]
    found.attached = [
        node
        for node in found.attached
        if node not in found.bodies and not (texts and _is_substitute(node))
    ]
    return found


def _is_substitute(node: Node) -> bool:
    """Say whether an unread alternative says no more than the one that is read."""
    return node.kind.startswith("text/") and node.kind != "text/calendar" and not _is_saved(node)


def _is_saved(node: Node) -> bool:
    return node.get_content_disposition() == "attachment" or headers.filename(node) is not None


def _is_body(node: Node) -> bool:
    if node.is_root and node.is_container:  # it says it has parts, and has none
        return bool(node.body.strip())
    if node.kind not in SHOWN or node.get_content_disposition() == "attachment":
        return False
    return node.is_root or headers.filename(node) is None


def leaves(node: Node) -> Iterator[Node]:
    """Yield every leaf, in order."""
    if not node.children:
        yield node
    for child in node.children:
        yield from leaves(child)


def text_of(node: Node) -> str:
    """Return the body of a text part as written, its line ends as newlines."""
    octets = bytes(node.body)
    if node.truncated:  # perhaps in the midst of a character
        octets = octets[: octets.rfind(b"\n") + 1] or octets
    return with_newlines(decode_text(octets, headers.param(node, "charset")))


def readable(node: Node) -> str:
    """Return the body of a part as plain text."""
    text = text_of(node)
    if node.kind == "text/html":
        return html_to_text(text[:LONGEST_HTML])
    if (headers.param(node, "format") or "").lower() == "flowed":
        text = unflow(text, delete_space=(headers.param(node, "delsp") or "").lower() == "yes")
    return text.strip()


def shown(nodes: list[Node]) -> str | None:
    """Return the parts as one safe HTML text; None: none of them is HTML."""
    if not any(node.kind == "text/html" for node in nodes):
        return None
    pieces: list[str] = []
    room = LONGEST_HTML
    for node in nodes:
        piece = _safe(node)
        room -= len(piece) + 1
        if room < 0:
            break
        if piece:
            pieces.append(piece)
    return "\n".join(pieces) or None


def _safe(node: Node) -> str:
    if node.kind == "text/html":
        return sanitise(text_of(node)[:LONGEST_HTML]) or ""
    text = clean(readable(node), LONGEST_TEXT)
    return f"<pre>{html.escape(text, quote=False)}</pre>" if text else ""


def attachment(node: Node) -> Attachment:
    """Return what is known of an attached part."""
    content_id = headers.MESSAGE_ID.search(headers.field(node, "Content-ID"))
    return Attachment(
        part=node.path,
        filename=headers.filename(node) or _name_by_subject(node),
        content_type=clean(node.kind, LONGEST_ID),
        size=node.size,
        inline=node.get_content_disposition() == "inline" or content_id is not None,
        content_id=content_id[0].strip("<>") if content_id else None,
    )


def _name_by_subject(node: Node) -> str | None:
    """Return a file name for a message within the message."""
    if node.kind not in MESSAGES:
        return None
    subject = headers.field(headers.parse_head(bytes(node.body[:LARGEST_HEAD])), "Subject")
    name = re.sub(r'[\\/:*?"<>|\s]+', " ", subject).strip(" .")[: LONGEST_FILENAME - 4].strip()
    return f"{name}.eml" if name else None
