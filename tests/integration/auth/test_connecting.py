"""The way of a connection: link, consent, confirmation, and what others learn of it."""

from libs.common.events.auth import ConnectionAuthorized
from tests.integration.auth.stand import ALICE, MAIL, Stand


async def test_a_confirmed_consent_makes_an_active_connection_and_one_event(auth: Stand) -> None:
    connection = await auth.connect()

    assert connection["state"] == "active"
    assert connection["reason"] is None
    assert connection["account"] == {"email": ALICE}
    assert connection["products"] == [
        {"name": "mail", "access": "write", "granted_scopes": [MAIL + "modify"]}
    ]
    [envelope] = await auth.events()
    event = envelope.parse(ConnectionAuthorized)
    assert envelope.subject == f"connection/{connection['id']}"
    assert envelope.tenantid == "acme"
    assert envelope.sequence == f"{1:020}"
    assert (event.user_id, event.account.email, event.cause) == ("ada", ALICE, "consent")
    assert [(p.name, p.access) for p in event.products] == [("mail", "write")]


async def test_other_services_find_the_connection_and_get_a_token_that_works(
    auth: Stand,
) -> None:
    connection = await auth.connect(access="read")

    listed = await auth.internal("GET", "/internal/v1/connections?product=mail")
    [item] = listed.body["items"]
    assert item["id"] == connection["id"]
    assert (item["tenant_id"], item["user_id"], item["state"]) == ("acme", "ada", "active")
    assert item["account"]["email"] == ALICE
    assert item["products"] == [{"name": "mail", "access": "read"}]
    token = await auth.token(connection["id"])
    assert token.status == 200
    url = f"{auth.settings.google_origin}/gmail/v1/users/me/profile"
    headers = {"Authorization": f"Bearer {token.body['access_token']}"}
    async with auth.session.get(url, headers=headers) as response:
        assert (await response.json())["emailAddress"] == ALICE
