"""What the CRM and its users do: connections, and the entities it tells of."""

from datetime import UTC, datetime

from libs.common.events import crm
from libs.common.events.crm import EntityDeleted, EntityUpserted
from tests import messaging
from tests.soak.processes import ensure
from tests.soak.stage import SEATS, STRANGERS, Entity, Kept, Mailbox, Person, Stage
from tests.soak.steps import Step

USERS = tuple(f"user{one}" for one in range(SEATS))
POLICIES = ("all", "known", "none", "known")
ENTITIES = ("ann", "ben", "cy")


async def connect(stage: Stage, step: Step) -> None:
    """Somebody connects an account for a user of a tenant."""
    person = stage.person(step.who)
    tenant, user = stage.tenants[step.which % SEATS], USERS[step.how % SEATS]
    if any((one.person, one.tenant, one.user) == (person, tenant, user) for one in stage.mailboxes):
        return
    await ensure(stage, "auth")
    await _google_is_well(stage)
    made = await stage.house.connect(person.email, tenant=tenant, user=user, settled=False)
    person.revoked = False
    stage.mailboxes.append(Mailbox(made, person, tenant, user))


async def disconnect(stage: Stage, step: Step) -> None:
    """A user ends a connection; what was read may have to go."""
    mailbox, purge = stage.mailbox(step.which), bool(step.how % 2)
    if mailbox is None:
        return
    await ensure(stage, "auth")
    await stage.house.disconnect(
        mailbox.connection_id, tenant=mailbox.tenant, user=mailbox.user, purge=purge
    )
    stage.mailboxes.remove(mailbox)
    if purge:
        stage.purged.append(mailbox.connection_id)
    if all(one.person is not mailbox.person for one in stage.mailboxes):
        mailbox.person.revoked = False


async def exchange(stage: Stage, step: Step) -> None:
    """A user ends a connection and makes it again."""
    mailbox = stage.mailbox(step.which)
    if mailbox is not None:
        await disconnect(stage, step)
        await connect(
            stage,
            Step(
                "connect",
                stage.people.index(mailbox.person),
                stage.tenants.index(mailbox.tenant),
                USERS.index(mailbox.user),
            ),
        )


async def come_back(stage: Stage, step: Step) -> None:
    """Somebody who took our access away gives it again."""
    await give_back(stage, stage.person(step.who))


async def give_back(stage: Stage, person: Person) -> None:
    """Let the person consent again, by one of the connections of the account."""
    mine = [one for one in stage.mailboxes if one.person is person]
    if person.revoked and mine:
        await ensure(stage, "auth")
        await _google_is_well(stage)
        one = mine[0]
        await stage.house.reconnect(
            one.connection_id, person.email, tenant=one.tenant, user=one.user
        )
        person.revoked = False


async def keep(stage: Stage, step: Step) -> None:
    """A user says what is kept of a mailbox's mail, of the past too."""
    mailbox = stage.mailbox(step.which)
    if mailbox is None:
        return
    await ensure(stage, "web")
    policy = POLICIES[step.how % len(POLICIES)]
    blocked = [STRANGERS[step.which % len(STRANGERS)]] if step.how % 4 == 3 else []
    path = f"/v1/mail/connections/{mailbox.connection_id}/settings"
    status, said = await stage.house.call_mail(
        "PUT",
        path,
        {"policy": policy, "blocklist": blocked},
        tenant=mailbox.tenant,
        user=mailbox.user,
    )
    assert status in {200, 404}, said  # mail may not have heard of the connection yet
    if status == 200:
        stage.settings[mailbox.connection_id] = Kept(policy, frozenset(blocked))


async def pause(stage: Stage, step: Step) -> None:
    """A user pauses a mailbox, or lets it go on."""
    mailbox = stage.mailbox(step.which)
    if mailbox is not None:
        await set_paused(stage, mailbox, paused=bool(step.how % 2))


async def set_paused(stage: Stage, mailbox: Mailbox, *, paused: bool) -> None:
    """Pause a mailbox, or let it go on."""
    await ensure(stage, "web")
    path = f"/v1/mail/connections/{mailbox.connection_id}/{'pause' if paused else 'resume'}"
    status, said = await stage.house.call_mail(
        "POST", path, tenant=mailbox.tenant, user=mailbox.user
    )
    assert status in {200, 404}, said
    if status == 200:
        (stage.paused.add if paused else stage.paused.discard)(mailbox.connection_id)


async def entity(stage: Stage, step: Step) -> None:
    """An entity appears, or has other addresses."""
    tenant, name = _entity(stage, step)
    known = stage.entities.setdefault((tenant, name), Entity(0, None))
    known.version += 1
    count = 1 + step.how % 2
    known.emails = frozenset(STRANGERS[(step.how + one) % len(STRANGERS)] for one in range(count))
    event = EntityUpserted(
        entity_type="lead",
        entity_id=name,
        version=known.version,
        emails=tuple(sorted(known.emails)),
    )
    await _tell(stage, known, event, tenant)


async def entity_gone(stage: Stage, step: Step) -> None:
    """An entity vanishes."""
    tenant, name = _entity(stage, step)
    known = stage.entities.get((tenant, name))
    if known is None or known.emails is None:
        return
    known.version += 1
    known.emails = None
    event = EntityDeleted(entity_type="lead", entity_id=name, version=known.version)
    await _tell(stage, known, event, tenant)


async def entity_again(stage: Stage, step: Step) -> None:
    """Something that was told of an entity is told again: it may be old."""
    known = stage.entities.get(_entity(stage, step))
    if known is not None:
        told = known.told[step.how % len(known.told)]
        await messaging.send(stage.house.amqp_url, told.to_json(), key=told.type)


def _entity(stage: Stage, step: Step) -> tuple[str, str]:
    return stage.tenants[step.who % SEATS], ENTITIES[step.which % len(ENTITIES)]


async def _tell(
    stage: Stage, known: Entity, event: EntityUpserted | EntityDeleted, tenant: str
) -> None:
    told = crm.envelope_of(event, tenant_id=tenant, time=datetime.now(UTC))
    known.told.append(told)
    await messaging.send(stage.house.amqp_url, told.to_json(), key=told.type)


async def _google_is_well(stage: Stage) -> None:
    """Whoever consents tries until it works."""
    stage.faults.clear()
    await stage.house.google.control("DELETE", "faults")


RULES = {
    "connect": connect,
    "disconnect": disconnect,
    "exchange": exchange,
    "come_back": come_back,
    "keep": keep,
    "pause": pause,
    "entity": entity,
    "entity_gone": entity_gone,
    "entity_again": entity_again,
}
