"""Tokens at rest: authenticated encryption, bound to the row they belong to.

Each sealed value remembers the id of its key, so several keys are open at once: the first
seals, all open. A value copied to another row or column does not open there.
"""

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.common.errors import AppError

NONCE_BYTES = 12


class Unsealable(AppError):
    """A stored secret does not open: its key is not configured, or the row was tampered with."""

    slug = "unsealable"


@dataclass(frozen=True, slots=True)
class Sealed:
    """A secret as it is stored."""

    key_id: str
    box: bytes
    """Nonce, ciphertext and tag."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sealed value lives; it opens nowhere else."""

    table: str
    column: str
    row: UUID

    def bound(self) -> bytes:
        """Return the bytes that authenticate the place (names hold no blanks)."""
        return f"{self.table} {self.column} {self.row}".encode()


class Keyring:
    """The sealing keys: id and 32 bytes each, newest first."""

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        if not keys:
            raise ValueError("at least one sealing key is needed")
        if len({key_id for key_id, _ in keys}) != len(keys):
            raise ValueError("two sealing keys have the same id")
        self._newest = keys[0][0]
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}

    def __repr__(self) -> str:
        """Name no key."""
        return f"Keyring({len(self._ciphers)} keys)"

    def seal(self, secret: str, place: Place) -> Sealed:
        """Return `secret` sealed with the newest key for `place`."""
        nonce = os.urandom(NONCE_BYTES)
        box = self._ciphers[self._newest].encrypt(nonce, secret.encode(), place.bound())
        return Sealed(self._newest, nonce + box)

    def open(self, sealed: Sealed, place: Place) -> str:
        """Return the secret.

        Raises:
            Unsealable: the key is unknown, or the value does not belong to `place`.
        """
        cipher = self._ciphers.get(sealed.key_id)
        if cipher is None:
            raise Unsealable("A stored secret names a sealing key that is not configured.")
        nonce, box = sealed.box[:NONCE_BYTES], sealed.box[NONCE_BYTES:]
        try:
            return cipher.decrypt(nonce, box, place.bound()).decode()
        except (InvalidTag, ValueError) as exc:  # ValueError: too short to hold a nonce
            raise Unsealable("A stored secret does not belong to its row.") from exc

    def is_newest(self, sealed: Sealed) -> bool:
        """Return whether the newest key sealed it."""
        return sealed.key_id == self._newest


def revocation_keys(refresh_token: str) -> tuple[bytes, bytes]:
    """Return the two digests by which a security event can name a refresh token.

    First the double SHA-512 Google sends, then a digest of the sixteen-character prefix it
    may send instead (the prefix itself is part of the secret and is not kept).

    Source: https://developers.google.com/identity/protocols/risc
    """
    double = hashlib.sha512(hashlib.sha512(refresh_token.encode()).digest()).digest()
    return double, hashlib.sha256(refresh_token[:16].encode()).digest()
