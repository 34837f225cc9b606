"""How much of a message is kept: the one decision, for mail old and new.

It is taken when a message is fetched (how much to ask for), when it is committed, when its labels
change, and for everything that is held when the settings change.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from services.mail.domain.blocklist import blocklist
from services.mail.domain.history import Change, must_fetch
from services.mail.domain.label import Label
from services.mail.domain.links import OwnAddresses
from services.mail.domain.message import Content, Fetched, Keep, Known, Policy
from services.mail.domain.preferences import DEFAULT, Body, Preferences


class Reason(StrEnum):
    """What keeps a message from being kept whole."""

    POLICY = "policy"
    BLOCKLIST = "blocklist"
    LABELS = "labels"
    RETENTION = "retention"
    BODY = "body"


class Verdict(NamedTuple):
    """How much of a message is kept, and why no more."""

    keep: Keep
    reason: Reason | None = None
    """None: it is kept whole."""


WHOLE = Verdict(Keep.WHOLE)
BY_BODY = {
    Body.FULL: WHOLE,
    Body.SNIPPET: Verdict(Keep.SNIPPET, Reason.BODY),
    Body.METADATA: Verdict(Keep.METADATA, Reason.BODY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRule:
    """A filter by labels, by the ids that a mailbox gives them at present."""

    only: frozenset[str] | None = None
    """Mail has to wear one of these; None: it does not."""
    without: frozenset[str] = frozenset()
    """Mail must wear none of these."""
    named: frozenset[str] | None = None
    """Ids whose names were known when this was made; None: it does not go by names."""

    def admits(self, labels: frozenset[str]) -> bool:
        """Say whether mail that wears `labels` may be kept."""
        if self.only is not None and not labels & self.only:
            return False
        return not labels & self.without

    def knows(self, labels: frozenset[str]) -> bool:
        """Say whether the names of these are known, as far as names matter."""
        return self.named is None or labels <= self.named

    def hinges_on(self, labels: frozenset[str]) -> bool:
        """Say whether putting these on, or taking them off, may change the answer."""
        return bool(labels & self.without) or bool(self.only and labels & self.only)


EVERY_LABEL = LabelRule()
NOBODY = OwnAddresses()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """All that decides what is kept of one mailbox's mail, as it is at one moment."""

    policy: Policy
    preferences: Preferences = DEFAULT
    labels: LabelRule = EVERY_LABEL
    own: OwnAddresses = NOBODY
    """Needed only with a blocklist: the tenant's own people are never blocked."""
    oldest: datetime | None = None
    """Mail from before is too old."""

    def decide(
        self,
        *,
        people: Iterable[str],
        labels: frozenset[str],
        date: datetime,
        known: bool,
        sent_by_us: bool = False,
    ) -> Verdict:
        """Return how much is kept of a message.

        Args:
            people: addresses of everybody it names.
            labels: it wears.
            date: when Google accepted it.
            known: it concerns an entity of the CRM.
            sent_by_us: the CRM itself sent it: such mail is kept whole until it is too old.
        """
        if self.oldest is not None and date < self.oldest:
            return Verdict(Keep.NOTHING, Reason.RETENTION)
        if sent_by_us:
            return WHOLE
        blocked = self.preferences.blocklist
        if blocked and blocklist(blocked).blocks(self.own.others(people)):
            return Verdict(Keep.NOTHING, Reason.BLOCKLIST)
        if not self.labels.admits(labels):
            return Verdict(Keep.NOTHING, Reason.LABELS)
        if self.policy is Policy.NONE or (self.policy is Policy.KNOWN and not known):
            return Verdict(Keep.TRACE, Reason.POLICY)
        return BY_BODY[self.preferences.body]

    def takes_whole(self, *, known: bool) -> bool:
        """Say whether a message can be fetched whole without a look at it.

        How old it is does not count here: hardly any is too old when it is fetched.
        """
        if self.policy is Policy.NONE or (self.policy is Policy.KNOWN and not known):
            return False
        mine = self.preferences
        return mine.body is Body.FULL and not mine.blocklist and not mine.filters_labels

    @property
    def most(self) -> Keep:
        """Return how much is kept of a message at most."""
        return Keep.TRACE if self.policy is Policy.NONE else BY_BODY[self.preferences.body].keep

    @property
    def raisable(self) -> frozenset[Keep]:
        """Return of how much a message may be held that has to be looked at again.

        Under `known` traces with their hashes are not among them: entities find those.
        """
        if self.policy is Policy.NONE:
            return frozenset()
        levels = frozenset(one for one in Keep if one < self.most)
        return levels if self.policy is Policy.ALL else levels - {Keep.TRACE}


def must_look(change: Change, known: Known | None, labels: LabelRule) -> bool:
    """Say whether a message has to be fetched to know what a change makes of it.

    It is new; or only a trace of it is held, and labels that its keeping hinges on have moved.
    """
    if known is None or not known.traced:
        return must_fetch(change, known)
    if known.deleted or change.deleted:
        return False
    return any(labels.hinges_on(step.added | step.removed) for step in change.steps)


def label_rule(preferences: Preferences, known: Iterable[Label]) -> LabelRule:
    """Return the filter by ids; a name that no label has (yet) stands for nothing.

    Names are compared without regard to case, ids as they are.
    """
    if not preferences.filters_labels:
        return EVERY_LABEL
    by_name: dict[str, set[str]] = {}
    found = tuple(known)
    for label in found:
        by_name.setdefault(label.name.casefold(), set()).add(label.google_id)

    def ids(named: tuple[str, ...]) -> frozenset[str]:
        return frozenset(named).union(*(by_name.get(one.casefold(), ()) for one in named))

    only = ids(preferences.only_labels) if preferences.only_labels else None
    named = frozenset(label.google_id for label in found)
    return LabelRule(only=only, without=ids(preferences.except_labels), named=named)


def renames(preferences: Preferences, before: Sequence[Label], now: Sequence[Label]) -> bool:
    """Say whether a label that was there before stands for something else in the filter now."""
    old, new = label_rule(preferences, before), label_rule(preferences, now)
    moved = ((old.only or frozenset()) ^ (new.only or frozenset())) | (old.without ^ new.without)
    return bool(moved & {one.google_id for one in before})


def oldest_kept(
    preferences: Preferences, now: datetime, *, most_days: int | None = None
) -> datetime | None:
    """Return from when on mail is kept, None: from any time on.

    Args:
        most_days: how old mail may become in any mailbox.
    """
    limits = [days for days in (preferences.retention_days, most_days) if days is not None]
    return now - timedelta(days=min(limits)) if limits else None


def reduced(message: Fetched, keep: Keep) -> Fetched:
    """Return a message with nothing in it beyond `keep`, nor beyond what was fetched of it."""
    if keep >= message.kept:
        return message
    snippet = message.snippet if keep >= Keep.SNIPPET else ""
    content = reduced_content(message.content, keep)
    return replace(message, content=content, snippet=snippet, kept=keep)


def reduced_content(content: Content, keep: Keep) -> Content:
    """Return what a message says with nothing in it beyond `keep`."""
    if keep is Keep.WHOLE:
        return content
    if keep is Keep.NOTHING:
        return Content()
    less = Content(
        sender=content.sender,
        to=content.to,
        cc=content.cc,
        bcc=content.bcc,
        automatic=content.automatic or content.report is not None,
    )
    if keep is Keep.TRACE:
        return less
    return replace(
        less,
        subject=content.subject if keep is Keep.SNIPPET else "",
        rfc822_message_id=content.rfc822_message_id,
        in_reply_to=content.in_reply_to,
        references=content.references,
        date=content.date,
    )
