"""The language of searches: from its text to a tree, or to where and why it is none.

The parser builds the tree from the inside out, without recursion: nesting is refused before
anything walks down it.
"""

from dataclasses import dataclass, replace
from typing import cast

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedToken
from lark.exceptions import UnexpectedInput

from libs.common.errors import InvalidInput

LONGEST = 500
MOST_TERMS = 50
DEEPEST = 20

GRAMMAR = r"""
start: either
either: all (_OR all)*
all: (_plain | negated)+
negated: MINUS _plain
_plain: term | group
group: LPAR either _RPAR
?term: WORD -> word
    | PHRASE -> phrase
    | FIELD VALUE -> field
    | FIELD PHRASE -> quoted_field

_OR.3: /OR(?=[\s()"]|$)/
FIELD.2: /(?:from|to|subject|after|before|has|label|entity):/i
MINUS.2: "-"
WORD.1: /(?!OR(?:[\s()"]|$))[^\s()"\-][^\s()"]*/
VALUE: /[^\s()"]+/
PHRASE: /"[^"]*"/
LPAR: "("
_RPAR: ")"
%ignore /\s+/
"""

NAMES = {
    "WORD": "a word",
    "PHRASE": "a phrase",
    "FIELD": "an operator such as from:",
    "VALUE": "a value",
    "LPAR": "(",
    "MINUS": "-",
    "_OR": "OR",
    "_RPAR": ")",
    "$END": "the end",
}


@dataclass(frozen=True, slots=True)
class Term:
    """A word, a phrase, or what an operator is given; `position` counts characters from 1."""

    position: int
    value: str
    operator: str | None = None
    depth: int = 0
    terms: int = 1


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be found."""

    position: int
    node: "Node"
    depth: int
    terms: int


@dataclass(frozen=True, slots=True)
class Several:
    """What must be found together, or of what one must be found (`is_either`)."""

    position: int
    nodes: tuple["Node", ...]
    is_either: bool
    depth: int
    terms: int


Node = Term | Not | Several


def wrong(detail: str, position: int) -> InvalidInput:
    """Return the error for what stands at `position`, which counts characters from 1."""
    return InvalidInput.field("q", f"{detail} at position {position}")


def _at(token: Token) -> int:
    return (token.start_pos or 0) + 1


def _several(nodes: list[Node], *, is_either: bool) -> Node:
    """Return the nodes as one.

    Raises:
        InvalidInput: field `q`: they are too many.
    """
    terms = 0
    for node in nodes:
        terms += node.terms
        if terms > MOST_TERMS:
            raise wrong(f"may have {MOST_TERMS} terms and has another", node.position)
    if len(nodes) == 1:
        return nodes[0]
    depth = max(node.depth for node in nodes)
    return Several(nodes[0].position, tuple(nodes), is_either, depth, terms)


class _Builder(Transformer[Token, Node]):
    """Called by the parser for every rule it has recognised."""

    def start(self, nodes: list[Node]) -> Node:
        return nodes[0]

    def either(self, nodes: list[Node]) -> Node:
        return _several(nodes, is_either=True)

    def all(self, nodes: list[Node]) -> Node:
        return _several(nodes, is_either=False)

    def negated(self, parts: tuple[Token, Node]) -> Node:
        minus, node = parts
        return Not(_at(minus), node, node.depth, node.terms)

    def group(self, parts: tuple[Token, Node]) -> Node:
        bracket, node = parts
        if node.depth >= DEEPEST:
            raise wrong(f"may nest {DEEPEST} deep and nests deeper", _at(bracket))
        return replace(node, depth=node.depth + 1)

    def word(self, parts: list[Token]) -> Node:
        return Term(_at(parts[0]), str(parts[0]))

    def phrase(self, parts: list[Token]) -> Node:
        return Term(_at(parts[0]), str(parts[0])[1:-1])

    def field(self, parts: list[Token]) -> Node:
        return Term(_at(parts[1]), str(parts[1]), str(parts[0])[:-1].lower())

    def quoted_field(self, parts: list[Token]) -> Node:
        return Term(_at(parts[1]), str(parts[1])[1:-1], str(parts[0])[:-1].lower())


PARSER = Lark(GRAMMAR, parser="lalr", transformer=_Builder())


def parse(query: str) -> Node:
    """Return the tree of a query.

    Raises:
        InvalidInput: field `q`: what was expected, and at which position.
    """
    if len(query) > LONGEST:
        raise wrong(f"may have {LONGEST} characters and goes on", LONGEST + 1)
    try:
        return cast("Node", PARSER.parse(query))
    except UnexpectedInput as exc:
        raise _explained(exc, query) from None


def _explained(exc: UnexpectedInput, query: str) -> InvalidInput:
    position = min(exc.pos_in_stream or 0, len(query)) + 1
    expected = set[str]()
    if isinstance(exc, UnexpectedToken):
        expected = set(exc.accepts or exc.expected)
        if exc.token.type == "$END":
            position = len(query) + 1
    elif isinstance(exc, UnexpectedCharacters):
        expected = set(exc.allowed or ())
        if query[position - 1] == '"':
            return wrong('must have a closing " for the one', position)
    names = [name for key, name in NAMES.items() if key in expected]
    return wrong(f"must have {' or '.join(names) or 'a word'}", position)
