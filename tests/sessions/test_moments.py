"""Points in time as octets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import UnavailableError
from sso_proxy.sessions.moments import read_moment, write_moment


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_what_is_written_is_read(time: float) -> None:
    assert read_moment(write_moment(time)) == time


@pytest.mark.parametrize(
    "member",
    [
        b"",
        b"1",
        bytes(9),
        write_moment(float("nan")),
        write_moment(float("inf")),
        write_moment(float("-inf")),
    ],
)
def test_what_is_no_time_is_a_failure(member: bytes) -> None:
    """Nobody is let in because a store says what makes no sense."""
    with pytest.raises(UnavailableError):
        read_moment(member)
