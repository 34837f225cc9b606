"""People as Google hands them out: about 1.7 kB each, as connections.list shows the own contacts.

The same number always gives the same person. All have a name and addresses; most a number, half
an employer, some a birthday, a postal address, notes, fields of the person's own. No two share an
address or a number: nobody is somebody else.
"""

import random
from typing import Any, Final

from bench.house.letters import WORDS

Json = dict[str, Any]

GROUP: Final = "contactGroups/myContacts"
LABEL: Final = "contactGroups/2f1c0d8a0b7c"
GIVEN = ("Bia", "Ana", "Zoë", "Léa", "Otávio", "João", "Grace", "Noé", "Inês", "Paul")
FAMILY = ("Ramos", "Álvares", "Lima", "Martin", "Œuvrard", "Souza", "Hopper", "Petit", "Silva")
CITIES = ("São Paulo", "Lyon", "Recife", "Curitiba", "Nantes")
LABELLED = 10
"""Every tenth has a label."""


def resource(number: int) -> str:
    """Return a person's resource name."""
    return f"people/c{4_000_000_000_000_000_000 + number}"


def contact(number: int, *, version: int = 0) -> Json:
    """Return a person as connections.list shows them.

    Args:
        number: who.
        version: counts the changes.
    """
    rng = random.Random(number)  # noqa: S311 - content only
    source = {"type": "CONTACT", "id": f"{number:016x}"}
    meta = {"primary": True, "source": source}
    second = {"source": source}
    given, family = rng.choice(GIVEN), f"{rng.choice(FAMILY)} {number}"
    name = f"{given} {family}"
    shown: Json = {
        "resourceName": resource(number),
        "etag": f"%EgUBAj03LhoEAQIFByIMT1VZ{number:08d}{version:04d}",
        "metadata": {
            "sources": [
                {
                    **source,
                    "etag": f"#OUY{number:08d}{version:04d}",
                    "updateTime": f"2026-11-20T10:{version // 60 % 60:02d}:{version % 60:02d}.123Z",
                }
            ],
            "objectType": "PERSON",
        },
        "names": [
            {
                "metadata": meta,
                "displayName": name,
                "familyName": family,
                "givenName": given,
                "displayNameLastFirst": f"{family}, {given}",
                "unstructuredName": name,
            }
        ],
        "emailAddresses": [
            {
                "metadata": meta,
                "value": f"person{number}@customer{number % 120}.example",
                "type": "work",
                "formattedType": "Work",
            }
        ],
        "memberships": [_member(GROUP, second)],
    }
    if number % 3 == 0:
        shown["emailAddresses"].append(
            {
                "metadata": second,
                "value": f"Home.{number}@Private.example",
                "type": "home",
                "formattedType": "Home",
            }
        )
    if number % 5:
        shown["phoneNumbers"] = _phones(number, meta, second)
    if number % 2:
        company = f"Company {number % 900}"
        job = {"metadata": meta, "name": company, "title": rng.choice(WORDS)}
        shown["organizations"] = [job]
    if number % 4 == 1:
        shown["addresses"] = [_address(rng, number, meta)]
    if number % 6 == 1:
        day = {"year": 1950 + number % 50, "month": 1 + number % 12, "day": 1 + number % 28}
        text = f"{day['day']}/{day['month']}/{day['year']}"
        shown["birthdays"] = [{"metadata": meta, "date": day, "text": text}]
    if number % 7 == 1 or version:
        notes = f"{' '.join(rng.choice(WORDS) for _ in range(25))} {version or ''}".strip()
        note = {"metadata": meta, "value": notes, "contentType": "TEXT_PLAIN"}
        shown["biographies"] = [note]
    if number % 8 == 1:
        pair = {"metadata": meta, "key": "customer number", "value": f"K-{number:06d}"}
        shown["userDefined"] = [pair]
    if number % LABELLED == 0:
        shown["memberships"].append(_member(LABEL, second))
    return shown


def labels() -> list[Json]:
    """Return the person's one label, and the group that Google has for all."""
    return [
        {
            "resourceName": GROUP,
            "etag": "g1",
            "groupType": "SYSTEM_CONTACT_GROUP",
            "name": "myContacts",
            "formattedName": "My Contacts",
        },
        {
            "resourceName": LABEL,
            "etag": "g2",
            "metadata": {"updateTime": "2026-11-01T08:00:00Z"},
            "groupType": "USER_CONTACT_GROUP",
            "name": "Customers",
            "formattedName": "Customers",
        },
    ]


def _phones(number: int, meta: Json, second: Json) -> list[Json]:
    """Return a mobile number as a Brazilian types it, and for some a French one."""
    tail = f"8{number % 10_000_000:07d}"
    found = [
        {
            "metadata": meta,
            "value": f"(11) 9{tail[:4]}-{tail[4:]}",
            "canonicalForm": f"+55119{tail}",
            "type": "mobile",
            "formattedType": "Mobile",
        }
    ]
    if number % 4 == 0:
        found.append(
            {
                "metadata": second,
                "value": f"+33 6 {tail[0:2]} {tail[2:4]} {tail[4:6]} {tail[6:8]}",
                "canonicalForm": f"+336{tail}",
                "type": "work",
                "formattedType": "Work",
            }
        )
    return found


def _address(rng: random.Random, number: int, meta: Json) -> Json:
    street, city = f"Rua {rng.choice(WORDS)} {number}", rng.choice(CITIES)
    return {
        "metadata": meta,
        "formattedValue": f"{street}\n{city}",
        "type": "home",
        "formattedType": "Home",
        "streetAddress": street,
        "city": city,
        "postalCode": f"{number % 100_000:05d}-000",
        "country": "Brasil",
        "countryCode": "BR",
    }


def _member(group: str, meta: Json) -> Json:
    membership = {
        "contactGroupId": group.partition("/")[2],
        "contactGroupResourceName": group,
    }
    return {"metadata": meta, "contactGroupMembership": membership}
