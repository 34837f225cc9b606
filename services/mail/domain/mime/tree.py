"""The tree of a message's parts, grown block by block without holding their bodies.

Python's feed parser reads headers and decides where parts begin. It is never shown a body: of
text and of what is like it a bounded beginning is kept, of anything else only the size. So a
message of 35 MB costs as much memory as a small one.

Source: https://www.rfc-editor.org/rfc/rfc2046
"""

import re
from collections.abc import Callable
from email import policy
from email.feedparser import BytesFeedParser
from email.policy import Policy
from typing import Any, BinaryIO

from services.mail.domain.mime import bounds
from services.mail.domain.mime.headers import Headed
from services.mail.domain.mime.transfer import Decoder, blocks, decoder, split_end

READ = ("text", "message", "multipart")
"""Main types whose bodies are kept to be read; of a multipart: what is outside its parts."""
LINE = re.compile(rb"[^\r\n]*+(?:\r\n|\n|\r)?")
HEAD = re.compile(rb"(?:(?!--)[!-9;-~]++:[^\r\n]*+\r?\n(?:[ \t][^\r\n]*+\r?\n)*+)++\r?\n")
"""Headers that are nothing else, and the empty line behind them."""


class Node(Headed):
    """A part: its headers, its place in the tree, and what is known of its body."""

    def __init__(self, policy: "Policy[Any]" = policy.compat32) -> None:
        super().__init__(policy=policy)
        self.children: list[Node] = []
        self.parent: Node | None = None
        self.path = "1"
        self.depth = 0
        self.boundary: str | None = None
        """As the message says, once the headers of a container are read."""
        self.kind = ""
        """The content type, once the headers are read; until then empty."""
        self.size = 0
        """Bytes of the body after decoding."""
        self.body = bytearray()
        self.truncated = False

    def attach(self, payload: Any) -> None:
        """Take in a child; the parser calls this before it reads the child's headers."""
        super().attach(payload)
        if isinstance(payload, Node):
            self.body.clear()
            self.children.append(payload)
            payload.parent = self
            payload.depth = self.depth + 1
            number = str(len(self.children))
            payload.path = number if self.parent is None else f"{self.path}.{number}"

    def get_content_type(self) -> str:
        """Return the type as the parser shall see it: a container, or a leaf of any kind.

        It asks when the headers are read. A message within the message is one leaf to it, and
        so is what is nested too deep.
        """
        self.kind = self.kind or super().get_content_type()
        return self.kind if self.is_container else "application/octet-stream"

    def get_boundary(self, failobj: Any = None) -> Any:
        """Return the boundary as the parser shall see it: by depth, not by what the message says.

        It makes a pattern of each, which costs more than all else it does.
        """
        self.boundary = self.boundary or super().get_boundary()
        return failobj if self.boundary is None else f"={self.depth}"

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
        self._nodes: list[Node] = []
        self._parser = BytesFeedParser(self._new_node, policy=policy.compat32)
        self._nodes.clear()  # the parser tried its factory out
        self._boundaries: dict[bytes, Node] = {}
        """Of the containers that are open; of two that are the same the outer counts."""
        self._current: Node | None = None
        self._decoder: Decoder | None = None
        self._line = b""
        """The header line that is being read."""
        self._headers = 0
        self._kept = 0
        self._is_broken = False
        """The headers of this part are not all in one block, or not all headers."""
        self._epilogue = False

    def _new_node(self, policy: "Policy[Any]" = policy.compat32) -> Node:
        node = Node(policy)
        self._nodes.append(node)
        return node

    def read(self, file: BinaryIO) -> Node:
        at_start = True
        for block in blocks(file):
            self._take_block(block, at_start=at_start)
            at_start = block.endswith((b"\n", b"\r"))
            if len(self._nodes) > bounds.MOST_PARTS:
                break
        if self._line:
            self._head(b"\n")
        self._close(at_boundary=False)
        root = self._parser.close()
        if not isinstance(root, Node):
            raise TypeError("the parser makes what its factory makes")
        return root

    def _take_block(self, block: bytes, *, at_start: bool) -> None:
        """Take in what a block has: bodies and heads as they are, other lines one by one."""
        at = 0
        while at < len(block) and len(self._nodes) <= bounds.MOST_PARTS:
            if at_start and self._boundaries and block.startswith(b"--", at):
                end = self._take_line(block, at)
            elif self._is_inside:
                end = self._next_mark(block, at)
                self._add_inside(block[at:end])
            elif at_start and not self._line and (head := self._whole_head(block, at)):
                end = at + len(head)
                self._show(head)
            else:
                end = self._take_line(block, at)
            at, at_start = end, True

    @property
    def _is_inside(self) -> bool:
        """Whether what comes is no header, until a boundary."""
        return self._epilogue or (self._current is not None and bool(self._current.kind))

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

    def _add_inside(self, lines: bytes) -> None:
        if self._current is not None and self._current.kind:
            self._add(self._current, lines)

    def _whole_head(self, block: bytes, at: int) -> bytes:
        """Return the headers that begin there, to be shown at once; empty: not in this way."""
        if self._is_broken:
            return b""
        found = HEAD.match(block, at)
        room = min(bounds.LONGEST_HEADERS - self._headers, bounds.LARGEST_BODIES - self._kept)
        if found is None or len(found[0]) > room:
            self._is_broken = True  # so that none is looked at twice
            return b""
        return found[0]

    def _show(self, head: bytes) -> None:
        """Show the parser all headers of a part."""
        shown = head.replace(b"\r\n", b"\n")
        size = len(shown) - shown.count(b"\n")
        self._headers += size
        self._kept += size
        self._parser.feed(shown)
        self._look(b"")

    def _cross(self, name: bytes, *, is_end: bool) -> None:
        """Go over a boundary: what is open within its owner is closed."""
        self._close(at_boundary=True)
        owner = self._boundaries[name]
        depth = owner.depth + (0 if is_end else 1)
        self._boundaries = {
            key: node for key, node in self._boundaries.items() if node.depth < depth
        }
        shown = f"--{owner.get_boundary()}".encode()
        self._parser.feed((self._line and b"\n") + shown + (b"--\n" if is_end else b"\n"))
        self._line = b""
        self._current = None
        self._headers = 0
        self._is_broken = False
        self._epilogue = is_end

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
            self._parser.feed(whole + b"\n")
            self._look(whole + end if whole else b"")

    def _look(self, line: bytes) -> None:
        """Find out what the parser made of `line`: a new part, and is it through its headers?"""
        node = self._current = self._nodes[-1]
        if not node.kind:
            return
        self._decoder = decoder(node.encoding)
        if node.is_container and node.get_boundary() is not None:
            name = b"--" + (node.boundary or "").encode("utf-8", "surrogateescape")
            self._boundaries.setdefault(name, node)
        # A line that is no header: the empty line before the body is missing.
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

    def _close(self, *, at_boundary: bool) -> None:
        if self._current is not None and self._decoder is not None:
            self._keep(self._current, self._decoder.close(at_boundary=at_boundary))
        self._decoder = None
