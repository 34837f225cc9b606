"""What a mutant is, and which ones a run takes."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath


@dataclass(frozen=True, slots=True)
class Edit:
    """One change of one file of the product."""

    file: str
    """Relative to the tree's root."""
    old: str
    """Occurs exactly once in the file."""
    new: str

    def applied(self, text: str) -> str:
        """Return the file's text with the change.

        Raises:
            Stale: what is to be replaced is not there, or more than once.
        """
        if (count := text.count(self.old)) != 1:
            raise Stale(f"{self.file}: found {count} times: {self.old.strip().splitlines()[0]!r}")
        return text.replace(self.old, self.new)


class Stale(Exception):
    """The product has moved on, and the catalogue has not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One sabotage, and who must notice."""

    name: str
    does: str
    """What is broken, in one sentence."""
    edits: tuple[Edit, ...]
    killers: tuple[str, ...]
    """Tests, as pytest names them; the likeliest first: the run ends with the first that fails."""

    @property
    def modules(self) -> list[str]:
        """Return the names of the modules it changes."""
        paths = {PurePosixPath(edit.file) for edit in self.edits}
        return [
            ".".join((path.parent if path.stem == "__init__" else path.with_suffix("")).parts)
            for path in sorted(paths)
            if path.suffix == ".py"
        ]


def mutant(
    name: str, does: str, *killers: str, edit: tuple[str, str, str] | Sequence[tuple[str, str, str]]
) -> Mutant:
    """Return a mutant; `edit` is one change or several, as (file, old text, new text)."""
    edits = [edit] if isinstance(edit, tuple) and isinstance(edit[0], str) else edit
    return Mutant(
        name=name,
        does=does,
        edits=tuple(Edit(*one) for one in edits),
        killers=killers,
    )


def sample(mutants: Sequence[Mutant], size: int, seed: str) -> list[Mutant]:
    """Return `size` mutants; consecutive numbers as `seed` go through all of them in turn.

    Args:
        mutants: to choose from.
        size: how many; all of them if there are fewer.
        seed: a number, such as the day's, or any text, such as a commit's id.
    """
    # Mixed, so that a sample is not three of a kind, and in an order that does not change.
    mixed = sorted(mutants, key=lambda one: _digest(one.name))
    begin = (int(seed) if seed.isdecimal() else _digest(seed)) * size
    count = min(size, len(mixed))
    return [mixed[(begin + step) % len(mixed)] for step in range(count)]


def _digest(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8])
