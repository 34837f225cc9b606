"""Who may be worth a contact in the CRM: people the mailbox's owner writes with."""

import re
from dataclasses import dataclass

from libs.common.addresses import fold_address
from services.mail.domain.blocklist import blocklist
from services.mail.domain.keeping import Rules
from services.mail.domain.message import Content, Direction
from services.mail.domain.preferences import Suggest

MOST = 20
"""Of one message: a letter to hundreds is no correspondence."""
ROBOT = re.compile(
    r"(?:.*[-_.+])?(?:no|do[-_.]?not|never)[-_.]?reply(?:[-_.+].*)?"
    r"|(?:mailer[-_.]?daemon|postmaster|bounces?|notifications?|newsletters?|unsubscribe"
    r"|auto(?:mated|matic)?[-_.]?(?:reply|response|confirm))(?:[-_.+].*)?"
)


@dataclass(frozen=True, slots=True)
class Correspondent:
    """Somebody outside, by folded address."""

    address: str
    name: str | None
    direction: Direction


def correspondents(content: Content, way: Direction, rules: Rules) -> tuple[Correspondent, ...]:
    """Return whom a message would suggest, as far as it says itself.

    Nobody of automatic mail, mail of lists and reports, no robots, no own people.
    """
    wanted = rules.preferences.suggest_contacts
    if content.automatic or content.report is not None or wanted is Suggest.NONE:
        return ()
    if way is Direction.OUTBOUND:
        people = (*content.to, *content.cc, *content.bcc)
    elif wanted is Suggest.SENT_AND_RECEIVED and content.sender is not None:
        people = (content.sender,)
    else:
        return ()
    if len(people) > MOST:
        return ()
    blocked = blocklist(rules.preferences.blocklist)
    found = {
        address: Correspondent(address, person.name, way)
        for person in reversed(people)
        if (address := fold_address(person.address)) not in rules.own
        and not is_robot(address)
        and address not in blocked
    }
    return tuple(found[address] for address in sorted(found))


def is_robot(address: str) -> bool:
    """Say whether nobody reads what is sent to a folded address."""
    return ROBOT.fullmatch(address.rpartition("@")[0]) is not None
