"""The search language of `q`: how terms are joined.

Source: https://support.google.com/mail/answer/7190
"""

import re
from dataclasses import dataclass, field
from typing import Final

from emulator.gmail import query_terms
from emulator.gmail.mailbox import Mailbox, StoredMessage
from emulator.gmail.query_terms import Term, Test

_TOKEN: Final = re.compile(
    r"""
    (?P<minus>-?) (?:(?P<name>\w+):)? (?P<open>[({])
    | (?P<close>[)}])
    | (?P<not>-?) (?:(?P<operator>\w+):)? (?P<value>"[^"]*"|[^\s(){}]+)
    """,
    re.VERBOSE | re.ASCII,
)
_DEEPEST: Final = 20


@dataclass(slots=True)
class Search:
    """A parsed query: every test has to hold."""

    tests: list[Test] = field(default_factory=list)
    places: set[str] = field(default_factory=set)
    anywhere: bool = False

    def matches(self, stored: StoredMessage) -> bool:
        """Return whether the message is selected."""
        return all(test(stored) for test in self.tests)

    def take(self, term: Term, *, negative: bool) -> Test:
        """Return the term's test; a place that is asked for is searched although it is hidden."""
        if negative:
            return _negated(term.test)
        self.anywhere = self.anywhere or term.anywhere
        self.places |= {term.place} if term.place else set()
        return term.test


@dataclass(slots=True)
class _Group:
    """What stands between brackets: alternatives, all of which hold, or any when in braces."""

    name: str = ""
    negative: bool = False
    any_of: bool = False
    alternatives: list[list[Test]] = field(default_factory=list)
    joining: bool = False

    def add(self, test: Test) -> None:
        if self.joining and self.alternatives:
            self.alternatives[-1].append(test)
        else:
            self.alternatives.append([test])
        self.joining = False

    def test(self) -> Test:
        together = any if self.any_of else all
        options = [tuple(tests) for tests in self.alternatives]
        whole: Test = lambda s: together(any(t(s) for t in tests) for tests in options)  # noqa: E731 - named for its type
        return _negated(whole) if self.negative else whole


def parse(text: str, box: Mailbox, *, now_s: float) -> Search:
    """Return the search that `text` describes; unknown operators select nothing.

    Terms have to hold together; `OR` joins its two neighbours, braces join all inside them, and
    an operator before brackets is meant for every word inside.
    """
    search = Search()
    groups = [_Group()]
    for token in _TOKEN.finditer(text):
        if token["open"]:
            name = (token["name"] or groups[-1].name).lower()
            if len(groups) < _DEEPEST:
                groups.append(_Group(name, bool(token["minus"]), token["open"] == "{"))
        elif token["close"]:
            _close(groups)
        elif token["value"] in {"OR", "AND"} and not token["operator"]:
            groups[-1].joining = token["value"] == "OR"
        else:
            name = (token["operator"] or groups[-1].name).lower()
            value = token["value"].strip('"')
            term = query_terms.term(name, value, box, now_s=now_s)
            groups[-1].add(search.take(term, negative=bool(token["not"])))
    while len(groups) > 1:
        _close(groups)
    search.tests.append(groups[0].test())
    return search


def _close(groups: list[_Group]) -> None:
    if len(groups) > 1:
        closed = groups.pop()
        if closed.alternatives:
            groups[-1].add(closed.test())


def _negated(test: Test) -> Test:
    return lambda stored: not test(stored)
