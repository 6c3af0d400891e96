"""What is agreed on in a handshake, and which ClientHellos allow it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.tls_presentation import vector
from sso_proxy.specs.token_binding_handshake import (
    Parameters,
    allows_token_binding,
    build_parameters,
    check_answer,
    is_client_hello,
    negotiate,
    parse_parameters,
)
from sso_proxy.specs.token_binding_keys import TokenBindingError

EMS = (23).to_bytes(2, "big") + vector(2, b"")
INFO = b"\xff\x01" + vector(2, b"\0")
SUITE = b"\xc0\x2f"
SIGNAL = b"\x00\xff"


def hello(extensions: bytes | None, suites: bytes = SUITE) -> bytes:
    """Make a ClientHello."""
    body = b"\x03\x03" + bytes(32) + vector(1, b"") + vector(2, suites)
    body += vector(1, b"\0")
    if extensions is not None:
        body += vector(2, extensions)
    return b"\x01" + vector(3, body)


def _offer(*keys: int, version: tuple[int, int] = (1, 0)) -> Parameters:
    return Parameters(version, keys)


# The data of the extension


@given(
    st.tuples(st.integers(0, 255), st.integers(0, 255)),
    st.lists(st.integers(0, 255), min_size=1, max_size=255),
)
def test_parameters_are_read_as_they_were_written(
    version: tuple[int, int], keys: list[int]
) -> None:
    parameters = Parameters(version, tuple(keys))
    assert parse_parameters(build_parameters(parameters)) == parameters


@pytest.mark.parametrize(
    "data",
    [b"", b"\1", b"\1\0", b"\1\0\0", b"\1\0\1", b"\1\0\2\2", b"\1\0\1\2\2"],
    ids=["empty", "major", "no-list", "empty-list", "no-key", "one-less", "one-more"],
)
def test_malformed_parameters_end_the_handshake(data: bytes) -> None:
    with pytest.raises(TokenBindingError):
        parse_parameters(data)


@given(st.binary(max_size=300))
def test_no_octets_are_read_in_two_ways(data: bytes) -> None:
    try:
        parameters = parse_parameters(data)
    except TokenBindingError:
        return
    assert build_parameters(parameters) == data


# What the server answers


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        (_offer(2), (1, 0, 2)),
        (_offer(2, 1, 0), (1, 0, 2)),
        (_offer(0, 1, 2), (1, 0, 0)),
        (_offer(99, 1, 2), (1, 0, 1)),
        (_offer(2, version=(1, 1)), (1, 0, 2)),
        (_offer(2, version=(2, 0)), (1, 0, 2)),
    ],
)
def test_the_answer_is_our_version_and_the_key_that_the_client_likes_best(
    offered: Parameters, answered: tuple[int, int, int]
) -> None:
    major, minor, key = answered
    assert negotiate(offered) == Parameters((major, minor), (key,))


@pytest.mark.parametrize(
    "offered",
    [_offer(3), _offer(99, 255), _offer(2, version=(0, 18)), _offer(2, version=(0, 0))],
)
def test_drafts_and_unknown_keys_are_not_answered(offered: Parameters) -> None:
    assert negotiate(offered) is None


# What the client makes of it


def test_a_client_takes_one_of_what_it_offered() -> None:
    assert check_answer(_offer(1), _offer(2, 1)) == 1
    assert check_answer(_offer(2), _offer(2, version=(1, 1))) == 2


@pytest.mark.parametrize(
    "answer", [_offer(0), _offer(2, 1), _offer(2, version=(1, 1)), _offer(99)]
)
def test_a_client_takes_nothing_else(answer: Parameters) -> None:
    """RFC 8472 section 4: it must end the handshake."""
    with pytest.raises(TokenBindingError):
        check_answer(answer, _offer(2, 1))


# The ClientHello


@pytest.mark.parametrize(
    "message",
    [
        hello(EMS + INFO),
        hello(INFO + EMS),
        hello(EMS, SUITE + SIGNAL),
        hello(EMS, SIGNAL),
        hello(EMS + INFO, SUITE + SIGNAL),
    ],
)
def test_extended_master_secret_and_secure_renegotiation_are_needed(
    message: bytes,
) -> None:
    assert allows_token_binding(message)


@pytest.mark.parametrize(
    "message",
    [
        hello(None),
        hello(b""),
        hello(EMS),
        hello(INFO),
        hello(None, SIGNAL),
        hello(EMS, b"\x12\x00\xff\x34"),
    ],
    ids=["none", "empty", "ems", "info", "suite", "between-suites"],
)
def test_one_of_them_or_none_is_too_little(message: bytes) -> None:
    """RFC 8472 section 3: otherwise the server must not answer."""
    assert not allows_token_binding(message)


@pytest.mark.parametrize("message", [b"", b"\x02", b"\x10\0\0\0", b"\x14" + bytes(15)])
def test_other_messages_are_no_client_hello(message: bytes) -> None:
    assert not is_client_hello(message)
    assert not allows_token_binding(message)


@given(st.integers(1, len(hello(EMS + INFO)) - 1))
def test_a_client_hello_that_is_cut_off_is_refused(length: int) -> None:
    with pytest.raises(TokenBindingError):
        allows_token_binding(hello(EMS + INFO)[:length])


@given(st.binary(max_size=200))
def test_no_octets_do_any_harm(octets: bytes) -> None:
    for message in (octets, b"\x01" + octets, b"\x01" + vector(3, octets)):
        try:
            allows_token_binding(message)
        except TokenBindingError:
            continue
