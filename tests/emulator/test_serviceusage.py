"""Which APIs a project has enabled."""

from google.auth.credentials import AnonymousCredentials
from googleapiclient.discovery import build_from_document

from tests.emulator.google import Google
from tests.emulator.test_google_libraries import in_thread

PROJECT = "projects/proj-one"
GMAIL, PUBSUB = "gmail.googleapis.com", "pubsub.googleapis.com"


async def states(google: Google, *services: str) -> dict[str, str]:
    names = [("names", f"{PROJECT}/services/{service}") for service in services]
    answer = await google.request("GET", f"/v1/{PROJECT}/services:batchGet", params=names)
    assert answer.status == 200, answer.text
    return {one["config"]["name"]: one["state"] for one in answer.json["services"]}


async def test_an_api_is_off_until_it_is_enabled(google: Google) -> None:
    assert set((await states(google, GMAIL, PUBSUB)).values()) == {"DISABLED"}

    url = f"/v1/{PROJECT}/services:batchEnable"
    answer = await google.request("POST", url, json={"serviceIds": [GMAIL]})

    assert answer.json["done"]
    operation = await google.request("GET", f"/v1/{answer.json['name']}")
    assert operation.json["done"]
    assert await states(google, GMAIL, PUBSUB) == {GMAIL: "ENABLED", PUBSUB: "DISABLED"}
    shown = await google.request("GET", f"/v1/{PROJECT}/services/{GMAIL}")
    assert shown.json["parent"] == "projects/112233445566"


async def test_what_google_refuses_is_refused(google: Google) -> None:
    url = f"/v1/{PROJECT}/services:batchEnable"
    assert (await google.request("POST", url, json={"serviceIds": []})).status == 400
    unknown = {"serviceIds": ["no-such.googleapis.com"]}
    assert (await google.request("POST", url, json=unknown)).status == 403
    other = [("names", f"projects/other/services/{GMAIL}")]
    path = f"/v1/{PROJECT}/services:batchGet"
    assert (await google.request("GET", path, params=other)).status == 400


async def test_googles_client_is_built_from_the_document_that_is_served(google: Google) -> None:
    path = "/discovery/v1/apis/serviceusage/v1/rest"
    document = (await google.request("GET", path)).json

    def ask() -> str:
        nobody = AnonymousCredentials()  # type: ignore[no-untyped-call] # Google's
        with build_from_document(document, credentials=nobody) as service:
            name = f"{PROJECT}/services/{PUBSUB}"
            return str(service.services().get(name=name).execute()["state"])

    assert await in_thread(ask) == "DISABLED"
