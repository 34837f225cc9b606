"""What machines send about mail: calendars, delivery, disposition and feedback reports.

Source: https://www.rfc-editor.org/rfc/rfc3464, RFC 3798 and RFC 5965; RFC 5545 for calendars
"""

import re
from collections.abc import Iterable
from email import message_from_bytes, policy
from email.message import Message

from services.mail.domain.message import CalendarPart, Report
from services.mail.domain.mime.bounds import LONGEST_ADDRESS, LONGEST_ID, MOST_UIDS
from services.mail.domain.mime.headers import field, param
from services.mail.domain.mime.text import clean, one_line
from services.mail.domain.mime.tree import Node

KINDS = {
    "message/delivery-status": "delivery",
    "message/global-delivery-status": "delivery",
    "message/disposition-notification": "disposition",
    "message/global-disposition-notification": "disposition",
    "message/feedback-report": "feedback",
}
MOST_BLOCKS = 100
LARGEST_REPORT = 64 * 1024
LONGEST_ACTION = 100
STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
WORST_FIRST = ("failed", "delayed", "expanded", "relayed", "delivered")
BLANK = re.compile(rb"\r?\n[ \t]*\r?\n|\r[ \t]*\r")
FOLD = re.compile(r"\n[ \t]")
METHOD = re.compile(r"^METHOD(?:;[^:\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)
UID = re.compile(r"^UID(?:;[^:\n]*)?:(.*)$", re.IGNORECASE | re.MULTILINE)


def read_calendar(node: Node, text: str) -> CalendarPart:
    """Return what a text/calendar part is about; `text` has newlines as line ends."""
    unfolded = FOLD.sub("", text)
    found = METHOD.search(unfolded)
    method = one_line(found[1] if found else param(node, "method") or "").upper()[:LONGEST_ACTION]
    uids = dict.fromkeys(
        uid for one in UID.finditer(unfolded) if (uid := clean(one_line(one[1]), LONGEST_ID))
    )
    return CalendarPart(method=clean(method, LONGEST_ACTION) or None, uids=tuple(uids)[:MOST_UIDS])


def read_report(nodes: Iterable[Node]) -> Report | None:
    """Return what the first report among these leaves says; None: there is none."""
    for node in nodes:
        if kind := KINDS.get(node.kind):
            blocks = [
                message_from_bytes(block.strip(b"\r\n") + b"\n", policy=policy.compat32)
                for block in BLANK.split(bytes(node.body[:LARGEST_REPORT]))[:MOST_BLOCKS]
                if block.strip()
            ]
            return _report(kind, blocks)
    return None


def _report(kind: str, blocks: "list[Message[str, str]]") -> Report:
    if kind == "delivery":
        block = min((one for one in blocks if field(one, "Action")), key=_rank, default=None)
        status = STATUS.search(_of(block, "Status"))
        return Report(
            kind=kind,
            status=status[0] if status else None,
            action=_action(_of(block, "Action")),
            recipient=_recipient(_of(block, "Final-Recipient", "Original-Recipient")),
        )
    block = blocks[0] if blocks else None
    if kind == "disposition":
        said = _of(block, "Disposition").rpartition(";")[2].partition("/")[0]
        recipient = _of(block, "Final-Recipient", "Original-Recipient")
    else:
        said, recipient = _of(block, "Feedback-Type"), _of(block, "Original-Rcpt-To")
    return Report(kind=kind, action=_action(said), recipient=_recipient(recipient))


def _rank(block: "Message[str, str]") -> int:
    action = _action(field(block, "Action"))
    return WORST_FIRST.index(action) if action in WORST_FIRST else len(WORST_FIRST)


def _of(block: "Message[str, str] | None", *names: str) -> str:
    if block is None:
        return ""
    return next((value for name in names if (value := field(block, name))), "")


def _action(value: str) -> str | None:
    return clean(value.partition("(")[0].strip().lower(), LONGEST_ACTION) or None


def _recipient(value: str) -> str | None:
    """Return the address of `rfc822; address`."""
    address = value.rpartition(";")[2].strip().strip("<>")
    return clean(address, LONGEST_ADDRESS) or None
