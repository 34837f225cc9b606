"""The generated references: settings, endpoints, events, commands.

`python -m cli.reference` (`make docs`) writes them into the project; a test asserts that what
is committed is what this renders.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

import typer
from pydantic_settings import BaseSettings
from typer.main import get_command

from cli.main import app
from cli.settings import PROJECT, StackSettings
from libs.common.events import schemas
from libs.common.settings import CommonSettings, SettingDoc, documented
from libs.common.web import openapi
from services.auth.settings import AuthSettings
from services.auth.web.routes import ROUTES as AUTH_ROUTES
from services.calendar.settings import CalendarSettings
from services.calendar.web.routes import ROUTES as CALENDAR_ROUTES
from services.contacts.settings import ContactsSettings
from services.contacts.web.routes import ROUTES as CONTACTS_ROUTES
from services.mail.settings import MailSettings
from services.mail.web.routes import ROUTES as MAIL_ROUTES

API_VERSION = "1"
ROUTES = {
    "auth": AUTH_ROUTES,
    "mail": MAIL_ROUTES,
    "calendar": CALENDAR_ROUTES,
    "contacts": CONTACTS_ROUTES,
}
SETTINGS: tuple[tuple[str, type[BaseSettings]], ...] = (
    ("Every service", CommonSettings),
    ("auth", AuthSettings),
    ("mail", MailSettings),
    ("calendar", CalendarSettings),
    ("contacts", ContactsSettings),
    ("Local stack (`make demo`, `make up`)", StackSettings),
)
SETTINGS_HEAD = """# Settings

Everything is set by environment variables. A service that misses one, or cannot use its value,
stops at start with one line for each. Secrets are never printed. Durations are in seconds.
What several services read is listed with the first of them.
"""
ENV_HEAD = """# Every setting of Causeway. Copy to .env, fill in what has no value, and hand it to
# the processes as their environment (systemd: EnvironmentFile): no service reads the file itself.
# Commented lines show defaults. See docs/reference/settings.md.
"""
CLI_HEAD = """# The command `causeway`

`make setup` puts it at `.venv/bin/causeway`. It works on the local stack of this checkout,
or on the RabbitMQ that `CAUSEWAY_AMQP_URL` names.
"""


def render() -> dict[str, str]:
    """Return the generated files: path below the project -> text."""
    documents = {
        "docs/reference/settings.md": settings_page(),
        "docs/reference/cli.md": cli_page(),
        ".env.example": env_example(),
    }
    for service, routes in ROUTES.items():
        document = json.loads(openapi.Document(service, API_VERSION, routes).json())
        documents[f"docs/reference/openapi/{service}.json"] = json.dumps(document, indent=2) + "\n"
    return documents | schemas.render()


def groups() -> Iterator[tuple[str, list[SettingDoc]]]:
    """Yield the settings by who reads them; what several have comes once, with the first."""
    seen: set[str] = set()
    for title, model in SETTINGS:
        own = [doc for doc in documented(model) if doc.variable not in seen]
        seen |= {doc.variable for doc in own}
        yield title, own


def settings_page() -> str:
    """Return the reference of settings, in Markdown."""
    sections = [SETTINGS_HEAD]
    for title, docs in groups():
        rows = [f"| `{doc.variable}` | {_default(doc)} | {doc.description} |" for doc in docs]
        sections.append(
            "\n".join([f"## {title}\n", "| variable | default | meaning |", "|---|---|---|", *rows])
            + "\n"
        )
    return "\n".join(sections)


def _default(doc: SettingDoc) -> str:
    if doc.required:
        return "required"
    return f"`{_text(doc)}`" if _text(doc) else ""


def _text(doc: SettingDoc) -> str:
    """Return a default as one would write it into the environment."""
    if doc.secret or doc.default in (None, "", ()):
        return ""
    text = str(doc.default)
    return text.replace(str(PROJECT) + "/", "")


def env_example() -> str:
    """Return the example of an environment file: required settings open, defaults commented."""
    sections = [ENV_HEAD]
    for title, docs in groups():
        lines = [f"# --- {title} ---"]
        for doc in docs:
            lines.append(f"# {doc.description}")
            mark = "" if doc.required else "# "
            lines.append(f"{mark}{doc.variable}={_text(doc)}")
        sections.append("\n".join(lines) + "\n")
    return "\n".join(sections)


def cli_page() -> str:
    """Return the reference of the command line, in Markdown."""
    root = get_command(app)
    return "\n".join([CLI_HEAD, *_commands(root, ["causeway"])])


def _commands(command: typer.core.TyperCommand | object, path: Sequence[str]) -> Iterable[str]:
    children = getattr(command, "commands", {})
    for name, child in children.items():
        yield from _commands(child, [*path, name])
    if children:
        return
    yield f"## `{' '.join(path)}`\n\n{getattr(command, 'help', '') or ''}\n"
    rows = [
        f"| `{', '.join([*option.opts, *option.secondary_opts])}` | {option.help or ''} |"
        for option in getattr(command, "params", [])
        if getattr(option, "help", None)
    ]
    if rows:
        yield "\n".join(["| option | meaning |", "|---|---|", *rows]) + "\n"


def write() -> None:
    """Write every generated file into the project."""
    for path, text in render().items():
        target = PROJECT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)


if __name__ == "__main__":
    write()
