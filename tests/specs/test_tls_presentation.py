"""Vectors and numbers of TLS are read to their end, and no further."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.tls_presentation import Octets, PresentationError, vector


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_vector_that_was_written_is_read(data: bytes, after: bytes) -> None:
    octets = Octets(vector(2, data) + after)
    assert octets.vector(2) == data
    assert octets.left == len(after)


@given(st.binary(min_size=1, max_size=300))
def test_a_vector_that_is_cut_off_is_none(data: bytes) -> None:
    with pytest.raises(PresentationError):
        Octets(vector(2, data)[:-1]).vector(2)


@pytest.mark.parametrize("length", [1, 4])
def test_a_vector_of_a_length_that_is_not_allowed_is_none(length: int) -> None:
    with pytest.raises(PresentationError):
        Octets(vector(1, b"x" * length)).vector(1, 2, 3)


def test_a_number_needs_all_its_octets() -> None:
    assert Octets(b"\x01\x02").number(2) == 0x102
    with pytest.raises(PresentationError):
        Octets(b"\x01").number(2)


def test_what_goes_on_has_no_end() -> None:
    octets = Octets(b"ab")
    octets.take(1)
    with pytest.raises(PresentationError):
        octets.end()
    octets.take(1)
    octets.end()


def test_what_is_too_long_is_not_written() -> None:
    with pytest.raises(OverflowError):
        vector(1, bytes(256))
