import orjson
import pytest

from libs.common.google.discovery import ApiRequest, Template, gmail
from libs.common.google.roots import GoogleRoots

ROOTS = GoogleRoots.at("http://127.0.0.1:9000")


def test_a_request_goes_to_the_configured_root() -> None:
    request = gmail(ROOTS).messages.get(userId="me", id="18c", format="raw")

    assert request.uri.startswith("http://127.0.0.1:9000/gmail/v1/users/me/messages/18c?")
    assert (request.method, request.method_id) == ("GET", "gmail.users.messages.get")


def test_a_root_may_have_a_path() -> None:
    service = gmail(GoogleRoots.at("http://127.0.0.1:9000/google"))

    assert service.history.list(userId="me", startHistoryId="1").uri.startswith(
        "http://127.0.0.1:9000/google/gmail/v1/users/me/history?"
    )


def test_a_body_is_ready_to_send() -> None:
    request = gmail(ROOTS).users.watch(userId="me", body={"topicName": "projects/p/topics/t"})

    assert orjson.loads(request.body) == {"topicName": "projects/p/topics/t"}
    assert request.headers["content-type"] == "application/json"


def test_a_mailbox_name_is_escaped_and_not_shown() -> None:
    request = gmail(ROOTS).users.getProfile(userId="a+b/c@example.com")

    assert "/users/a%2Bb%2Fc%40example.com/profile" in request.uri
    assert "example.com" not in repr(request)


def test_an_unknown_parameter_is_refused() -> None:
    with pytest.raises(TypeError):
        gmail(ROOTS).messages.get(userId="me", id="1", colour="red")


def test_resources_are_built_once_for_a_root() -> None:
    assert gmail(ROOTS) is gmail(GoogleRoots.at("http://127.0.0.1:9000/"))


def test_a_resource_makes_requests_of_our_own_kind() -> None:
    assert isinstance(gmail(ROOTS).labels.list(userId="me"), ApiRequest)


def test_a_template_makes_the_request_the_library_would() -> None:
    get = gmail(GoogleRoots()).messages.get
    template = Template(get, "id", userId="me", format="raw")

    for value in ("18c0ffee", "a/b ?&#%é"):
        assert template.of(value) == get(userId="me", id=value, format="raw")


def test_a_template_varies_a_part_of_the_address_only() -> None:
    with pytest.raises(ValueError, match="not in the address"):
        Template(gmail(GoogleRoots()).users.watch, "body", userId="me")
