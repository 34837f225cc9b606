"""A person with a browser at Google's consent page: cookies, redirects, a form, no JavaScript."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import aiohttp

from cli.demo.errors import StoryError

MAX_STEPS = 12
TIMEOUT = aiohttp.ClientTimeout(total=20)
REDIRECTS = (301, 302, 303, 307, 308)
TEXT_TYPES = ("email", "text")


@dataclass
class Form:
    """The first form of a page with the values a browser would send."""

    action: str = ""
    fields: list[tuple[str, str]] = field(default_factory=list)
    text_fields: list[str] = field(default_factory=list)
    choices: list[tuple[str, str]] = field(default_factory=list)  # radio buttons
    buttons: list[tuple[str, str]] = field(default_factory=list)


class _FormReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form" and self.form is None:
            self.form = Form(action=values.get("action", ""))
        elif self.form and tag in ("input", "button") and values.get("name"):
            self._add(self.form, values, kind=values.get("type", "text"))

    @staticmethod
    def _add(form: Form, values: Mapping[str, str], *, kind: str) -> None:
        pair = (values["name"], values.get("value", ""))
        if kind == "submit":
            form.buttons.append(pair)
        elif kind == "radio":
            form.choices.append(pair)
        elif kind in TEXT_TYPES:
            form.text_fields.append(pair[0])
        elif kind == "hidden" or (kind == "checkbox" and "checked" in values):
            form.fields.append(pair)


def read_form(page: str) -> Form:
    """Return the first form of an HTML page.

    Raises:
        StoryError: the page has none.
    """
    reader = _FormReader()
    reader.feed(page)
    if reader.form is None:
        raise StoryError("Google's page holds no form")
    return reader.form


def fill_in(form: Form, *, person: str) -> list[tuple[str, str]]:
    """Return what a browser sends when `person` allows everything."""
    known = [choice for choice in form.choices if choice[1] == person]
    who = known[:1] or [(name, person) for name in form.text_fields[:1]]
    rest = [(name, "") for name in form.text_fields if (name, person) not in who]
    allow = [button for button in form.buttons if button[1] == "allow"] or form.buttons[:1]
    return [*form.fields, *who, *rest, *allow]


async def consent(connect_url: str, *, return_url: str, person: str) -> dict[str, str]:
    """Follow `connect_url` as a browser, allow everything; return what `return_url` was told.

    Raises:
        StoryError: the way does not lead to `return_url`.
    """
    jar = aiohttp.CookieJar(unsafe=True)  # cookies of 127.0.0.1 too
    async with aiohttp.ClientSession(cookie_jar=jar, timeout=TIMEOUT) as browser:
        address, form_data = connect_url, list[tuple[str, str]]()
        for _ in range(MAX_STEPS):
            method = "POST" if form_data else "GET"
            async with browser.request(
                method, address, data=form_data or None, allow_redirects=False
            ) as answer:
                page = await answer.text()
            if answer.status in REDIRECTS:
                address, form_data = urljoin(address, answer.headers["Location"]), []
                if address.startswith(return_url):
                    return dict(parse_qsl(urlsplit(address).query))
            elif answer.ok and not form_data:
                form = read_form(page)
                address, form_data = urljoin(address, form.action), fill_in(form, person=person)
            else:
                path = urlsplit(address).path
                raise StoryError(f"{method} {path} answered {answer.status}")
    raise StoryError("the consent went in circles")
