"""What a person or a tenant wants kept of a mailbox's mail, beside its policy."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Suggest(StrEnum):
    """Whose addresses are told as possible contacts."""

    NONE = "none"
    SENT = "sent"
    """To whom the person writes."""
    SENT_AND_RECEIVED = "sent-and-received"
    """And who writes to them."""


class Body(StrEnum):
    """How much of what a message says is stored."""

    FULL = "full"
    SNIPPET = "snippet"
    """Subject and Gmail's snippet; the body is never asked for."""
    METADATA = "metadata"
    """Who, and when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """One connection's own; the defaults leave everything to its policy.

    Addresses and domains stand here as `domain.blocklist.entry` writes them.
    """

    suggest_contacts: Suggest = Suggest.NONE
    blocklist: tuple[str, ...] = ()
    """Whose mail is not kept: `bob@example.org`, or `@example.org` with all below it."""
    own_domains: tuple[str, ...] = ()
    """The tenant's, beside those of its mailboxes; without the at sign."""
    own_aliases: tuple[str, ...] = ()
    only_labels: tuple[str, ...] = ()
    """Names or ids: mail has to wear one of them; none: it does not."""
    except_labels: tuple[str, ...] = ()
    """Names or ids: mail that wears one of them is not kept."""
    body: Body = Body.FULL
    retention_days: int | None = None
    """How old mail may become; None: as old as it likes."""

    @property
    def filters_labels(self) -> bool:
        """Say whether it matters what labels a message wears."""
        return bool(self.only_labels or self.except_labels)

    def owns_as(self, other: "Preferences") -> bool:
        """Say whether both name the same as the tenant's own."""
        mine = set(self.own_domains), set(self.own_aliases)
        return mine == (set(other.own_domains), set(other.own_aliases))

    def stored(self) -> dict[str, Any]:
        """Return what a column keeps of it: whatever is not the default."""
        mine, default = asdict(self), asdict(DEFAULT)
        return {name: value for name, value in mine.items() if value != default[name]}


DEFAULT = Preferences()


def preferences_of(column: Mapping[str, Any]) -> Preferences:
    """Return preferences as `stored` left them; what this release does not know is left out."""
    if not column:
        return DEFAULT
    given = {name: column[name] for name in Preferences.__dataclass_fields__ if name in column}
    for name in ("blocklist", "own_domains", "own_aliases", "only_labels", "except_labels"):
        given[name] = tuple(given.get(name, ()))
    given["suggest_contacts"] = Suggest(given.get("suggest_contacts", Suggest.NONE))
    given["body"] = Body(given.get("body", Body.FULL))
    return Preferences(**given)
