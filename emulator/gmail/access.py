"""What every Gmail method does first: whose mailbox is it, and what may this token see of it?"""

from typing import Final

from emulator.errors import forbidden
from emulator.gmail.mailbox import Mailbox
from emulator.people import Person
from emulator.rest.call import Call

_GMAIL: Final = "https://www.googleapis.com/auth/gmail."
METADATA: Final = f"{_GMAIL}metadata"
_CONTENT: Final = frozenset({"https://mail.google.com/", f"{_GMAIL}readonly", f"{_GMAIL}modify"})


def owner(call: Call) -> Person:
    """Return the person that `userId` names.

    Raises:
        ApiError: 403; the token belongs to somebody else.
    """
    wanted = call.path["userId"]
    person = call.world.people.find(call.token.sub) if call.token else None
    if person is None or (wanted != "me" and wanted.lower() != person.email):
        raise forbidden(f"Delegation denied for {wanted}")
    return person


def mailbox(call: Call) -> Mailbox:
    """Return the mailbox that `userId` names.

    Raises:
        ApiError: 403; the token belongs to somebody else.
    """
    return call.world.mailbox(owner(call).email)


def only_metadata(call: Call) -> bool:
    """Return whether the token sees headers and labels but no content."""
    scopes = set(call.token.scopes) if call.token else set()
    return METADATA in scopes and not scopes & _CONTENT
