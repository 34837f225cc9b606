"""The e-mails of the story."""

from dataclasses import dataclass

PERSON = "alice@acme.example"
PERSON_NAME = "Alice Moreau"
CUSTOMER = "Bruno Keller <bruno.keller@northwind.example>"


@dataclass(frozen=True, slots=True)
class Letter:
    """One message to or from our person."""

    other: str  # who writes it, or whom it goes to
    subject: str
    text: str


ENQUIRY = Letter(
    other=CUSTOMER,
    subject="Forty desks for our new office in Lyon",
    text=(
        "Hello Alice,\n\nwe are moving forty people to Lyon in March and liked the oak desks at\n"
        "your showroom. Could you send an offer, with delivery to the third floor?\n\n"
        "Kind regards\nBruno Keller\nNorthwind Logistics\n"
    ),
)
NEWS = Letter(
    other="Customs desk <notices@harbour.example>",
    subject="Your container has cleared customs",
    text="Dear customer,\n\nthe container you are waiting for was released this morning.\n",
)
ADVERT = Letter(
    other="Paper & Co <offers@paper.example>",
    subject="Printer paper, this week only",
    text="Ten boxes for the price of nine. Until Friday.\n",
)
OFFER = Letter(
    other=CUSTOMER,
    subject="Re: Forty desks for our new office in Lyon",
    text=(
        "Hello Bruno,\n\nwith pleasure: forty oak desks, delivered and assembled on the third\n"
        "floor in the first week of March. The offer is in your inbox by noon.\n\nAlice\n"
    ),
)
ANSWER = (
    "Hello Bruno,\n\none thing I forgot: we take the old desks with us, free of charge.\n\nAlice\n"
)
"""Written in the CRM, below the enquiry."""
