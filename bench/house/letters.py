"""Letters as Gmail hands them out: about 6 kB each, headers of four relays, text and HTML.

The same number always gives the same letter.
"""

import random
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime

WORDS = (  # noqa: SIM905 - a line of each would fill a page
    "the of and to in is you that it he was for on are as with they at be this have from or one "
    "had by word but not what all were we when your can said there use an each which she do how "
    "their if will up other about out many then them these so some her would make like him into "
    "time has look two more write go see number no way could people than first water been call "
    "who its now find long down day did get come made may part over new sound take only little "
    "work know place year live me back give most very after thing our just name good sentence "
    "man think say great where help through much before line right too mean old any same tell "
    "boy follow came want show also around form three small set put end does another well large "
    "must big even such because turn here why ask went men read need land different home us "
    "move try kind hand picture again change off play spell air away animal house point page "
    "offer contract meeting invoice proposal quarter budget project signature delivery schedule"
).split()
GERMAN = "Grüße für über möchte Vertrag Angebot größere Straße nächste Woche können".split()  # noqa: SIM905
PEOPLE, COMPANIES = 900, 120
FIRST = datetime(2026, 11, 1, 8, tzinfo=UTC)
OWNER = "alice@example.com"


def person(number: int) -> str:
    """Return the address of a correspondent."""
    return f"person{number % PEOPLE}@customer{number % COMPANIES}.example"


def letter(number: int) -> bytes:
    """Return the RFC 5322 text of a letter: multipart/alternative, every tenth with a file."""
    rng = random.Random(number)  # noqa: S311 - content only
    message = EmailMessage()
    sender = rng.randrange(PEOPLE)
    for name, value in _relayed(rng):
        message[name] = value
    message["From"] = f"Person {sender} <{person(sender)}>"
    message["To"] = f"Alice Doe <{OWNER}>"
    if number % 3 == 0:
        message["Cc"] = f'"Doe, Bob" <bob{rng.randrange(40)}@example.com>, {person(sender + 1)}'
    message["Subject"] = ("Re: " if number % 2 else "") + _sentence(rng, 6)
    message["Date"] = format_datetime(FIRST + timedelta(minutes=number))
    message["Message-ID"] = f"<letter.{number}@customer.example>"
    if number % 2:
        message["In-Reply-To"] = f"<letter.{number - 1}@customer.example>"
        message["References"] = (
            f"<letter.0@customer.example> <letter.{number - 1}@customer.example>"
        )
    said, quoted = _paragraphs(rng, german=number % 5 == 0), _paragraphs(rng, german=False)[:2]
    message.set_content(_text(said, quoted, answers=bool(number % 2)))
    message.add_alternative(_html(said, quoted, answers=bool(number % 2)), subtype="html")
    if number % 10 == 0:
        message.add_attachment(
            rng.randbytes(700), maintype="application", subtype="pdf", filename="offer.pdf"
        )
    return message.as_bytes()


def _relayed(rng: random.Random) -> list[tuple[str, str]]:
    """Return the headers that relays and filters add: Gmail shows them all."""
    hops = [
        (
            "Received",
            (
                f"from mx{hop}.customer.example (mx{hop}.customer.example. [192.0.2.{hop + 1}]) "
                f"by mx.example.com with ESMTPS id {rng.getrandbits(80):020x} for <{OWNER}>; "
                "Sun, 01 Nov 2026 08:00:00 +0000"
            ),
        )
        for hop in range(3)
    ]
    signature = " ".join(f"{rng.getrandbits(256):064x}" for _ in range(4))
    return [
        ("Delivered-To", OWNER),
        *hops,
        ("Return-Path", "<bounce@customer.example>"),
        (
            "DKIM-Signature",
            (
                "v=1; a=rsa-sha256; c=relaxed/relaxed; d=customer.example; s=key1; "
                f"h=from:to:subject:date:message-id; bh=47DEQpj8HBSa; b={signature}"
            ),
        ),
        (
            "Authentication-Results",
            "mx.example.com; dkim=pass header.i=@customer.example; spf=pass; dmarc=pass",
        ),
        ("MIME-Version", "1.0"),
    ]


def _sentence(rng: random.Random, length: int, words: list[str] = WORDS) -> str:
    return " ".join(rng.choice(words) for _ in range(length)).capitalize()


def _paragraphs(rng: random.Random, *, german: bool) -> list[str]:
    words = WORDS + GERMAN * 3 if german else WORDS
    return [
        ". ".join(_sentence(rng, rng.randrange(6, 16), words) for _ in range(3)) + "."
        for _ in range(7)
    ]


def _text(said: list[str], quoted: list[str], *, answers: bool) -> str:
    lines = ["Hello Alice,", "", *(line for one in said for line in (one, ""))]
    lines += ["Best regards,", "Person", "customer.example | +1 555 0100"]
    if answers:
        lines += ["", f"On Sun, 1 Nov 2026 at 08:00, Alice Doe <{OWNER}> wrote:"]
        lines += [line for one in quoted for line in (f"> {one}", ">")]
    return "\n".join(lines) + "\n"


def _html(said: list[str], quoted: list[str], *, answers: bool) -> str:
    style = "margin:0 0 12px;font-family:Arial,sans-serif;font-size:13px"
    body = "".join(f'<p style="{style}">{one}</p>\n' for one in said)
    tail = "".join(f"<p>{one}</p>\n" for one in quoted)
    quote = f'<blockquote class="gmail_quote">\n{tail}</blockquote>\n' if answers else ""
    return (
        "<html><head><style>p {margin: 0}</style></head><body>\n"
        f'<div dir="ltr"><p style="{style}">Hello Alice,</p>\n{body}'
        f'<p>Best regards,<br>Person<br><a href="https://customer.example/">customer.example</a>'
        f"</p>\n{quote}</div></body></html>\n"
    )
