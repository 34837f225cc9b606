"""The tree of a message's parts, grown block by block without holding their bodies.

Well-formed headers are read here, all others by Python's feed parser, which has seen everything.
It is never shown a body: of text and of what is like it a bounded beginning is kept, of anything
else only the size. So a message of 35 MB costs as much memory as a small one.

Source: https://www.rfc-editor.org/rfc/rfc2046
"""

import re
from collections.abc import Callable
from email import policy
from email.feedparser import BytesFeedParser
from typing import BinaryIO

from services.mail.domain.mime import bounds
from services.mail.domain.mime.headers import Headed
from services.mail.domain.mime.transfer import Decoder, blocks, decoder, split_end

READ = ("text", "message", "multipart")
"""Main types whose bodies are kept to be read; of a multipart: what is outside its parts."""
LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)?")
HEAD = re.compile(rb"(?:(?!--)[!-9;-~]++:[^\r\n]*+\r?\n(?:[ \t][^\r\n]*+\r?\n)*+)++\r?\n")
"""Headers that are nothing else, and the empty line behind them."""
FIELD = re.compile(r"([!-9;-~]+):[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)\n")


class Node(Headed):
    """A part: its headers, its place in the tree, and what is known of its body."""

    def __init__(self, parent: "Node | None" = None) -> None:
        super().__init__(policy=policy.compat32)
        self.children: list[Node] = []
        self.path = "1"
        self.depth = 0
        self.kind = ""
        """The content type, once the headers are read; until then empty."""
        self.size = 0
        """Bytes of the body after decoding; of a container without parts: of what is kept."""
        self.body = bytearray()
        self.truncated = False
        if parent is not None:
            self._settle(parent)

    def _settle(self, parent: "Node") -> None:
        """Become the next part of a container; what it has before its parts is nobody's."""
        parent.body.clear()
        parent.children.append(self)
        self.depth = parent.depth + 1
        number = str(len(parent.children))
        self.path = number if parent.is_root else f"{parent.path}.{number}"
        if parent.kind == "multipart/digest":
            self.set_default_type("message/rfc822")

    def get_content_type(self) -> str:
        """Return the type as the parser shall see it, who asks when the headers are read.

        To it every part is a leaf of no interest: where parts begin is not its business.
        """
        self.kind = self.kind or super().get_content_type()
        return "application/octet-stream"

    @property
    def is_root(self) -> bool:
        """Whether the part is the whole message.

        No part knows what it is part of: in a circle only the collector could let a message go.
        """
        return self.depth == 0

    @property
    def is_container(self) -> bool:
        """Whether the part consists of parts."""
        return self.kind.startswith("multipart/") and self.depth < bounds.DEEPEST

    @property
    def is_read(self) -> bool:
        """Whether the beginning of the body is kept."""
        return self.kind.partition("/")[0] in READ

    @property
    def encoding(self) -> str:
        """The transfer encoding as declared; a container has none, whatever it declares."""
        return "" if self.is_container else str(self.get("Content-Transfer-Encoding", ""))


def read_tree(file: BinaryIO, tap: Callable[[Node, bytes], None] | None = None) -> Node:
    """Return the root of the message in `file`.

    Args:
        file: open for reading, at the beginning of the message.
        tap: is given every piece of decoded body, with the leaf it belongs to.
    """
    return _Reader(tap).read(file)


class _Reader:
    def __init__(self, tap: Callable[[Node, bytes], None] | None) -> None:
        self._tap = tap
        self._parts = 0
        self._boundaries: dict[bytes, Node] = {}
        """Of the containers that are open; of two that are the same the outer counts."""
        self._current: Node | None = None
        """None behind the end of a container: what stands there is nobody's."""
        self._parser: BytesFeedParser[Node] | None = None
        """Of headers that are not well formed."""
        self._decoder: Decoder | None = None
        self._line = b""
        """The header line that is being read."""
        self._headers = 0
        self._kept = 0

    def _open(self, parent: Node | None) -> Node:
        node = self._current = Node(parent)
        self._parts += 1
        self._parser = None
        self._headers = 0
        return node

    def read(self, file: BinaryIO) -> Node:
        root, at_start = self._open(None), True
        for block in blocks(file):
            self._take_block(block, at_start=at_start)
            at_start = block.endswith((b"\n", b"\r"))
            if self._parts > bounds.MOST_PARTS:
                break
        if self._line:
            self._head(b"\n")
        self._close(at_boundary=False)
        return root

    def _take_block(self, block: bytes, *, at_start: bool) -> None:
        """Take in what a block has: bodies and heads as they are, other lines one by one."""
        at = 0
        while at < len(block) and self._parts <= bounds.MOST_PARTS:
            if at_start and self._boundaries and block.startswith(b"--", at):
                end = self._take_line(block, at)
            elif self._is_inside:
                end = self._next_mark(block, at)
                self._add_inside(block[at:end])
            elif at_start and (head := self._whole_head(block, at)):
                end = at + len(head)
                self._show(head)
            else:
                end = self._take_line(block, at)
            at, at_start = end, True

    @property
    def _is_inside(self) -> bool:
        """Whether what comes is no header, until a boundary."""
        return self._current is None or bool(self._current.kind)

    def _next_mark(self, block: bytes, at: int) -> int:
        """Return where the next line begins that may be a boundary."""
        if not self._boundaries:
            return len(block)
        found = (block.find(end, at) for end in (b"\n--", b"\r--"))
        return min((place + 1 for place in found if place >= 0), default=len(block))

    def _take_line(self, block: bytes, at: int) -> int:
        """Take in a line that begins where a boundary may, or a header; return its end."""
        found = LINE.match(block, at)
        end = len(block) if found is None else found.end()
        line = block[at:end]
        if line.startswith(b"--") and self._crosses(line):
            return end
        if self._is_inside:
            self._add_inside(line)
        else:
            self._head(line)
        return end

    def _crosses(self, line: bytes) -> bool:
        """Go over the boundary that a line is; False when it is none."""
        key = line.rstrip(b" \t\r\n")
        for name, is_end in ((key, False), (key[:-2], True)):
            if name in self._boundaries and (not is_end or key.endswith(b"--")):
                self._cross(name, is_end=is_end)
                return True
        return False

    @property
    def _part(self) -> Node:
        """The part whose headers are read."""
        if self._current is None:
            raise LookupError("there are no headers behind the last part")
        return self._current

    def _add_inside(self, lines: bytes) -> None:
        if self._current is not None:
            self._add(self._current, lines)

    def _whole_head(self, block: bytes, at: int) -> bytes:
        """Return the well-formed headers that begin there; empty: they are not."""
        room = min(bounds.LONGEST_HEADERS - self._headers, bounds.LARGEST_BODIES - self._kept)
        if self._parser is not None or room <= 0:
            return b""
        found = HEAD.match(block, at)
        return found[0] if found is not None and len(found[0]) <= room else b""

    def _show(self, head: bytes) -> None:
        """Give the part its headers, as the parser would read them."""
        node = self._part
        text = head.replace(b"\r\n", b"\n").decode("ascii", "surrogateescape")
        for name, value in FIELD.findall(text):
            node.set_raw(name, value)
        size = len(text) - text.count("\n")
        self._headers += size
        self._kept += size
        node.get_content_type()
        self._begin_body(node, b"")

    def _cross(self, name: bytes, *, is_end: bool) -> None:
        """Go over a boundary: what is open within its owner is closed."""
        self._close(at_boundary=True)
        owner = self._boundaries[name]
        depth = owner.depth + (0 if is_end else 1)
        self._boundaries = {
            key: node for key, node in self._boundaries.items() if node.depth < depth
        }
        self._line = b""
        if is_end:
            self._current = None
        else:
            self._open(owner)

    def _head(self, line: bytes) -> None:
        """Show the parser a line of headers, unless there were too many."""
        content, end = split_end(line)
        room = min(bounds.LONGEST_HEADERS - self._headers, bounds.LARGEST_BODIES - self._kept)
        kept = content[: max(room, 0)]
        self._headers += len(kept)
        self._kept += len(kept)
        self._line += kept
        if not end:
            return
        whole, self._line = self._line, b""
        if whole or not content:
            self._feed(whole, end)

    def _feed(self, line: bytes, end: bytes) -> None:
        """Show the parser a line, and find out: is it through the headers?"""
        node = self._part
        if self._parser is None:
            self._parser = BytesFeedParser(lambda **_: node)
        self._parser.feed(line + b"\n")
        if node.kind:
            # A line that is no header: the empty line before the body is missing.
            self._begin_body(node, line + end if line else b"")

    def _begin_body(self, node: Node, line: bytes) -> None:
        self._decoder = decoder(node.encoding)
        boundary = node.get_boundary() if node.is_container else None
        if boundary is not None:
            name = b"--" + boundary.encode("utf-8", "surrogateescape")
            self._boundaries.setdefault(name, node)
        if line and not self._crosses(line):
            self._add(node, line)

    def _add(self, node: Node, line: bytes) -> None:
        if self._decoder is not None:
            self._keep(node, self._decoder.feed(line))

    def _keep(self, node: Node, octets: bytes) -> None:
        node.size += len(octets)
        if self._tap is not None and not node.is_container:
            self._tap(node, octets)
        if not node.is_read or not octets:
            return
        room = min(bounds.LARGEST_BODY - len(node.body), bounds.LARGEST_BODIES - self._kept)
        node.truncated = node.truncated or len(octets) > room
        kept = octets[: max(room, 0)]
        node.body += kept
        self._kept += len(kept)
        if node.is_container:  # it is not tapped: what is kept of it is all there is
            node.size = len(node.body)

    def _close(self, *, at_boundary: bool) -> None:
        node = self._current
        if node is not None and not node.kind:  # it ends within its headers
            if self._parser is not None:
                self._parser.close()
            node.get_content_type()
        elif node is not None and self._decoder is not None:
            self._keep(node, self._decoder.close(at_boundary=at_boundary))
        self._decoder = None
