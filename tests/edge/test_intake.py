"""A body's octets, however they come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.edge.intake import Intake
from sso_proxy.errors import BadMessageError

CHUNKS = b"3\r\nabc\r\n2;x\r\nde\r\n0\r\nT: t\r\n\r\n"


@given(st.data())
def test_a_body_of_known_length_ends_there(data: st.DataObject) -> None:
    body = data.draw(st.binary(min_size=1, max_size=50))
    after = data.draw(st.binary(max_size=20))
    cut = data.draw(st.integers(0, len(body) - 1))
    intake = Intake(len(body), 0, 0.0)
    first = intake.feed(body[:cut])
    assert first + intake.feed(body[cut:] + after) == body
    assert intake.done
    assert (intake.leftover, intake.received) == (after, len(body))


@given(st.integers(0, len(CHUNKS)))
def test_a_chunked_body_is_framed_anew(cut: int) -> None:
    intake = Intake(None, 5, 0.0)
    framed = intake.feed(CHUNKS[:cut])
    if not intake.done:
        framed += intake.feed(CHUNKS[cut:] + b"GET")
        assert intake.leftover == b"GET"
    assert framed.endswith(b"0\r\n\r\n")
    assert b"T: t" not in framed
    assert b";x" not in framed
    assert intake.received == 5


def test_a_chunked_body_has_a_limit() -> None:
    intake = Intake(None, 4, 0.0)
    with pytest.raises(BadMessageError) as caught:
        intake.feed(CHUNKS)
    assert caught.value.status == 413


def test_a_new_measurement_does_not_forget_what_came() -> None:
    intake = Intake(None, 4, 0.0)
    intake.feed(b"3\r\nabc\r\n")
    intake.restart(10.0)
    assert intake.received == 3
    with pytest.raises(BadMessageError):
        intake.feed(b"3\r\nabc\r\n")


def test_a_rate_is_demanded_after_some_grace() -> None:
    intake = Intake(1000, 0, 100.0)
    assert not intake.too_slow(110.0, 10, 5)
    assert intake.too_slow(111.0, 10, 5)
    intake.feed(b"12345")
    assert not intake.too_slow(111.0, 10, 5)
    intake.restart(111.0)
    assert not intake.too_slow(121.0, 10, 5)
    assert intake.too_slow(122.0, 10, 5)


def test_a_body_can_be_skipped_if_it_is_all_there() -> None:
    assert Intake(3, 0, 0.0).skip(b"abcdef")
    assert not Intake(3, 0, 0.0).skip(b"ab")
    assert not Intake(None, 0, 0.0).skip(b"zz\r\n")
