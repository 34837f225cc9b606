"""What somebody wants sent, made into a message: the rules, without asking anybody."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from html import escape

from libs.common.addresses import fold_address
from libs.common.errors import InvalidInput
from services.mail.domain.message import Content, Person
from services.mail.domain.sending.html import sendable, why_unsendable
from services.mail.domain.sending.outgoing import (
    MOST_RECIPIENTS,
    Head,
    distinct,
    forward_subject,
    is_same_subject,
    reply_subject,
)

QUOTE = "---------- Forwarded message ---------"


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """The message that is answered or passed on."""

    content: Content
    occurred_at: datetime
    sent_by_us: bool
    """The mailbox's owner wrote it: an answer goes to those it went to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What somebody wants sent; what is None is left to the rules."""

    sender: str | None = None
    to: tuple[Person, ...] = ()
    cc: tuple[Person, ...] = ()
    bcc: tuple[Person, ...] = ()
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    answers: Original | None = None
    passes_on: Original | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A letter as it goes out."""

    head: Head
    text: str | None = None
    html: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What a mailbox's letters are held to."""

    own: Person
    """The mailbox's owner."""
    aliases: tuple[Person, ...] = ()
    """Whom it may send as, too."""
    is_blocked: Callable[[str], bool] = field(default=lambda _: False)
    """Says whether nothing may be sent to a folded address."""


def write(letter: Letter, rules: Rules, *, complete: bool) -> Written:
    """Return the letter as it goes out.

    Args:
        letter: what is wanted.
        rules: of its mailbox.
        complete: it is to be sent as it is; False: a draft, which may lack recipients.

    Raises:
        InvalidInput: names the field.
    """
    text, html = _bodies(letter)
    to, cc, bcc = _recipients(letter, rules, complete=complete)
    in_reply_to, references = _threading(letter.answers)
    head = Head(
        sender=_sender(letter, rules),
        to=to,
        cc=cc,
        bcc=bcc,
        subject=_subject(letter),
        in_reply_to=in_reply_to,
        references=references,
    )
    return Written(head=head, text=text, html=html)


def may_be(sender: str, rules: Rules) -> bool:
    """Say whether a mailbox may send as that address."""
    return any(fold_address(one.address) == fold_address(sender) for one in _senders(rules))


def _senders(rules: Rules) -> tuple[Person, ...]:
    return (rules.own, *rules.aliases)


def _sender(letter: Letter, rules: Rules) -> Person:
    if letter.sender is None:
        return rules.own
    for one in _senders(rules):
        if fold_address(one.address) == fold_address(letter.sender):
            return one
    raise InvalidInput.field("from", "is no address this mailbox may send from")


def _recipients(
    letter: Letter, rules: Rules, *, complete: bool
) -> tuple[tuple[Person, ...], tuple[Person, ...], tuple[Person, ...]]:
    to = letter.to
    if letter.answers is not None and not (to or letter.cc or letter.bcc):
        to = _answered(letter.answers)
    to = distinct(to)
    cc = distinct(letter.cc, without=_addresses(to))
    bcc = distinct(letter.bcc, without=_addresses((*to, *cc)))
    count = len(to) + len(cc) + len(bcc)
    if complete and count == 0:
        raise InvalidInput.field("to", "must name somebody")
    if count > MOST_RECIPIENTS:
        raise InvalidInput.field("to", f"and cc and bcc must not be over {MOST_RECIPIENTS} people")
    for name, people in (("to", to), ("cc", cc), ("bcc", bcc)):
        if any(rules.is_blocked(fold_address(one.address)) for one in people):
            raise InvalidInput.field(name, "names somebody on the blocklist")
    return to, cc, bcc


def _answered(original: Original) -> tuple[Person, ...]:
    content = original.content
    if original.sent_by_us or content.sender is None:
        return content.to
    return (content.sender,)


def _addresses(people: Iterable[Person]) -> list[str]:
    return [one.address for one in people]


def _subject(letter: Letter) -> str:
    if letter.answers is not None:
        subject = letter.answers.content.subject
        if letter.subject is not None and not is_same_subject(letter.subject, subject):
            raise InvalidInput.field(
                "subject", "must be left out or stay the same: Gmail would begin a new thread"
            )
        return reply_subject(subject)
    if letter.subject is None and letter.passes_on is not None:
        return forward_subject(letter.passes_on.content.subject)
    return letter.subject or ""


def _threading(original: Original | None) -> tuple[str | None, tuple[str, ...]]:
    """Return In-Reply-To and References."""
    if original is None or original.content.rfc822_message_id is None:
        return None, ()
    message_id = original.content.rfc822_message_id
    known = original.content.references or (
        () if original.content.in_reply_to is None else (original.content.in_reply_to,)
    )
    return message_id, (*known, message_id)


def _bodies(letter: Letter) -> tuple[str | None, str | None]:
    html = letter.html
    if html is not None:
        reason = why_unsendable(html)
        if reason is not None:
            raise InvalidInput.field("html", reason)
        html = sendable(html)
    text = letter.text
    if letter.passes_on is not None:
        text, html = _passed_on(text, html, letter.passes_on)
    return text, html


def _passed_on(
    text: str | None, html: str | None, original: Original
) -> tuple[str | None, str | None]:
    """Return both bodies with the original below; HTML only if it or the original has any."""
    lines, content = _quoted_head(original), original.content
    if html is None and content.html is None:
        below = "\n".join([QUOTE, *lines, "", content.text])
        return f"{text or ''}\n\n{below}".lstrip(), None
    above = html if html is not None else _as_html(text or "")
    head = "<br>".join(escape(one) for one in (QUOTE, *lines))
    body = content.html if content.html is not None else _as_html(content.text)
    plain = None if text is None else "\n".join([text, "", QUOTE, *lines, "", content.text])
    return plain, f"{above}<br><br><div>{head}<br><br>{body}</div>"


def _quoted_head(original: Original) -> list[str]:
    content = original.content
    named = [
        f"From: {_shown(content.sender)}" if content.sender else "",
        f"Date: {original.occurred_at:%a, %d %b %Y %H:%M %Z}",
        f"Subject: {content.subject}",
        f"To: {', '.join(_shown(one) for one in content.to)}",
        f"Cc: {', '.join(_shown(one) for one in content.cc)}" if content.cc else "",
    ]
    return [one for one in named if one]


def _shown(person: Person) -> str:
    return f"{person.name} <{person.address}>" if person.name else person.address


def _as_html(text: str) -> str:
    return escape(text).replace("\n", "<br>")
