"""Messages that others made: all four public vectors, and what each of them refuses."""

import attrs
import pytest

from sso_proxy.specs.jose.strict import decode_base64url, encode_base64url
from sso_proxy.specs.token_binding import verify
from sso_proxy.specs.token_binding_keys import (
    ECDSAP256,
    RSA2048_PKCS1_5,
    TokenBindingError,
)


@attrs.frozen
class Vector:
    """A message, and the keying material of the connection it was sent on."""

    header: str
    ekm: bytes
    refers: bool = False


VECTORS = {
    "provided": Vector(
        "AIkAAgBBQLlO7EVk3V2g3-zmgRpq2qKfbw6F1rZ97Y15siYmjuy3U5CKNcwXnrHYqM87Pcil"
        "egJ7Ooxd7KpiRGRIp5jCAXoAQCLhZIeSUTWv3ETKb9qPDyWzxmQlwFDFkmeGSophCtEEdfOn"
        "sKotZNOgQ3Fz3DIwHZb-GqdkjoHiVN_hAE5dG-gAAA",
        decode_base64url(b"5zz7pa9_rIGE79Zq9fEUnl-SbLClqk1K9bas9hWZ-_w"),
    ),
    "provided-and-referred": Vector(
        "ARIAAgBBQLlO7EVk3V2g3-zmgRpq2qKfbw6F1rZ97Y15siYmjuy3U5CKNcwXnrHYqM87Pcil"
        "egJ7Ooxd7KpiRGRIp5jCAXoAQKCfxPn5RCH0HoR-x_iQOKC46L4MbtCr4WGuXTV8l3VkhVEG"
        "l4kscDlWWUcDQV_Mai2HeSiehM8hByu4Y80c7Z0AAAECAEFAUuEmwMLgfa3BstV3ILB-cMTU"
        "Ve9sdR9q47R-ojMVgNSIhIECm1mP9Ok0IKaheWe21L2_60RHx3y36N8ARdrQswBA-qmCWGt8"
        "PDBwLHEwrEwsYBetZj_DsyZE6O3KeGWjFjsBoXclGUQx8CYtkOfILT2PQVyr-o3fMNr2Cf_F"
        "SPjXQgAA",
        decode_base64url(b"RdpDhVRPLRiUN-OArQLeLQEBh1Ui1LGXrnykVxTMQSQ"),
        refers=True,
    ),
    "edge": Vector(
        "AIkAAgBBQJ5dTpA66QvSRCFhAf-5G4Xg_UbXiMZyBNvxNz3KgEfPcyhFTUMxa0vT4yc-oZKo"
        "cTnWWkMd9voV7ADQdaMI5zkAQASTZuLhUlwSYwjyYHx0rLrAYfXuxzep3wdecyRyvD1Y1wiV"
        "3OzurR2Ad6WW3M-FWxB5dON0c7UIiAV4c06C7KUAAA",
        decode_base64url(b"_MvfRhuLPtQzHDHaVADqNxaX-EaI67R2cOZNLJYinoY"),
    ),
    "chrome": Vector(
        "AIkAAgBBQGto7hHRR0Y5nkOWqc9KNfwW95dEFmSI_tCZ_Cbl7LWlt6Xjp3DbjiDJavGFiKP2"
        "HV_2JSE42VzmKOVVV8m7eqAAQOKiDK1Oi0z6v4X5BP7uc0pFestVZ42TTOdJmoHpji06Qq3j"
        "sCiCRSJx9ck2fWJYx8tLVXRZPATB3x6c24aY0ZEAAA",
        decode_base64url(b"p6ZuSwfl6pIe8es5KyeV76T4swZmQp0_awd27jHfrbo"),
    ),
}

vectors = pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)


def _refused(header: str, ekm: bytes, parameters: int = ECDSAP256) -> str:
    with pytest.raises(TokenBindingError) as caught:
        verify(header, ekm, parameters)
    return caught.value.reason


@vectors
def test_it_proves_the_keys_that_it_names(vector: Vector) -> None:
    found = verify(vector.header, vector.ekm, ECDSAP256)
    octets = decode_base64url(vector.header.encode())
    assert octets[3:].startswith(found.provided.raw)
    assert (found.referred is not None) == vector.refers
    assert found.referred is None or found.referred.raw in octets


@vectors
def test_it_proves_nothing_on_another_connection(vector: Vector) -> None:
    other = bytes((77,)) + vector.ekm[1:]
    assert _refused(vector.header, other) == "token-binding-signature"


@vectors
def test_it_proves_nothing_where_another_kind_of_key_was_agreed_on(
    vector: Vector,
) -> None:
    assert _refused(vector.header, vector.ekm, RSA2048_PKCS1_5)


@vectors
def test_no_changed_octet_is_overlooked(vector: Vector) -> None:
    octets = decode_base64url(vector.header.encode())
    for at in range(len(octets)):
        changed = bytearray(octets)
        changed[at] ^= 0x10
        _refused(encode_base64url(bytes(changed)), vector.ekm)


def test_none_of_them_is_good_on_the_connection_of_another() -> None:
    for vector in VECTORS.values():
        others = [each for each in VECTORS.values() if each is not vector]
        assert all(_refused(vector.header, other.ekm) for other in others)
