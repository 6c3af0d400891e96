"""A secret that is written down wrongly is a mistake, never another secret."""

from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256, sha384, sha512

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.jose.secret import (
    SecretEncoding,
    decode_secret,
    derive_key,
)


@given(secret=st.binary(min_size=1))
def test_what_was_written_is_read(secret: bytes) -> None:
    base64 = b64encode(secret).decode()
    base64url = urlsafe_b64encode(secret).decode()
    assert decode_secret(secret.hex(), "hex") == secret
    assert decode_secret(secret.hex().upper(), "hex") == secret
    for written in (base64, base64.rstrip("=")):
        assert decode_secret(written, "base64") == secret
    for written in (base64url, base64url.rstrip("=")):
        assert decode_secret(written, "base64url") == secret


@given(text=st.text())
def test_plain_text_is_its_utf_8(text: str) -> None:
    assert decode_secret(text, "plain") == text.encode()


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", "hex"),
        ("abc", "hex"),
        ("0x00", "hex"),
        ("ab cd", "hex"),
        ("ab\n", "hex"),
        ("é0", "hex"),
        ("YQ=", "base64"),
        ("YQ===", "base64"),
        ("YR==", "base64"),
        ("Y", "base64"),
        ("_-_-", "base64"),
        ("YWJj\nYWJj", "base64"),
        ("YWJj====", "base64"),
        ("é", "base64"),
        ("YQ=", "base64url"),
        ("YR", "base64url"),
        ("++++", "base64url"),
        ("YWJj ", "base64url"),
        ("é", "base64url"),
    ],
)
def test_other_spellings_are_refused(text: str, encoding: SecretEncoding) -> None:
    with pytest.raises(ValueError, match="no ") as caught:
        decode_secret(text, encoding)
    assert not text or text not in str(caught.value)


def test_a_derived_key_is_the_left_part_of_the_shortest_hash() -> None:
    """OpenID Connect Core 10.2: SHA-256 to 256 bits, SHA-384 to 384, else SHA-512."""
    hashes = {16: sha256, 24: sha256, 32: sha256, 48: sha384, 64: sha512}
    for size, hash_ in hashes.items():
        assert derive_key("sécret", size) == hash_("sécret".encode()).digest()[:size]
