import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from libs.common.errors import Transient
from libs.common.log import mask, render_exception

ROOT = Path(__file__).parents[3]
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"


def masked(**event: Any) -> dict[str, Any]:
    return dict(mask(None, "info", event))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"got {JWT}", "got ***"),
        ("ya29.a0AfH6SMBx-yz_1 refused", "*** refused"),
        ("refresh 1//0gabcdefghijklmn", "refresh ***"),
        ("secret GOCSPX-abcDEF_1", "secret ***"),
        ("mail of ada@acme.example.", "mail of ***."),
        ("<ada.l+crm@acme.example>", "<***>"),
        ("amqp://guest:pw@127.0.0.1:5672/", "amqp://***@127.0.0.1:5672/"),
        ("GET /users/ada%40acme.example/profile", "GET /users/***/profile"),
        ("Bearer abcdefghijklmnopqrst", "***"),
        ("plain text, 12:30 a@b", "plain text, 12:30 a@b"),
    ],
)
def test_what_looks_like_a_secret_or_an_address_is_masked(text: str, expected: str) -> None:
    assert masked(event="x", detail=text)["detail"] == expected


@pytest.mark.parametrize(
    "name",
    ["token", "access_token", "Authorization", "client-secret", "password", "email", "body"],
)
def test_values_under_telling_names_are_masked_whatever_they_look_like(name: str) -> None:
    assert masked(event="x", **{name: "harmless"})[name] == "***"


def test_ids_numbers_and_flags_are_left_alone() -> None:
    event = {"event": "x", "token_id": "t1", "tokens": 3, "email": None, "state": "active"}

    assert masked(**event) == event


def test_what_is_inside_lists_and_mappings_is_masked_too() -> None:
    event = masked(event="x", facts={"token": "abc", "who": ["ada@acme.example", b"raw"]})

    assert event["facts"] == {"token": "***", "who": ["***", "***"]}


def fail() -> None:
    try:
        int("row of ada@acme.example")
    except ValueError as exc:
        raise Transient("It may work in a moment.") from exc


def test_an_exception_is_logged_by_type_and_place_without_what_it_says() -> None:
    with pytest.raises(Transient) as caught:
        fail()

    event = render_exception(None, "error", {"event": "x", "exc_info": caught.value})

    outer, inner = event["exception"]
    assert (outer["type"], outer["says"]) == ("Transient", "It may work in a moment.")
    assert (inner["type"], inner["says"]) == ("ValueError", "")
    assert "test_log.py:" in inner["at"][0]


def run_program(program: str, log_format: str) -> list[str]:
    source = (
        "import logging, structlog\n"
        "from libs.common.log import configure\n"
        f"configure({log_format!r}, 'info', service='mail', role='web')\n{program}"
    )
    done = subprocess.run(  # noqa: S603 - our own program
        [sys.executable, "-c", source],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return done.stdout.splitlines()


def test_a_line_of_json_holds_event_level_time_service_and_bound_ids() -> None:
    (line,) = run_program(
        "structlog.contextvars.bind_contextvars(request_id='r1')\n"
        "structlog.stdlib.get_logger('a').debug('unseen')\n"
        "structlog.stdlib.get_logger('a').info('feed_opened', feed_id='f1')\n",
        "auto",
    )

    event = json.loads(line)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "feed_opened",
        "level": "info",
        "service": "mail",
        "role": "web",
        "feed_id": "f1",
        "request_id": "r1",
    }


def test_libraries_end_in_the_same_stream_masked_alike() -> None:
    (line,) = run_program(
        "logging.getLogger('library').info('unseen')\n"
        "logging.getLogger('library').warning('lost %s', 'amqp://guest:pw@h/')\n",
        "json",
    )

    event = json.loads(line)
    assert (event["event"], event["logger"]) == ("lost amqp://***@h/", "library")


def test_a_console_line_is_readable() -> None:
    (line,) = run_program("structlog.stdlib.get_logger('a').info('ready', port=1)\n", "console")

    assert "ready" in line
    assert "port=1" in line
