"""users.settings.sendAs: the addresses that a person sends from.

Source: https://developers.google.com/workspace/gmail/api/guides/alias_and_signature_settings
"""

from typing import Any, Final

from emulator.errors import not_found
from emulator.gmail.access import owner
from emulator.people import Alias, Person
from emulator.rest.call import Call, Operation

Json = dict[str, Any]


def list_send_as(call: Call) -> Json:
    """Return the person's own address, then the aliases."""
    return {"sendAs": send_as(owner(call))}


def get(call: Call) -> Json:
    """Return one address, or Gmail's 404."""
    wanted = call.path["sendAsEmail"].lower()
    for found in send_as(owner(call)):
        if found["sendAsEmail"] == wanted:
            return found
    raise not_found()


def send_as(person: Person) -> list[Json]:
    """Return the person's addresses as the API describes them."""
    default = person.sends_as or person.email
    primary = {
        **_common(person.email, person.name),
        "isPrimary": True,
        "isDefault": default == person.email,
    }
    return [primary, *(_alias(alias, default) for alias in person.aliases)]


def _alias(alias: Alias, default: str) -> Json:
    return {
        **_common(alias.email, alias.name),
        "isDefault": alias.email == default,
        "treatAsAlias": True,
        "verificationStatus": "accepted",
    }


def _common(email: str, name: str) -> Json:
    return {"sendAsEmail": email, "displayName": name, "replyToAddress": "", "signature": ""}


_PREFIX: Final = "gmail.users.settings.sendAs."
OPERATIONS: Final = {
    f"{_PREFIX}list": Operation(list_send_as, units=1),
    f"{_PREFIX}get": Operation(get, units=1),
}
