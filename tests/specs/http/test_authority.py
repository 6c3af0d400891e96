"""Hosts and ports."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.authority import read_authority


def test_a_port_that_is_not_named_is_none() -> None:
    assert read_authority("A.example.") == ("a.example", None)
    assert read_authority("a.example:08443") == ("a.example", 8443)


def test_ipv6_is_compressed() -> None:
    assert read_authority("[2001:DB8:0:0::1]:1") == ("[2001:db8::1]", 1)


@given(text=st.text(".:[]@%aZ1-_;, /\u00e9", max_size=12))
def test_a_canonical_authority_reads_as_itself(text: str) -> None:
    """One reading: reading the result again changes nothing."""
    try:
        host, port = read_authority(text)
    except BadMessageError:
        return
    assert read_authority(host) == (host, None)
    assert host == host.lower()
    assert port is None or 0 < port < 65536


@pytest.mark.parametrize("text", ["a." * 127 + "a.:65535", "a" * 64, "a" * 9999])
def test_a_long_name_is_refused_or_read_whole(text: str) -> None:
    if len(text) <= 262 and "aa" not in text:
        assert read_authority(text)[1] == 65535
    else:
        with pytest.raises(BadMessageError):
            read_authority(text)
