"""Sealed octets: who opens them, and what does not."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.jose.seal import Sealer

ONE = {"one": bytes(range(32))}
TWO = {"two": bytes(range(1, 33))}

KINDS = st.sampled_from(["session", "sessio", "n", "login", "session2"])


def counting() -> Callable[[int], bytes]:
    """Give octets that are different each time, and the same in each test."""
    numbers = iter(range(2**32))
    return lambda count: next(numbers).to_bytes(count, "big")


def sealer(kind: str = "session", secrets: dict[str, bytes] = ONE) -> Sealer:
    return Sealer(kind, secrets, counting())


@given(st.binary(), st.binary())
def test_what_is_sealed_opens(data: bytes, context: bytes) -> None:
    sealed = sealer().seal(data, context)
    assert sealer().open(sealed, context) == data


def test_every_flipped_bit_is_noticed() -> None:
    sealed = sealer().seal(b"data", b"context")
    for position in range(8 * len(sealed)):
        changed = bytearray(sealed)
        changed[position // 8] ^= 1 << position % 8
        assert sealer().open(bytes(changed), b"context") is None, position


@given(st.binary(max_size=40), st.data())
def test_everything_cut_off_or_added_is_noticed(
    data: bytes, draw: st.DataObject
) -> None:
    sealed = sealer().seal(data)
    for length in range(len(sealed)):
        assert sealer().open(sealed[:length]) is None
    assert sealer().open(sealed + draw.draw(st.binary(min_size=1))) is None


@given(st.binary())
def test_arbitrary_octets_are_not_ours(octets: bytes) -> None:
    assert sealer().open(octets) is None
    assert sealer().open(b"\x01\x03one" + octets) is None


@given(KINDS, KINDS, st.binary(), st.binary(), st.binary())
def test_other_kind_or_context_does_not_open(
    ours: str, theirs: str, data: bytes, a: bytes, b: bytes
) -> None:
    """A login's state is never taken for a session, nor one user's for another's."""
    opened = sealer(theirs).open(sealer(ours).seal(data, a), b)
    assert opened == (data if (ours, a) == (theirs, b) else None)


def test_kind_and_context_do_not_run_into_each_other() -> None:
    sealed = sealer("ab").seal(b"data", b"c")
    assert sealer("a").open(sealed, b"bc") is None
    assert sealer("abc").open(sealed, b"") is None


def test_other_key_does_not_open() -> None:
    sealed = sealer().seal(b"data")
    assert sealer(secrets=TWO).open(sealed) is None
    assert sealer(secrets={"one": TWO["two"]}).open(sealed) is None
    assert sealer(secrets={"two": ONE["one"]}).open(sealed) is None


def test_first_key_seals_and_all_open() -> None:
    old, new = sealer().seal(b"old"), sealer(secrets=TWO).seal(b"new")
    both = sealer(secrets=TWO | ONE)
    assert both.open(old) == b"old"
    assert both.open(new) == b"new"
    assert sealer(secrets=TWO).open(both.seal(b"newest")) == b"newest"


@given(st.lists(st.binary(max_size=8), min_size=2, max_size=20))
def test_nothing_is_sealed_twice_alike(values: list[bytes]) -> None:
    ours = sealer()
    sealed = [ours.seal(value) for value in values]
    assert len(set(sealed)) == len(values)


def test_form_is_the_one_that_is_written_down() -> None:
    """Written once more from the description: other releases have to open it."""
    sealed = sealer("session").seal(b"data", b"context")
    header, nonce, rest = sealed[:5], sealed[5:17], sealed[17:]
    assert header == b"\x01\x03one"

    def counted(*parts: bytes) -> bytes:
        return b"".join(len(part).to_bytes(8, "big") + part for part in parts)

    info = counted(b"sso-proxy seal", b"\x01", b"session")
    key = HKDF(SHA256(), 32, salt=None, info=info).derive(ONE["one"])
    bound = info + counted(header, b"context")
    assert AESGCM(key).decrypt(nonce, rest, bound) == b"data"


def test_length_says_nothing_but_the_length_of_the_data() -> None:
    lengths = {len(sealer().seal(bytes(n))) - n for n in (0, 1, 15, 16, 17, 4000)}
    assert lengths == {5 + 12 + 16}


@pytest.mark.parametrize(
    ("kind", "secrets"),
    [
        ("", ONE),
        ("session", {}),
        ("session", {"one": b"short"}),
        ("session", {"": bytes(32)}),
        ("session", {"k" * 256: bytes(32)}),
    ],
)
def test_unusable_keys_are_refused(kind: str, secrets: dict[str, bytes]) -> None:
    with pytest.raises(ValueError, match="key"):
        Sealer(kind, secrets, counting())


def test_keys_are_not_shown() -> None:
    key = next(iter(sealer()._keys.values()))  # noqa: SLF001
    assert "cipher" not in repr(key)
