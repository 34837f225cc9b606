"""What became of every message that was put into the mailbox at Google."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

NO_MAIL = frozenset({"SPAM", "DRAFT"})


@dataclass(frozen=True, slots=True)
class Filled:
    """What Google holds: the labels of each message by its id; and what it did not take, by why."""

    labels: Mapping[str, tuple[str, ...]]
    refused: Counter[str] = field(default_factory=Counter)
    oldest_ms: int | None = None

    @property
    def no_mail(self) -> frozenset[str]:
        """Return the ids of spam and drafts, which no CRM is to see."""
        return frozenset(key for key, names in self.labels.items() if NO_MAIL & set(names))


@dataclass(frozen=True, slots=True)
class Account:
    """The balance: each message at Google is in one of the sets, or it is missing."""

    loaded: frozenset[str]
    stored: frozenset[str]
    parked: Mapping[str, str]  # id and cause
    no_mail: frozenset[str]
    refused: Counter[str]

    @classmethod
    def of(cls, filled: Filled, *, stored: set[str], parked: Mapping[str, str]) -> "Account":
        """Return the balance of `filled`; other messages of the mailbox do not count."""
        loaded = frozenset(filled.labels)
        kept = loaded & stored
        aside = {key: cause for key, cause in parked.items() if key in loaded - kept}
        rest = filled.no_mail - kept - set(aside)
        return cls(loaded, kept, aside, rest, filled.refused)

    @property
    def missing(self) -> int:
        """Return how many messages nobody accounts for."""
        return len(self.loaded) - len(self.stored) - len(self.parked) - len(self.no_mail)

    @property
    def balances(self) -> bool:
        """Tell whether every message is accounted for, and Google took every one."""
        return self.missing == 0 and not self.refused

    def lines(self, *, seconds: float) -> list[str]:
        """Return the summary for a person; nothing in it says whose or what mail it was."""
        lines = [
            f"{len(self.loaded):>7} loaded into Google",
            f"{len(self.stored):>7} stored",
            f"{len(self.parked):>7} parked{_causes(Counter(self.parked.values()))}",
            f"{len(self.no_mail):>7} no mail (spam, drafts)",
            f"{self.missing:>7} missing",
        ]
        if self.refused:
            count = sum(self.refused.values())
            lines.append(f"{count:>7} not taken by Google{_causes(self.refused)}")
        return [*lines, f"{seconds:>7.1f} s from consent to the last of them"]


def _causes(counts: Counter[str]) -> str:
    told = ", ".join(f"{cause}: {count}" for cause, count in counts.most_common())
    return f" ({told})" if told else ""
