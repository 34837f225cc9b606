"""vCard files that a person imports."""

import quopri
from typing import Any

from tests.emulator.google import ALICE, Answer, Google, Json, Rolodex, group_ids

CARD = """BEGIN:VCARD
VERSION:3.0
FN:Dr Ann Müller
N:Müller;Ann;Mary;Dr;
NICKNAME:Annie
EMAIL;TYPE=INTERNET;TYPE=HOME:ann@home.example
EMAIL;TYPE=INTERNET,WORK,pref:ann@work.example
item1.EMAIL;TYPE=INTERNET:ann@club.example
item1.X-ABLabel:Club
TEL;TYPE=WORK;TYPE=FAX:+41 22 123 45 67
TEL;TYPE=CELL:079 123 45 67
ADR;TYPE=HOME:;;Rue 1;Genève;GE;1200;Suisse
ORG:Acme\\, Inc;Sales
TITLE:Head
BDAY:1980-02-03
URL:https://ann.example
NOTE:First line\\nsecond\\, with a comma
CATEGORIES:myContacts,Clients
END:VCARD
"""


async def load(google: Google, text: str | bytes) -> Answer:
    headers = {"Content-Type": "text/vcard"}
    raw = text.encode() if isinstance(text, str) else text
    return await google.request(
        "POST", f"/_emulator/people/{ALICE}/contacts", data=raw, headers=headers
    )


async def loaded(google: Google, rolodex: Rolodex, text: str | bytes) -> Json:
    answer = await load(google, text)
    assert answer.status == 201, answer.text
    return await rolodex.person(answer.json["resourceNames"][0])


def plain(items: list[Any], *names: str) -> list[Any]:
    return [tuple(item.get(name) for name in names) for item in items]


async def test_a_card_becomes_a_contact(google: Google, rolodex: Rolodex) -> None:
    found = await loaded(google, rolodex, CARD)

    assert found["names"][0]["displayName"] == "Dr Ann Mary Müller"
    assert plain(found["emailAddresses"], "value", "type") == [
        ("ann@home.example", "home"),
        ("ann@work.example", "work"),
        ("ann@club.example", "Club"),
    ]
    assert plain(found["phoneNumbers"], "canonicalForm", "type") == [
        ("+41221234567", "workFax"),
        (None, "mobile"),
    ]
    assert found["addresses"][0]["formattedValue"] == "Rue 1\n1200 Genève\nGE\nSuisse"
    assert plain(found["organizations"], "name", "department", "title") == [
        ("Acme, Inc", "Sales", "Head")
    ]
    assert found["birthdays"][0]["date"] == {"year": 1980, "month": 2, "day": 3}
    assert found["biographies"][0]["value"] == "First line\nsecond, with a comma"
    assert found["nicknames"][0]["value"] == "Annie"
    assert found["urls"][0]["value"] == "https://ann.example"


async def test_the_preferred_address_is_primary(google: Google, rolodex: Rolodex) -> None:
    found = await loaded(google, rolodex, CARD)

    marks = [mail["metadata"].get("primary", False) for mail in found["emailAddresses"]]
    assert marks == [False, True, False]


async def test_categories_become_labels(google: Google, rolodex: Rolodex) -> None:
    found = await loaded(google, rolodex, CARD)

    groups = (await rolodex.get("contactGroups"))["contactGroups"]
    names = {
        group["resourceName"].removeprefix("contactGroups/"): group["name"] for group in groups
    }
    assert sorted(names[key] for key in group_ids(found)) == ["Clients", "myContacts"]


async def test_a_card_without_parts_of_a_name_has_one(google: Google, rolodex: Rolodex) -> None:
    card = "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ann Lee\r\nBDAY:--0203\r\nEND:VCARD\r\n"

    found = await loaded(google, rolodex, card)

    assert found["names"][0]["familyName"] == "Lee"
    assert found["birthdays"][0]["date"] == {"month": 2, "day": 3}


async def test_an_old_card_in_quoted_printable_is_read(google: Google, rolodex: Rolodex) -> None:
    name = quopri.encodestring("Müller;Ann;;;".encode()).decode()
    card = (
        "BEGIN:VCARD\nVERSION:2.1\n"
        f"N;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:{name}\nTEL;CELL:123\nEND:VCARD\n"
    )

    found = await loaded(google, rolodex, card)

    assert found["names"][0]["displayName"] == "Ann Müller"
    assert found["phoneNumbers"][0]["type"] == "mobile"


async def test_a_file_in_the_charset_of_windows_is_read(google: Google, rolodex: Rolodex) -> None:
    card = "BEGIN:VCARD\nVERSION:3.0\nFN:Zoë\nN:;Zoë;;;\nEND:VCARD\n"

    found = await loaded(google, rolodex, card.encode("cp1252"))

    assert found["names"][0]["givenName"] == "Zoë"


async def test_a_broken_card_is_named_and_the_others_are_loaded(google: Google) -> None:
    broken = "BEGIN:VCARD\nVERSION:3.0\nthis is no line\nEND:VCARD\n"
    wrong = "BEGIN:VCARD\nVERSION:3.0\nFN:Ann\nBDAY:1980-02-31\nEND:VCARD\n"

    answer = await load(google, broken + CARD + wrong)

    assert len(answer.json["resourceNames"]) == 1
    assert [one["card"] for one in answer.json["refused"]] == [0, 2]
    assert all(one["reason"] for one in answer.json["refused"])


async def test_what_is_no_file_of_cards_is_refused(google: Google) -> None:
    for raw in (b"", b"\xff\xfe", b"BEGIN:VCALENDAR\nEND:VCALENDAR\n"):
        assert (await load(google, raw)).status == 400
