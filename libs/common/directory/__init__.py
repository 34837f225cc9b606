"""The directory: the CRM's leads, deals and contacts, as the CRM last told of them.

Each service that matches people keeps a copy of its own. The CRM numbers the changes of an
entity (`version`), and an older one changes nothing, so that events, calls and imports may come
in any order and any number of times. The contacts service's events are numbered otherwise: see
`told`.

    CRM -> upsert_entity, delete_entity (lock_exclusive) -> entities, entity_addresses
    contacts service -> told.take_in    (lock_exclusive) -> entities, entity_addresses
    mail that is stored (lock_shared) -> find_by_addresses -> EntityRef
"""

from libs.common.directory.model import Change, Entity, EntityRef

__all__ = ["Change", "Entity", "EntityRef"]
