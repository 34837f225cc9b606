"""The events as documents for other teams: JSON Schemas and an AsyncAPI description.

`python -m libs.common.events.schemas` writes them below the current directory; a test
asserts that what is committed is what this renders.

Source: https://json-schema.org/draft/2020-12, https://www.asyncapi.com/docs/reference/specification/v3.0.0
"""

import json
from pathlib import Path
from typing import Any

from libs.common.events import auth, calendar, contacts, crm, mail
from libs.common.events.base import Event
from libs.common.events.envelope import CONTENT_TYPE, Envelope, schema_uri

DIALECT = "https://json-schema.org/draft/2020-12/schema"
FOLDER = "docs/reference/events"
ASYNCAPI = "docs/reference/asyncapi.json"

PUBLISHED: tuple[type[Event], ...] = (
    *auth.EVENTS,
    *calendar.EVENTS,
    *contacts.EVENTS,
    *mail.EVENTS,
)
"""Every event the product publishes."""

EVENTS: tuple[type[Event], ...] = (*PUBLISHED, *crm.EVENTS)
"""The same, and those it takes in."""


def render() -> dict[str, str]:
    """Return the documents: path below the repository's root -> text."""
    documents = {f"{FOLDER}/{event.type}.json": event_schema(event) for event in EVENTS}
    documents[f"{FOLDER}/envelope.json"] = envelope_schema()
    documents[ASYNCAPI] = asyncapi()
    return {path: json.dumps(document, indent=2) + "\n" for path, document in documents.items()}


def event_schema(event: type[Event]) -> dict[str, Any]:
    """Return the JSON Schema of an event's `data`; its `$id` is the envelope's `dataschema`."""
    schema = event.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": DIALECT, "$id": schema_uri(event.type)} | schema


def envelope_schema() -> dict[str, Any]:
    """Return the JSON Schema of what surrounds every event's data."""
    schema = Envelope.model_json_schema(mode="serialization")
    return {"$schema": DIALECT, "$id": schema_uri("envelope")} | schema


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the exchange: what is sent and received."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Causeway events",
            "version": "1",
            "description": "Domain events of Google Workspace data, as CloudEvents 1.0 "
            "(structured JSON) on the topic exchange `crm.events`; routing key = type.",
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": {event.type: _channel(event) for event in EVENTS},
        "operations": {event.type: _operation(event) for event in EVENTS},
        "components": {"messages": {event.type: _message(event) for event in EVENTS}},
    }


def _channel(event: type[Event]) -> dict[str, Any]:
    return {
        "address": event.type,
        "messages": {"event": {"$ref": f"#/components/messages/{event.type}"}},
        "bindings": {
            "amqp": {
                "is": "routingKey",
                "exchange": {"name": "crm.events", "type": "topic", "durable": True},
            }
        },
    }


def _operation(event: type[Event]) -> dict[str, Any]:
    return {
        "action": "send" if event in PUBLISHED else "receive",
        "channel": {"$ref": f"#/channels/{event.type}"},
        "summary": _summary(event),
        "bindings": {"amqp": {"deliveryMode": 2, "mandatory": True}},
    }


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.type,
        "title": event.__name__,
        "summary": _summary(event),
        "contentType": CONTENT_TYPE,
        "payload": {
            "allOf": [
                {"$ref": "./events/envelope.json"},
                {"properties": {"data": {"$ref": f"./events/{event.type}.json"}}},
            ]
        },
    }


def _summary(event: type[Event]) -> str:
    return (event.__doc__ or "").strip().partition("\n")[0]


def main() -> None:
    """Write the documents below the current directory."""
    for path, text in render().items():
        file = Path(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
