"""What both sides do with contacts, and what goes wrong between them."""

from typing import Any

from tests.integration.auth.stand import Answer
from tests.integration.contacts.stand import human
from tests.integration.service_stand import Json
from tests.soak.contacts_stage import USER, ContactsStage, emails_here, emails_of
from tests.soak.steps import Step

CONTACTS = "/v1/contacts"
ACCEPTED = {200, 201, 202, 204}
NOT_NOW = {400, 403, 404, 409, 412, 422, 429, 502, 503}
"""It may be gone, be another's, be out of reach, or not be so any more."""
NAMES = ("Bia Ramos", "Zoë Lima", "Otávio Martin", "Grace Hopper")
LABELS = ("Customers", "Neighbours", "Suppliers")
WAIT = {"Retry-After": "1"}
FAULTS: tuple[Json, ...] = (
    {"lose_answer": True},
    {"drop": True},
    {"late_s": 0.4},
    {"late_s": 1.4},
    {"delay_s": 1.4},
    {"status": 503},
    {"status": 500},
    {"status": 429, "reason": "RATE_LIMIT_EXCEEDED", "headers": WAIT},
    {"status": 401, "reason": "authError"},
    {"garbage": True},
    {"truncate": 30},
)
METHODS = ("POST", "PATCH", "DELETE", "GET")
EXPIRIES = ("invalid_argument", "failed_precondition", "gone")
ETAGS = ("both", "person", "source")
TEXTS = ("title", "organization", "given_name", "family_name")
POLICIES = ("newest", "crm", "google", "manual")
SHORT = 20
"""Critical requests a minute, when there are few."""


async def create(stage: ContactsStage, step: Step) -> None:
    """The CRM makes a contact, with much or little."""
    email = stage.new_email()
    given, _, family = NAMES[step.which % len(NAMES)].partition(" ")
    body: Json = {"given_name": given, "emails": [{"address": email, "type": "work"}]}
    if step.how % 2:
        body |= {"family_name": family, "organization": f"crm {stage.made}"}
    if step.how % 3 == 1:
        body["phones"] = [{"number": stage.new_phone(), "type": "mobile"}]
    if step.how % 4 == 1:
        body["addresses"] = [{"street": f"Rua {stage.made}", "city": "Recife", "type": "home"}]
        body["custom"] = {"score": str(step.which)}
    if step.how % 5 == 1:
        body |= {"birthday": "1980-05-02", "notes": "met in Lyon\nin spring"}
    if (await _ask(stage, "POST", CONTACTS, body)).status in ACCEPTED:
        stage.circle(email)


async def change(stage: ContactsStage, step: Step) -> None:
    """The CRM changes what it sees of somebody."""
    one = await _some(stage, step)
    if one is None:
        return
    mark = f"crm {stage.done.total()}"
    body: Json = {}
    match step.how % 6:
        case 0:
            body["title"] = mark
        case 1:
            body |= {"given_name": mark, "organization": mark}
        case 2:
            email = stage.new_email()
            mine = [{"address": each, "type": "other"} for each in emails_here(one)]
            body["emails"] = [*mine, {"address": email, "type": "home"}]
            if await _patch(stage, one, body):
                stage.circle(email, *emails_here(one))
            return
        case 3:
            body["phones"] = [{"number": stage.new_phone(), "type": "work"}]
        case 4:
            body["custom"] = {"score": mark, "other": None}
        case _:
            body |= {"notes": mark, "addresses": []}
    await _patch(stage, one, body)


async def delete(stage: ContactsStage, step: Step) -> None:
    """The CRM deletes somebody."""
    one = await _some(stage, step)
    if one is not None:
        stage.let_go(emails_here(one))
        await _ask(stage, "DELETE", f"{CONTACTS}/{one['id']}")


async def tell(stage: ContactsStage, step: Step) -> None:
    """The CRM tells of one of its own contacts by an event: a new one, a change, an old change."""
    entity = f"e{stage.number}-{step.which % 3}"
    email = f"{entity}@customer.example"
    version = stage.versions[entity] + 1
    if step.how % 5 == 4:
        version = max(1, version - 2)
    fields: Json = {"prenom": NAMES[step.how % len(NAMES)].partition(" ")[0], "email": email}
    if step.how % 2:
        fields |= {"fonction": f"crm {stage.done.total()}", "ville": "Lyon"}
    stage.versions[entity] = max(stage.versions[entity], version)
    stage.circle(email)
    await stage.stand.crm_says(
        "upserted",
        tenant=stage.tenant,
        contact_id=entity,
        version=version,
        owner_user_id=USER,
        fields=fields,
    )


async def untell(stage: ContactsStage, step: Step) -> None:
    """The CRM tells that one of its own contacts is gone."""
    entity = f"e{stage.number}-{step.which % 3}"
    if stage.versions[entity]:
        stage.versions[entity] += 1
        stage.let_go([f"{entity}@customer.example"])
        await stage.stand.crm_says(
            "deleted", tenant=stage.tenant, contact_id=entity, version=stage.versions[entity]
        )


async def regroup(stage: ContactsStage, step: Step) -> None:
    """The CRM makes a group, renames it, deletes it, or lets somebody join or leave it."""
    found = await stage.groups()
    group = found[step.which % len(found)] if found else None
    if group is None or step.how % 8 == 0:
        name = f"{LABELS[step.which % len(LABELS)]} {step.how % 3}"
        await _ask(stage, "POST", f"{CONTACTS}/groups", {"name": name})
        return
    path = f"{CONTACTS}/groups/{group['id']}"
    match step.how % 8:
        case 1:
            await _ask(stage, "PATCH", path, {"name": f"crm {stage.done.total()}"})
        case 2:
            await _ask(stage, "DELETE", path)
        case _:
            one = await _some(stage, step)
            if one is not None:
                method = "DELETE" if step.how % 4 == 3 else "PUT"
                await _ask(stage, method, f"{path}/members/{one['id']}")


async def unite(stage: ContactsStage, step: Step) -> None:
    """The CRM makes one of two contacts."""
    found = await stage.shown()
    if len(found) < 2:
        return
    one, into = found[step.which % len(found)], found[(step.which + 1) % len(found)]
    stage.let_go([*emails_here(one), *emails_here(into)])
    await _ask(stage, "POST", f"{CONTACTS}/{one['id']}/merge", {"into": into["id"]})


async def resolve(stage: ContactsStage, step: Step) -> None:
    """A person chooses: between two sides, or who somebody is."""
    answer = await stage.call("GET", f"{CONTACTS}/conflicts?state=open")
    if answer.status != 200 or not answer.body["items"]:
        return
    one = answer.body["items"][step.which % len(answer.body["items"])]
    if one["kind"] == "match":
        chosen = [*one["candidates"], "new", "ignore"]
        body: Json = {"contact": chosen[step.how % len(chosen)]}
    else:
        body = {"choice": ("crm", "google")[step.how % 2]}
    await _ask(stage, "POST", f"{CONTACTS}/conflicts/{one['id']}/resolve", body)


async def add(stage: ContactsStage, step: Step) -> None:
    """The person adds somebody in Google."""
    email = stage.new_email()
    more: Json = {}
    if step.how % 2:
        more["organizations"] = [{"name": f"google {stage.made}"}]
    if step.how % 4 == 1:
        more["userDefined"] = [{"key": "shoe size", "value": "39"}]
        more["addresses"] = [{"streetAddress": f"Rue {stage.made}", "city": "Lyon"}]
    phone = stage.new_phone() if step.how % 3 == 1 else ""
    name = NAMES[step.which % len(NAMES)] if step.how % 7 else ""
    how = {"groups": [LABELS[step.which % len(LABELS)]]} if step.who else {}
    body = {"contact": human(name, email, phone=phone, **more), **how}
    await stage.control("POST", "contacts", body)
    stage.circle(email)


async def edit(stage: ContactsStage, step: Step) -> None:
    """The person changes somebody in Google."""
    one = await _somebody(stage, step)
    if one is None:
        return
    mark = f"google {stage.done.total()}"
    match step.how % 6:
        case 0:
            changes: Json = {"organizations": [{"name": mark, "title": f"t {mark}"}]}
        case 1:
            changes = {"names": [{"givenName": mark, "familyName": "Edited"}]}
        case 2:
            email = stage.new_email()
            changes = {"emailAddresses": [*_plain(one, "emailAddresses"), {"value": email}]}
            stage.circle(email, *emails_of(one))
        case 3:
            phones = [*_plain(one, "phoneNumbers"), {"value": stage.new_phone(), "type": "home"}]
            changes = {"phoneNumbers": phones[-2:]}
        case 4:
            changes = {"biographies": [{"value": mark, "contentType": "TEXT_PLAIN"}]}
        case _:
            changes = {"addresses": None, "urls": [{"value": f"https://{step.which}.example"}]}
    await _do(stage, one, "change", changes=changes)


async def remove(stage: ContactsStage, step: Step) -> None:
    """The person deletes somebody in Google."""
    one = await _somebody(stage, step)
    if one is not None:
        stage.let_go(emails_of(one))
        stage.starred.discard(_source(one))
        await _do(stage, one, "delete")


async def label(stage: ContactsStage, step: Step) -> None:
    """The person labels somebody, takes a label away, or gives them a star."""
    one = await _somebody(stage, step)
    if one is None:
        return
    action = ("label", "unlabel", "label", "star")[step.how % 4]
    if action == "star":
        stage.starred.add(_source(one))
        await _do(stage, one, "star")
    else:
        await _do(stage, one, action, group=LABELS[step.which % len(LABELS)])


async def relabel(stage: ContactsStage, step: Step) -> None:
    """The person makes a label, renames one, or deletes one."""
    labels = (await stage.control("GET", "contact-groups"))["groups"]
    mine = [one for one in labels if one["groupType"] == "USER_CONTACT_GROUP"]
    one = mine[step.which % len(mine)] if mine else None
    match step.how % 3:
        case 0:
            await _try(stage, "POST", "contact-groups", {"name": f"google {stage.done.total()}"})
        case 1 if one is not None:
            path = f"contact-groups/{one['resourceName'].partition('/')[2]}"
            await _try(stage, "PATCH", path, {"name": f"google {stage.done.total()}"})
        case 2 if one is not None:
            await _try(stage, "DELETE", f"contact-groups/{one['resourceName'].partition('/')[2]}")


async def rename(stage: ContactsStage, step: Step) -> None:
    """Google calls somebody by another resource name."""
    one = await _somebody(stage, step)
    if one is not None:
        await _do(stage, one, "rename")


async def merge(stage: ContactsStage, step: Step) -> None:
    """The person merges two people in Google."""
    found = await stage.at_google()
    if len(found) < 2:
        return
    one, into = found[step.which % len(found)], found[(step.which + 1) % len(found)]
    stage.let_go([*emails_of(one), *emails_of(into)])
    if _source(one) in stage.starred:
        stage.starred.discard(_source(one))
    how = {"into": into["resourceName"], "leads": step.how % 2 == 0, "trace": step.how % 3 == 0}
    await _do(stage, one, "merge", **how)


async def both(stage: ContactsStage, step: Step) -> None:
    """Both sides make the same person before they hear of each other."""
    email = stage.new_email()
    name = NAMES[step.which % len(NAMES)]
    shown = human(name, email.upper() if step.how % 2 else email)
    await stage.control("POST", "contacts", {"contact": shown})
    body = {"given_name": name, "emails": [{"address": email}]}
    stage.circle(email).doubled = True
    await _ask(stage, "POST", CONTACTS, body)


async def collide(stage: ContactsStage, step: Step) -> None:
    """Both sides change the same person before they hear of each other: the same field, or not."""
    one = await _some(stage, step)
    links = [] if one is None else one["links"]
    if one is None or not links:
        return
    mark = stage.done.total()
    theirs = {"organizations": [{"title": f"google {mark}"}]}
    resource = {"resourceName": links[0]["resource"]}
    await _do(stage, resource, "change", changes=theirs)
    field = ("title", "notes", "given_name", "title")[step.how % 4]
    await _patch(stage, one, {field: f"crm {mark}"})


async def confuse(stage: ContactsStage, step: Step) -> None:
    """The person adds somebody in Google who has the numbers of two contacts."""
    found = [one for one in await stage.shown() if one["phones"]]
    if len(found) > 1:
        one, other = found[step.which % len(found)], found[(step.which + 1) % len(found)]
        numbers = [{"value": each["phones"][0]["number"]} for each in (one, other)]
        stage.let_go([*emails_here(one), *emails_here(other)])
        await stage.control("POST", "contacts", {"contact": human("Who", phoneNumbers=numbers)})


async def prefer(stage: ContactsStage, step: Step) -> None:
    """The person wants conflicts decided otherwise."""
    await stage.stand.prefer(
        stage.connection_id, conflict_policy=POLICIES[step.how % len(POLICIES)]
    )


async def fault(stage: ContactsStage, step: Step) -> None:
    """Google fails a few times in some way."""
    rule = {
        "path_prefix": "/v1/contactGroups" if step.which % 5 == 4 else "/v1/people",
        "method": METHODS[step.which % len(METHODS)],
        "times": 1 + step.who,
        "person": stage.person,
        **FAULTS[step.how % len(FAULTS)],
    }
    stage.faults.append(rule)
    await stage.stand.google.control("PUT", "faults", {"rules": stage.faults})


async def lag(stage: ContactsStage, step: Step) -> None:
    """Lists show changes later, or at once again."""
    delays = (0.0, 0.3, 0.8, 1.5)
    await stage.stand.google_settings(
        contact_list_delay_s=delays[step.how % 4], contact_get_delay_s=delays[step.which % 3]
    )


async def particular(stage: ContactsStage, step: Step) -> None:
    """Google is particular in another way: on etags, on batches, on old tokens."""
    await stage.stand.google_settings(
        contact_etag=ETAGS[step.which % len(ETAGS)],
        contact_sync_expiry=EXPIRIES[step.how % len(EXPIRIES)],
        contact_batch_failures=("whole", "each")[step.who],
    )


async def quota(stage: ContactsStage, step: Step) -> None:
    """Google allows little for a while."""
    del step
    await stage.stand.google_settings(
        contact_critical_reads_per_minute=SHORT, contact_critical_writes_per_minute=SHORT
    )


async def expire(stage: ContactsStage, step: Step) -> None:
    """Google does not know our sync tokens any more."""
    del step
    await stage.stand.expire_tokens(stage.person)


async def token(stage: ContactsStage, step: Step) -> None:
    """The person's access tokens are not good any more."""
    del step
    await stage.control("POST", "grants", {"action": "expire_access"})


async def look(stage: ContactsStage, step: Step) -> None:
    """The address book is looked at, and sometimes what comes next waits for what came of it."""
    await stage.look()
    if step.how % 3 == 0:
        await stage.stand.quiet()


async def restart(stage: ContactsStage, step: Step) -> None:
    """The service is stopped and started."""
    del step
    await stage.restart()


async def reconnect(stage: ContactsStage, step: Step) -> None:
    """The person disconnects, and connects again."""
    del step
    await stage.disconnect()
    await stage.connect()


async def _some(stage: ContactsStage, step: Step) -> Json | None:
    """Return a contact that the CRM sees."""
    found = await stage.shown()
    return found[(step.which + step.how) % len(found)] if found else None


async def _somebody(stage: ContactsStage, step: Step) -> Json | None:
    """Return somebody whom the person has in Google."""
    found = await stage.at_google()
    return found[(step.which + step.how) % len(found)] if found else None


async def _patch(stage: ContactsStage, one: Json, body: Json) -> bool:
    answer = await _ask(stage, "PATCH", f"{CONTACTS}/{one['id']}", body)
    return answer.status in ACCEPTED


async def _ask(stage: ContactsStage, method: str, path: str, body: Any = None) -> Answer:
    found = await stage.call(method, path, body)
    assert found.status in ACCEPTED | NOT_NOW, found
    return found


async def _do(stage: ContactsStage, one: Json, action: str, **how: Any) -> None:
    """Let the person do something to somebody, who may be gone."""
    body = {"contact": one["resourceName"], "action": action, **how}
    await _try(stage, "POST", "contact-edits", body)


async def _try(stage: ContactsStage, method: str, path: str, body: Json | None = None) -> None:
    """Let the person do something, if that can be done; the product may hear of it soon."""
    try:
        await stage.control(method, path, body)
    except AssertionError as exc:  # it is not there any more, or there is one of that name
        if not any(f" {status} " in str(exc) for status in (400, 404, 409)):
            raise


def _plain(one: Json, field: str) -> list[Json]:
    """Return the items of a field as a person would type them again."""
    return [
        {name: value for name, value in item.items() if name in ("value", "type")}
        for item in one.get(field, [])
    ]


def _source(one: Json) -> str:
    return str(one["metadata"]["sources"][0]["id"])


RULES = {
    "create": create,
    "change": change,
    "delete": delete,
    "tell": tell,
    "untell": untell,
    "regroup": regroup,
    "unite": unite,
    "resolve": resolve,
    "add": add,
    "edit": edit,
    "remove": remove,
    "label": label,
    "relabel": relabel,
    "rename": rename,
    "merge": merge,
    "both": both,
    "collide": collide,
    "confuse": confuse,
    "prefer": prefer,
    "fault": fault,
    "lag": lag,
    "particular": particular,
    "quota": quota,
    "expire": expire,
    "token": token,
    "look": look,
    "restart": restart,
    "reconnect": reconnect,
}
ALWAYS = ("create", "change", "add", "edit", "collide", "label", "regroup", "look")
