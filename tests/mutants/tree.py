"""A copy of the tree, where a mutant does no harm."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.mutant import Mutant

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = ".venv"
ANOTHER_MOMENT_NS = 2_000_000_000
"""Compiled modules are told apart by size and second: a mutant must not be taken for the original,
nor the original, once it is back, for the mutant."""


@dataclass(frozen=True, slots=True)
class Tree:
    """What git knows of the working tree, copied, with the same environment beside it."""

    root: Path

    @classmethod
    def copied(cls, root: Path) -> "Tree":
        """Return a copy in the new directory `root`."""
        for name in _tracked():
            target = root / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, target)
        (root / ENVIRONMENT).symlink_to((ROOT / ENVIRONMENT).resolve())
        return cls(root)

    @property
    def python(self) -> Path:
        """The interpreter of its environment."""
        return self.root / ENVIRONMENT / "bin" / "python"

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Apply the mutant until the block ends.

        Raises:
            Stale: an edit does not fit; nothing was changed.
        """
        originals: dict[Path, str] = {}
        changed: dict[Path, str] = {}
        for edit in mutant.edits:
            path = self.root / edit.file
            text = changed.get(path) or originals.setdefault(path, path.read_text())
            changed[path] = edit.applied(text)
        times = {path: path.stat().st_mtime_ns for path in originals}
        try:
            for path, text in changed.items():
                _write(path, text, times[path] + ANOTHER_MOMENT_NS)
            yield
        finally:
            for path, text in originals.items():
                _write(path, text, times[path])


def _write(path: Path, text: str, modified_ns: int) -> None:
    path.write_text(text)
    os.utime(path, ns=(modified_ns, modified_ns))


def _tracked() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git, wherever it is
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = {name for name in listed.stdout.split("\0") if name and name != ENVIRONMENT}
    return sorted(name for name in names if (ROOT / name).is_file())
