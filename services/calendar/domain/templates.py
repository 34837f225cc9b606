"""Titles and bodies with variables: `{service} - {client}`.

A template is a tenant's text and may be hostile: it names values, and reaches nothing else.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from string import Formatter

from libs.common.errors import InvalidInput

BUILT_IN = frozenset(
    {
        "service",
        "client",
        "duration",
        "phone",
        "email",
        "professional",
        "status",
        "notes",
        "price",
    }
)
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}", re.ASCII)
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]+")
SEPARATORS = " -–—:|,;/·"  # noqa: RUF001 - dashes that people type

DEFAULT_PREFIX = "[Agendamento]"
DEFAULT_TITLE = "{service} - {client}"
DEFAULT_BODY = """\
Serviço: {service}
Duração: {duration} min
Cliente: {client}
Telefone: {phone}
E-mail: {email}
Profissional: {professional}
Status: {status}
Observações: {notes}"""

LONGEST_PREFIX = 100
LONGEST_TITLE_TEMPLATE = 500
LONGEST_BODY_TEMPLATE = 5_000
LONGEST_TITLE = 1_024
LONGEST_BODY = 8_192
MOST_VARIABLES = 50
LONGEST_VALUE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How appointments look in a calendar, once tenant and connection have been asked."""

    prefix: str = DEFAULT_PREFIX
    title: str = DEFAULT_TITLE
    body: str = DEFAULT_BODY
    variables: Mapping[str, str] = field(default_factory=dict)
    """The company's own, by name."""
    include_client_info: bool = True
    include_notes: bool = False
    reminder_minutes: tuple[int, ...] = (15, 60)
    zone: str = "UTC"
    """For appointments that name none."""


def check_template(field_name: str, template: str, *, variables: Mapping[str, str]) -> None:
    """Refuse a template that could not be filled in.

    Args:
        field_name: as the caller knows it, such as `title_template`.
        template: the text.
        variables: the company's own.

    Raises:
        InvalidInput: names the field, and the variable that is unknown.
    """
    longest = LONGEST_TITLE_TEMPLATE if "title" in field_name else LONGEST_BODY_TEMPLATE
    if len(template) > longest:
        raise InvalidInput.field(field_name, f"is longer than {longest} characters")
    for _, name in _pieces(template, field_name):
        if name is not None and name not in BUILT_IN and name not in variables:
            raise InvalidInput.field(field_name, f"has the unknown variable {{{name}}}")


def check_variables(field_name: str, variables: Mapping[str, str]) -> None:
    """Refuse company variables with names that no template can use.

    Raises:
        InvalidInput: names the field.
    """
    if len(variables) > MOST_VARIABLES:
        raise InvalidInput.field(field_name, f"are more than {MOST_VARIABLES}")
    for name, value in variables.items():
        if not NAME.fullmatch(name):
            raise InvalidInput.field(field_name, "have a name that is not a-z, 0-9 and _")
        if name in BUILT_IN:
            raise InvalidInput.field(field_name, f"hide the variable {{{name}}}")
        if len(value) > LONGEST_VALUE:
            raise InvalidInput.field(field_name, f"are longer than {LONGEST_VALUE} characters")


def title(template: str, values: Mapping[str, str], *, prefix: str) -> str:
    """Return a title of one line; a separator at which a value is missing goes with it."""
    text = "".join(
        literal + one_line(values.get(name or "", "")) for literal, name in _pieces(template)
    )
    whole = f"{one_line(prefix)} {one_line(text).strip(SEPARATORS)}"
    return whole.strip()[:LONGEST_TITLE]


def body(template: str, values: Mapping[str, str]) -> str:
    """Return a body; a line goes that has variables, and for none of them a value."""
    lines = (_line(one, values) for one in template.replace("\r\n", "\n").split("\n"))
    return "\n".join(one for one in lines if one is not None).strip("\n")[:LONGEST_BODY]


def one_line(text: str) -> str:
    """Return `text` on one line: a name with a line break in it must not write lines of its own."""
    return UNPRINTABLE.sub(" ", text).strip()


def _line(template: str, values: Mapping[str, str]) -> str | None:
    pieces = _pieces(template)
    names = [name for _, name in pieces if name is not None]
    if names and not any(values.get(name) for name in names):
        return None
    return "".join(literal + values.get(name or "", "") for literal, name in pieces)


def _pieces(template: str, field_name: str = "template") -> list[tuple[str, str | None]]:
    """Return text and the variable after it; braces that do more than name one are refused."""
    try:
        pieces = list(Formatter().parse(template))
    except ValueError:
        raise InvalidInput.field(field_name, "has a brace that does not match") from None
    for _, name, form, conversion in pieces:
        if name is not None and (form or conversion or not NAME.fullmatch(name)):
            raise InvalidInput.field(
                field_name, "has braces that hold more or less than the name of a variable"
            )
    return [(literal, name) for literal, name, _, _ in pieces]
