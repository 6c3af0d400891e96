"""Base64url and JSON have one spelling and one reading."""

import json
import string
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.strict import (
    MAX_DEPTH,
    decode_base64url,
    encode_base64url,
    read_json_object,
)

ALPHABET = string.ascii_letters + string.digits + "-_"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)


@given(octets=st.binary(max_size=80))
def test_what_was_encoded_is_decoded(octets: bytes) -> None:
    encoded = urlsafe_b64encode(octets).rstrip(b"=")
    assert encode_base64url(octets) == encoded.decode()
    assert decode_base64url(encoded) == octets


@given(text=st.text(ALPHABET + "+/=\n ", max_size=40))
def test_only_the_canonical_spelling_is_decoded(text: str) -> None:
    """Re-encoding what was decoded gives what was there, or nothing was decoded."""
    segment = text.encode()
    try:
        octets = decode_base64url(segment)
    except TokenError:
        octets = None
    try:
        lenient = urlsafe_b64decode(segment + b"=" * (-len(segment) % 4))
        canonical = urlsafe_b64encode(lenient).rstrip(b"=") == segment
    except ValueError:
        canonical = False
    assert (octets is not None) == canonical


@pytest.mark.parametrize(
    "segment",
    [
        b"AA==",
        b"AA=",
        b"QQ==",
        b"QR",
        b"QUF",
        b"A",
        b"AA+A",
        b"AA/A",
        b"AA A",
        b"AA\0A",
    ],
)
def test_other_spellings_are_refused(segment: bytes) -> None:
    with pytest.raises(TokenError):
        decode_base64url(segment)


@given(members=st.dictionaries(st.text(st.characters(codec="utf-8")), json_values))
def test_json_objects_are_read(members: dict[str, Any]) -> None:
    assert read_json_object(json.dumps(members).encode()) == members


@pytest.mark.parametrize(
    "document",
    [
        b'{"alg":"RS256","alg":"none"}',
        b'{"a":{"b":1,"b":2}}',
        b'{"a":1,"\\u0061":2}',
        b"[]",
        b'"a"',
        b"1",
        b"null",
        b"",
        b"{",
        b'{"a":1}x',
        b'{"a":1}{"b":2}',
        b'{"a":1} {}',
        b" ",
        b'\f{"a":1}',
        b'{"a":1}\0',
        b'\xc2\xa0{"a":1}',
        b'\xef\xbb\xbf{"a":1}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
        b'{"a":"\xff"}',
        b"\xff\xfe{\x00}\x00",
        b"{'a':1}",
        b'{"a":1,}',
        b'{"a":"\n"}',
        b'{"a":' + b"9" * 33 + b"}",
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":0.' + b"9" * 5000 + b"}",
    ],
    ids=repr,
)
def test_json_with_another_reading_is_refused(document: bytes) -> None:
    with pytest.raises(TokenError):
        read_json_object(document)


def test_blanks_of_json_around_it_mean_nothing() -> None:
    """RFC 8259 section 2."""
    assert read_json_object(b' \t\r\n{ "a" : 1 }\n\r\t ') == {"a": 1}


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert read_json_object(b'{"a":"\\ud83d\\ude00"}') == {"a": "\N{GRINNING FACE}"}


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
@pytest.mark.parametrize("depth", [MAX_DEPTH, 10_000, 100_000])
def test_deep_nesting_is_refused(opening: bytes, depth: int) -> None:
    """Deep JSON would end in RecursionError, wherever it is read again."""
    closing = b"]" if opening == b"[" else b"}"
    document = b'{"a":' + opening * depth + b"1" + closing * depth + b"}"
    with pytest.raises(TokenError):
        read_json_object(document)


def test_many_objects_beside_each_other_are_not_deep() -> None:
    """Brackets in strings, escaped quotes included, nest nothing."""
    members = {str(n): [{"[[[[{{{{": '"[{\\'}] for n in range(100)}
    assert read_json_object(json.dumps(members).encode()) == members
