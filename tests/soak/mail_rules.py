"""What happens in people's mailboxes at Google."""

import base64
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from tests.soak.stage import STRANGERS, Person, Stage
from tests.soak.steps import Step

EDITS = (
    "read",
    "unread",
    "star",
    "unstar",
    "archive",
    "trash",
    "untrash",
    "spam",
    "not_spam",
    "label",
    "unlabel",
    "delete",
)
OWN_LABEL = "Project"
EVERYTHING = "https://mail.google.com/"


async def arrive(stage: Stage, step: Step) -> None:
    """A message arrives from a stranger, perhaps with a copy to another."""
    await deliver(stage, stage.person(step.who), step)


async def burst(stage: Stage, step: Step) -> None:
    """Several arrive at once."""
    await deliver(stage, stage.person(step.who), step, count=2 + step.how % 6)


async def circular(stage: Stage, step: Step) -> None:
    """A stranger writes one mail to everybody."""
    stranger = STRANGERS[step.which % len(STRANGERS)]
    raw = (
        f"From: {stranger}\r\nTo: {', '.join(one.email for one in stage.people)}\r\n"
        f"Message-ID: {make_msgid(domain='example.org')}\r\nDate: {formatdate()}\r\n"
        "Subject: to all\r\n\r\nHello\r\n"
    )
    for person in stage.people:
        made = await stage.house.google.deliver(person.email, raw=raw)
        _note(stage, person, made, {stranger})


async def answer(stage: Stage, step: Step) -> None:
    """A message arrives in the thread of another."""
    person = stage.person(step.who)
    if person.letters:
        letters = (await stage.house.google.control("GET", f"people/{person.email}/mailbox"))[
            "messages"
        ]
        named = person.letters[step.which % len(person.letters)]
        thread = next(one["threadId"] for one in letters if one["id"] == named)
        await deliver(stage, person, step, thread_id=thread)


async def send(stage: Stage, step: Step) -> None:
    """The person writes to a stranger."""
    person, stranger = stage.person(step.who), STRANGERS[step.which % len(STRANGERS)]
    made = await stage.house.google.deliver(person.email, sent=True, to=stranger, subject="sent")
    _note(stage, person, made, {stranger})


async def edit(stage: Stage, step: Step) -> None:
    """The person does something to a message."""
    person = stage.person(step.who)
    if person.letters:
        letter = person.letters[step.which % len(person.letters)]
        await _edit(stage, person, letter, EDITS[step.how % len(EDITS)])


async def edits(stage: Stage, step: Step) -> None:
    """The person does something to many messages, one after the other."""
    person, action = stage.person(step.who), EDITS[step.how % len(EDITS)]
    for letter in person.letters[step.which % 4 :: 2]:
        await _edit(stage, person, letter, action)


async def draft(stage: Stage, step: Step) -> None:
    """The person begins a draft, changes one, sends one or throws one away."""
    person, stranger = stage.person(step.who), STRANGERS[step.which % len(STRANGERS)]
    raw = {"raw": _letter(person.email, stranger)}
    if not person.drafts or step.how % 4 == 0:
        made = await _gmail(stage, person, "POST", "drafts", {"message": raw})
        person.drafts.append(made["id"])
        return
    named = person.drafts[step.which % len(person.drafts)]
    if step.how % 4 == 1:
        await _gmail(stage, person, "PUT", f"drafts/{named}", {"message": raw})
        return
    person.drafts.remove(named)
    if step.how % 4 == 2:
        await _gmail(stage, person, "DELETE", f"drafts/{named}")
        return
    sent = await _gmail(stage, person, "POST", "drafts/send", {"id": named, "message": raw})
    _note(stage, person, sent, {stranger})


async def deliver(stage: Stage, person: Person, step: Step, **more: Any) -> None:
    """Let mail arrive."""
    one = STRANGERS[step.which % len(STRANGERS)]
    other = STRANGERS[step.how % len(STRANGERS)]
    message = {"from": one, "subject": f"from {step.which}", **more}
    if step.how % 2:
        message["cc"] = other
    made = await stage.house.google.deliver(person.email, **message)
    _note(stage, person, made, {one, other} if step.how % 2 else {one})


async def add_people(stage: Stage) -> None:
    """Make the people of a stage, who have a label of their own."""
    for person in stage.people:
        await stage.house.google.add_person(person.email, name="Person")
        await _gmail(stage, person, "POST", "labels", {"name": OWN_LABEL})


def _note(stage: Stage, person: Person, made: Any, concerned: set[str]) -> None:
    ids = made.get("ids", [made["id"]])
    person.letters += ids
    person.forgotten = False
    stage.concerns.update(dict.fromkeys(ids, frozenset(concerned)))


async def _edit(stage: Stage, person: Person, letter: str, action: str) -> None:
    more: dict[str, Any] = {}
    if action in {"label", "unlabel"}:
        named = (await _gmail(stage, person, "GET", "labels"))["labels"]
        own = [one["id"] for one in named if one["name"] == OWN_LABEL]
        more = {"add": own} if action == "label" else {"remove": own}
        action = "label"
    stage.edited.add(letter)
    await stage.house.edit(person.email, letter, action, **more)
    if action == "delete":
        person.letters.remove(letter)


async def _gmail(
    stage: Stage, person: Person, method: str, path: str, body: Any = None
) -> dict[str, Any]:
    """Call Gmail as the person's own program, of which no fault and no quota is meant."""
    google = stage.house.google
    order = {"scopes": [EVERYTHING]}
    token = (await google.control("POST", f"people/{person.email}/tokens", order))["access_token"]
    await google.control("DELETE", "faults")
    await google.control("PUT", "settings", {"enforce_quota": False})
    url = f"{google.origin}/gmail/v1/users/me/{path}"
    headers = {"Authorization": f"Bearer {token}"}
    async with stage.house.session.request(method, url, json=body, headers=headers) as answer:
        assert answer.ok, await answer.text()
        made = {} if answer.status == 204 else dict(await answer.json())
    await google.control("PUT", "settings", {"enforce_quota": True})
    await google.control("PUT", "faults", {"rules": stage.faults})
    return made


def _letter(sender: str, to: str) -> str:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, "written"
    message.set_content("Hello")
    return base64.urlsafe_b64encode(message.as_bytes()).decode()


RULES = {
    "arrive": arrive,
    "burst": burst,
    "circular": circular,
    "answer": answer,
    "send": send,
    "edit": edit,
    "edits": edits,
    "draft": draft,
}
