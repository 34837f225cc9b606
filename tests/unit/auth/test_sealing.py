from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.auth.domain import secrets
from services.auth.domain.sealing import Keyring, Place, Sealed, Unsealable, revocation_keys

OLD, NEW = ("old", b"o" * 32), ("new", b"n" * 32)
PLACE = Place("accounts", "refresh_token", UUID(int=7))


@given(st.text(max_size=600))
def test_what_is_sealed_opens_in_its_place(secret: str) -> None:
    ring = Keyring([NEW])

    assert ring.open(ring.seal(secret, PLACE), PLACE) == secret


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(PLACE, row=UUID(int=8)),
        replace(PLACE, column="access_token"),
        replace(PLACE, table="others"),
    ],
)
def test_a_sealed_value_opens_nowhere_else(elsewhere: Place) -> None:
    ring = Keyring([NEW])

    with pytest.raises(Unsealable):
        ring.open(ring.seal("secret", PLACE), elsewhere)


def test_a_changed_box_does_not_open() -> None:
    ring = Keyring([NEW])
    sealed = ring.seal("secret", PLACE)
    forged = replace(sealed, box=sealed.box[:-1] + bytes([sealed.box[-1] ^ 1]))

    with pytest.raises(Unsealable):
        ring.open(forged, PLACE)


def test_the_newest_key_seals_and_older_ones_still_open() -> None:
    before, after = Keyring([OLD]), Keyring([NEW, OLD])
    sealed = before.seal("secret", PLACE)

    assert after.open(sealed, PLACE) == "secret"
    assert not after.is_newest(sealed)
    assert after.seal("secret", PLACE).key_id == "new"


def test_a_key_that_is_gone_is_an_error_that_names_no_secret() -> None:
    sealed = Keyring([OLD]).seal("secret", PLACE)

    with pytest.raises(Unsealable) as caught:
        Keyring([NEW]).open(sealed, PLACE)
    assert "secret" not in caught.value.message.replace("stored secret", "")


@pytest.mark.parametrize("keys", [[], [OLD, OLD]])
def test_a_keyring_needs_keys_with_ids_of_their_own(keys: list[tuple[str, bytes]]) -> None:
    with pytest.raises(ValueError, match="key"):
        Keyring(keys)


def test_a_keyring_shows_no_key() -> None:
    assert "nnnn" not in repr(Keyring([NEW]))


def test_the_same_secret_is_never_sealed_alike() -> None:
    ring = Keyring([NEW])

    assert ring.seal("secret", PLACE).box != ring.seal("secret", PLACE).box


def test_security_events_find_a_token_by_digests_only() -> None:
    double, prefix = revocation_keys("1//0123456789abcdef-rest")

    assert (len(double), len(prefix)) == (64, 32)
    assert revocation_keys("1//0123456789abcdef-other")[1] == prefix
    assert revocation_keys("1//0123456789abcdef-other")[0] != double


def test_the_pkce_challenge_is_that_of_the_specification() -> None:
    # https://www.rfc-editor.org/rfc/rfc7636#appendix-B
    verifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

    assert secrets.challenge(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_verifier_and_nonce_take_both_the_state_and_the_browser() -> None:
    derived = {
        function(browser, state)
        for function in (secrets.verifier, secrets.nonce)
        for browser in ("b1", "b2")
        for state in ("s1", "s2")
    }

    assert len(derived) == 8
    assert {len(value) for value in derived} == {43}


@pytest.mark.parametrize("box", [b"", b"short", b"n" * 12])
def test_a_box_cut_short_does_not_open(box: bytes) -> None:
    with pytest.raises(Unsealable):
        Keyring([NEW]).open(Sealed("new", box), PLACE)


def test_a_secret_that_is_no_text_has_a_digest_like_any_other() -> None:
    # A header's bytes that are not UTF-8 arrive as lone surrogates.
    assert secrets.digest("\udcff") != secrets.digest("\udcfe")
