"""What is found of replies is what the library finds, however little of it is asked."""

from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mailparser_reply import EmailReplyParser  # type: ignore[import-untyped]  # it ships no types
from mailparser_reply.constants import MAIL_LANGUAGES  # type: ignore[import-untyped]

from services.mail.domain.mime.replies import LANGUAGES, Reply, latest_reply

PARSER = EmailReplyParser(languages=[*LANGUAGES])
INTRODUCTIONS = [
    "On Mon, 1 Nov 2026 at 10:00, Alice <a@x.test> wrote:",
    "On 1 Nov 2026,",
    "Alice wrote:",
    "Am 01.11.2026 um 10:00 schrieb Alice <a@x.test>:",
    "Le lun. 1 nov. 2026 à 10:00, Alice a écrit :",
    "Le lun. 1 nov. 2026 à 10:00, Alice a écrit:",
    "El lun, 1 nov 2026 a las 10:00, Alice escribió:",
    "Il giorno lun 1 nov 2026 Alice ha scritto:",
    "Op ma 1 nov. 2026 om 10:00 schreef Alice:",
    "Dnia 1 listopada 2026 Alice napisał(a):",
    "Dnia 1 listopada 2026 Alice nadesłał:",
    "Den mån 1 nov. 2026 kl 10:00 skrev Alice <a@x.test>:",
    "1 nov 2026 kl. 10:00 skrev Alice <a@x.test>:",
    "lør. 1. nov. 2026 skrev Alice <a@x.test>:",
    "søn. 1. nov. 2026 skrev Alice <a@x.test>:",
    "12. nov 2026 10:00 skrev Alice <a@x.test>:",
    "Dne 1. 11. 2026 Alice napsal(a):",
    "2026年11月1日(日) 10:00 Alice <a@x.test>:",
    "2026年11月1日 10:00\uff0cAlice 写道\uff1a",
    "2026년 11월 1일 (월) Alice님이 작성하였습니다:",
    "----- Original Message -----",
    "-----Original Message-----",
    "-----Oprindelig meddelelse-----",
]
FIELDS = [
    *("From", "To", "Sent", "Subject", "Date", "Cc", "Organization", "Von", "Gesendet", "An"),
    *("Betreff", "De", "Enviado", "Para", "Da", "Inviato", "A", "Oggetto", "Van", "Verzonden"),
    *("Od", "Wysłano", "Do", "Temat", "Data", "DW", "Komu", "Předmět", "Från", "Skickat", "Till"),
    *("Ämne", "Fra", "Sendt", "Til", "Emne", "发件人", "收件人", "主题", "보낸사람", "제목"),
]
SHOWN = [f"{name}: x" for name in FIELDS] + ["De : x", "Envoyé : y", "Objet : z", "*From:* x"]
PLAIN = [
    *("", "", "Hello Alice,", "Yes.", "this is a line of words that goes on", "e-mail and mail"),
    *("On the other hand", "Am Ende", "* a star", "- an item", "--", "-- ", "__", "/x", "-x"),
    *("Let us wrote: about it", "10 of them", "Warning: this mail is confidential.", "Taken", "KH"),
    *(
        "To do: nothing",
        "Data: 5",
        "regards",
        "_" * 32,
        "-" * 40,
        "_-_",
        "STRASSE",
        "\u017fent from my x",
    ),
    *("Sent from my iPhone", "Get Outlook for iOS", "Odesláno z mého iPhonu", "Τέλος", "İstanbul"),
]


def _literals(language: str) -> list[str]:
    said = MAIL_LANGUAGES[language]
    endings = said.get("signatures", ())
    marks = said.get("sent_from", "").split("|")
    warnings = [f"{one} this mail is secret." for one in said.get("disclaimers", ())]
    known = [one.replace("\\u", "u") for one in (*endings, *marks, *warnings) if one]
    return [one for one in known if not set(one) & set("[(\\")]


LITERALS = sorted(set(chain.from_iterable(_literals(one) for one in LANGUAGES)))
LINES = st.builds(
    lambda front, line, back: f"{front}{line}{back}".strip(),
    st.sampled_from(["", "", "", "", "> ", ">> ", "> > ", "* ", ">"]),
    st.sampled_from([*INTRODUCTIONS, *SHOWN, *PLAIN, *PLAIN, *LITERALS]),
    st.sampled_from(["", "", "", " Alice", ",", " x mail"]),
)


def by_library(outline: list[str]) -> Reply | None:
    """Return what the library makes of it, all languages at once."""
    replies = PARSER.read("\n".join(outline)).replies
    if not replies:
        return None
    first = replies[0]
    return Reply(first.body or first.content, len(replies) == 1 and not first.signatures)


@settings(max_examples=400, deadline=None)
@given(st.lists(LINES, max_size=12))
def test_a_reply_ends_where_the_library_ends_it(outline: list[str]) -> None:
    assert latest_reply(outline) == by_library(outline)


@pytest.mark.parametrize("line", [*INTRODUCTIONS, *LITERALS, *PLAIN])
def test_every_line_the_library_knows_is_looked_at(line: str) -> None:
    outline = ["Yes.", "", line.strip(), "> No?"]

    assert latest_reply(outline) == by_library(outline)
    assert latest_reply([one.upper() for one in outline]) == by_library(
        [one.upper() for one in outline]
    )


@pytest.mark.parametrize("first", SHOWN)
def test_shown_headers_in_any_language_end_a_reply(first: str) -> None:
    for second in SHOWN:
        outline = ["Yes.", "", first, second, "No?"]

        assert latest_reply(outline) == by_library(outline), (first, second)
