"""What any text is checked for that comes in from outside."""


def plain_text(value: str) -> str:
    """Return text that databases and JSON can hold.

    Raises:
        ValueError: it has NUL, or half of a surrogate pair.
    """
    if "\0" in value or any("\ud800" <= char <= "\udfff" for char in value):
        raise ValueError("must be text without NUL")
    return value


def plain_id(value: str) -> str:
    """Return an identifier of somebody else's that may stand in a path.

    Raises:
        ValueError: it has a slash, spaces around it, or what is not printed.
    """
    if "/" in value or not value.isprintable() or value != value.strip():
        raise ValueError("must be printable, without slash or spaces around it")
    return value
