from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import orjson
import pytest
from pydantic import ValidationError

from libs.common.errors import InvalidInput
from libs.common.events.base import Origin
from libs.common.events.envelope import Envelope, Sealed
from libs.common.events.mail import Address, MessageDeleted, MessageReceived
from tests.messaging import NOON, NoteWritten, note

MESSAGE = MessageReceived(
    origin=Origin.LIVE,
    message_id=UUID(int=1),
    connection_id=UUID(int=2),
    user_id="ada",
    google_message_id="m1",
    thread_id="t1",
    occurred_at=NOON,
    direction="inbound",
    from_=Address(address="ada@example.org"),
)


def test_an_event_travels_as_structured_cloudevents_json() -> None:
    wire = orjson.loads(note(7, note_id="n9", text="hello").to_json())

    assert UUID(wire.pop("id")).version == 7
    assert wire == {
        "specversion": "1.0",
        "source": "/causeway/notes",
        "type": "notes.note.written.v1",
        "subject": "note/n9",
        "time": "2026-11-22T12:00:00.250000Z",
        "dataschema": "urn:causeway:schema:notes.note.written.v1",
        "datacontenttype": "application/json",
        "tenantid": "acme",
        "sequence": "00000000000000000007",
        "data": {"origin": "live", "text": "hello"},
    }


def test_what_was_sent_is_what_is_read() -> None:
    sent = note(3, text="naïve ☂ \u2028")

    received = Envelope.from_json(sent.to_json())

    assert received == sent
    assert received.parse(NoteWritten).text == "naïve ☂ \u2028"


def test_names_on_the_wire_are_those_of_the_schema_not_of_python() -> None:
    envelope = Envelope.of(MESSAGE, tenant_id="t", aggregate_id="1", sequence=0, time=NOON)

    assert envelope.data["from"] == {"address": "ada@example.org", "name": None}
    assert envelope.parse(MessageReceived) == MESSAGE


def test_the_time_is_told_in_utc_whatever_the_zone_it_was_noted_in() -> None:
    berlin = datetime(2026, 11, 22, 13, tzinfo=timezone(timedelta(hours=1)))

    envelope = Envelope.of(MESSAGE, tenant_id="t", aggregate_id="1", sequence=0, time=berlin)

    assert envelope.time == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert b'"time":"2026-11-22T12:00:00Z"' in envelope.to_json()


def test_sequences_compare_as_text_like_their_numbers() -> None:
    texts = [note(number).sequence for number in (2, 10, 2**63 - 1)]

    assert texts == sorted(texts)


def test_attributes_of_other_producers_are_ignored() -> None:
    wire = orjson.loads(note().to_json()) | {"traceid": "x", "futureattribute": 1}

    assert Envelope.from_json(orjson.dumps(wire)).type == "notes.note.written.v1"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"specversion": "0.3"}, "specversion"),
        ({"id": "seven"}, "id"),
        ({"type": "No Type"}, "type"),
        ({"type": "a." * 130 + "b"}, "type"),
        ({"time": "2026-11-22T12:00:00"}, "time"),
        ({"sequence": "7"}, "sequence"),
        ({"tenantid": ""}, "tenantid"),
        ({"data": "secret words"}, "data"),
    ],
)
def test_a_wrong_attribute_is_named_and_not_quoted(change: dict[str, Any], field: str) -> None:
    wire = orjson.loads(note().to_json()) | change

    with pytest.raises(InvalidInput) as raised:
        Envelope.from_json(orjson.dumps(wire))

    errors = raised.value.data["errors"]
    assert isinstance(errors, list)
    assert [error["field"] for error in errors] == [field]
    assert "secret words" not in repr(raised.value.data)
    assert raised.value.__cause__ is None


@pytest.mark.parametrize("body", [b"", b"not json", b"[]", b"null", b"\xff\xfe", b'{"id": 1}'])
def test_what_is_no_envelope_is_invalid_input(body: bytes) -> None:
    with pytest.raises(InvalidInput):
        Envelope.from_json(body)


def test_an_event_is_not_read_as_another() -> None:
    with pytest.raises(InvalidInput):
        note().parse(MessageDeleted)


def test_data_that_lacks_a_field_does_not_parse() -> None:
    wire = orjson.loads(note().to_json()) | {"data": {"text": "no origin"}}

    with pytest.raises(InvalidInput) as raised:
        Envelope.from_json(orjson.dumps(wire)).parse(NoteWritten)

    assert raised.value.data["errors"] == [{"field": "origin", "detail": "missing"}]


def test_a_naive_time_is_refused() -> None:
    envelope = note()

    with pytest.raises(ValidationError):
        Envelope.model_validate(envelope.model_dump() | {"time": NOON.replace(tzinfo=None)})


@pytest.mark.parametrize(("sequence", "fits"), [(2**63 - 1, True), (2**63, False)])
def test_a_sequence_is_a_number_that_a_bigint_holds(sequence: int, fits: bool) -> None:  # noqa: FBT001
    wire = orjson.loads(note().to_json()) | {"sequence": f"{sequence:020d}"}

    if fits:
        assert int(Envelope.from_json(orjson.dumps(wire)).sequence) == sequence
    else:
        with pytest.raises(InvalidInput):
            Envelope.from_json(orjson.dumps(wire))


def test_what_is_sealed_is_the_same_message() -> None:
    zoned = NOON.astimezone(timezone(timedelta(hours=5)))
    how: Any = {"tenant_id": "t", "aggregate_id": "ü", "sequence": 7, "time": zoned}
    sealed = Sealed.of(MessageReceived, MESSAGE.model_dump(mode="json", by_alias=True), **how)

    usual = Envelope.of(MESSAGE, **how).model_copy(update={"id": sealed.id})
    assert orjson.loads(sealed.to_json()) == orjson.loads(usual.to_json())
    assert Envelope.from_json(sealed.to_json()).type == sealed.type
