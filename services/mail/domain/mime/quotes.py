"""What a message adds to its conversation: without quoted history and signature.

`replies` knows how mail programs of a dozen languages introduce what they quote. Its patterns
take minutes over long lines, so it is shown a bounded outline of the text only, and what it keeps
is looked up in the text again.
"""

import re

from services.mail.domain.mime.replies import latest_reply

LONGEST_LINE = 200
MOST_LINES = 400
LARGEST_OUTLINE = 16_000
PORTUGUESE = re.compile(
    r"^(?:>?\s?Em .{4,150}escreveu:?\s*|-{2,20}\s?Mensagem (?:original|encaminhada)\s?-{2,20})$",
    re.MULTILINE | re.IGNORECASE,
)
INTRODUCTION = re.compile(r"^.{0,190}:$", re.DOTALL)
SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)


def new_text(text: str) -> str:
    """Return what is new in `text`; the whole text if nothing else would remain."""
    text = text.strip()
    found = PORTUGUESE.search(text) if _is_portuguese(text.lower()) else None
    head = text[: found.start()] if found and text[: found.start()].strip() else text
    head = _without_signature(head)
    if not head:
        return text
    kept = _kept_lines(head) or head.split("\n")
    new = _without_quotes(kept) or _without_quotes(head.split("\n"))
    return new or text


def _is_portuguese(low: str) -> bool:
    """Say whether it is worth looking for what Portuguese programs write."""
    return "escreveu" in low or "mensagem" in low


def _without_signature(text: str) -> str:
    if "--" not in text:
        return text
    found = SIGNATURE.search(text)
    return text[: found.start()].strip() if found and text[: found.start()].strip() else text


def _kept_lines(text: str) -> list[str]:
    """Return the lines that the library takes for the latest reply."""
    lines = text.split("\n")
    outline = _outline(lines)
    reply = latest_reply(outline)
    if reply is None:
        return []
    kept = _same_lines(lines, outline, [line.strip() for line in reply.body.split("\n")])
    if len(outline) < len(lines) and reply.is_all:
        kept += lines[len(outline) :]
    return kept if any(line.strip() for line in kept) else []


def _same_lines(lines: list[str], outline: list[str], wanted: list[str]) -> list[str]:
    """Return the lines whose outlines are wanted, in this order."""
    if outline[: len(wanted)] == wanted:  # nearly always
        return lines[: len(wanted)]
    kept: list[str] = []
    for line, shown in zip(lines, outline, strict=False):
        if len(kept) < len(wanted) and shown == wanted[len(kept)]:
            kept.append(line)
    return kept


def _outline(lines: list[str]) -> list[str]:
    outline: list[str] = []
    size = 0
    for line in lines[:MOST_LINES]:
        shown = line.strip()[:LONGEST_LINE].strip()
        size += len(shown) + 1
        if size > LARGEST_OUTLINE:
            break
        outline.append(shown)
    return outline


def _without_quotes(lines: list[str]) -> str:
    """Return the lines without those that quote, and without what introduces a quotation."""
    if not any(">" in line for line in lines):
        return "\n".join(lines).strip()
    kept: list[str] = []
    for line in lines:
        if not line.lstrip().startswith(">"):
            kept.append(line)
            continue
        while kept and not kept[-1].strip():
            kept.pop()
        if kept and INTRODUCTION.match(kept[-1].strip()):
            kept.pop()
    return "\n".join(kept).strip()
