"""Client-Cert and Client-Cert-Chain (RFC 9440)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.client_cert import (
    build_client_cert,
    build_client_cert_chain,
    read_client_cert,
    read_client_cert_chain,
)


@given(der=st.binary(min_size=1))
def test_what_is_built_is_read_back(der: bytes) -> None:
    assert read_client_cert(build_client_cert(der)) == der


@given(chain=st.lists(st.binary(min_size=1), min_size=1, max_size=5))
def test_a_chain_keeps_its_order(chain: list[bytes]) -> None:
    value = build_client_cert_chain(chain)
    assert read_client_cert_chain([value]) == tuple(chain)
    assert read_client_cert_chain(value.split(",")) == tuple(chain)


def test_the_form_is_that_of_the_rfc() -> None:
    """Section 2.1: ``a Byte Sequence``."""
    assert build_client_cert(b"\x30\x82") == ":MII=:"
    assert build_client_cert_chain([b"\x30", b"\x31"]) == ":MA==:, :MQ==:"


@pytest.mark.parametrize(
    "value",
    [
        *("", "MII=", ":MII=", ":MII=:;a=1", "::", ":MII:", ":MIJ=:", ":MI I=:"),
        *(":MII=:, :MII=:", ": MII=:", ":M-I=:", ":====:", ":" + "A" * 40000 + ":"),
    ],
)
def test_anything_else_is_refused(value: str) -> None:
    with pytest.raises(BadMessageError) as caught:
        read_client_cert(value)
    assert caught.value.status == 400


def test_a_chain_has_an_end() -> None:
    with pytest.raises(BadMessageError):
        read_client_cert_chain([":MA==:"] * 11)
    with pytest.raises(BadMessageError):
        read_client_cert_chain([":MA==:,"])
