"""A compact JWE is taken apart in one way, or not at all."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import MAX_HEADER
from sso_proxy.specs.jose.encrypted import (
    CompactJwe,
    JweHeader,
    is_encrypted,
    split_jwe,
)

EPK = {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}


def encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def header(**members: object) -> str:
    given = {"alg": "RSA-OAEP", "enc": "A128GCM", **members}
    kept = {name: value for name, value in given.items() if value is not ...}
    return encode(json.dumps(kept).encode())


def token(
    head: str, key: bytes = b"k", iv: bytes = bytes(12), tag: bytes = bytes(16)
) -> str:
    return ".".join((head, *map(encode, (key, iv, b"c", tag))))


GOOD = token(header(kid="k", cty="JWT"))


def reason_of(text: str, max_bytes: int = 16384) -> str:
    with pytest.raises(TokenError) as caught:
        split_jwe(text, max_bytes=max_bytes)
    return caught.value.reason


def test_a_token_is_taken_apart() -> None:
    assert split_jwe(GOOD, max_bytes=len(GOOD)) == CompactJwe(
        header=JweHeader(alg="RSA-OAEP", enc="A128GCM", kid="k", cty="jwt"),
        encrypted_key=b"k",
        iv=bytes(12),
        ciphertext=b"c",
        tag=bytes(16),
        aad=header(kid="k", cty="JWT").encode(),
    )


def test_only_five_parts_are_an_encrypted_token() -> None:
    assert is_encrypted(GOOD)
    assert not is_encrypted("a.b.c")
    assert not is_encrypted("a.b.c.d.e.f")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "....",
        "e30.c2ln.e30",
        GOOD + ".",
        GOOD + "=",
        GOOD + "==",
        GOOD + "\n",
        " " + GOOD,
        GOOD.replace(".aw.", ".ax."),  # an unused bit is set
        GOOD.replace(".aw.", ".aw==."),
        GOOD.replace(".aw.", ".."),
        GOOD.replace(".Yw.", ".."),
        GOOD + "é",
        '{"protected":"e30","ciphertext":"Yw"}',
        token(header(), iv=bytes(16)),
        token(header(), tag=bytes(12)),
        token(header(), tag=b""),
        token(header(enc="A128CBC-HS256"), iv=bytes(12)),
        token(header(enc="A256CBC-HS512"), iv=bytes(16), tag=bytes(16)),
        token(header(alg="dir"), key=b"k"),
        token(header(alg="ECDH-ES", epk=EPK), key=b"k"),
        token(header(alg="A128KW"), key=b""),
        token(encode(b'{"alg":"dir","alg":"RSA-OAEP","enc":"A128GCM"}')),
        token(encode(b"[]")),
        token("AA"),
    ],
    ids=repr,
)
def test_other_spellings_are_malformed(text: str) -> None:
    assert reason_of(text) == "token-malformed"


def test_a_token_and_its_header_are_not_longer_than_the_limits() -> None:
    assert reason_of(GOOD, len(GOOD) - 1) == "token-too-long"
    assert reason_of(token(header(x="a" * MAX_HEADER))) == "token-too-long"


@pytest.mark.parametrize(
    "alg",
    [
        *("RSA1_5", "PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "A128GCMKW"),
        *("RSA-OAEP-512", "ECDH-1PU", "DIR", "none", "RS256", "", ..., 1, None),
    ],
)
def test_other_key_algorithms_are_refused(alg: object) -> None:
    """RSA1_5: Bleichenbacher.  PBES2: a token says how long to compute (p2c)."""
    assert reason_of(token(header(alg=alg))) == "token-alg"


@pytest.mark.parametrize("enc", ["A128CBC", "A192CBC-HS256", "A128KW", "", ..., None])
def test_other_content_encryptions_are_refused(enc: object) -> None:
    assert reason_of(token(header(enc=enc))) == "token-alg"


@pytest.mark.parametrize(
    "extra",
    [
        {"zip": "DEF"},
        {"zip": "none"},
        {"zip": None},
        {"crit": ["exp"]},
        {"crit": []},
        {"b64": False},
        {"p2c": 2147483647},
        {"p2s": "AA"},
        {"iv": "AA"},
        {"kid": 1},
        {"kid": None},
        {"cty": ["JWT"]},
        {"epk": EPK},
        {"epk": "x", "alg": "ECDH-ES"},
        {"alg": "ECDH-ES+A128KW"},
        {"apu": 1},
        {"apv": "é"},
    ],
    ids=str,
)
def test_parameters_that_are_not_understood_or_do_not_fit_are_refused(
    extra: dict[str, object],
) -> None:
    """CVE-2024-28102 and others: `zip` makes 50 MB of 65 kB."""
    assert reason_of(token(header(**extra))) == "token-header"


def test_party_information_is_canonical_base64url() -> None:
    head = header(alg="ECDH-ES+A128KW", epk=EPK, apu="QWxpY2U", apv="Qm9i")
    parsed = split_jwe(token(head), max_bytes=16384).header
    assert (parsed.apu, parsed.apv) == (b"Alice", b"Bob")
    head = header(alg="ECDH-ES+A128KW", epk=EPK, apu="QWxpY2V=")
    assert reason_of(token(head)) == "token-malformed"


@given(text=st.text())
def test_whatever_comes_is_split_or_refused(text: str) -> None:
    with pytest.raises(TokenError):
        split_jwe(text, max_bytes=16384)


@given(place=st.integers(0, len(GOOD) - 1), character=st.characters(codec="ascii"))
def test_different_octets_are_different_tokens(place: int, character: str) -> None:
    changed = GOOD[:place] + character + GOOD[place + 1 :]
    try:
        parts = split_jwe(changed, max_bytes=16384)
    except TokenError:
        return
    assert (parts == split_jwe(GOOD, max_bytes=16384)) == (changed == GOOD)


def test_nothing_of_a_token_is_shown() -> None:
    secret = encode(b"ciphertext-of-a-token")
    parts = split_jwe(GOOD.replace(".Yw.", f".{secret}."), max_bytes=16384)
    assert "ciphertext-of" not in repr(parts)
