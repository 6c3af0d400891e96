"""Names: one way to write each, and none to read anything else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.sessions.names import decode, digest, encode, read_name


@given(st.binary(max_size=100))
def test_what_is_written_is_read(octets: bytes) -> None:
    assert decode(encode(octets)) == octets


@given(st.text(max_size=60))
def test_there_is_one_way_to_write_it(text: str) -> None:
    octets = decode(text)
    assert octets is None or encode(octets) == text


@pytest.mark.parametrize(
    "text", ["", "A", "A" * 42, "A" * 44, "A" * 42 + "B", "é" * 43]
)
def test_a_name_has_32_octets(text: str) -> None:
    assert read_name(text) is None


def test_a_name_is_read() -> None:
    assert read_name("A" * 43) == bytes(32)


def test_two_lists_of_texts_never_run_into_each_other() -> None:
    assert digest("ab", "c") != digest("a", "bc")
    assert digest("ab") != digest("ab", "")
