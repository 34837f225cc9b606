"""What CRMs call the fields of a person, in the languages that everybody may use at once.

A target is what a name means: a text of a card (`given_name`), the whole `name`, a part of an
address (`street`), one item of a list (`phone`, or `phone/mobile` for the one of that type), a
list (`phones`), or a field of the tenant's own (`custom/<name>`).
"""

import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from services.contacts.domain.card import LISTS, SINGLE, Item
from services.contacts.domain.preferences import Language, TenantDefaults

NAME: Final = "name"
"""The whole name, which nobody takes apart."""
PARTS: Final = (
    "street",
    "extended",
    "po_box",
    "postal_code",
    "city",
    "region",
    "country",
)
"""Of the one address that a CRM knows."""
ITEM_LISTS: Final[Mapping[str, str]] = {"email": "emails", "phone": "phones", "url": "urls"}
"""Which list the one item is in that a CRM knows."""
CUSTOM: Final = "custom"
LONGEST_TARGET: Final = 100

FRENCH: Final[Mapping[str, str]] = {
    "civilite": "prefix",
    "prenom": "given_name",
    "deuxieme_prenom": "middle_name",
    "nom": "family_name",
    "suffixe": "suffix",
    "nom_complet": "name",
    "entreprise": "organization",
    "societe": "organization",
    "fonction": "title",
    "departement": "department",
    "date_naissance": "birthday",
    "date_de_naissance": "birthday",
    "anniversaire": "birthday",
    "notes": "notes",
    "email": "email",
    "courriel": "email",
    "telephone": "phone",
    "adresse": "street",
    "complement_adresse": "extended",
    "boite_postale": "po_box",
    "code_postal": "postal_code",
    "ville": "city",
    "region": "region",
    "pays": "country",
    "site_web": "url",
    "emails": "emails",
    "telephones": "phones",
    "adresses": "addresses",
    "sites_web": "urls",
}
PORTUGUESE: Final[Mapping[str, str]] = {
    "tratamento": "prefix",
    "nome": "given_name",
    "primeiro_nome": "given_name",
    "nome_do_meio": "middle_name",
    "sobrenome": "family_name",
    "apelido": "family_name",
    "sufixo": "suffix",
    "nome_completo": "name",
    "empresa": "organization",
    "cargo": "title",
    "departamento": "department",
    "data_nascimento": "birthday",
    "data_de_nascimento": "birthday",
    "aniversario": "birthday",
    "observacoes": "notes",
    "email": "email",
    "telefone": "phone",
    "endereco": "street",
    "complemento": "extended",
    "caixa_postal": "po_box",
    "cep": "postal_code",
    "cidade": "city",
    "estado": "region",
    "pais": "country",
    "site": "url",
    "emails": "emails",
    "telefones": "phones",
    "enderecos": "addresses",
    "sites": "urls",
}
ENGLISH: Final[Mapping[str, str]] = {
    "prefix": "prefix",
    "first_name": "given_name",
    "middle_name": "middle_name",
    "last_name": "family_name",
    "suffix": "suffix",
    "name": "name",
    "full_name": "name",
    "company": "organization",
    "job_title": "title",
    "department": "department",
    "birthday": "birthday",
    "date_of_birth": "birthday",
    "notes": "notes",
    "email": "email",
    "phone": "phone",
    "address": "street",
    "street": "street",
    "address_line_2": "extended",
    "po_box": "po_box",
    "postal_code": "postal_code",
    "zip": "postal_code",
    "city": "city",
    "state": "region",
    "region": "region",
    "country": "country",
    "website": "url",
    "emails": "emails",
    "phones": "phones",
    "addresses": "addresses",
    "urls": "urls",
}
OWN: Final[Mapping[str, str]] = {one: one for one in (*SINGLE, NAME, *PARTS, *ITEM_LISTS, *LISTS)}
"""What they are called here."""
BY_LANGUAGE: Final[Mapping[Language, Mapping[str, str]]] = {
    Language.FRENCH: FRENCH,
    Language.PORTUGUESE: PORTUGUESE,
    Language.ENGLISH: ENGLISH,
}


def target_of(name: str, defaults: TenantDefaults) -> tuple[int, str]:
    """Return what a name of the CRM's means, after how much it counts against others (0: most).

    The tenant's own names count before those of its language, and those before the others'. What
    nobody knows is a field of the tenant's own.
    """
    for rank, names in enumerate(_tables(defaults)):
        for given in (name, folded(name)):
            if given in names:
                return rank, names[given]
    return len(BY_LANGUAGE) + 2, f"{CUSTOM}/{name}"


def names_of(defaults: TenantDefaults) -> Mapping[str, str]:
    """Return by target what a tenant's CRM calls it; no name stands for two."""
    return _names(defaults.language, tuple(defaults.mapping.items()))


@lru_cache(maxsize=256)
def _names(language: Language, own: tuple[tuple[str, str], ...]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    taken = {name for name, _ in own}
    for name, target in own:
        found.setdefault(target, name)
    for names in (BY_LANGUAGE[language], OWN):
        for name, target in names.items():
            if target not in found and name not in taken:
                found[target] = name
                taken.add(name)
    return MappingProxyType(found)


@dataclass(frozen=True, slots=True)
class Single:
    """The one item of a list that a CRM knows: which it is, and what it has of it."""

    kind: str
    """Of the type it has; "": of any that no name of the tenant's own means."""
    claimed: frozenset[str]
    parts: dict[str, str] = field(default_factory=dict)
    """Names by what they are of an item: `text`, `street`, ..."""

    def fits(self, item: Item) -> bool:
        """Say whether it can be this item."""
        return item.type == self.kind if self.kind else item.type not in self.claimed


def singles_of(defaults: TenantDefaults) -> Mapping[str, Sequence[Single]]:
    """Return by list of a card which items of it a tenant's CRM knows by themselves."""
    return _singles(defaults.language, tuple(defaults.mapping.items()))


@lru_cache(maxsize=256)
def _singles(
    language: Language, own: tuple[tuple[str, str], ...]
) -> Mapping[str, Sequence[Single]]:
    found: dict[str, dict[tuple[str, str], Single]] = {name: {} for name in LISTS}
    for target, name in _names(language, own).items():
        head, _, kind = target.partition("/")
        is_part = head in PARTS
        if is_part or head in ITEM_LISTS:
            claims = "street" if is_part else head
            single = Single(kind, _claimed(claims, (meant for _, meant in own)))
            listed = "addresses" if is_part else ITEM_LISTS[head]
            kept = found[listed].setdefault((claims, kind), single)
            kept.parts[head if is_part else "text"] = name
    return MappingProxyType({name: tuple(singles.values()) for name, singles in found.items()})


def is_target(text: str) -> bool:
    """Say whether a tenant's name may mean that."""
    if text in OWN:
        return True
    head, slash, rest = text.partition("/")
    is_known = head == CUSTOM or head in ITEM_LISTS or head in PARTS
    return bool(is_known and slash and rest.strip() and len(text) <= LONGEST_TARGET)


def folded(name: str) -> str:
    """Return a name without accents, spaces and capitals: `Prénom` is `prenom`."""
    plain = unicodedata.normalize("NFKD", name.strip().casefold())
    kept = "".join(char for char in plain if not unicodedata.combining(char))
    return kept.replace(" ", "_").replace("-", "_")


def claimed_types(kind: str, defaults: TenantDefaults) -> frozenset[str]:
    """Return the types of items for which the tenant has names of their own."""
    return _claimed(kind, defaults.mapping.values())


def _claimed(kind: str, targets: Iterable[str]) -> frozenset[str]:
    prefix = f"{kind}/"
    return frozenset(one.removeprefix(prefix) for one in targets if one.startswith(prefix))


def _tables(defaults: TenantDefaults) -> Iterator[Mapping[str, str]]:
    yield defaults.mapping
    yield BY_LANGUAGE[defaults.language]
    for language, names in BY_LANGUAGE.items():
        if language is not defaults.language:
            yield names
    yield OWN
