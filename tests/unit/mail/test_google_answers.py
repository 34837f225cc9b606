from services.mail.google.answers import MessageAnswer


def test_half_an_emoji_is_dropped_and_the_message_is_read() -> None:
    answer = MessageAnswer.model_validate(
        {
            "id": "m1",
            "threadId": "t1",
            "historyId": 7,
            "internalDate": "0",
            "snippet": "ha \ud83d",
            "payload": {"headers": [{"name": "From", "value": "a\udc00@x.test"}]},
        }
    )
    assert answer.snippet == "ha "
    assert answer.payload is not None
    assert answer.payload.headers[0].value == "a@x.test"
