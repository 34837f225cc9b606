"""One part of a message, for download: decoded as it is read, never held as a whole."""

from collections import deque
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import IO

from libs.common.errors import NotFound
from services.mail.domain.mime.tree import Node, read_tree


def extract(path: str | PathLike[str], part: str, sink: IO[bytes]) -> int:
    """Write the decoded content of a part to `sink`; return how many bytes it has.

    Args:
        path: of the file that holds the message.
        part: path of a leaf in the tree, as in `Attachment.part`.
        sink: open for writing.

    Raises:
        NotFound: the message has no such part, or it consists of parts itself.
        OSError: the file cannot be read, or the sink not written.
    """
    found: deque[Node] = deque(maxlen=1)

    def tap(node: Node, octets: bytes) -> None:
        if node.path == part:
            found.append(node)
            sink.write(octets)

    with Path(path).open("rb") as file:
        root = read_tree(file, tap)
    if found:
        return found[0].size
    for node in _all(root):
        if node.path == part and not node.children:  # empty, or a multipart without parts
            sink.write(node.body)
            return node.size
    raise NotFound("The message has no such part.")


def _all(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from _all(child)
