"""Which labels are groups of ours, and what they are called when both sides renamed them."""

from datetime import datetime

from libs.common.writes import MergePolicy
from services.contacts.domain.group import Group
from services.contacts.domain.label import KnownLabel, Label, LabelKind
from services.contacts.domain.preferences import Import, Preferences


def becomes_group(label: Label | KnownLabel, preferences: Preferences) -> bool:
    """Say whether a label becomes a group: Google's own never do, others as people are imported."""
    if label.kind is not LabelKind.USER or not label.name:
        return False
    if preferences.imports is Import.LABELS:
        return label.resource in preferences.import_labels
    return preferences.imports is Import.ALL


def name_of(group: Group, base: str, label: Label, *, policy: MergePolicy, now: datetime) -> str:
    """Return what a group is called, which was called `base` on both sides.

    Nobody has to choose a name: where the policy leaves that to a person, the newest stays.
    """
    if label.name in (base, group.name):
        return group.name
    if group.name == base or policy is MergePolicy.GOOGLE:
        return label.name
    is_newer = group.updated_at > (label.updated_at or now)
    ours_stays = policy is MergePolicy.CRM or is_newer
    return group.name if ours_stays else label.name
