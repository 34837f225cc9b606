"""Persons as the API shows them: contacts, and the profiles of people who have an account."""

import hashlib
from typing import Final

from emulator.contacts.contact import Contact, Json
from emulator.people import Person

MOST_LISTED: Final = 100
"""So many addresses and numbers of a person stand in a list."""
_CUT: Final = ("emailAddresses", "phoneNumbers")
_PHOTO: Final = "https://lh3.googleusercontent.com/a/default-user=s100"


def contact(one: Contact, mask: frozenset[str]) -> Json:
    """Return the fields of a contact that the mask names."""
    found: Json = {"resourceName": one.name, "etag": one.etag}
    if "metadata" in mask:
        found["metadata"] = {"sources": [one.source], "objectType": "PERSON"}
    found.update((name, items) for name, items in one.shown.items() if name in mask)
    return found


def listed(one: Contact, mask: frozenset[str], *, is_sync: bool) -> Json:
    """Return a contact as a list shows it: shortened; in a synchronisation with its past."""
    if one.is_deleted:
        return _tombstone(one, mask)
    found = contact(one, mask)
    for name in _CUT:
        if len(found.get(name, ())) > MOST_LISTED:
            found[name] = found[name][:MOST_LISTED]
    if is_sync and one.former and "metadata" in mask:
        found["metadata"]["previousResourceNames"] = list(one.former)
    return found


def profile(who: Person, mask: frozenset[str], *, is_me: bool) -> Json:
    """Return what the API shows of somebody's account; addresses only to themselves."""
    source = {"type": "PROFILE", "id": who.sub}
    about = {"primary": True, "source": source}
    marked = {**about, "sourcePrimary": True}
    etag = "%Eg" + hashlib.sha256(repr(who).encode()).hexdigest()[:20]
    shown: Json = {
        "names": [
            {
                "metadata": marked,
                "displayName": who.name,
                "displayNameLastFirst": ", ".join(
                    part for part in (who.family_name, who.given_name) if part
                ),
                "unstructuredName": who.name,
                "givenName": who.given_name,
                **({"familyName": who.family_name} if who.family_name else {}),
            }
        ],
        "photos": [{"metadata": about, "url": _PHOTO, "default": True}],
    }
    if is_me:
        verified = {**marked, "verified": who.email_verified}
        shown["emailAddresses"] = [{"metadata": verified, "value": who.email}]
    found: Json = {"resourceName": f"people/{who.sub}", "etag": etag}
    if "metadata" in mask:
        kind = {"objectType": "PERSON", "userTypes": ["GOOGLE_USER"]}
        sources = [{**source, "etag": f"#{etag[3:]}", "profileMetadata": kind}]
        found["metadata"] = {"sources": sources, "objectType": "PERSON"}
    return {**found, **{name: items for name, items in shown.items() if name in mask}}


def _tombstone(one: Contact, mask: frozenset[str]) -> Json:
    found: Json = {"resourceName": one.name, "etag": one.etag}
    if "metadata" in mask:
        source = {"type": one.source["type"], "id": one.key, "etag": one.source_etag}
        found["metadata"] = {"sources": [source], "deleted": True, "objectType": "PERSON"}
        if one.former:
            found["metadata"]["previousResourceNames"] = list(one.former)
    return found
