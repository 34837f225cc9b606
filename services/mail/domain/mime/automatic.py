"""Mail that no person wrote to another: of machines, and of lists.

Source: https://www.rfc-editor.org/rfc/rfc3834, RFC 2919 (List-Id), RFC 2369 (List-Unsubscribe)
"""

from email.message import Message
from typing import Any

from services.mail.domain.mime.headers import field, raw_fields

HEADERS = ("Auto-Submitted", "Precedence", "List-Id", "List-Unsubscribe")
BULK = frozenset({"bulk", "list", "junk", "auto_reply"})


def is_automatic(message: "Message[Any, Any]") -> bool:
    """Say whether its headers call it automatic, bulk, or mail of a list."""
    if raw_fields(message, "List-Id") or raw_fields(message, "List-Unsubscribe"):
        return True
    submitted = field(message, "Auto-Submitted").partition(";")[0].strip().lower()
    if submitted not in ("", "no"):
        return True
    return field(message, "Precedence").strip().lower() in BULK
