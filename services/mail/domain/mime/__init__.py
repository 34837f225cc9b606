"""MIME made clean: the only place that touches raw mail.

Everything is read through one door, `tree.read_tree`, so that a message says the same whether
it comes from memory or from a file, and an attachment has the size that its download has.
"""

from services.mail.domain.mime.bounds import (
    LONGEST_HTML,
    LONGEST_SUBJECT,
    LONGEST_TEXT,
    MOST_ATTACHMENTS,
    MOST_PEOPLE,
)
from services.mail.domain.mime.extract import extract
from services.mail.domain.mime.headers import decode_words
from services.mail.domain.mime.html import html_to_text, unescape
from services.mail.domain.mime.parse import parse, parse_file, parse_head, parse_people
from services.mail.domain.mime.text import clean

__all__ = [
    "LONGEST_HTML",
    "LONGEST_SUBJECT",
    "LONGEST_TEXT",
    "MOST_ATTACHMENTS",
    "MOST_PEOPLE",
    "clean",
    "decode_words",
    "extract",
    "html_to_text",
    "parse",
    "parse_file",
    "parse_head",
    "parse_people",
    "unescape",
]
