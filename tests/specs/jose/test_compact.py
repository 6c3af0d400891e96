"""A compact JWS is taken apart in one way, or not at all."""

import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import (
    MAX_HEADER,
    MAX_TOKEN,
    JoseHeader,
    read_header,
    split_compact,
)


def encode(octets: bytes) -> bytes:
    return urlsafe_b64encode(octets).rstrip(b"=")


def header(**members: object) -> bytes:
    return encode(json.dumps({"alg": "RS256", **members}).encode())


TOKEN = header(kid="k") + b".e30.c2ln"


def reason_of(token: str | bytes) -> str:
    with pytest.raises(TokenError) as caught:
        split_compact(token)
    return caught.value.reason


def test_a_token_is_taken_apart() -> None:
    jws = split_compact(TOKEN)
    assert jws.header == JoseHeader(alg="RS256", kid="k", typ=None)
    assert jws.payload == b"{}"
    assert jws.signing_input == header(kid="k") + b".e30"
    assert jws.signature == b"sig"


def test_text_and_octets_are_the_same() -> None:
    text, octets = split_compact(TOKEN.decode()), split_compact(TOKEN)
    for name in ("header", "payload", "signing_input", "signature"):
        assert getattr(text, name) == getattr(octets, name)


def test_an_empty_payload_is_a_payload() -> None:
    assert split_compact(header() + b"..c2ln").payload == b""


@pytest.mark.parametrize(
    "token",
    [
        b"",
        b".",
        b"..",
        b"e30",
        header() + b".e30",
        header() + b".e30.",
        b".e30.c2ln",
        TOKEN + b".",
        TOKEN + b".e30",
        TOKEN + b"==",
        TOKEN + b"\n",
        b" " + TOKEN,
        TOKEN[:-1] + b"+",
        TOKEN.replace(b".e30.", b".e31."),  # an unused bit is set
        TOKEN + b"\xe9",
        b'{"payload":"e30","protected":"e30","signature":"c2ln"}',
    ],
    ids=repr,
)
def test_other_spellings_are_malformed(token: bytes) -> None:
    assert reason_of(token) == "token-malformed"


def test_text_outside_ascii_is_malformed() -> None:
    assert reason_of(TOKEN.decode() + "é") == "token-malformed"


def test_five_parts_are_an_encrypted_token() -> None:
    assert reason_of(b"e30.e30.e30.e30.e30") == "token-encrypted"


def test_a_token_is_not_longer_than_the_limit() -> None:
    room = MAX_TOKEN - len(header() + b"..c2ln")
    longest = header() + b"." + b"A" * (room - room % 4) + b".c2ln"
    assert split_compact(longest).payload
    assert reason_of(header() + b"." + b"A" * MAX_TOKEN + b".c2ln") == "token-too-long"


def test_a_header_is_not_longer_than_the_limit() -> None:
    encoded = header(x="a" * MAX_HEADER)
    assert reason_of(encoded + b".e30.c2ln") == "token-too-long"


@pytest.mark.parametrize("alg", ["none", "None", "nOnE", "HS1", "hs256", "RS1", "", 1])
def test_other_algorithms_are_refused(alg: object) -> None:
    assert reason_of(header(alg=alg) + b".e30.c2ln") == "token-alg"


def test_a_header_without_algorithm_is_refused() -> None:
    assert reason_of(encode(b"{}") + b".e30.c2ln") == "token-alg"


@pytest.mark.parametrize(
    "extension",
    [
        {"crit": ["exp"], "exp": 1},
        {"crit": []},
        {"b64": False},
        {"b64": True},
        {"zip": "DEF"},
    ],
    ids=str,
)
def test_extensions_that_change_what_is_signed_are_refused(
    extension: dict[str, object],
) -> None:
    """RFC 7515 4.1.11: if not understood and supported, then the JWS is invalid."""
    assert reason_of(header(**extension) + b".e30.c2ln") == "token-header"


@pytest.mark.parametrize("name", ["kid", "typ"])
@pytest.mark.parametrize("value", [1, None, ["a"], {"a": 1}, True])
def test_names_are_strings(name: str, value: object) -> None:
    assert reason_of(header(**{name: value}) + b".e30.c2ln") == "token-header"


@pytest.mark.parametrize(
    "typ", ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"]
)
def test_types_are_compared_without_case_and_prefix(typ: str) -> None:
    """RFC 7515 4.1.9: application/ may be left out; media types have no case."""
    assert read_header(header(typ=typ)).typ == "at+jwt"


def test_keys_in_a_header_are_not_looked_at() -> None:
    carried = header(
        jwk={"kty": "RSA"}, jku="https://evil.example", x5c=["MII"], x5u="h"
    )
    assert read_header(carried) == JoseHeader(alg="RS256", kid=None, typ=None)


@given(token=st.binary() | st.text())
def test_whatever_comes_is_split_or_refused(token: str | bytes) -> None:
    with pytest.raises(TokenError):
        split_compact(token)


@given(place=st.integers(0, len(TOKEN) - 1), octet=st.integers(0, 255))
def test_different_octets_are_different_tokens(place: int, octet: int) -> None:
    """No two spellings of one token: caches and deny-lists go by its octets."""
    changed = TOKEN[:place] + bytes([octet]) + TOKEN[place + 1 :]
    try:
        parts = split_compact(changed)
    except TokenError:
        return
    original = split_compact(TOKEN)
    same = (parts.signing_input, parts.signature) == (
        original.signing_input,
        original.signature,
    )
    assert same == (changed == TOKEN)
