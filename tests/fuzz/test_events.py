"""Whatever arrives as an event is one, or is refused as invalid: no handler sees more."""

from functools import partial
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from libs.common.connections.telling import told_by
from libs.common.errors import InvalidInput
from libs.common.events import crm
from libs.common.events.envelope import Envelope
from tests.fuzz.effort import tries
from tests.fuzz.json_strategies import almost, anything, nested, written
from tests.fuzz.outcomes import outcome

CONNECTION = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"


def _event(kind: str, subject: str, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "01a21444-d7bc-724d-9b68-c892da7444da",
        "source": "/x",
        "type": kind,
        "subject": subject,
        "time": "2026-01-01T00:00:00Z",
        "dataschema": "urn:x",
        "datacontenttype": "application/json",
        "tenantid": "acme",
        "sequence": "00000000000000000007",
        "data": data,
    }


CONNECTED = {
    "origin": "live",
    "connection_id": CONNECTION,
    "user_id": "ada",
    "account": {"id": CONNECTION, "email": "ada@example.com"},
    "products": [{"name": "mail", "access": "read"}],
    "state": "active",
    "reauthorize_url": "https://x.test/",
    "disconnected_products": ["mail"],
    "purge": True,
}
ENTITY = {
    "origin": "crm",
    "entity_type": "deal",
    "entity_id": "7",
    "version": 3,
    "name": "A deal",
    "emails": ["ada@example.com"],
    "phones": ["+1"],
    "domains": ["example.com"],
    "owner_user_id": "ada",
}
AUTH = tuple(
    _event(f"auth.connection.{name}.v1", f"connection/{CONNECTION}", CONNECTED)
    for name in ("authorized", "changed", "reauthorization_required", "disconnected")
)
CRM = (
    _event("crm.entity.upserted.v1", "deal/7", ENTITY),
    _event("crm.entity.deleted.v1", "deal/7", ENTITY),
)

bodies = st.one_of(
    st.sampled_from([*AUTH, *CRM]).flatmap(lambda right: written(almost(right))),
    written(anything),
    nested.map(str.encode),
    st.binary(max_size=60),
)


def test_the_events_that_are_varied_are_readable() -> None:
    for event in AUTH:
        told_by(Envelope.from_json(orjson.dumps(event)), "mail")
    for event in CRM:
        crm.read(Envelope.from_json(orjson.dumps(event)))


@tries(200)
@given(bodies)
def test_a_body_is_an_event_or_invalid(body: bytes) -> None:
    envelope = outcome(Envelope.from_json, body)
    if isinstance(envelope, InvalidInput):
        assert envelope.__cause__ is None  # it would quote the content
        return
    written_again = Envelope.from_json(envelope.to_json())
    assert written_again.to_json() == envelope.to_json()
    for found in (outcome(partial(told_by, product="mail"), envelope), outcome(crm.read, envelope)):
        assert not isinstance(found, InvalidInput) or found.__cause__ is None
