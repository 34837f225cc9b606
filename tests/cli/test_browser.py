"""The demo's browser: what it sends for a page's form."""

import pytest

from cli.demo.browser import fill_in, read_form
from cli.demo.errors import StoryError

PAGE = """
<form method="post" action="/consent">
  <input type="hidden" name="request" value="r1">
  <input type="radio" name="person" value="bob@x.example" checked>
  <input type="radio" name="person" value="alice@x.example">
  <input type="email" name="new_person" value="">
  <input type="checkbox" name="scope" value="mail" checked>
  <input type="checkbox" name="scope" value="calendar">
  <button type="submit" name="decision" value="deny">Deny</button>
  <button type="submit" name="decision" value="allow">Allow</button>
</form>
"""


def test_a_known_person_is_chosen_and_everything_offered_is_allowed() -> None:
    assert fill_in(read_form(PAGE), person="alice@x.example") == [
        ("request", "r1"),
        ("scope", "mail"),
        ("person", "alice@x.example"),
        ("new_person", ""),
        ("decision", "allow"),
    ]


def test_an_unknown_person_is_typed() -> None:
    assert ("new_person", "eve@x.example") in fill_in(read_form(PAGE), person="eve@x.example")


def test_a_page_without_a_form_ends_the_story() -> None:
    with pytest.raises(StoryError):
        read_form("<p>Access blocked</p>")
