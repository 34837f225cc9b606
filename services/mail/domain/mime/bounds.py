"""How much of a message is kept: every list and text the parser gives is bounded by these."""

LONGEST_HEADER = 200_000
LONGEST_HEADERS = 512 * 1024
"""Bytes of one part's header block; what follows is not read."""
LONGEST_SUBJECT = 2_000
LONGEST_NAME = 200
LONGEST_ADDRESS = 320
LONGEST_ID = 998
LONGEST_FILENAME = 500
LONGEST_TEXT = 200_000
LONGEST_HTML = 500_000
MOST_PEOPLE = 1_000
MOST_REFERENCES = 100
MOST_ATTACHMENTS = 500
MOST_CALENDARS = 20
MOST_UIDS = 20
MOST_PARTS = 2_000
DEEPEST = 60
LARGEST_BODY = 1024 * 1024
"""Decoded bytes of one part that are kept to be read."""
LARGEST_BODIES = 8 * 1024 * 1024
"""Bytes of all headers and bodies of a message that are kept to be read."""
