"""Labels by name: renamed ones keep their id, and no message is touched."""

from typing import Any

from tests.integration.mail.stand import Stand
from tests.integration.service_stand import ALICE
from tests.support import eventually

MODIFY = "https://www.googleapis.com/auth/gmail.modify"
LABELS = "/gmail/v1/users/me/labels"


async def gmail(mail: Stand, method: str, path: str, body: Any = None) -> Any:
    """Call Gmail as the person's own program."""
    body_of_token = {"scopes": [MODIFY]}
    token = await mail.google.control("POST", f"people/{ALICE}/tokens", body_of_token)
    headers = {"Authorization": f"Bearer {token['access_token']}"}
    url = f"{mail.google.origin}{path}"
    async with mail.session.request(method, url, json=body, headers=headers) as answer:
        assert answer.ok, await answer.text()
        return await answer.json()


async def names(mail: Stand, connection_id: str) -> dict[str, str]:
    page = await mail.get(f"/v1/mail/labels?connection_id={connection_id}")
    return {one["id"]: one["name"] for one in page["items"]}


async def test_a_label_that_is_new_is_known_by_its_name_at_once(mail: Stand) -> None:
    connection_id = await mail.connect()
    sent = await mail.deliver()
    await mail.told("received")
    label = await gmail(mail, "POST", LABELS, {"name": "Clients"})
    await mail.edit(sent["id"], "label", add=[label["id"]])
    await mail.told("received", "updated")
    assert (await names(mail, connection_id))[label["id"]] == "Clients"


async def test_a_renamed_label_keeps_its_id_and_touches_no_message(mail: Stand) -> None:
    label = await gmail(mail, "POST", LABELS, {"name": "Clients"})
    connection_id = await mail.connect()
    await mail.deliver(labels=["INBOX", label["id"]])
    await mail.told("received")
    await gmail(mail, "PATCH", f"{LABELS}/{label['id']}", {"name": "Customers"})
    body = {"connection_id": connection_id, "mode": "repair"}
    assert (await mail.call("POST", "/v1/mail/sync?wait=20", body)).body["state"] == "done"

    async def is_renamed() -> bool:
        return (await names(mail, connection_id)).get(label["id"]) == "Customers"

    await eventually(is_renamed)
    assert mail.types() == ["received"]
