"""What others publish does not lead us where only we can go."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.urls import (
    UrlRefusedError,
    check_published_url,
    read_issuer,
    read_url,
)

ISSUER = read_issuer("https://login.example.com")


def test_a_url_is_taken_apart() -> None:
    url = read_url("https://Login.Example.COM:8443/a/b?c=d%20e&f=/?")
    assert url.origin == "https://Login.Example.COM:8443"
    assert (url.scheme, url.host) == ("https", "login.example.com")
    assert (url.path, url.query) == ("/a/b", "?c=d%20e&f=/?")
    assert not url.is_plain
    assert not url.is_local


@pytest.mark.parametrize(
    "url",
    [
        "",
        "login.example.com",
        "//login.example.com/",
        "ftp://login.example.com/",
        "HTTPS://login.example.com/",
        "https:login.example.com",
        "https://",
        "https:///jwks",
        "https://user@login.example.com/",
        "https://user:secret@login.example.com/",
        "https://login.example.com@evil.example/",
        "https://login.example.com\\@evil.example/",
        "https://login.example.com#@evil.example/",
        "https://login.example.com/#fragment",
        "https://login.example.com/?a#fragment",
        "https://login.example.com:0/",
        "https://login.example.com:65536/",
        "https://login.example.com:port/",
        "https://login..example.com/",
        "https://löwe.example/",
        "https://%6cogin.example.com/",
        "https://[::1/",
        "https://[::1%25eth0]/",
        "https://login.example.com/a b",
        "https://login.example.com/a\\b",
        "https://login.example.com/\r\nX: y",
        "https://login.example.com/\x7f",
        "https://login.example.com/ä",
        "https://login.example.com/" + "a" * 2048,
    ],
)
def test_what_can_be_read_in_two_ways_is_no_url(url: str) -> None:
    with pytest.raises(UrlRefusedError):
        read_url(url)


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "1.2.3.4.5", "a.0x7f"]
)
def test_a_host_that_resolvers_make_an_address_of_is_refused(host: str) -> None:
    """``getaddrinfo`` takes all of the first four for 127.0.0.1 (inet_aton)."""
    with pytest.raises(UrlRefusedError, match="number"):
        read_url(f"https://{host}/")


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        url = read_url("https://" + text)
    except UrlRefusedError:
        return
    assert url.origin + url.path + url.query == "https://" + text


@pytest.mark.parametrize(
    "issuer",
    [
        "https://login.example.com",
        "https://login.example.com/",
        "https://login.example.com/realms/one",
        "https://192.0.2.1",
        "https://10.0.0.1",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/issuer",
    ],
)
def test_an_issuer_is_https_or_this_machine(issuer: str) -> None:
    assert issuer.startswith(read_issuer(issuer).origin)


@pytest.mark.parametrize(
    "issuer",
    [
        "http://login.example.com",
        "http://localhost",
        "http://10.0.0.1",
        "https://login.example.com?tenant=1",
        "https://login.example.com?",
        "https://login.example.com/?",
        "https://login.example.com#",
        "accounts.google.com",
    ],
)
def test_another_name_is_no_issuer(issuer: str) -> None:
    with pytest.raises(UrlRefusedError):
        read_issuer(issuer)


@pytest.mark.parametrize(
    "url",
    [
        "https://login.example.com/jwks",
        "https://keys.example.net:8443/jwks?tenant=1",
        "https://8.8.8.8/jwks",
        "https://[2606:4700::1111]/jwks",
        "https://idp.corp.internal/jwks",
    ],
)
def test_other_hosts_may_have_what_an_issuer_publishes(url: str) -> None:
    check_published_url(url, ISSUER)


LOCAL = [
    "https://127.0.0.1/jwks",
    "https://127.0.0.1./jwks",
    "https://[::1]/jwks",
    "https://0.0.0.0/jwks",
    "https://[::]/jwks",
    "https://10.0.0.1/jwks",
    "https://172.16.0.1/jwks",
    "https://192.168.0.1/jwks",
    "https://100.64.0.1/jwks",
    "https://169.254.169.254/latest/meta-data/",
    "https://[fd00:ec2::254]/latest/meta-data/",
    "https://[fe80::1]/jwks",
    "https://224.0.0.1/jwks",
    "https://[ff02::1]/jwks",
    "https://[::ffff:10.0.0.1]/jwks",
    "https://[::10.0.0.1]/jwks",
    "https://[2002:a00:1::]/jwks",
    "https://[64:ff9b::a00:1]/jwks",
    "https://localhost/jwks",
    "https://keys.localhost/jwks",
]


@pytest.mark.parametrize("url", LOCAL)
def test_a_document_does_not_lead_into_the_local_network(url: str) -> None:
    """Server-side request forgery through discovery (LemonLDAP CVE-2023-44469)."""
    with pytest.raises(UrlRefusedError, match="local"):
        check_published_url(url, ISSUER)


@pytest.mark.parametrize("url", LOCAL)
def test_an_issuer_in_the_local_network_may_lead_there(url: str) -> None:
    check_published_url(url, read_issuer("https://10.1.2.3"))


@pytest.mark.parametrize("issuer", ["https://localhost:14443", "https://127.0.0.1"])
def test_an_issuer_on_this_machine_may_have_its_keys_there(issuer: str) -> None:
    check_published_url(issuer + "/jwks", read_issuer(issuer))


@pytest.mark.parametrize(
    ("url", "issuer"),
    [
        ("http://login.example.com/jwks", "https://login.example.com"),
        ("http://127.0.0.1/jwks", "https://127.0.0.1"),
        ("http://10.0.0.1/jwks", "https://10.0.0.1"),
        ("http://localhost/jwks", "http://127.0.0.1"),
        ("http://login.example.com/jwks", "http://127.0.0.1"),
    ],
)
def test_keys_do_not_come_over_a_plain_connection(url: str, issuer: str) -> None:
    with pytest.raises(UrlRefusedError, match="https"):
        check_published_url(url, read_issuer(issuer))


def test_a_plain_issuer_on_this_machine_may_have_plain_endpoints_there() -> None:
    check_published_url("http://[::1]:2/jwks", read_issuer("http://127.0.0.1:1"))
    check_published_url("https://keys.example.com/", read_issuer("http://127.0.0.1"))
