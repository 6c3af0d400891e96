"""
RFC 9110 section 7.6.2: "Each intermediary that receives a TRACE or OPTIONS request
containing a Max-Forwards header field MUST check and update its value prior to
forwarding the request."
"""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead
from sso_proxy.specs.http.max_forwards import forwarded_once, read_max_forwards


def options(*values: str, method: str = "OPTIONS") -> RequestHead:
    return RequestHead(
        method=method,
        scheme="https",
        host="a",
        port=443,
        path="/",
        query=None,
        headers=(("accept", "*/*"), *(("max-forwards", value) for value in values)),
    )


@given(left=st.integers(0, 10**17))
def test_a_number_is_read(left: int) -> None:
    assert read_max_forwards(options(str(left))) == left


def test_without_the_field_there_is_no_limit() -> None:
    assert read_max_forwards(options()) is None


@pytest.mark.parametrize(
    "value", ["", "-1", "+1", "1.0", "0x1", "1, 2", "\u0661", "9" * 19]
)
def test_what_is_no_number_is_refused(value: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        read_max_forwards(options(value))
    assert caught.value.status == 400


def test_two_of_them_are_refused() -> None:
    with pytest.raises(BadMessageError):
        read_max_forwards(options("1", "1"))


def test_other_methods_are_not_concerned() -> None:
    """ "A recipient MAY ignore" it with any other method."""
    assert read_max_forwards(options("no number", method="GET")) is None


@given(left=st.integers(1, 10**17))
def test_what_is_forwarded_may_go_one_step_less(left: int) -> None:
    """ "The lesser of the received value decremented by one and our maximum." """
    head = options(str(left))
    went = forwarded_once(head, left)
    assert went == attrs.evolve(head, headers=went.headers)
    assert went.headers == (
        ("accept", "*/*"),
        ("max-forwards", str(min(left - 1, 255))),
    )
