"""Compact RS256 tokens, taken apart and checked with nothing but the arithmetic they need.

Libraries for tokens parse each one twice and read the key anew: five times the cost of the
signature itself. Taking pushes in is what we do all day, so it is done here, strictly: unpadded
base64url, UTF-8 JSON objects, RS256 and no other algorithm, no critical extension.

Source: https://www.rfc-editor.org/rfc/rfc7515 https://www.rfc-editor.org/rfc/rfc8725
"""

import binascii
from dataclasses import dataclass, field
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

ALGORITHM = "RS256"
MAX_CHARS = 8192
PARTS = 3
_STANDARD = bytes.maketrans(b"-_+/=", b"+/!!!")
"""Turns base64url into base64, and what is only base64 into what is neither."""
_PADDING, _HASH = PKCS1v15(), SHA256()


class Malformed(ValueError):
    """It is no compact token whose parts can be read."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was read; nothing in it is true before `is_signed_by` says so."""

    header: dict[str, Any] = field(repr=False)
    claims: dict[str, Any] = field(repr=False)
    signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @classmethod
    def read(cls, text: str) -> "Token":
        """Take a token apart.

        Raises:
            Malformed: too long, not three parts, or a part is not what it should be.
        """
        if len(text) > MAX_CHARS or text.count(".") != PARTS - 1:
            raise Malformed
        try:
            signed, _, signature = text.encode("ascii").rpartition(b".")
            header, _, claims = signed.partition(b".")
            return cls(_object(header), _object(claims), signed, _decoded(signature))
        except ValueError:
            raise Malformed from None

    @property
    def key_id(self) -> str | None:
        """The key that is said to have signed."""
        found = self.header.get("kid")
        return found if isinstance(found, str) and found else None

    def is_signed_by(self, key: RSAPublicKey) -> bool:
        """Tell whether `key` signed it, as the one algorithm there is for us."""
        if self.header.get("alg") != ALGORITHM or "crit" in self.header:
            return False
        try:
            key.verify(self.signature, self.signed, _PADDING, _HASH)
        except InvalidSignature:
            return False
        return True


def _object(part: bytes) -> dict[str, Any]:
    content = orjson.loads(_decoded(part))
    if not isinstance(content, dict):
        raise Malformed
    return content


def _decoded(part: bytes) -> bytes:
    padded = part.translate(_STANDARD) + b"=" * (-len(part) % 4)
    return binascii.a2b_base64(padded, strict_mode=True)
