"""From a query's tree to what is asked of the database: values only, never SQL."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from libs.common.moments import Moment
from services.mail.domain.search.language import Node, Not, Several, Term, parse, wrong
from services.mail.domain.search.lexemes import fold, quoted, whole_address, words

WEIGHTS = {"subject": "A", "from": "B", "to": "C"}
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
LABEL = re.compile(r"\S{1,200}")
ENTITY = re.compile(r"([^\s/]{1,64})/(\S{1,200})")
MOMENT = TypeAdapter[datetime](Moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchQuery:
    """What is looked for; what is None or empty does not restrict."""

    text: str | None = None
    """A tsquery, as text to be cast."""
    after: datetime | None = None
    """Accepted by Google from then on."""
    before: datetime | None = None
    has_attachment: bool | None = None
    labels: tuple[str, ...] = ()
    without_labels: tuple[str, ...] = ()
    entities: tuple[tuple[str, str], ...] = ()
    """Type and id of what a message must concern."""


def compile_query(query: str) -> SearchQuery:
    """Return what a query means.

    Raises:
        InvalidInput: field `q`: what is wrong, and at which position (from 1 on).
    """
    found = _Found()
    for node in _together(parse(query)):
        filtered, is_negated = _filter(node)
        if filtered is None:
            found.texts.append(_text(node))
        else:
            found.take(filtered, is_negated=is_negated)
    return found.query()


def _together(node: Node) -> Iterator[Node]:
    """Yield what must all be found, inside brackets too."""
    if isinstance(node, Several) and not node.is_either:
        for one in node.nodes:
            yield from _together(one)
    else:
        yield node


def _filter(node: Node) -> tuple[Term | None, bool]:
    """Return the term that is no text and whether it is negated; None when it is text."""
    term = node.node if isinstance(node, Not) else node
    if isinstance(term, Term) and term.operator is not None and term.operator not in WEIGHTS:
        return term, isinstance(node, Not)
    return None, False


class _Found:
    """What was found so far."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.after: list[datetime] = []
        self.before: list[datetime] = []
        self.attachment: bool | None = None
        self.labels: list[str] = []
        self.without_labels: list[str] = []
        self.entities: list[tuple[str, str]] = []

    def take(self, term: Term, *, is_negated: bool) -> None:
        """Take in what is no text.

        Raises:
            InvalidInput: field `q`: it has no such value, or cannot be negated.
        """
        if term.operator == "label":
            (self.without_labels if is_negated else self.labels).append(_label(term))
        elif term.operator == "has":
            self._take_attachment(term, wanted=not is_negated)
        elif is_negated:
            raise wrong(f"{term.operator}: cannot be negated", term.position)
        elif term.operator == "entity":
            self.entities.append(_entity(term))
        else:
            (self.after if term.operator == "after" else self.before).append(_moment(term))

    def _take_attachment(self, term: Term, *, wanted: bool) -> None:
        if fold(term.value) != "attachment":
            raise wrong("must have attachment", term.position)
        if self.attachment not in (None, wanted):
            raise wrong("contradicts what was asked before", term.position)
        self.attachment = wanted

    def query(self) -> SearchQuery:
        return SearchQuery(
            text=" & ".join(self.texts) or None,
            after=max(self.after, default=None),
            before=min(self.before, default=None),
            has_attachment=self.attachment,
            labels=tuple(self.labels),
            without_labels=tuple(self.without_labels),
            entities=tuple(self.entities),
        )


def _text(node: Node) -> str:
    """Return the tsquery of a node; brackets around whatever has more than one part."""
    if isinstance(node, Not):
        return f"!{_text(node.node)}"
    if isinstance(node, Several):
        return f"({(' | ' if node.is_either else ' & ').join(_text(one) for one in node.nodes)})"
    if node.operator is not None and node.operator not in WEIGHTS:
        raise wrong(f"{node.operator}: must not be inside OR or -", node.position)
    return _lexemes(node)


def _lexemes(term: Term) -> str:
    weight = WEIGHTS.get(term.operator or "", "")
    suffix = f":{weight}" if weight else ""
    folded = fold(term.value)
    address = whole_address(folded)
    parts = words(folded) if address is None else [address]
    if not parts:
        raise wrong("must have a letter or a digit", term.position)
    return f"({' <-> '.join(quoted(part) + suffix for part in parts)})"


def _value(pattern: re.Pattern[str], what: str) -> Callable[[Term], re.Match[str]]:
    def read(term: Term) -> re.Match[str]:
        match = pattern.fullmatch(term.value)
        if match is None or not term.value.isprintable():
            raise wrong(f"must have {what}", term.position)
        return match

    return read


_label_value = _value(LABEL, "a label's id")
_entity_value = _value(ENTITY, "an entity as type/id")


def _label(term: Term) -> str:
    return _label_value(term)[0]


def _entity(term: Term) -> tuple[str, str]:
    match = _entity_value(term)
    return match[1], match[2]


def _moment(term: Term) -> datetime:
    """Return the moment; a day begins in UTC."""
    text = f"{term.value}T00:00:00Z" if DAY.fullmatch(term.value) else term.value
    try:
        return MOMENT.validate_python(text)
    except ValidationError:
        raise wrong("must have a day or an RFC 3339 moment", term.position) from None
