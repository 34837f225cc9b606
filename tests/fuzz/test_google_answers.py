"""Whatever Google's answers hold is read, or refused as unreadable, and nothing else."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from libs.common.errors import Transient
from libs.common.google.answers import decoded, parsed
from libs.common.google.wire import AnswerUnreadable
from services.mail.google import answers
from tests.fuzz.effort import tries
from tests.fuzz.json_strategies import almost, anything

MESSAGE = {
    "id": "m1",
    "threadId": "t1",
    "historyId": "7",
    "internalDate": "1767225600000",
    "labelIds": ["INBOX", "UNREAD"],
    "snippet": "hello",
    "sizeEstimate": 100,
    "payload": {"headers": [{"name": "From", "value": "ada@example.com"}]},
}
TOUCHED = {"message": {"id": "m1", "threadId": "t1"}, "labelIds": ["INBOX"]}
HISTORY = {
    "history": [
        {
            "id": "8",
            "messagesAdded": [TOUCHED],
            "messagesDeleted": [TOUCHED],
            "labelsAdded": [TOUCHED],
            "labelsRemoved": [TOUCHED],
        }
    ],
    "historyId": "9",
    "nextPageToken": "x",
}
RIGHT: dict[type[BaseModel], Any] = {
    answers.MessageAnswer: MESSAGE,
    answers.HistoryAnswer: HISTORY,
    answers.ListAnswer: {"messages": [{"id": "m1"}], "nextPageToken": "x"},
    answers.LabelsAnswer: {"labels": [{"id": "Label_1", "name": "x", "type": "user"}]},
    answers.WatchAnswer: {"historyId": "1", "expiration": "1767225600000"},
    answers.Profile: {"historyId": "1", "emailAddress": "ada@example.com"},
}


def read(model: type[BaseModel], answer: Any) -> None:
    """Read an answer as the mail service does; what comes out must be storable."""
    try:
        found = parsed(model, decoded(json.dumps(answer).encode()))
    except (AnswerUnreadable, Transient):
        return
    if isinstance(found, answers.MessageAnswer):
        envelope = answers.envelope(found)
        assert 0 <= envelope.history_id < 2**63
        assert 1970 <= envelope.internal_date.year <= 9999
        for text in (envelope.google_id, envelope.thread_id, envelope.snippet, *envelope.labels):
            text.encode()
    if isinstance(found, answers.HistoryAnswer):
        for one in found.history:
            assert answers.record(one).id < 2**63


def test_the_answers_that_are_varied_are_readable() -> None:
    for model, answer in RIGHT.items():
        parsed(model, answer)


@pytest.mark.parametrize("model", RIGHT, ids=lambda model: model.__name__)
def test_an_answer_that_is_almost_right_is_read_or_unreadable(model: type[BaseModel]) -> None:
    @tries(60)
    @given(almost(RIGHT[model]))
    def vary(answer: Any) -> None:
        read(model, answer)

    vary()


@tries(60)
@given(st.sampled_from(list(RIGHT)), anything)
def test_any_json_is_read_or_unreadable(model: type[BaseModel], answer: Any) -> None:
    read(model, answer)
