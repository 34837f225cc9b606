"""Mail learns contacts as entities."""

from libs.common.events.contacts import ContactEvent
from tests import messaging
from tests.contacts_told import ANN, LATER, created, deleted, sealed, updated
from tests.integration.mail.stand import Stand
from tests.logs import Recorder
from tests.support import eventually

SENDER = "bob@example.org"


async def hears(mail: Stand, event: ContactEvent, sequence: int) -> None:
    """Publish an event of a contact, and wait until mail has handled it."""
    envelope = sealed(event, sequence)
    url = mail.settings.amqp_url.get_secret_value()
    await messaging.send(url, envelope.to_json(), key=envelope.type)

    async def handled() -> bool:
        return bool(await mail.fetch("SELECT 1 FROM inbox WHERE event_id = $1", envelope.id))

    await eventually(handled)


def linked(mail: Stand) -> list[list[dict[str, str]]]:
    """Return the entities of each activity that was told."""
    told = mail.events("mail.activity.logged")
    return [one.data["activity"]["entities"] for one in told]


async def test_mail_of_a_contact_is_linked_to_it_whichever_comes_first(
    mail: Stand, logs: Recorder
) -> None:
    await eventually(lambda: any('"mail.contacts"' in line for line in logs.lines))
    await mail.connect()
    await mail.deliver()
    await mail.told("received")
    await hears(mail, created(SENDER), 1)
    await eventually(lambda: linked(mail))
    assert linked(mail) == [[{"type": "contact", "id": str(ANN)}]]

    await hears(mail, updated(SENDER, entity_id="c-7"), 2)
    await eventually(lambda: linked(mail)[-1] == [{"type": "contact", "id": "c-7"}])
    first = len(linked(mail))
    await mail.deliver()
    await eventually(lambda: len(linked(mail)) > first)
    assert linked(mail)[-1] == [{"type": "contact", "id": "c-7"}]


async def test_mail_of_a_contact_that_is_gone_is_linked_to_it_no_more(
    mail: Stand, logs: Recorder
) -> None:
    await eventually(lambda: any('"mail.contacts"' in line for line in logs.lines))
    await mail.connect()
    await hears(mail, created(SENDER), 1)
    await mail.deliver()
    await eventually(lambda: linked(mail))
    await hears(mail, deleted(), 2)
    await eventually(lambda: linked(mail)[-1] == [])


async def test_a_contact_that_is_its_owners_alone_links_nothing(
    mail: Stand, logs: Recorder
) -> None:
    await eventually(lambda: any('"mail.contacts"' in line for line in logs.lines))
    private, shared = created(SENDER, visible_to="owner"), created("a@x.test", contact_id=LATER)
    await mail.connect()
    envelope = sealed(private, 1)
    url = mail.settings.amqp_url.get_secret_value()
    await messaging.send(url, envelope.to_json(), key=envelope.type)
    await hears(mail, shared, 1)
    assert [row["entity_id"] for row in await mail.fetch("SELECT * FROM entities")] == [str(LATER)]
    await mail.deliver()
    await mail.told("received")
    assert linked(mail) == []
