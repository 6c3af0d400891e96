"""Keys have one way to be written, and signatures are for one connection and type."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.tls_presentation import Octets, PresentationError, vector
from sso_proxy.specs.token_binding_keys import (
    ECDSAP256,
    KEY_PARAMETERS,
    RSA2048_PKCS1_5,
    RSA2048_PSS,
    TokenBindingError,
    build_rsa_id,
    check_id,
    check_signature,
    read_id,
)
from sso_proxy.testing.token_binding import BindingKey
from sso_proxy.tls_facts import TokenBindingId

EKM = bytes(range(32))
KEYS = {parameters: BindingKey.create(parameters) for parameters in KEY_PARAMETERS}
every_key = pytest.mark.parametrize(
    "key", KEYS.values(), ids=["ecdsap256", "rsa2048_pss", "rsa2048_pkcs1.5"]
)


@every_key
@pytest.mark.parametrize("kind", [0, 1, 77])
def test_a_signature_is_good_for_its_connection_and_type(
    key: BindingKey, kind: int
) -> None:
    check_signature(key.id, kind, key.sign(EKM, kind), EKM)


@every_key
@pytest.mark.parametrize(
    "change",
    [
        lambda sig, kind, ekm: (sig, kind, bytes((77,)) + ekm[1:]),
        lambda sig, kind, ekm: (sig, kind + 1, ekm),
        lambda sig, kind, ekm: (sig[:-1] + bytes((sig[-1] ^ 1,)), kind, ekm),
        lambda sig, kind, ekm: (sig[:-1], kind, ekm),
        lambda sig, kind, ekm: (sig + b"\0", kind, ekm),
        lambda sig, kind, ekm: (bytes(len(sig)), kind, ekm),
        lambda _, kind, ekm: (b"", kind, ekm),
    ],
    ids=["connection", "type", "changed", "short", "long", "zero", "empty"],
)
def test_any_other_signature_is_refused(
    key: BindingKey, change: Callable[[bytes, int, bytes], tuple[bytes, int, bytes]]
) -> None:
    signature, kind, ekm = change(key.sign(EKM), 0, EKM)
    with pytest.raises(TokenBindingError) as caught:
        check_signature(key.id, kind, signature, ekm)
    assert caught.value.reason == "token-binding-signature"


@every_key
def test_another_key_of_the_same_kind_has_not_signed(key: BindingKey) -> None:
    other = BindingKey.create(key.id.key_parameters)
    with pytest.raises(TokenBindingError):
        check_signature(other.id, 0, key.sign(EKM), EKM)


def test_one_kind_of_rsa_signature_is_not_taken_for_the_other() -> None:
    pss, pkcs = KEYS[RSA2048_PSS], KEYS[RSA2048_PKCS1_5]
    renamed = TokenBindingId(bytes((RSA2048_PKCS1_5,)) + pss.id.raw[1:])
    with pytest.raises(TokenBindingError):
        check_signature(renamed, 0, pss.sign(EKM), EKM)
    renamed = TokenBindingId(bytes((RSA2048_PSS,)) + pkcs.id.raw[1:])
    with pytest.raises(TokenBindingError):
        check_signature(renamed, 0, pkcs.sign(EKM), EKM)


def _rsa(modulus: bytes, exponent: bytes, after: bytes = b"") -> bytes:
    key = vector(2, modulus) + vector(1, exponent) + after
    return bytes((RSA2048_PSS,)) + vector(2, key)


N = KEYS[RSA2048_PSS].id.raw[5:261]
E = b"\x01\x00\x01"
POINT = KEYS[ECDSAP256].id.raw[4:]


@pytest.mark.parametrize(
    "raw",
    [
        _rsa(b"\0" + N, E),
        _rsa(N[1:], E),
        _rsa(b"\x7f" + N[1:], E),
        _rsa(N, b"\0" + E),
        _rsa(N, b""),
        _rsa(N, b"\x01"),
        _rsa(N, b"\x02"),
        _rsa(N, b"\xff" * 9),
        _rsa(N, E, b"\0"),
        _rsa(b"", E),
        b"\x02" + vector(2, vector(1, POINT[:-1])),
        b"\x02" + vector(2, vector(1, b"\x04" + POINT)),
        b"\x02" + vector(2, vector(1, POINT) + b"\0"),
        b"\x02" + vector(2, vector(1, bytes(64))),
        b"\x02" + vector(2, vector(1, POINT[:63] + bytes((POINT[63] ^ 1,)))),
        b"\x02" + vector(2, vector(1, b"\xff" * 64)),
        b"\x02" + vector(2, vector(1, POINT)) + b"\0",
        b"\x02",
    ],
    ids=[
        *("modulus-padded", "modulus-short", "modulus-2047-bit", "exponent-padded"),
        *("exponent-empty", "exponent-1", "exponent-even", "exponent-long"),
        *("rsa-and-more", "modulus-empty", "point-short", "point-uncompressed"),
        *("point-and-more", "point-zero", "point-off-curve", "point-too-large"),
        *("id-and-more", "id-empty"),
    ],
)
def test_what_is_no_key_or_written_in_another_way_is_refused(raw: bytes) -> None:
    with pytest.raises(TokenBindingError) as caught:
        check_id(TokenBindingId(raw))
    assert caught.value.reason == "token-binding-key"


@every_key
def test_a_key_is_read_as_it_is_written(key: BindingKey) -> None:
    check_id(key.id)
    octets = Octets(key.id.raw + b"after")
    assert read_id(octets) == key.id
    assert octets.left == 5


def test_an_rsa_key_of_another_length_is_refused() -> None:
    key = rsa.generate_private_key(65537, 3072).public_key()
    with pytest.raises(TokenBindingError):
        check_id(build_rsa_id(key, RSA2048_PSS))


@pytest.mark.parametrize("parameters", [3, 88, 96, 255])
def test_key_parameters_that_nobody_knows_are_no_key(parameters: int) -> None:
    id_ = read_id(Octets(bytes((parameters,)) + vector(2, b"anything")))
    with pytest.raises(TokenBindingError) as caught:
        check_id(id_)
    assert caught.value.reason == "token-binding-key-parameters"
    with pytest.raises(TokenBindingError):
        check_signature(id_, 0, bytes(64), EKM)


@given(st.binary(max_size=400))
def test_no_octets_do_any_harm(raw: bytes) -> None:
    try:
        id_ = read_id(Octets(raw))
        check_id(id_)
    except (PresentationError, TokenBindingError):
        return
    assert id_.raw == raw[: len(id_.raw)]


@given(st.sampled_from(list(KEYS)), st.data())
def test_no_change_of_a_key_is_another_name_of_it(
    parameters: int, data: st.DataObject
) -> None:
    """A signature by the key is refused under whatever else it may be called."""
    key = KEYS[parameters]
    raw = bytearray(key.id.raw)
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(TokenBindingError):
        check_signature(TokenBindingId(bytes(raw)), 0, key.sign(EKM), EKM)
