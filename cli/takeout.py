"""What a Google Takeout export looks like: an mbox file with two headers of Google's own.

Source: https://support.google.com/accounts/answer/3024190 and RFC 4155 on mbox.
"""

import re
from typing import Final

POSTMARK: Final = b"From "
"""How every message of an mbox file begins."""
QUOTED_POSTMARK: Final = re.compile(rb"(?m)^>(>*From )")
HEAD_END: Final = re.compile(rb"\r?\n\r?\n")
EXPORT_HEADERS: Final = re.compile(
    rb"(?im)^(?:X-GM-THRID|X-Gmail-Labels)[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*"
)
CATEGORIES: Final = ("personal", "social", "promotions", "updates", "forums")
SYSTEM_LABELS: Final = {
    "inbox": "INBOX",
    "sent": "SENT",
    "unread": "UNREAD",
    "starred": "STARRED",
    "important": "IMPORTANT",
    "spam": "SPAM",
    "trash": "TRASH",
    "bin": "TRASH",
    "draft": "DRAFT",
    "drafts": "DRAFT",
    "chat": "CHAT",
    **{f"category {name}": f"CATEGORY_{name.upper()}" for name in CATEGORIES},
}
"""Google's own labels by the name an export gives them, in English and small letters."""
