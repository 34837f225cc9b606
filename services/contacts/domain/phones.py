"""Phone numbers as they are compared and dialled; how they were typed is kept beside that.

Source: ITU-T E.164, by the library phonenumbers
"""

from dataclasses import replace

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from services.contacts.domain.card import Card, Phone

LONGEST_PARSED = 64
"""Characters; what is longer is no number, whatever it has in it."""


def e164_of(text: str, region: str) -> str | None:
    """Return a number as E.164; None: it is none, or only the way to an extension behind one.

    One that names its country itself has to be of a length that country has; any other has to be
    one that `region` gives out.

    Args:
        text: as typed.
        region: where a number without a country code is from; ISO 3166-1 alpha-2.
    """
    if len(text) > LONGEST_PARSED:
        return None
    try:
        number = phonenumbers.parse(text, region)
    except NumberParseException:
        return None
    if number.extension:
        return None
    is_international = text.strip().startswith(("+", "\uff0b"))
    fits = phonenumbers.is_possible_number if is_international else phonenumbers.is_valid_number
    if not fits(number):
        return None
    return phonenumbers.format_number(number, PhoneNumberFormat.E164)


def phone_of(text: str, region: str, *, kind: str = "", primary: bool = False) -> Phone:
    """Return a number as typed, and as E.164 where it can be understood; see `e164_of`."""
    return Phone(number=text, e164=e164_of(text, region), type=kind, primary=primary)


def dialled(card: Card, region: str) -> Card:
    """Return a card whose numbers are understood as a tenant of that region means them."""
    phones = tuple(
        phone_of(one.number, region, kind=one.type, primary=one.primary) for one in card.phones
    )
    return card if phones == card.phones else replace(card, phones=phones)


def is_region(code: str) -> bool:
    """Say whether numbers of a region are known: `BR`, `FR`, ..."""
    return code in phonenumbers.SUPPORTED_REGIONS
