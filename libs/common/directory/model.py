"""What the directory holds, and what a change of it changed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class EntityRef:
    """Which entity: `lead`, `4711`."""

    entity_type: str
    entity_id: str

    def __str__(self) -> str:
        """Return the reference as events name their subject."""
        return f"{self.entity_type}/{self.entity_id}"

    @classmethod
    def from_subject(cls, subject: str) -> "EntityRef":
        """Return the reference in `<type>/<id>`; the inverse of `str`."""
        entity_type, _, entity_id = subject.partition("/")
        return cls(entity_type, entity_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entity:
    """A lead, deal or contact as of one version of it."""

    entity_type: str
    entity_id: str
    version: int
    """Rises with every change the CRM makes; 1 or more, 0 if it has told of none."""
    name: str = ""
    emails: tuple[str, ...] = ()
    """Folded (see `fold_address`), each once."""
    phones: tuple[str, ...] = ()
    owner_user_id: str | None = None

    @property
    def ref(self) -> EntityRef:
        """Return which entity it is."""
        return EntityRef(self.entity_type, self.entity_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What a newer version did to an entity's addresses (folded)."""

    ref: EntityRef
    version: int
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()

    @property
    def addresses(self) -> frozenset[str]:
        """Return those whose mail must be looked at again."""
        return self.added | self.removed
