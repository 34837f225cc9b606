"""What Gmail's methods cost, in Google's quota units as of May 2026.

A batch costs what its parts cost; formats of one method cost the same.
Source: https://developers.google.com/workspace/gmail/api/reference/quota
"""

UNITS = {
    "gmail.users.getProfile": 1,
    "gmail.users.watch": 100,
    "gmail.users.stop": 50,
    "gmail.users.history.list": 2,
    "gmail.users.labels.list": 1,
    "gmail.users.messages.list": 5,
    "gmail.users.messages.get": 20,
    "gmail.users.messages.attachments.get": 20,
    "gmail.users.messages.modify": 5,
    "gmail.users.messages.batchModify": 50,
    "gmail.users.drafts.create": 10,
    "gmail.users.drafts.update": 15,
    "gmail.users.drafts.get": 5,
    "gmail.users.drafts.list": 5,
    "gmail.users.drafts.delete": 10,
    "gmail.users.drafts.send": 100,
    "gmail.users.settings.sendAs.list": 1,
}
UNLISTED = 100
"""Of a method that is not in the table: too much rather than too little."""


def units(method_id: str) -> int:
    """Return the units that a call of `method_id` (`gmail.users.messages.get`) costs."""
    return UNITS.get(method_id, UNLISTED)
