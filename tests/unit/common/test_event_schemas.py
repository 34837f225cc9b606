import re
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import orjson
import pytest

from libs.common.events import schemas
from libs.common.events.base import Event, Origin
from libs.common.events.envelope import Envelope
from libs.common.events.mail import MessageDeleted
from tests.messaging import NOON

ROOT = Path(__file__).parents[3]
DELETED = MessageDeleted(
    origin=Origin.REPAIR,
    message_id=UUID(int=1),
    connection_id=UUID(int=2),
    user_id="ada",
    google_message_id="m1",
    thread_id="t1",
    occurred_at=NOON,
)


@pytest.mark.parametrize("path", sorted(schemas.render()))
def test_the_committed_document_is_what_the_models_say(path: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8") == schemas.render()[path]


def test_no_document_is_left_of_an_event_that_is_gone() -> None:
    committed = {str(file.relative_to(ROOT)) for file in (ROOT / schemas.FOLDER).iterdir()}

    assert committed <= set(schemas.render())


@pytest.mark.parametrize("event", schemas.EVENTS, ids=lambda event: event.type)
def test_every_schema_is_a_schema(event: type[Event]) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas.event_schema(event))


@pytest.mark.parametrize("event", schemas.EVENTS, ids=lambda event: event.type)
def test_every_event_is_named_by_service_noun_participle_and_version(event: type[Event]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+\.[a-z_]+\.v[1-9][0-9]*", event.type)
    service = event.type.partition(".")[0]
    assert event.source == ("/crm" if service == "crm" else f"/causeway/{service}")


def test_a_published_event_fits_its_schemas() -> None:
    envelope = Envelope.of(DELETED, tenant_id="acme", aggregate_id="1", sequence=1, time=NOON)
    wire = orjson.loads(envelope.to_json())

    jsonschema.validate(wire, schemas.envelope_schema())
    jsonschema.validate(wire["data"], schemas.event_schema(MessageDeleted))


def test_every_message_of_the_asyncapi_document_is_found_where_it_points() -> None:
    document = schemas.asyncapi()

    for name, channel in document["channels"].items():
        assert _resolve(document, channel["messages"]["event"]["$ref"])["name"] == name
        assert _resolve(document, document["operations"][name]["channel"]["$ref"]) is channel


def test_every_file_the_asyncapi_document_points_to_is_rendered() -> None:
    messages = schemas.asyncapi()["components"]["messages"].values()
    parts = [part for message in messages for part in message["payload"]["allOf"]]
    paths = {part.get("$ref") or part["properties"]["data"]["$ref"] for part in parts}

    assert {f"docs/reference/{path.removeprefix('./')}" for path in paths} <= set(schemas.render())


def _resolve(document: dict[str, Any], reference: str) -> Any:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    return found
