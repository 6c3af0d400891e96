"""How a directory is reached is checked at the start."""

from pathlib import Path
from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError
from sso_proxy.net.ldap_options import (
    LdapOptions,
    Place,
    read_ldap_access,
    read_place,
)
from sso_proxy.testing.pki import Pki

SECRET = Secret("s3cret")


@pytest.mark.parametrize(
    ("url", "place", "text"),
    [
        ("ldap://h", Place("h", 389, ldaps=False), "ldap at h:389"),
        ("ldaps://h/", Place("h", 636, ldaps=True), "ldaps at h:636"),
        ("ldaps://[::1]:7", Place("::1", 7, ldaps=True), "ldaps at ::1:7"),
    ],
)
def test_urls_are_read(url: str, place: Place, text: str) -> None:
    assert read_place(url) == place
    assert str(place) == text


@pytest.mark.parametrize(
    "url",
    [
        "h",
        "http://h",
        "ldap://",
        "ldap://h:0",
        "ldap://h:99999",
        "ldap://u@h",
        "ldap://h/o=x",
    ],
)
def test_what_is_no_url_of_a_directory_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="is no directory"):
        LdapOptions(servers=(url,))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"servers": ()}, "must not be empty"),
        ({"auth": "simple"}, "needs bind_dn; .* needs bind_password"),
        ({"bind_dn": "cn=x"}, "has no use for bind_dn"),
        ({"bind_password": SECRET}, "has no use for bind_password"),
        (
            {"auth": "simple", "bind_dn": "cn=x", "bind_password": Secret("")},
            "bind_password is empty",
        ),
        ({"auth": "external"}, "needs certificate and key"),
        ({"certificate": "c"}, "set together"),
        ({"crl": "c"}, "crl needs ca"),
        ({"allow_plaintext": True}, "no effect at ldaps"),
        (
            {
                "servers": ("ldap://h",),
                "allow_plaintext": True,
                "auth": "external",
                "certificate": "c",
                "key": "k",
            },
            "needs TLS",
        ),
        ({"connections": 5}, "must be from 1 to 4"),
        ({"where": {"a*": ()}}, "no name of an attribute"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LdapOptions(**{"servers": ("ldaps://h",)} | options)


def test_equal_options_give_what_can_be_shared(tmp_path: Path) -> None:
    pki = Pki.create()
    (tmp_path / "ca.crt").write_bytes(pki.ca_pem)
    options = LdapOptions(
        servers=("ldap://h", "ldaps://i"),
        ca=str(tmp_path / "ca.crt"),
        auth="simple",
        bind_dn="cn=x",
        bind_password=SECRET,
    )
    access = read_ldap_access(options, 0.0)
    assert access == read_ldap_access(options, 0.0)
    assert hash(access) == hash(read_ldap_access(options, 0.0))
    assert access.tls is not None
    assert access.tls.ca == pki.ca_pem
    assert "s3cret" not in repr(access)


def test_a_name_that_is_none_is_a_mistake() -> None:
    options = LdapOptions(
        servers=("ldaps://h",), auth="simple", bind_dn="cn=\n", bind_password=SECRET
    )
    with pytest.raises(ConfigError, match="bind_dn: is no distinguished name"):
        read_ldap_access(options, 0.0)
