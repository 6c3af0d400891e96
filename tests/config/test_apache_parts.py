"""Options of ``[route.mod_auth_openidc]``."""

import pytest

from sso_proxy.config.apache_parts import ModAuthOpenidcConfig


@pytest.mark.parametrize(
    "path", ["/oauth2callback", "/protected/redirect_uri", "/a/", ""]
)
def test_a_path_of_the_site_is_good(path: str) -> None:
    assert ModAuthOpenidcConfig(redirect_path=path).redirect_path == path


@pytest.mark.parametrize(
    "path", ["/", "callback", "https://app.example.com/a", "/a/../b", "/{x}/b", "/a?b"]
)
def test_anything_else_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        ModAuthOpenidcConfig(redirect_path=path)
    with pytest.raises(ValueError, match="path"):
        ModAuthOpenidcConfig(logged_out=path)


@pytest.mark.parametrize("delimiter", ["", "\\", "a", ", ", "\n", "\u20ac"])
def test_a_delimiter_is_one_character_that_can_be_told(delimiter: str) -> None:
    with pytest.raises(ValueError, match="character"):
        ModAuthOpenidcConfig(claim_delimiter=delimiter)


@pytest.mark.parametrize("prefix", ["", "X Y-", "Ho", "content-", "X\r\n"])
def test_a_prefix_is_one_that_clients_can_do_without(prefix: str) -> None:
    with pytest.raises(ValueError, match="prefix"):
        ModAuthOpenidcConfig(claim_prefix=prefix)
