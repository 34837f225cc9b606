"""Addresses and names go out of texts; what only looks like them stays."""

import pytest

from libs.common.scrubbing import MARK, NAME_MARK, Scrubber, needles

ZQ = "z.q@x.test"


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        (ZQ, MARK),
        (f"To: {ZQ.upper()}.", f"To: {MARK}."),
        (f"<{ZQ}>,{ZQ}", f"<{MARK}>,{MARK}"),
        ("mailto:z.q%40x.test?cc", f"mailto:{MARK}?cc"),
        ("q=%3Cz.q@x.test%3E", f"q=%3C{MARK}%3E"),
        ("z.q&#64;x.test", MARK),
        (f"jim{ZQ}", f"jim{ZQ}"),
        (f"offer_{ZQ}.pdf", f"offer_{MARK}.pdf"),
        (f"{ZQ}-net", f"{ZQ}-net"),
        ("zXq@x.test", "zXq@x.test"),
        ("", ""),
    ],
)
def test_an_address_goes_and_a_longer_one_stays(text: str, scrubbed: str) -> None:
    assert Scrubber([ZQ]).text(text) == scrubbed


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("Dear Zoe  Quill!", f"Dear {NAME_MARK}!"),
        ("zoe\nquill", NAME_MARK),
        ("Zoe Quillson", "Zoe Quillson"),
        ("Zoe", "Zoe"),
    ],
)
def test_a_whole_name_goes_whatever_its_case(text: str, scrubbed: str) -> None:
    assert Scrubber([ZQ], ["Zoe Quill"]).text(text) == scrubbed


@pytest.mark.parametrize("name", ["", " ", "Z", ZQ])
def test_a_name_that_is_none_takes_nothing_else_out(name: str) -> None:
    assert Scrubber([], [name]).text("A Z at B.") == "A Z at B."


def test_a_json_value_is_scrubbed_in_all_its_depth_but_for_its_keys() -> None:
    value = {ZQ: [ZQ, {"a": (ZQ, 1, None)}]}
    assert Scrubber([ZQ]).value(value) == {ZQ: [MARK, {"a": [MARK, 1, None]}]}


def test_needles_are_in_whatever_is_scrubbed() -> None:
    for text in (ZQ, "Z.Q%40X.TEST", "z.q&commat;x.test"):
        assert Scrubber([ZQ]).text(text) == MARK
        assert any(one in text.lower() for one in needles([ZQ]))
