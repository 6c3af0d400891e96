"""What proxies before us say, and what we say to the backend."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers
from sso_proxy.specs.http.forwarded import (
    build_forwarded,
    client_address,
    forwarded_proto,
    has_passed,
    normal_address,
    read_forwarded,
    trusted_ranges,
)

TRUSTED = trusted_ranges(["10.0.0.0/8", "fd00::/8", "192.0.2.1"])
PEER = "10.0.0.1"


def xff(*values: str) -> Headers:
    return tuple(("x-forwarded-for", value) for value in values)


def forwarded(*values: str) -> Headers:
    return tuple(("forwarded", value) for value in values)


def refused(fields: Headers) -> str:
    with pytest.raises(BadMessageError) as caught:
        client_address(PEER, fields, TRUSTED)
    assert caught.value.status == 400
    return caught.value.reason


@pytest.mark.parametrize(
    ("fields", "client"),
    [
        ((), PEER),
        (xff("203.0.113.9"), "203.0.113.9"),
        (xff("1.2.3.4, 203.0.113.9"), "203.0.113.9"),
        (xff("1.2.3.4, 203.0.113.9, 10.9.9.9"), "203.0.113.9"),
        (xff("1.2.3.4", "203.0.113.9", "10.9.9.9, 192.0.2.1"), "203.0.113.9"),
        (xff("10.0.0.3, 10.0.0.2"), "10.0.0.3"),
        (xff("203.0.113.9:4711"), "203.0.113.9"),
        (xff("2001:db8::0001"), "2001:db8::1"),
        (xff("[2001:db8::1]:4711"), "2001:db8::1"),
        (xff("::ffff:203.0.113.9"), "203.0.113.9"),
        (xff("::ffff:10.0.0.7"), "10.0.0.7"),
        (xff("203.0.113.9, unknown"), PEER),
        (xff("203.0.113.9, unknown, 10.0.0.7"), "10.0.0.7"),
        (xff("203.0.113.9, 999.0.0.1"), PEER),
        (xff("203.0.113.9,"), PEER),
        (xff("a" * 500), PEER),
        (forwarded("for=1.2.3.4, for=203.0.113.9;proto=https"), "203.0.113.9"),
        (forwarded("For=203.0.113.9", "for=10.0.0.2; by=10.0.0.1"), "203.0.113.9"),
        (forwarded('for="[2001:db8::1]:4711"'), "2001:db8::1"),
        (forwarded("for=203.0.113.9, for=_hidden"), PEER),
        (forwarded("for=203.0.113.9, for=unknown"), PEER),
        (forwarded("for=203.0.113.9, proto=https"), PEER),
        ((*forwarded("proto=https"), *xff("203.0.113.9")), "203.0.113.9"),
        ((*forwarded("for=203.0.113.9"), *xff("203.0.113.9")), "203.0.113.9"),
    ],
)
def test_the_client_is_the_right_most_that_is_not_trusted(
    fields: Headers, client: str
) -> None:
    """A12, B19: what stands left of it is the client's own word."""
    assert client_address(PEER, fields, TRUSTED) == client


def test_nobody_else_is_believed() -> None:
    """B3: a peer that is not trusted is the client."""
    for peer in ("203.0.113.5", "unix", "nonsense"):
        assert client_address(peer, xff("1.2.3.4"), TRUSTED) == peer


def test_two_families_that_differ_are_refused() -> None:
    """The proxy wrote one of them, the client perhaps the other."""
    fields = (*forwarded("for=1.2.3.4"), *xff("203.0.113.9"))
    assert refused(fields) == "forwarded-conflict"


@pytest.mark.parametrize(
    "value",
    [
        *('for="', 'for=", for=203.0.113.9', "for", "for=", "=a", "for=a b"),
        *("for=a;for=b", "for=[::1]", "for=203.0.113.9:80", 'for="a"b', "for = a"),
        *('for="a, for="[::1]"', "for=a\\", '"for"=a'),
    ],
)
def test_a_malformed_forwarded_is_refused(value: str) -> None:
    """An open quote would swallow what the proxy added behind it."""
    assert refused(forwarded(value)) == "forwarded-malformed"


def test_forwarded_is_read_as_rfc_7239_says() -> None:
    fields = forwarded(
        'for="_a\\"b"; proto=http;by="203.0.113.43" ,, For=1.2.3.4;', "host=a;", ""
    )
    assert read_forwarded(fields) == [
        {"for": '_a"b', "proto": "http", "by": "203.0.113.43"},
        {"for": "1.2.3.4"},
        {"host": "a"},
    ]


@given(text=st.text('for=;," \\[]:19a', max_size=16))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        elements = read_forwarded(forwarded(text))
    except BadMessageError:
        return
    assert all(elements)


@pytest.mark.parametrize(
    ("fields", "scheme"),
    [
        ((), None),
        ((("x-forwarded-proto", "HTTPS"),), "https"),
        ((("x-forwarded-proto", "http, https"),), "https"),
        ((("x-forwarded-proto", "http"), ("x-forwarded-proto", "https")), "https"),
        (forwarded("proto=http, proto=https"), "https"),
        ((*forwarded("proto=https"), ("x-forwarded-proto", "https")), "https"),
        (forwarded("for=1.2.3.4"), None),
    ],
)
def test_the_nearest_proxy_says_the_scheme(fields: Headers, scheme: str | None) -> None:
    assert forwarded_proto(fields) == scheme


@pytest.mark.parametrize(
    "fields",
    [
        (("x-forwarded-proto", "ftp"),),
        (("x-forwarded-proto", ""),),
        (*forwarded("proto=https"), ("x-forwarded-proto", "http")),
    ],
)
def test_a_scheme_that_is_none_or_two_is_refused(fields: Headers) -> None:
    with pytest.raises(BadMessageError):
        forwarded_proto(fields)


def test_both_families_say_the_same_to_the_backend() -> None:
    """A15: all rebuilt from one source."""
    fields = build_forwarded(
        client="203.0.113.9", scheme="https", host="a.example", port=443
    )
    assert fields == (
        ("forwarded", "for=203.0.113.9;host=a.example;proto=https"),
        ("x-forwarded-for", "203.0.113.9"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "a.example"),
        ("x-forwarded-port", "443"),
    )


def test_ipv6_and_ports_are_quoted() -> None:
    """RFC 7239 section 6: ``for="[2001:db8::1]"``."""
    fields = dict(
        build_forwarded(client="2001:db8::1", scheme="http", host="[::1]", port=81)
    )
    assert fields["forwarded"] == 'for="[2001:db8::1]";host="[::1]:81";proto=http'
    assert fields["x-forwarded-for"] == "2001:db8::1"
    assert fields["x-forwarded-host"] == "[::1]:81"


def test_a_unix_peer_has_no_address_to_forward() -> None:
    fields = dict(build_forwarded(client="unix", scheme="http", host="a", port=80))
    assert fields["forwarded"].startswith("for=unknown;")
    assert "x-forwarded-for" not in fields


@given(host=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=9))
def test_what_is_built_is_read_back(host: str) -> None:
    """A14: no value ends its parameter early."""
    fields = build_forwarded(client="::1", scheme="https", host=host, port=1)
    assert read_forwarded(fields) == [
        {"for": "[::1]", "host": f"{host}:1", "proto": "https"}
    ]


def test_ranges_hold_for_both_ways_to_write_ipv4() -> None:
    assert TRUSTED("10.1.2.3")
    assert TRUSTED("::ffff:10.1.2.3")
    assert TRUSTED("fd00::1")
    assert not TRUSTED("11.0.0.1")
    assert not TRUSTED("nonsense")
    assert not TRUSTED("unix")
    assert not TRUSTED("1" * 1000)
    assert trusted_ranges(["unix"])("unix")
    assert not trusted_ranges([])("10.0.0.1")


def test_an_address_has_one_spelling() -> None:
    assert normal_address("::FFFF:1.2.3.4") == "1.2.3.4"
    assert normal_address("2001:DB8:0::1") == "2001:db8::1"
    assert normal_address("010.0.0.1") is None


def test_a_loop_is_seen_in_via() -> None:
    """The received-by counts, not what a comment or another name contains."""
    assert has_passed(("1.0 fred", "1.1 SSO-Proxy (x)"), "sso-proxy")
    assert has_passed(("HTTP/1.1  sso-proxy",), "sso-proxy")
    assert not has_passed(("1.1 a (sso-proxy)", "1.1 sso-proxy.example"), "sso-proxy")
    assert not has_passed(("sso-proxy", ""), "sso-proxy")
    assert not has_passed((), "sso-proxy")
